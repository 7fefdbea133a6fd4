/**
 * HDF5, the part that h5py writes by default and Keras with it (HDF5 File Format Specification 3.0, chapters in brackets): superblock of version 0 or 1 [II.A], groups by symbol
 * tables [III.A, B, D], object headers of version 1 [IV.A.1], datasets that lie in one piece. The rest is refused by name.
 */

import { sizeOf } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { fileBytes } from './file-bytes';
import { fromFloat16 } from './half-precision';

/** What {@link readHdf5} finds. */
export interface Hdf5 {
  /** Datasets of numbers of single, double or half precision by path, `layers/lstm/cell/vars/0`, in single precision. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** The paths of datasets of other types (whole numbers, text), which are not read. */
  readonly others: readonly string[];
}

const refuse = (what: string): never => {
  throw new RangeError(`readHdf5: ${what}`);
};

/** A file as it is read: every access is within its bytes, and what was gone through is not gone through again. */
interface Source {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly seen: Set<number>;
  /** How many bytes of datasets may still be read: no more than there are. */
  left: number;
}

/** No address. */
const nowhere = Infinity;

function bytesAt({ bytes }: Source, at: number, length: number, what: string): number {
  if (at + length <= bytes.length) return at;
  return refuse(`${what} is to lie at byte ${at}, but the file has ${bytes.length}. Was it cut short?`);
}

/** A whole number of eight bytes: an address, or a length. */
function wide(source: Source, at: number, what: string): number {
  bytesAt(source, at, 8, what);
  const [low, high] = [source.view.getUint32(at, true), source.view.getUint32(at + 4, true)];
  return low === 0xffffffff && high === 0xffffffff ? nowhere : low + 2 ** 32 * high;
}

function checkSignature(source: Source, at: number, text: string, what: string): void {
  bytesAt(source, at, text.length, what);
  for (let i = 0; i < text.length; i++) if (source.bytes[at + i] !== text.charCodeAt(i)) refuse(`${what} at byte ${at} does not begin with ${text}.`);
}

/** @throws RangeError where a part is gone through for the second time, as in a loop */
function enter({ seen }: Source, at: number, what: string): void {
  if (seen.has(at)) refuse(`${what} at byte ${at} stands in the file twice.`);
  seen.add(at);
}

/**
 * Reads the datasets of a file that h5py or Keras wrote.
 *
 * @throws RangeError where the file is cut short or not HDF5, or has what is not read: chunks, compression, links to elsewhere, a layout of `libver='latest'`
 * @example
 * try {
 *   readHdf5(new Uint8Array(100));
 * } catch (error) {
 *   error.message; // 'readHdf5: the file does not begin as HDF5 does.'
 * }
 */
export function readHdf5(file: Uint8Array | ArrayBuffer): Hdf5 {
  const bytes = fileBytes('readHdf5', file);
  const source: Source = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), seen: new Set(), left: bytes.length };
  if (bytes.length < 16 || [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a].some((byte, i) => bytes[i] !== byte)) refuse('the file does not begin as HDF5 does.');
  const version = bytes[8]!;
  if (version > 1) refuse(`the file is of superblock version ${version} (libver='latest'); h5py's default is what is read.`);
  if (bytes[13] !== 8 || bytes[14] !== 8) refuse(`addresses of ${bytes[13]} and lengths of ${bytes[14]} bytes; 8 are what is read.`);
  const base = version === 0 ? 24 : 28;
  if (wide(source, base, 'the superblock') !== 0) refuse('the file begins with something else (a user block).');
  const found: Found = { tensors: new Map(), others: [] };
  readObject(source, wide(source, base + 40, 'the superblock'), '', found, 0);
  return { tensors: Object.fromEntries(found.tensors), others: found.others };
}

interface Found {
  readonly tensors: Map<string, Tensor>;
  readonly others: string[];
}

interface Message {
  readonly type: number;
  readonly at: number;
  readonly size: number;
}

