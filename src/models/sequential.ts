/** Layers one after the other: the noun that is trained, predicts, streams and generates. */

import { operand, type Variable } from '../autodiff/tape';
import { compute } from '../autodiff/value-and-gradient';
import { chain, chainParameters, type NamedLayer, runChain } from '../layers/chain';
import { type Features, inferenceContext, type Layer, type LayerParameters, type LayerState } from '../layers/layer';
import type { Origin } from '../tensor/origin';
import { initializeParameters, type ParameterPlan, type Planned } from '../tensor/parameter-spec';
import { createRandom, type Random } from '../tensor/random';
import { checkCount, checkShape, checkSome, formatShape } from '../tensor/shape';
import { type IntTensor, isIntTensor, type Tensor } from '../tensor/tensor';
import { flattenTree, leaves, treeOver } from '../tensor/tree';

/** Layers with their parameters. */
export interface Sequential {
  readonly layers: readonly NamedLayer[];
  /** How to make it again. */
  readonly origin: Origin;
  /** The parameters by layer and name: views of {@link Sequential.data}. */
  readonly parameters: Readonly<Record<string, LayerParameters>>;
  /** All parameters, one behind the other. Change them in place. */
  readonly data: Float32Array;
  /** What goes in and what comes out. */
  readonly input: Features;
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
  return buildSequential(layers, inputSize, (plan) => initializeParameters(plan, createRandom(seed)));
}

/** Where the tensors of a planned model come from: a generator, or a file. */
export type Fill = <P extends ParameterPlan>(plan: P, path: string) => Planned<P>;

/** Builds layers one after the other with parameters from somewhere. @throws as {@link sequential} */
export function buildSequential(layers: readonly Layer[], inputSize: number | undefined, fill: Fill): Sequential {
  checkSome('sequential', 'layers', layers.length, 'layer');
  if (inputSize !== undefined) checkCount('sequential', 'inputSize', inputSize);
  if (inputSize === undefined && layers[0]!.name !== 'embedding') {
    throw new RangeError(
      `sequential: inputSize must be given, since the first layer (${layers[0]!.name}) takes vectors.`,
    );
  }
  const input: Features =
    inputSize === undefined ? { kind: 'ids' } : { kind: 'vectors', size: inputSize, perStep: true };
  const named = chain(layers, input);
  const { data, tree } = flattenTree(fill(chainParameters(named), ''));
  return {
    layers: named,
    origin: ['sequential', layers, { inputSize }],
    parameters: tree,
    data,
    input,
    output: named.at(-1)!.output,
  };
}

/**
 * The same layers with other parameters, which are copied: how a model that was a part of a {@link customModel} predicts, streams and is saved after training.
 *
 * @param parameters by layer and name, of the shapes that the model has
 * @throws RangeError where a parameter is missing, has another shape, or is none of the model's
 * @example
 * const network = sequential([dense({ size: 1 })], { inputSize: 2, seed: 1 });
 * const line = customModel({ network: network.parameters }, (p, { inputs, targets }) => meanSquaredError(runModel(network, p.network, inputs).output, targets));
 * const batch = { inputs: full([1, 1, 2], 1), targets: full([1, 1, 1], 3) };
 * await fit(line, { batchCount: 1, batches: () => [batch] }, { optimizer: adam(0.1), steps: 300 });
 * predict(withParameters(network, line.parameters.network), batch.inputs).data[0].toFixed(1); // '3.0'
 */
export function withParameters(model: Sequential, parameters: Sequential['parameters']): Sequential {
  const given = new Map(leaves(parameters).map(({ path, tensor }) => [path, tensor]));
  const { data, tree } = treeOver(model.parameters, new Float32Array(model.data.length));
  for (const {
    path,
    tensor: { shape, data: own },
  } of leaves(tree)) {
    const from = given.get(path);
    if (from === undefined)
      throw new RangeError(
        `withParameters: ${path} ${formatShape(shape)} is missing. Do the parameters belong to another model?`,
      );
    checkShape('withParameters', path, from.shape, { letters: "of the model's shape", lengths: shape });
    if (from.data.length !== own.length)
      throw new RangeError(
        `withParameters: ${path} ${formatShape(shape)} must hold ${own.length} numbers, got ${from.data.length}.`,
      );
    own.set(from.data);
    given.delete(path);
  }
  const [other] = given.keys();
  if (other !== undefined)
    throw new RangeError(
      `withParameters: the model has no parameter ${other}. Do the parameters belong to another model?`,
    );
  return { ...model, parameters: tree, data };
}

/** Whether a model answers once a step, rather than once a sequence. */
export function outputsPerStep({ output }: Sequential): boolean {
  return output.kind === 'vectors' && output.perStep;
}

/** What {@link runModel} may be told beyond the input. */
export interface RunOptions {
  /** Whether dropout and the like are on; not by default. */
  readonly training?: boolean;
  /** The generator for what is random in training. */
  readonly random?: Random;
  /** A second one, for what is drawn once for whole sequences; `random` by default. */
  readonly sequenceRandom?: Random;
  /** `[B]` how many steps of each row are valid; all by default. */
  readonly lengths?: Int32Array | undefined;
  /** `[T, B]` 1 where a step begins a new sequence; none by default. */
  readonly resets?: IntTensor | undefined;
  /** Where the layers go on from; where sequences begin by default. */
  readonly state?: ModelState<Tensor | Variable> | undefined;
}

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
 * @throws TypeError where it is told to train without a generator; RangeError where the input or an option does not fit
 * @example
 * const model = sequential([dense({ size: 3 })], { inputSize: 2 });
 * compute(model.parameters, (p) => runModel(model, p, full([4, 1, 2], 0)).output).shape; // [4, 1, 3]
 */
export function runModel(
  model: Sequential,
  parameters: Readonly<Record<string, Readonly<Record<string, Variable>>>>,
  input: IntTensor | Tensor | Variable,
  { training = false, random, sequenceRandom = random, lengths, resets, state }: RunOptions = {},
): ModelRun {
  if (training && random === undefined)
    throw new TypeError('runModel: training needs a generator, random: createRandom(seed).');
  const calm = inferenceContext();
  const context = {
    training,
    random: random ?? calm.random,
    sequenceRandom: sequenceRandom ?? calm.random,
    lengths,
    resets,
  };
  const run = runChain(
    model.layers,
    parameters,
    isIntTensor(input) ? input : operand('predict', input, 'inputs'),
    context,
    state,
  );
  return { ...run, output: run.outputs.at(-1)! };
}

/** Lengths, resets and state for {@link predict}. */
export interface PredictOptions {
  /** `[B]` how many steps of each row are valid; all by default. */
  readonly lengths?: Int32Array;
  /** `[T, B]` 1 where a step begins a new sequence, to which the state does not reach; none by default. */
  readonly resets?: IntTensor;
  /** Where the layers go on from; where sequences begin by default. */
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
export function predict(model: Sequential, inputs: IntTensor | Tensor, options: PredictOptions = {}): Tensor {
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
  inputs: IntTensor | Tensor,
  options: PredictOptions = {},
): { readonly output: Tensor; readonly state: ModelState } {
  return compute(model.parameters, (p) => {
    const { output, state } = runModel(model, p, inputs, options);
    return { output, state };
  });
}
