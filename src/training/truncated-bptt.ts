/** Learning from streams that have no end, by truncated backpropagation through time. */

import { concat, slice } from '../autodiff/ops/movement';
import type { Variable } from '../autodiff/tape';
import { copyOut } from '../autodiff/value-and-gradient';
import { type ModelState, outputsPerStep, runModel, type Sequential } from '../models/sequential';
import { createRandom } from '../tensor/random';
import { checkCount, formatShape } from '../tensor/shape';
import { concatSteps, sliceSteps } from '../tensor/step-ranges';
import { full, type IntTensor, type Tensor } from '../tensor/tensor';
import type { Loss } from './losses';
import type { Optimizer, OptimizerState } from './optimizers';
import { openSession } from './session';
import type { Task } from './trainable';

/** How {@link truncatedBptt} learns. */
export interface TruncatedBpttOptions {
  /** Over how many steps, up to the newest, gradients flow back. */
  readonly window: number;
  /** After how many new steps there is an update; at most the window, which is the default. 1 learns from every step at once. */
  readonly stride?: number;
  readonly loss: Loss<never>;
  readonly optimizer: Optimizer;
  /** How many streams are learned from side by side; 1 by default. */
  readonly batchSize?: number;
  /** Of what is random in training. */
  readonly seed?: number;
  /** Where the optimizer goes on from; moved on in place. */
  readonly optimizerState?: OptimizerState;
  /** Where the streams go on from: the {@link StreamTrainer.memory} of another time. */
  readonly memory?: StreamTrainerMemory;
}

/** The next steps of the streams. */
export interface StreamSteps {
  /** Ids `[S, B]`, or vectors `[S, B, I]`; any number of steps. */
  readonly inputs: Tensor | IntTensor;
  /** `[S, B, …]` */
  readonly targets: Tensor | IntTensor;
  /** `[S, B]` the weight of every answer in the loss; all 1 by default. */
  readonly mask?: Tensor;
  /** `[S, B]` 1 where a step begins a new document, to which the state and gradients do not reach; 0 elsewhere, and by default. */
  readonly resets?: IntTensor;
}

/** What a learner knows of its streams: plain data, as large as a window. */
export interface StreamTrainerMemory {
  /** The state before the steps that are kept; nothing where the streams begin. */
  readonly before: ModelState | undefined;
  /** The state after the last step that was learned from. */
  readonly state: ModelState | undefined;
  /** The last window − stride steps that were learned from. */
  readonly kept: Pick<StreamSteps, 'inputs' | 'resets'> | undefined;
  /** Steps that wait for as many as a stride has. */
  readonly waiting: Required<StreamSteps> | undefined;
}

/** A model that learns from streams, as {@link truncatedBptt} makes it and {@link trainOn} feeds it. */
export interface StreamTrainer {
  readonly model: Sequential;
  readonly batchSize: number;
  /** What it knows of the streams. Its `state` goes into {@link predictWithState}, to predict with the weights of now. */
  readonly memory: StreamTrainerMemory;
  readonly optimizerState: OptimizerState;
  /** Takes steps in: for {@link trainOn}. */
  readonly feed: (steps: StreamSteps) => StreamUpdate;
}

/** What there was to learn. */
export interface StreamUpdate {
  /** The loss of every update that was made, before it. */
  readonly losses: readonly number[];
  /** `[n, B, O]` what the model answered at the steps it has now learned from, before it did; nothing where steps wait. */
  readonly outputs: Tensor | undefined;
}

/**
 * Makes a model learn from streams of any length in bounded memory: after every `stride` steps there is an update, for which gradients flow
 * back over the last `window` steps (truncated backpropagation through time: Williams and Peng, 1990, "An efficient gradient-based algorithm for
 * on-line training of recurrent network trajectories"). Each target counts once, in the update of its stride. The state is carried on; it begins
 * anew where a document `resets`, also in the middle of a window. With a stride of 1 it learns on line, from every step as it comes.
 *
 * @param model changed in place
 * @throws RangeError where the stride is more than the window, a layer needs the whole sequence, or the model answers once a sequence
 * @example
 * const model = sequential([recurrent(gru(), { hiddenSize: 8 }), dense({ size: 1 })], { inputSize: 1 });
 * const learner = truncatedBptt(model, { window: 20, stride: 5, loss: meanSquaredError, optimizer: adam(0.01) });
 * const wave = (t) => tensor([[[Math.sin(t)]]]);
 * for (let t = 0; t < 1000; t++) trainOn(learner, { inputs: wave(t), targets: wave(t + 1) });
 * const { output } = predictWithState(model, wave(1000), { state: learner.memory.state });
 * Math.abs(output.data[0] - Math.sin(1001)) < 0.2; // true
 */
