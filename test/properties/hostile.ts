/** Files as an enemy would change them, and what a reader must do with them. */

import fc from 'fast-check';
import { expect } from 'vitest';

/** A file, cut, with bytes changed, pieces doubled or left out, or numbers in it made huge. */
export function hostile(files: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const change = fc.oneof(
    fc.tuple(fc.constant('set' as const), at, fc.nat(255)),
    fc.tuple(fc.constant('flip' as const), at, fc.nat(7)),
    fc.tuple(fc.constant('huge' as const), at, fc.constantFrom(1, 2, 4, 8)),
    fc.tuple(fc.constant('zero' as const), at, fc.constantFrom(1, 4, 8, 64)),
    fc.tuple(fc.constant('cut' as const), at, fc.constant(0)),
    fc.tuple(fc.constant('double' as const), at, fc.integer({ min: 1, max: 64 })),
    fc.tuple(fc.constant('drop' as const), at, fc.integer({ min: 1, max: 64 })),
    fc.tuple(fc.constant('copy' as const), at, fc.integer({ min: 1, max: 64 })),
  );
  return fc.tuple(fc.constantFrom(...files), fc.array(change, { minLength: 1, maxLength: 4 })).map(([file, changes]) => changes.reduce((bytes, [kind, where, value]) => {
    const from = Math.floor(where * bytes.length);
    const copy = bytes.slice();
    switch (kind) {
      case 'set': copy[from] = value; return copy;
      case 'flip': copy[from]! ^= 1 << value; return copy;
      case 'huge': return copy.fill(0xff, from, from + value);
      case 'zero': return copy.fill(0, from, from + value);
      case 'cut': return copy.slice(0, from);
      case 'double': return Uint8Array.from([...bytes.subarray(0, from + value), ...bytes.subarray(from)]);
      case 'drop': return Uint8Array.from([...bytes.subarray(0, from), ...bytes.subarray(from + value)]);
      case 'copy': return (copy.copyWithin(from, Math.floor(from / 2), Math.floor(from / 2) + value), copy);
    }
  }, new Uint8Array(file)));
}

/** Runs a reader: a right answer, or a RangeError that begins with its name; nothing else. Answers whether there was an answer. */
export function reads(read: () => unknown, begins: RegExp): boolean {
  try {
    read();
    return true;
  } catch (error) {
    expect(error, String((error as Error).stack)).toBeInstanceOf(RangeError);
    expect((error as Error).message).toMatch(begins);
    return false;
  }
}

/** The bytes of buffers that are asked for while something runs; what is asked for is not made where it is more than a gigabyte. */
export function allocated(run: () => void): number {
  let bytes = 0;
  const originals = new Map<string, unknown>();
  const kinds = ['ArrayBuffer', 'Float32Array', 'Float64Array', 'Int32Array', 'Uint8Array', 'Uint16Array', 'Uint32Array', 'BigInt64Array'] as const;
  const world = globalThis as unknown as Record<string, new (...given: unknown[]) => object>;
  for (const kind of kinds) {
    const Original = world[kind]!;
    originals.set(kind, Original);
    const width = (Original as unknown as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
    world[kind] = new Proxy(Original, {
      construct(target, given: unknown[], newTarget) {
        if (typeof given[0] === 'number') bytes += given[0] * width;
        if (typeof given[0] === 'number' && given[0] * width > 2 ** 30) throw new Error(`${given[0] * width} bytes were asked for`);
        return Reflect.construct(target, given, newTarget === world[kind] ? target : newTarget) as object;
      },
    });
  }
  try {
    run();
  } finally {
    for (const kind of kinds) world[kind] = originals.get(kind) as never;
  }
  return bytes;
}
