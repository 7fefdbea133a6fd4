/** safetensors: random tensors round-trip bit for bit, and random or changed files are read or rejected. */

import { readSafetensors, type Safetensors, type Tensor, writeSafetensors } from 'bptt';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { allocated, hostile, reads, runs } from './hostile';

const shape = fc.array(fc.nat(4), { maxLength: 4 });
/** Tensors with arbitrary bits: NaN payloads, −0 and subnormal values. */
const anyTensor: fc.Arbitrary<Tensor> = shape.chain((lengths) => {
  const size = lengths.reduce((product, length) => product * length, 1);
  return fc
    .array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: size, maxLength: size })
    .map((bits) => ({ shape: lengths, data: new Float32Array(Uint32Array.from(bits).buffer) }));
});
const name = fc
  .oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '__proto__',
      'constructor',
      'toString',
      '"',
      '\\',
      '{',
      '\u0000',
      '\u2028',
      '\ufeff',
      'a.b',
      '0',
      '7',
      '',
    ),
    fc.string({ unit: 'grapheme' }),
  )
  .filter((text) => text !== '__metadata__');
const tensors = fc.dictionary(name, anyTensor, { maxKeys: 6, noNullPrototype: true });
const bitsOf = ({ shape: lengths, data }: Tensor): unknown => [[...lengths], [...new Uint32Array(data.slice().buffer)]];

it('tensors with arbitrary names round-trip bit for bit and in order', () => {
  fc.assert(
    fc.property(
      tensors,
      fc.dictionary(name, fc.string({ unit: 'binary' }), { maxKeys: 4, noNullPrototype: true }),
      (original, metadata) => {
        const result = readSafetensors(writeSafetensors(original, metadata));
        expect(Object.entries(result.tensors).map(([key, value]) => [key, bitsOf(value)])).toEqual(
          Object.entries(original).map(([key, value]) => [key, bitsOf(value)]),
        );
        expect(Object.entries(result.metadata)).toEqual(Object.entries(metadata));
      },
    ),
    { numRuns: runs(1000) },
  );
});

it('strings round-trip, or are rejected if UTF-8 cannot encode them', () => {
  const string = fc.string({
    unit: fc.oneof(
      fc.constantFrom('a', '"', '\\', '\ud83d', '\ude00', '\udfff', '\ud800'),
      fc.nat(0xffff).map((code) => String.fromCharCode(code)),
    ),
  });
  fc.assert(
    fc.property(string, string, (key, value) => {
      const encodable = [key, value].every(
        (text) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(text)) === text,
      );
      const write = (): Uint8Array =>
        writeSafetensors({ [key]: { shape: [0], data: new Float32Array(0) } }, { [value]: key });
      expect(reads(write, /^writeSafetensors: /)).toBe(encodable);
      if (!encodable) return;
      const result = readSafetensors(write());
      expect([Object.keys(result.tensors), result.metadata]).toEqual([[key], { [value]: key }]);
    }),
    { numRuns: runs(2000) },
  );
});

it('random bytes are read or rejected', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void checkRead(bytes)),
    { numRuns: runs(3000) },
  );
});

/**
 * Checks that a file is either rejected with little memory, or read with data that matches the shapes and round-trips.
 *
 * @returns the number of times it was read, 0 or 1
 */
function checkRead(bytes: Uint8Array): number {
  const results: Safetensors[] = [];
  const used = allocated(() => void reads(() => results.push(readSafetensors(bytes)), /^readSafetensors: /));
  expect(used).toBeLessThan(4 * bytes.length + 1000);
  for (const { tensors: found, metadata } of results) {
    for (const { shape: lengths, data } of Object.values(found))
      expect(data).toHaveLength(lengths.reduce((product, length) => product * length, 1));
    const rewritten = readSafetensors(writeSafetensors(found, metadata));
    expect(Object.entries(rewritten.tensors).map(([key, value]) => [key, bitsOf(value)])).toEqual(
      Object.entries(found).map(([key, value]) => [key, bitsOf(value)]),
    );
    expect(Object.entries(rewritten.metadata)).toEqual(Object.entries(metadata));
  }
  return results.length;
}

