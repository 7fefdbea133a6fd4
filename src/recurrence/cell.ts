/**
 * Cells as data. A pointwise cell is a pair of functions, forward and backward, over the pre-activations of one time
 * step; the engine computes all its matrix products. Any other cell is a function of ops, which the tape
 * differentiates.
 */

import type { Variable } from '../autodiff/tape';
import type { Kernels } from '../kernels/kernel';
import { withCaller } from '../tensor/error-context';
import type { Initializer } from '../tensor/initializers';
import { byName, mapValues } from '../tensor/named-values';
import type { Origin } from '../tensor/origin';
import { initializeParameters, type ParameterSpec } from '../tensor/parameter-spec';
import { type Random, randomOrSeed } from '../tensor/random';
import {
  checkArray,
  checkCount,
  checkFunctions,
  checkNames,
  checkObject,
  checkShape,
  mismatch,
  type Shape,
} from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';

/** The state of a cell by name, `[B, H]` each, such as `h` and `c`. */
export type State<N extends string, L = Variable> = { readonly [K in N]: L };

interface CellCommon<N extends string> {
  /** The name in parameters, files and error messages. */
  readonly name: string;
  /** The function that creates the cell and its arguments, for saved files. */
  readonly origin?: Origin;
  /** The names of the parts of the state; the first one is the output. */
  readonly state: readonly N[];
  /** The parameters for an input size I and a hidden size H. At least one axis has a length of H, 2·H, … or 8·H. */
  readonly parameters: (inputSize: number, hiddenSize: number) => Readonly<Record<string, ParameterSpec>>;
}

/**
 * The workspace offsets of one time step for the forward function of a pointwise cell. All buffers are contiguous and
 * row-major.
 */
export interface PointwiseStep<N extends string> {
  /** The number of rows that are still running at this step. */
  rows: number;
  /** H */
  readonly hiddenSize: number;
  /**
   * `[rows, G·H]`, input: the pre-activations x_t W_ih + h_{t−1} W_hh + b, or x_t W_ih + b with `separateProducts`.
   * Output: anything that the backward function needs, usually the activated gates.
   */
  gates: number;
  /**
   * `[rows, G·H]`, input with `separateProducts`: h_{t−1} W_hh. Overwritten by the next step, so not available in
   * backward.
   */
  product: number;
  /** `[rows, savedBlocks·H]`, output: further values for the backward function. */
  saved: number;
  /** `[rows, H]` each, input: the state before the step. */
  readonly previous: { [K in N]: number };
  /** `[rows, H]` each, output: the state after the step. */
  readonly next: { [K in N]: number };
  /** The vector parameters by name. */
  readonly vectors: Readonly<Record<string, number>>;
}

/** The workspace offsets of one time step for the backward function of a pointwise cell. */
export interface PointwiseBackwardStep<N extends string> extends PointwiseStep<N> {
  /** `[rows, G·H]`, output with `separateProducts`: the gradient of `product`. Equals `gates` for other cells. */
  dProduct: number;
  /** `[rows, H]` each, input: the gradient of the state after the step. */
  readonly dNext: { [K in N]: number };
  /**
   * `[rows, H]` each, accumulated: the gradient of the state before the step, without the part that flows through W_hh.
   */
  readonly dPrevious: { [K in N]: number };
  /** Accumulated: the gradients of the vector parameters, unless `backwardVectors` computes them. */
  readonly dVectors: Readonly<Record<string, number>>;
}

/**
 * A cell that computes gates = x_t W_ih + h_{t−1} W_hh + b, then a pointwise function of the gates and the state.
 *
 * Its parameters are `weightIh [I, G·H]`, `weightHh [H, G·H]`, `bias [G·H]` and the vectors named in
 * `vectorParameters`. `weightHh` and `bias` are optional; without one, its term is left out.
 */
