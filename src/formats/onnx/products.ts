/** MatMul and Gemm. */

import { add, broadcastTo, scale } from '../../autodiff/ops/arithmetic';
import { affine, batchedMatmul, matmul } from '../../autodiff/ops/linear';
import { reshape, transpose } from '../../autodiff/ops/movement';
import type { Variable } from '../../autodiff/tape';
import { broadcastShapes, formatShape, sizeOf } from '../../tensor/shape';
import { checkInputs, consumeAttribute, consumeFlag, type Operator } from './node-reader';
import { checkResultShape } from './run-limit';

/** The matrix product of NumPy: a vector is a row or a column, and leading axes are broadcast. */
export const matmulOperator: Operator = (reader) => {
  checkInputs(reader, ['float', 'float']);
  return { kind: 'float', run: ([a, b]) => [multiply(a as Variable, b as Variable)] };
};

function multiply(a: Variable, b: Variable): Variable {
  if (a.shape.length === 0 || b.shape.length === 0) throw new RangeError('the operands of MatMul must not be scalars');
  if (b.shape.length === 1) return withoutAxis(multiply(a, reshape(b, [b.size, 1])), -1);
  if (a.shape.length === 1) return withoutAxis(multiply(reshape(a, [1, a.size]), b), -2);
  const [K, N] = b.shape.slice(-2) as [number, number];
  checkResultShape([...a.shape.slice(0, -1), N]);
  if (sizeOf(b.shape.slice(0, -2)) === 1 && a.shape.length >= b.shape.length) return matmul(a, reshape(b, [K, N]));
  const leading = broadcastShapes('MatMul', a.shape.slice(0, -2), b.shape.slice(0, -2));
  const batch = (x: Variable): Variable =>
    reshape(broadcastTo(x, checkResultShape([...leading, ...x.shape.slice(-2)])), [
      sizeOf(leading),
      ...x.shape.slice(-2),
    ]);
  checkResultShape([...leading, a.shape[a.shape.length - 2]!, N]);
  const y = batchedMatmul(batch(a), batch(b));
  return reshape(y, [...leading, ...y.shape.slice(1)]);
}

/** Removes an axis of length 1, counted from the end. */
const withoutAxis = (x: Variable, axis: -1 | -2): Variable =>
  reshape(
    x,
    x.shape.filter((_, i) => i !== x.shape.length + axis),
  );

/** alpha · A B + beta · C, with A and B transposed if `transA` and `transB` are set. */
export const gemmOperator: Operator = (reader) => {
  checkInputs(reader, ['float', 'float', 'float?']);
  const alpha = consumeAttribute(reader, 'alpha', 'float') ?? 1;
  const beta = consumeAttribute(reader, 'beta', 'float') ?? 1;
  const transposesA = consumeFlag(reader, 'transA');
  const transposesB = consumeFlag(reader, 'transB');
  const matrix = (name: string, x: Variable, transposes: boolean): Variable => {
    if (x.shape.length !== 2) throw new RangeError(`${name} must be a matrix, got ${formatShape(x.shape)}`);
    return transposes ? transpose(x) : x;
  };
  return {
    kind: 'float',
    run(values) {
      const [a, b, c] = values as readonly [Variable, Variable, Variable?];
      const x = matrix('A', a, transposesA);
      const weight = matrix('B', b, transposesB);
      const shape = [x.shape[0]!, weight.shape[1]!];
      checkResultShape(c === undefined ? shape : broadcastShapes('Gemm', shape, c.shape));
      if (c?.shape.length === 1 && c.size === weight.shape[1] && alpha === 1 && beta === 1)
        return [affine(x, { weight, bias: c })];
      const y = alpha === 1 ? matmul(x, weight) : scale(matmul(x, weight), alpha);
      return [c === undefined ? y : add(y, beta === 1 ? c : scale(c, beta))];
    },
  };
};
