/** The interface of layers: parameters, shapes, and the functions that run them. */

import { isVariable, operand, type Variable } from '../autodiff/tape';
import type { StepRunner, StepRunnerOptions } from '../recurrence/cell-stream';
import { lastOf } from '../tensor/arrays';
import type { Origin } from '../tensor/origin';
import type { ParameterSpec } from '../tensor/parameter-spec';
import type { Random } from '../tensor/random';
import { checkNames, mismatch, outOfRange } from '../tensor/shape';
import type { IntTensor, Tensor } from '../tensor/tensor';

/**
 * The kind and size of the values between two layers:
 *
 *     ids          [T, B]                               token ids
 *     vectors      [T, B, size], or [B, size]           per step (`perStep`), or per sequence
 *     directions   [2, T, B, size], or [2, B, size]     the output of each direction of a bidirectional layer
 */
export type Features =
  | { readonly kind: 'ids' }
  | { readonly kind: 'vectors'; readonly size: number; readonly perStep: boolean }
  | { readonly kind: 'directions'; readonly size: number; readonly perStep: boolean };

/** The parameters of one layer by name. */
export type LayerParameters = Readonly<Record<string, Tensor>>;

/** The state of one layer between two calls by name, each `[B, H]`. Stateless layers have none. */
export type LayerState<L = Tensor> = Readonly<Record<string, L>>;

/** The context of a run: everything a layer can use besides its parameters and its input. */
export interface LayerContext {
  /** Whether the run is part of training, so that dropout and other regularization apply. */
  readonly training: boolean;
  /** The random generator of training. */
  readonly random: Random;
  /**
   * The random generator of values that are drawn once per sequence, such as variational dropout masks. It repeats the
   * same values if a sequence is run in segments.
   */
  readonly sequenceRandom: Random;
  /** `[B]`, the number of valid steps of each row. By default, all steps are valid. */
  readonly lengths: Int32Array | undefined;
  /**
   * `[T, B]`, 1 at the first step of a new sequence, before which the state is reset. By default, there are no resets.
   */
  readonly resets: IntTensor | undefined;
  /**
   * The initial state: the final state of a previous run. Missing parts, or all by default, take the layer's own
   * initial values.
   */
  readonly state: LayerState<Tensor | Variable> | undefined;
}

/** Returns the context of a run that is not part of training and draws no random values. */
export function inferenceContext(): LayerContext {
  const random = { state: new Uint32Array(4) };
  return { training: false, random, sequenceRandom: random, lengths: undefined, resets: undefined, state: undefined };
}

/** The result of a layer. */
export interface LayerResult {
  readonly output: Variable;
  /** The final state, from which a later run can continue. */
  readonly state?: LayerState<Variable>;
  /** Returns the states after every step, `[T, B, H]` each; zeros in the padding. */
  readonly states?: () => LayerState<Variable>;
}

/** The arguments of {@link Layer.stepRunner}: workspace, parameters, the offset of the input, and its features. */
export interface LayerStepContext extends StepRunnerOptions {
  /** The features of the input. */
  readonly features: Features;
}

/**
 * A layer: its parameters, the shape of its output, and how to run it. Layers are plain objects without values of
 * parameters; {@link sequential} initializes them. A custom layer is an object with these fields:
 *
 * @example
 * const half: Layer = {
 *   name: 'half',
 *   output: (input) => input,
 *   run: (_parameters, input) => {
 *     if (isIntTensor(input)) throw new TypeError('half: expected vectors, got ids.');
 *     return { output: scale(input, 0.5) };
 *   },
 * };
 * predict(sequential([half], { inputSize: 2 }), full([1, 1, 2], 3)).data; // Float32Array [1.5, 1.5]
 */
