import {
  compute,
  flattenTree,
  full,
  type IntTensor,
  intTensor,
  isIntTensor,
  isTensor,
  leaves,
  mapTree,
  sliceRows,
  type Tensor,
  tensor,
  toBatchMajor,
  toTimeMajor,
  transpose,
  treeOver,
  view,
  windows,
} from 'bptt';
import { describe, expect, it } from 'vitest';
import {
  broadcastShapes,
  checkBelowOne,
  checkCount,
  checkNumber,
  checkShape,
  resolveAxis,
  stridesOf,
} from '../../src/tensor/shape';

describe('creation', () => {
  it('accepts nested arrays, flat arrays with a shape, and scalars', () => {
    expect(
      tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]),
    ).toEqual({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
    expect(tensor([1, 2, 3, 4], [2, 2]).shape).toEqual([2, 2]);
    expect(tensor(7)).toEqual({ shape: [], data: Float32Array.of(7) });
    expect(tensor([])).toEqual({ shape: [0], data: new Float32Array(0) });
    expect(
      intTensor([
        [3, 1],
        [4, 1],
      ]),
    ).toEqual({ shape: [2, 2], data: Int32Array.of(3, 1, 4, 1) });
    expect(full([2, 2], 0.5)).toEqual({ shape: [2, 2], data: Float32Array.of(0.5, 0.5, 0.5, 0.5) });
  });

  it('accepts typed arrays of other types, and as rows', () => {
    expect(tensor(Float64Array.of(0.1, 2))).toEqual({ shape: [2], data: Float32Array.of(0.1, 2) });
    expect(tensor(Uint8Array.of(1, 2, 3, 255), [2, 2])).toEqual({ shape: [2, 2], data: Float32Array.of(1, 2, 3, 255) });
    expect(tensor([Float32Array.of(1, 2), [3, 4]])).toEqual({ shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) });
    expect(tensor([new Int16Array(0)])).toEqual({ shape: [1, 0], data: new Float32Array(0) });
    expect(intTensor([Uint16Array.of(3, 1), Float64Array.of(4, -1)])).toEqual({
      shape: [2, 2],
      data: Int32Array.of(3, 1, 4, -1),
    });
    expect(() => tensor([Float32Array.of(1, 2), Float32Array.of(3)])).toThrow(
      'tensor: values must be of shape [2, 2], got another length at depth 1.',
    );
    expect(() => intTensor(Float32Array.of(1, 0.5))).toThrow(
      'intTensor: values must be 32-bit integers, got 0.5 at index 1.',
    );
    // @ts-expect-error The elements are not numbers.
    expect(() => tensor(BigInt64Array.of(1n))).toThrow('tensor: values must be numbers, or arrays of numbers, got 1.');
    // @ts-expect-error A cell of a CSV file.
    expect(() => tensor([['1', 2]])).toThrow("tensor: values must be numbers, or arrays of numbers, got '1'.");
    // @ts-expect-error It has no elements.
    expect(() => tensor(new DataView(new ArrayBuffer(8)))).toThrow('tensor: ');
  });

  it('does not copy typed arrays', () => {
    const floats = new Float32Array(6);
    const integers = new Int32Array(6);
    expect(tensor(floats, [2, 3]).data).toBe(floats);
    expect(intTensor(integers, [3, 2]).data).toBe(integers);
  });

  it('sliceRows does not copy, counts negative bounds from the end, and supports integer tensors', () => {
    const whole = tensor([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    const last = sliceRows(whole, -2);
    expect(last).toEqual({ shape: [2, 2], data: Float32Array.of(3, 4, 5, 6) });
    last.data[0] = 9;
    expect(whole.data[2]).toBe(9);
    expect(sliceRows(full([2, 3, 4], 1), 1, 1).shape).toEqual([0, 3, 4]);
    expect(sliceRows(whole, 0, -0).shape).toEqual([0, 2]);
    const either: Tensor | IntTensor = whole;
    expect(sliceRows(either as Tensor | IntTensor, 1).shape).toEqual([2, 2]);
    expect(sliceRows(intTensor([[1], [2], [3]]), 0, -1)).toEqual({ shape: [2, 1], data: Int32Array.of(1, 2) });
  });

  it('isTensor and isIntTensor distinguish the kinds of tensors', () => {
    expect([
      isTensor(full([1], 0)),
      isTensor(intTensor([0])),
      isTensor(null),
      isTensor({ data: new Float32Array(1) }),
    ]).toEqual([true, false, false, false]);
    expect([isIntTensor(intTensor([0])), isIntTensor(full([1], 0))]).toEqual([true, false]);
  });

  it.each([
    [
      'arrays of different lengths',
      () => tensor([[1, 2], [3]]),
      'tensor: values must be of shape [2, 2], got another length at depth 1.',
    ],
    [
      'arrays of different depths',
      () => tensor([[1, 2], 3]),
      'tensor: values must be of shape [2, 2], got another length at depth 1.',
    ],
    [
      'a shape of another size',
      () => tensor(new Float32Array(5), [2, 3]),
      'tensor: a tensor must be of size 6, as its shape is [2, 3], got 5.',
    ],
    [
      'a negative length',
      () => full([2, -1], 0),
      'full: shape must be integers of at least 0, for at most 2^32 elements, got [2, -1].',
    ],
    [
      'a fractional length',
      () => tensor([1, 2, 3], [1.5, 2]),
      'tensor: the shape of a tensor must be integers of at least 0, for at most 2^32 elements, got [1.5, 2].',
    ],
    ['a fractional id', () => intTensor([1, 1.5]), 'intTensor: values must be 32-bit integers, got 1.5 at index 1.'],
    [
      'an id that is too large',
      () => intTensor([2 ** 31]),
      'intTensor: values must be 32-bit integers, got 2147483648 at index 0.',
    ],
    [
      'a view past the end',
      () => view(new Float32Array(4), 2, [3]),
      'view: data must be of size 5 or more, for shape [3] at offset 2, got 4.',
    ],
    [
      'a tree over too few elements',
      () => treeOver({ a: full([2], 0), b: full([3], 0) }, new Float32Array(4)),
      'treeOver: data.length must be an integer of at least 5, got 4.',
    ],
    [
      'a view before the start',
      () => view(new Float32Array(4), -1, [3]),
      'view: offset must be an integer of at least 0, got -1.',
    ],
    [
      'rows past the end',
      () => sliceRows(full([3, 2], 0), 1, 4),
      'sliceRows: the range must be inside axis 0 of shape [3, 2], got 1 to 4.',
    ],
    [
      'an end before the start',
      () => sliceRows(full([3, 2], 0), 2, 1),
      'sliceRows: the range must be inside axis 0 of shape [3, 2], got 2 to 1.',
    ],
    [
      'rows of a scalar',
      () => sliceRows(tensor(1), 0),
      'sliceRows: the tensor must be a tensor with at least one axis, got a scalar.',
    ],
    [
      'swapping the axes of a vector',
      () => toTimeMajor(tensor([1, 2])),
      'toTimeMajor: the tensor must be of at least two axes, got shape [2].',
    ],
  ])('rejects %s', (_, create, message) => {
    expect(create).toThrow(new RangeError(message));
  });

  it('view shares the elements of its buffer', () => {
    const data = Float32Array.of(0, 1, 2, 3);
    view(data, 2, [1, 2]).data[0] = 9;
    expect([...data]).toEqual([0, 1, 9, 3]);
  });
});

describe('toTimeMajor and toBatchMajor', () => {
  it('swap the first two axes', () => {
    expect(
      toTimeMajor(
        tensor([
          [1, 2, 3],
          [4, 5, 6],
        ]),
      ),
    ).toEqual(
      tensor([
        [1, 4],
        [2, 5],
        [3, 6],
      ]),
    );
    expect(
      toTimeMajor(
        tensor([
          [
            [1, 2],
            [3, 4],
            [5, 6],
          ],
        ]),
      ).shape,
    ).toEqual([3, 1, 2]);
    expect(
      toTimeMajor(
        intTensor([
          [1, 2],
          [3, 4],
        ]),
      ).data,
    ).toEqual(Int32Array.of(1, 3, 2, 4));
  });

  it.each([[[2, 3]], [[4, 1, 5]], [[3, 2, 2, 3]], [[0, 3, 2]]])('are inverse to each other for shape %j', (shape) => {
    const size = shape.reduce((product, length) => product * length, 1);
    const x = tensor(
      Float32Array.from({ length: size }, (_, i) => i),
      shape,
    );
    expect(toBatchMajor(toTimeMajor(x))).toEqual(x);
    expect(toTimeMajor(toBatchMajor(x))).toEqual(x);
    expect(toTimeMajor(x).data).not.toBe(x.data);
  });
});

describe('shapes', () => {
  it('strides are row-major', () => {
    expect(stridesOf([2, 3, 4])).toEqual([12, 4, 1]);
    expect(stridesOf([])).toEqual([]);
  });

  it('broadcast under NumPy’s rules', () => {
    expect(broadcastShapes('add', [2, 1, 3], [4, 1])).toEqual([2, 4, 3]);
    expect(broadcastShapes('add', [], [5])).toEqual([5]);
    expect(broadcastShapes('add', [0, 1], [1, 3])).toEqual([0, 3]);
    expect(() => broadcastShapes('add', [2, 3], [2, 4])).toThrow(
      /^add: the lengths of axis -1 must be equal, or one of them 1, got 3 and 4 in \[2, 3\] and \[2, 4\]\.$/,
    );
  });

  it('errors shorten long strings', () => {
    const text = 'a'.repeat(1e6);
    // @ts-expect-error A text in place of its ids.
    expect(() => windows(text, { sequenceLength: 2, batchSize: 1 })).toThrow(
      new TypeError(`windows: ids must be an Int32Array, as encode returns, got ${'a'.repeat(999)}.`),
    );
  });

  it('errors state the expected shape in letters and lengths, and the likely cause', () => {
    const lengths = [undefined, undefined, 32];
    expect(() =>
      checkShape('unroll', 'xs', [64, 16, 10], '[T, B, I]', lengths, 'Was the cell created with inputSize 10?'),
    ).toThrow(
      new RangeError(
        'unroll: xs must be [T, B, I] = [*, *, 32], got [64, 16, 10]. Was the cell created with inputSize 10?',
      ),
    );
    expect(() => checkShape('unroll', 'xs', [64, 32], '[T, B, I]', lengths)).toThrow(
      'unroll: xs must be [T, B, I] = [*, *, 32], got [64, 32].',
    );
    expect(() => checkShape('unroll', 'xs', [1, 2, 32], '[T, B, I]', lengths)).not.toThrow();
  });

  it('negative axes count from the end', () => {
    expect([resolveAxis('sum', 0, 3), resolveAxis('sum', -1, 3), resolveAxis('sum', -3, 3)]).toEqual([0, 2, 0]);
    for (const axis of [3, -4, 0.5])
      expect(() => resolveAxis('sum', axis, 3)).toThrow(`sum: axis must be valid for rank 3, got ${axis}.`);
    expect(() => compute({}, () => transpose(tensor([[1]]), [0, 0]))).toThrow(
      'transpose: axes must be a permutation of the axes of x, got [0, 0].',
    );
  });

  it.each([
    [checkCount, "an integer of at least 1, got '3'."],
    [checkNumber, "a finite number, got '3'."],
    [checkBelowOne, "at least 0 and less than 1, got '3'."],
  ])('text in place of a number is in quotation marks in messages: %o', (check, message) => {
    expect(() => check('fit', 'epochs', '3' as never)).toThrow(`fit: epochs must be ${message}`);
  });
});

describe('trees', () => {
  const tree = {
    rnn: {
      weight: tensor([
        [1, 2],
        [3, 4],
      ]),
      bias: tensor([5]),
    },
    heads: [tensor([6, 7])],
  };

  it('leaves lists the tensors in order, with their paths', () => {
    expect(leaves(tree).map(({ path }) => path)).toEqual(['rnn.weight', 'rnn.bias', 'heads.0']);
  });

  it('mapTree preserves the nesting', () => {
    expect(mapTree(tree, ({ data }, path) => `${path} ${data.length}`)).toEqual({
      rnn: { weight: 'rnn.weight 4', bias: 'rnn.bias 1' },
      heads: ['heads.0 2'],
    });
  });

  it('flattenTree copies the tensors into one buffer with a tree of views', () => {
    const { data, tree: views } = flattenTree(tree);
    expect([...data]).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(views).toEqual(tree);
    views.rnn.bias.data[0] = 50;
    expect(data[4]).toBe(50);
    expect(tree.rnn.bias.data[0]).toBe(5);
  });

  it('leaves rejects values that are not tensors', () => {
    expect(() => leaves({ a: { b: new Float32Array(1) as never } })).toThrow(TypeError);
    expect(() => leaves({ a: { b: 3 as never } })).toThrow(
      'leaves: a.b must be a tensor { shape, data: Float32Array }, or an object or array of tensors, got 3.',
    );
  });
});
