/** Malicious changes to files, and checks of the readers. */

import { createRandom, integerNumber, type Random } from 'bptt';
import fc from 'fast-check';

/** A file that is truncated, has bytes changed, parts repeated or removed, or integers replaced with huge ones. */
export function hostile(files: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const position = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const change = fc.oneof(
    fc.tuple(fc.constant('set' as const), position, fc.nat(255)),
    fc.tuple(fc.constant('flip' as const), position, fc.nat(7)),
    fc.tuple(fc.constant('huge' as const), position, fc.constantFrom(1, 2, 4, 8)),
    fc.tuple(fc.constant('zero' as const), position, fc.constantFrom(1, 4, 8, 64)),
    fc.tuple(fc.constant('cut' as const), position, fc.constant(0)),
    fc.tuple(fc.constant('double' as const), position, fc.integer({ min: 1, max: 64 })),
    fc.tuple(fc.constant('drop' as const), position, fc.integer({ min: 1, max: 64 })),
    fc.tuple(fc.constant('copy' as const), position, fc.integer({ min: 1, max: 64 })),
  );
  return fc
    .tuple(fc.constantFrom(...files), fc.array(change, { minLength: 1, maxLength: 4 }))
    .map(([file, changes]) =>
      changes.reduce(
        (bytes, [kind, relative, value]) => changed(bytes, kind, Math.floor(relative * bytes.length), value),
        new Uint8Array(file),
      ),
    );
}

const kinds = ['set', 'flip', 'huge', 'zero', 'cut', 'double', 'drop', 'copy'] as const;

type Kind = (typeof kinds)[number];

/** A copy of a file with one change at the offset `from`. */
function changed(bytes: Uint8Array<ArrayBuffer>, kind: Kind, from: number, value: number): Uint8Array<ArrayBuffer> {
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
      return joined(bytes.subarray(0, from + value), bytes.subarray(from));
    case 'drop':
      return joined(bytes.subarray(0, from), bytes.subarray(from + value));
    case 'copy':
      return copy.copyWithin(from, Math.floor(from / 2), Math.floor(from / 2) + value);
  }
}

/** Values that replace a number or a string of JSON. */
const oddTokens = [
  ...['-1', '0', '0.5', '1', '2', '3', '1e9', '1e309', '9007199254740992', 'null', 'true', '[]', '{}', '[[1]]', '""'],
  ...['"__proto__"', '"constructor"', '"toString"', '"relu"', '"lstm"', '"LSTM"', '"F32"', '"F16"', '"I64"', '[null]'],
  ...['{"$make":["lstm"]}', '{"$name":"tanh"}', '{"$make":[]}', '{"length":1e9}', '"x".repeat', '[1,2,3,4]'],
];

/** Replaces the number or string after the offset `from`, as in JSON. */
function withOddToken(bytes: Uint8Array<ArrayBuffer>, from: number, random: Random): Uint8Array<ArrayBuffer> {
  const isDigit = (at: number): boolean => bytes[at]! >= 0x30 && bytes[at]! <= 0x39;
  let begin = from;
  while (begin < bytes.length && bytes[begin] !== 0x22 && !isDigit(begin)) begin++;
  let end = begin + 1;
  if (bytes[begin] === 0x22) while (end < bytes.length && bytes[end - 1] !== 0x22) end++;
  else while (end < bytes.length && isDigit(end)) end++;
  const token = new TextEncoder().encode(oddTokens[integerNumber(random, oddTokens.length)]);
  return joined(bytes.subarray(0, begin), token, bytes.subarray(end));
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(parts.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/**
 * A copy of a file with one to three random changes, as {@link hostile} makes them.
 *
 * @param texts the chance that a change replaces a number or a string, for files with JSON
 */
export function mutated(file: Uint8Array, random: Random, texts: number): Uint8Array<ArrayBuffer> {
  let bytes = new Uint8Array(file);
  for (let i = integerNumber(random, 3); i >= 0; i--) {
    const at = integerNumber(random, bytes.length || 1);
    if (integerNumber(random, 100) < 100 * texts) bytes = withOddToken(bytes, at, random);
    else {
      const kind = kinds[integerNumber(random, kinds.length)]!;
      bytes = changed(bytes, kind, at, kind === 'flip' ? integerNumber(random, 8) : 1 + integerNumber(random, 64));
    }
  }
  return bytes;
}

/**
 * The first seed of the random changes, and the seed of fast-check. It is 1, so that a run can be repeated, and another
 * number in BPTT_FUZZ_SEED tries other changes. A failure reports the seed of the change.
 */
const firstSeed = Number(process.env['BPTT_FUZZ_SEED'] ?? 1);
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: firstSeed });

