/** The gradients of all operations and losses, compared with finite differences in double precision. */

import {
  abs,
  add,
  affine,
  batchedMatmul,
  binaryCrossEntropy,
  broadcastTo,
  checkGradients,
  compute,
  concat,
  createRandom,
  crossEntropy,
  divide,
  exp,
  full,
  gather,
  huber,
  huberize,
  intTensor,
  layerNormalize,
  leakyRelu,
  log,
  logSoftmax,
  mask,
  matmul,
  mean,
  meanAbsoluteError,
  meanSquaredError,
  multiply,
  normalNumber,
  relu,
  reshape,
  scale,
  sigmoid,
  slice,
  softmax,
  softplus,
  sqrt,
  stack,
  stopGradient,
  subtract,
  sum,
  type Tensor,
  tanh,
  tensor,
  transpose,
  uniformNumber,
  type Variable,
  valueAndGradient,
} from 'bptt';
import { expect, it } from 'vitest';

type P = Record<'a' | 'b' | 'row' | 'column' | 'positive' | 'matrix' | 'cube', Variable>;

function random(seed: number, shape: number[], positive = false): Tensor {
  const generator = createRandom(seed);
  const size = shape.reduce((n, length) => n * length, 1);
  return tensor(
    Float32Array.from({ length: size }, () => (positive ? uniformNumber(generator, 0.5, 2) : normalNumber(generator))),
    shape,
  );
}

const parameters = {
  a: random(1, [3, 4]),
  b: random(2, [3, 4]),
  row: random(3, [4]),
  column: random(4, [3, 1]),
  positive: random(5, [3, 4], true),
  matrix: random(6, [4, 5]),
  cube: random(7, [2, 3, 4]),
};
const keep = tensor([1, 0, 1]);
const targets = intTensor([3, 0, 2]);
const probabilities = tensor(
  Float32Array.from({ length: 12 }, (_, i) => (i % 5) / 4),
  [3, 4],
);

const operations: Record<string, (p: P) => Variable> = {
  add: (p) => add(p.a, p.b),
  'add, broadcast': (p) => add(p.row, p.column),
  subtract: (p) => subtract(p.a, p.b),
  'subtract, broadcast': (p) => subtract(p.cube, p.row),
  multiply: (p) => multiply(p.a, p.b),
  'multiply with itself': (p) => multiply(p.a, p.a),
  'multiply, broadcast': (p) => multiply(p.column, p.cube),
  divide: (p) => divide(p.a, p.positive),
  'divide a constant': (p) => divide(2, p.positive),
  'divide, broadcast': (p) => divide(p.row, p.positive),
  scale: (p) => scale(p.a, -1.5),
  broadcastTo: (p) => broadcastTo(p.row, [2, 3, 4]),
  exp: (p) => exp(p.a),
  log: (p) => log(p.positive),
  sqrt: (p) => sqrt(p.positive),
  abs: (p) => abs(p.a),
  tanh: (p) => tanh(p.a),
  sigmoid: (p) => sigmoid(p.a),
  relu: (p) => relu(p.a),
  leakyRelu: (p) => leakyRelu(p.a, 0.2),
  softplus: (p) => softplus(p.a),
  huberize: (p) => huberize(p.a, 0.7),
  softmax: (p) => softmax(p.cube),
  logSoftmax: (p) => logSoftmax(p.a),
  matmul: (p) => matmul(p.cube, p.matrix),
  batchedMatmul: (p) => batchedMatmul(p.cube, reshape(concat([p.cube, p.cube], 1), [2, 4, 6])),
  'batchedMatmul, transposed': (p) => batchedMatmul(p.cube, concat([p.cube, p.cube], 1), { transposeB: true }),
  'sum over all axes': (p) => sum(p.cube),
  'sum over two axes': (p) => sum(p.cube, [0, -1]),
  'sum over the middle axis': (p) => sum(p.cube, 1),
  mean: (p) => mean(p.cube, [0, 1]),
  layerNormalize: (p) => layerNormalize(p.cube),
  'layerNormalize with gain and bias': (p) =>
    layerNormalize(p.cube, { gain: p.row, bias: reshape(slice(p.a, 1, 2), [4]), epsilon: 0.1 }),
  reshape: (p) => reshape(p.cube, [4, -1]),
  transpose: (p) => transpose(p.cube, [2, 0, 1]),
  'slice along the first axis': (p) => slice(p.cube, 1, 2),
  'slice along the last axis': (p) => slice(p.cube, -3, -1, 2),
  concat: (p) => concat([p.a, p.b, p.a]),
  'concat along the last axis': (p) => concat([p.a, p.column], 1),
  stack: (p) => stack([p.a, p.b], 1),
  gather: (p) =>
    gather(
      p.a,
      intTensor([
        [2, 0],
        [2, 2],
      ]),
    ),
  mask: (p) => mask(p.a, keep),
  stopGradient: (p) => multiply(p.a, stopGradient(full([3, 4], 2))),
  'a view and its source': (p) => add(slice(p.a, 0, 1), sum(p.a, 0)),
  crossEntropy: (p) => crossEntropy(p.a, targets),
  'crossEntropy, masked': (p) => crossEntropy(p.a, targets, { mask: keep }),
  'crossEntropy, unreduced': (p) => crossEntropy(p.a, targets, { reduction: 'none' }),
  binaryCrossEntropy: (p) => binaryCrossEntropy(p.a, probabilities),
  meanSquaredError: (p) => meanSquaredError(p.a, p.b),
  'meanSquaredError, rows masked': (p) => meanSquaredError(p.a, p.b, { mask: keep }),
  meanAbsoluteError: (p) => meanAbsoluteError(p.a, p.b, { reduction: 'sum' }),
  huber: (p) => huber(p.a, p.b, { delta: 0.5 }),
};
operations['affine'] = (p) => affine(p.cube, { weight: p.matrix, bias: slice(concat([p.row, p.row]), 0, 5) });

