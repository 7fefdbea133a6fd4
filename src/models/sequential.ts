/** Sequential models, for training, prediction, streaming and generation. */

import { operand, type Variable, valuesOf } from '../autodiff/tape';
import { type AsTensors, compute, type Results } from '../autodiff/value-and-gradient';
import { checkLayers, inputFeatures, type NamedLayer, planChain, runChain } from '../layers/chain';
import {
  type Features,
  inferenceContext,
  type Layer,
  type LayerParameters,
  type LayerResult,
  type LayerState,
} from '../layers/layer';
import { rowsAtOnce } from '../recurrence/pointwise-engine';
import { lastOf } from '../tensor/arrays';
import { withCaller } from '../tensor/error-context';
import { mapValues } from '../tensor/named-values';
import type { Origin } from '../tensor/origin';
import { initializeParameters, type ParameterPlan, type Planned } from '../tensor/parameter-spec';
import { modelNotCloneable, type NotCloneable } from '../tensor/post-instead';
import { checkRandom, type Random, seeded } from '../tensor/random';
import { checkKind, checkNames, checkObject, checkShape, formatShape, sameShape, sizeOf } from '../tensor/shape';
import { lengthsIn } from '../tensor/step-ranges';
import { type IntTensor, isIntTensor, isTensor, sliceSteps, type Tensor } from '../tensor/tensor';
import { flattenTree, leavesOf, treeOver } from '../tensor/tree';

/** A model of layers in order, with their parameters. */
export interface Sequential extends NotCloneable {
  readonly layers: readonly NamedLayer[];
  /** The constructor function and its arguments, which {@link save} stores. */
  readonly origin: Origin;
  /** The parameters by layer and name, views of {@link Sequential.data}: `model.parameters['lstm']!['weightIh']`. */
  readonly parameters: Readonly<Record<string, LayerParameters>>;
  /** All parameters in one contiguous buffer. Change them in place. */
  readonly data: Float32Array;
  /** The kind and size of the input. */
  readonly input: Features;
  /** The kind and size of the output. */
  readonly output: Features;
}

/** The options of {@link sequential}. */
export interface SequentialOptions {
  /** I, the size of the input vectors. Omit it if the first layer accepts token ids, as `embedding` does. */
  readonly inputSize?: number | undefined;
  /** The seed of the random initialization; 0 by default. */
  readonly seed?: number | undefined;
}

/**
 * The states of a model by layer and state name, each `[B, H]`: `state['lstm']!['h']`. Layers without state are absent.
 */
export type ModelState<L = Tensor> = Readonly<Record<string, LayerState<L>>>;

/**
 * Creates a model that runs layers in order, and initializes their parameters.
 *
 * @throws RangeError if `layers` is empty, a layer does not support the output of the previous one, or `inputSize` is
 *   missing
 * @example
 * const model = sequential([
 *   embedding({ vocabularySize: 50, size: 8 }), recurrent(lstm(), { hiddenSize: 16 }), dense({ size: 50 }),
 * ], { seed: 7 });
 * Object.keys(model.parameters); // ['embedding', 'lstm', 'dense']
 */
export function sequential(layers: readonly Layer[], options: SequentialOptions = {}): Sequential {
  checkNames('sequential', 'options', options, ['inputSize', 'seed']);
  const { inputSize, seed = 0 } = options;
  const random = seeded('sequential', seed);
  return buildSequential(layers, inputSize, (plan) => initializeParameters('sequential', plan, random));
}

/** A source of parameters for a plan, such as an initialization or a file. */
export type Fill = <P extends ParameterPlan>(plan: P, path: string) => Planned<P>;

/** Builds a sequential model with the parameters of `fill`. @throws as {@link sequential} */
export function buildSequential(layers: readonly Layer[], inputSize: number | undefined, fill: Fill): Sequential {
  checkLayers('sequential', 'layers', layers);
  const input = inputFeatures('sequential', layers, inputSize);
  const { named, plan } = withCaller('sequential', () => planChain(layers, input));
  const { data, tree } = flattenTree(fill(plan, ''));
  return {
    ...modelNotCloneable,
    layers: named,
    origin: ['sequential', [...layers], { inputSize }],
    parameters: tree,
    data,
    input,
    output: lastOf(named)!.output,
  };
}

/**
 * Creates a model with the same layers and a copy of other parameters. Use it to predict with, stream or save a model
 * that was trained as part of a {@link customModel}.
 *
 * @param parameters by layer and name, with the shapes of the model's parameters
 * @throws RangeError if a parameter is missing or has the wrong shape
 * @throws TypeError if there is a layer or a parameter that the model does not have
 * @example
 * const network = sequential([dense({ size: 1 })], { inputSize: 2, seed: 1 });
 * const custom = customModel({ network: network.parameters }, (p, { inputs, targets }: Batch<Tensor, Tensor>) =>
 *   meanSquaredError(runModel(network, p.network, inputs).output, targets));
 * const batch = { inputs: full([1, 1, 2], 1), targets: full([1, 1, 1], 3) };
 * await fit(custom, { batchCount: 1, batches: () => [batch] }, { optimizer: adam(0.1), steps: 300 });
 * predict(withParameters(network, custom.parameters.network), batch.inputs).data[0]!.toFixed(1); // '3.0'
 */
