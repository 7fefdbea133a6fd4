/**
 * Mixture density outputs (Bishop, 1994; Graves, 2013, arXiv 1308.0850, section 4): the model answers a distribution of D numbers, K Gaussians
 * with weights. Where D is 2 each has a correlation, else its numbers are independent of each other.
 *
 * The numbers of an output stand in blocks: K weight logits, K·D means and K·D numbers s for deviations, component by component, and, where D
 * is 2, K numbers r for correlations. Two bounds keep the likelihood finite: deviations are 1e-3 + eˢ, of which log 1e-3 + softplus(s − log 1e-3)
 * is the logarithm without overflow, and correlations are 0.999 · tanh(r). Scale targets to deviations of about 1.
 */

import { add, divide, multiply, scale, subtract } from '../autodiff/ops/arithmetic';
import { exp, log, softplus, tanh } from '../autodiff/ops/elementwise';
import { reshape, slice, stopGradient, transpose } from '../autodiff/ops/movement';
import { logSoftmax, softmax, sum } from '../autodiff/ops/reductions';
import { type Operand, operand, type Variable } from '../autodiff/tape';
import { compute } from '../autodiff/value-and-gradient';
import { normalNumber, type Random } from '../tensor/random';
import { sampler } from '../tensor/sampling';
import { checkCount, formatShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { type LossOptions, overValid } from './losses';

const leastDeviation = 1e-3;
const largestCorrelation = 0.999;

/** How many numbers a component takes. */
const numbersOf = (size: number): number => 1 + 2 * size + (size === 2 ? 1 : 0);

/**
 * How many numbers a model answers for a mixture.
 *
 * @param options.components K
 * @param options.size D, how many numbers are predicted
 * @throws RangeError where one is not a whole number of at least 1
 * @example
 * const head = dense({ size: mixtureSize({ components: 3, size: 2 }) });
 * mixtureSize({ components: 3, size: 2 }); // 18
 */
export function mixtureSize({ components, size }: { readonly components: number; readonly size: number }): number {
  checkCount('mixtureSize', 'components', components);
  checkCount('mixtureSize', 'size', size);
  return components * numbersOf(size);
}

/** A mixture as variables, rows last so that they are worked on side by side: `[K, R]`, `[K, D, R]` and, where D is 2, `[K, R]`. */
interface Mixture {
  readonly logits: Variable;
  readonly means: Variable;
  readonly logDeviations: Variable;
  readonly correlations: Variable | undefined;
}

function mixtureOf(where: string, outputs: Variable, size: number): Mixture {
  const width = outputs.shape.at(-1) ?? 0;
  const K = width / numbersOf(size);
  if (!Number.isInteger(K) || K === 0) {
    throw new RangeError(
      `${where}: outputs must be […, K·${numbersOf(size)}] for ${size} numbers, got ${formatShape(outputs.shape)}. See mixtureSize.`,
    );
  }
  const D = size;
  const columns = transpose(reshape(outputs, [outputs.size / width, width]));
  const part = (from: number, count: number): Variable => slice(columns, from * K, (from + count) * K);
  const floor = Math.log(leastDeviation);
  return {
    logits: part(0, 1),
    means: reshape(part(1, D), [K, D, -1]),
    logDeviations: reshape(add(softplus(add(part(1 + D, D), -floor)), floor), [K, D, -1]),
    correlations: D === 2 ? scale(tanh(part(1 + 2 * D, 1)), largestCorrelation) : undefined,
  };
}

/**
 * −log Σ_k weight_k · N(target; mean_k, deviation_k, correlation_k), one part for every vector of targets.
 *
 * @param outputs `[…, K·(2D + 1)]`, or `[…, K·6]` where D is 2
 * @param targets `[…, D]`
 * @throws RangeError where the shapes do not fit
 * @example
 * const outputs = full([1, mixtureSize({ components: 1, size: 1 })], 0);
 * compute({ outputs }, (p) => mixtureNegativeLogLikelihood(p.outputs, tensor([[0]]))).data[0]; // 0.919938
 */
export function mixtureNegativeLogLikelihood(outputs: Operand, targets: Operand, options: LossOptions = {}): Variable {
  const where = 'mixtureNegativeLogLikelihood';
  const [x, t] = [operand(where, outputs, 'outputs'), operand(where, targets, 'targets')];
  if (
    x.shape.length === 0 ||
    t.shape.length === 0 ||
    formatShape(x.shape.slice(0, -1)) !== formatShape(t.shape.slice(0, -1))
  ) {
    throw new RangeError(
      `${where}: targets must be […, D] with the leading axes of outputs ${formatShape(x.shape)}, got ${formatShape(t.shape)}.`,
    );
  }
  return overValid(where, x, t, options, (y, goal) =>
    reshape(negativeLogLikelihood(mixtureOf(where, y, goal.shape.at(-1)!), goal), goal.shape.slice(0, -1)),
  );
}

function negativeLogLikelihood({ logits, means, logDeviations, correlations }: Mixture, targets: Variable): Variable {
  const D = targets.shape.at(-1)!;
  const z = multiply(subtract(transpose(reshape(targets, [-1, D])), means), exp(scale(logDeviations, -1)));
  const logScale = add(sum(logDeviations, 1), (D / 2) * Math.log(2 * Math.PI));
  let distance = sum(multiply(z, z), 1);
  let logDensity: Variable;
  if (correlations === undefined) {
    logDensity = subtract(scale(distance, -0.5), logScale);
  } else {
    const [zx, zy] = [0, 1].map((axis) => reshape(slice(z, axis, axis + 1, 1), correlations.shape)) as [
      Variable,
      Variable,
    ];
    const rest = subtract(1, multiply(correlations, correlations));
    distance = divide(subtract(distance, scale(multiply(correlations, multiply(zx, zy)), 2)), rest);
    logDensity = subtract(scale(add(distance, log(rest)), -0.5), logScale);
  }
  const joint = add(logSoftmax(transpose(logits)), transpose(logDensity));
  // log Σ exp = joint − log softmax(joint) in every column; the mean by responsibility takes it where it is exact.
  const responsibilities = stopGradient(softmax(joint));
  return scale(sum(multiply(responsibilities, subtract(joint, logSoftmax(joint))), 1), -1);
}

/** The numbers of a mixture, to look at and to draw from. */
export interface MixtureParameters {
  /** `[…, K]` */
  readonly weights: Tensor;
  /** `[…, K, D]` */
  readonly means: Tensor;
  /** `[…, K, D]` */
  readonly deviations: Tensor;
  /** `[…, K]`, zeros unless D is 2. */
  readonly correlations: Tensor;
}

/**
 * What outputs say about the D numbers to come.
 *
 * @param outputs `[…, K·(2D + 1)]`, or `[…, K·6]` where D is 2
 * @param size D
 * @throws RangeError where the shape does not fit
 * @example
 * mixtureParameters(full([4, 12], 0), 2).weights.shape; // [4, 2]
 */
export function mixtureParameters(outputs: Tensor, size: number): MixtureParameters {
  return parametersFor('mixtureParameters', outputs, size);
}

function parametersFor(where: string, outputs: Tensor, size: number): MixtureParameters {
  checkCount(where, 'size', size);
  return compute({ outputs }, (p) => {
    const { logits, means, logDeviations, correlations } = mixtureOf(where, p.outputs, size);
    const K = logits.shape[0]!;
    const lead = outputs.shape.slice(0, -1);
    return {
      weights: reshape(softmax(transpose(logits)), [...lead, K]),
      means: reshape(transpose(means, [2, 0, 1]), [...lead, K, size]),
      deviations: reshape(transpose(exp(logDeviations), [2, 0, 1]), [...lead, K, size]),
      correlations: reshape(transpose(correlations ?? scale(logits, 0)), [...lead, K]),
    };
  });
}

/**
 * The mean of every mixture, Σ_k weight_k · mean_k: the one answer of the least squared error.
 *
 * @param outputs `[…, K·(2D + 1)]`, or `[…, K·6]` where D is 2
 * @param size D
 * @returns `[…, D]`
 * @throws RangeError where the shape does not fit
 * @example
 * mixtureMean(full([4, 12], 0.5), 2).data[0]; // 0.5
 */
export function mixtureMean(outputs: Tensor, size: number): Tensor {
  const { weights, means } = parametersFor('mixtureMean', outputs, size);
  const K = weights.shape.at(-1)!;
  const data = new Float32Array((weights.data.length / K) * size);
  weights.data.forEach((weight, k) => {
    const row = Math.floor(k / K);
    for (let d = 0; d < size; d++) data[row * size + d]! += weight * means.data[k * size + d]!;
  });
  return { shape: [...weights.shape.slice(0, -1), size], data };
}

/** How {@link sampleMixture} draws. */
export interface SampleMixtureOptions {
  /** D */
  readonly size: number;
  readonly random: Random;
  /**
   * 1 by default; towards 0 the likeliest component and its middle (weights to the power 1/temperature, variances times temperature: Ha and
   * Eck, 2017, arXiv 1704.03477).
   */
  readonly temperature?: number;
}

/**
 * Draws D numbers from every mixture.
 *
 * @param outputs `[…, K·(2D + 1)]`, or `[…, K·6]` where D is 2
 * @returns `[…, D]`
 * @throws RangeError where the shape does not fit, a weight is NaN, or the temperature is negative
 * @example
 * sampleMixture(full([4, 12], 0), { size: 2, random: createRandom(1) }).shape; // [4, 2]
 */
export function sampleMixture(outputs: Tensor, { size: D, random, temperature = 1 }: SampleMixtureOptions): Tensor {
  const draw = sampler('sampleMixture', { temperature });
  const { weights, means, deviations, correlations } = parametersFor('sampleMixture', outputs, D);
  const K = weights.shape.at(-1)!;
  const rows = weights.data.length / K;
  const data = new Float32Array(rows * D);
  for (let row = 0; row < rows; row++) {
    const k = draw(weights.data.subarray(row * K, (row + 1) * K).map(Math.log), random);
    const at = (row * K + k) * D;
    const noise = Array.from({ length: D }, () => Math.sqrt(temperature) * normalNumber(random));
    const rho = correlations.data[row * K + k]!;
    if (D === 2) noise[1] = rho * noise[0]! + Math.sqrt(1 - rho * rho) * noise[1]!;
    noise.forEach((value, d) => {
      data[row * D + d] = means.data[at + d]! + deviations.data[at + d]! * value;
    });
  }
  return { shape: [...weights.shape.slice(0, -1), D], data };
}
