/** MatMul and Gemm. */

import { add, broadcastTo, scale } from '../../autodiff/ops/arithmetic';
import { affine, batchedMatmul, matmul } from '../../autodiff/ops/linear';
import { reshape, transpose } from '../../autodiff/ops/movement';
import type { Variable } from '../../autodiff/tape';
import { broadcastShapes, sizeOf } from '../../tensor/shape';
import { attribute, type Operator, takes } from './node-reader';

/** The product of NumPy: vectors stand for a row or a column, and leading axes are broadcast. */
export const product: Operator = (reader) => {
  takes(reader, ['float', 'float']);
  return { kind: 'float', run: ([a, b]) => [multiply(a as Variable, b as Variable)] };
};

function multiply(a: Variable, b: Variable): Variable {
  if (a.shape.length === 0 || b.shape.length === 0) throw new RangeError('a scalar has no product with a matrix');
  if (b.shape.length === 1) return without(multiply(a, reshape(b, [b.size, 1])), -1);
  if (a.shape.length === 1) return without(multiply(reshape(a, [1, a.size]), b), -2);
  const [K, N] = b.shape.slice(-2) as [number, number];
  if (sizeOf(b.shape.slice(0, -2)) === 1 && a.shape.length >= b.shape.length) return matmul(a, reshape(b, [K, N]));
  const leading = broadcastShapes('MatMul', a.shape.slice(0, -2), b.shape.slice(0, -2));
  const batch = (x: Variable): Variable =>
    reshape(broadcastTo(x, [...leading, ...x.shape.slice(-2)]), [sizeOf(leading), ...x.shape.slice(-2)]);
  const y = batchedMatmul(batch(a), batch(b));
  return reshape(y, [...leading, ...y.shape.slice(1)]);
}

const without = (x: Variable, axis: -1 | -2): Variable =>
  reshape(
    x,
    x.shape.filter((_, i) => i !== x.shape.length + axis),
  );

/** alpha · A B + beta · C, with A and B turned where it is said. */
export const gemm: Operator = (reader) => {
  takes(reader, ['float', 'float', 'float?']);
  const [alpha = 1, beta = 1] = ['alpha', 'beta'].map((name) => attribute(reader, name, 'float'));
  const [turnA, turnB] = ['transA', 'transB'].map((name) => (attribute(reader, name, 'int') ?? 0) !== 0);
  const turned = (x: Variable, turn: boolean | undefined): Variable => {
    if (x.shape.length !== 2) throw new RangeError(`A and B must be matrices, got [${x.shape.join(', ')}]`);
    return turn ? transpose(x) : x;
  };
  return {
    kind: 'float',
    run(values) {
      const [a, b, c] = values as readonly [Variable, Variable, Variable?];
      const [x, weight] = [turned(a, turnA), turned(b, turnB)];
      if (c?.shape.length === 1 && c.size === weight.shape[1] && alpha === 1 && beta === 1)
        return [affine(x, { weight, bias: c })];
      const y = alpha === 1 ? matmul(x, weight) : scale(matmul(x, weight), alpha);
      return [c === undefined ? y : add(y, beta === 1 ? c : scale(c, beta))];
    },
  };
};