/** A file with the given header and data, valid or not. */
function fileOf(header: string, data: Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + text.length + data.length);
  new DataView(file.buffer).setUint32(0, text.length, true);
  file.set(text, 8);
  file.set(data, 8 + text.length);
  return file;
}

const files = [
  writeSafetensors(
    {
      a: { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
      'b"': { shape: [], data: Float32Array.of(NaN) },
      c: { shape: [0, 7], data: new Float32Array(0) },
    },
    { x: '{"a":[1]}' },
  ),
  writeSafetensors({ long: { shape: [100], data: new Float32Array(100).fill(0.5) } }),
];

it('changed files are read or rejected, with memory of a few times their size', () => {
  fc.assert(
    fc.property(hostile(files), (bytes) => void checkRead(bytes)),
    { numRuns: runs(5000) },
  );
});

/** An entry of a header, valid or not. */
const entry = fc.record(
  {
    dtype: fc.constantFrom('F32', 'F64', 'F16', 'BF16', 'I64', 'BOOL', 'F8_E4M3', '', 'constructor', 3, null),
    shape: fc.oneof(
      fc.array(fc.oneof(fc.nat(3), fc.constantFrom(-1, 1.5, 2 ** 31, 2 ** 53, 1e300, null, '1')), { maxLength: 5 }),
      fc.constantFrom(null, {}, 'x', 3),
    ),
    data_offsets: fc.oneof(
      fc.tuple(fc.nat(40), fc.nat(40)),
      fc.array(fc.oneof(fc.nat(40), fc.constantFrom(-4, 2 ** 53, 1e300, 0.5, null)), { maxLength: 3 }),
      fc.constantFrom(null, 'x'),
    ),
  },
  { requiredKeys: [] },
);

it('headers with arbitrary entries are read or rejected', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom('a', 'b', 'c', '__metadata__', '__proto__'), fc.oneof(entry, fc.jsonValue()), {
        noNullPrototype: true,
      }),
      fc.nat(40),
      (header, size) => {
        checkRead(fileOf(JSON.stringify(header), new Uint8Array(size)));
      },
    ),
    { numRuns: runs(5000) },
  );
});

it('arbitrary header texts are read or rejected: duplicates, whitespace, escapes, deep nesting, long names', () => {
  const deep = `${'['.repeat(40_000)}${']'.repeat(40_000)}`;
  const odd = fc.constantFrom(
    '{"toString":1,"valueOf":1}',
    '{"__proto__":null}',
    deep,
    `"${'x'.repeat(300)}"`,
    '-0',
    '[-0]',
    '1e309',
    '[1e309]',
    '[1.0]',
    '"\\ud800"',
    'null',
    '',
    '[[1]]',
    `[${'1,'.repeat(300)}1]`,
  );
  const field = (name: string, ...valid: string[]): fc.Arbitrary<string> =>
    fc
      .tuple(
        fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...valid) }, { weight: 1, arbitrary: odd }),
        fc.constantFrom(':', ' : ', ':\n'),
      )
      .map(([value, colon]) => `"${name}"${colon}${value}`);
  const fields = [
    field('dtype', '"F32"', '"\\u0046\\u0033\\u0032"'),
    field('shape', '[1]', '[ ]', '[ 1 ]', '[1,1]', '[2]'),
    field('data_offsets', '[0,4]', '[ 0 , 4 ]', '[0,4]', '[4,8]'),
  ] as const;
  const entryText = fc
    .oneof(
      { weight: 6, arbitrary: fc.tuple(...fields).chain((all) => fc.shuffledSubarray(all, { minLength: 3 })) },
      {
        weight: 1,
        arbitrary: fc.tuple(...fields, ...fields).chain((all) => fc.shuffledSubarray(all, { minLength: 3 })),
      },
    )
    .map((all) => `{${all.join(',')}}`);
  const named = fc
    .tuple(
      fc.constantFrom('a', '\\u0061', 'b', 'b\\"', '__metadata__', '__proto__', '\\ud800', 'x'.repeat(300)),
      fc.oneof(
        { weight: 8, arbitrary: entryText },
        { weight: 1, arbitrary: odd },
        { weight: 1, arbitrary: fc.constant('{"m":"1","m":"2"}') },
      ),
    )
    .map(([key, value]) => `"${key}":${value}`);
  const header = fc
    .tuple(
      fc.constantFrom('', '', '', '', '', '', ' ', '\ufeff'),
      fc.array(named, { minLength: 1, maxLength: 2 }),
      fc.constantFrom('', '  ', '\n', '', 'x'),
    )
    .map(([prefix, entries, suffix]) => `${prefix}{${entries.join(', ')}}${suffix}`);
  let read = 0;
  fc.assert(
    fc.property(header, fc.constantFrom(4, 4, 8), (text, size) => {
      read += checkRead(fileOf(text, new Uint8Array(size)));
    }),
    { numRuns: runs(5000) },
  );
  expect(read).toBeGreaterThan(50);
});

