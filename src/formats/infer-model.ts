/** Inference of a model's layers from the names and shapes of its PyTorch weights. */

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
import { withCaller } from '../tensor/error-context';
import { formatShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { abbreviate, listed } from './listing';
import type { PyTorchOptions } from './pytorch';

/** The largest number of modules, and of layers of a module; no real model has as many. */
const maxModules = 1024;

/** Options of {@link inferModel}: properties of a model that its weights do not determine. */
export interface InferOptions {
  /** The modules in the order of the forward pass. By default, an order in which their sizes match. */
  readonly order?: readonly string[];
  /** The activation of nn.RNN modules; `'tanh'` by default. */
  readonly nonlinearity?: 'tanh' | 'relu';
  /**
   * Whether the last recurrent layer returns its output at every step (`true`, the default) or only at the last step.
   */
  readonly returnSequences?: boolean;
}

/** The result of {@link inferModel}. */
export interface InferredModel {
  /** For {@link sequential}. */
  readonly layers: readonly Layer[];
  readonly inputSize?: number;
  /** For {@link fromPyTorch}. */
  readonly modules: NonNullable<PyTorchOptions['modules']>;
  /** Human-readable assumptions about properties that the weights do not determine. */
  readonly assumed: readonly string[];
}

/** A PyTorch module. */
interface Module {
  readonly name: string;
  readonly kind: 'embedding' | 'linear' | 'norm' | 'recurrent';
  /** The input size; `'ids'` for an embedding, whose inputs are token ids. */
  readonly input: number | 'ids';
  readonly output: number;
  /** The equivalent layers. */
  readonly layers: (returnSequences: boolean) => readonly Layer[];
  readonly assumed: readonly string[];
}

/**
 * Infers the layers of a model from its PyTorch weights: types and sizes from names and shapes, the order from matching
 * input and output sizes. Properties that weights do not determine (tanh or ReLU, dropout, activations between layers,
 * whether every step is returned) are assumed and reported in `assumed`.
 *
 * @param weights the `state_dict`, read by `readSafetensors`
 * @throws RangeError if a weight does not belong to a supported module, or the modules do not form a single chain
 * @example
 * const trained = sequential([
 *   embedding({ vocabularySize: 10, size: 4 }), bidirectional(lstm(), { hiddenSize: 3 }), dense({ size: 2 }),
 * ]);
 * const weights = toPyTorch(trained, { modules: { bidirectional: 'rnn', dense: 'fc' } });
 * const { layers, inputSize, modules, assumed } = inferModel(weights);
 * const model = sequential(layers, { inputSize });
 * fromPyTorch(model, weights, { modules });
 * model.layers.map(({ name }) => name); // ['embedding', 'bidirectional', 'dense']
 * assumed.length; // 1
 */
export function inferModel(weights: Readonly<Record<string, Tensor>>, options: InferOptions = {}): InferredModel {
  return withCaller('inferModel', () => inferredFrom(modulesOf(weights, options), options));
}

function inferredFrom(modules: readonly Module[], options: InferOptions): InferredModel {
  const { order, ambiguous } = orderOf(modules, options.order);
  const { returnSequences = true } = options;
  const last = order.reduce((found, { kind }, i) => (kind === 'recurrent' ? i : found), -1);
  const entries = order.flatMap((module, i) =>
    module.layers(i < last || returnSequences).map((layer) => ({ layer, module })),
  );
  const layers = entries.map(({ layer }) => layer);
  const names = Object.fromEntries(namesOf(layers).map((name, i) => [name, entries[i]!.module.name]));
  const assumed = order.flatMap((module) => module.assumed);
  if (ambiguous)
    assumed.push(
      `the order ${listed(order.map(({ name }) => name))}, although others fit as well; set it with order: [...]`,
    );
  if (last >= 0)
    assumed.push(
      returnSequences
        ? 'the last recurrent layer returns every step; use returnSequences: false for only the last one'
        : 'the last recurrent layer returns only its last step',
    );
  const input = order[0]!.input;
  return { layers, ...(input === 'ids' ? {} : { inputSize: input }), modules: names, assumed };
}

function modulesOf(weights: Readonly<Record<string, Tensor>>, options: InferOptions): readonly Module[] {
  const byModule = new Map<string, Map<string, Tensor>>();
  for (const [name, tensor] of Object.entries(weights)) {
    const dot = name.lastIndexOf('.');
    const module = dot < 0 ? '' : name.slice(0, dot);
    const tensors = byModule.get(module) ?? new Map<string, Tensor>();
    byModule.set(module, tensors.set(name.slice(dot + 1), tensor));
  }
  if (byModule.size === 0) throw new RangeError('inferModel: weights must have at least one tensor, got none.');
  if (byModule.size > maxModules) reject(`weights must have at most ${maxModules} modules, got ${byModule.size}.`);
  return [...byModule].map(([name, tensors]) =>
    tensors.has('weight_ih_l0') ? recurrentModule(name, tensors, options) : plainModule(name, tensors),
  );
}

const reject = (what: string): never => {
  throw new RangeError(`inferModel: ${what}`);
};

function plainModule(name: string, tensors: ReadonlyMap<string, Tensor>): Module {
  const [weight, bias] = [tensors.get('weight'), tensors.get('bias')];
  const unexpected =
    [...tensors.keys()].find((key) => key !== 'weight' && key !== 'bias') ??
    (weight === undefined ? 'bias' : undefined);
  if (unexpected !== undefined)
    reject(
      `${abbreviate(name === '' ? unexpected : `${name}.${unexpected}`)} does not belong to a supported module (RNN, LSTM, GRU, ` +
        'Embedding, Linear, LayerNorm).',
    );
  const shape = weight!.shape;
  if (shape.length === 1) {
    const [size] = shape as [number];
    return {
      name,
      kind: 'norm',
      input: size,
      output: size,
      layers: () => [layerNorm()],
      assumed: [`${name} is a LayerNorm with eps 1e-5`],
    };
  }
  if (shape.length !== 2)
    reject(`${abbreviate(name)}.weight ${formatShape(shape)} is neither the weight of an Embedding nor of a Linear.`);
  const [rows, columns] = shape as [number, number];
  const linear: Module = {
    name,
    kind: 'linear',
    input: columns,
    output: rows,
    layers: () => [dense({ size: rows })],
    assumed: [],
  };
  // Not a pattern with an end, `…\\w*$`, which takes quadratic time on long names.
  const lastWord = name.split(/\W/).at(-1)!;
  if (bias !== undefined || /fc|linear|dense|head|out|proj|classif|decod/i.test(lastWord)) return linear;
  return {
    name,
    kind: 'embedding',
    input: 'ids',
    output: columns,
    layers: () => [embedding({ vocabularySize: rows, size: columns })],
    assumed: /emb/i.test(name) ? [] : [`${name}, a matrix without bias, is an Embedding`],
  };
}

function recurrentModule(
  name: string,
  tensors: ReadonlyMap<string, Tensor>,
  { nonlinearity = 'tanh' }: InferOptions,
): Module {
  const [GH, I] = tensors.get('weight_ih_l0')!.shape as [number, number];
  const P = tensors.get('weight_hh_l0')?.shape[1] ?? 0;
  const H = tensors.get('weight_hr_l0')?.shape[1] ?? P;
  const gates = GH / H;
  const isBidirectional = tensors.has('weight_ih_l0_reverse');
  const cells: Readonly<Record<number, () => Cell>> = {
    1: () => simpleRnn({ activation: nonlinearity === 'relu' ? relu : tanh }),
    3: () => gru(),
    4: lstm,
  };
  const cell = tensors.has('weight_hr_l0')
    ? gates === 4
      ? () => projectedLstm({ projectionSize: P })
      : undefined
    : cells[gates];
  if (cell === undefined)
    return reject(
      `${abbreviate(name)}.weight_ih_l0 ${formatShape(tensors.get('weight_ih_l0')!.shape)} and weight_hh_l0 with ${P} columns do not belong to an RNN, ` +
        'LSTM or GRU.',
    );
  let count = 1;
  while (tensors.has(`weight_ih_l${count}`)) count++;
  if (count > maxModules) reject(`${abbreviate(name)} must have at most ${maxModules} layers, got ${count}.`);
  const layers = (returnSequences: boolean): readonly Layer[] =>
    Array.from({ length: count }, (_, level) => {
      const layerOptions = { hiddenSize: H, returnSequences: returnSequences || level < count - 1 };
      return isBidirectional ? bidirectional(cell(), layerOptions) : recurrent(cell(), layerOptions);
    });
  return {
    name,
    kind: 'recurrent',
    input: I,
    output: P * (isBidirectional ? 2 : 1),
    layers,
    assumed: [
      ...(gates === 1 ? [`${name} is an RNN with ${nonlinearity}`] : []),
      ...(count > 1 ? [`${name} has no dropout between its layers`] : []),
    ],
  };
}

/**
 * Finds an order of the modules in which the output size of each is the input size of the next.
 *
 * @returns the first order found, and whether there are others
 */
function orderOf(
  modules: readonly Module[],
  givenOrder: readonly string[] | undefined,
): { readonly order: readonly Module[]; readonly ambiguous: boolean } {
  const describeModules = (list: readonly Module[]): string =>
    listed(list.map(({ name, input, output }) => `${abbreviate(name) || 'the module'} (${input} to ${output})`));
  if (givenOrder !== undefined) {
    const order = givenOrder.map(
      (name) =>
        modules.find((module) => module.name === name) ??
        reject(`order has ${name}, which is not a module. The modules are ${describeModules(modules)}.`),
    );
    if (order.length !== modules.length || new Set(order).size !== modules.length)
      reject(`order must have every module exactly once: ${describeModules(modules)}.`);
    order.slice(1).forEach((module, i) => {
      if (module.input !== order[i]!.output)
        reject(`the sizes of ${describeModules([order[i]!, module])} do not match in this order.`);
    });
    return { order, ambiguous: false };
  }
  const found: (readonly Module[])[] = [];
  let tries = 0;
  const ranks = { embedding: 0, recurrent: 1, norm: 2, linear: 3 };
  const sorted = [...modules].sort((a, b) => ranks[a.kind] - ranks[b.kind]);
  /** The modules of the order that is being extended. */
  const order = new Set<Module>();
  const extend = (last?: Module): void => {
    if (++tries > 10_000)
      reject(`there are too many possible orders of ${describeModules(modules)}. Specify one with order: […].`);
    if (order.size === modules.length) found.push([...order]);
    for (const next of sorted) {
      if (found.length === 2) return;
      if ((last !== undefined && next.input !== last.output) || order.has(next)) continue;
      order.add(next);
      extend(next);
      order.delete(next);
    }
  };
  extend();
  if (found.length === 0) reject(`the modules do not form a single chain: ${describeModules(modules)}.`);
  return { order: found[0]!, ambiguous: found.length > 1 };
}
