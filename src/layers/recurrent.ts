/** A layer that runs a cell over the steps of a sequence. */

import { broadcastTo, multiply } from '../autodiff/ops/arithmetic';
import { randomMask } from '../autodiff/ops/random-mask';
import { type Variable, viewOf } from '../autodiff/tape';
import { type Cell, type CellInitializers, cellParameters, checkCell, stateSizes } from '../recurrence/cell';
import { cellStepRunner } from '../recurrence/cell-stream';
import { type Unrolled, unroll } from '../recurrence/unroll';
import { checkRates, expectedZoneout } from '../recurrence/zoneout';
import { zeros } from '../tensor/initializers';
import { mapValues } from '../tensor/named-values';
import type { ParameterSpec } from '../tensor/parameter-spec';
import { checkBelowOne, checkCount, checkNames, type Shape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { type Layer, type LayerContext, stepSize, vectors } from './layer';
import { joinNames, splitNames } from './nested-names';

/** The options of one direction of a recurrent layer: size, regularization, initial state and initializers. */
export interface DirectionOptions extends CellInitializers {
  /** H, the size of the hidden state. */
  readonly hiddenSize: number;
  /**
   * The probability that an element of the input is dropped in training, with the same mask at every step of a sequence
   * (variational dropout: Gal and Ghahramani, 2016, arXiv 1512.05287). 0 by default.
   */
  readonly inputDropout?: number | undefined;
  /** The same for the hidden state that is multiplied by the recurrent weights. 0 by default. */
  readonly recurrentDropout?: number | undefined;
  /**
   * The probability, by state name, that an element of the state keeps its previous value in training; in prediction
   * every element takes the expected value (zoneout: Krueger et al., 2017, arXiv 1606.01305). 0 by default.
   */
  readonly zoneout?: Readonly<Record<string, number>> | undefined;
  /**
   * Whether the initial state of sequences is a parameter: `initial.h [1, H]` and so on, initially zero. It also
   * replaces the state at `resets`, and parts that a given `state` lacks. By default, the initial state is zero.
   */
  readonly learnInitialState?: boolean | undefined;
}

/** The options of {@link recurrent}. */
export interface RecurrentOptions extends DirectionOptions {
  /**
   * Whether to return the output of every step, `[T, B, H]`, or only of the last valid step, `[B, H]`. True by
   * default.
   */
  readonly returnSequences?: boolean | undefined;
  /**
   * Whether to run from the last valid step to the first. The outputs keep the order of the input. False by default.
   */
  readonly reverse?: boolean | undefined;
}

/**
 * Creates a layer that runs a cell over `[T, B, I]`. Its name, parameters and state are those of the cell.
 *
 * @throws RangeError if `hiddenSize` is not a positive integer or a dropout rate is not in [0, 1); in a model, if its
 *   input is not one vector per step
 * @example
 * const model = sequential([
 *   recurrent(gru(), { hiddenSize: 8, recurrentDropout: 0.25, zoneout: { h: 0.05 }, returnSequences: false }),
 * ], { inputSize: 2, seed: 1 });
 * predict(model, full([5, 3, 2], 1)).shape; // [3, 8]
 */
export function recurrent(cell: Cell, options: RecurrentOptions): Layer {
  checkDirection('recurrent', options, ['returnSequences', 'reverse'], cell);
  const own = { ...options };
  const { returnSequences = true, reverse = false } = own;
  return {
    name: cell.name,
    origin: ['recurrent', cell, own],
    causal: !reverse,
    output: (input) => {
      stepSize('recurrent', input);
      return { kind: 'vectors', size: outputSize(cell, own), perStep: returnSequences };
    },
    parameters: (input) => directionParameters(cell, own, stepSize('recurrent', input)),
    run: (parameters, input, context) => {
      const { outputs, ...run } = runDirection(cell, own, parameters, vectors('recurrent', input), context, reverse);
      return { output: returnSequences ? outputs : run.state[cell.state[0]!]!, ...run };
    },
    ...('forward' in cell && {
      stepRunner: (context) => {
        const { initial } = splitNames(context.parameters);
        const { hiddenSize, zoneout } = own;
        const afterForward = zoneout && expectedZoneout(context, zoneout, context.batchSize * hiddenSize);
        return cellStepRunner(cell, context, {
          initialState: initial && repeatedState(cell, initial, context.batchSize),
          afterForward,
        });
      },
    }),
  };
}

/** Returns the values of a learned initial state, `[1, H]` by name, for every row: `[B, H]` in order. */
function repeatedState(cell: Cell, initial: Readonly<Record<string, Tensor>>, batchSize: number): Float32Array {
  const rows = cell.state.flatMap((name) => Array.from({ length: batchSize }, () => Array.from(initial[name]!.data)));
  return Float32Array.from(rows.flat());
}

/**
 * @throws RangeError if an option is out of range; TypeError if it is neither an option of a direction nor another one
 */
export function checkDirection(caller: string, options: DirectionOptions, others: readonly string[], cell: Cell): void {
  checkCell(caller, cell);
  checkNames(caller, 'options', options, [
    'hiddenSize',
    'inputDropout',
    'recurrentDropout',
    'zoneout',
    'learnInitialState',
    'inputInitializer',
    'recurrentInitializer',
    'biasInitializer',
    ...others,
  ]);
  const { hiddenSize, inputDropout = 0, recurrentDropout = 0, zoneout = {} } = options;
  checkCount(caller, 'hiddenSize', hiddenSize);
  checkBelowOne(caller, 'inputDropout', inputDropout);
  checkBelowOne(caller, 'recurrentDropout', recurrentDropout);
  checkRates(caller, 'zoneout', zoneout, cell.state);
}

/** Returns the size of the output of a cell: that of its first state. */
export function outputSize(cell: Cell, { hiddenSize }: DirectionOptions): number {
  return stateSizes(cell, hiddenSize)[cell.state[0]!]!;
}

/** Returns the parameter specifications of one direction. */
export function directionParameters(
  cell: Cell,
  options: DirectionOptions,
  inputSize: number,
): Readonly<Record<string, ParameterSpec>> {
  const parameters = cellParameters(cell, { ...options, inputSize });
  if (!options.learnInitialState) return parameters;
  const initial = mapValues(
    stateSizes(cell, options.hiddenSize),
    (size): ParameterSpec => ({ role: 'gain', shape: [1, size], blocks: 1, initializer: zeros() }),
  );
  return { ...parameters, ...joinNames({ initial }) };
}

/** Runs a cell over the steps `[T, B, I]` in one direction. */
export function runDirection(
  cell: Cell,
  { hiddenSize, inputDropout = 0, recurrentDropout = 0, zoneout }: DirectionOptions,
  parameters: Readonly<Record<string, Variable>>,
  x: Variable,
  { training, random, sequenceRandom, lengths, resets, state }: LayerContext,
  reverse: boolean,
): Unrolled {
  const scope = x.storage.scope;
  const [T = 0, B = 0, I = 0] = x.shape;
  const { initial } = splitNames(parameters);
  const own = Object.fromEntries(Object.entries(parameters).filter(([name]) => !name.includes('.')));
  const learned = initial && mapValues(initial, (value) => broadcastTo(value, [B, value.size]));
  const dropoutMask = (rate: number, shape: Shape): Variable | undefined =>
    training && rate > 0 ? randomMask(scope, shape, rate, 1 / (1 - rate), sequenceRandom) : undefined;
  const inputMask = dropoutMask(inputDropout, [B * I]);
  const recurrentMask = dropoutMask(recurrentDropout, [B, outputSize(cell, { hiddenSize })]);
  return unroll(cell, own, inputMask === undefined ? x : viewOf(multiply(viewOf(x, [T, B * I]), inputMask), x.shape), {
    initialState: { ...learned, ...state },
    resetState: initial ?? {},
    lengths,
    resets,
    reverse,
    recurrentMask,
    zoneout: zoneout && { rates: zoneout, random: training ? random : undefined },
  });
}
