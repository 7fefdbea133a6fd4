/** A model fed one step at a time, its state carried along. */

import { runScope, type Variable } from '../bptt/tape';
import { copyOut, load, variablesOver } from '../bptt/value-and-gradient';
import { allocate, createWorkspace, type Workspace } from '../kernels/workspace';
import { checkCount, formatShape } from '../tensor/shape';
import { isIdTensor, type IdTensor, type Tensor } from '../tensor/tensor';
import { prediction, runModel, type ModelState, type Sequential } from './sequential';

/** A model, a workspace that holds its parameters, and the state between two steps: plain tensors, to be read, set and kept. */
export interface Stream {
  readonly model: Sequential;
  readonly batchSize: number;
  readonly workspace: Workspace;
  /** Where the parameters lie in the workspace. */
  readonly parameters: number;
  /** Zero before the first step. Set it to go on from elsewhere, and to `undefined` to begin anew. */
  state: ModelState | undefined;
}

/**
 * Opens a stream. It keeps the parameters that the model has now.
 *
 * @param batchSize how many streams run side by side
 * @throws RangeError where the batch size is not a whole number of at least 1
 * @example
 * const running = stream(sequential([recurrent(lstm(), { hiddenSize: 4 })], { inputSize: 2 }));
 * advance(running, tensor([[1, 0]])).shape; // [1, 4]
 */
export function stream(model: Sequential, { batchSize = 1 }: { readonly batchSize?: number } = {}): Stream {
  checkCount('stream', 'batchSize', batchSize);
  const workspace = createWorkspace();
  const parameters = allocate(workspace, model.data.length);
  load(model.parameters, workspace.memory.view, parameters);
  return { model, batchSize, workspace, parameters, state: undefined };
}

/**
 * One step: the output for one input, and the state moves on.
 *
 * @param x ids `[B]`, or vectors `[B, I]`
 * @returns `[B, O]`
 * @throws RangeError where the input does not fit
 * @example
 * const running = stream(sequential([recurrent(lstm(), { hiddenSize: 4 })], { inputSize: 2 }), { batchSize: 3 });
 * advance(running, full([3, 2], 1)).shape; // [3, 4]
 * running.state.lstm.c.shape; // [3, 4]
 */
export function advance(stream: Stream, x: IdTensor | Tensor): Tensor {
  const { model, batchSize, workspace, parameters } = stream;
  const rank = model.input.kind === 'ids' ? 1 : 2;
  if (isIdTensor(x) !== (model.input.kind === 'ids') || x.shape.length !== rank || x.shape[0] !== batchSize) {
    const expected = model.input.kind === 'ids' ? `ids [B] = [${batchSize}]` : `[B, I] = [${batchSize}, ${model.input.size}]`;
    throw new RangeError(`advance: x must be ${expected}, got ${formatShape(x.shape)}.`);
  }
  const input = { shape: [1, ...x.shape], data: x.data } as IdTensor | Tensor;
  const run = runScope(workspace, false, (scope) => {
    const p = variablesOver(scope, model.parameters, parameters) as Readonly<Record<string, Record<string, Variable>>>;
    const forward = runModel(model, p, input, { ...prediction(), state: stream.state });
    return copyOut({ output: forward.output, state: forward.state }) as { output: Tensor; state: ModelState };
  });
  stream.state = run.state;
  const { shape, data } = run.output;
  return { shape: shape.slice(-2), data };
}
