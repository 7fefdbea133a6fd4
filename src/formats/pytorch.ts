/**
 * Weights of PyTorch: a `state_dict` by names such as `rnn.weight_ih_l0_reverse`, matrices output-major, gates `i f g o` and `r z n`, two biases.
 *
 *     weightIh = weight_ihᵀ, weightHh = weight_hhᵀ, weightHr = weight_hrᵀ
 *     bias     = bias_ih + bias_hh                                         RNN, LSTM
 *     bias     = bias_ih + [bias_hr, bias_hz, 0], biasHn = bias_hn         GRU
 */

import { relu, tanh } from '../autodiff/ops/elementwise';
import type { Sequential } from '../models/sequential';
import type { Cell } from '../recurrence/cell';
import { formatShape, sameShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { joined, part, sumOf, transposed, zerosOf } from './matrix';
import { type Part, partsOf } from './parts';

/** Which module of PyTorch each layer is. */
export interface PyTorchOptions {
  /**
   * The module by the layer's name, `{ lstm: 'encoder.rnn', lstm2: 'encoder.rnn', dense: 'fc' }`; the layer's own name by default. Layers of the same module are its
   * layers in order, `_l0`, `_l1`. `''` is a module that has no other around it.
   */
  readonly modules?: Readonly<Record<string, string>>;
}

/** What {@link toPyTorch} is told. */
export interface ToPyTorchOptions extends PyTorchOptions {
  /** Modules that were made with `bias=False`: their biases must be zero, and are left out. */
  readonly withoutBias?: readonly string[];
}

/** The parameters of one direction of a recurrent cell, or of another layer, by our names and by theirs. */
interface Codec {
  /** @throws RangeError through `take` */
  readonly read: (
    take: (name: string, shape: readonly number[], optional?: boolean) => Tensor | undefined,
  ) => Readonly<Record<string, Tensor>>;
  readonly write: (parameters: Readonly<Record<string, Tensor>>) => Readonly<Record<string, Tensor>>;
}

/**
 * Puts the weights of a PyTorch model into one of ours: nn.RNN, nn.LSTM (also with `proj_size`), nn.GRU (several layers, both directions, with biases or without),
 * nn.Embedding, nn.Linear and nn.LayerNorm.
 *
 * @param model changed in place, or not at all
 * @param weights the `state_dict`, by `readSafetensors`
 * @throws RangeError where a weight is missing, has another shape or no place in the model, or a layer has no equal in PyTorch
 * @example
 * const model = sequential([recurrent(lstm(), { hiddenSize: 3 })], { inputSize: 2 });
 * const weights = {
 *   'rnn.weight_ih_l0': full([12, 2], 0.1), 'rnn.weight_hh_l0': full([12, 3], 0.2), 'rnn.bias_ih_l0': full([12], 0.25), 'rnn.bias_hh_l0': full([12], 0.5),
 * };
 * fromPyTorch(model, weights, { modules: { lstm: 'rnn' } });
 * model.parameters.lstm.bias.data[0]; // 0.75
 */
export function fromPyTorch(
  model: Sequential,
  weights: Readonly<Record<string, Tensor>>,
  options: PyTorchOptions = {},
): void {
  const taken = new Set<string>();
  const found = placesOf('fromPyTorch', model, options).map(({ own, prefix, suffix, codec, inner }) => {
    const take = (name: string, shape: readonly number[], optional = false): Tensor | undefined => {
      const path = `${prefix}${name}${suffix}`;
      const tensor = Object.hasOwn(weights, path) ? weights[path] : undefined;
      if (tensor === undefined && optional) return undefined;
      if (tensor === undefined)
        throw new RangeError(
          `fromPyTorch: ${own.path} needs ${path} ${formatShape(shape)}. There are ${Object.keys(weights).join(', ') || 'no weights'}.`,
        );
      if (!sameShape(tensor.shape, shape))
        throw new RangeError(`fromPyTorch: ${path} must be ${formatShape(shape)}, got ${formatShape(tensor.shape)}.`);
      taken.add(path);
      return tensor;
    };
    return { own, inner, parameters: codec.read(take) };
  });
  const left = Object.keys(weights).filter((name) => !taken.has(name));
  if (left.length > 0)
    throw new RangeError(
      `fromPyTorch: there is no layer for ${left.join(', ')}. Is a layer of the module missing, or does modules name another one?`,
    );
  for (const { own, inner, parameters } of found) {
    for (const [name, { data }] of Object.entries(parameters)) own.parameters[inner + name]!.data.set(data);
  }
}

/**
 * The `state_dict` of a model, for `writeSafetensors`; PyTorch's `load_state_dict` takes it. Biases go into `bias_ih`, `bias_hh` is zero where it can be.
 *
 * @throws RangeError where a layer has no equal in PyTorch, as a GRU with reset 'before'
 * @example
 * const weights = toPyTorch(sequential([recurrent(gru(), { hiddenSize: 3 }), dense({ size: 5 })], { inputSize: 2 }), { modules: { dense: 'fc' } });
 * Object.keys(weights); // ['gru.weight_ih_l0', 'gru.weight_hh_l0', 'gru.bias_ih_l0', 'gru.bias_hh_l0', 'fc.weight', 'fc.bias']
 * weights['gru.weight_ih_l0'].shape; // [9, 2]
 */
export function toPyTorch(
  model: Sequential,
  { withoutBias = [], ...options }: ToPyTorchOptions = {},
): Readonly<Record<string, Tensor>> {
  const weights: Record<string, Tensor> = {};
  for (const { own, prefix, suffix, codec, inner, module } of placesOf('toPyTorch', model, options)) {
    const parameters = Object.entries(own.parameters).flatMap(([name, tensor]) =>
      name.startsWith(inner) ? [[name.slice(inner.length), tensor] as const] : [],
    );
    for (const [name, tensor] of Object.entries(codec.write(Object.fromEntries(parameters)))) {
      const path = `${prefix}${name}${suffix}`;
      if (Object.hasOwn(weights, path))
        throw new RangeError(`toPyTorch: two layers would be ${path}. Tell them apart by modules.`);
      if (withoutBias.includes(module) && name.startsWith('bias')) {
        if (tensor.data.some((value) => value !== 0))
          throw new RangeError(
            `toPyTorch: ${own.path} has biases that are not zero, which ${module} (bias=False) has no place for.`,
          );
      } else {
        weights[path] = tensor;
      }
    }
  }
  return weights;
}

interface Place {
  readonly own: Part;
  readonly module: string;
  /** What stands before and behind the name of a weight: `encoder.rnn.`, `_l1_reverse`. */
  readonly prefix: string;
  readonly suffix: string;
  readonly codec: Codec;
  /** What stands before our names: `forward.`. */
  readonly inner: string;
}

function placesOf(where: string, model: Sequential, { modules = {} }: PyTorchOptions): readonly Place[] {
  const parts = partsOf(model);
  const stray = Object.keys(modules).find((name) => !parts.some(({ path }) => path === name));
  if (stray !== undefined)
    throw new RangeError(
      `${where}: modules names ${stray}, which is no layer. There are ${parts.map(({ path }) => path).join(', ')}.`,
    );
  const before: { module: string; path: string }[] = [];
  return parts
    .filter(({ parameters }) => Object.keys(parameters).length > 0)
    .flatMap((own) => {
      const module = modules[own.path] ?? own.path;
      const prefix = module === '' ? '' : `${module}.`;
      const level = before.filter((other) => other.module === module).length;
      if (level > 0) checkStack(where, own, before.at(-1)!, module);
      before.push({ module, path: own.path });
      const { kind } = own;
      const refuse = (why: string): never => {
        throw new RangeError(`${where}: ${own.path} ${why}.`);
      };
      if (kind.maker === 'embedding')
        return [{ own, module, prefix, suffix: '', inner: '', codec: sameNames(own, { weight: 'weight' }) }];
      if (kind.maker === 'layerNorm')
        return [
          { own, module, prefix, suffix: '', inner: '', codec: sameNames(own, { gain: 'weight', bias: 'bias' }) },
        ];
      if (kind.maker === 'dense') return [{ own, module, prefix, suffix: '', inner: '', codec: linear(own) }];
      if (kind.maker !== 'recurrent' && kind.maker !== 'bidirectional') return refuse('has no equal in PyTorch');
      if (kind.options.learnInitialState) refuse('learns its first state, which PyTorch’s modules do not have');
      if (kind.maker === 'bidirectional') {
        const { merge = 'concat' } = kind.options;
        if (merge !== 'concat')
          refuse(`merges by ${merge}; PyTorch’s modules put both directions side by side (concat)`);
        return (['forward', 'reverse'] as const).map((direction) => ({
          own,
          module,
          prefix,
          suffix: `_l${level}${direction === 'forward' ? '' : '_reverse'}`,
          inner: `${direction}.`,
          codec: recurrence(kind.cell, own, `${direction}.`, refuse),
        }));
      }
      if (kind.options.reverse)
        refuse('runs from the last step to the first; PyTorch’s modules do so beside the other direction only');
      return [{ own, module, prefix, suffix: `_l${level}`, inner: '', codec: recurrence(kind.cell, own, '', refuse) }];
    });
}

/** @throws RangeError unless a layer can be the next of the same module */
function checkStack(
  where: string,
  { path, kind }: Part,
  last: { readonly module: string; readonly path: string },
  module: string,
): void {
  const stacks = kind.maker === 'recurrent' || kind.maker === 'bidirectional';
  if (stacks && last.module === module && !path.includes('.') && !last.path.includes('.')) return;
  throw new RangeError(
    `${where}: ${path} cannot be one more layer of ${module}: only recurrent layers that follow each other can.`,
  );
}

function sameNames({ parameters }: Part, names: Readonly<Record<string, string>>): Codec {
  return {
    read: (take) =>
      Object.fromEntries(Object.entries(names).map(([ours, theirs]) => [ours, take(theirs, parameters[ours]!.shape)!])),
    write: (own) => Object.fromEntries(Object.entries(names).map(([ours, theirs]) => [theirs, own[ours]!])),
  };
}

function linear({ parameters }: Part): Codec {
  const [I, O] = parameters['weight']!.shape as [number, number];
  return {
    read: (take) => ({ weight: transposed(take('weight', [O, I])!), bias: take('bias', [O], true) ?? zerosOf(O) }),
    write: ({ weight, bias }) => ({ weight: transposed(weight!), bias: bias! }),
  };
}

function recurrence(cell: Cell, { parameters }: Part, inner: string, refuse: (why: string) => never): Codec {
  const [maker, given] = (cell.origin ?? ['']) as [string, Readonly<Record<string, unknown>>?];
  if (maker === 'gru' && given?.['reset'] === 'before') {
    refuse(
      'resets before the recurrent product; PyTorch’s GRU resets after it, and one cannot be turned into the other',
    );
  }
  if (maker === 'simpleRnn' && given?.['activation'] !== tanh && given?.['activation'] !== relu)
    refuse('has an activation that nn.RNN has not: tanh and ReLU are all');
  if (!['simpleRnn', 'lstm', 'projectedLstm', 'gru'].includes(maker))
    refuse(`is made of the cell ${cell.name}, which has no equal in PyTorch`);
  const [I, GH] = parameters[`${inner}weightIh`]!.shape as [number, number];
  const P = parameters[`${inner}weightHh`]!.shape[0]!;
  const H = maker === 'gru' ? GH / 3 : maker === 'simpleRnn' ? GH : GH / 4;
  return {
    read(take) {
      const ih = take('bias_ih', [GH], true);
      const hh = take('bias_hh', [GH], ih === undefined) ?? zerosOf(GH);
      const input = ih ?? zerosOf(GH);
      return {
        weightIh: transposed(take('weight_ih', [GH, I])!),
        weightHh: transposed(take('weight_hh', [GH, P])!),
        ...(maker === 'projectedLstm' ? { weightHr: transposed(take('weight_hr', [P, H])!) } : {}),
        ...(maker !== 'gru'
          ? { bias: sumOf(input, hh) }
          : {
              bias: joined(sumOf(part(input, 0, 2 * H), part(hh, 0, 2 * H)), part(input, 2 * H, GH)),
              biasHn: part(hh, 2 * H, GH),
            }),
      };
    },
    write: ({ weightIh, weightHh, weightHr, bias, biasHn }) => ({
      weight_ih: transposed(weightIh!),
      weight_hh: transposed(weightHh!),
      bias_ih: bias!,
      bias_hh: biasHn === undefined ? zerosOf(GH) : joined(zerosOf(2 * H), biasHn),
      ...(weightHr === undefined ? {} : { weight_hr: transposed(weightHr) }),
    }),
  };
}