it.each(Object.entries(operations))('%s: the gradient is within 1e-6 of finite differences', (_, operation) => {
  // Unequal weights give every element of the output a different gradient.
  const { error, worst } = checkGradients(parameters, (p) => {
    const y = operation(p);
    return sum(multiply(y, random(99, [...y.shape])));
  });
  expect(error, JSON.stringify(worst)).toBeLessThan(1e-6);
});

it('checkGradients returns the largest error of a wrong gradient, and its element', () => {
  // The gradient of w · stopGradient(w) is w, that of its value 2w: the error is |w| / max(1, 2|w|).
  const wrong = (w: number[]) => checkGradients({ w: tensor(w) }, (p) => sum(multiply(p.w, stopGradient(p.w))));
  const { error, worst, checked } = wrong([0.25, 3, -0.25]);
  expect(error).toBeCloseTo(0.5, 6);
  expect(worst).toEqual({ path: 'w', index: 1, analytic: 3, numeric: expect.closeTo(6, 6) });
  expect(checked).toBe(3);
  // With NaN, all errors are NaN; the first one is kept.
  expect(wrong([3, NaN, 0.25])).toMatchObject({ error: NaN, worst: { index: 0 } });
});

it('checkGradients rejects a step of 0 and a function without a scalar', () => {
  const w = { w: tensor([3]) };
  expect(() => checkGradients(w, (p) => sum(p.w), { step: 0 })).toThrow('checkGradients: step must be a finite number');
  expect(() => checkGradients(w, (p) => ({ value: sum(p.w), results: p }) as never)).toThrow(
    'checkGradients: the result of the function must be a scalar variable',
  );
});

it('concat rejects parts whose other axes have other lengths', () => {
  expect(() => compute({}, () => concat([full([2, 3], 1), full([2, 4], 1)]))).toThrow(
    'concat: parts[1] must be like parts[0] = [*, 3], got [2, 4].',
  );
});

it('mask rejects a mask that does not match the leading axes', () => {
  expect(() => compute({ x: full([1, 2], 1) }, (p) => mask(p.x, full([3, 1], 1)))).toThrow(
    'mask: keep must be [1, 2], the leading axes of x, got [3, 1].',
  );
});

it('leakyRelu has a slope of 0.01 by default', () => {
  expect(compute({ x: tensor([-3, 0, 2]) }, (p) => leakyRelu(p.x))).toEqual(tensor([-0.03, 0, 2]));
});

it('every operation has a nonzero gradient', () => {
  for (const [name, operation] of Object.entries(operations)) {
    if (name === 'stopGradient') continue;
    const { gradient } = valueAndGradient(parameters, (p) => {
      const y = operation(p);
      return sum(multiply(y, random(98, [...y.shape])));
    });
    expect(
      Object.values(gradient).some(({ data }) => data.some((value) => value !== 0)),
      name,
    ).toBe(true);
  }
});

it('stopGradient passes the value but no gradient', () => {
  const { value, gradient } = valueAndGradient({ w: tensor([3]) }, (p) => sum(multiply(p.w, stopGradient(p.w))));
  expect(value).toBe(9);
  expect([...gradient.w.data]).toEqual([3]);
});
