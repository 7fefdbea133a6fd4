/** Streaming inference: a model that runs one time step per call and carries its state. */

import { type Resident, residentOf } from '../kernels/resident';
import { localWorkspace, noteUse, type Reservation, reservationOf, reserve } from '../kernels/workspace';
import { chainStepRunner } from '../layers/chain-stream';
import { checkParameters, type PointwiseCell } from '../recurrence/cell';
import {
  cellStepRunner,
  memoryView,
  type StepRunner,
  type StepRunnerOptions,
  type StepRunnerState,
} from '../recurrence/cell-stream';
import { attributed, withCaller } from '../tensor/error-context';
import { memoize } from '../tensor/memoize';
import { type NotCloneable, postInstead } from '../tensor/post-instead';
import { checkCount, checkKind, checkNames, checkObject, formatShape, mismatch, outOfRange } from '../tensor/shape';
import { checkEither, checkTensor, type IntTensor, isIntTensor, isTensor, type Tensor } from '../tensor/tensor';
import { leavesOf } from '../tensor/tree';
import { checkModel, type ModelState, type Sequential } from './sequential';

/**
 * A model that runs one time step per call of {@link advance}. It holds a copy of the weights, taken when the stream
 * was created, and the carried state. Streams are independent of each other and of the model.
 */
export interface Stream<S = ModelState> extends NotCloneable {
  readonly batchSize: number;
  /** The size I of the input vectors `[B, I]`, or `'ids'` if the input is token ids `[B]`. */
  readonly inputSize: number | 'ids';
  /** O, the size of the output vectors `[B, O]`. */
  readonly outputSize: number;
  /**
   * The carried state as plain tensors. Reading it returns a copy; assign a state to continue from it, or `undefined`
   * to reset the stream to its initial state; missing parts take their initial values. If the assignment throws, the
   * state has not changed. A layer that is not run by a `stepRunner` has no state before its first step.
   */
  state: S | undefined;
  /** Runs one step on raw arrays; used by {@link advance}, which checks the shapes. */
  readonly run: (x: ArrayLike<number>, output: Float32Array) => void;
}

/** The options of {@link stream} and {@link streamCell}. */
export interface StreamOptions {
  /** B, the number of sequences that run in parallel; 1 by default. */
  readonly batchSize?: number | undefined;
}

/**
 * Creates a stream of a model. These layers do not allocate memory per step: `recurrent` with a pointwise cell, `dense`
 * and causal `conv1d` without activation, `embedding`, `layerNorm`, `batchNorm`, `dropout`, and `residual` and
 * `withoutBias` around them. Layers without a `stepRunner` run as in {@link predict}, with T = 1.
 *
 * @throws RangeError if `batchSize` is not a positive integer, or a layer is not causal
 * @example
 * const running = stream(sequential([recurrent(lstm(), { hiddenSize: 4 })], { inputSize: 2 }));
 * advance(running, tensor([[1, 0]])).shape; // [1, 4]
 */
export function stream(model: Sequential, options: StreamOptions = {}): Stream {
  checkNames('stream', 'options', options, ['batchSize']);
  const { batchSize = 1 } = options;
  checkModel('stream', model);
  checkCount('stream', 'batchSize', batchSize);
  const inputSize = model.input.kind === 'ids' ? 'ids' : model.input.size;
  const program = programOf(
    chains,
    model.layers,
    model.parameters,
    leavesOf('stream', model.parameters).map(({ tensor }) => tensor),
    inputSize === 'ids' ? 1 : inputSize,
    batchSize,
    (options) => withCaller('stream', () => chainStepRunner(model.layers, model.parameters, options)),
  );
  return createStream('stream', program, inputSize, batchSize, notCloneable);
}

/**
 * Creates a stream of a single cell from its parameters by name. It adds the least code to a bundle that runs a trained
 * network.
 *
 * @param cell a pointwise cell, such as `lstm()` or `gru()`
 * @throws RangeError if `batchSize` is not a positive integer, or a parameter has the wrong shape
 * @throws TypeError if a parameter is missing
 * @example
 * const running = streamCell(lstm(), initializeCell(lstm(), { inputSize: 2, hiddenSize: 4, random: 1 }));
 * advance(running, tensor([[1, 0]])).shape; // [1, 4]
 * running.state?.c.shape; // [1, 4]
 */
export function streamCell<N extends string>(
  cell: PointwiseCell<N>,
  parameters: Readonly<Record<string, Tensor>>,
  options: StreamOptions = {},
): Stream<Readonly<Record<N, Tensor>>> {
  checkNames('streamCell', 'options', options, ['batchSize']);
  const { batchSize = 1 } = options;
  checkKind('streamCell', 'cell', cell, 'a pointwise cell, such as lstm()', 'forward');
  checkObject('streamCell', 'parameters', parameters);
  for (const [name, tensor] of Object.entries(parameters)) checkTensor('streamCell', name, tensor);
  checkCount('streamCell', 'batchSize', batchSize);
  const inputSize = parameters['weightIh']?.shape[0] ?? 0;
  checkParameters('streamCell', cell, parameters, inputSize);
  const program = programOf(cells, cell, parameters, Object.values(parameters), inputSize, batchSize, (options) =>
    cellStepRunner(cell, { ...options, parameters }),
  );
  return createStream('streamCell', program, inputSize, batchSize);
}

