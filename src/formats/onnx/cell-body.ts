/**
 * One time step of each cell in ONNX operators, for the body of a Scan: the form of cells that have no ONNX operator,
 * and of all cells with zoneout.
 */

import { sigmoid, tanh } from '../../autodiff/ops/elementwise';
import type { LayerNormCellOptions } from '../../cells/layer-norm-cells';
import type { SimpleRnnOptions } from '../../cells/simple-rnn';
import { cellOriginOf } from '../../layers/origins';
import type { Cell } from '../../recurrence/cell';
import type { Tensor } from '../../tensor/tensor';
import { addActivation, type CellActivations, reject } from './activations';
import { add, addConstant, addIntegers, addNode, type Builder } from './builder';

/** A cell in ONNX operators. */
export interface CellBody {
  /** Adds the part of the step that does not depend on the state, x W + b, for all steps `[T, B, I]`. */
  readonly inputs: (builder: Builder, x: string) => string;
  /** Adds one step. Returns the next state, from the result of `inputs` at the step and the previous state. */
  readonly step: (
    builder: Builder,
    x: string,
    state: Readonly<Record<string, string>>,
  ) => Readonly<Record<string, string>>;
}

/** The options of `layerNormRnn`. */
type LayerNormRnnOptions = LayerNormCellOptions & { readonly activation?: SimpleRnnOptions['activation'] };

/** The inputs for the body of a cell. */
interface CellContext {
  /** The layer, for error messages. */
  readonly path: string;
  /** H, the size of a gate block. */
  readonly blockSize: number;
  /** The builder of the outer graph. */
  readonly outer: Builder;
  /** Returns the constant of a parameter by name. The first call adds it to the file. */
  readonly addParameter: (name: string) => string;
}

/**
 * Creates the body of a cell.
 *
 * @param path the path of the layer
 * @param outer the builder of the graph around the body; the parameters become its constants
 * @throws RangeError if the cell is a custom one
 */
export function cellBody(
  path: string,
  cell: Cell,
  parameters: Readonly<Record<string, Tensor>>,
  outer: Builder,
): CellBody {
  const constants = new Map<string, string>();
  const addParameter = (name: string): string => {
    const constant = constants.get(name) ?? addConstant(outer, `${path}.${name}`, parameters[name]!);
    constants.set(name, constant);
    return constant;
  };
  const origin = cellOriginOf(cell);
  const hiddenWeight = parameters[origin?.[0] === 'projectedLstm' ? 'weightHr' : 'weightHh'];
  const context = { path, blockSize: hiddenWeight?.shape[0] ?? 0, outer, addParameter };
  switch (origin?.[0]) {
    case 'simpleRnn':
      return simpleRnnBody(context, origin[1]);
    case 'lstm':
      return lstmBody(context);
    case 'lstmWith':
      return lstmBody(context, origin[1]);
    case 'projectedLstm':
      return projectedLstmBody(context);
    case 'gru':
      return gruBody(context, origin[1]?.reset);
    case 'gruWith':
      return gruBody(context, origin[1].reset, origin[1]);
    case 'layerNormRnn':
      return layerNormRnnBody(context, origin[1]);
    case 'layerNormLstm':
      return layerNormLstmBody(context, origin[1]);
    case 'layerNormGru':
      return layerNormGruBody(context, origin[1]);
    case undefined:
      return reject(path, `the cell ${cell.name}`);
    default:
      return origin satisfies never;
  }
}

function simpleRnnBody(context: CellContext, { activation = tanh }: SimpleRnnOptions = {}): CellBody {
  return {
    inputs: (b, x) => affine(context, b, x),
    step: (b, x, { h }) => ({ h: activate(context, b, activation, withState(context, b, x, h!)) }),
  };
}

function lstmBody(context: CellContext, options: CellActivations = {}): CellBody {
  return {
    inputs: (b, x) => affine(context, b, x),
    step: (b, x, { h, c }) => lstmStep(context, b, withState(context, b, x, h!), c!, options),
  };
}

function projectedLstmBody(context: CellContext): CellBody {
  const { inputs, step } = lstmBody(context);
  return {
    inputs,
    step: (b, x, state) => {
      const next = step(b, x, state);
      return { ...next, h: add(b, 'MatMul', [next['h']!, context.addParameter('weightHr')]) };
    },
  };
}

function gruBody(context: CellContext, reset?: 'after' | 'before', activations: CellActivations = {}): CellBody {
  const { blockSize: H, outer, addParameter } = context;
  const isBefore = reset === 'before';
  const [gatesHh, candidateHh] = isBefore ? splitGru(outer, addParameter('weightHh'), H) : [];
  return {
    inputs: (b, x) => affine(context, b, x),
    step: (b, x, { h }) => {
      const [gatesX, candidateX] = splitGru(b, x, H);
      if (isBefore) {
        const gates = add(b, 'Add', [gatesX, add(b, 'MatMul', [h!, gatesHh!])]);
        const recurrent = (r: string): string => add(b, 'MatMul', [add(b, 'Mul', [r, h!]), candidateHh!]);
        return gruStep(context, b, gates, candidateX, recurrent, h!, activations);
      }
      const [gatesH, candidateH] = splitGru(b, add(b, 'MatMul', [h!, addParameter('weightHh')]), H);
      const product = add(b, 'Add', [candidateH, addParameter('biasHn')]);
      const gates = add(b, 'Add', [gatesX, gatesH]);
      return gruStep(context, b, gates, candidateX, (r) => add(b, 'Mul', [r, product]), h!, activations);
    },
  };
}

