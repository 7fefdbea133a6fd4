/**
 * safetensors (github.com/huggingface/safetensors): eight bytes with the length of a header, the header as JSON, the numbers of all tensors one
 * behind the other. Reading runs no code and allocates no more than the file is long.
 */

import { describe, formatShape, sizeOf, type Shape } from '../tensor/shape';
import { isTensor, type Tensor } from '../tensor/tensor';
import { fileBytes } from './file-bytes';
import { fromBfloat16, fromFloat16 } from './half-precision';

/** Tensors by name, and what else the file says. */
export interface Safetensors {
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

interface Entry {
  readonly name: string;
  readonly type: keyof typeof readers;
  readonly shape: Shape;
  readonly from: number;
  readonly to: number;
}

/** The bytes of each type as single precision. */
const readers = {
  F32: (bytes: ArrayBuffer): Float32Array => new Float32Array(bytes),
  F64: (bytes: ArrayBuffer): Float32Array => Float32Array.from(new Float64Array(bytes)),
  F16: (bytes: ArrayBuffer): Float32Array => fromFloat16(new Uint16Array(bytes)),
  BF16: (bytes: ArrayBuffer): Float32Array => fromBfloat16(new Uint16Array(bytes)),
};
const widths = { F32: 4, F64: 8, F16: 2, BF16: 2 };

/** The longest header that is read, as in the reference implementation. */
const longestHeader = 100_000_000;

const refuse = (what: string): never => {
  throw new RangeError(`readSafetensors: ${what}`);
};

/**
 * Reads a file. Numbers of other precisions become single precision: F16 and BF16 exactly, F64 rounded.
 *
 * @throws RangeError where the file is cut short or longer than its header says, the header is not JSON in UTF-8, a name stands twice, tensors overlap
 * or leave gaps, a shape does not fit its bytes, or a type is none of F32, F64, F16 and BF16
 * @example
 * const file = writeSafetensors({ weight: tensor([[1, 2], [3, 4]]) }, { author: 'me' });
 * readSafetensors(file).tensors.weight.data; // Float32Array [1, 2, 3, 4]
 * readSafetensors(file).metadata.author; // 'me'
 */
export function readSafetensors(file: Uint8Array | ArrayBuffer): Safetensors {
  const bytes = fileBytes('readSafetensors', file);
  if (bytes.length < 8) refuse(`the file has ${bytes.length} bytes and cannot be one: the length of its header alone takes 8. Was it cut short?`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true) + 2 ** 32 * view.getUint32(4, true);
  if (length > longestHeader) refuse(`the header is to have ${length} bytes, more than the ${longestHeader} that are read. Is this a safetensors file?`);
  if (length > bytes.length - 8) refuse(`the header is to have ${length} bytes, but ${bytes.length - 8} follow. Was the file cut short?`);
  const header = parseHeader(bytes.subarray(8, 8 + length));
  const { __metadata__: metadata = {}, ...described } = header;
  if (!isRecord(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) refuse('__metadata__ must hold strings by name.');
  const entries = Object.entries(described).map(([name, entry]) => checkEntry(name, entry));
  const data = bytes.subarray(8 + length);
  checkPlaces(entries, data.length);
  const tensors = entries.map(({ name, type, shape, from, to }) => [name, { shape, data: readers[type](data.slice(from, to).buffer as ArrayBuffer) }]);
  return { tensors: Object.fromEntries(tensors) as Record<string, Tensor>, metadata: metadata as Record<string, string> };
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let text = '';
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    refuse('the header is not text in UTF-8.');
  }
  try {
    header = JSON.parse(text);
  } catch {
    refuse('the header is not JSON.');
  }
  if (!text.startsWith('{') || !isRecord(header)) refuse('the header must be a JSON object.');
  const names = topLevelNames(text);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) refuse(`the name ${JSON.stringify(twice)} stands twice in the header.`);
  return header as Record<string, unknown>;
}

