/** Inference of a model's layers from the names and shapes of its PyTorch weights. */

import { relu, tanh } from '../autodiff/ops/elementwise';
import { gru } from '../cells/gru';
import { lstm } from '../cells/lstm';
import { projectedLstm } from '../cells/projected-lstm';
import { simpleRnn } from '../cells/simple-rnn';
import { batchNorm } from '../layers/batch-norm';
import { bidirectional } from '../layers/bidirectional';
import { namesOf } from '../layers/chain';
import { type Conv1dOptions, conv1d } from '../layers/conv1d';
import { type DenseOptions, dense } from '../layers/dense';
import { embedding } from '../layers/embedding';
import type { Layer } from '../layers/layer';
import { layerNorm } from '../layers/layer-norm';
import { recurrent } from '../layers/recurrent';
import { withoutBias } from '../layers/without-bias';
import type { Cell } from '../recurrence/cell';
import { withCaller } from '../tensor/error-context';
import {
  checkArray,
  checkChoice,
  checkCount,
  checkFunction,
  checkNames,
  checkObject,
  describe,
  formatShape,
} from '../tensor/shape';
import { checkTensor, type Tensor } from '../tensor/tensor';
import { abbreviate, listed, shown } from './listing';
import type { PyTorchOptions } from './pytorch';

/** The largest number of modules, and of layers of a module; no real model has as many. */
const maxModules = 1024;

/** Options of {@link inferModel}: properties of a model that its weights do not determine. */
export interface InferOptions {
  /** The modules in the order of the forward pass. By default, an order in which their sizes match. */
  readonly order?: readonly string[] | undefined;
  /** The activation of nn.RNN and nn.RNNCell modules; `'tanh'` by default. */
  readonly nonlinearity?: 'tanh' | 'relu' | undefined;
  /** The activations after Linear and Conv1d modules, by the name of the module: `{ fc1: relu }`. None by default. */
  readonly activations?: Readonly<Record<string, NonNullable<DenseOptions['activation']>>> | undefined;
  /** Other options of Conv1d modules, by name: `{ conv: { padding: 'same' } }`. As `nn.Conv1d(I, O, k)` by default. */
  readonly convolutions?:
    | Readonly<Record<string, Pick<Conv1dOptions, 'stride' | 'dilation' | 'groups' | 'padding'>>>
    | undefined;
  /**
   * Whether the last recurrent layer returns its output at every step (`true`, the default) or only at the last step.
   */
  readonly returnSequences?: boolean | undefined;
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
  readonly kind: 'embedding' | 'convolution' | 'linear' | 'norm' | 'recurrent';
  /** The input size; `'ids'` for an embedding, whose inputs are token ids. */
  readonly input: number | 'ids';
  readonly output: number;
  /** The equivalent layers. */
  readonly layers: (returnSequences: boolean) => readonly Layer[];
  readonly isBidirectional?: boolean;
  readonly assumed: readonly string[];
}

/**
 * Infers the layers of a model from its PyTorch weights: types and sizes from names and shapes, the order from matching
 * input and output sizes. Properties that weights do not determine are assumed and reported in `assumed`: activations,
 * operations without weights between modules, whether every step is returned, and others. `batch_first` is not among
 * them, because it changes only the layout: inputs here are always `[T, B, …]`.
 *
 * @param weights the `state_dict`, read by `readSafetensors`
 * @throws RangeError if an option is out of range, a weight does not belong to a supported module, or the modules do
 * not form a single chain
 * @example
 * const trained = sequential([
 *   embedding({ vocabularySize: 10, size: 4 }), bidirectional(lstm(), { hiddenSize: 3 }), dense({ size: 2 }),
 * ]);
 * const weights = toPyTorch(trained, { modules: { bidirectional: 'rnn', dense: 'fc' } });
 * const { layers, inputSize, modules, assumed } = inferModel(weights);
 * const model = sequential(layers, { inputSize });
 * fromPyTorch(model, weights, { modules });
 * model.layers.map(({ name }) => name); // ['embedding', 'bidirectional', 'dense']
 * assumed[1]; // 'fc has no activation; set one with activations: { "fc": relu }'
 */
