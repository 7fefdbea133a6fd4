/**
 * Optimizers. An optimizer is a chain of transformations that turn the gradient into a step, in place; the result of
 * the last is added to the parameters. Clipping and penalties are transformations like any other (see
 * transformations.ts).
 */

import { runScope } from '../autodiff/tape';
import { copyTreeInto } from '../autodiff/value-and-gradient';
import { addScaled, scaling, sumOfSquares } from '../kernels/arithmetic';
import type { Kernels } from '../kernels/kernel';
import { fill } from '../kernels/movement';
import { adagradUpdate, adamUpdate, momentumUpdate, rmspropUpdate } from '../kernels/optimizers';
import { copyInto, defaultWorkspace, type Workspace } from '../kernels/workspace';
import { isArrayOf } from '../tensor/arrays';
import type { Complete } from '../tensor/complete';
import { withCaller } from '../tensor/error-context';
import type { NoInfer } from '../tensor/no-infer';
import { type Origin, withOrigin } from '../tensor/origin';
import { type NotCloneable, postInstead } from '../tensor/post-instead';
import {
  checkArray,
  checkBelowOne,
  checkCount,
  checkFunctions,
  checkKind,
  checkNames,
  checkNumber,
  counted,
  describe,
  outOfRange,
  type Shape,
} from '../tensor/shape';
import { type TensorTree, treeSize, visitTree } from '../tensor/tree';
import { diverged, nonFiniteGradient } from './finite-check';
import { type LearningRate, rateAt } from './schedules';

/** A parameter: its dotted path, its shape, and its offset and size in the buffer of all parameters. */
export interface ParameterLeaf {
  readonly path: string;
  readonly shape: Shape;
  readonly offset: number;
  readonly size: number;
}

/** The parameters of a tree, in order. */
export function parameterLeaves(parameters: TensorTree): readonly ParameterLeaf[] {
  const list: ParameterLeaf[] = [];
  visitTree('applyOptimizer', parameters, ({ shape, data }, path, offset) =>
    list.push({ path, shape, offset, size: data.length }),
  );
  return list;
}

/** The input of a transformation: offsets, in the workspace, of buffers of all `size` parameters. */
export interface Update {
  readonly kernels: Kernels;
  readonly size: number;
  /** The number of this update, from 1. */
  readonly step: number;
  /** The losses on the validation data so far; `undefined` without validation data. */
  readonly validationLosses?: readonly number[] | undefined;
  readonly parameters: number;
  /** Input: the result of the previous transformation. Output: the input of the next. */
  readonly gradient: number;
  /** The state buffers of this transformation. */
  readonly slots: readonly number[];
  /** The individual parameters, in order. */
  readonly leaves: readonly ParameterLeaf[];
  /** The parameters that the run of the model has changed, such as running statistics: optimizers leave them. */
  readonly buffers?: readonly Pick<ParameterLeaf, 'offset' | 'size'>[] | undefined;
}

/** A transformation of the gradient. */
export interface Optimizer extends NotCloneable {
  /** The name, which a state must have; for a {@link chain}, the names of the parts with state buffers. */
  readonly name: string;
  /** The number of state buffers, each with one element per parameter, initially zero. */
  readonly slots: number;
  readonly update: (update: Update) => void;
  /** The learning rate, if it has one. */
  readonly rate?: LearningRate | undefined;
  /** The parts of a {@link chain}. */
  readonly parts?: readonly Optimizer[];
  /** Whether the parameter at a path is never changed, so that its gradient is not needed. */
  readonly isFrozen?: (path: string) => boolean;
  /** The function that created it, and its arguments; a custom optimizer has none. */
  readonly origin?: Origin;
}

/**
 * Combines transformations, applied in order: clipping and penalties, then one optimizer, which turns the gradient into
 * a step, and at last transformations of the step. A second optimizer would take the step for a gradient.
 *
 * @example
 * const model = sequential([dense({ size: 1 })], { inputSize: 2 });
 * const batch = { inputs: full([1, 4, 2], 1), targets: full([1, 4, 1], 3) };
 * const optimizer = chain(clipByNorm(1), weightDecay(1e-4), adam(0.1));
 * const { losses } = await fit(model, batch, { loss: meanSquaredError, optimizer, steps: 50 });
 * losses.at(-1)! < losses[0]! / 100; // true
 */
