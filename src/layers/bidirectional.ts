/** A cell over a sequence in both directions. */

import { add, multiply, scale } from '../autodiff/ops/arithmetic';
import { concat, stack } from '../autodiff/ops/movement';
import type { Variable } from '../autodiff/tape';
import type { Cell } from '../recurrence/cell';
import type { Unrolled } from '../recurrence/unroll';
import { type Layer, stepSize, vectors } from './layer';
import { joinNames, splitNames } from './nested-names';
import { checkDirection, type DirectionOptions, directionParameters, outputSize, runDirection } from './recurrent';

/** How the outputs of two directions become one. */
export type Merge = 'concat' | 'sum' | 'mean' | 'product' | 'both';

/** What {@link bidirectional} takes beside the cell: options for each of the two directions, and how their outputs come together. */
export interface BidirectionalOptions extends DirectionOptions {
  /** `concat` (`[…, 2H]`, the default), `sum`, `mean`, `product` (`[…, H]`), or `both` (`[2, …, H]`, forward first, in a last layer). */
  readonly merge?: Merge;
  /** Whether every step goes out, or only what each direction ends with: the last valid step, and the first. Every step by default. */
  readonly returnSequences?: boolean;
}

const merges: Readonly<Record<Merge, (forward: Variable, reverse: Variable) => Variable>> = {
  concat: (forward, reverse) => concat([forward, reverse], -1),
  sum: add,
  mean: (forward, reverse) => scale(add(forward, reverse), 0.5),
  product: multiply,
  both: (forward, reverse) => stack([forward, reverse]),
};

/**
 * Runs a cell over `[T, B, I]` from the first step to the last, and with parameters of its own from each row's last valid step to the
 * first (Schuster and Paliwal, 1997, "Bidirectional recurrent neural networks"). Parameters are the cell's, twice: `forward.weightIh`,
 * `reverse.weightIh` and so on; so is its state.
 *
 * @throws RangeError where the size is not a whole number of at least 1, a rate is not at least 0 and less than 1, or there is no such merge
 * @example
 * const model = sequential([bidirectional(lstm(), { hiddenSize: 8 })], { inputSize: 2, seed: 1 });
 * predict(model, full([5, 3, 2], 1), { lengths: Int32Array.of(5, 2, 4) }).shape; // [5, 3, 16]
 */
export function bidirectional(cell: Cell, options: BidirectionalOptions): Layer {
  const { merge = 'concat', returnSequences = true } = options;
  checkDirection('bidirectional', options);
  if (!Object.keys(merges).includes(merge)) {
    throw new RangeError(
      `bidirectional: merge must be one of ${Object.keys(merges).join(', ')}, got ${String(merge)}.`,
    );
  }
  return {
    name: 'bidirectional',
    origin: ['bidirectional', cell, options],
    causal: false,
    output: (input) => {
      stepSize('bidirectional', input);
      const size = outputSize(cell, options) * (merge === 'concat' ? 2 : 1);
      return { kind: merge === 'both' ? 'directions' : 'vectors', size, perStep: returnSequences };
    },
    parameters: (input) => {
      const each = directionParameters(cell, options, stepSize('bidirectional', input));
      return joinNames({ forward: each, reverse: each });
    },
    run: (parameters, input, context) => {
      const x = vectors('bidirectional', input);
      const [own, states] = [splitNames(parameters), context.state && splitNames(context.state)];
      const run = (direction: 'forward' | 'reverse'): Unrolled =>
        runDirection(
          cell,
          options,
          own[direction]!,
          x,
          { ...context, state: states?.[direction] },
          direction === 'reverse',
        );
      const [forward, reverse] = [run('forward'), run('reverse')];
      const h = cell.state[0]!;
      const output = returnSequences
        ? merges[merge](forward.outputs, reverse.outputs)
        : merges[merge](forward.state[h]!, reverse.state[h]!);
      return { output, state: joinNames({ forward: forward.state, reverse: reverse.state }) };
    },
  };
}
