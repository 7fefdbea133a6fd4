/** Training on streams of unlimited length, by truncated backpropagation through time. */

import { concat, slice } from '../autodiff/ops/movement';
import { toTensor, type Variable } from '../autodiff/tape';
import { copyOut } from '../autodiff/value-and-gradient';
import { checkBatch } from '../data/dataset';
import { checkCausal } from '../layers/chain';
import { checkModel, type ModelState, outputsPerStep, runModel, type Sequential } from '../models/sequential';
import { withCaller } from '../tensor/error-context';
import { mapValues } from '../tensor/named-values';
import type { NoInfer } from '../tensor/no-infer';
import { createRandom, type Random, randomBits, seeded } from '../tensor/random';
import { checkCount, checkFunction, checkFunctions, checkNames, checkShape, outOfRange } from '../tensor/shape';
import { concatSteps } from '../tensor/step-ranges';
import {
  checkIntTensor,
  checkTensor,
  copyTensor,
  full,
  type IntTensor,
  sliceSteps,
  type Tensor,
} from '../tensor/tensor';
import type { Mapped } from '../tensor/tree';
import type { LossOptions } from './losses';
import { targetWeights } from './metrics';
import type { Optimizer, OptimizerState } from './optimizers';
import { openSession } from './session';
import { scalarOf, type Task } from './task';

/** The options of {@link truncatedBptt}. T is the type of the loss's targets. */
export interface TruncatedBpttOptions<T = Tensor | IntTensor> {
  /** The number of steps, up to the newest, over which gradients flow back. */
  readonly window: number;
  /**
   * The number of new steps per update, at most the window, which is the default. 1 means an update after every step.
   */
  readonly stride?: number | undefined;
  readonly loss: (outputs: Variable | Tensor, targets: T, options?: LossOptions) => Variable;
  readonly optimizer: Optimizer;
  /** The number of streams, which are trained on in parallel; 1 by default. */
  readonly batchSize?: number | undefined;
  /** The seed of the generator for dropout. 0 by default. */
  readonly seed?: number | undefined;
  /** The optimizer state to continue from, updated in place. */
  readonly optimizerState?: OptimizerState | undefined;
  /** The {@link StreamTrainer.memory} to continue from. */
  readonly memory?: StreamTrainerMemory<TargetsOf<T>> | undefined;
}

/** The tensors among the targets that a loss accepts. */
export type TargetsOf<T> = Extract<T, Tensor | IntTensor>;

/** The next steps of the streams, with targets of type Y. */
export interface StreamSteps<Y extends Tensor | IntTensor = Tensor | IntTensor> {
  /** Token ids `[S, B]`, or vectors `[S, B, I]`; any number of steps. */
  readonly inputs: Tensor | IntTensor;
  /** `[S, B, …]` */
  readonly targets: Y;
  /** `[S, B]` the weight of every output in the loss; all 1 by default. If all are 0, the update is skipped. */
  readonly mask?: Tensor | undefined;
  /**
   * `[S, B]` 1 at the first step of a new document, which starts from the initial state; 0 elsewhere. All 0 by default.
   */
  readonly resets?: IntTensor | undefined;
}

/** Steps with a mask and resets. */
type WeightedSteps<Y extends Tensor | IntTensor> = StreamSteps<Y> & {
  readonly mask: Tensor;
  readonly resets: IntTensor;
};

/** The memory of a {@link StreamTrainer}: plain data, no larger than a window. */
export interface StreamTrainerMemory<Y extends Tensor | IntTensor = Tensor | IntTensor> {
  /** The state before the kept steps; `undefined` at the start of the streams. */
  readonly before: ModelState | undefined;
  /** The state after the last step trained on. */
  readonly state: ModelState | undefined;
  /** The last window − stride steps trained on. */
  readonly kept: Pick<StreamSteps, 'inputs' | 'resets'> | undefined;
  /** Steps not trained on yet, fewer than a stride. */
  readonly waiting: WeightedSteps<Y> | undefined;
}