export function chain(...parts: readonly Optimizer[]): Optimizer {
  parts.forEach((part, i) => checkOptimizer('chain', `parts[${i}]`, part));
  const optimizer: Optimizer = {
    name: parts
      .filter(({ slots }) => slots)
      .map(({ name }) => name)
      .join(),
    slots: parts.reduce((total, { slots }) => total + slots, 0),
    parts,
    rate: parts.reduce<LearningRate | undefined>((rate, part) => part.rate ?? rate, undefined),
    update: (update) => {
      const slots = [...update.slots];
      for (const part of parts) {
        part.update({ ...update, slots: slots.splice(0, part.slots) });
        leaveBuffers(update);
      }
    },
  };
  return createOptimizer(optimizer, 'chain', ...parts);
}

/** The transformations of nested chains, in order. */
export const partsOf = (optimizer: Optimizer): readonly Optimizer[] => optimizer.parts?.flatMap(partsOf) ?? [optimizer];

/**
 * Sets the gradient of the buffers to −0, which changes no bit of them. Penalties of all parameters have changed it.
 */
function leaveBuffers({ kernels, gradient, buffers = [] }: Update): void {
  for (const { offset, size } of buffers) kernels.of(fill)(gradient + offset, -0, size);
}

/** Records the function that created an optimizer, its arguments, and the alternative if the optimizer is posted. */
export const createOptimizer = (optimizer: Optimizer, ...origin: Origin): Optimizer =>
  withOrigin({ ...notCloneable, ...optimizer }, ...origin);

const notCloneable = /* @__PURE__ */ postInstead('an optimizer', 'its state, and create the optimizer in the worker');

/**
 * The optimizer that the function `name` creates from a learning rate and options.
 *
 * @throws RangeError if the rate is a number that is negative or not finite; those of a function are checked later
 */
export function withRate(
  name: string,
  slots: number,
  rate: LearningRate,
  options: object,
  change: (rate: number, update: Update) => void,
): Optimizer {
  if (typeof rate !== 'function') rateAt(name, rate, { step: 1 });
  const update: Optimizer['update'] = (input) => change(rateAt(name, rate, input), input);
  return createOptimizer({ name, slots, rate, update }, name, rate, { ...options });
}

/** @throws TypeError if `optimizer` is not an {@link Optimizer} */
export function checkOptimizer(where: string, argument: string, optimizer: Optimizer): void {
  checkFunctions(where, argument, optimizer, 'an optimizer, such as adam()', ['update']);
}

/** The options of {@link sgd}. */
export interface SgdOptions {
  /** Between 0 and 1; 0 by default. */
  readonly momentum?: number | undefined;
  /** Whether to use Nesterov momentum (Nesterov, 1983; in the form of Sutskever et al., 2013). False by default. */
  readonly nesterov?: boolean | undefined;
}

/**
 * Stochastic gradient descent: velocity ← momentum · velocity + gradient, step −rate · velocity.
 *
 * @param rate a constant learning rate, or a schedule; 0.01 by default
 * @throws RangeError if a constant rate is negative or not finite, or the momentum is not in [0, 1]
 * @example
 * const model = sequential([dense({ size: 1 })], { inputSize: 2 });
 * const batch = { inputs: full([1, 4, 2], 1), targets: full([1, 4, 1], 3) };
 * const optimizer = sgd(0.05, { momentum: 0.9, nesterov: true });
 * const { losses } = await fit(model, batch, { loss: meanSquaredError, optimizer, steps: 50 });
 * losses.at(-1)! < losses[0]! / 100; // true
 */
export function sgd(rate: LearningRate = 0.01, options: SgdOptions = {}): Optimizer {
  checkNames('sgd', 'options', options, ['momentum', 'nesterov']);
  const { momentum = 0, nesterov = false } = options;
  checkNumber('sgd', 'momentum', momentum, 0, 1);
  return withRate('sgd', momentum > 0 ? 1 : 0, rate, options, (lr, { kernels: k, gradient, slots, size }) => {
    if (momentum > 0) k.of(momentumUpdate)(gradient, slots[0]!, lr, momentum, Boolean(nesterov), size);
    else k.of(scaling)(gradient, gradient, -lr, size);
  });
}

/** Added to a root that is 0 for a parameter without a gradient, so it must not round to 0 in single precision. */
const leastEpsilon = 1e-30;

