/**
 * Conversion of PyTorch weights: a `state_dict` with names such as `rnn.weight_ih_l0_reverse`, matrices of shape
 * `[output, input]`, gate order `i f g o` and `r z n`, and two biases.
 *
 *     weightIh = weight_ihᵀ, weightHh = weight_hhᵀ, weightHr = weight_hrᵀ
 *     bias     = bias_ih + bias_hh                                         RNN, LSTM
 *     bias     = bias_ih + [bias_hr, bias_hz, 0], biasHn = bias_hn         GRU
 */

import { relu, tanh } from '../autodiff/ops/elementwise';
import { cellOriginOf } from '../layers/origins';
import type { DirectionOptions } from '../layers/recurrent';
import { checkModel, type Sequential } from '../models/sequential';
import type { Cell } from '../recurrence/cell';
import { lastOf } from '../tensor/arrays';
import { checkArray, checkNames, checkObject, checkString, formatShape, outOfRange, sameShape } from '../tensor/shape';
import { checkTensor, full, type Tensor } from '../tensor/tensor';
import { listed } from './listing';
import { joined, part, reversedAxes, sumOf, transposed } from './matrix';
import { type Part, partsOf } from './parts';

/** The mapping between layers and PyTorch modules. */
export interface PyTorchOptions {
  /**
   * The PyTorch module of each layer, by layer name: `{ lstm: 'encoder.rnn', lstm2: 'encoder.rnn', dense: 'fc' }`. By
   * default, the name of the layer. Layers with the same module are its stacked layers in order, `_l0`, `_l1`, …. `''`
   * is the root module.
   */
  readonly modules?: Readonly<Record<string, string>> | undefined;
}

/** Options of {@link toPyTorch}. */
export interface ToPyTorchOptions extends PyTorchOptions {
  /**
   * Modules that are an nn.RNNCell, nn.LSTMCell or nn.GRUCell, whose weights have no suffix `_l0`. Each is one layer in
   * one direction, without projection.
   */
  readonly cells?: readonly string[] | undefined;
  /** Modules created with `bias=False`. Their biases must be zero and are omitted. */
  readonly withoutBias?: readonly string[] | undefined;
}

/** Returns a weight of a module; undefined only if it is optional and missing. */
type Take = (name: string, shape: readonly number[], optional?: boolean) => Tensor | undefined;

/** The conversion of the parameters of a layer, or of one direction of a recurrent layer, from and to PyTorch. */
interface Codec {
  /** @throws RangeError if `take` throws */
  readonly read: (take: Take) => Readonly<Record<string, Tensor>>;
  readonly write: (parameters: Readonly<Record<string, Tensor>>) => Readonly<Record<string, Tensor>>;
}

/**
 * Loads the weights of a PyTorch model. Supported modules are nn.RNN, nn.LSTM (also with `proj_size`) and nn.GRU, with
 * any number of layers, unidirectional or bidirectional, with or without biases, nn.RNNCell, nn.LSTMCell and
 * nn.GRUCell, and nn.Embedding, nn.Linear, nn.Conv1d, nn.BatchNorm1d, nn.LayerNorm.
 *
 * @param model is updated in place; not changed if the function throws
 * @param weights the `state_dict`, read by `readSafetensors`
 * @returns the names of weights that were ignored: `num_batches_tracked`, which only counts batches in training
 * @throws RangeError if a weight is missing, unused or has a wrong shape, or a layer has no equivalent in PyTorch
 * @example
 * const model = sequential([recurrent(lstm(), { hiddenSize: 3 })], { inputSize: 2 });
 * const weights = {
 *   'rnn.weight_ih_l0': full([12, 2], 0.1),
 *   'rnn.weight_hh_l0': full([12, 3], 0.2),
 *   'rnn.bias_ih_l0': full([12], 0.25),
 *   'rnn.bias_hh_l0': full([12], 0.5),
 * };
 * fromPyTorch(model, weights, { modules: { lstm: 'rnn' } });
 * model.parameters.lstm!.bias!.data[0]; // 0.75
 */
