/**
 * Sums over up to 1e7 elements, compared with sums in double precision, and the order of sums: a row of a product has
 * the same bits alone and in a batch.
 */

import {
  affine,
  compute,
  dense,
  gru,
  type KernelName,
  layerNormalize,
  lstm,
  mean,
  predict,
  recurrent,
  type Sequential,
  sequential,
  sum,
  type Tensor,
  useKernels,
  valueAndGradient,
} from 'bptt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Call, Kernel, Operands } from '../../src/kernels/kernel';
import * as kernelList from '../../src/kernels/list';
import { panelsSize } from '../../src/kernels/product';
import { allocate, createWorkspace, type Workspace } from '../../src/kernels/workspace';
import { engineRuns } from './engine';

const longest = 1e7;
/** The largest error of a sum, relative to the sum of the absolute values. */
const bound = 5e-6;

/** Values that differ in how rounding errors add up: those of equal values all have the same sign. */
const kinds = ['values of both signs', 'equal values'] as const;
type Values = (typeof kinds)[number];

/** Returns the value of `key`, which is created at the first call. */
function remember<T>(known: Map<string, T>, key: string, create: () => T): T {
  const value = known.get(key) ?? create();
  known.set(key, value);
  return value;
}

const drawn = new Map<string, Float32Array>();
const values = (kind: Values, seed: 1 | 2): Float32Array => remember(drawn, `${kind} ${seed}`, () => draw(kind, seed));

function draw(kind: Values, seed: number): Float32Array {
  const result = new Float32Array(longest).fill(0.1);
  let state = seed;
  if (kind === 'values of both signs')
    for (let i = 0; i < longest; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      result[i] = state / 2 ** 31 - 1;
    }
  return result;
}

/** A sum and the sum of the absolute values of its terms. */
interface Sum {
  readonly total: number;
  readonly scale: number;
}

const sums = new Map<string, Sum>();
/** @param what the name of the sum of these values, which is computed once for all kernels */
function exactSum(what: string, count: number, term: (i: number) => number): Sum {
  return remember(sums, `${what} of ${count}`, () => {
    let total = 0;
    let scale = 0;
    for (let i = 0; i < count; i++) {
      const value = term(i);
      total += value;
      scale += Math.abs(value);
    }
    return { total, scale };
  });
}

function expectSum(actual: number, { total, scale }: Sum, what: string): void {
  const error = Math.abs(actual - total) / scale;
  if (!(error <= bound)) expect.fail(`${what}: the relative error is ${error}`);
}

afterAll(() => {
  useKernels(undefined);
  for (const each of [drawn, sums, created]) each.clear();
});