/** The names of the outermost object of valid JSON, also those that stand twice, which JSON.parse would drop. */
function topLevelNames(text: string): readonly string[] {
  const names: string[] = [];
  let depth = 0;
  for (const { 0: token } of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (depth === 1 && token.endsWith(':')) names.push(JSON.parse(token.slice(0, token.lastIndexOf('"') + 1)) as string);
  }
  return names;
}

function checkEntry(name: string, entry: unknown): Entry {
  const where = `tensor ${JSON.stringify(name)}`;
  if (!isRecord(entry)) return refuse(`${where} must be described by an object, got ${describe(entry)}.`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !Object.hasOwn(readers, dtype)) return refuse(`${where} has the type ${String(dtype)}; F32, F64, F16 and BF16 are read.`);
  if (!isWholes(shape)) return refuse(`${where} must have a shape of whole numbers, got ${JSON.stringify(shape)}.`);
  if (!isWholes(offsets) || offsets.length !== 2) return refuse(`${where} must have two data_offsets, got ${JSON.stringify(offsets)}.`);
  const [from, to] = offsets as unknown as [number, number];
  const type = dtype as Entry['type'];
  const size = sizeOf(shape) * widths[type];
  if (to - from !== size) return refuse(`${where} of type ${dtype} and shape ${formatShape(shape)} takes ${size} bytes, got those from ${from} to ${to}.`);
  return { name, type, shape, from, to };
}

const isWholes = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every((each) => Number.isSafeInteger(each) && each >= 0);

/** Every byte belongs to one tensor. */
function checkPlaces(entries: readonly Entry[], size: number): void {
  let end = 0;
  let before = 'the beginning';
  for (const { name, from, to } of entries.slice().sort((a, b) => a.from - b.from || a.to - b.to)) {
    if (to > size) refuse(`tensor ${JSON.stringify(name)} reaches to byte ${to}, but there are ${size}. Was the file cut short?`);
    if (from !== end) refuse(`tensor ${JSON.stringify(name)} begins at byte ${from}, but ${before} ends at ${end}: tensors may not overlap or leave gaps.`);
    end = to;
    before = `tensor ${JSON.stringify(name)}`;
  }
  if (end !== size) refuse(`${size - end} bytes follow behind the last tensor.`);
}

/**
 * Writes tensors in single precision: what {@link readSafetensors} gives back bit for bit, and every other reader of the format understands.
 *
 * @param tensors by name
 * @param metadata strings by name, to travel along
 * @throws TypeError where something is no tensor or no string, RangeError where a shape does not fit its numbers
 * @example
 * writeSafetensors({ bias: tensor([1, 2]) }).length; // 80
 */
export function writeSafetensors(tensors: Readonly<Record<string, Tensor>>, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const entries: [string, unknown][] = [];
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') throw new TypeError(`writeSafetensors: metadata.${name} must be a string, got ${describe(value)}.`);
  }
  if (Object.keys(metadata).length > 0) entries.push(['__metadata__', metadata]);
  let offset = 0;
  for (const [name, value] of Object.entries(tensors)) {
    if (!isTensor(value)) throw new TypeError(`writeSafetensors: ${name} must be a tensor { shape, data: Float32Array }, got ${describe(value)}.`);
    if (name === '__metadata__') throw new RangeError('writeSafetensors: no tensor may be called __metadata__.');
    if (sizeOf(value.shape) !== value.data.length) {
      throw new RangeError(`writeSafetensors: ${name} has shape ${formatShape(value.shape)} but ${value.data.length} numbers.`);
    }
    entries.push([name, { dtype: 'F32', shape: value.shape, data_offsets: [offset, offset + value.data.byteLength] }]);
    offset += value.data.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  // Blanks behind the header let the numbers begin at a multiple of eight.
  const length = Math.ceil(text.length / 8) * 8;
  const file = new Uint8Array(8 + length + offset).fill(0x20, 8, 8 + length);
  new DataView(file.buffer).setUint32(0, length, true);
  file.set(text, 8);
  let at = 8 + length;
  for (const { data } of Object.values(tensors)) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}