export function inferModel(weights: Readonly<Record<string, Tensor>>, options: InferOptions = {}): InferredModel {
  checkObject('inferModel', 'weights', weights);
  for (const [name, tensor] of Object.entries(weights)) checkTensor('inferModel', name, tensor);
  checkNames('inferModel', 'options', options, [
    'order',
    'nonlinearity',
    'activations',
    'convolutions',
    'returnSequences',
  ]);
  const { order, nonlinearity = 'tanh', activations = {}, convolutions = {} } = options;
  checkChoice('inferModel', 'nonlinearity', nonlinearity, ['tanh', 'relu']);
  if (order !== undefined) checkArray('inferModel', 'order', order);
  for (const [name, given] of Object.entries({ activations, convolutions })) checkObject('inferModel', name, given);
  for (const [name, given] of Object.entries(activations)) checkFunction('inferModel', `activations.${name}`, given);
  for (const [name, given] of Object.entries(convolutions)) {
    const argument = `convolutions.${name}`;
    checkObject('inferModel', argument, given);
    checkNames('inferModel', argument, given, ['stride', 'dilation', 'groups', 'padding']);
    for (const key of ['stride', 'dilation', 'groups'] as const)
      if (given[key] !== undefined) checkCount('inferModel', `${argument}.${key}`, given[key]);
  }
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
  assumed.push(
    'no operation without weights, such as dropout, pooling, a residual connection or a LayerNorm with ' +
      'elementwise_affine=False, is around the modules',
  );
  if (ambiguous)
    assumed.push(`the order ${listed(order.map(labelOf))}, although others fit as well; set it with order: [...]`);
  if (last >= 0) assumed.push(returnAssumption(returnSequences, order[last]!));
  const input = order[0]!.input;
  return { layers, ...(input === 'ids' ? {} : { inputSize: input }), modules: names, assumed };
}

/** The assumption about the output of the last recurrent module. */
function returnAssumption(returnSequences: boolean, { isBidirectional = false }: Module): string {
  if (returnSequences)
    return 'the last recurrent layer returns every step; use returnSequences: false for only the last one';
  return isBidirectional
    ? 'the last recurrent layer returns the final output of each direction (h_n), which is not output[-1]'
    : 'the last recurrent layer returns only its last step';
}

/** The name of a module in messages; the root module has none. */
const labelOf = ({ name }: Pick<Module, 'name'>): string => abbreviate(name) || 'the module';

/** The name of a tensor of a module in messages. */
const tensorIn = (module: string, name: string): string => abbreviate(module === '' ? name : `${module}.${name}`);

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
  const modules = [...byModule].map(([name, tensors]) => {
    if (tensors.has('weight_ih_l0')) return recurrentModule(name, tensors, '_l0', options);
    if (tensors.has('weight_ih')) return recurrentModule(name, tensors, '', options);
    return plainModule(name, tensors, options);
  });
  checkModules('activations', options.activations, modules, ['linear', 'convolution']);
  checkModules('convolutions', options.convolutions, modules, ['convolution']);
  return modules;
}

/** @throws RangeError if an option by the names of modules has the name of a module of another kind, or of none */
function checkModules(option: string, given: object = {}, modules: readonly Module[], kinds: Module['kind'][]): void {
  const names = modules.filter(({ kind }) => kinds.includes(kind)).map(({ name }) => name);
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  const what = kinds.includes('linear') ? 'Linear or Conv1d' : 'Conv1d';
  if (unknown !== undefined)
    reject(`${option} has ${abbreviate(unknown)}, which is not a ${what} module. These modules are: ${listed(names)}.`);
}

const reject = (what: string): never => {
  throw new RangeError(`inferModel: ${what}`);
};