describe.each((['portable', 'simd', 'relaxed', 'wide'] as const).filter(engineRuns))('%s', (name) => {
  let workspace: Workspace;
  /** Buffers of `longest` elements. */
  let x: number;
  let f: number;
  let y: number;
  let z: number;
  let u: number;
  let v: number;
  /** A buffer for small results. */
  let out: number;
  const of = <O extends Operands, R>(kernel: Kernel<O, R>): Call<O, R> => workspace.kernels.of(kernel);
  const at = (offset: number): number => workspace.memory.view[offset]!;

  beforeAll(() => {
    useKernels(name);
    workspace = createWorkspace();
    const size = longest + 8;
    // In one step, because every enlargement copies the memory.
    x = allocate(workspace, 6 * size);
    [f, y, z, u, v] = [x + size, x + 2 * size, x + 3 * size, x + 4 * size, x + 5 * size];
    out = allocate(workspace, 1024);
  });
  const fill = (offset: number, from: Float32Array | number, length = longest): void => {
    const view = workspace.memory.view.subarray(offset, offset + length);
    if (typeof from === 'number') view.fill(from);
    else view.set(from.subarray(0, length));
  };

  describe.each(kinds)('%s', (kind) => {
    // The errors of other values partly cancel, and the portable kernels sum in double precision.
    const size = kind === 'equal values' && name !== 'portable' ? longest : 1e6;
    const [left, right] = [values(kind, 1), values(kind, 2)];
    const a = (i: number): number => left[i]!;
    const b = (i: number): number => right[i]!;
    const exact = (what: string, count: number, term: (i: number) => number): Sum =>
      exactSum(`${kind}: ${what}`, count, term);
    /** The sums of the last of `n` columns of a, and of ab. */
    const columnSum = (rows: number, n = 1): Sum => exact(`a by ${n}`, rows, (r) => a(r * n + n - 1));
    const columnDot = (rows: number, n = 1): Sum =>
      exact(`ab by ${n}`, rows, (r) => a(r * n + n - 1) * b(r * n + n - 1));
    beforeAll(() => {
      fill(x, left);
      fill(f, right);
    });

    it.each([
      [1, 1],
      [1, 9],
      [7, 9],
    ])('products of %d rows and %d columns', (M, N) => {
      const K = Math.floor(size / Math.max(M, N, 8));
      const depth = M === 1 && N === 1 ? size : K;
      const check = (what: string, k: number, transposeA: boolean, transposeB: boolean): void => {
        const [i, j] = [M - 1, N - 1];
        const [rowA, depthA] = transposeA ? [1, M] : [k, 1];
        const [depthB, columnB] = transposeB ? [1, k] : [N, 1];
        const from = `A from ${i * rowA} by ${depthA}, B from ${j * columnB} by ${depthB}`;
        const expected = exact(from, k, (l) => a(i * rowA + l * depthA) * b(l * depthB + j * columnB));
        expectSum(at(out + i * N + j), expected, what);
      };
      for (const transposeA of [false, true])
        for (const transposeB of [false, true]) {
          of(kernelList.gemm)(out, x, f, M, N, depth, transposeA, transposeB, false);
          check(`gemm, ${transposeA}, ${transposeB}`, depth, transposeA, transposeB);
        }
      fill(out, 0, N);
      of(kernelList.affineRows)(out + N, x, f, out, M, N, depth);
      workspace.memory.view.copyWithin(out, out + N, out + N + M * N);
      check('affineRows', depth, false, false);
      expect(panelsSize(K, N)).toBeLessThanOrEqual(2 * longest);
      // The panels take y and z.
      of(kernelList.packPanels)(y, f, K, N, false);
      of(kernelList.gemmPacked)(out, x, y, M, N, K, false);
      check('gemmPacked', K, false, false);
    });

    it('sums of rows, over axes and of all elements', () => {
      for (const n of [1, 19]) {
        const rows = 2 * Math.floor(size / n / 2);
        fill(out, 0, 3 * n);
        of(kernelList.sumRows)(out, x, rows, n);
        of(kernelList.addStrided)(out + n, [0, 1], x, [n, 1], [rows, n]);
        // Two axes are summed, with a third one between them.
        of(kernelList.addStrided)(out + 2 * n, [0, 1, 0], x, [2 * n, 1, n], [rows >> 1, n, 2]);
        const j = n - 1;
        const expected = columnSum(rows, n);
        expectSum(at(out + j), expected, `sumRows of ${n} columns`);
        expectSum(at(out + n + j), expected, `addStrided over axis 0 of ${n} columns`);
        expectSum(at(out + 2 * n + j), expected, `addStrided over axes 0 and 2 of ${n} columns`);
      }
      fill(out, 0, 4);
      of(kernelList.addStrided)(out, [1, 0], x, [size / 2, 1], [2, size / 2]);
      of(kernelList.addStrided)(out + 2, [0, 1, 0, 0], x, [size / 2, size / 4, 2, 1], [2, 2, size / 8, 2]);
      const half = size / 2;
      expectSum(
        at(out + 1),
        exact('second half', half, (i) => a(half + i)),
        'addStrided over the last axis',
      );
      const quarter = (i: number): number => a(size / 4 + (i < size / 4 ? i : i + size / 4));
      expectSum(at(out + 3), exact('second and fourth quarter', half, quarter), 'addStrided over all axes but one');
      expectSum(of(kernelList.sumOf)(x, size), columnSum(size), 'sumOf');
      const squares = exact('a²', size, (i) => a(i) * a(i));
      expectSum(of(kernelList.sumOfSquares)(x, size), squares, 'sumOfSquares');
    });

    it('rows with the same id', () => {
      fill(y, 2, size);
      fill(out, 0, 4);
      of(kernelList.scatterAddRows)(out, x, y, size, 1);
      expectSum(at(out + 2), columnSum(size), 'scatterAddRows');
      expect([at(out), at(out + 1), at(out + 3)]).toEqual([0, 0, 0]);
    });

    it('the exponentials of softmax, log-softmax and cross-entropy', () => {
      const { total } = exact('exp(a)', size, (i) => Math.exp(a(i)));
      const log = Math.log(total);
      of(kernelList.softmaxRows)(y, x, 1, size);
      for (const i of [0, 1, size - 1])
        expectSum(at(y + i), { total: Math.exp(a(i)) / total, scale: Math.exp(a(i)) / total }, 'softmax');
      of(kernelList.logSoftmaxRows)(y, x, 1, size);
      for (const i of [0, 1, size - 1]) expectSum(at(y + i), { total: a(i) - log, scale: 1 }, 'log-softmax');
      fill(out + 1, 5, 1);
      of(kernelList.crossEntropyRows)(out, y, x, out + 1, 1, size);
      expectSum(at(out), { total: log - a(5), scale: 1 }, 'cross-entropy');
      expectSum(at(y), { total: Math.exp(a(0)) / total, scale: Math.exp(a(0)) / total }, 'probabilities');
    });

    it('the gradients of softmax and log-softmax', () => {
      // dx += y · (dy − Σ dy·y) and dx += dy − eʸ · Σ dy, with dy = x, and y = f or 0.
      fill(y, 0);
      of(kernelList.softmaxRowsBackward)(y, x, f, 1, size);
      const dot = columnDot(size);
      for (const i of [0, size - 1])
        expectSum(at(y + i), { total: b(i) * (a(i) - dot.total), scale: b(i) * dot.scale }, 'softmax');
      fill(y, 0);
      fill(z, 0);
      of(kernelList.logSoftmaxRowsBackward)(y, x, z, 1, size);
      const plain = columnSum(size);
      for (const i of [0, size - 1])
        expectSum(at(y + i), { total: a(i) - plain.total, scale: plain.scale }, 'log-softmax');
    });

    it('the mean, the variance and the gradients of layer normalization', () => {
      fill(f, 1);
      fill(z, 0);
      of(kernelList.normalizeRows)(y, y, out, x, f, z, 1e-5, 1, size);
      const average = columnSum(size).total / size;
      const variance = exact('(a − average)²', size, (i) => (a(i) - average) ** 2).total / size;
      const slope = 1 / Math.sqrt(variance + 1e-5);
      expectSum(at(out), { total: slope, scale: slope }, 'slope');
      for (const i of [0, 1, size - 1]) expectSum(at(y + i), { total: (a(i) - average) * slope, scale: 1 }, 'normal');

      // The gradients of the gain and the bias over many rows.
      fill(f, right);
      fill(out, 1, 1024);
      for (const n of [1, 5]) {
        const rows = size / n;
        fill(out, 0, 2 * n);
        fill(z, 1);
        of(kernelList.normalizeRowsBackward)(y, out, out + n, x, f, z, out + 512, rows, n);
        expectSum(at(out + n - 1), columnDot(rows, n), 'dgain');
        expectSum(at(out + 2 * n - 1), columnSum(rows, n), 'dbias');
      }
      // The gradient of x over one row, with a gain and a slope of 1.
      fill(z, 1);
      fill(y, 0);
      fill(out, 1, 1);
      of(kernelList.normalizeRowsBackward)(y, u, v, x, f, out, z, 1, size);
      const along = columnDot(size).total / size;
      const expected = a(3) - average - b(3) * along;
      expectSum(at(y + 3), { total: expected, scale: 1 }, 'dx');
    });
  });

  describe('through public functions', () => {
    const size = longest;
    const [x, tenth] = [values('values of both signs', 1), values('equal values', 1)];
    const average = exactSum(`${kinds[0]}: a by 1`, size, (i) => x[i]!).total / size;

    it('the gradients of affine over 1e7 rows of one input', () => {
      useKernels(name);
      const parameters: Record<'weight' | 'bias', Tensor> = {
        weight: { shape: [1, 1], data: Float32Array.of(0.5) },
        bias: { shape: [1], data: Float32Array.of(0.25) },
      };
      const { value, gradient } = valueAndGradient(parameters, (p) =>
        mean(affine({ shape: [1000, size / 1000, 1], data: x }, p)),
      );
      expectSum(value, { total: 0.5 * average + 0.25, scale: 0.5 * average + 0.25 }, 'mean');
      expectSum(gradient.weight.data[0]!, { total: average, scale: average }, 'weight');
      expectSum(gradient.bias.data[0]!, { total: 1, scale: 1 }, 'bias');
    });

    it('sums, means and layer normalization over 1e7 elements', () => {
      useKernels(name);
      const [column, row] = [
        { shape: [size, 1], data: tenth },
        { shape: [1, size], data: x },
      ];
      const { total } = exactSum(`${kinds[1]}: a by 1`, size, (i) => tenth[i]!);
      expectSum(compute({ column }, (p) => sum(p.column, 0)).data[0]!, { total, scale: total }, 'sum');
      expectSum(compute({ row }, (p) => mean(p.row, -1)).data[0]!, { total: average, scale: 0.5 }, 'mean');
      const normal = compute({ row }, (p) => layerNormalize(p.row)).data;
      const squares = exactSum(`${kinds[0]}: (a − average)²`, size, (i) => (x[i]! - average) ** 2).total;
      const deviation = Math.sqrt(squares / size + 1e-5);
      for (const i of [0, size - 1])
        expectSum(normal[i]!, { total: (x[i]! - average) / deviation, scale: 1 }, 'layerNormalize');
    });
  });
});

