/** DEFLATE decompression (RFC 1951). */

/** For each length code: its smallest value, and the number of extra bits. */
const lengthBase = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const lengthBits = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** A canonical Huffman code: the number of codes of each length, and the symbols in the order of their codes. */
interface Code {
  readonly counts: Uint16Array;
  readonly symbols: Uint16Array;
}

type Reject = (what: string) => never;

/** The codes of blocks with fixed codes. They are kept: small streams take less time than the codes. */
let fixedCodes: readonly [literals: Code, distances: Code] | undefined;

function codeOf(lengths: Uint8Array, reject: Reject): Code {
  const counts = new Uint16Array(16);
  for (let i = 0; i < lengths.length; i++) counts[lengths[i]!]!++;
  counts[0] = 0;
  for (let length = 1, free = 2; length < 16; length++, free *= 2) {
    free -= counts[length]!;
    if (free < 0) reject('the compressed data has an oversubscribed Huffman code.');
  }
  const next = new Uint16Array(16);
  for (let length = 1; length < 15; length++) next[length + 1] = next[length]! + counts[length]!;
  const symbols = new Uint16Array(lengths.length);
  for (let symbol = 0; symbol < lengths.length; symbol++)
    if (lengths[symbol]! > 0) symbols[next[lengths[symbol]!]!++] = symbol;
  return { counts, symbols };
}

/** The compressed bytes, read bit by bit. */
interface BitReader {
  /** Reads an integer of up to 13 bits, the lowest one first. */
  readonly bits: (count: number) => number;
  /** Reads the symbol of a code. */
  readonly symbolOf: (code: Code) => number;
  /** Reads the content of a stored block, which starts at the next whole byte. */
  readonly stored: () => Uint8Array;
}

function bitReader(input: Uint8Array, reject: Reject): BitReader {
  let [at, hold, held] = [0, 0, 0];
  const checkLeft = (count: number): void => {
    if (at + count > input.length) reject('the compressed data ends unexpectedly. Is the file truncated?');
  };
  const bits = (count: number): number => {
    while (held < count) {
      checkLeft(1);
      hold |= input[at++]! << held;
      held += 8;
    }
    const value = hold & ((1 << count) - 1);
    hold >>>= count;
    held -= count;
    return value;
  };
  const symbolOf = ({ counts, symbols }: Code): number => {
    let [code, first, index] = [0, 0, 0];
    for (let length = 1; length < 16; length++) {
      code |= bits(1);
      const count = counts[length]!;
      if (code - count < first) return symbols[index + code - first]!;
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    return reject('the compressed data has an invalid Huffman code.');
  };
  const stored = (): Uint8Array => {
    hold = 0;
    held = 0;
    checkLeft(4);
    const length = input[at]! | (input[at + 1]! << 8);
    if (length !== (~(input[at + 2]! | (input[at + 3]! << 8)) & 0xffff))
      reject('the length of a stored block does not match its complement.');
    at += 4;
    checkLeft(length);
    at += length;
    return input.subarray(at - length, at);
  };
  return { bits, symbolOf, stored };
}

/** Reads the codes of a block, whose lengths are themselves compressed. */
function dynamicCodes({ bits, symbolOf }: BitReader, reject: Reject): readonly [literals: Code, distances: Code] {
  const literalCount = bits(5) + 257;
  const distanceCount = bits(5) + 1;
  const lengthCount = bits(4) + 4;
  const codeLengths = new Uint8Array(19);
  for (let i = 0; i < lengthCount; i++) codeLengths[lengthOrder[i]!] = bits(3);
  const lengthCode = codeOf(codeLengths, reject);
  const lengths = new Uint8Array(literalCount + distanceCount);
  for (let i = 0; i < lengths.length; ) {
    const symbol = symbolOf(lengthCode);
    if (symbol < 16) {
      lengths[i++] = symbol;
      continue;
    }
    if (symbol === 16 && i === 0) reject('the compressed data repeats a code length before the first one.');
    const value = symbol === 16 ? lengths[i - 1]! : 0;
    const count = symbol === 16 ? 3 + bits(2) : symbol === 17 ? 3 + bits(3) : 11 + bits(7);
    if (i + count > lengths.length) reject('the compressed data has more code lengths than codes.');
    lengths.fill(value, i, i + count);
    i += count;
  }
  return [codeOf(lengths.subarray(0, literalCount), reject), codeOf(lengths.subarray(literalCount), reject)];
}

/**
 * Decompresses a DEFLATE stream.
 *
 * @param size the expected number of bytes after decompression
 * @throws RangeError if the stream is malformed or does not decompress to `size` bytes
 */
export function inflate(where: string, input: Uint8Array, size: number): Uint8Array {
  const reject: Reject = (what) => {
    throw new RangeError(`${where}: ${what}`);
  };
  // DEFLATE expands its input by a factor of at most 1032: do not allocate for a size that is impossible.
  if (size > 1032 * (input.length + 1)) reject(`${input.length} compressed bytes cannot expand to ${size} bytes.`);
  const reader = bitReader(input, reject);
  const { bits, symbolOf } = reader;
  let output = new Uint8Array(Math.min(size, 4 * input.length));
  let to = 0;
  // Grows as needed, since the declared size may be larger than the content.
  const makeRoom = (length: number): void => {
    if (to + length <= output.length) return;
    if (to + length > size) reject(`the content is longer than the expected ${size} bytes.`);
    const previous = output;
    output = new Uint8Array(Math.min(size, Math.max(4 * previous.length, to + length)));
    output.set(previous);
  };
  const block = (literals: Code, distances: Code): void => {
    for (;;) {
      const symbol = symbolOf(literals);
      if (symbol === 256) return;
      if (symbol < 256) {
        makeRoom(1);
        output[to++] = symbol;
        continue;
      }
      if (symbol > 285) reject('the compressed data has an invalid length code.');
      const length = lengthBase[symbol - 257]! + bits(lengthBits[symbol - 257]!);
      const code = symbolOf(distances);
      if (code > 29) reject('the compressed data has an invalid distance code.');
      // From code 4 on, every two codes have one more extra bit, and with it ranges of twice the size.
      const extra = code < 4 ? 0 : (code >> 1) - 1;
      const distance = (code < 4 ? code : (2 + (code & 1)) << extra) + 1 + bits(extra);
      if (distance > to) reject('the compressed data has a distance that reaches before the start of the output.');
      makeRoom(length);
      // One byte at a time: source and destination may overlap.
      for (let i = 0; i < length; i++, to++) output[to] = output[to - distance]!;
    }
  };
  for (let last = 0; last === 0; ) {
    last = bits(1);
    const kind = bits(2);
    if (kind === 0) {
      const content = reader.stored();
      makeRoom(content.length);
      output.set(content, to);
      to += content.length;
    } else if (kind === 1) {
      fixedCodes ??= [codeOf(fixedLengths(), reject), codeOf(new Uint8Array(30).fill(5), reject)];
      block(...fixedCodes);
    } else if (kind === 2) block(...dynamicCodes(reader, reject));
    else reject('the compressed data has a block of an invalid type.');
  }
  if (to !== size) reject(`the content has ${to} bytes, expected ${size}.`);
  return output;
}

const fixedLengths = (): Uint8Array =>
  new Uint8Array(288).fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280);