/** A model in training on streams: created by {@link truncatedBptt}, trained by {@link trainOn}. */
export interface StreamTrainer<Y extends Tensor | IntTensor = Tensor | IntTensor> {
  readonly model: Sequential;
  readonly batchSize: number;
  /** The memory of the streams. Pass its `state` to {@link predictWithState} to predict with the current weights. */
  readonly memory: StreamTrainerMemory<Y>;
  readonly optimizerState: OptimizerState;
  /** Trains on steps; for {@link trainOn}. */
  readonly feed: (steps: StreamSteps<Y>) => StreamUpdate;
}

/** The result of {@link trainOn}. */
export interface StreamUpdate {
  /** The loss of every update, before the update. */
  readonly losses: readonly number[];
  /** `[n, B, O]` the outputs at the steps trained on, before the updates; `undefined` if there was no update. */
  readonly outputs: Tensor | undefined;
}

/**
 * Trains a model on streams of any length in bounded memory: after every `stride` steps there is an update, for which
 * gradients flow back over the last `window` steps (truncated backpropagation through time: Williams and Peng, 1990,
 * "An efficient gradient-based algorithm for on-line training of recurrent network trajectories"). Each target counts
 * once, in the update of its stride. The state is carried from step to step; it is reset where `resets` marks a new
 * document, also inside a window. With a stride of 1 the model is trained online, on every step as it arrives.
 *
 * @param model changed in place
 * @throws RangeError if the stride is larger than the window, or smaller with a layer such as {@link batchNorm}, a
 * layer needs the whole sequence, or the model has one output per sequence
 * @example
 * const model = sequential([recurrent(gru(), { hiddenSize: 8 }), dense({ size: 1 })], { inputSize: 1 });
 * const trainer = truncatedBptt(model, { window: 20, stride: 5, loss: meanSquaredError, optimizer: adam(0.01) });
 * const wave = (t: number) => tensor([[[Math.sin(t)]]]);
 * for (let t = 0; t < 1000; t++) trainOn(trainer, { inputs: wave(t), targets: wave(t + 1) });
 * const { output } = predictWithState(model, wave(1000), { state: trainer.memory.state! });
 * Math.abs(output.data[0]! - Math.sin(1001)) < 0.2; // true
 */
export function truncatedBptt<T = Tensor | IntTensor>(
  model: Sequential,
  options: TruncatedBpttOptions<T>,
): StreamTrainer<TargetsOf<T>> {
  checkNames('truncatedBptt', 'options', options, [
    'window',
    'stride',
    'loss',
    'optimizer',
    'batchSize',
    'seed',
    'optimizerState',
    'memory',
  ]);
  type Steps = WeightedSteps<TargetsOf<T>>;
  type Memory = StreamTrainerMemory<TargetsOf<T>>;
  const { window, stride = window, batchSize = 1, loss, seed = 0 } = options;
  checkModel('truncatedBptt', model);
  checkFunction('truncatedBptt', 'loss', loss);
  checkNames('truncatedBptt', 'memory', options.memory ?? {}, ['before', 'state', 'kept', 'waiting']);
  checkTruncation(model, { window, stride, batchSize });

  const random = seeded('truncatedBptt', seed);
  let memory: Memory = options.memory ?? { before: undefined, state: undefined, kept: undefined, waiting: undefined };
  withCaller('truncatedBptt: memory.waiting', () => memory.waiting && completeSteps(memory.waiting, batchSize));
  let result: Omit<Memory, 'waiting'> & { readonly outputs: Tensor };
  const task: Task<Sequential['parameters'], Steps> = {
    parameters: model.parameters,
    data: model.data,
    weightOf: ({ targets, mask }) => targetWeights('trainOn', targets.shape, { mask }).total,
    rowsOf: () => window * batchSize,
    loss(p, newSteps, context) {
      const { outputs, ...after } = runWindow(model, p, memory, newSteps, window - stride, context.random);
      result = { ...after, outputs: toTensor(outputs) };
      return scalarOf('trainOn', 'loss', () => loss(outputs, newSteps.targets, { mask: newSteps.mask }));
    },
  };
  const { optimizer, optimizerState } = options;
  const session = withCaller('truncatedBptt', () => openSession('trainOn', task, optimizer, optimizerState, true));
  return {
    model,
    batchSize,
    get memory() {
      return memory;
    },
    optimizerState: session.state(),
    feed(steps) {
      const losses: number[] = [];
      let outputs: Tensor | undefined;
      const added = completeSteps(steps, batchSize);
      // If the steps do not fit those that wait, it is not known which are wrong: both are dropped.
      let waiting = cutSteps(added, 0, 0);
      try {
        waiting = joinSteps(memory.waiting, added);
        while (waiting.inputs.shape[0]! >= stride) {
          const next = cutSteps(waiting, 0, stride);
          // If the update fails, its steps are dropped: they would fail again.
          waiting = cutSteps(waiting, stride, waiting.inputs.shape[0]!);
          losses.push(session.update([next], random, session.steps() + 1).loss);
          const { outputs: newOutputs, ...rest } = result;
          memory = { ...rest, waiting };
          outputs = concatSteps(outputs, newOutputs);
        }
      } finally {
        // A copy: the caller may change the buffers afterwards.
        memory = { ...memory, waiting: mapSteps(waiting, copyTensor) };
      }
      return { losses, outputs };
    },
  };
}

