/** States of several streams in one, and apart. */

import { checkSome, formatShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import type { ModelState } from './sequential';

/**
 * The states of several streams as the state of one with all their rows: streams that come and go step together as one batch.
 *
 * @throws RangeError where there is none, or they are not of one model
 * @example
 * const model = sequential([recurrent(gru(), { hiddenSize: 4 })], { inputSize: 2 });
 * const states = [1, 2, 3].map((value) => predictWithState(model, full([1, 1, 2], value)).state);
 * joinStates(states).gru.h.shape; // [3, 4]
 */
export function joinStates(states: readonly ModelState[]): ModelState {
  checkSome('joinStates', 'states', states.length, 'state');
  return mapState(states[0]!, (first, layer, name) => {
    const parts = states.map((state, i) => {
      const part = state[layer]?.[name];
      if (part !== undefined && formatShape(part.shape.slice(1)) === formatShape(first.shape.slice(1))) return part;
      const got = part === undefined ? 'none' : formatShape(part.shape);
      throw new RangeError(
        `joinStates: states[${i}] must have ${layer}.${name} [B, ${first.shape.slice(1).join(', ')}], got ${got}.`,
      );
    });
    const data = new Float32Array(parts.reduce((size, part) => size + part.data.length, 0));
    let offset = 0;
    for (const part of parts) {
      data.set(part.data, offset);
      offset += part.data.length;
    }
    return { shape: [parts.reduce((rows, { shape }) => rows + shape[0]!, 0), ...first.shape.slice(1)], data };
  });
}

/**
 * The state of every row by itself, `[1, H]` each: what {@link joinStates} put together.
 *
 * @example
 * const model = sequential([recurrent(gru(), { hiddenSize: 4 })], { inputSize: 2 });
 * splitState(predictWithState(model, full([1, 3, 2], 1)).state).map(({ gru }) => gru.h.shape); // [[1, 4], [1, 4], [1, 4]]
 */
export function splitState(state: ModelState): readonly ModelState[] {
  const rows = Object.values(Object.values(state)[0] ?? {})[0]?.shape[0] ?? 0;
  return Array.from({ length: rows }, (_, row) =>
    mapState(state, ({ shape: [, ...rest], data }) => {
      const size = data.length / rows;
      return { shape: [1, ...rest], data: data.slice(row * size, (row + 1) * size) };
    }),
  );
}

function mapState(state: ModelState, change: (part: Tensor, layer: string, name: string) => Tensor): ModelState {
  return Object.fromEntries(
    Object.entries(state).map(([layer, parts]) => [
      layer,
      Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, change(part, layer, name)])),
    ]),
  );
}
