/** Joining the states of several streams into one batch, and splitting them. */

import { checkArray, checkObject, checkSome, formatShape, sameShape } from '../tensor/shape';
import { checkTensor } from '../tensor/tensor';
import { type ModelState, mapStates } from './sequential';

/**
 * Concatenates the states of several streams along the batch axis, so that they can run as one batch.
 *
 * @throws RangeError if `states` is empty, or the states are not of the same model
 * @example
 * const model = sequential([recurrent(gru(), { hiddenSize: 4 })], { inputSize: 2 });
 * const states = [1, 2, 3].map((value) => predictWithState(model, full([1, 1, 2], value)).state);
 * joinStates(states)['gru']!['h']!.shape; // [3, 4]
 */
export function joinStates(states: readonly ModelState[]): ModelState {
  checkArray('joinStates', 'states', states);
  checkSome('joinStates', 'states', states.length, 'state');
  for (const state of states) checkState('joinStates', state);
  return mapStates(states[0]!, (first, layer, name) => {
    const tensors = states.map((state, i) => {
      const tensor = state[layer]?.[name];
      if (tensor !== undefined && sameShape(tensor.shape.slice(1), first.shape.slice(1))) return tensor;
      const got = tensor === undefined ? 'none' : formatShape(tensor.shape);
      throw new RangeError(
        `joinStates: states[${i}] must have ${layer}.${name} [B, ${first.shape.slice(1).join(', ')}], got ${got}.`,
      );
    });
    const data = new Float32Array(tensors.reduce((size, tensor) => size + tensor.data.length, 0));
    let offset = 0;
    for (const tensor of tensors) {
      data.set(tensor.data, offset);
      offset += tensor.data.length;
    }
    return { shape: [tensors.reduce((rows, { shape }) => rows + shape[0]!, 0), ...first.shape.slice(1)], data };
  });
}

/**
 * Splits a state into one state per row, each tensor `[1, H]`: the inverse of {@link joinStates}.
 *
 * @example
 * const model = sequential([recurrent(gru(), { hiddenSize: 4 })], { inputSize: 2 });
 * splitState(predictWithState(model, full([1, 3, 2], 1)).state).map((row) => row['gru']!['h']!.shape); // [[1, 4], [1, 4], [1, 4]]
 */
export function splitState(state: ModelState): readonly ModelState[] {
  checkState('splitState', state);
  const rows = Object.values(Object.values(state)[0] ?? {})[0]?.shape[0] ?? 0;
  return Array.from({ length: rows }, (_, row) =>
    mapStates(state, ({ shape: [, ...rest], data }) => {
      const size = data.length / rows;
      return { shape: [1, ...rest], data: data.slice(row * size, (row + 1) * size) };
    }),
  );
}

/** @throws TypeError if a state is not tensors by layer and name */
function checkState(where: string, state: ModelState): void {
  checkObject(where, 'a state', state);
  for (const [layer, parts] of Object.entries(state)) {
    checkObject(where, layer, parts);
    for (const [name, tensor] of Object.entries(parts)) checkTensor(where, `${layer}.${name}`, tensor);
  }
}