/** The messages of an object header. */
function messagesAt(source: Source, at: number, path: string): readonly Message[] {
  const what = `the header of ${path || 'the root'}`;
  bytesAt(source, at, 16, what);
  enter(source, at, what);
  if (source.bytes[at] !== 1) refuse(`${what} is of version ${source.bytes[at] === 0x4f ? 2 : source.bytes[at]}; version 1 is what is read.`);
  const messages: Message[] = [];
  const blocks: { from: number; length: number }[] = [{ from: at + 16, length: source.view.getUint32(at + 8, true) }];
  for (let block = blocks.shift(); block !== undefined; block = blocks.shift()) {
    bytesAt(source, block.from, block.length, what);
    for (let to = block.from; to + 8 <= block.from + block.length;) {
      const [type, size, flags] = [source.view.getUint16(to, true), source.view.getUint16(to + 2, true), source.bytes[to + 4]!];
      if (to + 8 + size > block.from + block.length) refuse(`a message of ${what} is longer than its block.`);
      if (type === 0x10) {
        const from = wide(source, to + 8, what);
        enter(source, from, `a further block of ${what}`);
        blocks.push({ from, length: wide(source, to + 16, what) });
      } else if (type !== 0) {
        if (flags & 2 && [1, 3, 8, 11].includes(type)) refuse(`${path} shares its type or shape with others (a committed type).`);
        messages.push({ type, at: to + 8, size });
      }
      to += 8 + size;
    }
  }
  return messages;
}

function readObject(source: Source, at: number, path: string, found: Found, depth: number): void {
  if (depth > 64) refuse(`${path} is more than 64 groups deep.`);
  const messages = messagesAt(source, at, path);
  const message = (type: number): Message | undefined => messages.find((each) => each.type === type);
  const table = message(0x11);
  if (table !== undefined) {
    for (const { name, header } of entriesOf(source, wide(source, table.at, path), wide(source, table.at + 8, path), path)) {
      readObject(source, header, path === '' ? name : `${path}/${name}`, found, depth + 1);
    }
    return;
  }
  if (message(0x02) !== undefined || message(0x06) !== undefined) refuse(`${path || 'the root'} is a group of the newer form (libver='latest', or in order of creation).`);
  const [space, type, layout] = [message(0x01), message(0x03), message(0x08)];
  if (type === undefined) return refuse(`${path || 'the root'} is neither a group nor a dataset (a committed type?).`);
  if (space === undefined || layout === undefined) return refuse(`${path} has no shape or no place.`);
  const reader = readerOf(source, type, path);
  if (reader === undefined) {
    found.others.push(path);
    return;
  }
  if (message(0x0b) !== undefined) refuse(`${path} is compressed, or filtered in another way.`);
  if (message(0x07) !== undefined) refuse(`${path} lies in another file.`);
  const shape = shapeOf(source, space, path);
  const size = sizeOf(shape) * reader.width;
  if (size > source.left) refuse(`${path} [${shape.join(', ')}] is to have ${size} bytes, more than the file has for it. Was it cut short?`);
  source.left -= size;
  found.tensors.set(path, { shape, data: reader.read(rawOf(source, layout, size, path)) });
}

/** The names of a group and where their headers stand. */
function entriesOf(source: Source, tree: number, heap: number, path: string): readonly { readonly name: string; readonly header: number }[] {
  const what = `the group ${path || '/'}`;
  checkSignature(source, heap, 'HEAP', `the names of ${what}`);
  const names = wide(source, heap + 24, what);
  const entries: { name: string; header: number }[] = [];
  const nodes = [tree];
  for (let at = nodes.shift(); at !== undefined; at = nodes.shift()) {
    enter(source, at, `a node of ${what}`);
    checkSignature(source, at, 'TREE', what);
    bytesAt(source, at, 24, what);
    if (source.bytes[at + 4] !== 0) refuse(`the tree of ${what} is none of a group.`);
    const [level, count] = [source.bytes[at + 5]!, source.view.getUint16(at + 6, true)];
    const children = Array.from({ length: count }, (_, i) => wide(source, at! + 32 + 16 * i, what));
    if (level > 0) {
      nodes.unshift(...children);
      continue;
    }
    for (const child of children) {
      enter(source, child, `a table of ${what}`);
      checkSignature(source, child, 'SNOD', what);
      bytesAt(source, child, 8, what);
      const symbols = source.view.getUint16(child + 6, true);
      bytesAt(source, child + 8, 40 * symbols, what);
      for (let i = 0; i < symbols; i++) {
        const entry = child + 8 + 40 * i;
        const name = textAt(source, names + wide(source, entry, what), what);
        if (source.view.getUint32(entry + 16, true) === 2) refuse(`${path}/${name} is a link to elsewhere.`);
        entries.push({ name, header: wide(source, entry + 8, what) });
      }
    }
  }
  return entries;
}

