/**
 * safetensors (github.com/huggingface/safetensors): eight bytes with the length of a header, the header as JSON, the numbers of all tensors one
 * behind the other. Reading runs no code and allocates no more than the file is long.
 */

import { describe, formatShape, type Shape, sizeOf } from '../tensor/shape';
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
  F64: (bytes: ArrayBuffer): Float32Array => new Float32Array(new Float64Array(bytes)),
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
  if (bytes.length < 8)
    refuse(
      `the file has ${bytes.length} bytes and cannot be one: the length of its header alone takes 8. Was it cut short?`,
    );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true) + 2 ** 32 * view.getUint32(4, true);
  if (length > longestHeader)
    refuse(
      `the header is to have ${length} bytes, more than the ${longestHeader} that are read. Is this a safetensors file?`,
    );
  if (length > bytes.length - 8)
    refuse(`the header is to have ${length} bytes, but ${bytes.length - 8} follow. Was the file cut short?`);
  const header = parseHeader(bytes.subarray(8, 8 + length));
  const { __metadata__: metadata = {}, ...described } = header;
  if (!isRecord(metadata) || !Object.values(metadata).every((value) => typeof value === 'string'))
    return refuse('__metadata__ must hold strings by name.');
  const halved = [...Object.keys(described), ...Object.entries(metadata as Record<string, string>).flat()].find(
    (text) => !isWellFormed(text),
  );
  if (halved !== undefined) refuse(`${shown(halved)} is no text: it has half of a surrogate pair.`);
  const entries = Object.entries(described).map(([name, entry]) => checkEntry(name, entry));
  const data = bytes.subarray(8 + length);
  checkPlaces(entries, data.length);
  const tensors = entries.map(({ name, type, shape, from, to }) => [
    name,
    { shape, data: readers[type](data.slice(from, to).buffer as ArrayBuffer) },
  ]);
  return {
    tensors: Object.fromEntries(tensors) as Record<string, Tensor>,
    metadata: metadata as Record<string, string>,
  };
}

/** The beginning of what came is enough in a message. */
const brief = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text);

/** What came, of whatever length and depth. */
function shown(value: unknown): string {
  const flat =
    typeof value === 'string' ||
    (Array.isArray(value) && value.every((each) => typeof each !== 'object' || each === null));
  return brief(flat ? JSON.stringify(value) : describe(value));
}

/** Whether UTF-8 can hold a text, which it cannot where half of a surrogate pair stands alone. */
const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let text = '';
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    refuse('the header is not text in UTF-8.');
  }
  try {
    header = JSON.parse(text);
  } catch {
    refuse('the header is not JSON.');
  }
  if (!text.startsWith('{') || !isRecord(header)) refuse('the header must be a JSON object.');
  checkNames(text);
  return header as Record<string, unknown>;
}

/** @throws RangeError where a name stands twice in an object of valid JSON, of which JSON.parse keeps the last and another reader might keep the first */
function checkNames(text: string): void {
  const open: Set<string>[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{') open.push(new Set());
    else if (character === '}') open.pop();
    if (character !== '"') continue;
    const begin = at++;
    while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
    let next = at + 1;
    while (/\s/.test(text[next]!)) next++;
    if (text[next] !== ':') continue;
    const name = JSON.parse(text.slice(begin, at + 1)) as string;
    if (open.at(-1)!.has(name)) refuse(`the name ${shown(name)} stands twice in the header.`);
    open.at(-1)!.add(name);
  }
}

function checkEntry(name: string, entry: unknown): Entry {
  const where = `tensor ${shown(name)}`;
  if (!isRecord(entry)) return refuse(`${where} must be described by an object, got ${brief(describe(entry))}.`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !Object.hasOwn(readers, dtype))
    return refuse(`${where} has the type ${brief(describe(dtype))}; F32, F64, F16 and BF16 are read.`);
  if (!isWholes(shape)) return refuse(`${where} must have a shape of whole numbers, got ${shown(shape)}.`);
  if (!isWholes(offsets) || offsets.length !== 2)
    return refuse(`${where} must have two data_offsets, got ${shown(offsets)}.`);
  const [from, to] = offsets as unknown as [number, number];
  const type = dtype as Entry['type'];
  const size = sizeOf(shape) * widths[type];
  if (to - from !== size)
    return refuse(
      `${where} of type ${dtype} and shape ${brief(formatShape(shape))} takes ${size} bytes, got those from ${from} to ${to}.`,
    );
  return { name, type, shape, from, to };
}

const isWholes = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((each) => Number.isSafeInteger(each) && each >= 0 && !Object.is(each, -0));

/** Every byte belongs to one tensor. */
function checkPlaces(entries: readonly Entry[], size: number): void {
  let end = 0;
  let before = 'the beginning';
  for (const { name, from, to } of entries.slice().sort((a, b) => a.from - b.from || a.to - b.to)) {
    if (to > size)
      refuse(`tensor ${shown(name)} reaches to byte ${to}, but there are ${size}. Was the file cut short?`);
    if (from !== end)
      refuse(
        `tensor ${shown(name)} begins at byte ${from}, but ${before} ends at ${end}: tensors may not overlap or leave gaps.`,
      );
    end = to;
    before = `tensor ${shown(name)}`;
  }
  if (end !== size) refuse(`${size - end} bytes follow behind the last tensor.`);
}

/**
 * Writes tensors in single precision: what {@link readSafetensors} gives back bit for bit, and every other reader of the format understands.
 *
 * @param tensors by name
 * @param metadata strings by name, to travel along
 * @throws TypeError where something is no tensor or no string, RangeError where a shape does not fit its numbers, a name is no text that UTF-8 can hold, or names and
 * metadata take more than the 100 MB that are read
 * @example
 * writeSafetensors({ bias: tensor([1, 2]) }).length; // 80
 */
export function writeSafetensors(
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const entries: [string, unknown][] = [];
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value !== 'string')
      throw new TypeError(`writeSafetensors: metadata.${name} must be a string, got ${describe(value)}.`);
    checkText(name);
    checkText(value);
  }
  if (Object.keys(metadata).length > 0) entries.push(['__metadata__', metadata]);
  let offset = 0;
  for (const [name, value] of Object.entries(tensors)) {
    if (!isTensor(value))
      throw new TypeError(
        `writeSafetensors: ${name} must be a tensor { shape, data: Float32Array }, got ${describe(value)}.`,
      );
    if (name === '__metadata__') throw new RangeError('writeSafetensors: no tensor may be called __metadata__.');
    checkText(name);
    if (!isWholes(value.shape) || sizeOf(value.shape) !== value.data.length) {
      throw new RangeError(
        `writeSafetensors: ${name} has shape ${formatShape(value.shape)} but ${value.data.length} numbers.`,
      );
    }
    entries.push([name, { dtype: 'F32', shape: value.shape, data_offsets: [offset, offset + value.data.byteLength] }]);
    offset += value.data.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  if (text.length + 7 > longestHeader)
    throw new RangeError(
      `writeSafetensors: names and metadata take ${text.length} bytes, more than the ${longestHeader} that are read.`,
    );
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

function checkText(text: string): void {
  if (!isWellFormed(text))
    throw new RangeError(
      `writeSafetensors: ${shown(text)} is no text that UTF-8 can hold: it has half of a surrogate pair.`,
    );
}
