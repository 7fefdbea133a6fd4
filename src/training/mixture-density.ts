/**
 * Mixture density outputs (Bishop, 1994; Graves, 2013, arXiv 1308.0850, section 4): the model predicts a distribution
 * of vectors of size D, a weighted mixture of K Gaussians. If D is 2, each Gaussian has a correlation; otherwise its
 * dimensions are independent.
 *
 * An output consists of blocks: K weight logits, K·D means and K·D values s for standard deviations, component by
 * component, and, if D is 2, K values r for correlations. Two bounds keep the likelihood finite: standard deviations
 * are 1e-3 + eˢ, whose logarithm is log 1e-3 + softplus(s − log 1e-3) without overflow, and correlations are 0.999 ·
 * tanh(r). Scale targets to standard deviations of about 1.
 */

import { add, divide, multiply, scale, subtract } from '../autodiff/ops/arithmetic';
import { exp, log, softplus, tanh } from '../autodiff/ops/elementwise';
import { reshape, slice, stopGradient, transpose } from '../autodiff/ops/movement';
import { logSoftmax, softmax, sum } from '../autodiff/ops/reductions';
import { type Operand, operand, type Variable } from '../autodiff/tape';
import { compute } from '../autodiff/value-and-gradient';
import { lastOf } from '../tensor/arrays';
import { checkRandom, normalNumber, type Random } from '../tensor/random';
import { sampler } from '../tensor/sampling';
import { checkCount, checkNames, checkShape, formatShape } from '../tensor/shape';
import { checkTensor, type Tensor } from '../tensor/tensor';
import { type LossOptions, overValid } from './losses';

const minDeviation = 1e-3;
const maxCorrelation = 0.999;

/** The number of output values of a component. */
const valuesPerComponent = (size: number): number => 1 + 2 * size + (size === 2 ? 1 : 0);

/**
 * Computes the output size of a model that predicts a mixture.
 *
 * @param options.components K, the number of Gaussians
 * @param options.size D, the size of the predicted vectors
 * @throws RangeError if one of them is not an integer of at least 1
 * @example
 * const head = dense({ size: mixtureSize({ components: 3, size: 2 }) });
 * mixtureSize({ components: 3, size: 2 }); // 18
 */
export function mixtureSize(options: { readonly components: number; readonly size: number }): number {
  checkNames('mixtureSize', 'options', options, ['components', 'size']);
  const { components, size } = options;
  checkCount('mixtureSize', 'components', components);
  checkCount('mixtureSize', 'size', size);
  return components * valuesPerComponent(size);
}

/** A mixture as variables. Rows are the last axis, which is contiguous. */
interface Mixture {
  /** `[K, R]` */
  readonly logits: Variable;
  /** `[K, D, R]` */
  readonly means: Variable;
  /** `[K, D, R]` */
  readonly logDeviations: Variable;
  /** `[K, R]` if D is 2. */
  readonly correlations: Variable | undefined;
}

function mixtureOf(where: string, outputs: Variable, size: number): Mixture {
  const width = lastOf(outputs.shape) ?? 0;
  const K = width / valuesPerComponent(size);
  if (!Number.isInteger(K) || K === 0) {
    throw new RangeError(
      `${where}: outputs must be […, K·${valuesPerComponent(size)}] for vectors of size ${size}, ` +
        `got ${formatShape(outputs.shape)}. See mixtureSize.`,
    );
  }
  const D = size;
  const columns = transpose(reshape(outputs, [outputs.size / width, width]));
  const block = (start: number, count: number): Variable => slice(columns, start * K, (start + count) * K);
  const floor = Math.log(minDeviation);
  return {
    logits: block(0, 1),
    means: reshape(block(1, D), [K, D, -1]),
    logDeviations: reshape(add(softplus(add(block(1 + D, D), -floor)), floor), [K, D, -1]),
    correlations: D === 2 ? scale(tanh(block(1 + 2 * D, 1)), maxCorrelation) : undefined,
  };
}

/**
 * Negative log-likelihood −log Σ_k weight_k · N(target; mean_k, deviation_k, correlation_k), one loss per target
 * vector.
 *
 * @param outputs `[…, K·(2D + 1)]`, or `[…, K·6]` if D is 2
 * @param targets `[…, D]`
 * @throws RangeError if the shapes do not fit
 * @example
 * const outputs = full([1, mixtureSize({ components: 1, size: 1 })], 0);
 * compute({ outputs }, (p) => mixtureNegativeLogLikelihood(p.outputs, tensor([[0]]))).data[0]; // 0.919938
 */
export function mixtureNegativeLogLikelihood(outputs: Operand, targets: Operand, options: LossOptions = {}): Variable {
  const where = 'mixtureNegativeLogLikelihood';
  const x = operand(where, outputs, 'outputs');
  const t = operand(where, targets, 'targets');
  checkShape(where, 'targets', t.shape, '[…, D]', [...x.shape.slice(0, -1), undefined]);
  return overValid(where, x, t, options, (y, target) =>
    reshape(negativeLogLikelihood(mixtureOf(where, y, lastOf(target.shape)!), target), target.shape.slice(0, -1)),
  );
}

