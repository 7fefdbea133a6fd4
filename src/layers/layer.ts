/** What a layer is: data that says how its parameters begin and how it runs. */

import type { Variable } from '../autodiff/tape';
import type { StepRunner, StepRunnerOptions } from '../recurrence/cell-stream';
import type { Origin } from '../tensor/origin';
import type { ParameterSpec } from '../tensor/parameter-spec';
import type { Random } from '../tensor/random';
import type { IntTensor, Tensor } from '../tensor/tensor';

/** What flows between layers: token ids; vectors of `size` numbers, one a step (`perStep`) or one a sequence; those of two directions, `[2, …]`. */
export type Features =
  | { readonly kind: 'ids' }
  | { readonly kind: 'vectors'; readonly size: number; readonly perStep: boolean }
  | { readonly kind: 'directions'; readonly size: number; readonly perStep: boolean };

/** Parameters of one layer by name. */
export type LayerParameters = Readonly<Record<string, Tensor>>;

/** The state of one layer between calls, by name; nothing for layers without. */
export type LayerState<L = Tensor> = Readonly<Record<string, L>>;

/** What a layer is told besides its input. */
export interface LayerContext {
  /** Whether dropout and the like are on. */
  readonly training: boolean;
  /** The generator for what is random in training. */
  readonly random: Random;
  /** The generator for what is drawn once for whole sequences; it draws the same again where a sequence is run in several pieces. */
  readonly sequenceRandom: Random;
  /** `[B]` how many steps of each row are valid; all by default. */
  readonly lengths: Int32Array | undefined;
  /** `[T, B]` 1 where a step begins a new sequence; none by default. */
  readonly resets: IntTensor | undefined;
  /** The state the layer left last time, if it is carried. */
  readonly state: LayerState<Tensor | Variable> | undefined;
}

/** A context in which nothing is random. */
export function inferenceContext(): LayerContext {
  const random = { state: new Uint32Array(4) };
  return { training: false, random, sequenceRandom: random, lengths: undefined, resets: undefined, state: undefined };
}

/** What a layer answers: its output, and the state it would go on from. */
export interface LayerResult {
  readonly output: Variable;
  readonly state?: LayerState<Variable>;
}

/** What a layer is told when a stream begins. */
export interface LayerStepContext extends StepRunnerOptions {
  /** What comes in at every step. */
  readonly features: Features;
}

/** A layer before it has parameters: a noun that {@link sequential} builds. */
export interface Layer {
  /** The stem of its name in parameters and messages; a second one of the stem `lstm` becomes `lstm2`. */
  readonly name: string;
  /** How to make it again. */
  readonly origin?: Origin;
  /** What goes out for what comes in. @throws RangeError where it cannot follow that */
  readonly output: (input: Features) => Features;
  /** Its parameters for what comes in; none by default. */
  readonly parameters?: (input: Features) => Readonly<Record<string, ParameterSpec>>;
  /** Whether what goes out at a step depends on nothing after it, so that a sequence can be run in pieces; true by default. */
  readonly causal?: boolean;
  /** Runs on `ids [T, B]`, or on `[T, B, I]` or `[B, I]`. */
  readonly run: (
    parameters: Readonly<Record<string, Variable>>,
    input: Variable | IntTensor,
    context: LayerContext,
  ) => LayerResult;
  /** Runs step by step in a stream, if it is causal; a layer without is run through {@link Layer.run}. */
  readonly stepRunner?: (start: LayerStepContext) => StepRunner;
}

/** What the steps of a layer without state answer about it. */
export const stateless: Pick<StepRunner, 'readState' | 'writeState'> = {
  readState: () => undefined,
  writeState: () => undefined,
};

/** The vectors that come in. @throws RangeError where ids do, or both directions apart */
export function vectorFeatures(where: string, input: Features): Extract<Features, { readonly kind: 'vectors' }> {
  if (input.kind === 'ids')
    throw new RangeError(`${where}: expected vectors, got token ids. Put an embedding before it.`);
  if (input.kind === 'directions')
    throw new RangeError(`${where}: expected vectors, got both directions apart (merge: 'both'), which come last.`);
  return input;
}

/** The size of the vectors that come in. @throws as {@link vectorFeatures} */
export function vectorSize(where: string, input: Features): number {
  return vectorFeatures(where, input).size;
}

/** The size of the vectors of every step that come in. @throws as {@link vectorFeatures}, RangeError where there is one a sequence */
export function stepSize(where: string, input: Features): number {
  const { size, perStep } = vectorFeatures(where, input);
  if (perStep) return size;
  throw new RangeError(
    `${where}: expected a vector a step, got one a sequence. Does the layer before it need returnSequences?`,
  );
}

/** The vectors that come in. @throws TypeError where ids do */
export function vectors(where: string, input: Variable | IntTensor): Variable {
  if ('storage' in input) return input;
  throw new TypeError(`${where}: expected vectors, got token ids. Put an embedding before it.`);
}