function plainModule(name: string, tensors: ReadonlyMap<string, Tensor>, options: InferOptions): Module {
  const label = labelOf({ name });
  if (tensors.has('running_mean')) return batchNormModule(name, tensors);
  const weight = tensors.get('weight');
  const bias = tensors.get('bias');
  const unexpected =
    [...tensors.keys()].find((key) => key !== 'weight' && key !== 'bias') ??
    (weight === undefined ? 'bias' : undefined);
  if (unexpected !== undefined)
    reject(
      `${tensorIn(name, unexpected)} does not belong to a supported module (RNN, LSTM, GRU, RNNCell, LSTMCell, ` +
        'GRUCell, Embedding, Linear, Conv1d, LayerNorm, BatchNorm1d).',
    );
  const shape = weight!.shape;
  const lastName = name.slice(name.lastIndexOf('.') + 1);
  if (shape.length === 1) {
    const [size] = shape as [number];
    if (bias === undefined && !/layer_?norm|^ln/i.test(lastName))
      reject(
        `${label} has a weight ${formatShape(shape)} without bias, as RMSNorm and PReLU, which are not supported. ` +
          `If it is a LayerNorm with bias=False, add ${tensorIn(name, 'bias')} with zeros.`,
      );
    return {
      name,
      kind: 'norm',
      input: size,
      output: size,
      layers: () => [biased(bias !== undefined, layerNorm())],
      assumed: [`${label}${bias === undefined ? ', a vector without bias,' : ''} is a LayerNorm with eps 1e-5`],
    };
  }
  if (shape.length === 3) return convolutionModule(name, shape, bias !== undefined, options);
  if (shape.length !== 2)
    reject(`${tensorIn(name, 'weight')} ${formatShape(shape)} does not belong to an Embedding, a Linear or a Conv1d.`);
  const [rows, columns] = shape as [number, number];
  // A weight without bias belongs to either an Embedding or a Linear. An Embedding is the first module and has no
  // activation, so the options can show that it is a Linear. Otherwise, only the name of the module shows which one.
  const isLinear =
    bias !== undefined ||
    Object.hasOwn(options.activations ?? {}, name) ||
    (options.order !== undefined && options.order.indexOf(name) > 0);
  if (isLinear || (!/emb/i.test(lastName) && /fc|linear|dense|head|out|proj|classif|decod/i.test(lastName))) {
    const { activation, assumed } = activationOf(name, options);
    return {
      name,
      kind: 'linear',
      input: columns,
      output: rows,
      layers: () => [biased(bias !== undefined, dense({ size: rows, ...(activation && { activation }) }))],
      assumed: [...(isLinear ? [] : [`${label}, a matrix without bias, is a Linear`]), ...assumed],
    };
  }
  const zeroRow = zeroRowOf(weight!);
  return {
    name,
    kind: 'embedding',
    input: 'ids',
    output: columns,
    layers: () => [embedding({ vocabularySize: rows, size: columns })],
    assumed: [
      `${label}, a matrix without bias, is an Embedding`,
      ...(zeroRow < 0
        ? []
        : [`row ${zeroRow} of ${label}, all zeros, is trained; with padding_idx=${zeroRow} it is not`]),
    ],
  };
}

/** The activation after a module, and the assumption that it has none. */
function activationOf(
  name: string,
  { activations = {} }: InferOptions,
): Pick<DenseOptions, 'activation'> & Pick<Module, 'assumed'> {
  const activation = Object.hasOwn(activations, name) ? activations[name] : undefined;
  if (activation !== undefined) return { activation, assumed: [] };
  return { assumed: [`${labelOf({ name })} has no activation; set one with activations: { ${shown(name)}: relu }`] };
}

/** A Conv1d module, whose weight is `[O, I / groups, k]`. */
function convolutionModule(name: string, shape: readonly number[], hasBias: boolean, options: InferOptions): Module {
  const label = labelOf({ name });
  const [O, inputs, k] = shape as [number, number, number];
  const { convolutions = {} } = options;
  const given = Object.hasOwn(convolutions, name) ? convolutions[name] : undefined;
  const { activation, assumed } = activationOf(name, options);
  const layerOptions = { size: O, kernelSize: k, ...given, ...(activation && { activation }) };
  return {
    name,
    kind: 'convolution',
    input: inputs * (given?.groups ?? 1),
    output: O,
    layers: () => [biased(hasBias, conv1d(layerOptions))],
    assumed: [
      ...(given === undefined
        ? [
            `${label} is a Conv1d with stride 1, dilation 1, one group and no padding; set others with ` +
              `convolutions: { ${shown(name)}: { padding: 'same' } }`,
          ]
        : []),
      ...assumed,
    ],
  };
}

