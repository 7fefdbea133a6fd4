/** Reductions, normalizations and element-wise functions of ONNX, by their definitions in double precision. */

import {
  checkGradients,
  createRandom,
  type IntTensor,
  normal,
  sum,
  type Tensor,
  tanh,
  tensor,
  valueAndGradient,
} from 'bptt';
import { importOnnx, predictOnnx, runOnnx } from 'bptt/onnx';
import { describe, expect, it } from 'vitest';
import { errorOf, floats, int64, modelOf, type PlainNode } from '../golden/onnx';

type ModelOptions = Parameters<typeof modelOf>[3];
const modelFor = (
  nodes: readonly PlainNode[],
  inputs: Record<string, Tensor | IntTensor>,
  options?: ModelOptions,
): Uint8Array =>
  modelOf(
    nodes,
    Object.entries(inputs).map(([name, { data }]) => [name, data instanceof Int32Array ? 'int64' : 'float']),
    'y',
    options,
  );
const run = (nodes: readonly PlainNode[], inputs: Record<string, Tensor | IntTensor>, options?: ModelOptions): Tensor =>
  predictOnnx(importOnnx(modelFor(nodes, inputs, options)), inputs)['y']!;

/** The largest gradient error of the sum of tanh(y) by the constants of the model. */
const gradientError = (nodes: readonly PlainNode[], inputs: Record<string, Tensor>, options: ModelOptions): number => {
  const network = importOnnx(modelFor(nodes, inputs, options));
  const { error, checked } = checkGradients(network.parameters, (p) => sum(tanh(runOnnx(network, p, inputs)['y']!)));
  expect(checked).toBeGreaterThan(0);
  return error;
};

const ints = (shape: readonly number[], ...data: number[]): IntTensor => ({ shape, data: Int32Array.from(data) });
const points = Float32Array.of(-8, -4.5, -3.25, -2.9, -1.5, -0.5, -1e-3, 0.25, 0.75, 1.25, 2.6, 3.1, 4.25, 7);
const x: Tensor = { shape: [points.length], data: points };

/** The integral of f from a to b by Simpson's rule in double precision. */
function integral(f: (t: number) => number, a: number, b: number): number {
  const n = 4000;
  const h = (b - a) / n;
  let total = f(a) + f(b);
  for (let i = 1; i < n; i++) total += f(a + i * h) * (i % 2 === 1 ? 4 : 2);
  return (total * h) / 3;
}
const erf = (value: number): number => (2 / Math.sqrt(Math.PI)) * integral((t) => Math.exp(-t * t), 0, value);

