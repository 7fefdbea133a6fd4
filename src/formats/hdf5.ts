/**
 * HDF5, the part that h5py writes by default and Keras with it (HDF5 File Format Specification 3.0, chapters in brackets): superblock of version 0 or 1 [II.A], groups by symbol
 * tables [III.A, B, D], object headers of version 1 [IV.A.1], datasets that lie in one piece. The rest is refused by name.
 */

import type { Tensor } from '../tensor/tensor';
import { fileBytes } from './file-bytes';
import { datasetOf } from './hdf5/dataset';
import { entriesOf } from './hdf5/group';
import { headerAt } from './hdf5/header';
import { refuse, type Source, wide } from './hdf5/source';

/** What {@link readHdf5} finds. */
export interface Hdf5 {
  /** Datasets of numbers of single, double or half precision by path, `layers/lstm/cell/vars/0`, in single precision. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** The paths of datasets of other types (whole numbers, text), which are not read. */
  readonly others: readonly string[];
}

/** A file of many long paths would be a small one of much memory. */
const longestPath = 4096;

/**
 * Reads the datasets of a file that h5py or Keras wrote.
 *
 * @throws RangeError where the file is cut short or not HDF5, or has what is not read: chunks, compression, links, a layout of `libver='latest'`, a group in order of
 * creation or with a name beyond ASCII
 * @example
 * try {
 *   readHdf5(new Uint8Array(100));
 * } catch (error) {
 *   error.message; // 'readHdf5: the file does not begin as HDF5 does.'
 * }
 */
export function readHdf5(file: Uint8Array | ArrayBuffer): Hdf5 {
  const bytes = fileBytes('readHdf5', file);
  const source: Source = {
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    seen: new Set(),
    left: bytes.length,
  };
  if (bytes.length < 16 || [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a].some((byte, i) => bytes[i] !== byte))
    refuse('the file does not begin as HDF5 does.');
  const version = bytes[8]!;
  if (version > 1)
    refuse(`the file is of superblock version ${version} (libver='latest'); h5py's default is what is read.`);
  if (bytes[13] !== 8 || bytes[14] !== 8)
    refuse(`addresses of ${bytes[13]} and lengths of ${bytes[14]} bytes; 8 are what is read.`);
  const base = version === 0 ? 24 : 28;
  if (wide(source, base, 'the superblock') !== 0) refuse('the file begins with something else (a user block).');
  const end = wide(source, base + 16, 'the superblock');
  if (end > bytes.length) refuse(`the file is to have ${end} bytes, but it has ${bytes.length}. Was it cut short?`);
  const found: Found = { tensors: new Map(), others: [] };
  readObject(source, wide(source, base + 40, 'the superblock'), '', found, 0);
  // Not by assignment, since a name may be __proto__.
  return { tensors: Object.fromEntries(found.tensors), others: found.others };
}

interface Found {
  readonly tensors: Map<string, Tensor>;
  readonly others: string[];
}

function readObject(source: Source, at: number, path: string, found: Found, depth: number): void {
  const what = path || 'the root';
  const header = headerAt(source, at, what);
  if (header.table !== undefined) {
    if (depth === 64) refuse(`${what} is more than 64 groups deep.`);
    for (const entry of entriesOf(source, header.table, what)) {
      if (path.length + entry.name.length >= longestPath)
        refuse(`a path in ${what.slice(0, 80)}… is of more than ${longestPath} letters.`);
      readObject(source, entry.at, path === '' ? entry.name : `${path}/${entry.name}`, found, depth + 1);
    }
    return;
  }
  if (header.links !== undefined || header.link !== undefined) {
    refuse(
      `${what} is a group of the newer form (in order of creation, with a name beyond ASCII or a link to another file, or libver='latest').`,
    );
  }
  const dataset = datasetOf(source, header, what);
  if (dataset === undefined) found.others.push(path);
  else found.tensors.set(path, dataset);
}
