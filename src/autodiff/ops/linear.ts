/** Matrix products. */

import { sumRows } from '../../kernels/linear';
import { affinePacked, affineRows, gemm, gemmPacked } from '../../kernels/product';
import { checkNames, checkObject, checkShape, lengthAt, sizeOf } from '../../tensor/shape';
import { gradientIfTracked, gradientOf, type Operand, operand, record, result, type Variable } from '../tape';

/**
 * Multiplies a tensor by a matrix along its last axis: `[…, K] × [K, N]` → `[…, N]`.
 *
 * @throws RangeError if b is not a matrix, or the inner lengths differ
 * @example
 * compute({ a: tensor([[1, 2]]), b: tensor([[3], [4]]) }, ({ a, b }) => matmul(a, b)).data; // Float32Array [11]
 */
export function matmul(a: Operand, b: Operand): Variable {
  const left = operand('matmul', a, 'a');
  const right = operand('matmul', b, 'b');
  const inner = lengthAt('matmul', 'a', left.shape, -1);
  checkShape('matmul', 'b', right.shape, '[K, N]', [inner, undefined]);
  return product(left, right);
}

/** Options of {@link batchedMatmul}. */
export interface BatchedOptions {
  /** Whether b is transposed: `[B, N, K]` instead of `[B, K, N]`. Default false. */
  readonly transposeB?: boolean | undefined;
}

/**
 * Multiplies the matrices of two batches: `[B, M, K] × [B, K, N]` → `[B, M, N]`.
 *
 * @throws RangeError if the shapes do not match
 * @example
 * const [a, b] = [full([2, 3, 4], 1), full([2, 5, 4], 1)];
 * compute({ a, b }, (p) => batchedMatmul(p.a, p.b, { transposeB: true })).shape; // [2, 3, 5]
 */
export function batchedMatmul(a: Operand, b: Operand, options: BatchedOptions = {}): Variable {
  checkNames('batchedMatmul', 'options', options, ['transposeB']);
  const { transposeB = false } = options;
  const left = operand('batchedMatmul', a, 'a');
  const right = operand('batchedMatmul', b, 'b');
  checkShape('batchedMatmul', 'a', left.shape, '[B, M, K]', [undefined, undefined, undefined]);
  const [B, M, K] = left.shape as [number, number, number];
  if (transposeB) checkShape('batchedMatmul', 'b', right.shape, '[B, N, K]', [B, undefined, K]);
  else checkShape('batchedMatmul', 'b', right.shape, '[B, K, N]', [B, K, undefined]);
  const N = right.shape[transposeB ? 1 : 2]!;
  const y = result([B, M, N], [left, right]);
  const multiply = left.storage.scope.kernels.of(gemm);
  for (let i = 0; i < B; i++)
    multiply(
      y.offset + i * M * N,
      left.offset + i * M * K,
      right.offset + i * K * N,
      M,
      N,
      K,
      false,
      transposeB,
      false,
    );
  record([y], () => {
    const dy = gradientOf(y);
    const [da, db] = [left, right].map(gradientIfTracked);
    for (let i = 0; i < B; i++) {
      const d = dy + i * M * N;
      const x = left.offset + i * M * K;
      const w = right.offset + i * K * N;
      if (da !== undefined) multiply(da + i * M * K, d, w, M, K, N, false, !transposeB, true);
      if (db !== undefined && transposeB) multiply(db + i * K * N, d, x, N, K, M, true, false, true);
      if (db !== undefined && !transposeB) multiply(db + i * K * N, x, d, K, N, M, true, false, true);
    }
  });
  return y;
}

/** The parameters of {@link affine}. */
export interface AffineParameters {
  /** The weight matrix, `[I, O]`. */
  readonly weight: Operand;
  /** The bias, `[O]`. Default: none. */
  readonly bias?: Operand | undefined;
}

/**
 * Computes y = x W + b along the last axis: `[…, I]` → `[…, O]`.
 *
 * @param x `[…, I]`
 * @param parameters `weight [I, O]` and, optionally, `bias [O]`
 * @throws RangeError if the shapes do not match
 * @example
 * const parameters = { weight: tensor([[1, 2], [3, 4]]), bias: tensor([10, 20]) };
 * compute(parameters, (p) => affine(tensor([1, 1]), p)).data; // Float32Array [14, 26]
 */
export function affine(x: Operand, parameters: AffineParameters): Variable {
  checkObject('affine', 'parameters', parameters);
  const { weight, bias } = parameters;
  const input = operand('affine', x);
  const matrix = operand('affine', weight, 'weight');
  const inner = lengthAt('affine', 'x', input.shape, -1);
  checkShape('affine', 'weight', matrix.shape, '[I, O]', [inner, undefined]);
  if (bias === undefined) return product(input, matrix);
  const vector = operand('affine', bias, 'bias');
  checkShape('affine', 'bias', vector.shape, '[O]', [matrix.shape[1]]);
  return product(input, matrix, vector);
}

function product(x: Variable, weight: Variable, bias?: Variable): Variable {
  const sources = bias === undefined ? [x, weight] : [x, weight, bias];
  const y = result([...x.shape.slice(0, -1), weight.shape[1]!], sources);
  affineInto(y.offset, x, weight, bias);
  record([y], () => affineBackward(gradientOf(y), x, weight, bias));
  return y;
}

/** Computes x W + b, or x W, into the buffer `y [M, N]`, where x is `[…, K]` with M rows. */
export function affineInto(y: number, x: Variable, weight: Variable, bias?: Variable): void {
  const k = x.storage.scope.kernels;
  const [M, K, N] = affineSizes(x, weight);
  const panels = weight.panels;
  if (panels !== undefined) {
    if (bias === undefined) k.of(gemmPacked)(y, x.offset, panels, M, N, K, false);
    else k.of(affinePacked)(y, x.offset, panels, bias.offset, M, N, K);
  } else if (bias === undefined) k.of(gemm)(y, x.offset, weight.offset, M, N, K, false, false, false);
  else k.of(affineRows)(y, x.offset, weight.offset, bias.offset, M, N, K);
}

/** Adds to the gradients of x, W and b, given the gradient `dy [M, N]` of the result of {@link affineInto}. */
export function affineBackward(dy: number, x: Variable, weight: Variable, bias?: Variable): void {
  const k = x.storage.scope.kernels;
  const [M, K, N] = affineSizes(x, weight);
  if (x.storage.tracked) k.of(gemm)(gradientOf(x), dy, weight.offset, M, K, N, false, true, true);
  if (weight.storage.tracked) k.of(gemm)(gradientOf(weight), x.offset, dy, K, N, M, true, false, true);
  if (bias?.storage.tracked) k.of(sumRows)(gradientOf(bias), dy, M, N);
}

function affineSizes({ shape }: Variable, weight: Variable): readonly [M: number, K: number, N: number] {
  const [K, N] = weight.shape as [number, number];
  return [sizeOf(shape.slice(0, -1)), K, N];
}
