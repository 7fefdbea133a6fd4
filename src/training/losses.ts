/** Losses. Each returns a scalar, or one value per element or row with `reduction: 'none'`. */

import { broadcastTo, multiply, scale, subtract } from '../autodiff/ops/arithmetic';
import { abs, huberize, softplus } from '../autodiff/ops/elementwise';
import { reshape } from '../autodiff/ops/movement';
import { sum } from '../autodiff/ops/reductions';
import {
  currentScope,
  gradientOf,
  idOperand,
  type Operand,
  operand,
  record,
  result,
  toTensor,
  type Variable,
} from '../autodiff/tape';
import { crossEntropyRows, crossEntropyRowsBackward } from '../kernels/rows';
import { allocate } from '../kernels/workspace';
import { validRows } from '../recurrence/packing';
import { placeValid, takeValid } from '../recurrence/valid-steps';
import { checkNames, checkNumber, checkShape, describe, formatShape, sameShape } from '../tensor/shape';
import { full, type IntTensor, isIntTensor, type Tensor } from '../tensor/tensor';

/** How a loss is reduced: one value per target (`'none'`), their sum, or their mean weighted by the mask (`'mean'`). */
export type Reduction = 'none' | 'sum' | 'mean';

/** The targets that count in a loss, and the reduction. */
export interface LossOptions {
  /**
   * The weight of every target: the shape of the targets or of their leading axes (`[T, B]` for `[T, B, O]`). 1 by
   * default.
   */
  readonly mask?: Tensor | Variable | undefined;
  /** `[B]` the number of valid steps of each row of `[T, B, …]`; all by default. Padding does not change the loss. */
  readonly lengths?: Int32Array | undefined;
  /** `'mean'` by default. */
  readonly reduction?: Reduction;
}

/** A loss of a model's outputs, for targets of type Y. It is also a {@link Metric}. */
export type Loss<Y extends Tensor | IntTensor = Tensor | IntTensor> = (
  outputs: Variable | Tensor,
  targets: Y,
  options?: LossOptions,
) => Variable;

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
  if (all.shape.length === 0 || !sameShape(all.shape.slice(0, -1), targets?.shape ?? [NaN])) {
    throw new RangeError(
      `crossEntropy: targets must be class ids in the shape of logits without the last axis, ` +
        `${formatShape(all.shape.slice(0, -1))}, got ${formatShape(targets?.shape ?? [])}.`,
    );
  }
  return overValid('crossEntropy', all, targets, options, negativeLogLikelihood);
}