export interface PointwiseCell<N extends string = string> extends CellCommon<N> {
  /** Every part of the state has H elements. */
  readonly sizes?: never;
  /** G, the number of gate blocks. */
  readonly gates: number;
  /**
   * The number of blocks `[rows, H]` that the forward function saves for the backward function, in addition to the
   * gates.
   */
  readonly savedBlocks: number;
  /** The names of further parameters, vectors, that the pair of functions reads. */
  readonly vectorParameters: readonly string[];
  /**
   * Whether the two products stay separate: h_{t−1} W_hh is passed as `product` and its gradient returned as
   * `dProduct`.
   */
  readonly separateProducts: boolean;
  /** Computes one step. */
  readonly forward: (kernels: Kernels, step: PointwiseStep<N>) => void;
  /** Computes the gradients of one step: overwrites `gates` with the gradient of the pre-activations. */
  readonly backward: (kernels: Kernels, step: PointwiseBackwardStep<N>) => void;
  /**
   * Computes the gradients of the vector parameters, after the last backward step, from the results of `backward` in
   * the `saved` blocks of all `rows` of all steps.
   */
  readonly backwardVectors?: (
    kernels: Kernels,
    steps: Pick<PointwiseBackwardStep<N>, 'saved' | 'dVectors' | 'rows' | 'hiddenSize'>,
  ) => void;
  /**
   * Whether `forward` and `backward` do nothing but call kernels, change only rows of the step, and add nothing to
   * `dVectors`. Then threads can run all steps of some rows each.
   */
  readonly callsOnlyKernels?: boolean;
}

/**
 * One time step as a function of ops: maps the parameters, the input `x [rows, I]` and the previous state to the next
 * state. Apply `applyDropout` to the hidden state before it is multiplied by the recurrent weights,
 * `matmul(applyDropout(h), weightHh)`; without recurrent dropout it returns its argument.
 */
export type CellFunction<N extends string = string> = (
  parameters: Readonly<Record<string, Variable>>,
  x: Variable,
  state: State<N>,
  applyDropout: (h: Variable) => Variable,
) => State<N>;

/** A cell as a function of ops, which the tape differentiates step by step. */
export interface OpsCell<N extends string = string> extends CellCommon<N> {
  /** The size of each part of the state for a hidden size H; H by default. */
  readonly sizes?: (hiddenSize: number) => Partial<Readonly<Record<N, number>>>;
  readonly step: CellFunction<N>;
  /** Maps the parameters to those that `step` receives; called once per sequence. */
  readonly prepare?: (parameters: Readonly<Record<string, Variable>>) => Readonly<Record<string, Variable>>;
  /** Maps the inputs `[N, I]` of all time steps to those that `step` receives, for example by one matrix product. */
  readonly inputs?: (parameters: Readonly<Record<string, Variable>>, x: Variable) => Variable;
}

/** A recurrent cell: a pair of pointwise functions, or a function of ops. */
export type Cell<N extends string = string> = PointwiseCell<N> | OpsCell<N>;

/** Initializers that replace the defaults of a cell, by the role of the parameter. */
export interface CellInitializers {
  /** The initializer of the input weights; by default, that of the cell (Glorot uniform for `weightIh`). */
  readonly inputInitializer?: Initializer | undefined;
  /** The initializer of the recurrent weights; by default, that of the cell (orthogonal for `weightHh`). */
  readonly recurrentInitializer?: Initializer | undefined;
  /** The initializer of the biases; by default, that of the cell (zeros, and 1 for the forget gate of an LSTM). */
  readonly biasInitializer?: Initializer | undefined;
}

/** Options of {@link initializeCell}. */
export interface CellOptions extends CellInitializers {
  readonly inputSize: number;
  readonly hiddenSize: number;
  /** A random number generator, or a seed. */
  readonly random: Random | number;
}

/**
 * Initializes the parameters of a cell. Each gate block of a matrix, `[I, H]` or `[H, H]`, is initialized separately,
 * as in Flax: the fan-out is H, and every block of an orthogonal (identity) initializer is an orthogonal (identity)
 * matrix.
 *
 * @returns the parameters by name
 * @throws RangeError if a size is not an integer of at least 1
 * @example
 * initializeCell(lstm(), { inputSize: 3, hiddenSize: 5, random: 1 }).weightIh?.shape; // [3, 20]
 */