export function fromPyTorch(
  model: Sequential,
  weights: Readonly<Record<string, Tensor>>,
  options: PyTorchOptions = {},
): { readonly ignored: readonly string[] } {
  checkModel('fromPyTorch', model);
  checkObject('fromPyTorch', 'weights', weights);
  for (const [name, tensor] of Object.entries(weights)) checkTensor('fromPyTorch', name, tensor);
  checkNames('fromPyTorch', 'options', options, ['modules']);
  const taken = new Set<string>();
  const isCell = (prefix: string): boolean => Object.hasOwn(weights, `${prefix}weight_ih`);
  const found = bindingsOf('fromPyTorch', model, options, isCell).map(({ layer, prefix, suffix, codec, inner }) => {
    const take: Take = (name, shape, optional = false) => {
      const path = `${prefix}${name}${suffix}`;
      const tensor = Object.hasOwn(weights, path) ? weights[path] : undefined;
      if (tensor === undefined && optional) return undefined;
      if (tensor === undefined)
        throw new RangeError(
          `fromPyTorch: ${layer.path} needs ${path} ${formatShape(shape)}, which is missing. The weights are ` +
            `${listed(Object.keys(weights)) || 'empty'}.`,
        );
      if (!sameShape(tensor.shape, shape))
        throw outOfRange('fromPyTorch', path, formatShape(shape), formatShape(tensor.shape));
      taken.add(path);
      return tensor;
    };
    return { layer, inner, parameters: codec.read(take) };
  });
  const left = Object.keys(weights).filter((name) => !taken.has(name));
  const ignored = left.filter(isBatchCount);
  const unused = left.filter((name) => !isBatchCount(name));
  if (unused.length > 0)
    throw new RangeError(`fromPyTorch: no layer uses ${listed(unused)}. Is a layer missing, or is modules incomplete?`);
  for (const { layer, inner, parameters } of found) {
    for (const [name, { data }] of Object.entries(parameters)) layer.parameters[inner + name]!.data.set(data);
  }
  return { ignored };
}

/** Whether a weight counts the batches of a normalization, which matters only in training. */
const isBatchCount = (name: string): boolean => /\bnum_batches_tracked$/.test(name);

/**
 * Returns the weights of a model as a PyTorch `state_dict`. Write it with `writeSafetensors`, and load it with
 * `load_state_dict`. Biases are in `bias_ih`; `bias_hh` is zero, except for the candidate of a GRU.
 *
 * @returns copies of the weights by their names
 * @throws RangeError if a layer has no equivalent in PyTorch, such as a GRU with `reset: 'before'`, layers that do not
 * form a stack share a module, or an option has a name that is not one of its modules
 * @example
 * const model = sequential([recurrent(gru(), { hiddenSize: 3 }), dense({ size: 5 })], { inputSize: 2 });
 * const weights = toPyTorch(model, { modules: { gru: 'rnn', dense: 'fc' } });
 * Object.keys(weights).slice(0, 3); // ['rnn.weight_ih_l0', 'rnn.weight_hh_l0', 'rnn.bias_ih_l0']
 * weights['rnn.weight_ih_l0']!.shape; // [9, 2]
 */