it('F64 is rounded to the nearest float32, ties to even', () => {
  const double = fc.oneof(
    fc.double(),
    fc.double({ min: -1e-37, max: 1e-37 }),
    fc
      .float()
      .chain((near) =>
        fc
          .integer({ min: -4, max: 4 })
          .map((steps) => near + steps * 2 ** (Math.floor(Math.log2(Math.abs(near) || 2 ** -149)) - 25)),
      ),
  );
  fc.assert(
    fc.property(fc.array(double, { minLength: 1, maxLength: 20 }), (values) => {
      const { data } = readSafetensors(
        fileOf(
          JSON.stringify({ x: { dtype: 'F64', shape: [values.length], data_offsets: [0, 8 * values.length] } }),
          new Uint8Array(Float64Array.from(values).buffer),
        ),
      ).tensors['x']!;
      values.forEach((value, i) => {
        const got = data[i]!;
        if (Number.isNaN(value)) return expect(got).toBeNaN();
        // Values from half a unit in the last place above the largest float32 round to infinity.
        if (Math.abs(value) >= 2 ** 128 - 2 ** 103) return expect(got).toBe(Math.sign(value) * Infinity);
        expect(Object.is(Math.sign(got), Math.sign(value)) || got === 0).toBe(true);
        const bits = new Uint32Array(Float32Array.of(Math.abs(got)).buffer)[0]!;
        for (const neighbor of [bits - 1, bits + 1].filter((next) => next >= 0 && next < 0x7f800000)) {
          const other = new Float32Array(Uint32Array.of(neighbor).buffer)[0]!;
          const [error, otherError] = [Math.abs(Math.abs(value) - Math.abs(got)), Math.abs(Math.abs(value) - other)];
          expect(error < otherError || (error === otherError && bits % 2 === 0), `${value} became ${got}`).toBe(true);
        }
      });
    }),
    { numRuns: runs(1000) },
  );
});

it('all 65,536 values of F16 and of BF16 are converted exactly', () => {
  const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const read = (dtype: string): Float32Array => {
    const header = JSON.stringify({ x: { dtype, shape: [65536], data_offsets: [0, 131072] } });
    return readSafetensors(fileOf(header, new Uint8Array(all.buffer))).tensors['x']!.data;
  };
  const [float16, bfloat16] = [read('F16'), read('BF16')];
  for (let i = 0; i < 65536; i++) {
    const [sign, exponent, fraction] = [i >> 15, (i >> 10) & 31, i & 1023];
    const bits =
      exponent === 0
        ? undefined
        : ((sign << 31) | (exponent === 31 ? 0xff << 23 : (exponent + 112) << 23) | (fraction << 13)) >>> 0;
    const expected =
      bits === undefined ? (sign ? -1 : 1) * fraction * 2 ** -24 : new Float32Array(Uint32Array.of(bits).buffer)[0]!;
    expect(
      Object.is(float16[i]!, expected) || (Number.isNaN(float16[i]!) && exponent === 31 && fraction > 0),
      `F16 ${i}`,
    ).toBe(true);
  }
  expect(new Uint32Array(bfloat16.buffer)).toEqual(Uint32Array.from(all, (i) => (i << 16) >>> 0));
});
