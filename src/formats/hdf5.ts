/**
 * Reading of the parts of HDF5 that h5py, and Keras with it, writes (HDF5 File Format Specification 4.0, sections in
 * brackets): superblocks of versions 0 to 3 [II.A], groups, object headers, string attributes, contiguous, compact and
 * chunked datasets, with gzip. Errors name the feature that is not supported.
 */

import type { Tensor } from '../tensor/tensor';
import { fileBytes } from './file-bytes';
import { stringAttributes } from './hdf5/attributes';
import { datasetOf } from './hdf5/dataset';
import { entriesOf } from './hdf5/group';
import { headerAt } from './hdf5/header';
import { checkChecksum, checkOverlaps, claim, readUint64, reject, type Source } from './hdf5/source';
import { abbreviate } from './listing';

/** The result of {@link readHdf5}. */
export interface Hdf5 {
  /** Datasets of float32, float64 and float16 by path, such as `layers/lstm/cell/vars/0`, converted to float32. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** The paths of datasets of other types (integers, strings), which are not read. */
  readonly others: readonly string[];
  /** The attributes of the root that are strings, by name, such as `keras_version`. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** The longest path, in characters. Without a limit, a small file could take up a lot of memory with long paths. */
const longestPath = 4096;

/**
 * Reads the datasets of an HDF5 file written by h5py or Keras.
 *
 * @throws TypeError if `file` is neither a Uint8Array nor an ArrayBuffer
 * @throws RangeError if the file is truncated, is not HDF5, has parts that overlap, or uses unsupported features, such
 * as compression other than gzip, soft and external links, virtual datasets and committed types
 * @example
 * try {
 *   readHdf5(new Uint8Array(100));
 * } catch (error) {
 *   (error as Error).message; // 'readHdf5: the file does not start with the HDF5 signature.'
 * }
 */
export function readHdf5(file: Uint8Array | ArrayBuffer): Hdf5 {
  const bytes = fileBytes('readHdf5', file);
  return decodeHdf5(bytes, bytes.length);
}

/**
 * Reads a file that may be in an archive.
 *
 * @param size the size of the archive, which bounds the memory; without an archive, the size of the file
 * @throws RangeError as {@link readHdf5}
 */
export function decodeHdf5(bytes: Uint8Array, size: number): Hdf5 {
  const source: Source = {
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    seen: new Set(),
    parts: [],
    left: bytes.length,
    expandable: 8 * size + 4e7 - Math.max(0, bytes.length - size),
  };
  if (bytes.length < 16 || [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a].some((byte, i) => bytes[i] !== byte))
    reject('the file does not start with the HDF5 signature.');
  const root = rootOf(source);
  const found: Found = { tensors: new Map(), others: [], attributes: {} };
  readObject(source, root, '', found, 0);
  checkOverlaps(source);
  // Object.fromEntries and not assignment: a name may be __proto__.
  return { ...found, tensors: Object.fromEntries(found.tensors) };
}

/** The offset of the header of the root. */
function rootOf(source: Source): number {
  const { bytes } = source;
  const what = 'the superblock';
  const version = bytes[8]!;
  if (version > 3) reject(`${what} has version ${version}; only versions 0 to 3 are supported.`);
  const isNew = version > 1;
  const [addressSize, lengthSize] = bytes.subarray(isNew ? 9 : 13);
  if (addressSize !== 8 || lengthSize !== 8)
    reject(`addresses have ${addressSize} and lengths ${lengthSize} bytes; only 8 are supported.`);
  const base = [24, 28, 12, 12][version]!;
  if (readUint64(source, base, what) !== 0) reject('the file starts with a user block, which is not supported.');
  const end = readUint64(source, base + 16, what);
  if (end > bytes.length)
    reject(`${what} gives a length of ${end} bytes, but the file has ${bytes.length}. Is it truncated?`);
  claim(source, 0, isNew ? 48 : base + 72, what);
  if (isNew) checkChecksum(source, 0, 48, what);
  return readUint64(source, base + (isNew ? 24 : 40), what);
}

interface Found {
  readonly tensors: Map<string, Tensor>;
  readonly others: string[];
  attributes: Readonly<Record<string, string>>;
}

function readObject(source: Source, at: number, path: string, found: Found, depth: number): void {
  const what = abbreviate(path) || 'the root';
  const header = headerAt(source, at, what);
  if (path === '') found.attributes = stringAttributes(source, header, what);
  const entries = entriesOf(source, header, what);
  if (entries !== undefined) {
    if (depth === 64) reject(`${what} is nested more than 64 groups deep.`);
    for (const entry of entries) {
      if (path.length + entry.name.length >= longestPath)
        reject(`a path in ${what.slice(0, 80)}… has more than ${longestPath} characters.`);
      readObject(source, entry.at, path === '' ? entry.name : `${path}/${entry.name}`, found, depth + 1);
    }
    return;
  }
  const dataset = datasetOf(source, header, what);
  if (dataset === undefined) found.others.push(path);
  else found.tensors.set(path, dataset);
}
