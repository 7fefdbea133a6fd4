/** Zip archives for tests, valid and malformed. */

/** A file of an archive. The fields other than `name` and `content` override what the headers give. */
export interface Entry {
  readonly name: string;
  readonly content: Uint8Array;
  readonly size?: number;
  readonly packed?: number;
  readonly method?: number;
  readonly flags?: number;
  readonly localName?: string;
  readonly from?: number;
}
const little = (bytes: number, value: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256);
const text = (value: string): number[] => [...new TextEncoder().encode(value)];

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** Builds an archive. `content` is written as it is, compressed or not; the number of entries can be overridden. */
export function archiveOf(
  entries: readonly Entry[],
  {
    count = entries.length,
    comment = '',
    trailing = [],
  }: { readonly count?: number; readonly comment?: string; readonly trailing?: readonly number[] } = {},
): Uint8Array {
  const files: number[] = [];
  const directory: number[] = [];
  for (const {
    name,
    content,
    size = content.length,
    packed = content.length,
    method = 0,
    flags = 0,
    localName = name,
    from = files.length,
  } of entries) {
    const common = (nameInHeader: string): number[] => [
      ...little(2, 20),
      ...little(2, flags),
      ...little(2, method),
      ...little(4, 0),
      ...little(4, crc32(content)),
      ...little(4, packed),
      ...little(4, size),
      ...little(2, text(nameInHeader).length),
      ...little(2, 0),
    ];
    directory.push(
      ...text('PK\x01\x02'),
      ...little(2, 20),
      ...common(name),
      ...little(2, 0),
      ...little(2, 0),
      ...little(2, 0),
      ...little(4, 0),
      ...little(4, from),
      ...text(name),
    );
    files.push(...text('PK\x03\x04'), ...common(localName), ...text(localName));
    // One by one: the number of arguments of a call is limited.
    for (const byte of content) files.push(byte);
  }
  const end = [
    ...text('PK\x05\x06'),
    ...little(4, 0),
    ...little(2, count),
    ...little(2, count),
    ...little(4, directory.length),
    ...little(4, files.length),
    ...little(2, comment.length),
    ...text(comment),
  ];
  return Uint8Array.from([...files, ...directory, ...end, ...trailing]);
}
