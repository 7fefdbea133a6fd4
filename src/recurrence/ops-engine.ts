/** The engine for cells that are functions of ops: runs them step by step, and the tape differentiates every step. */

import { add, multiply, subtract } from '../autodiff/ops/arithmetic';
import { concat, slice } from '../autodiff/ops/movement';
import type { Variable } from '../autodiff/tape';
import { lastOf } from '../tensor/arrays';
import { mapValues } from '../tensor/named-values';
import { checkObject, checkShape } from '../tensor/shape';
import type { CellFunction, OpsCell, State } from './cell';
import type { EngineInput, StateSequences } from './engine';

/** Runs a cell of ops over packed time steps. */
export function runOps<N extends string>(
  cell: OpsCell<N> | CellFunction<N>,
  { parameters, inputs, initial, rows, mask, zoneout }: EngineInput,
): StateSequences {
  const ops: Pick<OpsCell<N>, 'step' | 'prepare' | 'inputs'> = typeof cell === 'function' ? { step: cell } : cell;
  const p = ops.prepare?.(parameters) ?? parameters;
  const x = ops.inputs?.(p, inputs) ?? inputs;
  const states: Readonly<Record<string, Variable>>[] = [initial];
  let start = 0;
  for (const count of rows) {
    const last = lastOf(states)!;
    const previous = mapValues(last, (state) => slice(state, 0, count));
    const applyDropout = (h: Variable): Variable => (mask === undefined ? h : multiply(h, slice(mask, 0, count)));
    const next: Readonly<Record<string, Variable>> = ops.step(
      p,
      slice(x, start, start + count),
      previous as State<N>,
      applyDropout,
    );
    checkObject('unroll', "the cell's new state", next);
    const moved = mapValues(previous, (state, name) => {
      const candidate = next[name]!;
      const moveRate = zoneout[name];
      checkShape('unroll', `the cell's new state ${name}`, candidate?.shape ?? [], '[B, H]', state.shape);
      if (moveRate === undefined) return candidate;
      return add(state, multiply(slice(moveRate, start, start + count), subtract(candidate, state)));
    });
    states.push(moved);
    start += count;
  }
  return mapValues(initial, (_, name) => concat(states.map((state) => state[name]!)));
}