describe('element-wise functions', () => {
  const cases: [string, PlainNode, number, (value: number) => number][] = [
    ['Erf', ['Erf', 'x', 'y'], 13, erf],
    ['Gelu', ['Gelu', 'x', 'y'], 20, (v) => (v / 2) * (1 + erf(v / Math.SQRT2))],
    ['Gelu of onnxruntime', ['com.microsoft.Gelu', 'x', 'y'], 17, (v) => (v / 2) * (1 + erf(v / Math.SQRT2))],
    [
      'Gelu with tanh',
      ['Gelu', 'x', 'y', { approximate: 'tanh' }],
      20,
      (v) => (v / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
    ],
    ['Elu', ['Elu', 'x', 'y', { alpha: 0.7 }], 17, (v) => (v < 0 ? 0.7 * (Math.exp(v) - 1) : v)],
    ['Elu, alpha 1', ['Elu', 'x', 'y'], 17, (v) => (v < 0 ? Math.exp(v) - 1 : v)],
    ['HardSigmoid', ['HardSigmoid', 'x', 'y'], 17, (v) => Math.max(0, Math.min(1, 0.2 * v + 0.5))],
    ['Neg', ['Neg', 'x', 'y'], 17, (v) => -v],
    ['Reciprocal', ['Reciprocal', 'x', 'y'], 17, (v) => 1 / v],
    [
      'Clip of opset 10',
      ['Clip', 'x', 'y', { min: -0.5001, max: 1.3 }],
      10,
      (v) => Math.min(1.3, Math.max(-0.5001, v)),
    ],
    ['Clip of opset 10 without a minimum', ['Clip', 'x', 'y', { max: 1.3 }], 10, (v) => Math.min(1.3, v)],
  ];

  it.each(cases)('%s', (_, node, opset, f) => {
    const options = { opset };
    expect(errorOf(run([node], { x }, options), x.shape, Float64Array.from(points, f))).toBeLessThan(3e-7);
    const [opType, , output, attributes] = node;
    const nodes: PlainNode[] = [[opType, 'k', output, attributes ?? {}]];
    const error = gradientError(nodes, {}, { opset, initializers: [floats('k', x.shape, [...points])] });
    expect(error).toBeLessThan(1e-7);
  });

  it('Erf and Gelu keep their relative accuracy for small and negative values', () => {
    const far = tensor([-5, -3.5, 1e-20]);
    const gelu = run([['Gelu', 'x', 'y']], { x: far }, { opset: 20 }).data;
    // x Φ(x), with Φ(−5) and Φ(−3.5) from tables of the normal distribution.
    [-5 * 2.866515718791946e-7, -3.5 * 2.3262907903552504e-4, 5e-21].forEach((value, i) =>
      expect(gelu[i]! / value).toBeCloseTo(1, 5),
    );
    expect([...run([['Erf', 'x', 'y']], { x: tensor([Infinity, -Infinity, NaN, 1e-20]) }).data].slice(0, 3)).toEqual([
      1,
      -1,
      NaN,
    ]);
  });

  it('Clip with bounds as inputs, of floats and integers; gradients go to the bounds that apply', () => {
    const bounds = [floats('low', [], [-0.6]), floats('high', [], [1.3])];
    const node: PlainNode = ['Clip', 'x low high', 'y'];
    const expected = points.map((v) => Math.min(1.3, Math.max(-0.6, v)));
    expect(errorOf(run([node], { x }, { initializers: bounds }), x.shape, expected)).toBeLessThan(1e-7);
    expect(gradientError([node], { x }, { initializers: bounds })).toBeLessThan(1e-7);
    expect(run([['Clip', 'x - high', 'y']], { x }, { initializers: bounds }).data[0]).toBe(-8);
    expect(run([node], { x }, { initializers: bounds, opset: 11 }).data[0]).toBeCloseTo(-0.6, 6);
    const i = ints([4], -9, 0, 3, 9);
    expect([...run([['Clip', 'i low high', 'y']], { i, low: ints([], -1), high: ints([], 4) }).data]).toEqual([
      -1, 0, 3, 4,
    ]);
    expect([...run([['Neg', 'i', 'y']], { i }).data]).toEqual([9, -0, -3, -9].map((v) => v + 0));
  });

  it('Pow: negative bases, exponents of every kind, broadcasting, and gradients', () => {
    const base = tensor([-2, -0.5, 0, 1.5, 4]);
    const powers = (exponent: Tensor | IntTensor): number[] => [
      ...run([['Pow', 'b e', 'y']], { b: base, e: exponent }).data,
    ];
    expect(powers(tensor(2))).toEqual([4, 0.25, 0, 2.25, 16]);
    expect(powers(tensor(3))).toEqual([-8, -0.125, 0, 3.375, 64]);
    expect(powers(ints([], -1))).toEqual([-0.5, -2, Infinity, Math.fround(1 / 1.5), 0.25]);
    expect(powers(tensor(0.5)).slice(2)).toEqual([0, Math.fround(Math.sqrt(1.5)), 2]);
    expect(powers(tensor(0.5))[0]).toBeNaN();
    expect([...run([['Pow', 'b e', 'y']], { b: ints([2], 3, -2), e: ints([], 3) }).data]).toEqual([27, -8]);
    expect(
      gradientError(
        [
          ['Identity', 'e', 'computed'],
          ['Pow', 'b computed', 'y'],
        ],
        {},
        {
          initializers: [floats('b', [2, 1], [0.5, 1.5]), floats('e', [3], [2, -0.5, 3])],
        },
      ),
    ).toBeLessThan(1e-7);
  });

  it('the limits of Clip pass gradients, the first of equal operands has the gradient, and that of x⁰ is 0', () => {
    const gradients = (node: PlainNode, constants: Record<string, readonly number[]>, opset = 17) => {
      const initializers = Object.entries(constants).map(([name, data]) => floats(name, [data.length], data));
      const network = importOnnx(modelFor([node], {}, { initializers, opset }));
      const { gradient } = valueAndGradient(network.parameters, (p) => sum(runOnnx(network, p, {})['y']!));
      return Object.keys(network.parameters).map((name) => [...(gradient[name] as Tensor).data]);
    };
    expect(gradients(['Clip', 'a', 'y', { min: -0.5, max: 1.5 }], { a: [-1, -0.5, 1.5, 2] }, 10)).toEqual([
      [0, 1, 1, 0],
    ]);
    expect(gradients(['Pow', 'a e', 'y'], { a: [0, 2], e: [0] })).toEqual([[0, 0]]);
    for (const name of ['Max', 'Min'])
      expect(gradients([name, 'a b', 'y'], { a: [1, 2], b: [1, 2] }).flat()).toEqual([1, 1, 0, 0]);
  });

  it('Max and Min of several operands, with broadcasting; NaN is kept', () => {
    const [a, b, c] = [
      tensor([
        [1, 5],
        [3, NaN],
      ]),
      tensor([2, 2]),
      tensor(-1),
    ];
    expect([...run([['Max', 'a b c', 'y']], { a, b, c }).data]).toEqual([2, 5, 3, NaN]);
    expect([...run([['Min', 'a b c', 'y']], { a, b, c }).data]).toEqual([-1, -1, -1, NaN]);
    expect([...run([['Max', 'i j', 'y']], { i: ints([2], 1, 9), j: ints([1], 4) }).data]).toEqual([4, 9]);
    const initializers = [floats('a', [2], [1, 5]), floats('b', [1], [2]), floats('c', [2], [3, 0])];
    for (const name of ['Max', 'Min'])
      expect(gradientError([[name, 'a b c', 'y']], {}, { initializers })).toBeLessThan(1e-7);
  });
});

it('constant exponents and running statistics are not trained', () => {
  const initializers = ['e', 's', 'b', 'm', 'v'].map((name) => floats(name, [1], [2]));
  const nodes: PlainNode[] = [
    ['Pow', 'x e', 'p'],
    ['BatchNormalization', 'p s b m v', 'y'],
  ];
  const network = importOnnx(modelFor(nodes, { x: tensor([[-3]]) }, { initializers }));
  expect(Object.keys(network.parameters)).toEqual(['s', 'b']);
  expect(predictOnnx(network, { x: tensor([[-3]]) })['y']!.data[0]).toBeCloseTo((7 / Math.sqrt(2.00001)) * 2 + 2, 5);
  // A constant that another node trains keeps its value as an exponent.
  const shared = importOnnx(
    modelFor(
      [
        ['Pow', 'x e', 'p'],
        ['Mul', 'p e', 'y'],
      ],
      { x: tensor([3]) },
      { initializers: initializers.slice(0, 1) },
    ),
  );
  expect(predictOnnx(shared, { x: tensor([3]) }, { e: tensor([10]) })['y']).toEqual(tensor([90]));
});

describe('reductions', () => {
  const [A, B, C] = [3, 4, 5];
  const data = normal(0, 1)([A, B, C], createRandom(3));
  const at = (a: number, b: number, c: number): number => data.data[(a * B + b) * C + c]!;
  const folds: Readonly<Record<string, (values: readonly number[]) => number>> = {
    ReduceSum: (values) => values.reduce((total, value) => total + value, 0),
    ReduceMean: (values) => values.reduce((total, value) => total + value, 0) / values.length,
    ReduceProd: (values) => values.reduce((product, value) => product * value, 1),
    ReduceMax: (values) => Math.max(...values),
    ReduceMin: (values) => Math.min(...values),
  };
  const indices = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

  describe.each(Object.entries(folds))('%s', (name, fold) => {
    const hasInput = (opset: number): boolean => opset >= (name === 'ReduceSum' ? 13 : 18);
    const reduce = (opset: number, axes: readonly number[], attributes: NonNullable<PlainNode[3]> = {}): Tensor =>
      hasInput(opset)
        ? run([[name, 'x axes', 'y', attributes]], { x: data }, { opset, initializers: [int64('axes', ...axes)] })
        : run([[name, 'x', 'y', { axes, ...attributes }]], { x: data }, { opset });

    it.each([11, 13, 18])('axes of opset %i', (opset) => {
      const overB = indices(A).flatMap((a) => indices(C).map((c) => fold(indices(B).map((b) => at(a, b, c)))));
      expect(errorOf(reduce(opset, [1]), [A, 1, C], overB)).toBeLessThan(1e-6);
      expect(errorOf(reduce(opset, [-2], { keepdims: 0 }), [A, C], overB)).toBeLessThan(1e-6);
      const overAC = indices(B).map((b) => fold(indices(A).flatMap((a) => indices(C).map((c) => at(a, b, c)))));
      expect(errorOf(reduce(opset, [0, -1], { keepdims: 0 }), [B], overAC)).toBeLessThan(1e-6);
      const all = [fold([...data.data])];
      expect(errorOf(run([[name, 'x', 'y']], { x: data }, { opset }), [1, 1, 1], all)).toBeLessThan(1e-6);
      expect(errorOf(run([[name, 'x', 'y', { keepdims: 0 }]], { x: data }, { opset }), [], all)).toBeLessThan(1e-6);
      if (hasInput(opset))
        expect(run([[name, 'x', 'y', { noop_with_empty_axes: 1 }]], { x: data }, { opset })).toEqual(data);
    });

    it('integers, and gradients', () => {
      const i = ints([2, 3], 4, -2, 3, -9, 1, 3);
      const rows = [fold([4, -2, 3]), fold([-9, 1, 3])].map(Math.trunc);
      expect([...run([[name, 'i', 'y', { axes: [1] }]], { i }, { opset: 11 }).data]).toEqual(rows);
      const options = { opset: 11, initializers: [floats('k', data.shape, [...data.data])] };
      expect(gradientError([[name, 'k', 'y', { axes: [0, 2] }]], {}, options)).toBeLessThan(1e-7);
    });
  });

  it('equal elements: the first one has the gradient; NaN is the extremum', () => {
    expect(run([['ReduceMax', 'x', 'y', { keepdims: 0 }]], { x: tensor([1, NaN, 3]) }).data[0]).toBeNaN();
    expect(() => run([['ReduceMax', 'x', 'y']], { x: { shape: [0], data: new Float32Array(0) } })).toThrow(
      'predictOnnx: ReduceMax "y": an axis of length 0 has no largest or smallest element',
    );
    expect(run([['ReduceProd', 'x', 'y']], { x: { shape: [2, 0], data: new Float32Array(0) } }).data[0]).toBe(1);
  });

  it('ArgMax and ArgMin: the first or last of equal elements, along any axis', () => {
    const m = tensor([
      [3, 1, 3],
      [0, 1, 5],
    ]);
    const argument = (name: string, attributes: NonNullable<PlainNode[3]>): Tensor =>
      run([[name, 'm', 'y', attributes]], { m });
    expect(argument('ArgMax', { axis: 1 })).toEqual(tensor([[0], [2]]));
    expect(argument('ArgMax', { axis: -1, keepdims: 0, select_last_index: 1 })).toEqual(tensor([2, 2]));
    const twice = tensor([1, NaN, NaN]);
    expect(run([['ArgMax', 'twice', 'y', { keepdims: 0 }]], { twice })).toEqual(tensor(1));
    expect(argument('ArgMin', { keepdims: 0 })).toEqual(tensor([1, 0, 0]));
    expect(argument('ArgMin', { keepdims: 0, select_last_index: 1 })).toEqual(tensor([1, 1, 0]));
    expect([...run([['ArgMax', 'i', 'y', { axis: 0 }]], { i: ints([3], 2, 7, 7) }).data]).toEqual([1]);
  });
});

describe('normalizations', () => {
  const [N, C, L] = [3, 4, 2];
  const values = normal(1, 2)([N, C, L], createRandom(8));
  const random = createRandom(9);
  const vector = (): number[] => [...normal(1, 0.3)([C], random).data];
  const [scale, bias, mean, variance] = [vector(), vector(), vector(), vector()] as [
    number[],
    number[],
    number[],
    number[],
  ];

  it.each([
    [7, {}],
    [8, { spatial: 1 }],
    [9, { epsilon: 0.01 }],
    [15, { epsilon: 0.01, momentum: 0.8 }],
  ] as const)('BatchNormalization of opset %i at inference', (opset, attributes) => {
    const initializers = Object.entries({ scale, bias, mean, variance }).map(([name, data]) => floats(name, [C], data));
    const node: PlainNode = ['BatchNormalization', 'x scale bias mean variance', 'y', attributes];
    const { epsilon = 1e-5 } = attributes as { epsilon?: number };
    const expected = Float64Array.from(values.data, (value, i) => {
      const c = Math.floor(i / L) % C;
      return ((value - mean[c]!) / Math.sqrt(variance[c]! + epsilon)) * scale[c]! + bias[c]!;
    });
    expect(errorOf(run([node], { x: values }, { opset, initializers }), [N, C, L], expected)).toBeLessThan(1e-6);
    expect(gradientError([node], { x: values }, { opset, initializers })).toBeLessThan(1e-7);
  });

  it('BatchNormalization in training mode and with wrong sizes is rejected', () => {
    const inputs = { x: values, s: tensor([1, 1]) };
    expect(() => run([['BatchNormalization', 'x s s s s', 'y', { spatial: 0 }]], inputs, { opset: 8 })).toThrow(
      'BatchNormalization "y": the attribute spatial must be 1, got 0',
    );
    expect(() => run([['BatchNormalization', 'x s s s s', 'y', { training_mode: 1 }]], inputs)).toThrow(
      'BatchNormalization "y": training_mode must be 0. Export the model for inference',
    );
    const training: PlainNode = ['BatchNormalization', 'x s s s s', 'y m v sm sv'];
    expect(() => run([training], inputs, { opset: 13 })).toThrow(
      'BatchNormalization "y": the node must have 1 output, got 5. Export the model for inference',
    );
    expect(() => run([['BatchNormalization', 'x s s s s', 'y']], inputs)).toThrow(
      'predictOnnx: BatchNormalization "y": scale must be [C] = [4], got [2].',
    );
  });

  it('LayerNorm as exported below opset 17 equals its definition', () => {
    const nodes: PlainNode[] = [
      ['ReduceMean', 'x', 'mean', { axes: [-1] }],
      ['Sub', 'x mean', 'd'],
      ['Cast', 'd', 'd32', { to: 1 }],
      ['Pow', 'd32 two', 'square'],
      ['ReduceMean', 'square', 'variance', { axes: [-1] }],
      ['Add', 'variance epsilon', 'stable'],
      ['Sqrt', 'stable', 'deviation'],
      ['Div', 'd deviation', 'normal'],
      ['Mul', 'normal gain', 'scaled'],
      ['Add', 'scaled shift', 'y'],
    ];
    const initializers = [
      floats('two', [], [2]),
      floats('epsilon', [], [1e-3]),
      floats('gain', [L], [0.5, 2]),
      floats('shift', [L], [1, -1]),
    ];
    const expected = Float64Array.from(values.data, (value, i) => {
      const row = values.data.slice(i - (i % L), i - (i % L) + L);
      const center = (row[0]! + row[1]!) / 2;
      const spread = ((row[0]! - center) ** 2 + (row[1]! - center) ** 2) / 2;
      return ((value - center) / Math.sqrt(spread + 1e-3)) * [0.5, 2][i % L]! + [1, -1][i % L]!;
    });
    expect(errorOf(run(nodes, { x: values }, { opset: 11, initializers }), [N, C, L], expected)).toBeLessThan(2e-6);
    expect(gradientError(nodes, { x: values }, { opset: 11, initializers })).toBeLessThan(1e-7);
  });
});