/**
 * Runs the kept steps and the new ones. Returns the outputs at the new steps, and the memory after them.
 *
 * @param keptCount the number of steps to keep, at most
 */
function runWindow<Y extends Tensor | IntTensor>(
  model: Sequential,
  parameters: Mapped<Sequential['parameters'], Variable>,
  memory: StreamTrainerMemory<Y>,
  newSteps: WeightedSteps<Y>,
  keptCount: number,
  random: Random,
): Omit<StreamTrainerMemory<Y>, 'waiting'> & { readonly outputs: Variable } {
  const inputs = concatSteps(memory.kept?.inputs, newSteps.inputs);
  const resets = concatSteps(memory.kept?.resets, newSteps.resets);
  const steps = inputs.shape[0]!;
  // The next window starts after the dropped steps. They are run first, so that the state after them can be stored.
  const droppedCount = Math.max(0, steps - keptCount);
  // Both parts of a window have the same masks of variational dropout.
  const maskSeed = droppedCount > 0 && droppedCount < steps ? randomBits(random) : undefined;
  const outputs: Variable[] = [];
  const run = (from: number, to: number, state: ModelState<Tensor | Variable> | undefined): ModelState<Variable> => {
    const forward = withCaller('trainOn', () =>
      runModel(model, parameters, sliceSteps(inputs, from, to), {
        training: true,
        random,
        sequenceRandom: maskSeed === undefined ? random : createRandom(maskSeed),
        resets: sliceSteps(resets, from, to),
        state,
      }),
    );
    outputs.push(forward.output);
    return forward.state;
  };
  const stateBefore = droppedCount > 0 ? run(0, droppedCount, memory.before) : undefined;
  const before = stateBefore ? copyState(stateBefore) : memory.before;
  const state = droppedCount < steps ? run(droppedCount, steps, stateBefore ?? memory.before) : stateBefore!;
  return {
    before,
    state: copyState(state),
    kept: {
      inputs: copyTensor(sliceSteps(inputs, droppedCount, steps)),
      resets: copyTensor(sliceSteps(resets, droppedCount, steps)),
    },
    outputs: slice(concat(outputs), -newSteps.inputs.shape[0]!),
  };
}

/**
 * Trains on the next steps of the streams. There is an update as soon as there are `stride` new steps; the remaining
 * steps wait for the next call.
 *
 * @throws RangeError if the steps do not fit the model, or those that wait; if a loss or gradient is not finite, before
 * the parameters are changed. The steps of the update are then dropped, and the next call continues with those after
 * them
 * @throws TypeError if the steps have `lengths`: streams have no padding; use `mask` and `resets`
 * @example
 * const model = sequential([
 *   embedding({ vocabularySize: 3, size: 2 }), recurrent(lstm(), { hiddenSize: 4 }), dense({ size: 3 }),
 * ]);
 * const options = { window: 8, stride: 4, loss: crossEntropy, optimizer: sgd(0.1), batchSize: 2 };
 * const trainer = truncatedBptt(model, options);
 * const inputs = intTensor([[0, 1], [1, 2], [2, 0]]);
 * const targets = intTensor([[1, 2], [2, 0], [0, 1]]);
 * const resets = intTensor([[1, 1], [0, 0], [0, 1]]);
 * trainOn(trainer, { inputs, targets, resets }).losses.length; // 0
 * trainOn(trainer, { inputs, targets, resets }).losses.length; // 1
 */
