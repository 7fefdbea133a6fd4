/**
 * What a cell is: data that the engine works with. A pointwise cell is a pair of functions over the pre-activations of one time step, and
 * the engine does every matrix product for it; any other cell is a function of ops.
 */

import type { Variable } from '../autodiff/tape';
import type { Kernels } from '../kernels/kernel';
import type { Initializer } from '../tensor/initializers';
import type { Origin } from '../tensor/origin';
import { initializeParameters, type ParameterSpec } from '../tensor/parameter-spec';
import { createRandom, type Random } from '../tensor/random';
import { checkCount, checkShape, formatShape, type Shape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';

/** The state of a cell by name, each `[B, H]`; `h` is also the output. */
export type State<N extends string, L = Variable> = { readonly [K in N]: L };

interface CellCommon<N extends string> {
  /** The name it has in parameters, files and messages. */
  readonly name: string;
  /** How to make it again. */
  readonly origin?: Origin;
  /** What its state holds; the first is the output. */
  readonly state: readonly N[];
  /** How many numbers each part of the state has, for a hidden size H; H where it does not say. */
  readonly sizes?: (hiddenSize: number) => Partial<Readonly<Record<N, number>>>;
  /** Its parameters for an input size I and a hidden size H. */
  readonly parameters: (inputSize: number, hiddenSize: number) => Readonly<Record<string, ParameterSpec>>;
}

/** Offsets of one time step, for the forward function of a pointwise cell. All rows are dense and row-major. */
export interface PointwiseStep<N extends string> {
  /** How many rows of the batch this step has. */
  rows: number;
  /** H */
  readonly hiddenSize: number;
  /** `[rows, G·H]`, in: x_t W_ih + h_{t−1} W_hh + b, of cells with `separate` x_t W_ih + b; out: whatever backward wants to find here. */
  gates: number;
  /** `[rows, G·H]`, in, only of cells with `separate`: h_{t−1} W_hh. Not there any more in backward. */
  readonly product: number;
  /** `[rows, kept·H]`, for backward. */
  saved: number;
  /** The state before the step, each `[rows, H]`. */
  readonly previous: { [K in N]: number };
  /** The state after the step, each `[rows, H]`, to be written. */
  readonly next: { [K in N]: number };
  /** The cell's own vectors. */
  readonly vectors: Readonly<Record<string, number>>;
}

/** Offsets of one time step, for the backward function of a pointwise cell. */
export interface PointwiseBackwardStep<N extends string> extends PointwiseStep<N> {
  /** `[rows, G·H]`, out, only of cells with `separate`: the gradient of `product`. Of the others it is that of `gates`. */
  dProduct: number;
  /** The gradient of the state after the step, each `[rows, H]`. */
  readonly dNext: { [K in N]: number };
  /** To be added to, each `[rows, H]`: the gradient of the state before the step, but for what flows through W_hh. */
  readonly dPrevious: { [K in N]: number };
  /** To be added to: the gradients of the cell's own vectors. */
  readonly dVectors: Readonly<Record<string, number>>;
}

/**
 * A cell of the form: gates = x_t W_ih + h_{t−1} W_hh + b, then a pointwise function of them and of the state. One that has to know the
 * two products apart is `separate`.
 * Its parameters are `weightIh [I, G·H]`, `weightHh [H, G·H]`, `bias [G·H]` and the vectors it names; the product of the state, or the
 * bias, is left out where the cell has no `weightHh`, or no `bias`.
 */
export interface PointwiseCell<N extends string = string> extends CellCommon<N> {
  /** G, the number of gate blocks. */
  readonly gates: number;
  /** How many blocks `[rows, H]` forward keeps for backward beside the gates. */
  readonly savedBlocks: number;
  /** Names of further vector parameters that the pair reads. */
  readonly vectorParameters: readonly string[];
  /** Whether the pair gets h_{t−1} W_hh as `product`, apart from `gates`, and answers its gradient as `dProduct`. */
  readonly separateProducts: boolean;
  /** One step forward. */
  readonly forward: (kernels: Kernels, step: PointwiseStep<N>) => void;
  /** One step back: `gates` turns into the gradient of what came in. */
  readonly backward: (kernels: Kernels, step: PointwiseBackwardStep<N>) => void;
}

/**
 * One time step as a function of ops: parameters, `x [rows, I]` and the state before give the state after. `applyDropout` puts recurrent
 * dropout on what meets the recurrent weights, `matmul(applyDropout(h), weightHh)`; it does nothing where there is none.
 */
export type CellFunction<N extends string = string> = (
  parameters: Readonly<Record<string, Variable>>,
  x: Variable,
  state: State<N>,
  applyDropout: (h: Variable) => Variable,
) => State<N>;

/** A cell as a function of ops, which the tape differentiates step by step. */
export interface OpsCell<N extends string = string> extends CellCommon<N> {
  readonly step: CellFunction<N>;
  /** What `step` is given instead of the parameters: worked out once a sequence. */
  readonly prepare?: (parameters: Readonly<Record<string, Variable>>) => Readonly<Record<string, Variable>>;
  /** What `step` is given instead of x, worked out for the inputs `[N, I]` of all steps at once: a product of them, for instance. */
  readonly inputs?: (parameters: Readonly<Record<string, Variable>>, x: Variable) => Variable;
}

/** What runs over a sequence: a pointwise pair, or a function of ops. */
export type Cell<N extends string = string> = PointwiseCell<N> | OpsCell<N>;

/** How the parameters of a cell begin, where not by the cell's defaults. */
export interface CellInitializers {
  readonly inputInitializer?: Initializer;
  readonly recurrentInitializer?: Initializer;
  readonly biasInitializer?: Initializer;
}

/** Sizes, randomness and initializers for {@link initializeCell}. */
export interface CellOptions extends CellInitializers {
  readonly inputSize: number;
  readonly hiddenSize: number;
  /** A generator, or the seed of one. */
  readonly random: Random | number;
}

/**
 * Makes the first parameters of a cell. Matrices are initialized gate block by gate block, `[I, H]` or `[H, H]`, as Flax does it: the
 * fan-out of a block is H, and every block of an orthogonal or identity matrix is one.
 *
 * @throws RangeError where a size is not a whole number of at least 1
 * @example
 * initializeCell(lstm(), { inputSize: 3, hiddenSize: 5, random: 1 }).weightIh?.shape; // [3, 20]
 */
export function initializeCell(cell: Cell, options: CellOptions): Readonly<Record<string, Tensor>> {
  const { inputSize, hiddenSize } = options;
  checkCount('initializeCell', 'inputSize', inputSize);
  checkCount('initializeCell', 'hiddenSize', hiddenSize);
  const random = typeof options.random === 'number' ? createRandom(options.random) : options.random;
  return initializeParameters(cellParameters(cell, options), random);
}

/** A cell's parameters, with the initializers that are chosen for their roles or its own. */
export function cellParameters(
  cell: Cell,
  { inputSize, hiddenSize, inputInitializer, recurrentInitializer, biasInitializer }: Omit<CellOptions, 'random'>,
): Readonly<Record<string, ParameterSpec>> {
  const chosen = { input: inputInitializer, recurrent: recurrentInitializer, bias: biasInitializer, gain: undefined };
  return Object.fromEntries(
    Object.entries(cell.parameters(inputSize, hiddenSize)).map(([name, parameter]) => [
      name,
      { ...parameter, initializer: chosen[parameter.role] ?? parameter.initializer },
    ]),
  );
}

/**
 * H, from parameters that must have the shapes that the cell says.
 *
 * @param xs the shape of what comes in, if it is not the parameters' own
 * @throws RangeError where a shape does not fit, TypeError where a parameter is missing
 */
export function checkParameters(
  where: string,
  cell: Cell,
  given: Readonly<Record<string, { readonly shape: Shape }>>,
  inputSize: number,
  xs?: Shape,
): number {
  const { name: telling, axis } = hiddenAxis(cell);
  const hiddenSize = given[telling]?.shape[axis];
  if (hiddenSize === undefined) {
    throw new TypeError(
      `${where}: the parameters of ${cell.name} must have ${telling}, got ${Object.keys(given).join(', ') || 'none'}.`,
    );
  }
  for (const [name, { shape, role }] of Object.entries(cell.parameters(inputSize, hiddenSize))) {
    const got = given[name];
    if (got === undefined)
      throw new TypeError(`${where}: the parameters of ${cell.name} must have ${name} ${formatShape(shape)}.`);
    if (
      xs !== undefined &&
      role === 'input' &&
      got.shape.length === 2 &&
      got.shape[0] !== inputSize &&
      got.shape[1] === shape[1]
    ) {
      const expected = { letters: '[T, B, I]', lengths: [undefined, undefined, got.shape[0]] };
      checkShape(where, 'xs', xs, expected, `Was the cell made with inputSize ${inputSize}?`);
    }
    checkShape(where, name, got.shape, { letters: 'of the cell', lengths: shape });
  }
  return hiddenSize;
}

/** A parameter one of whose axes is H: one of the recurrent weights, if there is. */
function hiddenAxis(cell: Cell): { readonly name: string; readonly axis: number } {
  const [one, two] = [cell.parameters(1, 1), cell.parameters(1, 2)];
  const places = Object.entries(one).flatMap(([name, { role, shape }]) =>
    shape.flatMap((length, axis) => (length === 1 && two[name]?.shape[axis] === 2 ? [{ name, axis, role }] : [])),
  );
  const place = places.find(({ role }) => role === 'recurrent') ?? places[0];
  if (place === undefined)
    throw new TypeError(`The cell ${cell.name} must have a parameter with an axis of H, its hidden size.`);
  return place;
}

/** How many numbers each part of a cell's state has. */
export function stateSizes<N extends string>(
  { state, sizes }: Cell<N>,
  hiddenSize: number,
): Readonly<Record<N, number>> {
  const given = sizes?.(hiddenSize) as Partial<Record<N, number>> | undefined;
  return Object.fromEntries(state.map((name) => [name, given?.[name] ?? hiddenSize])) as Record<N, number>;
}