/** A BatchNorm1d module, with its running statistics. */
function batchNormModule(name: string, tensors: ReadonlyMap<string, Tensor>): Module {
  const label = labelOf({ name });
  const names = ['weight', 'bias', 'running_mean', 'running_var'];
  const missing = names.find((key) => !tensors.has(key));
  if (missing !== undefined)
    reject(`${label} has running_mean, but no ${missing}, so it is not an affine BatchNorm1d.`);
  const unexpected = [...tensors.keys()].find((key) => !names.includes(key) && key !== 'num_batches_tracked');
  if (unexpected !== undefined) reject(`${tensorIn(name, unexpected)} does not belong to a BatchNorm1d.`);
  const [size] = tensors.get('weight')!.shape as [number];
  return {
    name,
    kind: 'norm',
    input: size,
    output: size,
    layers: () => [batchNorm()],
    assumed: [`${label} is a BatchNorm1d with eps 1e-5 and momentum 0.1`],
  };
}

/** A layer with or without its biases. */
const biased = (hasBias: boolean, layer: Layer): Layer => (hasBias ? layer : withoutBias(layer));

/** The first row of a matrix `[rows, columns]` that has only zeros; −1 if every row has others. */
function zeroRowOf({ shape, data }: Tensor): number {
  const [rows, columns] = shape as [number, number];
  for (let row = 0; row < rows; row++)
    if (data.subarray(row * columns, (row + 1) * columns).every((value) => value === 0)) return row;
  return -1;
}

/** A module of weights with the suffix `_l0` and so on, or one of the cell modules, whose suffix is empty. */
function recurrentModule(
  name: string,
  tensors: ReadonlyMap<string, Tensor>,
  suffix: '_l0' | '',
  { nonlinearity = 'tanh' }: InferOptions,
): Module {
  const isCell = suffix === '';
  const label = labelOf({ name });
  const [GH, I] = tensors.get(`weight_ih${suffix}`)!.shape as [number, number];
  const P = tensors.get(`weight_hh${suffix}`)?.shape[1] ?? 0;
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
      `${tensorIn(name, `weight_ih${suffix}`)} ${formatShape(tensors.get(`weight_ih${suffix}`)!.shape)} and ` +
        `weight_hh${suffix} with ${P} columns do not belong to an RNN, LSTM or GRU.`,
    );
  let count = 1;
  while (!isCell && tensors.has(`weight_ih_l${count}`)) count++;
  if (count > maxModules) reject(`${label} must have at most ${maxModules} layers, got ${count}.`);
  const hasBias = tensors.has(`bias_ih${suffix}`) || tensors.has(`bias_hh${suffix}`);
  const layers = (returnSequences: boolean): readonly Layer[] =>
    Array.from({ length: count }, (_, level) => {
      const layerOptions = { hiddenSize: H, returnSequences: returnSequences || level < count - 1 };
      const layer = isBidirectional ? bidirectional(cell(), layerOptions) : recurrent(cell(), layerOptions);
      return biased(hasBias, layer);
    });
  return {
    name,
    kind: 'recurrent',
    input: I,
    output: P * (isBidirectional ? 2 : 1),
    layers,
    isBidirectional,
    assumed: [
      ...(gates === 1 ? [`${label} is an RNN with ${nonlinearity}`] : []),
      ...(count > 1 ? [`${label} has no dropout between its layers`] : []),
      ...(isCell ? [`${label}, a single cell, runs over the steps from first to last`] : []),
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
        reject(`order has ${describe(name)}, which is not a module. The modules are ${describeModules(modules)}.`),
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
  const ranks = { embedding: 0, convolution: 1, recurrent: 2, norm: 3, linear: 4 };
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