/** Text up to a zero. */
function textAt(source: Source, at: number, what: string): string {
  bytesAt(source, at, 1, `a name of ${what}`);
  const end = source.bytes.indexOf(0, at);
  if (end < 0) refuse(`a name of ${what} does not end.`);
  return new TextDecoder().decode(source.bytes.subarray(at, end));
}

function shapeOf(source: Source, { at, size }: Message, path: string): readonly number[] {
  const [version, rank] = [source.bytes[at]!, source.bytes[at + 1]!];
  if (version !== 1 && version !== 2) refuse(`the shape of ${path} is of version ${version}.`);
  const from = version === 1 ? 8 : 4;
  if (from + 8 * rank > size) refuse(`the shape of ${path} is cut short.`);
  if (version === 2 && source.bytes[at + 3] === 2) return [0];
  return Array.from({ length: rank }, (_, axis) => wide(source, at + from + 8 * axis, path));
}

interface Reader {
  readonly width: number;
  readonly read: (raw: ArrayBuffer) => Float32Array;
}

/** How numbers of a type become single precision; nothing for whole numbers and text. */
function readerOf(source: Source, { at, size }: Message, path: string): Reader | undefined {
  const kind = source.bytes[at]! & 15;
  if (size < 8) return refuse(`the type of ${path} is cut short.`);
  if (kind === 0 || kind === 3 || kind === 8 || kind === 9) return undefined;
  const kinds = ['whole numbers', 'numbers', 'times', 'text', 'bits', 'bytes of no type (bfloat16?)', 'several fields', 'references', 'names', 'lists', 'arrays'];
  if (kind !== 1) return refuse(`${path} holds ${kinds[kind] ?? `type ${kind}`}; float32, float64 and float16 are what is read.`);
  if (size < 20) return refuse(`the type of ${path} is cut short.`);
  const width = source.view.getUint32(at + 4, true);
  const fields = [source.view.getUint16(at + 8, true), source.view.getUint16(at + 10, true), ...source.bytes.subarray(at + 12, at + 16), source.view.getUint32(at + 16, true)].join();
  const known: Readonly<Record<string, (raw: ArrayBuffer) => Float32Array>> = {
    '0,32,23,8,0,23,127': (raw) => new Float32Array(raw),
    '0,64,52,11,0,52,1023': (raw) => Float32Array.from(new Float64Array(raw)),
    '0,16,10,5,0,10,15': (raw) => fromFloat16(new Uint16Array(raw)),
  };
  const read = known[fields];
  if (read === undefined || width !== Number(fields.split(',')[1]) / 8) return refuse(`${path} holds numbers of ${8 * width} bits that are none of IEEE 754.`);
  const bigEndian = (source.bytes[at + 1]! & 1) === 1;
  return { width, read: (raw) => read(bigEndian ? turned(raw, width) : raw) };
}

function turned(raw: ArrayBuffer, width: number): ArrayBuffer {
  const bytes = new Uint8Array(raw);
  for (let from = 0; from < bytes.length; from += width) bytes.subarray(from, from + width).reverse();
  return raw;
}

/** The bytes of a dataset, in memory of their own. */
function rawOf(source: Source, { at, size: length }: Message, size: number, path: string): ArrayBuffer {
  const [version, kind] = [source.bytes[at]!, source.bytes[at + 1]!];
  if (version !== 3) refuse(`${path} is laid out by version ${version}; version 3 is what is read.`);
  if (kind === 0) {
    const stored = source.view.getUint16(at + 2, true);
    if (stored !== size || 4 + stored > length) refuse(`${path} is to have ${size} bytes, its header holds ${stored}.`);
    return source.bytes.slice(at + 4, at + 4 + size).buffer as ArrayBuffer;
  }
  if (kind !== 1) refuse(`${path} is stored in chunks; in one piece is what is read.`);
  if (size === 0) return new ArrayBuffer(0);
  const from = wide(source, at + 2, path);
  if (from === nowhere) refuse(`${path} was never written.`);
  bytesAt(source, from, size, path);
  return source.bytes.slice(from, from + size).buffer as ArrayBuffer;
}
