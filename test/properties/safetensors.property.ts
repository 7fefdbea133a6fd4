/** safetensors: what is written comes back bit for bit; no bytes at all make the reader fail in another way than it says. */

import { readSafetensors, type Safetensors, type Tensor, writeSafetensors } from 'bptt';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { allocated, hostile, reads } from './hostile';

const shape = fc.array(fc.nat(4), { maxLength: 4 });
/** Any bits: NaN with its payload, −0, denormal numbers. */
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

it('any tensors of any names come back bit for bit, in their order', () => {
  fc.assert(
    fc.property(
      tensors,
      fc.dictionary(name, fc.string({ unit: 'binary' }), { maxKeys: 4, noNullPrototype: true }),
      (given, metadata) => {
        const back = readSafetensors(writeSafetensors(given, metadata));
        expect(Object.entries(back.tensors).map(([key, value]) => [key, bitsOf(value)])).toEqual(
          Object.entries(given).map(([key, value]) => [key, bitsOf(value)]),
        );
        expect(Object.entries(back.metadata)).toEqual(Object.entries(metadata));
      },
    ),
    { numRuns: 1000 },
  );
});

it('text comes back as it was, or is refused because UTF-8 cannot hold it', () => {
  const text = fc.string({
    unit: fc.oneof(
      fc.constantFrom('a', '"', '\\', '\ud83d', '\ude00', '\udfff', '\ud800'),
      fc.nat(0xffff).map((code) => String.fromCharCode(code)),
    ),
  });
  fc.assert(
    fc.property(text, text, (key, value) => {
      const whole = [key, value].every(
        (each) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(each)) === each,
      );
      const write = (): Uint8Array =>
        writeSafetensors({ [key]: { shape: [0], data: new Float32Array(0) } }, { [value]: key });
      expect(reads(write, /^writeSafetensors: /)).toBe(whole);
      if (!whole) return;
      const back = readSafetensors(write());
      expect([Object.keys(back.tensors), back.metadata]).toEqual([[key], { [value]: key }]);
    }),
    { numRuns: 2000 },
  );
});

it('any bytes are read or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void checkRead(bytes)),
    { numRuns: 3000 },
  );
});

/** A file is refused by its reader in little memory; or what is read has numbers for its shapes, and comes back when it is written and read again. How often it was read. */
function checkRead(bytes: Uint8Array): number {
  const answers: Safetensors[] = [];
  const used = allocated(() => void reads(() => answers.push(readSafetensors(bytes)), /^readSafetensors: /));
  expect(used).toBeLessThan(4 * bytes.length + 1000);
  for (const { tensors: found, metadata } of answers) {
    for (const { shape: lengths, data } of Object.values(found))
      expect(data).toHaveLength(lengths.reduce((product, length) => product * length, 1));
    const again = readSafetensors(writeSafetensors(found, metadata));
    expect(Object.entries(again.tensors).map(([key, value]) => [key, bitsOf(value)])).toEqual(
      Object.entries(found).map(([key, value]) => [key, bitsOf(value)]),
    );
    expect(Object.entries(again.metadata)).toEqual(Object.entries(metadata));
  }
  return answers.length;
}

/** A file of a header, as text, and of numbers. */
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

it('changed files are read or refused, without more memory than a few times their size', () => {
  fc.assert(
    fc.property(hostile(files), (bytes) => void checkRead(bytes)),
    { numRuns: 5000 },
  );
});

/** Headers that are JSON, with all that can be wrong in them. */
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

it('headers of any entries are read or refused', () => {
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
    { numRuns: 5000 },
  );
});

it('headers as text are read or refused: fields twice, blanks and escapes, deep and long, and what JSON.stringify would not write', () => {
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
  const field = (name: string, ...right: string[]): fc.Arbitrary<string> =>
    fc
      .tuple(
        fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...right) }, { weight: 1, arbitrary: odd }),
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
    .map(([before, all, behind]) => `${before}{${all.join(', ')}}${behind}`);
  let read = 0;
  fc.assert(
    fc.property(
      header,
      fc.constantFrom(4, 4, 8),
      (text, size) => void (read += checkRead(fileOf(text, new Uint8Array(size)))),
    ),
    { numRuns: 5000 },
  );
  expect(read).toBeGreaterThan(50);
});

it('doubles become the nearest of single precision, the even one of two', () => {
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
    fc.property(fc.array(double, { minLength: 1, maxLength: 20 }), (given) => {
      const { data } = readSafetensors(
        fileOf(
          JSON.stringify({ x: { dtype: 'F64', shape: [given.length], data_offsets: [0, 8 * given.length] } }),
          new Uint8Array(Float64Array.from(given).buffer),
        ),
      ).tensors['x']!;
      given.forEach((value, i) => {
        const got = data[i]!;
        if (Number.isNaN(value)) return expect(got).toBeNaN();
        // From half a step above the largest on there is infinity.
        if (Math.abs(value) >= 2 ** 128 - 2 ** 103) return expect(got).toBe(Math.sign(value) * Infinity);
        expect(Object.is(Math.sign(got), Math.sign(value)) || got === 0).toBe(true);
        const bits = new Uint32Array(Float32Array.of(Math.abs(got)).buffer)[0]!;
        for (const beside of [bits - 1, bits + 1].filter((each) => each >= 0 && each < 0x7f800000)) {
          const other = new Float32Array(Uint32Array.of(beside).buffer)[0]!;
          const [mine, theirs] = [Math.abs(Math.abs(value) - Math.abs(got)), Math.abs(Math.abs(value) - other)];
          expect(mine < theirs || (mine === theirs && bits % 2 === 0), `${value} became ${got}`).toBe(true);
        }
      });
    }),
    { numRuns: 1000 },
  );
});

it('all 65,536 halves and upper halves are exact', () => {
  const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const read = (dtype: string): Float32Array => {
    const header = JSON.stringify({ x: { dtype, shape: [65536], data_offsets: [0, 131072] } });
    return readSafetensors(fileOf(header, new Uint8Array(all.buffer))).tensors['x']!.data;
  };
  const [halves, uppers] = [read('F16'), read('BF16')];
  for (let i = 0; i < 65536; i++) {
    const [sign, exponent, fraction] = [i >> 15, (i >> 10) & 31, i & 1023];
    const bits =
      exponent === 0
        ? undefined
        : ((sign << 31) | (exponent === 31 ? 0xff << 23 : (exponent + 112) << 23) | (fraction << 13)) >>> 0;
    const expected =
      bits === undefined ? (sign ? -1 : 1) * fraction * 2 ** -24 : new Float32Array(Uint32Array.of(bits).buffer)[0]!;
    expect(
      Object.is(halves[i]!, expected) || (Number.isNaN(halves[i]!) && exponent === 31 && fraction > 0),
      `half ${i}`,
    ).toBe(true);
  }
  expect(new Uint32Array(uppers.buffer)).toEqual(Uint32Array.from(all, (i) => (i << 16) >>> 0));
});
