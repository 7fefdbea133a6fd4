/** The filters of chunks [IV.A.2.l]: deflate (gzip), shuffle and the Fletcher-32 checksum. */

import { inflate } from '../inflate';
import type { Message } from './header';
import { reject, type Source } from './source';

/** A filter pipeline, in the order in which it was applied when the file was written. */
export type Filters = readonly number[];

const deflate = 1;
const shuffle = 2;
const fletcher32 = 3;

/** Reads the filters of a dataset. @throws RangeError if one of them is not supported */
export function filtersOf({ bytes, view }: Source, message: Message | undefined, path: string): Filters {
  if (message === undefined) return [];
  const end = message.at + message.size;
  const [version, count] = [bytes[message.at]!, bytes[message.at + 1]!];
  if (message.size < 2 || (version !== 1 && version !== 2) || count > 32)
    reject(`the filters of ${path} are malformed.`);
  const filters: number[] = [];
  let at = message.at + (version === 1 ? 8 : 2);
  for (let i = 0; i < count; i++) {
    if (at + (version === 1 ? 8 : 6) > end) reject(`the filters of ${path} are truncated.`);
    const id = view.getUint16(at, true);
    if (id !== deflate && id !== shuffle && id !== fletcher32)
      reject(`${path} is compressed or filtered by filter ${id}; only gzip, shuffle and fletcher32 are supported.`);
    if (filters.includes(id)) reject(`${path} is filtered by filter ${id} twice, which is not supported.`);
    // Version 2 omits the length of the name of such filters.
    const nameLength = version === 1 ? view.getUint16(at + 2, true) : 0;
    const rest = at + (version === 1 ? 4 : 2);
    const values = view.getUint16(rest + 2, true);
    filters.push(id);
    // In version 1, the values are padded to a multiple of eight bytes.
    at = rest + 4 + nameLength + 4 * (version === 1 ? values + (values % 2) : values);
  }
  if (at > end) reject(`the filters of ${path} are truncated.`);
  return filters;
}

/**
 * Undoes the filters of a chunk.
 *
 * @param skipped the filter mask: bit i is set if filter i was not applied
 * @param size the number of bytes of the chunk
 * @throws RangeError if the chunk does not have that size or does not match a checksum
 */
export function unfilter(
  stored: Uint8Array,
  filters: Filters,
  skipped: number,
  { size, width }: { readonly size: number; readonly width: number },
  path: string,
): Uint8Array {
  const applied = filters.filter((_, i) => ((skipped >>> i) & 1) === 0);
  let chunk = stored;
  for (let i = applied.length - 1; i >= 0; i--) {
    const id = applied[i]!;
    const checksums = applied.slice(0, i).filter((filter) => filter === fletcher32).length;
    if (id === deflate) chunk = inflateZlib(chunk, size + 4 * checksums, path);
    else if (id === shuffle) chunk = unshuffle(chunk, width);
    else chunk = withoutChecksum(chunk, path);
  }
  if (chunk.length !== size) reject(`a chunk of ${path} must have ${size} bytes, got ${chunk.length}.`);
  return chunk;
}

/** Decompresses a zlib stream (RFC 1950). */
function inflateZlib(stream: Uint8Array, size: number, path: string): Uint8Array {
  const [method, flags] = [stream[0] ?? 0, stream[1] ?? 0];
  if (stream.length < 6 || (method & 15) !== 8 || (256 * method + flags) % 31 !== 0 || (flags & 0x20) !== 0)
    reject(`a chunk of ${path} is not a zlib stream.`);
  const content = inflate(`readHdf5: a chunk of ${path}`, stream.subarray(2, -4), size);
  let [a, b] = [1, 0];
  for (const byte of content) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  const checksum = [b >> 8, b & 255, a >> 8, a & 255];
  if (checksum.some((byte, i) => byte !== stream[stream.length - 4 + i]))
    reject(`a chunk of ${path} does not match its checksum. Is the file damaged?`);
  return content;
}

/** Restores the order of bytes: the first bytes of all elements come first, then their second bytes, and so on. */
function unshuffle(chunk: Uint8Array, width: number): Uint8Array {
  const count = Math.floor(chunk.length / width);
  // Bytes after the last whole element are not moved.
  const result = chunk.slice();
  for (let i = 0; i < count; i++) for (let k = 0; k < width; k++) result[i * width + k] = chunk[k * count + i]!;
  return result;
}

/** Checks and removes a Fletcher-32 checksum: 16-bit big-endian words, sums modulo 65535. */
function withoutChecksum(chunk: Uint8Array, path: string): Uint8Array {
  if (chunk.length < 4) reject(`a chunk of ${path} has no checksum.`);
  const content = chunk.subarray(0, -4);
  let [a, b] = [0, 0];
  for (let i = 0; i < content.length; i += 2) {
    a = (a + 256 * content[i]! + (content[i + 1] ?? 0)) % 65535;
    b = (b + a) % 65535;
  }
  const stored = chunk.subarray(-4);
  const [first, second] = [stored[0]! + 256 * stored[1]!, stored[2]! + 256 * stored[3]!];
  if (first % 65535 !== a || second % 65535 !== b)
    reject(`a chunk of ${path} does not match its checksum. Is the file damaged?`);
  return content;
}
