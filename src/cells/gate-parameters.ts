/** The parameters that every gated cell has. */

import { glorotUniform, type Initializer, orthogonal, zeros } from '../tensor/initializers';
import type { ParameterSpec } from '../tensor/parameter-spec';

/**
 * `weightIh [I, G·H]`, `weightHh [H, G·H]` and `bias [G·H]`: Glorot uniform, orthogonal, and zero unless said otherwise.
 *
 * @example
 * gateParameters(4, 2, 3).weightHh.shape; // [3, 12]
 */
export function gateParameters(
  gates: number,
  inputSize: number,
  hiddenSize: number,
  bias: Initializer = zeros(),
): Readonly<Record<'weightIh' | 'weightHh' | 'bias', ParameterSpec>> {
  return {
    weightIh: { role: 'input', shape: [inputSize, gates * hiddenSize], blocks: gates, initializer: glorotUniform() },
    weightHh: { role: 'recurrent', shape: [hiddenSize, gates * hiddenSize], blocks: gates, initializer: orthogonal() },
    bias: { role: 'bias', shape: [gates * hiddenSize], blocks: gates, initializer: bias },
  };
}