export function toPyTorch(model: Sequential, options: ToPyTorchOptions = {}): Readonly<Record<string, Tensor>> {
  checkModel('toPyTorch', model);
  checkNames('toPyTorch', 'options', options, ['modules', 'cells', 'withoutBias']);
  const { withoutBias = [], cells = [] } = options;
  checkArray('toPyTorch', 'withoutBias', withoutBias);
  checkArray('toPyTorch', 'cells', cells);
  const weights: Record<string, Tensor> = {};
  const bindings = bindingsOf('toPyTorch', model, options, (_, module) => cells.includes(module));
  checkModules(
    'cells',
    cells,
    'of one layer in one direction without projection',
    bindings.filter(
      ({ module, layer: { parameters } }) =>
        parameters['weightHh'] &&
        !parameters['weightHr'] &&
        bindings.filter((other) => other.module === module).length === 1,
    ),
  );
  // nn.BatchNorm1d has no argument bias.
  checkModules(
    'withoutBias',
    withoutBias,
    'that can have bias=False',
    bindings.filter(({ layer }) => !layer.parameters['mean']),
  );
  for (const { layer, prefix, suffix, codec, inner, module } of bindings) {
    const parameters = Object.entries(layer.parameters).flatMap(([name, tensor]) =>
      name.startsWith(inner) ? [[name.slice(inner.length), tensor] as const] : [],
    );
    for (const [name, tensor] of Object.entries(codec.write(Object.fromEntries(parameters)))) {
      const path = `${prefix}${name}${suffix}`;
      if (withoutBias.includes(module) && name.startsWith('bias')) {
        if (!isZero(tensor))
          throw new RangeError(
            `toPyTorch: the biases of ${layer.path} must be zero, since withoutBias has ${module} (bias=False).`,
          );
      } else {
        weights[path] = { ...tensor, data: tensor.data.slice() };
      }
    }
  }
  return weights;
}

/** @throws RangeError if a name in an option of {@link toPyTorch} is not the module of one of the bindings */
function checkModules(option: string, names: readonly string[], expected: string, known: readonly Binding[]): void {
  const modules = known.map(({ module }) => module);
  const unknown = names.find((name) => !modules.includes(name));
  if (unknown !== undefined)
    throw outOfRange('toPyTorch', option, `modules ${expected} (${listed(modules) || 'none'})`, unknown);
}

/** A layer, or one direction of it, and where its weights are in the `state_dict`. */
interface Binding {
  readonly layer: Part;
  readonly module: string;
  /** The prefix of a weight's name, such as `encoder.rnn.`. */
  readonly prefix: string;
  /** The suffix of a weight's name, such as `_l1_reverse`. */
  readonly suffix: string;
  readonly codec: Codec;
  /** The prefix of the names in the layer, such as `forward.`. */
  readonly inner: string;
}