/** The options of {@link rmsprop}. */
export interface RmspropOptions {
  /** The decay rate of the moving average of squares. 0.9 by default. */
  readonly rho?: number | undefined;
  /** 1e-8 by default. */
  readonly epsilon?: number | undefined;
  /** Between 0 and 1; 0 by default. The velocity is that of the gradient after the division. */
  readonly momentum?: number | undefined;
}

/**
 * RMSprop: divides the gradient by the square root of a moving average of its squares (Tieleman and Hinton, 2012).
 * {@link centeredRmsprop} divides by the standard deviation.
 *
 * @param rate a constant learning rate, or a schedule; 0.001 by default
 * @throws RangeError if an option is out of range
 * @example
 * const model = sequential([dense({ size: 1 })], { inputSize: 2 });
 * const batch = { inputs: full([1, 4, 2], 1), targets: full([1, 4, 1], 3) };
 * const optimizer = rmsprop(0.01, { rho: 0.99, momentum: 0.9 });
 * const { losses } = await fit(model, batch, { loss: meanSquaredError, optimizer, steps: 50 });
 * losses.at(-1)! < losses[0]! / 100; // true
 */
export function rmsprop(rate: LearningRate = 1e-3, options: RmspropOptions = {}): Optimizer {
  checkNames('rmsprop', 'options', options, ['rho', 'epsilon', 'momentum']);
  const { rho, epsilon, momentum } = rmspropOptions('rmsprop', options);
  return withRate('rmsprop', momentum > 0 ? 2 : 1, rate, options, (lr, { kernels: k, gradient, slots, size }) => {
    k.of(rmspropUpdate)(gradient, slots[0]!, momentum > 0 ? 1 : lr, rho, epsilon, size);
    // The velocity is that of the negative gradient.
    if (momentum > 0) k.of(momentumUpdate)(gradient, slots[1]!, -lr, momentum, false, size);
  });
}

/** The options of RMSprop with their default values. @throws RangeError if one is out of range */
export function rmspropOptions(
  where: string,
  { rho = 0.9, epsilon = 1e-8, momentum = 0 }: RmspropOptions,
): Complete<RmspropOptions> {
  checkBelowOne(where, 'rho', rho);
  checkNumber(where, 'epsilon', epsilon, leastEpsilon);
  checkNumber(where, 'momentum', momentum, 0, 1);
  return { rho, epsilon, momentum };
}

/** The options of {@link adagrad}. */
export interface AdagradOptions {
  /** 1e-10 by default. */
  readonly epsilon?: number | undefined;
  /** The initial sum of squares; 0 by default. */
  readonly initialAccumulator?: number | undefined;
}

/**
 * Adagrad: divides the gradient by the square root of the sum of its squares (Duchi, Hazan and Singer, 2011).
 *
 * @param rate a constant learning rate, or a schedule; 0.01 by default
 * @throws RangeError if epsilon is less than 1e-30, or the initial sum is negative
 * @example
 * const model = sequential([dense({ size: 1 })], { inputSize: 2 });
 * const batch = { inputs: full([1, 4, 2], 1), targets: full([1, 4, 1], 3) };
 * const optimizer = adagrad(1, { initialAccumulator: 0.1 });
 * const { losses } = await fit(model, batch, { loss: meanSquaredError, optimizer, steps: 50 });
 * losses.at(-1)! < losses[0]! / 100; // true
 */
export function adagrad(rate: LearningRate = 0.01, options: AdagradOptions = {}): Optimizer {
  checkNames('adagrad', 'options', options, ['epsilon', 'initialAccumulator']);
  const { epsilon = 1e-10, initialAccumulator = 0 } = options;
  checkNumber('adagrad', 'epsilon', epsilon, leastEpsilon);
  checkNumber('adagrad', 'initialAccumulator', initialAccumulator, 0);
  return withRate('adagrad', 1, rate, options, (lr, { kernels: k, gradient, slots, step, size }) => {
    if (step === 1) k.of(fill)(slots[0]!, initialAccumulator, size);
    k.of(adagradUpdate)(gradient, slots[0]!, lr, epsilon, size);
  });
}

/** The options of {@link adam}. */
export interface AdamOptions {
  /** The decay rate of the moving average of gradients. 0.9 by default. */
  readonly beta1?: number | undefined;
  /** The decay rate of the moving average of squared gradients. 0.999 by default. */
  readonly beta2?: number | undefined;
  /** 1e-8 by default. */
  readonly epsilon?: number | undefined;
}

