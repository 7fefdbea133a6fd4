/** DEFLATE, read (RFC 1951). */

/** Lengths and distances: what each code begins at, and how many further bits it takes. */
const lengthBase = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const lengthBits = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const distanceBase = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
];
const lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** A Huffman code: how many symbols have each length, and the symbols in order. */
interface Code {
  readonly counts: Uint16Array;
  readonly symbols: Uint16Array;
}

type Refuse = (what: string) => never;

function codeOf(lengths: Uint8Array, refuse: Refuse): Code {
  const counts = new Uint16Array(16);
  for (let i = 0; i < lengths.length; i++) counts[lengths[i]!]!++;
  counts[0] = 0;
  for (let length = 1, room = 2; length < 16; length++, room *= 2) {
    room -= counts[length]!;
    if (room < 0) refuse('the compressed bytes have more codes of a length than there are.');
  }
  const next = new Uint16Array(16);
  for (let length = 1; length < 15; length++) next[length + 1] = next[length]! + counts[length]!;
  const symbols = new Uint16Array(lengths.length);
  for (let symbol = 0; symbol < lengths.length; symbol++)
    if (lengths[symbol]! > 0) symbols[next[lengths[symbol]!]!++] = symbol;
  return { counts, symbols };
}

/** The bytes that were compressed, `size` of them. @throws RangeError where there are others, or the stream is no DEFLATE */
export function inflate(where: string, input: Uint8Array, size: number): Uint8Array {
  const refuse: Refuse = (what) => {
    throw new RangeError(`${where}: ${what}`);
  };
  // What DEFLATE can make of a byte is limited, so that a size that cannot be is not believed.
  if (size > 1032 * (input.length + 1)) refuse(`${input.length} compressed bytes cannot become ${size}.`);
  let output = new Uint8Array(Math.min(size, 4 * input.length));
  let [at, to, hold, held] = [0, 0, 0, 0];
  // It grows as bytes come, since the size may be said of a stream that holds less.
  const makeRoom = (length: number): void => {
    if (to + length <= output.length) return;
    if (to + length > size) refuse(`more than ${size} bytes come out.`);
    const before = output;
    output = new Uint8Array(Math.min(size, Math.max(2 * before.length, to + length)));
    output.set(before);
  };
  const bits = (count: number): number => {
    while (held < count) {
      if (at >= input.length) refuse('the compressed bytes end too early. Was the file cut short?');
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
    return refuse('the compressed bytes have a code that is none.');
  };
  const stored = (): void => {
    hold = held = 0;
    if (at + 4 > input.length) refuse('the compressed bytes end too early. Was the file cut short?');
    const length = input[at]! | (input[at + 1]! << 8);
    if (length !== (~(input[at + 2]! | (input[at + 3]! << 8)) & 0xffff))
      refuse('a stored block has lengths that differ.');
    at += 4;
    if (at + length > input.length) refuse('the compressed bytes end too early. Was the file cut short?');
    makeRoom(length);
    output.set(input.subarray(at, at + length), to);
    at += length;
    to += length;
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
      if (symbol > 285) refuse('the compressed bytes have a length that is none.');
      const length = lengthBase[symbol - 257]! + bits(lengthBits[symbol - 257]!);
      const code = symbolOf(distances);
      if (code > 29) refuse('the compressed bytes have a distance that is none.');
      const distance = distanceBase[code]! + bits(code < 4 ? 0 : (code >> 1) - 1);
      if (distance > to) refuse('the compressed bytes reach back before their beginning.');
      makeRoom(length);
      // Bytes that have just been written are read again.
      for (let i = 0; i < length; i++, to++) output[to] = output[to - distance]!;
    }
  };
  const dynamic = (): readonly [Code, Code] => {
    const [literalCount, distanceCount, lengthCount] = [bits(5) + 257, bits(5) + 1, bits(4) + 4];
    const own = new Uint8Array(19);
    for (let i = 0; i < lengthCount; i++) own[lengthOrder[i]!] = bits(3);
    const lengthCode = codeOf(own, refuse);
    const lengths = new Uint8Array(literalCount + distanceCount);
    for (let i = 0; i < lengths.length; ) {
      const symbol = symbolOf(lengthCode);
      if (symbol < 16) {
        lengths[i++] = symbol;
        continue;
      }
      if (symbol === 16 && i === 0) refuse('the compressed bytes repeat a length before there is one.');
      const value = symbol === 16 ? lengths[i - 1]! : 0;
      const count = symbol === 16 ? 3 + bits(2) : symbol === 17 ? 3 + bits(3) : 11 + bits(7);
      if (i + count > lengths.length) refuse('the compressed bytes have more lengths than codes.');
      lengths.fill(value, i, (i += count));
    }
    return [codeOf(lengths.subarray(0, literalCount), refuse), codeOf(lengths.subarray(literalCount), refuse)];
  };
  let fixed: readonly [Code, Code] | undefined;
  for (let last = 0; last === 0; ) {
    last = bits(1);
    const kind = bits(2);
    if (kind === 0) stored();
    else if (kind === 1)
      block(...(fixed ??= [codeOf(fixedLengths(), refuse), codeOf(new Uint8Array(30).fill(5), refuse)]));
    else if (kind === 2) block(...dynamic());
    else refuse('the compressed bytes have a block of no kind.');
  }
  if (to !== size) refuse(`${to} bytes come out, ${size} are to.`);
  return output;
}

const fixedLengths = (): Uint8Array =>
  new Uint8Array(288).fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280);