/** −log softmax(logits)[target] of every row. */
function negativeLogLikelihood(logits: Variable, targets: IntTensor): Variable {
  const V = logits.shape.at(-1)!;
  const ids = idOperand('crossEntropy', targets, V, 'targets', `logits has ${V} classes.`);
  const scope = currentScope('crossEntropy');
  const { kernels: k } = scope;
  const losses = result(scope, targets.shape, [logits]);
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
 * @throws RangeError if the shapes differ
 * @example
 * compute({ x: tensor([0, 0]) }, ({ x }) => binaryCrossEntropy(x, tensor([1, 0]))).data; // Float32Array [0.693147]
 */
export function binaryCrossEntropy(logits: Operand, targets: Operand, options: LossOptions = {}): Variable {
  const pair = pairOf('binaryCrossEntropy', logits, targets);
  return overValid('binaryCrossEntropy', ...pair, options, (x, t) => subtract(softplus(x), multiply(x, t)));
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
  return overValid('meanSquaredError', ...pairOf('meanSquaredError', predictions, targets), options, (x, t) => {
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
  const pair = pairOf('meanAbsoluteError', predictions, targets);
  return overValid('meanAbsoluteError', ...pair, options, (x, t) => abs(subtract(x, t)));
}

/**
 * Huber loss (Huber, 1964), element-wise: error² / 2 if |error| ≤ delta, else delta · (|error| − delta / 2).
 *
 * @param predictions `[...]`
 * @param targets `[...]`
 * @param options.delta the error from which the loss is linear; 1 by default
 * @throws RangeError if the shapes differ, or delta is negative
 * @example
 * compute({ x: tensor([0.5, 3]) }, ({ x }) => huber(x, tensor([0, 0]))).data; // Float32Array [1.3125]
 */
export function huber(
  predictions: Operand,
  targets: Operand,
  { delta = 1, ...options }: LossOptions & { readonly delta?: number } = {},
): Variable {
  checkNumber('huber', 'delta', delta, 0);
  return overValid('huber', ...pairOf('huber', predictions, targets), options, (x, t) =>
    huberize(subtract(x, t), delta),
  );
}

function pairOf(where: string, predictions: Operand, targets: Operand): [Variable, Variable] {
  const x = operand(where, predictions, 'predictions');
  const t = operand(where, targets, 'targets');
  if (!sameShape(x.shape, t.shape)) {
    throw new RangeError(
      `${where}: targets must have the shape of the predictions, ${formatShape(x.shape)}, got ${formatShape(t.shape)}.`,
    );
  }
  return [x, t];
}

/**
 * Reduces the losses of the targets. With lengths, `lossesOf` gets the valid rows only; padding has loss 0 and weight
 * 0.
 *
 * @param lossesOf computes one loss per target
 * @throws RangeError if the mask, the lengths or the reduction do not fit
 */
export function overValid<Y extends Variable | IntTensor>(
  where: string,
  outputs: Variable,
  targets: Y,
  options: LossOptions,
  lossesOf: (outputs: Variable, targets: Y) => Variable,
): Variable {
  checkNames(where, 'options', options, ['mask', 'lengths', 'reduction']);
  const { lengths, mask } = options;
  if (lengths === undefined) return reduce(where, lossesOf(outputs, targets), options);
  checkShape(
    where,
    'outputs',
    outputs.shape.slice(0, 2),
    { letters: '[T, B, …]', lengths: [undefined, lengths.length] },
    'There must be one length per row.',
  );
  const [T, B] = outputs.shape as [number, number];
  const valid = validRows(where, T, B, lengths);
  if (valid === undefined) return reduce(where, lossesOf(outputs, targets), options);
  const validTargets = isIntTensor(targets)
    ? { shape: [valid.rows.length], data: valid.rows.map((row) => targets.data[row]!) }
    : takeValid(targets, valid);
  const losses = placeValid(lossesOf(takeValid(outputs, valid), validTargets as Y), valid, B);
  const weights = mask === undefined ? full([T, B], 1) : operand(where, mask, 'mask');
  checkShape(where, 'mask', weights.shape.slice(0, 2), { letters: '[T, B, …]', lengths: [T, B] });
  return reduce(where, losses, { ...options, mask: placeValid(takeValid(operand(where, weights), valid), valid, B) });
}

function reduce(where: string, losses: Variable, { mask, reduction = 'mean' }: LossOptions): Variable {
  if (!['none', 'sum', 'mean'].includes(reduction)) {
    throw new RangeError(`${where}: reduction must be 'none', 'sum' or 'mean', got ${describe(reduction)}.`);
  }
  const weights = mask === undefined ? undefined : maskOver(where, operand(where, mask, 'mask'), losses);
  const weighted = weights === undefined ? losses : multiply(losses, weights);
  if (reduction === 'none') return weighted;
  if (reduction === 'sum') return sum(weighted);
  const count = weights === undefined ? losses.size : toTensor(sum(weights)).data[0]!;
  if (!(count > 0))
    throw new RangeError(
      `${where}: there must be at least one target for the mean. Is the batch empty, or the mask all zeros?`,
    );
  return scale(sum(weighted), 1 / count);
}

/** The mask, broadcast from the leading axes of the losses to all. */
function maskOver(where: string, mask: Variable, { shape }: Variable): Variable {
  if (!sameShape(mask.shape, shape.slice(0, mask.shape.length))) {
    throw new RangeError(
      `${where}: mask must have the shape of the targets or of their leading axes, ${formatShape(shape)}, ` +
        `got ${formatShape(mask.shape)}.`,
    );
  }
  const rest = shape.slice(mask.shape.length);
  if (rest.length === 0) return mask;
  return broadcastTo(reshape(mask, [...mask.shape, ...rest.map(() => 1)]), shape);
}
