/** Layers one after the other: the noun that is trained, predicts, streams and generates. */

import { compute } from '../bptt/value-and-gradient';
import { operand, type Variable } from '../bptt/tape';
import type { Features, Layer, LayerContext, LayerParameters, LayerState } from '../layers/layer';
import { createRandom, type Random } from '../tensor/random';
import { checkCount, checkSome } from '../tensor/shape';
import { isIdTensor, type IdTensor, type Tensor } from '../tensor/tensor';
import { flattenTree } from '../tensor/tree';

/** Layers with their parameters. */
export interface Sequential {
  readonly layers: readonly NamedLayer[];
  /** The parameters by layer and name: views of {@link Sequential.data}. */
  readonly parameters: Readonly<Record<string, LayerParameters>>;
  /** All parameters, one behind the other. Change them in place. */
  readonly data: Float32Array;
  /** What goes in and what comes out. */
  readonly input: Features;
  readonly output: Features;
}

/** A layer under its name in the model. */
export interface NamedLayer {
  readonly name: string;
  readonly layer: Layer;
  /** What goes out of it. */
  readonly output: Features;
}

/** Input size and seed of {@link sequential}. */
export interface SequentialOptions {
  /** I, where the first layer takes vectors. */
  readonly inputSize?: number;
  /** Of the generator that initializes the parameters. */
  readonly seed?: number;
}

/** The state of every layer that has one, by layer name: `{ lstm: { h, c } }`, each `[B, H]`. */
export type ModelState<L = Tensor> = Readonly<Record<string, LayerState<L>>>;

/**
 * Builds layers one after the other and initializes their parameters.
 *
 * @throws RangeError where there is no layer, a layer cannot follow the one before, or `inputSize` is missing
 * @example
 * const model = sequential([
 *   embedding({ vocabularySize: 50, size: 8 }), recurrent(lstm(), { hiddenSize: 16 }), dense({ size: 50 }),
 * ], { seed: 7 });
 * Object.keys(model.parameters); // ['embedding', 'lstm', 'dense']
 */
export function sequential(layers: readonly Layer[], { inputSize, seed = 0 }: SequentialOptions = {}): Sequential {
  checkSome('sequential', 'layers', layers.length, 'layer');
  if (inputSize !== undefined) checkCount('sequential', 'inputSize', inputSize);
  if (inputSize === undefined && layers[0]!.name !== 'embedding') {
    throw new RangeError(`sequential: inputSize must be given, since the first layer (${layers[0]!.name}) takes vectors.`);
  }
  const random = createRandom(seed);
  const input: Features = inputSize === undefined ? { kind: 'ids' } : { kind: 'vectors', size: inputSize, perStep: true };
  let features = input;
  const named: NamedLayer[] = [];
  const parameters: Record<string, LayerParameters> = {};
  for (const layer of layers) {
    const before = named.filter((other) => other.layer.name === layer.name).length;
    const name = before === 0 ? layer.name : `${layer.name}${before + 1}`;
    const built = layer.build(features, random);
    named.push({ name, layer, output: built.output });
    if (Object.keys(built.parameters).length > 0) parameters[name] = built.parameters;
    features = built.output;
  }
  const { data, tree } = flattenTree(parameters);
  return { layers: named, parameters: tree, data, input, output: features };
}

/** What {@link runModel} needs to know beyond the input. */
export type RunOptions = Omit<LayerContext, 'state'> & { readonly state?: ModelState<Tensor | Variable> | undefined };

/** What {@link runModel} answers. */
export interface ModelRun {
  readonly output: Variable;
  /** What every layer would go on from. */
  readonly state: ModelState<Variable>;
  /** The output of every layer in order, to find where something went wrong. */
  readonly outputs: readonly Variable[];
}

/**
 * Runs a model inside {@link compute} or {@link valueAndGradient}, on variables of its parameters.
 *
 * @param input ids `[T, B]`, or vectors `[T, B, I]`
 * @example
 * const model = sequential([dense({ size: 3 })], { inputSize: 2 });
 * const options = { training: false, random: createRandom(1), lengths: undefined };
 * compute(model.parameters, (p) => runModel(model, p, full([4, 1, 2], 0), options).output).shape; // [4, 1, 3]
 */
export function runModel(
  model: Sequential,
  parameters: Readonly<Record<string, Readonly<Record<string, Variable>>>>,
  input: IdTensor | Tensor | Variable,
  { state, ...context }: RunOptions,
): ModelRun {
  let value: IdTensor | Variable = isIdTensor(input) ? input : operand('predict', input, 'inputs');
  const outputs: Variable[] = [];
  const states: Record<string, LayerState<Variable>> = {};
  for (const { name, layer } of model.layers) {
    const answer = layer.run(parameters[name] ?? {}, value, { ...context, state: state?.[name] });
    if (answer.state !== undefined) states[name] = answer.state;
    value = answer.output;
    outputs.push(value);
  }
  return { output: outputs.at(-1)!, state: states, outputs };
}

/** Lengths and state for {@link predict}. */
export interface PredictOptions {
  /** `[B]` how many steps of each row are valid; all by default. */
  readonly lengths?: Int32Array;
  /** Where the layers go on from; zeros by default. */
  readonly state?: ModelState;
}

/**
 * What the model answers, with dropout and the like off. A batch of any size.
 *
 * @param inputs ids `[T, B]`, or vectors `[T, B, I]`
 * @returns `[T, B, O]`, or `[B, O]` where the model answers once a sequence
 * @throws RangeError where the inputs do not fit
 * @example
 * const model = sequential([recurrent(lstm(), { hiddenSize: 4 })], { inputSize: 2, seed: 1 });
 * predict(model, full([3, 1, 2], 1)).shape; // [3, 1, 4]
 */
export function predict(model: Sequential, inputs: IdTensor | Tensor, options: PredictOptions = {}): Tensor {
  return predictWithState(model, inputs, options).output;
}

/**
 * {@link predict}, with the state of every layer after the last step, from which a next call can go on.
 *
 * @example
 * const model = sequential([recurrent(gru(), { hiddenSize: 4 })], { inputSize: 2 });
 * const { state } = predictWithState(model, full([3, 1, 2], 1));
 * predict(model, full([1, 1, 2], 1), { state }).shape; // [1, 1, 4]
 */
export function predictWithState(
  model: Sequential,
  inputs: IdTensor | Tensor,
  { lengths, state }: PredictOptions = {},
): { readonly output: Tensor; readonly state: ModelState } {
  return compute(model.parameters, (p) => {
    const run = runModel(model, p, inputs, { ...prediction(), lengths, state });
    return { output: run.output, state: run.state };
  });
}

/** A context in which nothing is random. */
export function prediction(): { readonly training: false; readonly random: Random; readonly lengths: undefined } {
  return { training: false, random: { state: new Uint32Array(4) }, lengths: undefined };
}
