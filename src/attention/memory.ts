/** The states of a sequence, prepared once for any number of queries. */

import { transpose } from '../autodiff/ops/movement';
import { type Operand, operand, type Variable } from '../autodiff/tape';
import { onValidSteps } from '../recurrence/valid-steps';
import { checkShape } from '../tensor/shape';
import { full } from '../tensor/tensor';
import type { Score } from './scores';

/** The states that queries look at, made ready once a sequence: variables, which {@link recompute} takes as inputs. */
export interface AttentionMemory {
  readonly parameters: Readonly<Record<string, Variable>>;
  /** `[B, T, H]` */
  readonly values: Variable;
  /** `[B, T, …]`, as the score wants them. */
  readonly keys: Variable;
  /** `[B, 1, T]` 0 where a step is valid, −1e30 behind a row's length; nothing where all are. */
  readonly outside: Variable | undefined;
  /** `[B, 1, T]` 1 where a step is valid, 0 behind a row's length. */
  readonly inside: Variable | undefined;
}

/**
 * Makes states ready to be looked at.
 *
 * @param states `[T, B, H]`, as a recurrent layer gives them
 * @param options.lengths `[B]` how many steps of each row are valid; all by default. What stands behind changes nothing.
 * @throws RangeError where a shape or a length does not fit
 * @example
 * const states = full([5, 3, 4], 1);
 * compute({ states }, (p) => attend(dotScore(), attentionMemory(dotScore(), {}, p.states), full([3, 4], 1)).context).shape; // [3, 4]
 */
export function attentionMemory(
  score: Score,
  parameters: Readonly<Record<string, Operand>>,
  states: Operand,
  { lengths }: { readonly lengths?: Int32Array | undefined } = {},
): AttentionMemory {
  const given = operand('attentionMemory', states, 'states');
  checkShape('attentionMemory', 'states', given.shape, {
    letters: '[T, B, H]',
    lengths: [undefined, undefined, undefined],
  });
  const [T, B] = given.shape as [number, number];
  const p = Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name, operand('attentionMemory', value, name)]),
  );
  const values = transpose(
    onValidSteps('attentionMemory', given, lengths, (rows) => rows),
    [1, 0, 2],
  );
  const keys = score.keys(p, values);
  if (lengths === undefined || lengths.every((length) => length === T))
    return { parameters: p, values, keys, outside: undefined, inside: undefined };
  const valid = full([B, 1, T], 1);
  lengths.forEach((length, row) => valid.data.fill(0, row * T + length, (row + 1) * T));
  // Far below any score, but finite: a row of nothing but −∞ has no softmax.
  const outside = { shape: valid.shape, data: valid.data.map((each) => (1 - each) * -1e30) };
  return {
    parameters: p,
    values,
    keys,
    outside: operand('attentionMemory', outside),
    inside: operand('attentionMemory', valid),
  };
}
