/** A cell that is a function of ops, over the steps of sequences: the tape differentiates it step by step. */

import { add, multiply, subtract } from '../autodiff/ops/arithmetic';
import { concat, slice } from '../autodiff/ops/movement';
import type { Variable } from '../autodiff/tape';
import { checkShape } from '../tensor/shape';
import type { CellFunction, OpsCell, State } from './cell';
import type { EngineInput, StateSequences } from './engine';

/** Runs the cell step by step. */
export function runOps<N extends string>(
  cell: OpsCell<N> | CellFunction<N>,
  { parameters, inputs, initial, rows, mask, zoneout }: EngineInput,
): StateSequences {
  const own = typeof cell === 'function' ? undefined : cell;
  const advance = typeof cell === 'function' ? cell : cell.step;
  const p = own?.prepare?.(parameters) ?? parameters;
  const x = own?.inputs?.(p, inputs) ?? inputs;
  const states: Readonly<Record<string, Variable>>[] = [initial];
  let start = 0;
  for (const count of rows) {
    const before = states.at(-1)!;
    const running = Object.fromEntries(Object.entries(before).map(([name, state]) => [name, slice(state, 0, count)]));
    const applyDropout = (h: Variable): Variable => (mask === undefined ? h : multiply(h, slice(mask, 0, count)));
    const after: Readonly<Record<string, Variable>> = advance(
      p,
      slice(x, start, start + count),
      running as State<N>,
      applyDropout,
    );
    for (const [name, { shape }] of Object.entries(running)) {
      checkShape('unroll', `the cell's new state ${name}`, after[name]?.shape ?? [], {
        letters: '[B, H]',
        lengths: shape,
      });
    }
    states.push(
      Object.fromEntries(
        Object.entries(running).map(([name, stays]) => {
          const kept = zoneout[name];
          const moved = after[name]!;
          return [
            name,
            kept === undefined
              ? moved
              : add(stays, multiply(slice(kept, start, start + count), subtract(moved, stays))),
          ];
        }),
      ),
    );
    start += count;
  }
  return Object.fromEntries(Object.keys(initial).map((name) => [name, concat(states.map((state) => state[name]!))]));
}