export function truncatedBptt(model: Sequential, options: TruncatedBpttOptions): StreamTrainer {
  const { window, stride = window, batchSize = 1, loss, seed = 0 } = options;
  for (const [name, value] of Object.entries({ window, stride, batchSize })) checkCount('truncatedBptt', name, value);
  if (stride > window)
    throw new RangeError(`truncatedBptt: stride must be at most the window = ${window}, got ${stride}.`);
  const whole = model.layers.find(({ layer }) => layer.causal === false);
  if (whole !== undefined)
    throw new RangeError(
      `truncatedBptt: the layer ${whole.name} needs the whole sequence and cannot learn from a stream.`,
    );
  if (!outputsPerStep(model))
    throw new RangeError('truncatedBptt: the model must answer once a step, this one answers once a sequence.');

  const random = createRandom(seed);
  let memory: StreamTrainerMemory = options.memory ?? {
    before: undefined,
    state: undefined,
    kept: undefined,
    waiting: undefined,
  };
  let next: Pick<StreamTrainerMemory, 'before' | 'state' | 'kept'> & { readonly outputs: Tensor };
  const task: Task<Required<StreamSteps>> = {
    parameters: model.parameters,
    data: model.data,
    loss(p, fresh, { random: draws }) {
      const all = {
        inputs: concatSteps(memory.kept?.inputs, fresh.inputs),
        resets: concatSteps(memory.kept?.resets, fresh.resets),
      };
      const steps = all.inputs.shape[0]!;
      // What the next window goes back beyond: its steps are run first, so that the state behind them can be kept.
      const leaving = Math.max(0, steps - (window - stride));
      const [gone, staying] = [
        [0, leaving],
        [leaving, steps],
      ].map(([from, to]) => ({
        inputs: sliceSteps(all.inputs, from!, to!),
        resets: sliceSteps(all.resets, from!, to!),
      })) as [typeof all, typeof all];
      const outputs: Variable[] = [];
      let state: ModelState<Tensor | Variable> | undefined = memory.before;
      let before = memory.before;
      for (const part of [gone, staying]) {
        if (part.inputs.shape[0] === 0) continue;
        const run = runModel(model, p, part.inputs, { training: true, random: draws, resets: part.resets, state });
        outputs.push(run.output);
        state = run.state;
        if (part === gone) before = copyOut(run.state) as ModelState;
      }
      const answers = slice(concat(outputs), steps - stride);
      next = {
        before,
        state: copyOut(state as never) as ModelState,
        kept: copied(staying),
        outputs: copyOut(answers) as Tensor,
      };
      return (loss as Loss)(answers, fresh.targets, { mask: fresh.mask });
    },
  };
  const session = openSession('trainOn', task, options);
  return {
    model,
    batchSize,
    get memory() {
      return memory;
    },
    optimizerState: session.state,
    feed(given) {
      const losses: number[] = [];
      let outputs: Tensor | undefined;
      let waiting = joined(memory.waiting, complete(given, batchSize));
      // An update that fails leaves its steps to be learned again.
      memory = { ...memory, waiting: copied(waiting) };
      while (waiting.inputs.shape[0]! >= stride) {
        losses.push(session.update(part(waiting, 0, stride), random, session.state.step + 1).loss);
        const { outputs: answered, ...rest } = next;
        waiting = part(waiting, stride, waiting.inputs.shape[0]!);
        memory = { ...rest, waiting };
        outputs = concatSteps(outputs, answered);
      }
      // Numbers of its own, which the caller does not change.
      memory = { ...memory, waiting: copied(waiting) };
      return { losses, outputs };
    },
  };
}

/**
 * Feeds a learner the next steps of its streams. Updates are made as soon as there are `stride` new steps; the others wait.
 *
 * @throws RangeError where the steps do not fit; where a loss or gradient is not finite, before the parameters are touched
 * @example
 * const model = sequential([embedding({ vocabularySize: 3, size: 2 }), recurrent(lstm(), { hiddenSize: 4 }), dense({ size: 3 })]);
 * const learner = truncatedBptt(model, { window: 8, stride: 4, loss: crossEntropy, optimizer: sgd(0.1), batchSize: 2 });
 * const piece = { inputs: intTensor([[0, 1], [1, 2], [2, 0]]), targets: intTensor([[1, 2], [2, 0], [0, 1]]), resets: intTensor([[1, 1], [0, 0], [0, 1]]) };
 * trainOn(learner, piece).losses.length; // 0
 * trainOn(learner, piece).losses.length; // 1
 */
export function trainOn(learner: StreamTrainer, steps: StreamSteps): StreamUpdate {
  return learner.feed(steps);
}

function complete({ inputs, targets, mask, resets }: StreamSteps, batchSize: number): Required<StreamSteps> {
  const lead = [inputs.shape[0]!, batchSize];
  const parts = {
    inputs,
    targets,
    mask: mask ?? full(lead, 1),
    resets: resets ?? { shape: lead, data: new Int32Array(lead[0]! * batchSize) },
  };
  for (const [name, { shape }] of Object.entries(parts)) {
    if (shape[0] !== lead[0] || shape[1] !== batchSize) {
      throw new RangeError(
        `trainOn: ${name} must be [S, B, …] = [${lead[0] ?? 0}, ${batchSize}, …], got ${formatShape(shape)}.`,
      );
    }
  }
  return parts;
}

const part = (
  { inputs, targets, mask, resets }: Required<StreamSteps>,
  from: number,
  to: number,
): Required<StreamSteps> => ({
  inputs: sliceSteps(inputs, from, to),
  targets: sliceSteps(targets, from, to),
  mask: sliceSteps(mask, from, to),
  resets: sliceSteps(resets, from, to),
});

const joined = (before: Required<StreamSteps> | undefined, after: Required<StreamSteps>): Required<StreamSteps> => ({
  inputs: concatSteps(before?.inputs, after.inputs),
  targets: concatSteps(before?.targets, after.targets),
  mask: concatSteps(before?.mask, after.mask),
  resets: concatSteps(before?.resets, after.resets),
});

/** The same numbers in memory of their own, so that nothing that has gone by is held behind a view. */
const copied = <P extends object>(tensors: P): P =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]: [string, Tensor]) => [name, { shape, data: data.slice() }]),
  ) as P;