export function initializeCell(cell: Cell, options: CellOptions): Readonly<Record<string, Tensor>> {
  checkCell('initializeCell', cell);
  checkNames('initializeCell', 'options', options, [
    'inputSize',
    'hiddenSize',
    'random',
    'inputInitializer',
    'recurrentInitializer',
    'biasInitializer',
  ]);
  const { inputSize, hiddenSize } = options;
  checkCount('initializeCell', 'inputSize', inputSize);
  checkCount('initializeCell', 'hiddenSize', hiddenSize);
  const random = randomOrSeed('initializeCell', options.random);
  return initializeParameters('initializeCell', cellParameters(cell, options), random);
}

/** @throws TypeError if `cell` is not a cell */
export function checkCell(where: string, cell: Cell): void {
  const isPointwise = typeof (cell as Partial<PointwiseCell> | undefined)?.forward === 'function';
  checkFunctions(where, 'cell', cell, 'a cell, such as lstm()', ['parameters', isPointwise ? 'backward' : 'step']);
  checkArray(where, 'cell.state', cell.state);
}

/**
 * The parameter specs of a cell, with custom initializers in place of its defaults.
 *
 * @throws TypeError if the cell returns no specs
 */
export function cellParameters(
  cell: Cell,
  { inputSize, hiddenSize, inputInitializer, recurrentInitializer, biasInitializer }: Omit<CellOptions, 'random'>,
): Readonly<Record<string, ParameterSpec>> {
  const chosen = { input: inputInitializer, recurrent: recurrentInitializer, bias: biasInitializer, gain: undefined };
  const parameters = cell.parameters(inputSize, hiddenSize);
  const where = `cell ${cell.name}`;
  checkObject(where, 'the parameters', parameters);
  return mapValues(parameters, (parameter, name) => {
    checkObject(where, name, parameter);
    return { ...parameter, initializer: chosen[parameter.role] ?? parameter.initializer };
  });
}

/**
 * Checks that parameters have the names and shapes of a cell.
 *
 * @param check called with every shape before it is checked, to throw a better error
 * @returns H
 * @throws RangeError if a shape does not match; TypeError if a parameter is missing or unknown
 */
export function checkParameters(
  where: string,
  cell: Cell,
  parameters: Readonly<Record<string, { readonly shape: Shape }>>,
  inputSize: number,
  check?: (actual: Shape, expected: ParameterSpec) => void,
): number {
  const hiddenSize = hiddenSizeOf(where, cell, parameters);
  const given = `the parameters of ${cell.name}`;
  const specs = withCaller(where, () => cell.parameters(inputSize, hiddenSize));
  checkNames(where, given, parameters, Object.keys(specs));
  for (const name of Object.keys(specs))
    if (!parameters[name]) throw mismatch(where, given, `an object with ${name}`, parameters);
  for (const [name, spec] of Object.entries(specs)) {
    const actual = parameters[name]!.shape;
    check?.(actual, spec);
    checkShape(where, name, actual, 'of the cell', spec.shape);
  }
  return hiddenSize;
}

/** H, from the first axis of length H in the parameters; in cells without such an axis, of length 2·H, 3·H, … */
function hiddenSizeOf(
  where: string,
  cell: Cell,
  parameters: Readonly<Record<string, { readonly shape: Shape }>>,
): number {
  // No other axis has the length of this prime or of a small multiple.
  const probe = 997;
  for (let blocks = 1; blocks < 9; blocks++)
    for (const [name, { shape }] of Object.entries(cell.parameters(1, probe)))
      if (shape.includes(blocks * probe))
        // At least 1, so that the cell does not reject H before the parameter that is missing or wrong is found.
        return Math.floor((parameters[name]?.shape[shape.indexOf(blocks * probe)] ?? 0) / blocks) || 1;
  throw mismatch(where, 'cell', 'one with parameters of hiddenSize', cell);
}

/** The size of each part of the state of a cell. */
export function stateSizes<N extends string>(
  { state, sizes }: Cell<N>,
  hiddenSize: number,
): Readonly<Record<N, number>> {
  const given = sizes?.(hiddenSize) as Partial<Record<N, number>> | undefined;
  return byName(state, (name) => given?.[name] ?? hiddenSize);
}