function negativeLogLikelihood({ logits, means, logDeviations, correlations }: Mixture, targets: Variable): Variable {
  const D = lastOf(targets.shape)!;
  const z = multiply(subtract(transpose(reshape(targets, [-1, D])), means), exp(scale(logDeviations, -1)));
  const logScale = add(sum(logDeviations, 1), (D / 2) * Math.log(2 * Math.PI));
  let distance = sum(multiply(z, z), 1);
  if (correlations !== undefined) {
    const [zx, zy] = [0, 1].map((axis) => reshape(slice(z, axis, axis + 1, 1), correlations.shape)) as [
      Variable,
      Variable,
    ];
    const rest = subtract(1, multiply(correlations, correlations));
    distance = divide(subtract(distance, scale(multiply(correlations, multiply(zx, zy)), 2)), rest);
    distance = add(distance, log(rest));
  }
  const logDensity = subtract(scale(distance, -0.5), logScale);
  const joint = add(logSoftmax(transpose(logits)), transpose(logDensity));
  // log Σ exp = joint − log softmax(joint) in every column; weighting by responsibility uses the most exact ones.
  const responsibilities = stopGradient(softmax(joint));
  return scale(sum(multiply(responsibilities, subtract(joint, logSoftmax(joint))), 1), -1);
}

/** The parameters of a mixture. */
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
 * Computes the parameters of the mixtures from the model's outputs.
 *
 * @param outputs `[…, K·(2D + 1)]`, or `[…, K·6]` if D is 2
 * @param size D
 * @throws RangeError if the shape does not fit
 * @example
 * mixtureParameters(full([4, 12], 0), 2).weights.shape; // [4, 2]
 */
export function mixtureParameters(outputs: Tensor, size: number): MixtureParameters {
  return parametersFor('mixtureParameters', outputs, size);
}

function parametersFor(where: string, outputs: Tensor, size: number): MixtureParameters {
  checkCount(where, 'size', size);
  checkTensor(where, 'outputs', outputs);
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
 * Computes the mean of every mixture, Σ_k weight_k · mean_k: the prediction with the least squared error.
 *
 * @param outputs `[…, K·(2D + 1)]`, or `[…, K·6]` if D is 2
 * @param size D
 * @returns `[…, D]`
 * @throws RangeError if the shape does not fit
 * @example
 * mixtureMean(full([4, 12], 0.5), 2).data[0]; // 0.5
 */
export function mixtureMean(outputs: Tensor, size: number): Tensor {
  const { weights, means } = parametersFor('mixtureMean', outputs, size);
  const K = lastOf(weights.shape)!;
  const data = new Float32Array((weights.data.length / K) * size);
  weights.data.forEach((weight, k) => {
    const row = Math.floor(k / K);
    for (let d = 0; d < size; d++) data[row * size + d]! += weight * means.data[k * size + d]!;
  });
  return { shape: [...weights.shape.slice(0, -1), size], data };
}

/** The options of {@link sampleMixture}. */
export interface SampleMixtureOptions {
  /** D, the size of the vectors. */
  readonly size: number;
  readonly random: Random;
  /**
   * 1 by default. Weights are raised to the power 1/temperature and variances are multiplied by the temperature (Ha and
   * Eck, 2017, arXiv 1704.03477); 0 gives the mean of the most likely component.
   */
  readonly temperature?: number | undefined;
}

/**
 * Draws a vector from every mixture.
 *
 * @param outputs `[…, K·(2D + 1)]`, or `[…, K·6]` if D is 2
 * @returns `[…, D]`
 * @throws RangeError if the shape does not fit, a weight is NaN, or the temperature is negative
 * @example
 * sampleMixture(full([4, 12], 0), { size: 2, random: createRandom(1) }).shape; // [4, 2]
 */
export function sampleMixture(outputs: Tensor, options: SampleMixtureOptions): Tensor {
  checkNames('sampleMixture', 'options', options, ['size', 'random', 'temperature']);
  const { size: D, random, temperature = 1 } = options;
  checkRandom('sampleMixture', random);
  const drawComponent = sampler('sampleMixture', { temperature });
  const { weights, means, deviations, correlations } = parametersFor('sampleMixture', outputs, D);
  const K = lastOf(weights.shape)!;
  const rows = weights.data.length / K;
  const data = new Float32Array(rows * D);
  for (let row = 0; row < rows; row++) {
    const k = drawComponent(weights.data.subarray(row * K, (row + 1) * K).map(Math.log), random);
    const offset = (row * K + k) * D;
    const noise = Array.from({ length: D }, () => Math.sqrt(temperature) * normalNumber(random));
    const rho = correlations.data[row * K + k]!;
    if (D === 2) noise[1] = rho * noise[0]! + Math.sqrt(1 - rho * rho) * noise[1]!;
    noise.forEach((value, d) => {
      data[row * D + d] = means.data[offset + d]! + deviations.data[offset + d]! * value;
    });
  }
  return { shape: [...weights.shape.slice(0, -1), D], data };
}
