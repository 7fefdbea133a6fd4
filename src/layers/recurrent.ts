/** A cell over the steps of a sequence, as a layer. */

import { initializeCell, type Cell, type CellInitializers, type PointwiseCell } from '../bptt/cell';
import { cellSteps } from '../bptt/steps';
import { unroll } from '../bptt/unroll';
import { checkCount } from '../tensor/shape';
import { vectorSize, vectors, type Layer } from './layer';

/** Size, direction, output and initializers of {@link recurrent}. */
export interface RecurrentOptions extends CellInitializers {
  /** H */
  readonly hiddenSize: number;
  /** Whether every step goes out, `[T, B, H]`, or only the last valid one, `[B, H]`. Every step by default. */
  readonly returnSequences?: boolean;
  /** Whether to run from the last step to the first; outputs stay in the order of the input. */
  readonly reverse?: boolean;
}

/**
 * Runs a cell over `[T, B, I]`. Parameters are the cell's.
 *
 * @throws RangeError where the size is not a whole number of at least 1; when it is built, where there are no steps to run over
 * @example
 * const model = sequential([recurrent(gru(), { hiddenSize: 8, returnSequences: false })], { inputSize: 2, seed: 1 });
 * predict(model, full([5, 3, 2], 1)).shape; // [3, 8]
 */
export function recurrent(cell: Cell, options: RecurrentOptions): Layer {
  const { hiddenSize, returnSequences = true, reverse = false, ...initializers } = options;
  checkCount('recurrent', 'hiddenSize', hiddenSize);
  return {
    name: cell.name,
    build: (input, random) => {
      const inputSize = vectorSize('recurrent', input);
      if (input.kind === 'vectors' && !input.perStep) {
        throw new RangeError('recurrent: expected a vector a step, got one a sequence. Does the layer before it need returnSequences?');
      }
      return {
        parameters: initializeCell(cell, { inputSize, hiddenSize, random, ...initializers }),
        output: { kind: 'vectors', size: hiddenSize, perStep: returnSequences },
      };
    },
    run: (parameters, input, { lengths, state: initialState }) => {
      const { outputs, state } = unroll(cell, parameters, vectors('recurrent', input), { initialState, lengths, reverse });
      return { output: returnSequences ? outputs : state[cell.state[0]!]!, state };
    },
    ...('forward' in cell || reverse ? {
      steps: (start) => {
        if (reverse) throw new RangeError('stream: a reversed layer needs the whole sequence and cannot go step by step.');
        return cellSteps(cell as PointwiseCell, start);
      },
    } : {}),
  };
}
