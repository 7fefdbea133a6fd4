/** What a model may have been, seen in nothing but the names and shapes of its PyTorch weights. */

import { relu, tanh } from '../autodiff/ops/elementwise';
import { gru } from '../cells/gru';
import { lstm } from '../cells/lstm';
import { projectedLstm } from '../cells/projected-lstm';
import { simpleRnn } from '../cells/simple-rnn';
import { bidirectional } from '../layers/bidirectional';
import { namesOf } from '../layers/chain';
import { dense } from '../layers/dense';
import { embedding } from '../layers/embedding';
import type { Layer } from '../layers/layer';
import { layerNorm } from '../layers/layer-norm';
import { recurrent } from '../layers/recurrent';
import type { Cell } from '../recurrence/cell';
import { formatShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import type { PyTorchOptions } from './pytorch';

/** What {@link inferModel} cannot see, and may be told. */
export interface InferOptions {
  /** The modules in the order in which data flows through them; found by their sizes otherwise. */
  readonly order?: readonly string[];
  /** The activation of nn.RNN modules; `'tanh'` by default. */
  readonly nonlinearity?: 'tanh' | 'relu';
  /** Whether what follows the last recurrent layer sees every step; otherwise the last one. Every step by default. */
  readonly returnSequences?: boolean;
}

/** What {@link inferModel} proposes. */
export interface InferredModel {
  /** For {@link sequential}. */
  readonly layers: readonly Layer[];
  readonly inputSize?: number;
  /** For {@link fromPyTorch}. */
  readonly modules: NonNullable<PyTorchOptions['modules']>;
  /** What could not be seen in the weights and was assumed, in words. */
  readonly assumed: readonly string[];
}

interface Module {
  readonly name: string;
  readonly what: 'embedding' | 'linear' | 'norm' | 'recurrent';
  /** What goes in, `'ids'` of embeddings; and out. */
  readonly input: number | 'ids';
  readonly output: number;
  /** Its layers, of ours, and the stems of their names. */
  readonly layers: (more: boolean) => readonly Layer[];
  readonly assumed: readonly string[];
}

/**
 * Proposes the layers that weights of PyTorch may belong to: kinds and sizes by names and shapes, the order by which module takes what another gives. What
 * cannot be seen (tanh or ReLU, dropout, activations between layers, whether every step goes out) is assumed, and said.
 *
 * @param weights the `state_dict`, by `readSafetensors`
 * @throws RangeError where a weight belongs to no module that is known, or the modules do not follow each other in one line
 * @example
 * const trained = toPyTorch(sequential([
 *   embedding({ vocabularySize: 10, size: 4 }), bidirectional(lstm(), { hiddenSize: 3 }), dense({ size: 2 }),
 * ]), { modules: { bidirectional: 'rnn', dense: 'fc' } });
 * const { layers, inputSize, modules, assumed } = inferModel(trained);
 * const model = sequential(layers, { inputSize });
 * fromPyTorch(model, trained, { modules });
 * model.layers.map(({ name }) => name); // ['embedding', 'bidirectional', 'dense']
 * assumed.length; // 1
 */
export function inferModel(weights: Readonly<Record<string, Tensor>>, options: InferOptions = {}): InferredModel {
  const modules = modulesOf(weights, options);
  const { order, ambiguous } = orderOf(modules, options.order);
  const { returnSequences = true } = options;
  const last = order.reduce((found, { what }, i) => (what === 'recurrent' ? i : found), -1);
  const made = order.flatMap((module, i) =>
    module.layers(i < last || returnSequences).map((layer) => ({ layer, module })),
  );
  const layers = made.map(({ layer }) => layer);
  const names = Object.fromEntries(namesOf(layers).map((name, i) => [name, made[i]!.module.name]));
  const assumed = order.flatMap((module) => module.assumed);
  if (ambiguous)
    assumed.push(
      `the order ${order.map(({ name }) => name).join(', ')}, which is not the only one that fits (order: [...])`,
    );
  if (last >= 0)
    assumed.push(
      returnSequences
        ? 'every step goes out (returnSequences: false for the last alone)'
        : 'the last step alone goes out',
    );
  const input = order[0]!.input;
  return { layers, ...(input === 'ids' ? {} : { inputSize: input }), modules: names, assumed };
}

function modulesOf(weights: Readonly<Record<string, Tensor>>, options: InferOptions): readonly Module[] {
  const byModule = new Map<string, Record<string, Tensor>>();
  for (const [name, tensor] of Object.entries(weights)) {
    const point = name.lastIndexOf('.');
    const module = point < 0 ? '' : name.slice(0, point);
    byModule.set(module, { ...byModule.get(module), [name.slice(point + 1)]: tensor });
  }
  if (byModule.size === 0) throw new RangeError('inferModel: weights must hold at least one tensor, got none.');
  return [...byModule].map(([name, own]) =>
    'weight_ih_l0' in own ? recurrentModule(name, own, options) : plainModule(name, own),
  );
}

const refuse = (what: string): never => {
  throw new RangeError(`inferModel: ${what}`);
};

function plainModule(name: string, { weight, bias, ...others }: Record<string, Tensor>): Module {
  const strange = Object.keys(others)[0] ?? (weight === undefined ? 'bias' : undefined);
  if (strange !== undefined)
    refuse(
      `${name === '' ? '' : `${name}.`}${strange} belongs to no module that is known here (RNN, LSTM, GRU, Embedding, Linear, LayerNorm).`,
    );
  const shape = weight!.shape;
  if (shape.length === 1) {
    const [size] = shape as [number];
    return {
      name,
      what: 'norm',
      input: size,
      output: size,
      layers: () => [layerNorm()],
      assumed: [`${name} is a LayerNorm with eps 1e-5`],
    };
  }
  if (shape.length !== 2) refuse(`${name}.weight ${formatShape(shape)} is neither of an Embedding nor of a Linear.`);
  const [rows, columns] = shape as [number, number];
  const linear: Module = {
    name,
    what: 'linear',
    input: columns,
    output: rows,
    layers: () => [dense({ size: rows })],
    assumed: [],
  };
  if (bias !== undefined || /(fc|linear|dense|head|out|proj|classif|decod)\w*$/i.test(name)) return linear;
  return {
    name,
    what: 'embedding',
    input: 'ids',
    output: columns,
    layers: () => [embedding({ vocabularySize: rows, size: columns })],
    assumed: /emb/i.test(name) ? [] : [`${name}, a matrix without bias, is an Embedding`],
  };
}

function recurrentModule(name: string, own: Record<string, Tensor>, { nonlinearity = 'tanh' }: InferOptions): Module {
  const [GH, I] = own['weight_ih_l0']!.shape as [number, number];
  const P = own['weight_hh_l0']?.shape[1] ?? 0;
  const H = own['weight_hr_l0']?.shape[1] ?? P;
  const gates = GH / H;
  const both = 'weight_ih_l0_reverse' in own;
  const cells: Readonly<Record<number, () => Cell>> = {
    1: () => simpleRnn({ activation: nonlinearity === 'relu' ? relu : tanh }),
    3: () => gru(),
    4: lstm,
  };
  const cell =
    'weight_hr_l0' in own ? (gates === 4 ? () => projectedLstm({ projectionSize: P }) : undefined) : cells[gates];
  if (cell === undefined)
    return refuse(
      `${name}.weight_ih_l0 ${formatShape([GH, I])} with weight_hh_l0 of ${P} columns is neither of an RNN, an LSTM nor a GRU.`,
    );
  let count = 1;
  while (`weight_ih_l${count}` in own) count++;
  const layers = (more: boolean): readonly Layer[] =>
    Array.from({ length: count }, (_, level) => {
      const given = { hiddenSize: H, returnSequences: more || level < count - 1 };
      return both ? bidirectional(cell(), given) : recurrent(cell(), given);
    });
  return {
    name,
    what: 'recurrent',
    input: I,
    output: P * (both ? 2 : 1),
    layers,
    assumed: [
      ...(gates === 1 ? [`${name} is an RNN with ${nonlinearity}`] : []),
      ...(count > 1 ? [`${name} has no dropout between its layers`] : []),
    ],
  };
}

/** An order in which each takes what the one before gives. */
function orderOf(
  modules: readonly Module[],
  wanted: readonly string[] | undefined,
): { readonly order: readonly Module[]; readonly ambiguous: boolean } {
  const told = (list: readonly Module[]): string =>
    list.map(({ name, input, output }) => `${name || 'the module'} (${input} to ${output})`).join(', ');
  if (wanted !== undefined) {
    const order = wanted.map(
      (name) =>
        modules.find((module) => module.name === name) ??
        refuse(`order names ${name}, which is no module. There are ${told(modules)}.`),
    );
    if (order.length !== modules.length || new Set(order).size !== modules.length)
      refuse(`order must name every module once: ${told(modules)}.`);
    order.slice(1).forEach((module, i) => {
      if (module.input !== order[i]!.output)
        refuse(`in this order ${told([order[i]!, module])} do not fit each other.`);
    });
    return { order, ambiguous: false };
  }
  const found: (readonly Module[])[] = [];
  let tries = 0;
  const ranks = { embedding: 0, recurrent: 1, norm: 2, linear: 3 };
  const sorted = [...modules].sort((a, b) => ranks[a.what] - ranks[b.what]);
  const extend = (order: readonly Module[]): void => {
    if (++tries > 10_000) refuse(`there are too many orders of ${told(modules)} to try. Give one, order: […].`);
    if (order.length === modules.length) found.push(order);
    for (const next of sorted) {
      if (found.length < 2 && !order.includes(next) && (order.length === 0 || next.input === order.at(-1)!.output))
        extend([...order, next]);
    }
  };
  extend([]);
  if (found.length === 0) refuse(`the modules do not follow each other in one line: ${told(modules)}.`);
  return { order: found[0]!, ambiguous: found.length > 1 };
}
