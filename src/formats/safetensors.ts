/**
 * The safetensors format (github.com/huggingface/safetensors): eight bytes with the length of the header, the header as
 * JSON, and the contiguous elements of all tensors. Reading executes no code and allocates at most about the file size.
 */

import { decodeUtf8, encodeUtf8 } from '../data/utf8';
import { lastOf } from '../tensor/arrays';
import { checkObject, describe, formatShape, mismatch, type Shape, validSize } from '../tensor/shape';
import { isTensor, type Tensor } from '../tensor/tensor';
import { type Bytes, fileBytes } from './file-bytes';
import { fromBfloat16, fromFloat16 } from './half-precision';
import { isJsonObject } from './json-object';
import { checkJsonSize } from './json-size';
import { abbreviate } from './listing';

/** The content of a safetensors file. */
export interface Safetensors {
  /** Tensors of type F32, F64, F16 and BF16 by name, converted to single precision. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** The names of tensors of other types (integers, booleans), which are not read. */
  readonly others: readonly string[];
  /** The free-form strings of the header by name. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A tensor in the header, with the byte range of its elements after the header. */
interface Entry {
  readonly name: string;
  /** `undefined` for a type that is not read. */
  readonly type: keyof typeof readers | undefined;
  readonly shape: Shape;
  readonly from: number;
  readonly to: number;
}

/** A range of a buffer: its first byte and its number of elements. */
type Range = readonly [buffer: ArrayBufferLike, at: number, count: number];

/** The conversion of each element type to single precision: a copy. */
const readers = {
  F32: (...range: Range): Float32Array => new Float32Array(...range).slice(),
  F64: (...range: Range): Float32Array => new Float32Array(new Float64Array(...range)),
  F16: (...range: Range): Float32Array => fromFloat16(new Uint16Array(...range)),
  BF16: (...range: Range): Float32Array => fromBfloat16(new Uint16Array(...range)),
};

/** The size of an element in bytes. */
const widths = { F32: 4, F64: 8, F16: 2, BF16: 2 };

/** The longest header that is accepted, in bytes, as in the reference implementation. */
const longestHeader = 100_000_000;

/** The largest number of tensors: each takes far more memory than its entry in the header. */
export const maxTensors = 25_000;

const reject = (what: string): never => {
  throw new RangeError(`readSafetensors: ${what}`);
};

/**
 * Reads a safetensors file. All elements are converted to single precision: F16 and BF16 exactly, F64 with rounding.
 * Tensors of other types, such as the int64 counters of PyTorch modules, are listed in `others`.
 *
 * @throws TypeError if `file` is neither a Uint8Array nor an ArrayBuffer
 * @throws RangeError if the file is truncated or has trailing bytes, the header is not JSON in UTF-8 or has duplicate
 * names, tensors overlap or leave gaps, or a shape does not match its byte range
 * @example
 * const file = writeSafetensors({ weight: tensor([[1, 2], [3, 4]]) }, { author: 'me' });
 * readSafetensors(file).tensors.weight!.data; // Float32Array [1, 2, 3, 4]
 * readSafetensors(file).metadata.author; // 'me'
 */
export function readSafetensors(file: Uint8Array | ArrayBuffer): Safetensors {
  const bytes = fileBytes('readSafetensors', file);
  if (bytes.length < 8)
    reject(`the file must have at least the 8 bytes of the header length, got ${bytes.length}. Is it truncated?`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true) + 2 ** 32 * view.getUint32(4, true);
  if (length > longestHeader)
    reject(
      `the header length is ${length} bytes, the limit is ${longestHeader}. Is this a safetensors file? Use ` +
        'safetensors.torch.save_file, not torch.save.',
    );
  if (length > bytes.length - 8)
    reject(`the header length is ${length} bytes, but only ${bytes.length - 8} follow. Is the file truncated?`);
  const header = parseHeader(bytes.subarray(8, 8 + length));
  const { __metadata__: metadata = {}, ...tensorEntries } = header;
  if (!isJsonObject(metadata) || !Object.values(metadata).every((value) => typeof value === 'string'))
    return reject('__metadata__ must be an object of strings.');
  const malformed = [...Object.keys(tensorEntries), ...Object.entries(metadata as Record<string, string>).flat()].find(
    (text) => !isWellFormed(text),
  );
  if (malformed !== undefined) reject(`${shown(malformed)} has an unpaired surrogate.`);
  const entries = Object.entries(tensorEntries).map(([name, entry]) => checkEntry(name, entry));
  checkOffsets(entries, bytes.length - 8 - length);
  const data = bytes.subarray(8 + length);
  const tensors = new Map<string, Tensor>();
  const others: string[] = [];
  for (const { name, type, shape, from, to } of entries) {
    if (type === undefined) others.push(name);
    else tensors.set(name, { shape, data: elementsOf(type, data.subarray(from, to)) });
  }
  return {
    tensors: Object.fromEntries(tensors),
    others,
    metadata: metadata as Record<string, string>,
  };
}

/** A copy of the elements in single precision. */
function elementsOf(type: keyof typeof readers, bytes: Uint8Array): Float32Array {
  const width = widths[type];
  const { buffer, byteOffset } = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  return readers[type](buffer, byteOffset, bytes.length / width);
}

/** A value of the header for an error message; never long, whatever its size and depth. */
function shown(value: unknown): string {
  const flat =
    typeof value === 'string' ||
    (Array.isArray(value) && value.every((element) => typeof element !== 'object' || element === null));
  return abbreviate(flat ? JSON.stringify(value) : describe(value));
}

/** Whether a string can be encoded in UTF-8, which has no unpaired surrogates. */
const isWellFormed = (text: string): boolean => !/[\ud800-\udfff]/u.test(text);

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let text = '';
  let header: unknown;
  try {
    text = decodeUtf8(bytes);
  } catch {
    reject('the header is not valid UTF-8.');
  }
  // The entry of a tensor has an object and two arrays.
  checkJsonSize('readSafetensors', 'the header', text, 3 * maxTensors + 2);
  try {
    header = JSON.parse(text);
  } catch {
    reject('the header is not JSON.');
  }
  if (!text.startsWith('{') || !isJsonObject(header)) reject('the header must be a JSON object.');
  checkNames(text);
  return header as Record<string, unknown>;
}

