/** A cell over the steps of a sequence, as a layer. */

import { broadcastTo, multiply } from '../autodiff/ops/arithmetic';
import { randomMask } from '../autodiff/ops/random-mask';
import { type Variable, viewOf } from '../autodiff/tape';
import { type Cell, type CellInitializers, cellParameters, stateSizes } from '../recurrence/cell';
import { cellStepRunner } from '../recurrence/cell-stream';
import { type Unrolled, unroll } from '../recurrence/unroll';
import { zeros } from '../tensor/initializers';
import type { ParameterSpec } from '../tensor/parameter-spec';
import { checkCount, checkNumber } from '../tensor/shape';
import { type Layer, type LayerContext, stepSize, vectors } from './layer';
import { joinNames, splitNames } from './nested-names';

/** Size, regularization, first state and initializers of a recurrent layer. */
export interface DirectionOptions extends CellInitializers {
  /** H */
  readonly hiddenSize: number;
  /**
   * The probability that a number of the input is dropped in training, the same numbers at every step of a sequence (variational dropout:
   * Gal and Ghahramani, 2016, arXiv 1512.05287).
   */
  readonly inputDropout?: number;
  /** The same for what of h meets the recurrent weights. */
  readonly recurrentDropout?: number;
  /**
   * The probability, by name of the state, that a number of it stays in training what it was at the step before; at prediction each moves
   * by the expected part (zoneout: Krueger et al., 2017, arXiv 1606.01305).
   */
  readonly zoneout?: Readonly<Record<string, number>>;
  /** Whether the state that every sequence begins with is learned: parameters `initial.h [1, H]` and so on, at first zero. */
  readonly learnInitialState?: boolean;
}

/** What {@link recurrent} takes beside the cell. */
export interface RecurrentOptions extends DirectionOptions {
  /** Whether every step goes out, `[T, B, H]`, or only the last valid one, `[B, H]`. Every step by default. */
  readonly returnSequences?: boolean;
  /** Whether to run from the last step to the first; outputs stay in the order of the input. */
  readonly reverse?: boolean;
}

/**
 * Runs a cell over `[T, B, I]`. Parameters are the cell's.
 *
 * @throws RangeError where the size is not a whole number of at least 1 or a rate is not at least 0 and less than 1; when it is built, where
 * there are no steps to run over
 * @example
 * const model = sequential([
 *   recurrent(gru(), { hiddenSize: 8, recurrentDropout: 0.25, zoneout: { h: 0.05 }, returnSequences: false }),
 * ], { inputSize: 2, seed: 1 });
 * predict(model, full([5, 3, 2], 1)).shape; // [3, 8]
 */
export function recurrent(cell: Cell, options: RecurrentOptions): Layer {
  const { returnSequences = true, reverse = false } = options;
  checkDirection('recurrent', options);
  return {
    name: cell.name,
    origin: ['recurrent', cell, options],
    causal: !reverse,
    output: (input) => (
      stepSize('recurrent', input), { kind: 'vectors', size: outputSize(cell, options), perStep: returnSequences }
    ),
    parameters: (input) => directionParameters(cell, options, stepSize('recurrent', input)),
    run: (parameters, input, context) => {
      const { outputs, state } = runDirection(cell, options, parameters, vectors('recurrent', input), context, reverse);
      return { output: returnSequences ? outputs : state[cell.state[0]!]!, state };
    },
    ...('forward' in cell
      ? {
          stepRunner: (start) => {
            const { initial: initialState = {} } = splitNames(start.parameters);
            return cellStepRunner(cell, start, { initialState, zoneout: options.zoneout ?? {} });
          },
        }
      : {}),
  };
}

/** @throws RangeError where an option does not fit */
export function checkDirection(
  where: string,
  { hiddenSize, inputDropout = 0, recurrentDropout = 0 }: DirectionOptions,
): void {
  checkCount(where, 'hiddenSize', hiddenSize);
  for (const [name, rate] of Object.entries({ inputDropout, recurrentDropout })) {
    checkNumber(where, name, rate, 0, 1);
    if (rate === 1) throw new RangeError(`${where}: ${name} must be less than 1: nothing would be left.`);
  }
}

/** How many numbers of a cell go out. */
export function outputSize(cell: Cell, { hiddenSize }: DirectionOptions): number {
  return stateSizes(cell, hiddenSize)[cell.state[0]!]!;
}

/** The parameters of a cell that runs in one direction. */
export function directionParameters(
  cell: Cell,
  options: DirectionOptions,
  inputSize: number,
): Readonly<Record<string, ParameterSpec>> {
  const own = cellParameters(cell, { ...options, inputSize });
  if (!options.learnInitialState) return own;
  const initial = Object.entries(stateSizes(cell, options.hiddenSize)).map(([name, size]): [string, ParameterSpec] => [
    name,
    { role: 'gain', shape: [1, size], blocks: 1, initializer: zeros() },
  ]);
  return { ...own, ...joinNames({ initial: Object.fromEntries(initial) }) };
}

/** Runs a cell in one direction. */
export function runDirection(
  cell: Cell,
  { hiddenSize, inputDropout = 0, recurrentDropout = 0, zoneout }: DirectionOptions,
  parameters: Readonly<Record<string, Variable>>,
  x: Variable,
  { training, random, sequenceRandom, lengths, resets, state }: LayerContext,
  reverse: boolean,
): Unrolled {
  const { scope } = x.storage;
  const [T = 0, B = 0, I = 0] = x.shape;
  const { initial } = splitNames(parameters);
  const begin =
    initial &&
    Object.fromEntries(Object.entries(initial).map(([name, each]) => [name, broadcastTo(each, [B, each.size])]));
  const dropped = (rate: number, size: number): Variable | undefined =>
    training && rate > 0 ? randomMask(scope, [B * size], rate, 1 / (1 - rate), sequenceRandom) : undefined;
  const inputMask = dropped(inputDropout, I);
  const size = outputSize(cell, { hiddenSize });
  const recurrentMask = dropped(recurrentDropout, size);
  return unroll(
    cell,
    parameters,
    inputMask === undefined ? x : viewOf(multiply(viewOf(x, [T, B * I]), inputMask), x.shape),
    {
      initialState: state ?? begin ?? {},
      resetState: initial ?? {},
      lengths,
      resets,
      reverse,
      recurrentMask: recurrentMask && viewOf(recurrentMask, [B, size]),
      zoneout: zoneout && { rates: zoneout, random: training ? random : undefined },
    },
  );
}
