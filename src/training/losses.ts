/** Losses. Each returns a scalar, or one value per element or row with `reduction: 'none'`. */

import { multiply, scale, subtract } from '../autodiff/ops/arithmetic';
import { abs, huberize, softplus } from '../autodiff/ops/elementwise';
import { mask as applyMask, sum } from '../autodiff/ops/reductions';
import {
  gradientOf,
  idOperand,
  isVariable,
  type Operand,
  operand,
  record,
  result,
  toTensor,
  type Variable,
} from '../autodiff/tape';
import { crossEntropyRows, crossEntropyRowsBackward } from '../kernels/rows';
import { allocate } from '../kernels/workspace';
import type { ValidRows } from '../recurrence/packing';
import { placeValid, takeValid } from '../recurrence/valid-steps';
import { lastOf } from '../tensor/arrays';
import type { Origin } from '../tensor/origin';
import { checkChoice, checkNames, checkNumber, checkRows } from '../tensor/shape';
import type { IntTensor, Tensor } from '../tensor/tensor';
import { checkClassIds, checkPairs, type MetricOptions, targetWeights } from './metrics';

/** How a loss is reduced: one value per target (`'none'`), their sum, or their mean weighted by the mask (`'mean'`). */
export type Reduction = 'none' | 'sum' | 'mean';

/** The weights of the targets of a loss, and the reduction. */
export interface LossOptions {
  /**
   * The weight of every target: the shape of the targets or of their leading axes (`[T, B]` for `[T, B, O]`). 1 by
   * default. Targets of weight 0 are ignored: their loss and gradient are 0, even if the target or the output is NaN or
   * the class id does not exist. The mean divides by the sum of the weights, as a constant if the mask is a variable;
   * the mean of no targets is 0.
   */
  readonly mask?: Tensor | Variable | undefined;
  /** `[B]` the number of valid steps of each row of `[T, B, …]`; all by default. Targets in the padding are ignored. */
  readonly lengths?: Int32Array | undefined;
  /** `'mean'` by default. */
  readonly reduction?: Reduction | undefined;
}

/** A loss of a model's outputs, for targets of type Y. It is also a {@link Metric}. */
export interface Loss<Y extends Tensor | IntTensor = Tensor | IntTensor> {
  (outputs: Variable | Tensor, targets: Y, options?: LossOptions): Variable;
  /** The weight of a batch in the mean over batches; by default, the sum of the weights of its targets. */
  readonly weightOf?: (targets: Y, options: MetricOptions) => number;
  /** The function that created it, and its arguments, such as those of {@link crossEntropyWith}. */
  readonly origin?: Origin;
}

/**
 * Cross-entropy −log softmax(logits)[target].
 *
 * @param logits `[..., V]`
 * @param targets class ids `[...]`
 * @throws RangeError if the shapes do not fit, or a target is outside [0, V)
 * @example
 * compute({ x: full([2, 4], 0) }, ({ x }) => crossEntropy(x, intTensor([1, 3]))).data[0]; // ln 4 = 1.386…
 */
export function crossEntropy(logits: Operand, targets: IntTensor, options: LossOptions = {}): Variable {
  const all = operand('crossEntropy', logits, 'logits');
  checkClassIds('crossEntropy', all.shape, targets);
  return overValid('crossEntropy', all, targets, options, (x, ids) => negativeLogLikelihood('crossEntropy', x, ids));
}

/** −log softmax(logits)[target] of every row. @throws RangeError if a target is outside [0, V) */
export function negativeLogLikelihood(where: string, logits: Variable, targets: IntTensor): Variable {
  const V = lastOf(logits.shape)!;
  const ids = idOperand(where, targets, V, 'targets');
  const scope = logits.storage.scope;
  const k = scope.kernels;
  const losses = result(targets.shape, [logits]);
  const probabilities = allocate(scope.workspace, logits.size);
  k.of(crossEntropyRows)(losses.offset, probabilities, logits.offset, ids.offset, losses.size, V);
  record([losses], () =>
    k.of(crossEntropyRowsBackward)(gradientOf(logits), gradientOf(losses), probabilities, ids.offset, losses.size, V),
  );
  return losses;
}

/**
 * Binary cross-entropy −t · log σ(logit) − (1 − t) · log(1 − σ(logit)), element-wise.
 *
 * @param logits `[...]`
 * @param targets `[...]` between 0 and 1
 * @throws RangeError if the shapes differ, or a target is not between 0 and 1
 * @example
 * compute({ x: tensor([0, 0]) }, ({ x }) => binaryCrossEntropy(x, tensor([1, 0]))).data; // Float32Array [0.693147]
 */
export function binaryCrossEntropy(logits: Operand, targets: Operand, options: LossOptions = {}): Variable {
  return elementWise('binaryCrossEntropy', logits, targets, options, (x, t) => {
    checkProbabilities('binaryCrossEntropy', t);
    return subtract(softplus(x), multiply(x, t));
  });
}

/** @throws RangeError if a target is not between 0 and 1 */
export function checkProbabilities(where: string, targets: Variable): void {
  for (const target of toTensor(targets).data) checkNumber(where, 'targets', target, 0, 1);
}