/**
 * Rejects duplicate names in an object: `JSON.parse` keeps the last one, other readers may keep the first.
 *
 * @param text valid JSON
 * @throws RangeError if an object has the same name twice
 */
function checkNames(text: string): void {
  const open: Set<string>[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{') open.push(new Set());
    else if (character === '}') open.pop();
    if (character !== '"') continue;
    const begin = at;
    at++;
    while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
    let next = at + 1;
    while (/\s/.test(text[next]!)) next++;
    if (text[next] !== ':') continue;
    const name = JSON.parse(text.slice(begin, at + 1)) as string;
    if (lastOf(open)!.has(name)) reject(`the name ${shown(name)} is in the header twice.`);
    lastOf(open)!.add(name);
  }
}

function checkEntry(name: string, entry: unknown): Entry {
  const where = (): string => `tensor ${shown(name)}`;
  if (!isJsonObject(entry)) return reject(`${where()} must be an object, got ${abbreviate(describe(entry))}.`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string') return reject(`${where()} must have a dtype, got ${abbreviate(describe(dtype))}.`);
  if (!isSizes(shape)) return reject(`${where()} must have a shape of non-negative integers, got ${shown(shape)}.`);
  if (!isSizes(offsets) || offsets.length !== 2)
    return reject(`${where()} must have two data_offsets, got ${shown(offsets)}.`);
  const [from, to] = offsets as readonly [number, number];
  if (from > to) return reject(`${where()} has data_offsets ${from} to ${to}.`);
  if (!isRead(dtype)) return { name, type: undefined, shape, from, to };
  const size = validSize(shape) * widths[dtype];
  if (to - from !== size)
    return reject(
      `${where()} of type ${dtype} and shape ${abbreviate(formatShape(shape))} takes ${size} bytes, got data_offsets ` +
        `${from} to ${to}.`,
    );
  return { name, type: dtype, shape, from, to };
}

const isRead = (dtype: string): dtype is keyof typeof readers => Object.hasOwn(readers, dtype);

const isSizes = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0 && !Object.is(size, -0));

/** @throws RangeError unless every byte after the header belongs to exactly one tensor */
function checkOffsets(entries: readonly Entry[], size: number): void {
  let end = 0;
  let previous: string | undefined;
  for (const { name, from, to } of entries.slice().sort((a, b) => a.from - b.from || a.to - b.to)) {
    if (to > size)
      reject(`tensor ${shown(name)} ends at byte ${to} of the data, which has ${size}. Is the file truncated?`);
    if (from !== end) {
      const before = previous === undefined ? 'the header' : `tensor ${shown(previous)}`;
      reject(
        `tensor ${shown(name)} starts at byte ${from}, but ${before} ends at ${end}: ` +
          'tensors must not overlap or leave gaps.',
      );
    }
    end = to;
    previous = name;
  }
  if (end !== size) reject(`the file must end at byte ${end} of the data, got ${size}.`);
}

/**
 * Writes tensors in single precision. {@link readSafetensors} restores them bit for bit; any other reader of the format
 * can read them as well.
 *
 * @param tensors by name
 * @param metadata strings by name
 * @returns the bytes of the file
 * @throws TypeError if an argument has a value that is not a tensor or not a string
 * @throws RangeError if a shape does not match its data, a string has an unpaired surrogate, or there are more than
 * 25,000 names or 100 MB of names and metadata, the limits of readers
 * @example
 * writeSafetensors({ bias: tensor([1, 2]) }).length; // 80
 */
export function writeSafetensors(
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Bytes {
  checkObject('writeSafetensors', 'tensors', tensors);
  checkObject('writeSafetensors', 'metadata', metadata);
  const entries: [string, unknown][] = [];
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') throw mismatch('writeSafetensors', `metadata.${name}`, 'a string', value);
    checkText(name);
    checkText(value);
  }
  if (Object.keys(metadata).length > 0) entries.push(['__metadata__', metadata]);
  let offset = 0;
  const count = Object.keys(tensors).length + Object.keys(metadata).length;
  if (count > maxTensors) throw new RangeError(`writeSafetensors: got ${count} names, the limit is ${maxTensors}.`);
  for (const [name, value] of Object.entries(tensors)) {
    if (!isTensor(value)) throw mismatch('writeSafetensors', name, 'a tensor { shape, data: Float32Array }', value);
    if (name === '__metadata__') throw new RangeError('writeSafetensors: no tensor may be named __metadata__.');
    checkText(name);
    if (!isSizes(value.shape) || validSize(value.shape) !== value.data.length) {
      throw new RangeError(
        `writeSafetensors: ${name} must have a shape of size ${value.data.length}, got ${formatShape(value.shape)}.`,
      );
    }
    entries.push([name, { dtype: 'F32', shape: value.shape, data_offsets: [offset, offset + value.data.byteLength] }]);
    offset += value.data.byteLength;
  }
  const text = encodeUtf8(JSON.stringify(Object.fromEntries(entries)));
  if (text.length > longestHeader)
    throw new RangeError(
      `writeSafetensors: names and metadata take ${text.length} bytes, the limit is ${longestHeader}.`,
    );
  // Trailing spaces in the header align the elements to eight bytes.
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

/** @throws RangeError if a string cannot be encoded in UTF-8 */
function checkText(text: string): void {
  if (!isWellFormed(text)) throw new RangeError(`writeSafetensors: ${shown(text)} has an unpaired surrogate.`);
}
