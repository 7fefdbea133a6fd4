/** One time step of each cell in operations of ONNX, for the body of a loop: cells that are no operator, and zoneout. */

import { tanh } from '../../autodiff/ops/elementwise';
import type { LayerNormCellOptions } from '../../cells/layer-norm-cells';
import { cellOriginOf } from '../../layers/origins';
import type { Cell } from '../../recurrence/cell';
import type { Tensor } from '../../tensor/tensor';
import { add, addNode, type Builder, constant, integers } from './builder';
import { activationNode } from './functions';

/** What a cell is in ONNX: what is worked out for all steps at once, and one step. */
export interface CellSteps {
  /** x W + b and the like of `[T, B, I]`. */
  readonly inputs: (builder: Builder, x: string) => string;
  /** The state after, from what `inputs` made of the step and the state before. */
  readonly step: (
    builder: Builder,
    x: string,
    state: Readonly<Record<string, string>>,
  ) => Readonly<Record<string, string>>;
}

/** Adds a layer normalization of x. */
type Normalize = (b: Builder, x: string, gain: string, bias?: string) => string;

/** @throws RangeError where the cell is none of the library's */
export function cellSteps(
  where: string,
  path: string,
  cell: Cell,
  parameters: Readonly<Record<string, Tensor>>,
  outer: Builder,
): CellSteps {
  const names = new Map<string, string>();
  const p = (name: string): string => {
    const found = names.get(name) ?? constant(outer, `${path}.${name}`, parameters[name]!);
    names.set(name, found);
    return found;
  };
  const origin = cellOriginOf(cell);
  const H =
    origin?.[0] === 'projectedLstm' ? parameters['weightHr']!.shape[0]! : (parameters['weightHh']?.shape[0] ?? 0);
  const affine = (b: Builder, x: string): string => add(b, 'Add', [add(b, 'MatMul', [x, p('weightIh')]), p('bias')]);
  const withState = (b: Builder, x: string, h: string): string =>
    add(b, 'Add', [x, add(b, 'MatMul', [h, p('weightHh')])]);
  const normalizer =
    ({ epsilon = 1e-5 }: LayerNormCellOptions = {}): Normalize =>
    (b, x, gain, bias) =>
      add(b, 'LayerNormalization', [x, gain, ...(bias === undefined ? [] : [bias])], {
        axis: -1,
        epsilon: { float: epsilon },
      });
  switch (origin?.[0]) {
    case 'simpleRnn': {
      const { activation = tanh } = origin[1] ?? {};
      return {
        inputs: affine,
        step: (b, x, { h }) => ({ h: activationNode(where, path, b, activation, withState(b, x, h!)) }),
      };
    }
    case 'lstm':
      return { inputs: affine, step: (b, x, { h, c }) => memory(b, withState(b, x, h!), c!, H) };
    case 'projectedLstm':
      return {
        inputs: affine,
        step: (b, x, { h, c }) => {
          const next = memory(b, withState(b, x, h!), c!, H);
          return { ...next, h: add(b, 'MatMul', [next['h']!, p('weightHr')]) };
        },
      };
    case 'gru':
      return origin[1]?.reset === 'before'
        ? resetBefore(affine, p, H, outer)
        : {
            inputs: affine,
            step: (b, x, { h }) => {
              const [ofX, candidate] = split(b, x, [2 * H, H]);
              const [ofH, recurrent] = split(b, add(b, 'MatMul', [h!, p('weightHh')]), [2 * H, H]);
              return gated(b, add(b, 'Add', [ofX!, ofH!]), candidate!, add(b, 'Add', [recurrent!, p('biasHn')]), h!, H);
            },
          };
    case 'layerNormRnn': {
      const { activation = tanh } = origin[1] ?? {};
      const normalize = normalizer(origin[1]);
      return {
        inputs: (b, x) => add(b, 'MatMul', [x, p('weightIh')]),
        step: (b, x, { h }) => {
          const normalized = normalize(b, withState(b, x, h!), p('gain'), p('bias'));
          return { h: activationNode(where, path, b, activation, normalized) };
        },
      };
    }
    case 'layerNormLstm': {
      const normalize = normalizer(origin[1]);
      return {
        inputs: (b, x) => normalize(b, add(b, 'MatMul', [x, p('weightIh')]), p('gainIh'), p('bias')),
        step: (b, x, { h, c }) =>
          memory(
            b,
            add(b, 'Add', [x, normalize(b, add(b, 'MatMul', [h!, p('weightHh')]), p('gainHh'))]),
            c!,
            H,
            (next) => normalize(b, next, p('gainC'), p('biasC')),
          ),
      };
    }
    case 'layerNormGru':
      return layerNormGru(p, normalizer(origin[1]), H);
    case 'hardSigmoidGru':
    case 'hardSigmoidLstm':
    case undefined:
      throw new RangeError(`${where}: ${path} is made of the cell ${cell.name}, which has no form in ONNX.`);
    default:
      return origin satisfies never;
  }
}

