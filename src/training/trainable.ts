/** What is trained: parameters, and the loss that a batch has under them. */

import type { Variable } from '../autodiff/tape';
import { copyOut } from '../autodiff/value-and-gradient';
import type { Batch } from '../data/dataset';
import { sumOf } from '../kernels/arithmetic';
import { type ModelState, outputsPerStep, runModel, type Sequential } from '../models/sequential';
import type { Random } from '../tensor/random';
import type { IntTensor, Tensor } from '../tensor/tensor';
import { flattenTree, type Mapped, type TensorTree } from '../tensor/tree';
import type { Loss } from './losses';
import { countsOf } from './metrics';

/** What a loss function is told besides parameters and batch. */
export interface TrainingContext {
  /** Whether dropout and the like are on. */
  readonly training: boolean;
  /** The generator for what is random in training. */
  readonly random: Random;
  /** The number of the update that the loss is for, from 1; 0 in evaluation. */
  readonly step: number;
}

/** A model that is ordinary code: any number of inputs and outputs, batches of any form. */
export interface CustomModel<P extends TensorTree = TensorTree, B = Batch> {
  /** Views of {@link CustomModel.data}. */
  readonly parameters: P;
  /** All parameters, one behind the other. Change them in place. */
  readonly data: Float32Array;
  /** The loss of a batch: a scalar. */
  readonly loss: (p: Mapped<P, Variable>, batch: B, context: TrainingContext) => Variable;
}

/**
 * Makes a function of ops something that {@link fit} trains and {@link evaluate} evaluates.
 *
 * @param parameters a tree of tensors, copied into one flat buffer
 * @param loss the loss of a batch, a scalar, under variables of the same tree
 * @example
 * const line = customModel({ slope: tensor(0), offset: tensor(0) }, (p, batch) =>
 *   meanSquaredError(add(multiply(batch.inputs, p.slope), p.offset), batch.targets));
 * const batch = { inputs: tensor([0, 1, 2]), targets: tensor([1, 3, 5]) };
 * await fit(line, { batchCount: 1, batches: () => [batch] }, { optimizer: adam(0.1), epochs: 500 });
 * Math.round(line.parameters.slope.data[0]); // 2
 */
export function customModel<P extends TensorTree, B = Batch>(
  parameters: P,
  loss: (p: Mapped<P, Variable>, batch: B, context: TrainingContext) => Variable,
): CustomModel<P, B> {
  const { tree, data } = flattenTree(parameters);
  return { parameters: tree, data, loss } as never;
}

/** A {@link CustomModel} as training and evaluation run it. */
export interface Task<B> {
  readonly parameters: TensorTree;
  readonly data: Float32Array;
  readonly loss: (p: never, batch: B, context: TrainingContext) => Variable;
  /** Forgets the state that is carried from batch to batch, or takes up another. */
  readonly begin?: (carried?: ModelState) => void;
  /** The state that is carried. */
  readonly carried?: () => ModelState | undefined;
  /** How much a batch counts in a mean over batches; 1 by default. */
  readonly countOf?: (batch: B) => number;
  /** The model's answer that the last loss was made of. */
  readonly output?: () => Variable;
  /** What the last loss was made of, to find where it went wrong, and whose name is whose. */
  readonly outputs?: () => readonly { readonly name: string; readonly output: Variable }[];
}

/** How a sequential model is trained. */
export interface SequentialTaskOptions {
  readonly loss?: Loss<never> | undefined;
  readonly carryState?: boolean | undefined;
  readonly run?: typeof runModel | undefined;
}

/** The task of a model; of a {@link Sequential}, with its loss. @throws TypeError where a loss is missing, or not wanted */
export function taskOf<B>(where: string, model: object, { loss, carryState, run }: SequentialTaskOptions): Task<B> {
  if (!isSequential(model)) {
    if (loss !== undefined || carryState || run !== undefined) {
      throw new TypeError(
        `${where}: a trainable has its own loss, state and way to run: leave loss, carryState and run out.`,
      );
    }
    return model as Task<B>;
  }
  if (loss === undefined) throw new TypeError(`${where}: loss must be given, since the model is a sequential.`);
  const whole = model.layers.find(({ layer }) => layer.causal === false);
  if (carryState && whole !== undefined) {
    throw new RangeError(
      `${where}: carryState does not go with the layer ${whole.name}, which needs the whole sequence.`,
    );
  }
  const perStep = outputsPerStep(model);
  let state: ModelState | undefined;
  let outputs: readonly Variable[] = [];
  const task: Task<Batch> = {
    parameters: model.parameters,
    data: model.data,
    begin(carried) {
      state = carried;
    },
    carried: () => state,
    countOf: ({ targets, mask, lengths }) => {
      const shape = mask?.shape ?? targets.shape;
      return countsOf('evaluate', shape, { mask, lengths: perStep ? lengths : undefined }).reduce(
        (sum, count) => sum + count,
        0,
      );
    },
    output: () => outputs.at(-1)!,
    outputs: () =>
      outputs.length < model.layers.length ? [] : outputs.map((output, i) => ({ name: model.layers[i]!.name, output })),
    loss(p, batch, context) {
      const options = { ...context, lengths: batch.lengths, resets: batch.resets, state };
      const forward = (run ?? runModel)(model, p, batch.inputs, options);
      ({ outputs } = forward);
      if (carryState) state = copyOut(forward.state) as ModelState;
      const { targets, mask, lengths } = batch;
      return (loss as Loss<Tensor | IntTensor>)(forward.output, targets, {
        mask,
        lengths: perStep ? lengths : undefined,
      });
    },
  };
  return task as unknown as Task<B>;
}

function isSequential(model: object): model is Sequential {
  return 'layers' in model;
}

/** The message for a loss that is not finite. */
export function notFiniteLoss(caller: string, { outputs }: Task<never>, value: number, step: number): RangeError {
  const parts = outputs?.() ?? [];
  const wrong = parts.findIndex(
    ({ output: { storage, offset, size } }) => !Number.isFinite(storage.scope.kernels.of(sumOf)(offset, size)),
  );
  const where =
    parts.length === 0
      ? ''
      : wrong < 0
        ? '; it appeared in the loss itself'
        : `; it appeared in the output of layer ${wrong} (${parts[wrong]!.name})`;
  return new RangeError(
    `${caller}: the loss became ${value} at step ${step}${where}. The parameters are those of the step before. ` +
      'Are the inputs finite? A smaller learning rate or clipByNorm() may help.',
  );
}
