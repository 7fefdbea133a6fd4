import { type IntTensor, intTensor, split, type Tensor, tensor } from 'bptt';
import { describe, expect, expectTypeOf, it } from 'vitest';

describe('split', () => {
  it('splits typed arrays into views, in order', () => {
    const ids = Int32Array.from({ length: 10 }, (_, i) => i);
    const [train, validation] = split(ids, [0.9, 0.1]);
    expectTypeOf(train).toEqualTypeOf<Int32Array>();
    expect([...train]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect([...validation]).toEqual([9]);
    expect(validation.buffer).toBe(ids.buffer);
    const [half] = split(new Float32Array(4), [0.5]);
    expectTypeOf(half).toEqualTypeOf<Float32Array>();
    expect(half.length).toBe(2);
  });

  it('splits strings and arrays', () => {
    expect(split('abcdefghij', [0.5, 0.3, 0.2])).toEqual(['abcde', 'fgh', 'ij']);
    const [first, second] = split([{ a: 1 }, { a: 2 }, { a: 3 }], [1 / 3, 2 / 3]);
    expectTypeOf(first).toEqualTypeOf<{ a: number }[]>();
    expect([first, second]).toEqual([[{ a: 1 }], [{ a: 2 }, { a: 3 }]]);
  });

  it('splits tensors along the first axis into views', () => {
    const data = Float32Array.from({ length: 42 }, (_, i) => i);
    for (const fractions of [
      [0.5, 0.5],
      [0.3, 0.3, 0.4],
      [0.1, 0.5],
    ]) {
      const parts = split({ shape: [7, 3, 2], data }, fractions);
      expectTypeOf(parts[0]!).toEqualTypeOf<Tensor>();
      const rows = split([...Array(7).keys()], fractions);
      parts.forEach((part, i) => {
        expect(part.shape).toEqual([rows[i]!.length, 3, 2]);
        expect([...part.data]).toEqual(rows[i]!.flatMap((row) => [...data.subarray(row * 6, row * 6 + 6)]));
        expect(part.data.buffer).toBe(data.buffer);
      });
    }
    const [ids] = split(intTensor([[1], [2]]), [0.5]);
    const either: readonly (Tensor | IntTensor)[] = [tensor([1, 2]), intTensor([1, 2])];
    expect(either.map((each) => split(each, [0.5])[0].data)).toEqual([Float32Array.of(1), Int32Array.of(1)]);
    expectTypeOf(ids).toEqualTypeOf<IntTensor>();
    expect(ids).toEqual(intTensor([[1]]));
    expect(() => split(tensor(1), [0.5])).toThrow(
      'split: items must be a tensor with at least one axis, got a scalar.',
    );
  });

  it('assigns every item to a part in spite of rounding', () => {
    for (const fractions of [
      [0.7, 0.2, 0.1],
      [0.1, 0.2, 0.7],
      [0.34, 0.55, 0.11],
      [1 / 3, 1 / 3, 1 / 3],
      [0.29, 0.71],
      [0, 1],
    ]) {
      for (let length = 0; length < 120; length++) {
        const items = Array.from({ length }, (_, i) => i);
        const parts = split(items, fractions);
        expect(parts.flat()).toEqual(items);
        parts.forEach((part, i) => expect(Math.abs(part.length - fractions[i]! * length)).toBeLessThanOrEqual(1));
      }
    }
    expect(split('x'.repeat(100), [0.29])[0]!.length).toBe(29);
  });

  it('leaves out the rest at the end', () => {
    expect(split([1, 2, 3, 4], [0.25, 0.5])).toEqual([[1], [2, 3]]);
  });

  it('never splits a string inside a character', () => {
    expect(split('a🐋b', [0.5, 0.5])).toEqual(['a🐋', 'b']);
    expect(split('🐋', [0.5, 0.5])).toEqual(['🐋', '']);
  });

  it('rejects fractions out of range', () => {
    expect(() => split('abc', [0.9, 0.2])).toThrow(/^split: the sum of fractions must be at most 1, got 1\.1/);
    expect(() => split('abc', [-0.1])).toThrow(
      new RangeError('split: fractions[0] must be a number from 0 to 1, got -0.1.'),
    );
    expect(() => split('abc', [0.5, NaN])).toThrow(
      new RangeError('split: fractions[1] must be a number from 0 to 1, got NaN.'),
    );
  });
});
