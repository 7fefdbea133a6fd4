/** The bytes of an HDF5 file. What is read of them is within the file, and all together no more than there is: a file that leads in circles ends. */

/** A file as it is read. */
export interface Source {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Where parts begin that were gone through. */
  readonly seen: Set<number>;
  /** How many bytes may still be gone through: parts of a file do not overlap. */
  left: number;
}

/** No address. */
export const nowhere: number = Infinity;

export const refuse = (what: string): never => {
  throw new RangeError(`readHdf5: ${what}`);
};

function checkWithin({ bytes }: Source, at: number, length: number, what: string): void {
  if (!(at + length <= bytes.length))
    refuse(`${what} is to have ${length} bytes at byte ${at}, but the file has ${bytes.length}. Was it cut short?`);
}

/** Goes through a part of the file. @throws RangeError where it is not within the file, or more is gone through than there is */
export function claim(source: Source, at: number, length: number, what: string): void {
  checkWithin(source, at, length, what);
  source.left -= length;
  if (source.left < 0)
    refuse(
      `the parts of the file up to ${what} are more than its ${source.bytes.length} bytes: some stand in each other's place.`,
    );
}

/** Begins a part that stands in the file once. @throws RangeError where it was gone through */
export function enter({ seen }: Source, at: number, what: string): void {
  if (seen.has(at))
    refuse(
      `${what} at byte ${at} stands in the file in two places: as a hard link, or in a loop. One is what is read.`,
    );
  seen.add(at);
}

/** A whole number of eight bytes: an address, or a length. */
export function wide(source: Source, at: number, what: string): number {
  checkWithin(source, at, 8, what);
  const [low, high] = [source.view.getUint32(at, true), source.view.getUint32(at + 4, true)];
  return low === 0xffffffff && high === 0xffffffff ? nowhere : low + 2 ** 32 * high;
}

export function checkSignature(source: Source, at: number, text: string, what: string): void {
  checkWithin(source, at, text.length, what);
  for (let i = 0; i < text.length; i++)
    if (source.bytes[at + i] !== text.charCodeAt(i)) refuse(`${what} at byte ${at} does not begin with ${text}.`);
}