export function withParameters(model: Sequential, parameters: Sequential['parameters']): Sequential {
  checkModel('withParameters', model);
  const sources = new Map(leavesOf('withParameters', parameters).map(({ path, tensor }) => [path, tensor]));
  const { data, tree } = treeOver(model.parameters, new Float32Array(model.data.length));
  for (const {
    path,
    tensor: { shape, data: target },
  } of leavesOf('withParameters', tree)) {
    const source = sources.get(path);
    if (source === undefined)
      throw new RangeError(
        `withParameters: ${path} ${formatShape(shape)} is missing. Do the parameters belong to another model?`,
      );
    checkShape('withParameters', path, source.shape, "of the model's shape", shape);
    target.set(source.data);
  }
  checkNames('withParameters', 'parameters', parameters, Object.keys(tree));
  for (const [name, known] of Object.entries(tree))
    checkNames('withParameters', `parameters.${name}`, parameters[name]!, Object.keys(known));
  return { ...model, parameters: tree, data };
}

/** @throws TypeError if `model` is not a {@link Sequential} */
export function checkModel(where: string, model: Sequential): void {
  checkKind(where, 'model', model, 'a model, as sequential returns', 'layers');
}

/** Whether a model has one output per step, `[T, B, O]`, rather than one per sequence, `[B, O]`. */
export function outputsPerStep({ output }: Sequential): boolean {
  return output.kind === 'vectors' && output.perStep;
}

/** The options of {@link runModel}. */
export interface RunOptions {
  /**
   * Whether the run is part of training, so that dropout and zoneout draw masks; false by default. It requires
   * `random`.
   */
  readonly training?: boolean | undefined;
  /** The random generator of training. */
  readonly random?: Random | undefined;
  /** Not used; it is part of the {@link TrainingContext} of a custom model, which can be passed on. */
  readonly step?: number | undefined;
  /** The generator of values that are drawn once per sequence; `random` by default. */
  readonly sequenceRandom?: Random | undefined;
  /** `[B]`, the number of valid steps of each row. By default, all steps are valid. */
  readonly lengths?: Int32Array | undefined;
  /**
   * `[T, B]`, 1 at the first step of a new sequence, before which the state is reset. By default, there are no resets.
   */
  readonly resets?: IntTensor | undefined;
  /**
   * The initial state, such as the final state of a previous run. Missing parts, or all if it is omitted, are the
   * learned initial state, or else zeros.
   */
  readonly state?: ModelState<Tensor | Variable> | undefined;
}

/** @throws TypeError if there are options that {@link runModel} does not have */
export function checkRunOptions(where: string, options: RunOptions): void {
  checkNames(where, 'options', options, ['training', 'random', 'sequenceRandom', 'step', 'lengths', 'resets', 'state']);
}

/** The result of {@link runModel}. */
export interface ModelRun {
  readonly output: Variable;
  /** The final state, from which a later run can continue. */
  readonly state: ModelState<Variable>;
  /** The output of every layer in order, for diagnostics. */
  readonly outputs: readonly Variable[];
  /** The result of every layer by name; `results['lstm']!.states!()` are the states after every step. */
  readonly results: Readonly<Record<string, LayerResult>>;
}

/**
 * Runs a model inside {@link compute} or {@link valueAndGradient}, on variables of its parameters.
 *
 * @param parameters variables of `model.parameters`
 * @param input ids `[T, B]`, or vectors `[T, B, I]`
 * @throws TypeError if `training` is set without `random`
 * @throws RangeError if the input or an option has the wrong shape; the message names the layer
 * @example
 * const model = sequential([dense({ size: 3 })], { inputSize: 2 });
 * compute(model.parameters, (p) => runModel(model, p, full([4, 1, 2], 0)).output).shape; // [4, 1, 3]
 */
export function runModel(
  model: Sequential,
  parameters: Readonly<Record<string, Readonly<Record<string, Variable>>>>,
  input: IntTensor | Tensor | Variable,
  options: RunOptions = {},
): ModelRun {
  checkModel('runModel', model);
  checkRunOptions('runModel', options);
  checkObject('runModel', 'parameters', parameters);
  const { training = false, random, sequenceRandom = random, lengths, resets, state } = options;
  if (training) checkRandom('runModel', random);
  const unused = inferenceContext().random;
  const context = {
    training,
    random: random ?? unused,
    sequenceRandom: sequenceRandom ?? unused,
    lengths,
    resets,
  };
  const x = isIntTensor(input) ? input : operand('runModel', input, 'inputs');
  const run = withCaller('runModel', () => runChain(model.layers, parameters, x, context, state));
  return { ...run, output: lastOf(run.outputs)! };
}

