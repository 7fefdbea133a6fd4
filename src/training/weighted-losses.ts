/** Cross-entropy with weights of classes and label smoothing. */

import { add, broadcastTo, multiply, scale, subtract } from '../autodiff/ops/arithmetic';
import { softplus } from '../autodiff/ops/elementwise';
import { logSoftmax, sum } from '../autodiff/ops/reductions';
import { isVariable, operand, toTensor, type Variable } from '../autodiff/tape';
import { lastOf } from '../tensor/arrays';
import { withOrigin } from '../tensor/origin';
import { checkNames, checkNumber, checkObject, checkShape, lengthOf } from '../tensor/shape';
import type { IntTensor, Tensor } from '../tensor/tensor';
import { forEachCounted } from './counted-targets';
import {
  checkProbabilities,
  elementWise,
  type Loss,
  type LossOptions,
  negativeLogLikelihood,
  overValid,
} from './losses';
import { checkClassIds, type MetricOptions } from './metrics';

/** The options of {@link crossEntropyWith}. */
export interface CrossEntropyOptions {
  /** `[V]` the weight of every class; all 1 by default. */
  readonly classWeights?: ArrayLike<number> | undefined;
  /** ε, the probability that is spread evenly over all classes, between 0 and 1. 0 by default. */
  readonly labelSmoothing?: number | undefined;
}

/**
 * Creates a cross-entropy with class weights w and label smoothing ε (Szegedy et al., 2015, arXiv 1512.00567), as
 * PyTorch's `CrossEntropyLoss(weight, label_smoothing)`: the loss of a target is (1 − ε) · w[target] · −log p[target] +
 * ε/V · Σ w[v] · −log p[v] over the classes v, with p = softmax(logits). The mean divides by the sum of the weights of
 * the targets, w[target] times the mask. It is 0 if that sum is 0: {@link fit} and {@link evaluate} skip a batch with
 * targets of classes of weight 0 only.
 *
 * @returns a loss like {@link crossEntropy}
 * @throws RangeError if a weight is negative, or ε is not between 0 and 1; in training, if there are not V weights, or
 * as {@link crossEntropy}
 * @example
 * const loss = crossEntropyWith({ classWeights: [1, 3], labelSmoothing: 0.1 });
 * compute({ x: tensor([[0, 0], [0, 0]]) }, ({ x }) => loss(x, intTensor([1, 0]))).data; // Float32Array [0.693147]
 */
export function crossEntropyWith(options: CrossEntropyOptions): Loss<IntTensor> {
  const where = 'crossEntropyWith';
  checkNames(where, 'options', options, ['classWeights', 'labelSmoothing']);
  const { classWeights, labelSmoothing = 0 } = options;
  checkNumber(where, 'labelSmoothing', labelSmoothing, 0, 1);
  const weights = classWeights === undefined ? undefined : copyWeights(where, 'classWeights', classWeights);
  const weightOf = (targets: IntTensor, counting: MetricOptions): number =>
    sumOfWeights(where, targets, counting, weights);
  const loss = (logits: Variable | Tensor, targets: IntTensor, lossOptions: LossOptions = {}) => {
    checkObject(where, 'options', lossOptions);
    const { reduction = 'mean', ...rest } = lossOptions;
    const x = operand(where, logits, 'logits');
    checkClassIds(where, x.shape, targets);
    if (weights !== undefined) checkCountOfWeights(where, 'classWeights', weights, x, 'V');
    // The mean of overValid does not divide by the weights of the classes.
    const outer = reduction === 'mean' ? 'sum' : reduction;
    const reduced = overValid(where, x, targets, { ...rest, reduction: outer }, (rows, ids) =>
      smoothedLosses(where, rows, ids, weights, labelSmoothing),
    );
    if (reduction !== 'mean') return reduced;
    const { mask, lengths } = rest;
    const total = weightOf(targets, { mask: isVariable(mask) ? toTensor(mask) : mask, lengths });
    checkNumber(where, 'the sum of the mask', total, 0);
    return scale(reduced, total && 1 / total);
  };
  return withOrigin(Object.assign(loss, { weightOf }), where, { ...options, classWeights: weights?.data });
}

