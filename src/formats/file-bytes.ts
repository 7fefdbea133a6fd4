/** The bytes of a file, however they come. */

/** A plain view: the `slice` of a Node Buffer would not copy. @throws TypeError where they are no bytes */
export function fileBytes(where: string, file: Uint8Array | ArrayBuffer): Uint8Array {
  if (ArrayBuffer.isView(file)) return new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  if (file instanceof ArrayBuffer) return new Uint8Array(file);
  throw new TypeError(
    `${where}: file must be a Uint8Array or an ArrayBuffer, got ${typeof file === 'string' ? 'text. Read it without an encoding.' : String(file)}`,
  );
}

/** Bytes one behind the other. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
