/**
 * Access to the bytes of an HDF5 file. Every read is checked to be within the file. All parts together may not be
 * longer than the file, so that a file with cycles cannot cause an endless loop, and parts may not overlap.
 */

import { decodeUtf8 } from '../../data/utf8';
import { lookup3 } from './checksum';

/** An HDF5 file that is being read. */
export interface Source {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** The offsets of the parts that have been read. */
  readonly seen: Set<number>;
  /** The parts that have been read. */
  readonly parts: Part[];
  /** The number of bytes that may still be read. */
  left: number;
  /** The bytes that chunks and their datasets may still take in memory, so that a small file cannot fill it. */
  expandable: number;
}

/** A part of the file: its first byte, the byte after its last, and its name for error messages. */
interface Part {
  readonly from: number;
  readonly to: number;
  readonly what: string;
}

/** The undefined address. */
export const undefinedAddress: number = Infinity;

/** @throws RangeError always */
export const reject = (what: string): never => {
  throw new RangeError(`readHdf5: ${what}`);
};

function checkWithin({ bytes }: Source, at: number, length: number, what: string): void {
  if (!(at + length <= bytes.length))
    reject(`${what} takes bytes ${at} to ${at + length}, but the file has ${bytes.length}. Is it truncated?`);
}

/**
 * Accounts for reading a part of the file.
 *
 * @throws RangeError if the part is not within the file, or more bytes are read than the file has
 */
export function claim(source: Source, at: number, length: number, what: string): void {
  checkWithin(source, at, length, what);
  source.left -= length;
  if (source.left < 0)
    reject(
      `the parts of the file up to ${what} take more than its ${source.bytes.length} bytes: some of them overlap.`,
    );
  source.parts.push({ from: at, to: at + length, what });
}

/** @throws RangeError if two parts that have been read have a byte in common */
export function checkOverlaps({ parts }: Source): void {
  const sorted = parts.filter(({ from, to }) => from < to).sort((a, b) => a.from - b.from);
  sorted.slice(1).forEach(({ from, what }, i) => {
    const previous = sorted[i]!;
    if (from < previous.to) reject(`${what} at byte ${from} overlaps ${previous.what}, which ends at ${previous.to}.`);
  });
}

/** Starts a part that may be read only once. @throws RangeError if it has been read before */
export function enter({ seen }: Source, at: number, what: string): void {
  if (seen.has(at))
    reject(`${what} at byte ${at} is reached twice, through a hard link or a cycle, which is not supported.`);
  seen.add(at);
}

/** Reads an unsigned integer of `size` bytes. With 8 bytes, all ones are the undefined address. */
export function readUint(source: Source, at: number, size: number, what: string): number {
  checkWithin(source, at, size, what);
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = 256 * value + source.bytes[at + i]!;
  return value < 2 ** 64 ? value : undefinedAddress;
}

/** Reads an unsigned 64-bit integer: an address or a length. */
export const readUint64 = (source: Source, at: number, what: string): number => readUint(source, at, 8, what);

/** @throws RangeError if the part at `at` does not start with `text` */
export function checkSignature(source: Source, at: number, text: string, what: string): void {
  checkWithin(source, at, text.length, what);
  for (let i = 0; i < text.length; i++)
    if (source.bytes[at + i] !== text.charCodeAt(i)) reject(`${what} at byte ${at} does not start with ${text}.`);
}

/** @throws RangeError if the checksum at `at` is not `sum` */
export function expectChecksum(source: Source, at: number, sum: number, what: string): void {
  const stored = readUint(source, at, 4, what);
  if (stored !== sum) reject(`${what} has the checksum ${stored} at byte ${at}, must be ${sum}. Is the file damaged?`);
}

/** @throws RangeError if a part does not end with its checksum */
export function checkChecksum(source: Source, at: number, length: number, what: string): void {
  const end = at + length - 4;
  expectChecksum(source, end, lookup3(source.bytes, at, end), what);
}

/** Starts a part that begins with a signature, and may be read only once. */
export function openPart(source: Source, at: number, signature: string, length: number, what: string): void {
  enter(source, at, what);
  checkSignature(source, at, signature, what);
  claim(source, at, length, what);
}

/** Starts a part of version 0 that begins with a signature and ends with a checksum, and may be read only once. */
export function openBlock(source: Source, at: number, signature: string, length: number, what: string): void {
  openPart(source, at, signature, length, what);
  checkChecksum(source, at, length, what);
  const version = source.bytes[at + 4]!;
  if (version !== 0) reject(`${what} has version ${version}; only version 0 is supported.`);
}

/** The text of bytes in UTF-8; `undefined` if they are in another encoding. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decodeUtf8(bytes);
  } catch {
    return undefined;
  }
}
