/**
 * Access to the bytes of an HDF5 file. Every read is checked to be within the file. All parts together may not be longer
 * than the file, so that a file with cycles cannot cause an endless loop, and parts may not overlap.
 */

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
    reject(`${what} takes ${length} bytes at byte ${at}, but the file has ${bytes.length}. Is it truncated?`);
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

/** Reads an unsigned 64-bit integer: an address or a length. */
export function readUint64(source: Source, at: number, what: string): number {
  checkWithin(source, at, 8, what);
  const [low, high] = [source.view.getUint32(at, true), source.view.getUint32(at + 4, true)];
  return low === 0xffffffff && high === 0xffffffff ? undefinedAddress : low + 2 ** 32 * high;
}

/** @throws RangeError if the part at `at` does not start with `text` */
export function checkSignature(source: Source, at: number, text: string, what: string): void {
  checkWithin(source, at, text.length, what);
  for (let i = 0; i < text.length; i++)
    if (source.bytes[at + i] !== text.charCodeAt(i)) reject(`${what} at byte ${at} does not start with ${text}.`);
}
