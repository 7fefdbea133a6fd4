/** File contents as bytes. */

import { isArrayOf } from '../tensor/arrays';
import { mismatch } from '../tensor/shape';

/**
 * Bytes whose buffer is not shared, as `Blob`, `fetch` and `crypto.subtle` require: `Uint8Array<ArrayBuffer>`. Before
 * version 5.7 of TypeScript, `Uint8Array` has no type parameter.
 */
export type Bytes = ReturnType<Uint8Array['slice']>;

/**
 * Returns a plain Uint8Array over the bytes of `file`. The `slice` of a Node Buffer, unlike that of a Uint8Array, does
 * not copy.
 *
 * @throws TypeError if `file` is neither a Uint8Array nor an ArrayBuffer
 */
export function fileBytes(where: string, file: Uint8Array | ArrayBuffer): Uint8Array {
  if (ArrayBuffer.isView(file)) return new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  if (isArrayOf('ArrayBuffer', file)) return new Uint8Array(file);
  const got = typeof file === 'string' ? 'a string. Read the file without an encoding' : file;
  throw mismatch(where, 'file', 'a Uint8Array or an ArrayBuffer', got);
}

/** Concatenates byte arrays. */
export function joinBytes(parts: readonly Uint8Array[]): Bytes {
  const bytes = new Uint8Array(parts.reduce((size, { length }) => size + length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
