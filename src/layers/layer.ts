/** What a layer is: data that says how its parameters begin and how it runs. */

import type { Random } from '../tensor/random';
import type { IdTensor, Tensor } from '../tensor/tensor';
import type { Steps, StepsStart } from '../bptt/steps';
import type { Variable } from '../bptt/tape';

/** What flows between layers: token ids, or vectors of `size` numbers, one a step (`perStep`) or one a sequence. */
export type Features =
  | { readonly kind: 'ids' }
  | { readonly kind: 'vectors'; readonly size: number; readonly perStep: boolean };

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
  /** `[B]` how many steps of each row are valid; all by default. */
  readonly lengths: Int32Array | undefined;
  /** The state the layer left last time, if it is carried. */
  readonly state: LayerState<Tensor | Variable> | undefined;
}

/** What a layer answers: its output, and the state it would go on from. */
export interface LayerResult {
  readonly output: Variable;
  readonly state?: LayerState<Variable>;
}

/** What a layer is told when a stream begins. */
export interface StepsContext extends StepsStart {
  /** What comes in at every step. */
  readonly features: Features;
}

/** A layer before it has parameters: a noun that {@link sequential} builds. */
export interface Layer {
  /** The stem of its name in parameters and messages; a second one of the stem `lstm` becomes `lstm2`. */
  readonly name: string;
  /** The parameters for what comes in, and what goes out. @throws RangeError where it cannot follow what comes in */
  readonly build: (input: Features, random: Random) => { readonly parameters: LayerParameters; readonly output: Features };
  /** Runs on `ids [T, B]`, or on `[T, B, I]` or `[B, I]`. */
  readonly run: (
    parameters: Readonly<Record<string, Variable>>,
    input: Variable | IdTensor,
    context: LayerContext,
  ) => LayerResult;
  /** Runs step by step in a stream; a layer without is run through {@link Layer.run}. @throws RangeError where it needs the whole sequence */
  readonly steps?: (start: StepsContext) => Steps;
}

/** What the steps of a layer without state answer about it. */
export const stateless: Pick<Steps, 'readState' | 'writeState'> = { readState: () => undefined, writeState: () => undefined };

/** The size of the vectors that come in. @throws RangeError where ids do */
export function vectorSize(where: string, input: Features): number {
  if (input.kind === 'ids') throw new RangeError(`${where}: expected vectors, got token ids. Put an embedding before it.`);
  return input.size;
}

/** The vectors that come in. @throws TypeError where ids do */
export function vectors(where: string, input: Variable | IdTensor): Variable {
  if ('storage' in input) return input;
  throw new TypeError(`${where}: expected vectors, got token ids. Put an embedding before it.`);
}