export function trainOn<Y extends Tensor | IntTensor>(
  trainer: StreamTrainer<Y>,
  steps: StreamSteps<NoInfer<Y>>,
): StreamUpdate {
  checkFunctions('trainOn', 'trainer', trainer, 'a trainer, as truncatedBptt returns', ['feed']);
  return trainer.feed(steps);
}

function checkTruncation(
  model: Sequential,
  sizes: { readonly window: number; readonly stride: number; readonly batchSize: number },
): void {
  for (const [name, value] of Object.entries(sizes)) checkCount('truncatedBptt', name, value);
  const { window, stride } = sizes;
  if (stride > window) throw outOfRange('truncatedBptt', 'stride', `at most the window = ${window}`, stride);
  checkCausal('truncatedBptt', model.layers, 'on a stream');
  const ofBatch = stride < window && model.layers.find(({ layer }) => layer.buffers !== undefined);
  if (ofBatch)
    throw new RangeError(
      `truncatedBptt: layer ${ofBatch.name} needs the statistics of the whole window, so stride must be ${window}.`,
    );
  if (!outputsPerStep(model))
    throw outOfRange('truncatedBptt', 'model', 'one with an output per step', 'one per sequence');
}

/**
 * The steps with the default mask and resets.
 *
 * @throws TypeError if one is not a tensor of its kind; RangeError if a shape does not fit
 */
function completeSteps<Y extends Tensor | IntTensor>(given: StreamSteps<Y>, batchSize: number): WeightedSteps<Y> {
  checkBatch('trainOn', given);
  checkNames('trainOn', 'steps', given, ['inputs', 'targets', 'mask', 'resets']);
  const { inputs, targets, mask, resets } = given;
  if (mask !== undefined) checkTensor('trainOn', 'mask', mask);
  if (resets !== undefined) checkIntTensor('trainOn', 'resets', resets);
  const leading = [inputs.shape[0]!, batchSize];
  const steps = {
    inputs,
    targets,
    mask: mask ?? full(leading, 1),
    resets: resets ?? { shape: leading, data: new Int32Array(leading[0]! * batchSize) },
  };
  for (const [name, { shape }] of Object.entries(steps))
    checkShape('trainOn', name, shape, '[S, B, …]', [...leading, ...shape.slice(2)]);
  return steps;
}

/** Replaces the tensors of the steps. */
function mapSteps<Y extends Tensor | IntTensor>(
  steps: WeightedSteps<Y>,
  replace: <X extends Tensor | IntTensor>(x: X, name: keyof StreamSteps) => X,
): WeightedSteps<Y> {
  return mapValues<keyof StreamSteps, Tensor | IntTensor, unknown>(steps, replace) as WeightedSteps<Y>;
}

function cutSteps<Y extends Tensor | IntTensor>(steps: WeightedSteps<Y>, from: number, to: number): WeightedSteps<Y> {
  return mapSteps(steps, (x) => sliceSteps(x, from, to));
}

/** @throws RangeError if the steps do not have the shapes of those that wait */
function joinSteps<Y extends Tensor | IntTensor>(
  first: WeightedSteps<Y> | undefined,
  second: WeightedSteps<Y>,
): WeightedSteps<Y> {
  return mapSteps(second, (x, name) => {
    const waiting = first?.[name] as typeof x | undefined;
    if (waiting?.shape[0])
      checkShape('trainOn', name, x.shape, 'like the waiting steps', [undefined, ...waiting.shape.slice(1)]);
    return concatSteps(waiting, x);
  });
}

/** Copies a state out of the workspace. */
function copyState(state: ModelState<Variable>): ModelState {
  return copyOut(state, 'trainOn') as ModelState;
}