function layerNormRnnBody(context: CellContext, options: LayerNormRnnOptions = {}): CellBody {
  const addParameter = context.addParameter;
  const { activation = tanh } = options;
  const normalize = normalizer(options);
  return {
    inputs: (b, x) => add(b, 'MatMul', [x, addParameter('weightIh')]),
    step: (b, x, { h }) => {
      const sum = withState(context, b, x, h!);
      return { h: activate(context, b, activation, normalize(b, sum, addParameter('gain'), addParameter('bias'))) };
    },
  };
}

function layerNormLstmBody(context: CellContext, options?: LayerNormCellOptions): CellBody {
  const addParameter = context.addParameter;
  const normalize = normalizer(options);
  return {
    inputs: (b, x) => {
      const product = add(b, 'MatMul', [x, addParameter('weightIh')]);
      return normalize(b, product, addParameter('gainIh'), addParameter('bias'));
    },
    step: (b, x, { h, c }) => {
      const product = add(b, 'MatMul', [h!, addParameter('weightHh')]);
      const gates = add(b, 'Add', [x, normalize(b, product, addParameter('gainHh'))]);
      const normalizeC = (next: string): string => normalize(b, next, addParameter('gainC'), addParameter('biasC'));
      return lstmStep(context, b, gates, c!, {}, normalizeC);
    },
  };
}

function layerNormGruBody(context: CellContext, options?: LayerNormCellOptions): CellBody {
  const { blockSize: H, addParameter } = context;
  const normalize = normalizer(options);
  return {
    inputs: (b, x) => {
      const product = splitGru(b, add(b, 'MatMul', [x, addParameter('weightIh')]), H);
      const gain = splitGru(b, addParameter('gainIh'), H);
      const bias = splitGru(b, addParameter('bias'), H);
      const parts = [0, 1].map((i) => normalize(b, product[i]!, gain[i]!, bias[i]!));
      return add(b, 'Concat', parts, { axis: -1 });
    },
    step: (b, x, { h }) => {
      const [gatesX, candidateX] = splitGru(b, x, H);
      const [gatesH, candidateH] = splitGru(b, add(b, 'MatMul', [h!, addParameter('weightHh')]), H);
      const [gatesGain, candidateGain] = splitGru(b, addParameter('gainHh'), H);
      const gates = add(b, 'Add', [gatesX, normalize(b, gatesH, gatesGain)]);
      const recurrent = normalize(b, candidateH, candidateGain, addParameter('biasHn'));
      return gruStep(context, b, gates, candidateX, (r) => add(b, 'Mul', [r, recurrent]), h!);
    },
  };
}

/** x W + b */
const affine = ({ addParameter }: CellContext, b: Builder, x: string): string =>
  add(b, 'Add', [add(b, 'MatMul', [x, addParameter('weightIh')]), addParameter('bias')]);

/** x + h U */
const withState = ({ addParameter }: CellContext, b: Builder, x: string, h: string): string =>
  add(b, 'Add', [x, add(b, 'MatMul', [h, addParameter('weightHh')])]);

const activate = ({ path }: CellContext, b: Builder, activation: unknown, x: string): string =>
  addActivation(path, b, activation, x);

/** Creates the function that adds a layer normalization of x. */
const normalizer =
  ({ epsilon = 1e-5 }: LayerNormCellOptions = {}) =>
  (b: Builder, x: string, gain: string, bias?: string): string =>
    add(b, 'LayerNormalization', [x, gain, ...(bias === undefined ? [] : [bias])], {
      axis: -1,
      epsilon: { float: epsilon },
    });

/** Splits the last axis into parts of the given sizes. */
const split = (b: Builder, x: string, sizes: readonly number[]): readonly string[] =>
  addNode(b, 'Split', [x, addIntegers(b, ...sizes)], { axis: -1 }, sizes.length);

/** Splits the blocks r z n of a GRU into the gates r z and the candidate n. */
const splitGru = (b: Builder, x: string, H: number): readonly [gates: string, candidate: string] =>
  split(b, x, [2 * H, H]) as [string, string];

/** The step of an LSTM from its gates i f g o before their activations; `normalizeC` applies to c inside tanh only. */
function lstmStep(
  context: CellContext,
  b: Builder,
  gates: string,
  previousC: string,
  { activation = tanh, gateActivation = sigmoid }: CellActivations,
  normalizeC: (c: string) => string = (c) => c,
): { readonly h: string; readonly c: string } {
  const H = context.blockSize;
  const [i, f, g, o] = split(b, gates, [H, H, H, H]) as [string, string, string, string];
  const gate = (x: string): string => activate(context, b, gateActivation, x);
  const candidate = (x: string): string => activate(context, b, activation, x);
  const kept = add(b, 'Mul', [gate(f), previousC]);
  const c = add(b, 'Add', [kept, add(b, 'Mul', [gate(i), candidate(g)])]);
  return { h: add(b, 'Mul', [gate(o), candidate(normalizeC(c))]), c };
}

/**
 * The step of a GRU from its gates r z before their activation, and the parts of its candidate: that of the input, and
 * that of the state as a function of r.
 */
function gruStep(
  context: CellContext,
  b: Builder,
  gates: string,
  candidate: string,
  recurrent: (r: string) => string,
  h: string,
  { activation = tanh, gateActivation = sigmoid }: CellActivations = {},
): { readonly h: string } {
  const H = context.blockSize;
  const [r, z] = split(b, gates, [H, H]).map((gate) => activate(context, b, gateActivation, gate)) as [string, string];
  const n = activate(context, b, activation, add(b, 'Add', [candidate, recurrent(r)]));
  return { h: interpolate(b, n, z, h) };
}

/** (1 − z) · n + z · h, as n + z · (h − n) */
const interpolate = (b: Builder, n: string, z: string, h: string): string =>
  add(b, 'Add', [n, add(b, 'Mul', [z, add(b, 'Sub', [h, n])])]);
