/** Zip archives (PKWARE APPNOTE 6.3), as far as they are stored or deflated, and not split. */

import { fileBytes } from './file-bytes';
import { inflate } from './inflate';

const refuse = (what: string): never => {
  throw new RangeError(`readZip: ${what}`);
};

/**
 * The files of an archive by their paths.
 *
 * @throws RangeError where the archive is cut short, encrypted, split, put behind something else, of the form for more than four gigabytes (zip64), compressed otherwise than
 * by deflate, has a file twice or in another's place, or what comes out is not what was put in (CRC-32)
 * @example
 * // An archive of nothing is its end alone.
 * Object.keys(readZip(Uint8Array.of(0x50, 0x4b, 5, 6, ...new Uint8Array(18)))); // []
 */
export function readZip(file: Uint8Array | ArrayBuffer): Readonly<Record<string, Uint8Array>> {
  const bytes = fileBytes('readZip', file);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = endOf(view);
  const [count, size, from] = [
    view.getUint16(end + 10, true),
    view.getUint32(end + 12, true),
    view.getUint32(end + 16, true),
  ];
  if (view.getUint16(end + 4, true) !== 0 || view.getUint16(end + 8, true) !== count)
    refuse('the archive is split into several files.');
  if (count === 0xffff || size === 0xffffffff || from === 0xffffffff)
    refuse('the archive is of the form for more than four gigabytes (zip64).');
  if (from + size !== end)
    refuse(
      `the directory ends at byte ${from + size}, but its end stands at ${end}. Was the file cut short, or put behind another?`,
    );
  const files = new Map<string, Uint8Array>();
  // Files do not overlap, so that many cannot be unpacked from the same bytes.
  let left = bytes.length;
  let at = from;
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== 0x02014b50)
      refuse(`entry ${i} of the directory is not there. Was the file cut short?`);
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) =>
      view.getUint16(at + offset, true),
    ) as [number, number, number];
    if (at + 46 + nameLength > end) refuse(`the name of entry ${i} is cut short.`);
    const rawName = bytes.subarray(at + 46, at + 46 + nameLength);
    const name = textOf(rawName, i);
    if (!name.endsWith('/')) {
      if (files.has(name)) refuse(`${name} stands twice in the archive.`);
      left -= view.getUint32(at + 20, true);
      if (left < 0)
        refuse(
          `the files up to ${name} are more than the archive: some stand in each other's place, or it was cut short.`,
        );
      files.set(name, readEntry(bytes, view, at, name, rawName));
    }
    at += 46 + nameLength + extraLength + commentLength;
  }
  if (at !== end) refuse(`the directory has more than its ${count} files.`);
  return Object.fromEntries(files);
}

/** Where the end of the directory stands: last, but for a comment, in which another may be quoted. */
function endOf(view: DataView): number {
  for (let at = view.byteLength - 22; at >= Math.max(0, view.byteLength - 22 - 0xffff); at--) {
    if (view.getUint32(at, true) === 0x06054b50 && at + 22 + view.getUint16(at + 20, true) === view.byteLength)
      return at;
  }
  return refuse('the file has no end of a directory. Is this a zip archive, and whole?');
}

function textOf(bytes: Uint8Array, i: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refuse(`the name of entry ${i} is not text in UTF-8.`);
  }
}

function readEntry(bytes: Uint8Array, view: DataView, at: number, name: string, rawName: Uint8Array): Uint8Array {
  const [flags, method] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
  const [crc, packed, size, from] = [16, 20, 24, 42].map((offset) => view.getUint32(at + offset, true)) as [
    number,
    number,
    number,
    number,
  ];
  // Bit 6 is strong encryption, bit 13 hides what stands beside the file itself.
  if (flags & 0x2041) refuse(`${name} is encrypted.`);
  if (packed === 0xffffffff || size === 0xffffffff || from === 0xffffffff)
    refuse(`${name} is of the form for more than four gigabytes (zip64).`);
  if (from + 30 > bytes.length || view.getUint32(from, true) !== 0x04034b50)
    refuse(`${name} is not where the directory says. Was the file cut short?`);
  const localName = bytes.subarray(from + 30, from + 30 + view.getUint16(from + 26, true));
  if (localName.length !== rawName.length || localName.some((byte, i) => byte !== rawName[i]))
    refuse(`${name} has another name where it stands.`);
  const begin = from + 30 + view.getUint16(from + 26, true) + view.getUint16(from + 28, true);
  if (begin + packed > bytes.length) refuse(`${name} reaches beyond the end of the file. Was it cut short?`);
  const raw = bytes.subarray(begin, begin + packed);
  if (method !== 0 && method !== 8)
    refuse(`${name} is compressed by method ${method}; stored and deflated files are read.`);
  if (method === 0 && packed !== size) refuse(`${name} is stored, with two different sizes.`);
  const content = method === 0 ? raw.slice() : inflate(`readZip: ${name}`, raw, size);
  if (crc32(content) !== crc) refuse(`${name} is not what was put into the archive (CRC-32).`);
  return content;
}

function crc32(bytes: Uint8Array): number {
  const table = Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value;
  });
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]!) & 255]!;
  return (crc ^ 0xffffffff) >>> 0;
}