/** @param isCell whether a module is a cell module: the names of its weights have no suffix `_l0` */
function bindingsOf(
  where: string,
  model: Sequential,
  { modules = {} }: PyTorchOptions,
  isCell: (prefix: string, module: string) => boolean,
): readonly Binding[] {
  checkObject(where, 'modules', modules);
  const parts = partsOf(model);
  for (const [name, module] of Object.entries(modules)) {
    if (!parts.some(({ path }) => path === name))
      throw new RangeError(
        `${where}: modules has ${name}, which is not a layer. The layers are ` +
          `${parts.map(({ path }) => path).join(', ')}.`,
      );
    checkString(where, `modules.${name}`, module);
  }
  const previous: { readonly part: Part; readonly module?: string }[] = [];
  return parts.flatMap((layer) => {
    const { origin, path } = layer;
    const reject = (reason: string): never => {
      throw new RangeError(`${where}: ${path} ${reason}.`);
    };
    if (Object.keys(layer.parameters).length === 0) {
      // Recurrent modules have dropout between their layers, but no other operation.
      if (origin?.[0] !== 'dropout' || path.includes('.')) previous.push({ part: layer });
      return [];
    }
    const module = modules[path] ?? path;
    const prefix = module === '' ? '' : `${module}.`;
    const level = previous.filter((other) => other.module === module).length;
    const last = lastOf(previous);
    if (level > 0 && (last!.module !== module || !canStack(last!.part, layer)))
      reject(
        `cannot be another layer of ${module}: only consecutive recurrent layers of one cell and size, all with or ` +
          'all without bias, can share a module',
      );
    previous.push({ part: layer, module });
    const binding = (codec: Codec, suffix: string = '', inner: string = ''): Binding => ({
      layer,
      module,
      prefix,
      suffix,
      inner,
      codec,
    });
    const checkOptions = ({ learnInitialState, zoneout = {} }: DirectionOptions): void => {
      if (learnInitialState) reject('learns its initial state, which PyTorch modules do not support');
      // At prediction as well: then every element of the state takes its expected value.
      if (Object.values(zoneout).some((rate) => rate > 0)) reject('has zoneout, which PyTorch modules do not support');
    };
    switch (origin?.[0]) {
      case 'embedding':
        return [binding(table(layer))];
      case 'layerNorm':
        return [binding(affine(layer, 'gain'))];
      case 'batchNorm':
        return [binding(batchNormalization(layer, reject))];
      case 'conv1d':
        return [binding(affine(layer, 'weight', reversedAxes))];
      case 'dense':
        return [binding(affine(layer, 'weight', transposed))];
      case 'recurrent': {
        const [, cell, options] = origin;
        checkOptions(options);
        if (options.reverse)
          reject('has reverse: true; a PyTorch module runs backward only as part of a bidirectional module');
        return [
          binding(recurrence(cell, layer, '', reject), level === 0 && isCell(prefix, module) ? '' : `_l${level}`),
        ];
      }
      case 'bidirectional': {
        const [, cell, options] = origin;
        checkOptions(options);
        const { merge = 'concat', reverse } = options;
        if (reverse) reject('has different directions, which PyTorch modules do not support');
        if (merge !== 'concat') reject(`has merge: '${merge}'; bidirectional PyTorch modules always concatenate`);
        return [
          binding(recurrence(cell, layer, 'forward.', reject), `_l${level}`, 'forward.'),
          binding(recurrence(cell, layer, 'reverse.', reject), `_l${level}_reverse`, 'reverse.'),
        ];
      }
      case 'attentionPooling':
      case 'averagePool1d':
      case 'dropout':
      case 'globalAveragePool':
      case 'globalMaxPool':
      case 'maxPool1d':
      case undefined:
        return reject('has no equivalent in PyTorch');
      default:
        return origin satisfies never;
    }
  });
}

/** Whether two consecutive layers can be layers of one recurrent module. */
function canStack(a: Part, b: Part): boolean {
  const state = stateWeights(a);
  return state.includes('weightH') && state === stateWeights(b) && !`${a.path}${b.path}`.includes('.');
}

/**
 * The names and shapes of the weights of the state and of the biases, and whether an RNN has ReLU, equal in all layers
 * of a module.
 */
const stateWeights = ({ parameters, origin }: Part): string =>
  Object.entries(parameters)
    .filter(([name]) => /(weightH.|bias)$/.test(name))
    .map(([name, { shape }]) => `${name} ${shape} ${hasRelu(origin![1] as Cell)}`)
    .join();

const hasRelu = ({ origin }: Cell): boolean =>
  (origin?.[1] as { readonly activation?: unknown } | undefined)?.activation === relu;

/** nn.Embedding, in the same layout. */
const table = ({ parameters }: Part): Codec => ({
  read: (take) => ({ weight: take('weight', parameters['weight']!.shape)! }),
  write: ({ weight }) => ({ weight: weight! }),
});

/**
 * nn.LayerNorm; nn.Linear, whose weight is transposed; and nn.Conv1d, whose weight `[O, I / groups, k]` has the reverse
 * order of axes. The bias of a layer that has one is zeros if the module has none.
 *
 * @param convert its own inverse
 */
function affine(
  { parameters }: Part,
  name: 'gain' | 'weight',
  convert: (weight: Tensor) => Tensor = (weight) => weight,
): Codec {
  const { [name]: weight, bias } = parameters;
  return {
    read: (take) => ({
      [name]: convert(take('weight', [...weight!.shape].reverse())!),
      ...(bias && { bias: take('bias', bias.shape, true) ?? full(bias.shape, 0) }),
    }),
    write: (p) => ({ weight: convert(p[name]!), ...(bias && { bias: p['bias']! }) }),
  };
}

