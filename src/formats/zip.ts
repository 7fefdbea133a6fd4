/** Reading of zip archives (PKWARE APPNOTE 6.3) with stored and deflated entries. */

import { decodeUtf8 } from '../data/utf8';
import { fileBytes } from './file-bytes';
import { inflate } from './inflate';
import { abbreviate } from './listing';

const reject = (what: string): never => {
  throw new RangeError(`readZip: ${what}`);
};

/**
 * Reads all files of a zip archive.
 *
 * @returns the contents by path; directories are omitted
 * @throws TypeError if `file` is neither a Uint8Array nor an ArrayBuffer
 * @throws RangeError if the archive is truncated, encrypted, split, preceded by other data, in zip64 format (4 GB or
 * 65,535 files) or compressed by a method other than deflate, if it has duplicate or overlapping files or files that
 * expand to far more bytes than the archive has, or if a CRC-32 checksum does not match
 * @example
 * // An empty archive consists of the end record of its directory.
 * Object.keys(readZip(Uint8Array.of(0x50, 0x4b, 5, 6, ...new Uint8Array(18)))); // []
 */
export function readZip(file: Uint8Array | ArrayBuffer): Readonly<Record<string, Uint8Array>> {
  const bytes = fileBytes('readZip', file);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const record = endOf(view);
  const [count, size, from] = [
    view.getUint16(record + 10, true),
    view.getUint32(record + 12, true),
    view.getUint32(record + 16, true),
  ];
  if (view.getUint16(record + 4, true) !== 0 || view.getUint16(record + 8, true) !== count)
    reject('the archive is split into several files, which is not supported.');
  if (count === 0xffff || size === 0xffffffff || from === 0xffffffff)
    reject('the archive is in zip64 format (4 GB or 65,535 files), which is not supported.');
  // A program that streams an archive of unknown size also writes an end record and a locator of zip64.
  const hasZip64 = from + size === record - 76 && view.getUint32(record - 76, true) === 0x06064b50;
  const end = hasZip64 ? record - 76 : record;
  if (from + size !== end)
    reject(
      `the directory ends at byte ${from + size}, but its end record is at byte ${end}. Is the file truncated, or ` +
        'preceded by other data?',
    );
  const entries = new Map<string, Entry>();
  let at = from;
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== 0x02014b50)
      reject(`entry ${i} of the directory is missing. Is the file truncated?`);
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) =>
      view.getUint16(at + offset, true),
    ) as [number, number, number];
    if (at + 46 + nameLength > end) reject(`the name of entry ${i} is truncated.`);
    const rawName = bytes.subarray(at + 46, at + 46 + nameLength);
    const name = textOf(rawName, i);
    if (!name.endsWith('/')) {
      if (entries.has(name)) reject(`${abbreviate(name)} is in the archive twice.`);
      entries.set(name, readEntry(bytes, view, at, abbreviate(name), rawName));
    }
    at += 46 + nameLength + extraLength + commentLength;
  }
  if (at !== end) reject(`the directory has more than the ${count} entries that its end record gives.`);
  checkSizes([...entries.values()], from, bytes.length);
  const table = crcTable();
  return Object.fromEntries([...entries].map(([path, entry]) => [path, contentOf(entry, table)]));
}

/** A file of an archive, before decompression. */
interface Entry {
  /** The name for error messages. */
  readonly name: string;
  readonly raw: Uint8Array;
  readonly isDeflated: boolean;
  /** The declared number of bytes after decompression, and their CRC-32 checksum. */
  readonly size: number;
  readonly crc: number;
  /** The range of the local header and the content in the archive. */
  readonly from: number;
  readonly to: number;
}

/** Archives may expand to this number of bytes, 16 MiB, whatever their size. */
const freeBytes = 16_777_216;
/**
 * Larger archives may expand to this multiple of their size. Weights do not compress well; only moments of an optimizer
 * that are still zero do.
 */
const maxRatio = 4;

/**
 * @throws RangeError if files overlap, or expand to far more bytes than the archive has, before they are decompressed
 */
function checkSizes(entries: readonly Entry[], directory: number, length: number): void {
  let end = 0;
  let previous = '';
  for (const { name, from, to } of entries.slice().sort((a, b) => a.from - b.from)) {
    if (from < end) reject(`the files ${previous} and ${name} overlap.`);
    if (to > directory) reject(`${name} overlaps the directory.`);
    end = to;
    previous = name;
  }
  const total = entries.reduce((sum, { size }) => sum + size, 0);
  if (total > freeBytes + maxRatio * length)
    reject(`the files take ${total} bytes after decompression, too many for an archive of ${length} bytes.`);
}

/**
 * Finds the end record of the directory. Only a comment follows it, and the comment may itself contain the signature.
 */
function endOf(view: DataView): number {
  for (let at = view.byteLength - 22; at >= Math.max(0, view.byteLength - 22 - 0xffff); at--) {
    if (view.getUint32(at, true) === 0x06054b50 && at + 22 + view.getUint16(at + 20, true) === view.byteLength)
      return at;
  }
  return reject('the file has no end-of-directory record. Is this a zip archive, and is it complete?');
}

function textOf(bytes: Uint8Array, i: number): string {
  try {
    return decodeUtf8(bytes);
  } catch {
    return reject(`the name of entry ${i} is not valid UTF-8.`);
  }
}

function readEntry(bytes: Uint8Array, view: DataView, at: number, name: string, rawName: Uint8Array): Entry {
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  const [crc, packed, size, from] = [16, 20, 24, 42].map((offset) => view.getUint32(at + offset, true)) as [
    number,
    number,
    number,
    number,
  ];
  // Bit 0 is encryption, bit 6 strong encryption, bit 13 masked header values.
  if (flags & 0x2041) reject(`${name} is encrypted.`);
  if (packed === 0xffffffff || size === 0xffffffff || from === 0xffffffff)
    reject(`${name} is in zip64 format (4 GB), which is not supported.`);
  if (from + 30 > bytes.length || view.getUint32(from, true) !== 0x04034b50)
    reject(`${name} is not at the offset that the directory gives. Is the file truncated?`);
  const localName = bytes.subarray(from + 30, from + 30 + view.getUint16(from + 26, true));
  if (localName.length !== rawName.length || localName.some((byte, i) => byte !== rawName[i]))
    reject(`${name} has a different name in its local header.`);
  const begin = from + 30 + view.getUint16(from + 26, true) + view.getUint16(from + 28, true);
  if (begin + packed > bytes.length) reject(`${name} extends past the end of the file. Is the file truncated?`);
  const raw = bytes.subarray(begin, begin + packed);
  if (method !== 0 && method !== 8)
    reject(`${name} is compressed by method ${method}; only stored and deflated files are supported.`);
  if (method === 0 && packed !== size) reject(`${name} is stored uncompressed, but its two sizes differ.`);
  return { name, raw, isDeflated: method === 8, size, crc, from, to: begin + packed };
}

function contentOf({ name, raw, isDeflated, size, crc }: Entry, table: Uint32Array): Uint8Array {
  const content = isDeflated ? inflate(`readZip: ${name}`, raw, size) : raw.slice();
  if (crc32(content, table) !== crc) reject(`${name} does not match its CRC-32 checksum. Is the file damaged?`);
  return content;
}

const crcTable = (): Uint32Array =>
  Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value;
  });

function crc32(bytes: Uint8Array, table: Uint32Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]!) & 255]!;
  return (crc ^ 0xffffffff) >>> 0;
}
