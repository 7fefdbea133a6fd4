/** safetensors: what is written comes back bit for bit; no bytes at all make the reader fail in another way than it says. */

import { readSafetensors, writeSafetensors, type Tensor } from 'bptt';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { allocated, hostile, reads } from './hostile';

const shape = fc.array(fc.nat(4), { maxLength: 4 });
/** Any bits: NaN with its payload, −0, denormal numbers. */
const anyTensor: fc.Arbitrary<Tensor> = shape.chain((lengths) => {
  const size = lengths.reduce((product, length) => product * length, 1);
  return fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: size, maxLength: size }).map((bits) => ({ shape: lengths, data: new Float32Array(Uint32Array.from(bits).buffer) }));
});
const name = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', 'toString', '"', '\\', '{', '\u0000', 'a.b', ''), fc.string({ unit: 'grapheme' }))
  .filter((text) => text !== '__metadata__' && new TextDecoder().decode(new TextEncoder().encode(text)) === text);
const tensors = fc.dictionary(name, anyTensor, { maxKeys: 6, noNullPrototype: true });
const bitsOf = ({ shape: lengths, data }: Tensor): unknown => [[...lengths], [...new Uint32Array(data.slice().buffer)]];

it('any tensors of any names come back bit for bit, in their order', () => {
  fc.assert(fc.property(tensors, fc.dictionary(name, fc.string({ unit: 'binary' }).filter((text) => !/[\ud800-\udfff]/.test(text)), { maxKeys: 4, noNullPrototype: true }), (given, metadata) => {
    const back = readSafetensors(writeSafetensors(given, metadata));
    expect(Object.entries(back.tensors).map(([key, value]) => [key, bitsOf(value)])).toEqual(Object.entries(given).map(([key, value]) => [key, bitsOf(value)]));
    expect(Object.entries(back.metadata)).toEqual(Object.entries(metadata));
  }), { numRuns: 1000 });
});

it('any bytes are read or refused', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void reads(() => readSafetensors(bytes), /^readSafetensors: /)), { numRuns: 3000 });
});

const files = [
  writeSafetensors({ a: { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }, 'b"': { shape: [], data: Float32Array.of(NaN) }, c: { shape: [0, 7], data: new Float32Array(0) } }, { x: '{"a":[1]}' }),
  writeSafetensors({ long: { shape: [100], data: new Float32Array(100).fill(0.5) } }),
];

it('changed files are read or refused, without more memory than a few times their size', () => {
  fc.assert(fc.property(hostile(files), (bytes) => {
    const used = allocated(() => void reads(() => readSafetensors(bytes), /^readSafetensors: /));
    expect(used).toBeLessThan(4 * bytes.length + 1000);
  }), { numRuns: 5000 });
});

/** Headers that are JSON, with all that can be wrong in them. */
const entry = fc.record({
  dtype: fc.constantFrom('F32', 'F64', 'F16', 'BF16', 'I64', 'BOOL', 'F8_E4M3', '', 'constructor', 3, null),
  shape: fc.oneof(fc.array(fc.oneof(fc.nat(3), fc.constantFrom(-1, 1.5, 2 ** 31, 2 ** 53, 1e300, null, '1')), { maxLength: 5 }), fc.constantFrom(null, {}, 'x', 3)),
  data_offsets: fc.oneof(fc.tuple(fc.nat(40), fc.nat(40)), fc.array(fc.oneof(fc.nat(40), fc.constantFrom(-4, 2 ** 53, 1e300, 0.5, null)), { maxLength: 3 }), fc.constantFrom(null, 'x')),
}, { requiredKeys: [] });

it('headers of any entries are read or refused', () => {
  fc.assert(fc.property(fc.dictionary(fc.constantFrom('a', 'b', 'c', '__metadata__', '__proto__'), fc.oneof(entry, fc.jsonValue()), { noNullPrototype: true }), fc.nat(40), (header, size) => {
    const text = new TextEncoder().encode(JSON.stringify(header));
    const file = new Uint8Array(8 + text.length + size);
    new DataView(file.buffer).setUint32(0, text.length, true);
    file.set(text, 8);
    const used = allocated(() => void reads(() => readSafetensors(file), /^readSafetensors: /));
    expect(used).toBeLessThan(4 * file.length + 1000);
  }), { numRuns: 5000 });
});

it('all 65,536 halves and upper halves are exact', () => {
  const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const read = (dtype: string): Float32Array => {
    const text = new TextEncoder().encode(JSON.stringify({ x: { dtype, shape: [65536], data_offsets: [0, 131072] } }));
    const file = new Uint8Array(8 + text.length + 131072);
    new DataView(file.buffer).setUint32(0, text.length, true);
    file.set(text, 8);
    file.set(new Uint8Array(all.buffer), 8 + text.length);
    return readSafetensors(file).tensors['x']!.data;
  };
  const [halves, uppers] = [read('F16'), read('BF16')];
  for (let i = 0; i < 65536; i++) {
    const [sign, exponent, fraction] = [i >> 15, (i >> 10) & 31, i & 1023];
    const bits = exponent === 0
      ? undefined
      : ((sign << 31) | (exponent === 31 ? 0xff << 23 : (exponent + 112) << 23) | (fraction << 13)) >>> 0;
    const expected = bits === undefined ? (sign ? -1 : 1) * fraction * 2 ** -24 : new Float32Array(Uint32Array.of(bits).buffer)[0]!;
    expect(Object.is(halves[i]!, expected) || (Number.isNaN(halves[i]!) && exponent === 31 && fraction > 0), `half ${i}`).toBe(true);
  }
  expect(new Uint32Array(uppers.buffer)).toEqual(Uint32Array.from(all, (i) => (i << 16) >>> 0));
});