/** Calls `body` with a generator for each of `count` random changes. @throws Error with the seed if one fails */
export async function forEachChange(count: number, body: (random: Random) => void | Promise<void>): Promise<void> {
  for (let seed = firstSeed; seed < firstSeed + runs(count); seed++) {
    try {
      await body(createRandom(seed));
    } catch (error) {
      throw new Error(`BPTT_FUZZ_SEED=${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
}

/** JSON text in which one or two values are removed, repeated, or replaced with arbitrary or unusual JSON. */
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
    fc.oneof({ weight: 5, arbitrary: odd }, { weight: 1, arbitrary: fc.constantFrom('remove', 'repeat') }),
  );
  return fc.array(change, { minLength: 1, maxLength: 2 }).map((changes) => {
    const copy = JSON.parse(JSON.stringify({ json })) as Values;
    const marks = changes.map(([path, replacement], i) => {
      const mark = `mark ${i}`;
      const parent = path
        .slice(0, -1)
        .reduce<Values | undefined>(
          (value, key) => (typeof value === 'object' && value !== null ? (value[key] as Values) : undefined),
          copy,
        );
      const last = path.at(-1)!;
      if (typeof parent !== 'object' || parent === null) return [mark, ''] as const;
      if (replacement === 'remove') delete parent[last];
      else if (replacement === 'repeat' && Array.isArray(parent)) parent.splice(Number(last), 0, parent[Number(last)]);
      else parent[last] = mark;
      return [mark, replacement === 'repeat' ? '{}' : replacement] as const;
    });
    return marks.reduce(
      (text, [mark, replacement]) => text.replace(`"${mark}"`, () => replacement),
      JSON.stringify(copy['json']) ?? '',
    );
  });
}

interface Values {
  [key: string]: unknown;
}

/** The paths of all values in JSON. */
function pathsOf(value: unknown, path: readonly string[] = ['json']): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, child]) => pathsOf(child, [...path, key]))];
}

/** The number of runs of a property: `count`, or with BPTT_FUZZ=10 in the environment ten times as many. */
export const runs = (count: number): number => count * Number(process.env['BPTT_FUZZ'] ?? 1);

/** Messages of the engine, which are no explanation to the reader of a file. */
const engineMessages = new RegExp(
  [
    'Cannot (read|set) propert',
    'Cannot (convert|destructure|mix|assign|access)',
    'is not (a function|iterable|a constructor|defined|an object|extensible)',
    'object is not',
    'Invalid (array|typed array|string|DataView|count|code point|array buffer)',
    'Array buffer allocation',
    'Maximum call stack',
    'out of (bounds|memory)',
    'Unexpected (token|end)',
    'offset is out',
    'start offset',
  ].join('|'),
);

/**
 * Runs a reader, which must either succeed or throw a RangeError with a message that matches, is not one of the engine,
 * and is not long.
 *
 * @returns whether it succeeded
 */
export function reads(read: () => unknown, message: RegExp): boolean {
  try {
    read();
    return true;
  } catch (error) {
    // Only a failure formats the stack, which takes far longer than to read a small file.
    const text = (error as Error).message;
    if (!(error instanceof RangeError && message.test(text) && !engineMessages.test(text) && text.length < 4000))
      throw new Error(`not a RangeError of the library, or too long: ${text.slice(0, 5000)}`, { cause: error });
    return false;
  }
}

/**
 * The number of bytes of the buffers that `run` allocates.
 *
 * @throws Error at an allocation of more than a gigabyte
 */
export function allocated(run: () => void): number {
  let bytes = 0;
  const originals = new Map<string, unknown>();
  const constructors = [
    'ArrayBuffer',
    'Float32Array',
    'Float64Array',
    'Int32Array',
    'Uint8Array',
    'Uint16Array',
    'Uint32Array',
    'BigInt64Array',
  ] as const;
  // The global constructors are replaced by counting proxies, which the type of globalThis does not allow.
  const globals = globalThis as unknown as Record<string, new (...args: unknown[]) => object>;
  for (const kind of constructors) {
    const Original = globals[kind]!;
    originals.set(kind, Original);
    const width = (Original as unknown as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
    globals[kind] = new Proxy(Original, {
      construct(target, args: unknown[], newTarget) {
        if (typeof args[0] === 'number') bytes += args[0] * width;
        if (typeof args[0] === 'number' && args[0] * width > 2 ** 30)
          throw new Error(`${args[0] * width} bytes were requested`);
        return Reflect.construct(target, args, newTarget === globals[kind] ? target : newTarget) as object;
      },
    });
  }
  try {
    run();
  } finally {
    for (const kind of constructors) globals[kind] = originals.get(kind) as never;
  }
  return bytes;
}