const notCloneable = /* @__PURE__ */ postInstead('a stream', 'its state, and call stream in the worker');

/** The shared parts of the streams of a model with one batch size: the runner and its input buffer. */
interface Program<S> {
  readonly resident: Resident;
  readonly reservation: Reservation;
  readonly runner: StepRunner<S>;
  /** The offset of the input. */
  readonly input: number;
  /** Returns a view of the output. */
  readonly outputs: () => ArrayLike<number>;
}

/** The programs of resident parameters, by layers or cell, then by batch size. */
const programsOf = <S>() => memoize((_: Resident) => memoize((_: object) => new Map<number, Program<S>>()));
const chains = /* @__PURE__ */ programsOf<ModelState>();
const cells = /* @__PURE__ */ programsOf<StepRunnerState>();

/** Returns the program of a model with its current parameters, for inputs `[B, width]`. */
function programOf<S>(
  programs: ReturnType<typeof programsOf<S>>,
  key: object,
  owner: object,
  tensors: readonly Tensor[],
  width: number,
  batchSize: number,
  createRunner: (options: Omit<StepRunnerOptions, 'parameters'>) => StepRunner<S>,
): Program<S> {
  const workspace = localWorkspace();
  const resident = residentOf(workspace, owner, tensors);
  const bySize = programs(resident)(key);
  const existing = bySize.get(batchSize);
  if (existing !== undefined) return existing;
  const reservation = reservationOf(workspace);
  const reserveFor = (size: number): number => reserve(reservation, size);
  const input = reserveFor(batchSize * width);
  const runner = createRunner({ workspace, resident, reserve: reserveFor, input, batchSize });
  const outputs = memoryView(workspace.memory, runner.output, batchSize * runner.size);
  const program = { resident, reservation, runner, input, outputs };
  bySize.set(batchSize, program);
  return program;
}

function createStream<S>(
  caller: string,
  program: Program<S>,
  inputSize: number | 'ids',
  batchSize: number,
  first?: NotCloneable,
): Stream<S> {
  const runner = program.runner;
  const state = runner.start();
  return {
    ...first,
    batchSize,
    inputSize,
    outputSize: runner.size,
    get state() {
      return runner.readState(state);
    },
    set state(values) {
      withCaller(caller, () => runner.writeState(state, values));
    },
    run(x, into) {
      // The program is collected, with its memory, only after its streams.
      const workspace = program.resident.workspace;
      noteUse(workspace);
      workspace.memory.view.set(x, program.input);
      runner.step(state);
      into.set(program.outputs());
    },
  };
}

/**
 * Runs one time step of a stream and updates its state.
 *
 * @param x ids `[B]`, or vectors `[B, I]`
 * @param into `[B, O]`, receives the output, so that the step allocates no memory; by default, a new tensor
 * @returns the output `[B, O]`: `into`, if given
 * @throws RangeError if `x` or `into` has the wrong shape, or an id is out of range; the message names the layer
 * @example
 * const running = stream(sequential([recurrent(lstm(), { hiddenSize: 4 })], { inputSize: 2 }), { batchSize: 3 });
 * advance(running, full([3, 2], 1)).shape; // [3, 4]
 * running.state?.['lstm']?.['c']?.shape; // [3, 4]
 */
export function advance(stream: Stream<unknown>, x: IntTensor | Tensor, into?: Tensor): Tensor {
  if (typeof stream?.run !== 'function') throw mismatch('advance', 'stream', 'a stream', stream);
  const { batchSize, inputSize, outputSize } = stream;
  const fits =
    inputSize === 'ids'
      ? isIntTensor(x) && x.shape.length === 1 && x.data.length === batchSize
      : isTensor(x) && x.shape.length === 2 && x.shape[1] === inputSize && x.data.length === batchSize * inputSize;
  if (!fits || x.shape[0] !== batchSize) {
    checkEither('advance', 'x', x);
    const expected = inputSize === 'ids' ? `ids [B] = [${batchSize}]` : `vectors [B, I] = [${batchSize}, ${inputSize}]`;
    throw outOfRange('advance', 'x', expected, `${isIntTensor(x) ? 'ids' : 'vectors'} ${formatShape(x.shape)}`);
  }
  const output = into ?? { shape: [batchSize, outputSize], data: new Float32Array(batchSize * outputSize) };
  if (!isTensor(output) || output.shape[0] !== batchSize || output.data.length !== batchSize * outputSize) {
    checkTensor('advance', 'into', into);
    throw outOfRange('advance', 'into', `[B, O] = [${batchSize}, ${outputSize}]`, formatShape(output.shape));
  }
  // No closure, so that a step does not allocate.
  try {
    stream.run(x.data, output.data);
  } catch (error) {
    throw attributed(error, 'advance');
  }
  return output;
}
