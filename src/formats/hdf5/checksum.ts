/**
 * The checksum of the blocks of newer files: `lookup3` of Bob Jenkins (2006), http://burtleburtle.net/bob/c/lookup3.c.
 */

/** The checksum of the bytes from `from` to `to`, as an unsigned integer of 32 bits. */
export function lookup3(bytes: Uint8Array, from: number, to: number): number {
  const word = (at: number): number => {
    let value = 0;
    for (let i = 0; i < 4 && at + i < to; i++) value |= bytes[at + i]! << (8 * i);
    return value;
  };
  // The words a, b and c of the original; of an Int32Array, so that sums are modulo 2³².
  const state = new Int32Array(3).fill(0xdeadbeef + to - from);
  const rotated = (k: number, bits: number): number => (state[k]! << bits) | (state[k]! >>> (32 - bits));
  for (let at = from; at < to; at += 12) {
    for (let k = 0; k < 3; k++) state[k]! += word(at + 4 * k);
    if (to - at > 12)
      [4, 6, 8, 16, 19, 4].forEach((bits, i) => {
        const [a, b, c] = [i % 3, (i + 1) % 3, (i + 2) % 3];
        state[a]! -= state[c]!;
        state[a]! ^= rotated(c, bits);
        state[c]! += state[b]!;
      });
  }
  [14, 11, 25, 16, 4, 14, 24].forEach((bits, i) => {
    const [b, c] = [(i + 1) % 3, (i + 2) % 3];
    state[c]! ^= state[b]!;
    state[c]! -= rotated(b, bits);
  });
  return state[2]! >>> 0;
}
