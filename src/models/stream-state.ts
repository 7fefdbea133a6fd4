/** Joining the states of several streams into one batch, and splitting them. */

import { checkArray, checkObject, checkShape, checkSome } from '../tensor/shape';
import { checkTensor } from '../tensor/tensor';
import { type ModelState, mapStates } from './sequential';

/**
 * Concatenates the states of several streams along the batch axis, so that they can run as one batch.
 *
 * @throws RangeError if `states` is empty, the states are not of the same model, or the numbers of rows differ in one
 * @example
 * const model = sequential([recurrent(gru(), { hiddenSize: 4 })], { inputSize: 2 });
 * const states = [1, 2, 3].map((value) => predictWithState(model, full([1, 1, 2], value)).state);
 * joinStates(states)['gru']!['h']!.shape; // [3, 4]
 */
export function joinStates(states: readonly ModelState[]): ModelState {
  checkArray('joinStates', 'states', states);
  checkSome('joinStates', 'states', states.length, 'state');
  for (const state of states) checkState('joinStates', state);
  const checkParts = (i: number, reference: ModelState): void => {
    mapStates(reference, ({ shape: [, ...rest] }, layer, name) => {
      const part = states[i]![layer]?.[name];
      const cause = part ? '' : 'It is missing.';
      checkShape(
        'joinStates',
        `states[${i}].${layer}.${name}`,
        part?.shape ?? [],
        '[B, …]',
        [undefined, ...rest],
        cause,
      );
    });
  };
  states.forEach((state, i) => {
    checkParts(i, states[0]!);
    checkParts(0, state);
  });
  return mapStates(states[0]!, (first, layer, name) => {
    const tensors = states.map((state) => state[layer]![name]!);
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
 * @throws RangeError if the numbers of rows differ
 * @example
 * const model = sequential([recurrent(gru(), { hiddenSize: 4 })], { inputSize: 2 });
 * const { state } = predictWithState(model, full([1, 3, 2], 1));
 * splitState(state).map((row) => row['gru']!['h']!.shape); // [[1, 4], [1, 4], [1, 4]]
 */
export function splitState(state: ModelState): readonly ModelState[] {
  const rows = checkState('splitState', state);
  return Array.from({ length: rows }, (_, row) =>
    mapStates(state, ({ shape: [, ...rest], data }) => {
      const size = data.length / rows;
      return { shape: [1, ...rest], data: data.slice(row * size, (row + 1) * size) };
    }),
  );
}

/**
 * Returns the number of rows of a state; 0 if it has no parts.
 *
 * @throws TypeError if it is not tensors by layer and name; RangeError if their numbers of rows differ
 */
function checkState(where: string, state: ModelState): number {
  let rows: number | undefined;
  checkObject(where, 'a state', state);
  for (const [layer, parts] of Object.entries(state)) {
    checkObject(where, layer, parts);
    for (const [name, tensor] of Object.entries(parts)) {
      checkTensor(where, `${layer}.${name}`, tensor);
      const [B, ...rest] = tensor.shape;
      rows ??= B;
      checkShape(where, `${layer}.${name}`, tensor.shape, '[B, …]', [rows, ...rest]);
    }
  }
  return rows ?? 0;
}