/**
 * Adam with bias correction (Kingma and Ba, 2014, arXiv 1412.6980).
 *
 * @param rate a constant learning rate, or a schedule; 0.001 by default
 * @throws RangeError if an option is out of range
 * @example
 * const parameters = { w: tensor([1, 1]) };
 * const optimizer = adam(0.1);
 * applyOptimizer(optimizer, initializeOptimizer(optimizer, 2), parameters, { w: tensor([5, -5]) });
 * parameters.w.data; // Float32Array [0.9, 1.1]
 */
export function adam(rate: LearningRate = 1e-3, options: AdamOptions = {}): Optimizer {
  checkNames('adam', 'options', options, ['beta1', 'beta2', 'epsilon']);
  const { beta1, beta2, epsilon } = adamOptions('adam', options);
  return withRate('adam', 2, rate, options, (lr, { kernels: k, gradient, slots, step, size }) =>
    k.of(adamUpdate)(
      gradient,
      slots[0]!,
      slots[1]!,
      lr,
      beta1,
      beta2,
      epsilon,
      1 - beta1 ** step,
      1 - beta2 ** step,
      size,
    ),
  );
}

/** The options of Adam with their default values. @throws RangeError if one is out of range */
export function adamOptions(
  where: string,
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: AdamOptions,
): Complete<AdamOptions> {
  checkBelowOne(where, 'beta1', beta1);
  checkBelowOne(where, 'beta2', beta2);
  checkNumber(where, 'epsilon', epsilon, leastEpsilon);
  return { beta1, beta2, epsilon };
}

/** The options of {@link adamw}. */
export interface AdamWOptions extends AdamOptions {
  /** The decoupled weight decay. 0.01 by default. */
  readonly weightDecay?: number | undefined;
}

/**
 * Adam with decoupled weight decay: −rate · weightDecay · parameters is added to the step (Loshchilov and Hutter, 2017,
 * arXiv 1711.05101).
 *
 * @param rate a constant learning rate, or a schedule; 0.001 by default
 * @throws RangeError if an option is out of range
 * @example
 * const model = sequential([dense({ size: 1 })], { inputSize: 2 });
 * const batch = { inputs: full([1, 4, 2], 1), targets: full([1, 4, 1], 3) };
 * const optimizer = adamw(cosineDecay(0.3, { steps: 50 }), { weightDecay: 0.01 });
 * const { losses } = await fit(model, batch, { loss: meanSquaredError, optimizer, steps: 50 });
 * losses.at(-1)! < losses[0]! / 100; // true
 */
export function adamw(rate: LearningRate = 1e-3, allOptions: AdamWOptions = {}): Optimizer {
  checkNames('adamw', 'options', allOptions, ['beta1', 'beta2', 'epsilon', 'weightDecay']);
  const { weightDecay = 0.01, ...options } = allOptions;
  checkNumber('adamw', 'weightDecay', weightDecay, 0);
  const inner = withCaller('adamw', () => adam(rate, options));
  return withRate('adamw', inner.slots, rate, allOptions, (lr, update) => {
    inner.update(update);
    update.kernels.of(addScaled)(update.gradient, update.parameters, -weightDecay * lr, update.size);
  });
}

/** The state of an optimizer: plain data. */
export interface OptimizerState {
  /** The name of the optimizer; `undefined` if it is not known. */
  readonly name?: string | undefined;
  /** The number of updates made. */
  step: number;
  /** State buffers with one element per parameter. */
  readonly slots: readonly Float32Array[];
}

/**
 * Creates the initial state of an optimizer for `size` parameters.
 *
 * @example
 * initializeOptimizer(adam(), 3).slots.length; // 2
 */
export function initializeOptimizer(optimizer: Optimizer, size: number): OptimizerState {
  checkOptimizer('initializeOptimizer', 'optimizer', optimizer);
  checkCount('initializeOptimizer', 'size', size, 0);
  return {
    name: optimizer.name,
    step: 0,
    slots: Array.from({ length: optimizer.slots }, () => new Float32Array(size)),
  };
}

/** A copy of an optimizer state. */
export function copyOptimizerState(state: OptimizerState): OptimizerState {
  return { ...state, slots: state.slots.map((slot) => slot.slice()) };
}