const split = (b: Builder, x: string, sizes: readonly number[]): readonly string[] =>
  addNode(b, 'Split', [x, integers(b, ...sizes)], { axis: -1 }, sizes.length);

/** The LSTM's step from its gates i f g o. */
function memory(
  b: Builder,
  gates: string,
  before: string,
  H: number,
  seen: (c: string) => string = (c) => c,
): { readonly h: string; readonly c: string } {
  const [i, f, g, o] = split(b, gates, [H, H, H, H]) as [string, string, string, string];
  const kept = add(b, 'Mul', [add(b, 'Sigmoid', [f]), before]);
  const c = add(b, 'Add', [kept, add(b, 'Mul', [add(b, 'Sigmoid', [i]), add(b, 'Tanh', [g])])]);
  return { h: add(b, 'Mul', [add(b, 'Sigmoid', [o]), add(b, 'Tanh', [seen(c)])]), c };
}

/** The GRU's step from its gates r z and the two parts of its candidate. */
function gated(
  b: Builder,
  gates: string,
  candidate: string,
  recurrent: string,
  h: string,
  H: number,
): { readonly h: string } {
  const [r, z] = split(b, add(b, 'Sigmoid', [gates]), [H, H]) as [string, string];
  const n = add(b, 'Tanh', [add(b, 'Add', [candidate, add(b, 'Mul', [r, recurrent])])]);
  return { h: add(b, 'Add', [n, add(b, 'Mul', [z, add(b, 'Sub', [h, n])])]) };
}

function resetBefore(inputs: CellSteps['inputs'], p: (name: string) => string, H: number, outer: Builder): CellSteps {
  const [gatesHh, candidateHh] = split(outer, p('weightHh'), [2 * H, H]) as [string, string];
  return {
    inputs,
    step: (b, x, { h }) => {
      const [ofX, candidate] = split(b, x, [2 * H, H]) as [string, string];
      const [r, z] = split(b, add(b, 'Sigmoid', [add(b, 'Add', [ofX, add(b, 'MatMul', [h!, gatesHh])])]), [H, H]) as [
        string,
        string,
      ];
      const n = add(b, 'Tanh', [add(b, 'Add', [candidate, add(b, 'MatMul', [add(b, 'Mul', [r, h!]), candidateHh])])]);
      return { h: add(b, 'Add', [n, add(b, 'Mul', [z, add(b, 'Sub', [h!, n])])]) };
    },
  };
}

function layerNormGru(p: (name: string) => string, normalize: Normalize, H: number): CellSteps {
  const parts = (b: Builder, x: string): [string, string] => split(b, x, [2 * H, H]) as [string, string];
  return {
    inputs: (b, x) => {
      const [product, gain, bias] = [add(b, 'MatMul', [x, p('weightIh')]), p('gainIh'), p('bias')].map((each) =>
        parts(b, each),
      ) as [[string, string], [string, string], [string, string]];
      return add(
        b,
        'Concat',
        [0, 1].map((i) => normalize(b, product[i]!, gain[i]!, bias[i]!)),
        { axis: -1 },
      );
    },
    step: (b, x, { h }) => {
      const [ofX, candidate] = parts(b, x);
      const [ofH, recurrent] = parts(b, add(b, 'MatMul', [h!, p('weightHh')]));
      const [gainGates, gainCandidate] = parts(b, p('gainHh'));
      return gated(
        b,
        add(b, 'Add', [ofX, normalize(b, ofH, gainGates)]),
        candidate,
        normalize(b, recurrent, gainCandidate, p('biasHn')),
        h!,
        H,
      );
    },
  };
}