export interface Layer {
  /** The stem of its name in parameters and error messages. The second layer with the stem `lstm` is `lstm2`. */
  readonly name: string;
  /** The constructor function and its arguments. A model with a layer that has none cannot be saved by {@link save}. */
  readonly origin?: Origin;
  /**
   * Whether its input is token ids or vectors; `'vectors'` by default. A model whose first layer accepts ids has no
   * `inputSize`.
   */
  readonly accepts?: 'ids' | 'vectors';
  /** Returns the features of the output. @throws RangeError if the layer does not support the input */
  readonly output: (input: Features) => Features;
  /** Returns the specifications of its parameters. By default, the layer has none. */
  readonly parameters?: (input: Features) => Readonly<Record<string, ParameterSpec>>;
  /**
   * Whether the output of a step depends only on that step and, through the state, on earlier ones. A layer for which
   * it is false cannot be streamed. By default, streams assume that it is true; {@link predict} does not, and runs long
   * sequences in parts only if it is true.
   */
  readonly causal?: boolean | undefined;
  /**
   * Returns the number of valid steps of the output for a number of valid steps of the input, if they may differ, as
   * after a strided convolution. Such a layer is not causal.
   */
  readonly steps?: (length: number) => number;
  /**
   * The names of the parameters that its runs in training change, such as running statistics, and that have no
   * gradient.
   */
  readonly buffers?: readonly string[];
  /** Runs the layer on ids `[T, B]`, or on vectors `[T, B, I]` or `[B, I]`. */
  readonly run: (
    parameters: Readonly<Record<string, Variable>>,
    input: Variable | IntTensor,
    context: LayerContext,
  ) => LayerResult;
  /**
   * Creates a runner for streams, which computes one step at a time without allocating. It is optional: a causal layer
   * without one is streamed through {@link Layer.run} with T = 1.
   */
  readonly stepRunner?: (context: LayerStepContext) => StepRunner;
}

/** Creates a step runner without state. */
export const stateless = (output: number, size: number, step: () => void): StepRunner => ({
  output,
  size,
  start: () => undefined,
  step,
  readState: () => undefined,
  writeState: (_, values = {}) => checkNames('stream', 'state', values, []),
});

/** Applies an activation function, if there is one. @throws TypeError if its result is not a variable */
export function activate(where: string, activation: ((x: Variable) => Variable) | undefined, x: Variable): Variable {
  return activation === undefined ? x : operand(where, activation(x), 'the result of activation');
}

/** @throws RangeError if a step begins a new sequence, which a layer that combines several steps does not support */
export function checkNoResets(
  caller: string,
  { resets }: Pick<LayerContext, 'resets'>,
  expected = 'undefined, because the layer combines several steps',
): void {
  if (resets?.data.some((flag) => flag !== 0)) throw outOfRange(caller, 'resets', expected, 'resets');
}

/** Returns the features of input vectors. @throws RangeError if the input is token ids or separate directions */
export function vectorFeatures(caller: string, input: Features): Extract<Features, { readonly kind: 'vectors' }> {
  if (input.kind === 'vectors') return input;
  const cause = "Put an embedding before it, or a merge other than 'both'.";
  throw outOfRange(caller, 'the input', 'vectors', input.kind, cause);
}

/** Returns the size of the input vectors. @throws as {@link vectorFeatures} */
export function vectorSize(caller: string, input: Features): number {
  return vectorFeatures(caller, input).size;
}

/**
 * Returns the size of the input vectors of each step.
 *
 * @throws as {@link vectorFeatures}, and RangeError if there is one vector per sequence
 */
export function stepSize(caller: string, input: Features): number {
  const { size, perStep } = vectorFeatures(caller, input);
  if (perStep) return size;
  const cause = 'Does the layer before it need returnSequences: true?';
  throw outOfRange(caller, 'the input', 'a vector per step', 'one per sequence', cause);
}

/** Returns the features of the input of a run. */
export function featuresOf(input: Variable | IntTensor): Features {
  return isVariable(input)
    ? { kind: 'vectors', size: lastOf(input.shape)!, perStep: input.shape.length === 3 }
    : { kind: 'ids' };
}

/** Returns the input vectors. @throws TypeError if the input is token ids */
export function vectors(caller: string, input: Variable | IntTensor): Variable {
  if (isVariable(input)) return input;
  throw mismatch(caller, 'the input', 'vectors', 'ids');
}