const created = new Map<string, readonly Sequential[]>();
const modelsOf = (inputSize: number): readonly Sequential[] =>
  remember(created, String(inputSize), () =>
    [
      [recurrent(lstm(), { hiddenSize: 5 }), dense({ size: 3 })],
      [recurrent(gru(), { hiddenSize: 3 })],
      ...(inputSize <= 512 ? [[recurrent(lstm(), { hiddenSize: inputSize }), dense({ size: 2 })]] : []),
    ].map((layers) => sequential(layers, { inputSize, seed: 1 })),
  );

describe.each((['portable', 'simd', 'relaxed', 'wide'] as const).filter(engineRuns))(
  '%s: a row has the same bits alone and in a batch',
  (name: KernelName) => {
    const depths = [0, 1, 5, 255, 256, 257, 512, 1000, 5000, 70_000];
    const source = values('values of both signs', 2);

    it.each(depths)('in a product, K = %d', (K) => {
      useKernels(name);
      for (const [M, N] of [
        [8, 1],
        [3, 9],
        [37, K < 6000 ? 45 : 5],
      ] as const) {
        const workspace = createWorkspace();
        const { kernels } = workspace;
        const [a, transposed, b, bias, together, alone, panels] = [
          M * K,
          M * K,
          K * N,
          N,
          M * N,
          N,
          panelsSize(K, N),
        ].map((length) => allocate(workspace, length)) as [number, number, number, number, number, number, number];
        const m = workspace.memory.view;
        for (let i = a; i < together; i++) m[i] = source[i % 1_000_003]!;
        for (let i = 0; i < M; i++) for (let k = 0; k < K; k++) m[transposed + k * M + i] = m[a + i * K + k]!;
        const [multiply, multiplyPacked] = [kernels.of(kernelList.gemm), kernels.of(kernelList.gemmPacked)];
        const bits = (offset: number): number[] => Array.from(new Uint32Array(m.slice(offset, offset + N).buffer));
        const compare = (what: string, all: () => void, one: (row: number) => void): void => {
          m.fill(0.5, together, together + M * N);
          all();
          for (const row of [0, 1, M - 1]) {
            m.fill(0.5, alone, alone + N);
            one(row);
            expect(bits(alone), `${what}, ${M}×${N}, row ${row}`).toEqual(bits(together + row * N));
          }
        };
        for (const accumulate of [false, true])
          for (const transposeB of [false, true]) {
            const one = (row: number): void => multiply(alone, a + row * K, b, 1, N, K, false, transposeB, accumulate);
            const what = `${transposeB}, ${accumulate}`;
            compare(`gemm, ${what}`, () => multiply(together, a, b, M, N, K, false, transposeB, accumulate), one);
            compare(`Aᵀ, ${what}`, () => multiply(together, transposed, b, M, N, K, true, transposeB, accumulate), one);
            kernels.of(kernelList.packPanels)(panels, b, K, N, transposeB);
            const packed = (c: number, from: number, rows: number): void =>
              multiplyPacked(c, from, panels, rows, N, K, accumulate);
            compare(
              `packed, ${what}`,
              () => packed(together, a, M),
              (row) => packed(alone, a + row * K, 1),
            );
            compare(`packed and not, ${what}`, () => packed(together, a, M), one);
          }
        const affineOf = kernels.of(kernelList.affineRows);
        compare(
          'affine',
          () => affineOf(together, a, b, bias, M, N, K),
          (row) => affineOf(alone, a + row * K, b, bias, 1, N, K),
        );
        const affinePackedOf = kernels.of(kernelList.affinePacked);
        kernels.of(kernelList.packPanels)(panels, b, K, N, false);
        compare(
          'packed affine and not',
          () => affinePackedOf(together, a, panels, bias, M, N, K),
          (row) => affineOf(alone, a + row * K, b, bias, 1, N, K),
        );
        compare(
          'packed affine',
          () => affinePackedOf(together, a, panels, bias, M, N, K),
          (row) => affinePackedOf(alone, a + row * K, panels, bias, 1, N, K),
        );
      }
    });

    it.each(depths.filter((depth) => depth > 0 && depth < 10_000))('in predict, with %d inputs', (inputSize) => {
      useKernels(name);
      const models = modelsOf(inputSize);
      const [T, B] = [3, 8];
      const inputs = source.slice(0, T * B * inputSize);
      for (const model of models) {
        const together = predict(model, { shape: [T, B, inputSize], data: inputs });
        const size = together.shape[2]!;
        for (const row of [0, 3, 7]) {
          const at = (t: number): number => (t * B + row) * inputSize;
          const data = Float32Array.from([0, 1, 2].flatMap((t) => [...inputs.subarray(at(t), at(t) + inputSize)]));
          const alone = predict(model, { shape: [T, 1, inputSize], data });
          for (let t = 0; t < T; t++) {
            const expected = together.data.subarray((t * B + row) * size, (t * B + row + 1) * size);
            expect(Array.from(alone.data.subarray(t * size, (t + 1) * size))).toEqual(Array.from(expected));
          }
        }
      }
    });
  },
);
