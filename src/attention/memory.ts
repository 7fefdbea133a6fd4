/** The states of a sequence, prepared once for any number of queries. */

import { transpose } from '../autodiff/ops/movement';
import { type Operand, operand, type Variable } from '../autodiff/tape';
import { onValidSteps } from '../recurrence/valid-steps';
import { withCaller } from '../tensor/error-context';
import { mapValues } from '../tensor/named-values';
import { checkNames, checkObject, checkShape } from '../tensor/shape';
import { full } from '../tensor/tensor';
import { checkScore, type Score } from './scores';

/**
 * The states that queries attend to, prepared once per sequence. All are variables, so that {@link recompute} accepts
 * them as inputs.
 */
export interface AttentionMemory {
  readonly parameters: Readonly<Record<string, Variable>>;
  /** `[B, T, H]` */
  readonly values: Variable;
  /** `[B, T, …]` the keys that the score computes from the states. */
  readonly keys: Variable;
  /** `[B, 1, T]` 0 at valid steps, −1e30 in the padding; undefined if all steps are valid. */
  readonly penalties: Variable | undefined;
  /** `[B, 1, T]` 1 at valid steps, 0 in the padding; undefined if all steps are valid. */
  readonly valid: Variable | undefined;
}

/**
 * Prepares the states of a sequence for {@link attend}.
 *
 * @param score the score that queries will use
 * @param parameters the parameters of the score, as {@link initializeScore} creates them
 * @param states `[T, B, H]`, such as the outputs of a recurrent layer
 * @param options.lengths `[B]` the number of valid steps of each row; all by default. The content of the padding has no
 * effect.
 * @throws RangeError if a shape or a length does not match
 * @example
 * const states = full([5, 3, 4], 1);
 * const context = compute({ states }, (p) => {
 *   const memory = attentionMemory(dotScore(), {}, p.states);
 *   return attend(dotScore(), memory, full([3, 4], 1)).context;
 * });
 * context.shape; // [3, 4]
 */
export function attentionMemory(
  score: Score,
  parameters: Readonly<Record<string, Operand>>,
  states: Operand,
  options: { readonly lengths?: Int32Array | undefined } = {},
): AttentionMemory {
  checkNames('attentionMemory', 'options', options, ['lengths']);
  const lengths = options.lengths;
  checkScore('attentionMemory', 'score', score);
  checkObject('attentionMemory', 'parameters', parameters);
  const sequence = operand('attentionMemory', states, 'states');
  checkShape('attentionMemory', 'states', sequence.shape, '[T, B, H]', [undefined, undefined, undefined]);
  const [T, B] = sequence.shape as [number, number];
  const p = mapValues(parameters, (value, name) => operand('attentionMemory', value, name));
  const values = transpose(
    withCaller('attentionMemory', () => onValidSteps('attentionMemory', sequence, lengths, (rows) => rows)),
    [1, 0, 2],
  );
  const keys = withCaller('attentionMemory', () => score.keys(p, values));
  if (lengths === undefined || lengths.every((length) => length === T))
    return { parameters: p, values, keys, penalties: undefined, valid: undefined };
  const valid = full([B, 1, T], 1);
  lengths.forEach((length, row) => valid.data.fill(0, row * T + length, (row + 1) * T));
  // Far below any score, but finite: the softmax of a row of −∞ is NaN.
  const penalties = { shape: valid.shape, data: valid.data.map((isValid) => (1 - isValid) * -1e30) };
  return {
    parameters: p,
    values,
    keys,
    penalties: operand('attentionMemory', penalties),
    valid: operand('attentionMemory', valid),
  };
}
