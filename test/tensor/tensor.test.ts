import { batchFirst, flattenTree, full, ids, leaves, mapTree, tensor, timeMajor, view } from 'bptt';
import { expect, it } from 'vitest';

it('a tensor is made from nested arrays, or from flat numbers and a shape', () => {
  expect(tensor([[1, 2, 3], [4, 5, 6]])).toEqual({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
  expect(tensor([1, 2, 3, 4], [2, 2]).shape).toEqual([2, 2]);
  expect(tensor(3).shape).toEqual([]);
  expect(tensor([]).shape).toEqual([0]);
  const data = new Float32Array(2);
  expect(tensor(data, [1, 2]).data).toBe(data);
});

it.each<[string, () => unknown, string]>([
  ['a ragged nesting', () => tensor([[1, 2], [3]]), 'tensor: nested arrays must all have the same lengths, expected [2, 2], got a ragged part at depth 1.'],
  ['a wrong size', () => tensor([1, 2, 3], [2, 2]), 'tensor: shape [2, 2] holds 4 numbers, got 3.'],
  ['a negative length', () => full([-1], 0), 'full: shape[0] must be a whole number of at least 0, got -1.'],
  ['fractions as ids', () => ids([1, 1.5]), 'ids: ids must be whole numbers of 32 bits, got 1.5 at position 1.'],
  ['a view past the end', () => view(new Float32Array(3), 2, [2]), 'view: shape [2] at offset 2 needs 4 numbers, got 3.'],
  ['too few axes', () => timeMajor(tensor([1])), 'timeMajor: the tensor must have at least two axes, got [1].'],
])('refuses %s', (_, wrong, message) => expect(wrong).toThrow(new RangeError(message)));

it('timeMajor and batchFirst undo each other', () => {
  const x = tensor(Float32Array.from({ length: 24 }, (_, i) => i), [2, 3, 4]);
  const y = timeMajor(x);
  expect(y.shape).toEqual([3, 2, 4]);
  expect([...y.data.subarray(4, 8)]).toEqual([12, 13, 14, 15]);
  expect(batchFirst(y)).toEqual(x);
});

it('a flattened tree is one buffer with named views', () => {
  const { data, tree } = flattenTree({ a: tensor([1, 2]), b: [{ c: tensor([[3]]) }] });
  expect([...data]).toEqual([1, 2, 3]);
  tree.b[0]!.c.data[0] = 9;
  expect(data[2]).toBe(9);
  expect(leaves(tree).map(({ path }) => path)).toEqual(['a', 'b.0.c']);
  expect(mapTree(tree, ({ data }) => data.length)).toEqual({ a: 2, b: [{ c: 1 }] });
  expect(() => leaves({ a: 3 } as never)).toThrow(/expected a tensor .* at "a", got 3/);
});