/** Replaces every part of a state. */
export function mapStates<A, B>(
  state: ModelState<A>,
  replace: (part: A, layer: string, name: string) => B,
): ModelState<B> {
  return mapValues(state, (parts, layer) => mapValues(parts, (part, name) => replace(part, layer, name)));
}

/** The options of {@link predict}. */
export interface PredictOptions {
  /** `[B]`, the number of valid steps of each row. By default, all steps are valid. */
  readonly lengths?: Int32Array | undefined;
  /**
   * `[T, B]`, 1 at the first step of a new sequence, before which the state is reset. By default, there are no resets.
   */
  readonly resets?: IntTensor | undefined;
  /**
   * The initial state, such as the final state of a previous call. Missing parts, or all if it is omitted, are the
   * learned initial state, or else zeros.
   */
  readonly state?: ModelState | undefined;
}

/** The result of {@link predictWithState}. */
export interface Prediction {
  /**
   * `[T, B, O]`, zeros after a row's length (unless all layers are embeddings, dropout and residual connections); or
   * `[B, O]` if the model has one output per sequence.
   */
  readonly output: Tensor;
  /** The final state. */
  readonly state: ModelState;
}

/**
 * Computes the output of a model in prediction, without dropout and zoneout masks. The batch size is arbitrary.
 *
 * @param inputs ids `[T, B]`, or vectors `[T, B, I]`
 * @returns `[T, B, O]`, zeros after a row's length (unless all layers are embeddings, dropout and residual
 * connections); or `[B, O]` if the model has one output per sequence
 * @throws RangeError if the inputs or an option have the wrong shape; the message names the layer
 * @example
 * const model = sequential([recurrent(lstm(), { hiddenSize: 4 })], { inputSize: 2, seed: 1 });
 * predict(model, full([3, 1, 2], 1)).shape; // [3, 1, 4]
 */
export function predict(model: Sequential, inputs: IntTensor | Tensor, options: PredictOptions = {}): Tensor {
  return predictAs('predict', model, inputs, options, inScope(model)).output;
}

/**
 * Computes the output of a model and its final state, from which the next call can continue.
 *
 * @throws as {@link predict}
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
): Prediction {
  return predictAs('predictWithState', model, inputs, options, inScope(model));
}

/** Runs a function of variables of the parameters of a model, and returns its results as tensors. */
export type InScope = <R extends Results>(body: (parameters: Parameters<typeof runModel>[1]) => R) => AsTensors<R>;

/** Copies the parameters at every run. */
const inScope =
  (model: Sequential): InScope =>
  (body) =>
    compute(model.parameters, body);

/** Computes a prediction, with errors that name the caller. */
export function predictAs(
  caller: string,
  model: Sequential,
  inputs: IntTensor | Tensor,
  options: PredictOptions,
  run: InScope,
): Prediction {
  checkModel(caller, model);
  checkNames(caller, 'options', options, ['lengths', 'resets', 'state']);
  const runAll = (): Prediction =>
    run((p) => {
      const { output, state } = runModel(model, p, inputs, options);
      return { output, state };
    });
  return withCaller(caller, () => predictInChunks(model, inputs, options, run) ?? runAll());
}

/**
 * Computes the output and the final state of a model for a long input, in chunks of steps, so that the memory for gates
 * and states does not grow with its length, and stays in the second-level cache. Returns undefined if the input is not
 * long, if a layer needs all steps at once, or if the input or an option is wrong: a run of all steps rejects it with
 * the right message.
 */
export function predictInChunks(
  model: Sequential,
  inputs: IntTensor | Tensor,
  options: PredictOptions,
  run: InScope = inScope(model),
): Prediction | undefined {
  const { lengths, resets } = options;
  const [T = 0, B = 0] = isTensor(inputs) || isIntTensor(inputs) ? inputs.shape : [];
  const steps = Math.ceil(rowsAtOnce / B);
  const isValid =
    (lengths === undefined || (lengths?.every?.((length) => length >= 0 && length <= T) && lengths.length === B)) &&
    (resets === undefined || (isIntTensor(resets) && sameShape(resets.shape, [T, B])));
  if (T < 2 * steps || !isValid || model.layers.some(({ layer }) => layer.causal !== true)) return undefined;
  const isSequence = outputsPerStep(model);
  let { state } = options;
  let whole: Tensor | undefined;
  for (let from = 0; from < T; from += steps) {
    const to = Math.min(T, from + steps);
    const chunk = {
      lengths: lengths && lengthsIn(lengths, from, to),
      resets: resets && sliceSteps(resets, from, to),
      state,
    };
    try {
      state = run((p) => {
        const { output, state } = runModel(model, p, sliceSteps(inputs, from, to), chunk);
        const shape = isSequence ? [T, ...output.shape.slice(1)] : output.shape;
        whole ??= { shape, data: new Float32Array(sizeOf(shape)) };
        whole.data.set(valuesOf('predict', output), isSequence ? (whole.data.length / T) * from : 0);
        return state;
      });
    } catch {
      // A run of all steps reports the shape of the whole input, and the position of a wrong id in it.
      return undefined;
    }
  }
  return { output: whole!, state: state! };
}