/**
 * nn.BatchNorm1d, which has both a weight and a bias or neither: with `affine=False`, the gain is 1 and the bias 0. The
 * bias of a layer without one is zeros.
 */
function batchNormalization({ parameters }: Part, reject: (reason: string) => never): Codec {
  const shape = parameters['gain']!.shape;
  const zeros = full(shape, 0);
  return {
    read(take) {
      const bias = take('bias', shape, true) ?? zeros;
      if (!parameters['bias'] && !isZero(bias)) reject('has no bias, but that of the module is not zero');
      return {
        gain: take('weight', shape, true) ?? full(shape, 1),
        ...(parameters['bias'] && { bias }),
        mean: take('running_mean', shape)!,
        variance: take('running_var', shape)!,
      };
    },
    write: ({ gain, bias = zeros, mean, variance }) => ({
      weight: gain!,
      bias,
      running_mean: mean!,
      running_var: variance!,
    }),
  };
}

const isZero = ({ data }: Tensor): boolean => data.every((value) => value === 0);

/**
 * The number of gate blocks of a cell, and whether it projects its output.
 *
 * @throws RangeError if it has no equivalent
 */
function gatesOf(
  cell: Cell,
  reject: (reason: string) => never,
): { readonly gates: 1 | 3 | 4; readonly projects: boolean } {
  const origin = cellOriginOf(cell);
  switch (origin?.[0]) {
    case 'gru':
      if (origin[1]?.reset === 'before') {
        reject(
          "has reset: 'before'; nn.GRU applies the reset gate after the recurrent product, which is a different model",
        );
      }
      return { gates: 3, projects: false };
    case 'simpleRnn': {
      const { activation = tanh } = origin[1] ?? {};
      if (activation !== tanh && activation !== relu)
        reject('has an activation that nn.RNN does not support; only tanh and relu are');
      return { gates: 1, projects: false };
    }
    case 'lstm':
      return { gates: 4, projects: false };
    case 'projectedLstm':
      return { gates: 4, projects: true };
    case 'gruWith':
    case 'layerNormGru':
    case 'layerNormLstm':
    case 'layerNormRnn':
    case 'lstmWith':
    case undefined:
      return reject(`has the cell ${cell.name}, which has no equivalent in PyTorch`);
    default:
      return origin satisfies never;
  }
}

/** One direction of nn.RNN, nn.LSTM or nn.GRU. @throws RangeError if the cell has no equivalent */
function recurrence(cell: Cell, { parameters }: Part, inner: string, reject: (reason: string) => never): Codec {
  const { gates, projects } = gatesOf(cell, reject);
  const [I, GH] = parameters[`${inner}weightIh`]!.shape as [number, number];
  const P = parameters[`${inner}weightHh`]!.shape[0]!;
  const H = GH / gates;
  const zeros = full([GH], 0);
  return {
    read(take) {
      const matrices = {
        weightIh: transposed(take('weight_ih', [GH, I])!),
        weightHh: transposed(take('weight_hh', [GH, P])!),
        ...(projects && { weightHr: transposed(take('weight_hr', [P, H])!) }),
      };
      if (!parameters[`${inner}bias`]) return matrices;
      const ih = take('bias_ih', [GH], true);
      const hh = take('bias_hh', [GH], ih === undefined) ?? zeros;
      const isGru = gates === 3;
      return {
        ...matrices,
        bias: sumOf(ih ?? zeros, isGru ? joined(part(hh, 0, 2 * H), full([H], 0)) : hh),
        ...(isGru && { biasHn: part(hh, 2 * H, GH) }),
      };
    },
    write: ({ weightIh, weightHh, weightHr, bias, biasHn }) => ({
      weight_ih: transposed(weightIh!),
      weight_hh: transposed(weightHh!),
      ...(bias && { bias_ih: bias, bias_hh: biasHn ? joined(full([2 * H], 0), biasHn) : zeros }),
      ...(weightHr && { weight_hr: transposed(weightHr) }),
    }),
  };
}
