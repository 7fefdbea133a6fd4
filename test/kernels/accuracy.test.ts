/** Functions of one variable over all of single precision: errors in units in the last place (ulp), and ranges. */

import { customModel, type Dataset, fit, log, scale, sgd, sigmoid, tensor, useKernels } from 'bptt';
import { afterAll, describe, expect, it } from 'vitest';
import { gruCell, lstmCell } from '../../src/kernels/cells';
import { exponential, hyperbolicTangent, logarithm, sigmoidal, softplusOf } from '../../src/kernels/elementwise';
import { allocate, createWorkspace } from '../../src/kernels/workspace';
import { engineRuns } from './engine';

afterAll(() => useKernels(undefined));

/** 1 / (1 + e⁻ˣ) in double precision, without cancellation or overflow. */
const logistic = (x: number): number => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)));
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** A million values with 2,048 of each sign and exponent, subnormal and infinite values and NaN among them. */
const everyExponent = new Float32Array(
  Uint32Array.from({ length: 2 ** 20 }, (_, i) => ((i << 12) | ((i * 2_654_435_761) >>> 20)) >>> 0).buffer,
);
/** 2¹⁸ values from −105 to 105, where the functions change. */
const aroundZero = Float32Array.from({ length: 2 ** 18 }, (_, i) => (i - 2 ** 17) / 1250);

/** The distance between neighboring floats of this size. */
function spacing(value: number): number {
  const magnitude = Math.abs(Math.fround(value));
  return magnitude < 2 ** -126 ? 2 ** -149 : 2 ** (Math.floor(Math.log2(magnitude)) - 23);
}

/** The largest error, in ulp, NaN included. */
function largestError(x: Float32Array, y: Float32Array, exact: (x: number) => number): { ulp: number; at: number } {
  let largest = { ulp: 0, at: NaN };
  x.forEach((value, i) => {
    const expected = exact(value);
    const rounded = Math.fround(expected);
    const isSame = y[i] === rounded || (Number.isNaN(y[i]!) && Number.isNaN(rounded));
    const ulp = isSame ? 0 : Math.abs(y[i]! - expected) / spacing(expected);
    // The negated comparison lets NaN through.
    if (!(ulp <= largest.ulp)) largest = { ulp, at: value };
  });
  return largest;
}

/** Runs the forward kernel of a cell of one row on pre-activations `[blocks, n]`. Returns the activations. */
function gates(cell: 'lstm' | 'gru', x: Float32Array): Float32Array {
  const [workspace, n, blocks] = [createWorkspace(), x.length, cell === 'lstm' ? 4 : 3];
  const { kernels, memory } = workspace;
  const [preActivations, zeros] = [allocate(workspace, blocks * n), allocate(workspace, 3 * n)];
  const [h, c, saved] = [allocate(workspace, n), allocate(workspace, n), allocate(workspace, n)];
  memory.view.fill(0, zeros, zeros + 3 * n);
  for (let block = 0; block < blocks; block++) memory.view.set(x, preActivations + block * n);
  if (cell === 'lstm') kernels.of(lstmCell)(h, c, saved, preActivations, zeros, 1, n);
  else kernels.of(gruCell)(h, saved, preActivations, zeros, zeros, zeros, 1, n);
  return Float32Array.from(memory.view.subarray(preActivations, preActivations + blocks * n));
}

describe.each((['portable', 'simd', 'relaxed', 'wide'] as const).filter(engineRuns))('%s', (name) => {
  it.each([
    ['tanh', hyperbolicTangent, Math.tanh, [-1, 1]],
    ['sigmoid', sigmoidal, logistic, [0, 1]],
    ['exp', exponential, Math.exp, [0, Infinity]],
    ['log', logarithm, Math.log, [-Infinity, Infinity]],
    ['softplus', softplusOf, softplus, [0, Infinity]],
  ] as const)('%s is within 4 ulp and in its range for every exponent', (_, kernel, exact, [low, high]) => {
    useKernels(name);
    for (const x of [everyExponent, aroundZero]) {
      const workspace = createWorkspace();
      const [y, at] = [allocate(workspace, x.length), allocate(workspace, x.length)];
      workspace.memory.view.set(x, at);
      workspace.kernels.of(kernel)(y, at, x.length);
      const results = Float32Array.from(workspace.memory.view.subarray(y, y + x.length));
      expect(results.findIndex((result) => result < low || result > high)).toBe(-1);
      const { ulp, at: worst } = largestError(x, results, exact);
      expect(ulp, `at ${worst}`).toBeLessThanOrEqual(4);
    }
  });

  it.each(['lstm', 'gru'] as const)(
    'the gates of %s are within 4 ulp and in their range for every exponent',
    (cell) => {
      useKernels(name);
      for (const x of [everyExponent, aroundZero]) {
        const n = x.length;
        const activations = gates(cell, x);
        for (let block = 0; block < activations.length / n; block++) {
          const results = activations.subarray(block * n, (block + 1) * n);
          const isCandidate = block === 2;
          expect(results.findIndex((result) => result < (isCandidate ? -1 : 0) || result > 1)).toBe(-1);
          const { ulp, at } = largestError(x, results, isCandidate ? Math.tanh : logistic);
          expect(ulp, `block ${block} at ${at}`).toBeLessThanOrEqual(4);
        }
      }
    },
  );

  it('a loss −log σ(w) trains from w = −17.5', async () => {
    useKernels(name);
    const model = customModel({ w: tensor(-17.5) }, ({ w }, _batch: undefined) => scale(log(sigmoid(w)), -1));
    const data: Dataset<undefined> = { batchCount: 1, batches: () => [undefined] };
    const { losses } = await fit(model, data, { optimizer: sgd(1), steps: 30 });
    expect(losses[0]).toBeCloseTo(17.5, 5);
    expect(losses.at(-1)).toBeLessThan(0.2);
  });
});