/** @throws RangeError if the state is not one of this optimizer for `size` parameters */
export function checkOptimizerState(
  where: string,
  argument: string,
  optimizer: Optimizer,
  state: OptimizerState,
  size: number,
): void {
  checkOptimizer(where, 'optimizer', optimizer);
  checkKind(where, argument, state, 'an optimizer state', 'slots');
  const { name, slots } = optimizer;
  const { name: found = name, slots: buffers, step } = state;
  checkArray(where, `${argument}.slots`, buffers);
  checkNumber(where, `${argument}.step`, step);
  if (
    buffers.length !== slots ||
    buffers.some((slot) => !isArrayOf('Float32Array', slot) || slot.length !== size) ||
    (slots && found !== name)
  ) {
    const cause = 'Is it from another optimizer or model?';
    const expected = `of ${describe(name)}, with ${counted(slots, 'buffer')} of size ${size}`;
    throw outOfRange(where, argument, expected, `one of ${describe(found)} with ${buffers.length}`, cause);
  }
}

/**
 * Updates parameters in place, for custom training loops.
 *
 * @param state from {@link initializeOptimizer}, updated in place
 * @param parameters a tree of tensors, updated in place
 * @param gradient the gradient, the same tree, from {@link valueAndGradient}
 * @returns the norm of the gradient before clipping, without frozen parameters
 * @throws RangeError if the trees differ, or the state does not fit; if the gradient is not finite, even if a
 * transformation would limit it; if a parameter would not be finite. Nothing has changed then
 * @example
 * const parameters = { w: tensor([1, 1]) };
 * applyOptimizer(sgd(0.1), initializeOptimizer(sgd(0.1), 2), parameters, { w: tensor([1, 2]) });
 * parameters.w.data; // Float32Array [0.9, 0.8]
 */
export function applyOptimizer<P extends TensorTree>(
  optimizer: Optimizer,
  state: OptimizerState,
  parameters: P,
  gradient: NoInfer<P>,
): { readonly norm: number } {
  const where = 'applyOptimizer';
  const list = parameterLeaves(parameters);
  // They are plain data: paths, shapes and sizes.
  if (JSON.stringify(list) !== JSON.stringify(parameterLeaves(gradient)))
    throw new RangeError(`${where}: gradient must have the names and shapes of parameters, in the same order.`);
  const size = treeSize(where, parameters);
  checkOptimizerState(where, 'state', optimizer, state, size);
  const workspace = defaultWorkspace();
  return runScope(workspace, false, () => {
    const p = copyTreeInto(where, workspace, parameters);
    const g = copyTreeInto(where, workspace, gradient);
    const slots = copySlotsInto(workspace, state);
    const view = workspace.memory.view;
    const trained = list.filter(({ path }) => !optimizer.isFrozen?.(path));
    let squares = 0;
    for (const { offset, size: length } of trained) squares += workspace.kernels.of(sumOfSquares)(g + offset, length);
    const step = state.step + 1;
    if (!Number.isFinite(squares)) throw nonFiniteGradient(where, trained, view.subarray(g, g + size), step);
    const update = { size, step, parameters: p, gradient: g, slots, leaves: list };
    updateAt(where, workspace, optimizer, update);
    state.step = step;
    copySlotsFrom(workspace, state, slots);
    visitTree(where, parameters, ({ data }, _, start) => data.set(view.subarray(p + start, p + start + data.length)));
    return { norm: Math.sqrt(squares) };
  });
}

/**
 * Updates the parameters and the state buffers in a workspace.
 *
 * @throws RangeError if a parameter would not be finite
 */
export function updateAt(
  where: string,
  { kernels }: Workspace,
  optimizer: Optimizer,
  input: Omit<Update, 'kernels'>,
): void {
  const { size, step, parameters } = input;
  const update = { ...input, kernels };
  optimizer.update(update);
  leaveBuffers(update);
  kernels.of(addScaled)(parameters, input.gradient, 1, size);
  if (!Number.isFinite(kernels.of(sumOfSquares)(parameters, size)))
    throw diverged(where, 'a parameter would not be finite', step);
}

/** Copies the buffers of a state into the workspace, and returns their offsets. */
export function copySlotsInto(workspace: Workspace, { slots }: OptimizerState): readonly number[] {
  return slots.map((slot) => copyInto(workspace, slot));
}

/** Copies the buffers of a state out of the workspace, from the offsets `slots`. */
export function copySlotsFrom(
  { memory }: Workspace,
  { slots: buffers }: OptimizerState,
  slots: readonly number[],
): void {
  buffers.forEach((buffer, i) => buffer.set(memory.view.subarray(slots[i]!, slots[i]! + buffer.length)));
}
