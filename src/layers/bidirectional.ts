/** A layer that runs a cell over a sequence in both directions. */

import { add, multiply, scale } from '../autodiff/ops/arithmetic';
import { concat, stack } from '../autodiff/ops/movement';
import type { Variable } from '../autodiff/tape';
import type { Cell } from '../recurrence/cell';
import type { Unrolled } from '../recurrence/unroll';
import { checkChoice, checkNames, checkObject, outOfRange } from '../tensor/shape';
import { directionsOf, type LayerDirection } from './directions';
import { type Layer, stepSize, vectors } from './layer';
import { joinNames, splitNames } from './nested-names';
import { checkDirection, type DirectionOptions, directionParameters, outputSize, runDirection } from './recurrent';

/** How the outputs of the two directions are combined. */
export type Merge = 'concat' | 'sum' | 'mean' | 'product' | 'both';

/** The options of {@link bidirectional}: those of each direction, and how their outputs are combined. */
export interface BidirectionalOptions extends DirectionOptions {
  /**
   * `concat` (`[…, 2H]`, the default), `sum`, `mean`, `product` (`[…, H]`), or `both` (`[2, …, H]`, forward first; only
   * in the last layer of a model).
   */
  readonly merge?: Merge | undefined;
  /**
   * Whether to return the output of every step, `[T, B, …]`, or only the final output of each direction, `[B, …]`: at
   * the last valid step and at the first step. True by default.
   */
  readonly returnSequences?: boolean | undefined;
  /** The cell and options of the reverse direction, as far as they differ: `{ cell: gru(), hiddenSize: 4 }`. */
  readonly reverse?:
    | (Omit<DirectionOptions, 'hiddenSize'> & {
        readonly cell?: Cell | undefined;
        readonly hiddenSize?: number | undefined;
      })
    | undefined;
}

/** How each value of {@link Merge} combines two directions. */
export const merges: Readonly<Record<Merge, (forward: Variable, reverse: Variable) => Variable>> = {
  concat: (forward, reverse) => concat([forward, reverse], -1),
  sum: add,
  mean: (forward, reverse) => scale(add(forward, reverse), 0.5),
  product: multiply,
  both: (forward, reverse) => stack([forward, reverse]),
};

/**
 * Creates a layer that runs a cell over `[T, B, I]` forward and, with separate parameters, backward from the last valid
 * step of each row (Schuster and Paliwal, 1997, "Bidirectional recurrent neural networks"). Its parameters and state
 * are those of the cell in both directions: `forward.weightIh`, `reverse.weightIh` and so on. The directions can have
 * different cells and options; only `concat` merges outputs of different sizes.
 *
 * @throws RangeError if `hiddenSize` is not a positive integer, a dropout rate is not in [0, 1), or `merge` is unknown
 *   or does not support the sizes
 * @example
 * const model = sequential([bidirectional(lstm(), { hiddenSize: 8 })], { inputSize: 2, seed: 1 });
 * predict(model, full([5, 3, 2], 1), { lengths: Int32Array.of(5, 2, 4) }).shape; // [5, 3, 16]
 */
export function bidirectional(cell: Cell, options: BidirectionalOptions): Layer {
  checkDirection('bidirectional', options, ['merge', 'returnSequences', 'reverse'], cell);
  const { merge = 'concat', returnSequences = true, reverse: given = {}, ...shared } = options;
  checkObject('bidirectional', 'reverse', given);
  // An option that is undefined does not differ from that of the forward direction.
  const reverse: Partial<DirectionOptions> & { readonly cell?: Cell } = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  );
  checkDirection('bidirectional', { ...shared, ...reverse }, ['cell'], reverse.cell ?? cell);
  const copy = options.reverse ? { ...options, reverse } : { ...options };
  const [forward, backward] = directionsOf(cell, copy);
  const stateNames = [forward, backward].flatMap((each) => each.cell.state.map((name) => `${each.name}.${name}`));
  checkChoice<string>('bidirectional', 'merge', merge, Object.keys(merges));
  const size = outputSize(cell, copy);
  const reverseSize = outputSize(backward.cell, backward.options);
  if (merge !== 'concat' && size !== reverseSize)
    throw outOfRange('bidirectional', 'merge', `concat for directions of sizes ${size} and ${reverseSize}`, merge);
  return {
    name: 'bidirectional',
    origin: ['bidirectional', cell, copy],
    causal: false,
    output: (input) => {
      stepSize('bidirectional', input);
      return {
        kind: merge === 'both' ? 'directions' : 'vectors',
        size: merge === 'concat' ? size + reverseSize : size,
        perStep: returnSequences,
      };
    },
    parameters: (input) => {
      const inputSize = stepSize('bidirectional', input);
      return joinNames({
        forward: directionParameters(cell, copy, inputSize),
        reverse: directionParameters(backward.cell, backward.options, inputSize),
      });
    },
    run: (parameters, input, context) => {
      const x = vectors('bidirectional', input);
      const byDirection = splitNames(parameters);
      checkNames('bidirectional', 'state', context.state ?? {}, stateNames);
      const states = splitNames(context.state ?? {});
      const runOf = (direction: LayerDirection): Unrolled & { readonly output: Variable } => {
        const { name, cell: own } = direction;
        const directionContext = { ...context, state: states[name] };
        const run = runDirection(own, direction.options, byDirection[name]!, x, directionContext, name === 'reverse');
        return { ...run, output: returnSequences ? run.outputs : run.state[own.state[0]!]! };
      };
      const forwardRun = runOf(forward);
      const backwardRun = runOf(backward);
      return {
        output: merges[merge](forwardRun.output, backwardRun.output),
        state: joinNames({ forward: forwardRun.state, reverse: backwardRun.state }),
        states: () => joinNames({ forward: forwardRun.states(), reverse: backwardRun.states() }),
      };
    },
  };
}