/** One loss per target. */
function smoothedLosses(
  where: string,
  logits: Variable,
  targets: IntTensor,
  weights: Tensor | undefined,
  smoothing: number,
): Variable {
  const ofTarget = negativeLogLikelihood(where, logits, targets);
  const own = weights
    ? multiply(ofTarget, { ...targets, data: Float32Array.from(targets.data, (id) => weights.data[id]!) })
    : ofTarget;
  if (smoothing === 0) return own;
  const logs = logSoftmax(logits);
  const ofAll = sum(weights ? multiply(logs, weights) : logs, -1);
  return subtract(scale(own, 1 - smoothing), scale(ofAll, smoothing / lastOf(logits.shape)!));
}

/** The sum of the weights of the targets, each multiplied by the weight of its class. */
function sumOfWeights(where: string, targets: IntTensor, options: MetricOptions, weights: Tensor | undefined): number {
  let total = 0;
  forEachCounted(where, targets, options, (i, weight) => {
    total += weight * (weights ? (weights.data[targets.data[i]!] ?? NaN) : 1);
  });
  return total;
}

/** The options of {@link binaryCrossEntropyWith}. */
export interface BinaryCrossEntropyOptions {
  /** The weight of positive targets: one number, or one per label, `[O]` for logits `[..., O]`. 1 by default. */
  readonly positiveWeight?: number | ArrayLike<number> | undefined;
}

/**
 * Creates a binary cross-entropy in which the loss of positive targets has a weight, as PyTorch's
 * `BCEWithLogitsLoss(pos_weight)`: −weight · t · log σ(logit) − (1 − t) · log(1 − σ(logit)). A weight of (number of
 * negatives) / (number of positives) balances both kinds. The weight does not count in the divisor of the mean.
 *
 * @returns a loss like {@link binaryCrossEntropy}
 * @throws RangeError if a weight is negative; in training, if there are not O weights, or as {@link binaryCrossEntropy}
 * @example
 * const loss = binaryCrossEntropyWith({ positiveWeight: 3 });
 * compute({ x: tensor([0, 0]) }, ({ x }) => loss(x, tensor([1, 0]))).data; // Float32Array [1.38629]
 */
export function binaryCrossEntropyWith(options: BinaryCrossEntropyOptions): Loss<Tensor> {
  const where = 'binaryCrossEntropyWith';
  checkNames(where, 'options', options, ['positiveWeight']);
  const { positiveWeight = 1 } = options;
  const isOne = typeof positiveWeight === 'number';
  const weights = copyWeights(where, 'positiveWeight', isOne ? [positiveWeight] : positiveWeight);
  const loss: Loss<Tensor> = (logits, targets, rest = {}) => {
    const x = operand(where, logits, 'predictions');
    if (!isOne) checkCountOfWeights(where, 'positiveWeight', weights, x, 'O');
    const ofPositive = broadcastTo(weights, x.shape);
    return elementWise(where, x, targets, rest, (rows, t, take) => {
      checkProbabilities(where, t);
      const positive = multiply(multiply(t, softplus(scale(rows, -1))), take(ofPositive));
      return add(positive, multiply(subtract(1, t), softplus(rows)));
    });
  };
  return withOrigin(loss, where, { positiveWeight: isOne ? positiveWeight : weights.data });
}

/** The weights as a tensor. @throws RangeError if one is negative or not finite */
function copyWeights(where: string, argument: string, weights: ArrayLike<number>): Tensor {
  lengthOf(where, argument, weights);
  const list = Array.from(weights);
  list.forEach((weight, i) => checkNumber(where, `${argument}[${i}]`, weight, 0));
  const data = Float32Array.from(list);
  return { shape: [data.length], data };
}

/** @throws RangeError if there is not one weight per element of the last axis of the logits */
function checkCountOfWeights(where: string, argument: string, weights: Tensor, logits: Variable, letter: string): void {
  checkShape(where, argument, weights.shape, `[${letter}]`, [lastOf(logits.shape)]);
}
