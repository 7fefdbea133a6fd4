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
  return fc.tuple(fc.constantFrom(...files), fc.array(change, { minLength: 1, maxLength: 4 })).map(([file, changes]) =>
    changes.reduce((bytes, [kind, where, value]) => {
      const from = Math.floor(where * bytes.length);
      const copy = bytes.slice();
      switch (kind) {
        case 'set':
          copy[from] = value;
          return copy;
        case 'flip':
          copy[from]! ^= 1 << value;
          return copy;
        case 'huge':
          return copy.fill(0xff, from, from + value);
        case 'zero':
          return copy.fill(0, from, from + value);
        case 'cut':
          return copy.slice(0, from);
        case 'double':
          return Uint8Array.from([...bytes.subarray(0, from + value), ...bytes.subarray(from)]);
        case 'drop':
          return Uint8Array.from([...bytes.subarray(0, from), ...bytes.subarray(from + value)]);
        case 'copy':
          return (copy.copyWithin(from, Math.floor(from / 2), Math.floor(from / 2) + value), copy);
      }
    }, new Uint8Array(file)),
  );
}

/** JSON as text with one or two of its values left out, doubled, or put in the place of others: any JSON, and what nobody would write. */
export function hostileJson(json: unknown): fc.Arbitrary<string> {
  const deep = `${'['.repeat(40_000)}${']'.repeat(40_000)}`;
  const odd = fc.oneof(
    fc.json({ maxDepth: 2 }),
    fc.constantFrom(
      '1e9',
      '-1',
      '0',
      '0.5',
      '9007199254740992',
      '1e309',
      'null',
      'true',
      '""',
      '"constructor"',
      '"__proto__"',
      '"LSTM"',
      '"Bidirectional"',
      '"Dense"',
      '"relu"',
      '"hard_sigmoid"',
    ),
    fc.constantFrom(
      '{"toString":1,"valueOf":1}',
      '{"__proto__":{"length":3}}',
      '{"length":1e9}',
      '[{}]',
      '[null]',
      '[[1]]',
      '"\\ud800"',
      deep,
    ),
  );
  const change = fc.tuple(
    fc.constantFrom(...pathsOf(json)),
    fc.oneof({ weight: 5, arbitrary: odd }, { weight: 1, arbitrary: fc.constantFrom('leave out', 'double') }),
  );
  return fc.array(change, { minLength: 1, maxLength: 2 }).map((changes) => {
    const copy = JSON.parse(JSON.stringify({ json })) as Values;
    const marks = changes.map(([path, what], i) => {
      const mark = `mark ${i}`;
      const above = path
        .slice(0, -1)
        .reduce<Values | undefined>(
          (value, key) => (typeof value === 'object' && value !== null ? (value[key] as Values) : undefined),
          copy,
        );
      const last = path.at(-1)!;
      if (typeof above !== 'object' || above === null) return [mark, ''] as const;
      if (what === 'leave out') delete above[last];
      else if (what === 'double' && Array.isArray(above)) above.splice(Number(last), 0, above[Number(last)]);
      else above[last] = mark;
      return [mark, what === 'double' ? '{}' : what] as const;
    });
    return marks.reduce(
      (text, [mark, what]) => text.replace(`"${mark}"`, () => what),
      JSON.stringify(copy['json']) ?? '',
    );
  });
}

interface Values {
  [key: string]: unknown;
}

function pathsOf(value: unknown, above: readonly string[] = ['json']): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [above];
  return [above, ...Object.entries(value).flatMap(([key, each]) => pathsOf(each, [...above, key]))];
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
  const kinds = [
    'ArrayBuffer',
    'Float32Array',
    'Float64Array',
    'Int32Array',
    'Uint8Array',
    'Uint16Array',
    'Uint32Array',
    'BigInt64Array',
  ] as const;
  const world = globalThis as unknown as Record<string, new (...given: unknown[]) => object>;
  for (const kind of kinds) {
    const Original = world[kind]!;
    originals.set(kind, Original);
    const width = (Original as unknown as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
    world[kind] = new Proxy(Original, {
      construct(target, given: unknown[], newTarget) {
        if (typeof given[0] === 'number') bytes += given[0] * width;
        if (typeof given[0] === 'number' && given[0] * width > 2 ** 30)
          throw new Error(`${given[0] * width} bytes were asked for`);
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
