/** Losses: what a model is to make small. Each answers a scalar, or one number an element or row with `reduction: none`. */

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
import { checkShape, describe, formatShape, sameShape } from '../tensor/shape';
import { full, type IntTensor, isIntTensor, type Tensor } from '../tensor/tensor';

/** How a loss is reduced: one value per target (`'none'`), their sum, or their mean weighted by the mask (`'mean'`). */
export type Reduction = 'none' | 'sum' | 'mean';

/** What counts in a loss, and how its parts come together. */
export interface LossOptions {
  /** Of the shape of the targets, or of its leading axes (`[T, B]` for targets `[T, B, O]`): what counts, and how much; all by default. */
  readonly mask?: Tensor | Variable | undefined;
  /** `[B]` how many steps of each row of `[T, B, …]` count; all by default. What stands in the padding changes nothing. */
  readonly lengths?: Int32Array | undefined;
  /** `'mean'` by default. */
  readonly reduction?: Reduction;
}

/** A loss over a model's outputs. */
export type Loss<Y extends Operand | IntTensor = Operand | IntTensor> = (
  outputs: Operand,
  targets: Y,
  options?: LossOptions,
) => Variable;

/**
 * −log softmax(logits)[target], from logits and ids: `[..., V]` and `[...]`.
 *
 * @throws RangeError where the shapes do not fit or a target is outside [0, V)
 * @example
 * compute({ logits: full([2, 4], 0) }, ({ logits }) => crossEntropy(logits, intTensor([1, 3]))).data[0]; // ln 4 = 1.386…
 */
export function crossEntropy(logits: Operand, targets: IntTensor, options: LossOptions = {}): Variable {
  const all = operand('crossEntropy', logits, 'logits');
  if (all.shape.length === 0 || !sameShape(all.shape.slice(0, -1), targets?.shape ?? [NaN])) {
    throw new RangeError(
      `crossEntropy: targets must be ids of the shape of logits without its last axis, ${formatShape(all.shape.slice(0, -1))}, ` +
        `got ${formatShape(targets?.shape ?? [])}.`,
    );
  }
  return overValid('crossEntropy', all, targets, options, negativeLogLikelihood);
}

/** −log softmax(scores)[target] of every row. */
function negativeLogLikelihood(scores: Variable, targets: IntTensor): Variable {
  const V = scores.shape.at(-1)!;
  const chosen = idOperand('crossEntropy', targets, V, 'targets', `logits has ${V} classes.`);
  const scope = currentScope('crossEntropy');
  const { kernels: k } = scope;
  const parts = result(scope, targets.shape, [scores]);
  const probabilities = allocate(scope.workspace, scores.size);
  k.of(crossEntropyRows)(parts.offset, probabilities, scores.offset, chosen.offset, parts.size, V);
  record([parts], () =>
    k.of(crossEntropyRowsBackward)(gradientOf(scores), gradientOf(parts), probabilities, chosen.offset, parts.size, V),
  );
  return parts;
}

/**
 * −t · log σ(logit) − (1 − t) · log(1 − σ(logit)), from logits; targets between 0 and 1, of the same shape.
 *
 * @throws RangeError where the shapes differ
 * @example
 * compute({ x: tensor([0, 0]) }, ({ x }) => binaryCrossEntropy(x, tensor([1, 0]))).data; // Float32Array [0.693147]
 */
export function binaryCrossEntropy(logits: Operand, targets: Operand, options: LossOptions = {}): Variable {
  const pair = pairOf('binaryCrossEntropy', logits, targets);
  return overValid('binaryCrossEntropy', ...pair, options, (x, t) => subtract(softplus(x), multiply(x, t)));
}

/**
 * (prediction − target)².
 *
 * @throws RangeError where the shapes differ
 * @example
 * compute({ x: tensor([1, 3]) }, ({ x }) => meanSquaredError(x, tensor([0, 0]), { mask: tensor([1, 0]) })).data; // Float32Array [1]
 */
export function meanSquaredError(predictions: Operand, targets: Operand, options: LossOptions = {}): Variable {
  return overValid('meanSquaredError', ...pairOf('meanSquaredError', predictions, targets), options, (x, t) => {
    const difference = subtract(x, t);
    return multiply(difference, difference);
  });
}

/**
 * |prediction − target|.
 *
 * @throws RangeError where the shapes differ
 * @example
 * compute({ x: tensor([1, 3]) }, ({ x }) => meanAbsoluteError(x, tensor([0, 0]))).data; // Float32Array [2]
 */
export function meanAbsoluteError(predictions: Operand, targets: Operand, options: LossOptions = {}): Variable {
  const pair = pairOf('meanAbsoluteError', predictions, targets);
  return overValid('meanAbsoluteError', ...pair, options, (x, t) => abs(subtract(x, t)));
}

/**
 * The square of a small error and the size of a large one (Huber, 1964).
 *
 * @throws RangeError where the shapes differ
 * @example
 * compute({ x: tensor([0.5, 3]) }, ({ x }) => huber(x, tensor([0, 0]))).data; // Float32Array [1.3125]
 */
export function huber(
  predictions: Operand,
  targets: Operand,
  { delta = 1, ...options }: LossOptions & { readonly delta?: number } = {},
): Variable {
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
 * A loss from the parts that a function gives for outputs and targets. With lengths the function sees the valid rows alone, and the
 * padding has parts 0 and weight 0.
 */
export function overValid<Y extends Variable | IntTensor>(
  where: string,
  outputs: Variable,
  targets: Y,
  options: LossOptions,
  partsOf: (outputs: Variable, targets: Y) => Variable,
): Variable {
  const { lengths, mask } = options;
  if (lengths === undefined) return reduce(where, partsOf(outputs, targets), options);
  checkShape(
    where,
    'outputs',
    outputs.shape.slice(0, 2),
    { letters: '[T, B, …]', lengths: [undefined, lengths.length] },
    'lengths are of its rows.',
  );
  const [T, B] = outputs.shape as [number, number];
  const valid = validRows(where, T, B, lengths);
  if (valid === undefined) return reduce(where, partsOf(outputs, targets), options);
  const validTargets = isIntTensor(targets)
    ? { shape: [valid.rows.length], data: valid.rows.map((row) => targets.data[row]!) }
    : takeValid(targets, valid);
  const parts = placeValid(partsOf(takeValid(outputs, valid), validTargets as Y), valid, B);
  const weights = mask === undefined ? full([T, B], 1) : operand(where, mask, 'mask');
  checkShape(where, 'mask', weights.shape.slice(0, 2), { letters: '[T, B, …]', lengths: [T, B] });
  return reduce(where, parts, { ...options, mask: placeValid(takeValid(operand(where, weights), valid), valid, B) });
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
    throw new RangeError(`${where}: there is no target to average over: the batch is empty or its mask is all zeros.`);
  return scale(sum(weighted), 1 / count);
}

/** A mask of the leading axes of the losses, broadcast to all of them. */
function maskOver(where: string, mask: Variable, { shape }: Variable): Variable {
  if (!sameShape(mask.shape, shape.slice(0, mask.shape.length))) {
    throw new RangeError(
      `${where}: mask must have the shape of the targets or of their leading axes, ${formatShape(shape)}, got ${formatShape(mask.shape)}.`,
    );
  }
  const rest = shape.slice(mask.shape.length);
  if (rest.length === 0) return mask;
  return broadcastTo(reshape(mask, [...mask.shape, ...rest.map(() => 1)]), shape);
}
