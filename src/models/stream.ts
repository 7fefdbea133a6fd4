/** A model fed one step at a time, its state carried along. */

import { allocate, createWorkspace, type Workspace } from '../kernels/workspace';
import { chainStepRunner } from '../layers/chain-stream';
import { joinNames, splitNames } from '../layers/nested-names';
import { checkParameters, type PointwiseCell } from '../recurrence/cell';
import { cellStepRunner, type StepRunner } from '../recurrence/cell-stream';
import { checkCount, formatShape } from '../tensor/shape';
import { type IntTensor, isIntTensor, type Tensor } from '../tensor/tensor';
import type { ModelState, Sequential } from './sequential';

/**
 * A model that goes on step by step: the weights it had when the stream was opened, packed in a workspace of its own, and the state
 * between two steps.
 */
export interface Stream<S = ModelState> {
  readonly batchSize: number;
  /** Whether it takes ids `[B]`, or vectors `[B, inputSize]`. */
  readonly inputSize: number | 'ids';
  /** Answers are `[B, outputSize]`. */
  readonly outputSize: number;
  /** The state as plain tensors, to be read, set, kept and cloned: what is read is a copy. Set it to `undefined` to begin anew. */
  state: S | undefined;
  /** One step over numbers: for {@link advance}. */
  readonly run: (x: ArrayLike<number>, output: Float32Array) => void;
}

/** How many streams run side by side. */
export interface StreamOptions {
  /** 1 by default. */
  readonly batchSize?: number;
}

/**
 * Opens a stream of a model. A layer that runs step by step (recurrent with a pointwise cell, dense without activation, embedding,
 * dropout) allocates nothing in a step; any other is run as in {@link predict}.
 *
 * @throws RangeError where the batch size is not a whole number of at least 1, or a layer needs the whole sequence
 * @example
 * const running = stream(sequential([recurrent(lstm(), { hiddenSize: 4 })], { inputSize: 2 }));
 * advance(running, tensor([[1, 0]])).shape; // [1, 4]
 */
export function stream(model: Sequential, { batchSize = 1 }: StreamOptions = {}): Stream {
  checkCount('stream', 'batchSize', batchSize);
  const workspace = createWorkspace();
  const inputSize = model.input.kind === 'ids' ? 'ids' : model.input.size;
  const input = allocate(workspace, batchSize * (inputSize === 'ids' ? 1 : inputSize));
  const steps = chainStepRunner(model.layers, model.parameters, { workspace, input, batchSize });
  return openStream(workspace, steps, input, inputSize, batchSize, {
    readState: () => splitNames(steps.readState() ?? {}),
    writeState: (state) => steps.writeState(state && joinNames(state)),
  });
}

/**
 * Opens a stream of one cell, from its parameters by name: the smallest way to run a network that was trained elsewhere.
 *
 * @param cell a pointwise cell, as `lstm()`, `simpleRnn()` and `gru()` are
 * @throws RangeError where a parameter has another shape than the cell says, TypeError where one is missing
 * @example
 * const running = streamCell(lstm(), initializeCell(lstm(), { inputSize: 2, hiddenSize: 4, random: 1 }));
 * advance(running, tensor([[1, 0]])).shape; // [1, 4]
 * running.state.c.shape; // [1, 4]
 */
export function streamCell<N extends string>(
  cell: PointwiseCell<N>,
  parameters: Readonly<Record<string, Tensor>>,
  { batchSize = 1 }: StreamOptions = {},
): Stream<Readonly<Record<N, Tensor>>> {
  checkCount('streamCell', 'batchSize', batchSize);
  const inputSize = parameters['weightIh']?.shape[0] ?? 0;
  checkParameters('streamCell', cell as unknown as PointwiseCell, parameters, inputSize);
  const workspace = createWorkspace();
  const input = allocate(workspace, batchSize * inputSize);
  const steps = cellStepRunner(cell as unknown as PointwiseCell, { workspace, parameters, input, batchSize });
  return openStream(
    workspace,
    steps,
    input,
    inputSize,
    batchSize,
    steps as unknown as Stateful<Readonly<Record<N, Tensor>>>,
  );
}

interface Stateful<S> {
  readonly readState: () => S | undefined;
  readonly writeState: (state: S | undefined) => void;
}

function openStream<S>(
  { memory }: Workspace,
  { output, size, step }: StepRunner,
  input: number,
  inputSize: number | 'ids',
  batchSize: number,
  { readState, writeState }: Stateful<S>,
): Stream<S> {
  let heap = memory.view;
  let outputs = heap.subarray(output, output + batchSize * size);
  return {
    batchSize,
    inputSize,
    outputSize: size,
    get state() {
      return readState();
    },
    set state(state) {
      writeState(state);
    },
    run(x, into) {
      memory.view.set(x, input);
      step();
      if (heap !== memory.view) {
        heap = memory.view;
        outputs = heap.subarray(output, output + batchSize * size);
      }
      into.set(outputs);
    },
  };
}

/**
 * One step: the output for one input, and the state moves on.
 *
 * @param x ids `[B]`, or vectors `[B, I]`
 * @param into `[B, O]` a tensor to write the output to, for steps that allocate nothing; a new one by default
 * @returns `[B, O]`
 * @throws RangeError where the input or `into` does not fit
 * @example
 * const running = stream(sequential([recurrent(lstm(), { hiddenSize: 4 })], { inputSize: 2 }), { batchSize: 3 });
 * advance(running, full([3, 2], 1)).shape; // [3, 4]
 * running.state.lstm.c.shape; // [3, 4]
 */
export function advance(stream: Stream<unknown>, x: IntTensor | Tensor, into?: Tensor): Tensor {
  const { batchSize, inputSize, outputSize } = stream;
  const ofIds = inputSize === 'ids';
  const { shape } = x;
  if (
    isIntTensor(x) !== ofIds ||
    shape.length !== (ofIds ? 1 : 2) ||
    shape[0] !== batchSize ||
    (!ofIds && shape[1] !== inputSize)
  ) {
    const expected = ofIds ? `ids [B] = [${batchSize}]` : `[B, I] = [${batchSize}, ${inputSize}]`;
    throw new RangeError(`advance: x must be ${expected}, got ${formatShape(shape)}.`);
  }
  const output = into ?? { shape: [batchSize, outputSize], data: new Float32Array(batchSize * outputSize) };
  if (output.data.length !== batchSize * outputSize) {
    throw new RangeError(
      `advance: into must be [B, O] = [${batchSize}, ${outputSize}], got ${formatShape(output.shape)}.`,
    );
  }
  stream.run(x.data, output.data);
  return output;
}