/**
 * Squared error (prediction − target)², element-wise.
 *
 * @param predictions `[...]`
 * @param targets `[...]`
 * @throws RangeError if the shapes differ
 * @example
 * const mask = tensor([1, 0]);
 * compute({ x: tensor([1, 3]) }, ({ x }) => meanSquaredError(x, tensor([0, 0]), { mask })).data; // Float32Array [1]
 */
export function meanSquaredError(predictions: Operand, targets: Operand, options: LossOptions = {}): Variable {
  return elementWise('meanSquaredError', predictions, targets, options, (x, t) => {
    const difference = subtract(x, t);
    return multiply(difference, difference);
  });
}

/**
 * Absolute error |prediction − target|, element-wise.
 *
 * @param predictions `[...]`
 * @param targets `[...]`
 * @throws RangeError if the shapes differ
 * @example
 * compute({ x: tensor([1, 3]) }, ({ x }) => meanAbsoluteError(x, tensor([0, 0]))).data; // Float32Array [2]
 */
export function meanAbsoluteError(predictions: Operand, targets: Operand, options: LossOptions = {}): Variable {
  return elementWise('meanAbsoluteError', predictions, targets, options, (x, t) => abs(subtract(x, t)));
}

/**
 * Huber loss (Huber, 1964), element-wise: error² / 2 if |error| ≤ delta, else delta · (|error| − delta / 2).
 *
 * @param predictions `[...]`
 * @param targets `[...]`
 * @throws RangeError if the shapes differ, or delta is negative
 * @example
 * compute({ x: tensor([0.5, 3]) }, ({ x }) => huber(x, tensor([0, 0]))).data; // Float32Array [1.3125]
 */
export function huber(
  predictions: Operand,
  targets: Operand,
  allOptions: LossOptions & {
    /** The error from which the loss is linear; 1 by default. */
    readonly delta?: number | undefined;
  } = {},
): Variable {
  checkNames('huber', 'options', allOptions, ['delta', 'mask', 'lengths', 'reduction']);
  const { delta = 1, ...options } = allOptions;
  checkNumber('huber', 'delta', delta, 0);
  return elementWise('huber', predictions, targets, options, (x, t) => huberize(subtract(x, t), delta));
}

/** A loss with one target per prediction. `lossesOf` is as for {@link overValid}. */
export function elementWise(
  where: string,
  predictions: Operand,
  targets: Operand,
  options: LossOptions,
  lossesOf: (predictions: Variable, targets: Variable, take: (x: Variable) => Variable) => Variable,
): Variable {
  const x = operand(where, predictions, 'predictions');
  const t = operand(where, targets, 'targets');
  checkPairs(where, x.shape, t.shape);
  return overValid(where, x, t, options, lossesOf);
}

/**
 * Reduces the losses of the targets. `lossesOf` gets only the targets that are not ignored, as rows over the axes of
 * the mask and the lengths: the other ones have loss 0 and gradient 0, whatever their values.
 *
 * @param lossesOf computes one loss per target; `take` selects these rows of another variable in the shape of the
 * targets
 * @throws RangeError if the mask, the lengths or the reduction do not fit
 */
export function overValid<Y extends Variable | IntTensor>(
  where: string,
  outputs: Variable,
  targets: Y,
  options: LossOptions,
  lossesOf: (outputs: Variable, targets: Y, take: (x: Variable) => Variable) => Variable,
): Variable {
  checkNames(where, 'options', options, ['mask', 'lengths', 'reduction']);
  const { mask, lengths, reduction = 'mean' } = options;
  checkChoice(where, 'reduction', reduction, ['none', 'sum', 'mean']);
  const weights = mask && operand(where, mask, 'mask');
  const shape = targets.shape.filter((length, axis) => length === outputs.shape[axis]);
  const { valid, total } = targetWeights(where, shape, { mask: isVariable(mask) ? toTensor(mask) : mask, lengths });
  checkNumber(where, 'the sum of the mask', total, reduction === 'mean' ? 0 : undefined);
  if (valid) checkRows(where, 'the number of targets', valid.positions.length);
  const take = (x: Variable): Variable => (valid ? takeValid(x, valid) : x);
  const counted = isVariable(targets) ? take(targets) : valid ? validIds(targets, valid) : targets;
  const losses = lossesOf(take(outputs), counted as Y, take);
  const weighted = weights ? applyMask(losses, take(weights)) : losses;
  if (reduction === 'none') return valid ? placeValid(weighted, valid) : weighted;
  if (reduction === 'sum') return sum(weighted);
  return scale(sum(weighted), total && 1 / total);
}

/** The ids of the valid rows. */
function validIds({ shape, data }: IntTensor, { axes, rows, positions }: ValidRows): IntTensor {
  const width = data.length / positions.length;
  return {
    shape: [rows.length, ...shape.slice(axes.length)],
    data: Int32Array.from(
      { length: rows.length * width },
      (_, i) => data[rows[Math.floor(i / width)]! * width + (i % width)]!,
    ),
  };
}
