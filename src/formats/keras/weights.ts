/**
 * Conversion of Keras weights, found by their paths: `layers/lstm/cell/vars/0` in HDF5,
 * `sequential/lstm/lstm_cell/kernel` for a variable, `lstm/kernel` in TensorFlow.js. Matrices are `[input, output]` in
 * both libraries. The gate order is i f c o (i f g o here) and z r h (r z n here).
 */

import { type CellOrigin, cellOriginOf } from '../../layers/origins';
import type { DirectionOptions } from '../../layers/recurrent';
import type { Cell } from '../../recurrence/cell';
import { lastOf } from '../../tensor/arrays';
import { formatShape, outOfRange, sameShape } from '../../tensor/shape';
import type { Tensor } from '../../tensor/tensor';
import { abbreviate, listed } from '../listing';
import { joined, part, reordered, sumOf } from '../matrix';
import type { KerasLayer } from './config';

/** Weights of a layer by role, such as `kernel`, or by index, such as `0`. */
type Roles = Readonly<Record<string, { readonly path: string; readonly tensor: Tensor }>>;

/** The weights of a layer: `single` for most layers, `forward` and `backward` for a Bidirectional. */
export interface LayerWeights {
  readonly layer: string;
  readonly single: Roles;
  readonly forward: Roles;
  readonly backward: Roles;
}

/**
 * Whether a path belongs to an optimizer, a metric, a random generator or the sample count of a Normalization, which
 * prediction does not need. The variables of an optimizer are below `optimizer` in files; their own paths start with
 * its name, as in `adamw/learning_rate`.
 */
export const isTrainingState = (path: string): boolean =>
  /^((optimizer|n?ada[dfgm])\w*|metrics|loss_tracker|rmsprop|sgd)[/\\]|seed_generator/.test(path) ||
  /\bnormalization(_\d+)?[/\\]vars[/\\]2\b|[/\\]count(:\d+)?$/.test(path);

/** A weight below a layer: the names between the layer and its role. */
interface Located {
  readonly path: string;
  readonly tensor: Tensor;
  readonly inner: readonly string[];
  readonly role: string;
}

/** The weights of a file by the names of the layers that they can belong to. */
export type WeightIndex = ReadonlyMap<string, readonly Located[]>;

/** At most a direction and a cell, as in `forward_lstm/lstm_cell`, are between a layer and its weights. */
const maxInner = 2;

/** Finds the layers that each weight can belong to. The state of training belongs to none. */
export function weightIndex(tensors: Readonly<Record<string, Tensor>>): WeightIndex {
  const index = new Map<string, Located[]>();
  for (const [path, tensor] of Object.entries(tensors)) {
    // The moments of an optimizer have the paths of the weights, after those of the optimizer.
    if (isTrainingState(path)) continue;
    const segments = path.replace(/:\d+$/, '').split(/[/\\]/);
    const role = segments.pop()!;
    if (/^\d+$/.test(role) && lastOf(segments) === 'vars') segments.pop();
    const nearest = segments.slice(-1 - maxInner);
    nearest.forEach((layer, i) => {
      const inner = nearest.slice(i + 1);
      if (inner.includes(layer)) return;
      const located = { path, tensor, inner, role };
      const found = index.get(layer);
      if (found === undefined) index.set(layer, [located]);
      else found.push(located);
    });
  }
  return index;
}

/** The direction of a layer in a Bidirectional, by its name. */
const sideOf = (name: string): 'forward' | 'backward' | undefined =>
  name.startsWith('forward_') ? 'forward' : name.startsWith('backward_') ? 'backward' : undefined;

/**
 * Finds the weights of a layer by the name of the layer.
 *
 * @throws RangeError if the file has a weight twice
 */
export function weightsOfLayer(where: string, index: WeightIndex, layer: string): LayerWeights {
  const found = {
    single: new Map<string, Roles[string]>(),
    forward: new Map<string, Roles[string]>(),
    backward: new Map<string, Roles[string]>(),
  };
  const located = index.get(layer) ?? [];
  const names = [...new Set(located.map(({ inner: [name = ''] }) => name))];
  const sides = names.map(sideOf);
  // Keras 3 names the layer in a TimeDistributed and the backward_layer of a Bidirectional like other layers.
  const isWrapper = names.length === 1;
  const isOtherBackward = sides.includes('forward') && !sides.includes('backward');
  for (const { path, tensor, inner, role } of located) {
    const [name = ''] = inner;
    const side = sideOf(name) ?? (isOtherBackward && inner.length > 1 ? 'backward' : 'single');
    const direction = isWrapper ? 'single' : side;
    const rest = direction === 'single' ? inner : inner.slice(1);
    if (rest.length > 1 || !(isWrapper || rest.every((name) => /cell|^layer$/.test(name)))) continue;
    const same = found[direction].get(role);
    if (same !== undefined)
      throw new RangeError(
        `${where}: the layer ${layer} has two weights ${abbreviate(role)}, ${abbreviate(same.path)} and ` +
          `${abbreviate(path)}.`,
      );
    found[direction].set(role, { path, tensor });
  }
  return {
    layer,
    single: Object.fromEntries(found.single),
    forward: Object.fromEntries(found.forward),
    backward: Object.fromEntries(found.backward),
  };
}

/** Records which weights have been used. */
export interface Taker {
  /** The public function, for error messages. */
  readonly where: string;
  /** The paths of the weights that have been used. */
  readonly taken: Set<string>;
}

/** Returns a weight by role or index. @throws RangeError if it is missing or has another shape */
function take(
  { where, taken }: Taker,
  { layer }: LayerWeights,
  roles: Roles,
  role: string,
  index: number,
  shape?: readonly number[],
): Tensor {
  const found = roles[role] ?? roles[String(index)];
  if (found === undefined) {
    throw new RangeError(
      `${where}: the layer ${layer} needs its ${role}${shape ? ` ${formatShape(shape)}` : ''}, which is missing. It ` +
        `has ${listed(Object.values(roles).map(({ path }) => path)) || 'no weights'}.`,
    );
  }
  if (shape !== undefined && !sameShape(found.tensor.shape, shape)) {
    throw outOfRange(where, abbreviate(found.path), formatShape(shape), formatShape(found.tensor.shape));
  }
  taken.add(found.path);
  return found.tensor;
}

const hasBias = (roles: Roles, index: number): boolean =>
  roles['bias'] !== undefined || roles[String(index)] !== undefined;

/** The parameters of a Dense layer; without the bias if the file has none. @throws as {@link take} */
export function denseParameters(taker: Taker, weights: LayerWeights, size: number): Readonly<Record<string, Tensor>> {
  const kernel = take(taker, weights, weights.single, 'kernel', 0);
  const weight =
    kernel.shape.length === 2 ? take(taker, weights, weights.single, 'kernel', 0, [kernel.shape[0]!, size]) : kernel;
  return {
    weight,
    ...(hasBias(weights.single, 1) && { bias: take(taker, weights, weights.single, 'bias', 1, [size]) }),
  };
}

/** The kernel `[k, I, multiplier]` of a DepthwiseConv1D. @throws as {@link take} */
export function depthwiseKernel(taker: Taker, weights: LayerWeights): Tensor {
  const role = weights.single['depthwise_kernel'] === undefined ? 'kernel' : 'depthwise_kernel';
  const kernel = take(taker, weights, weights.single, role, 0);
  return kernel.shape.length === 3 ? kernel : take(taker, weights, weights.single, role, 0, [0, 0, 0]);
}

/** The parameters of a Conv1D or DepthwiseConv1D; without the bias if the file has none. @throws as {@link take} */
export function convolutionParameters(
  taker: Taker,
  weights: LayerWeights,
  isDepthwise: boolean,
): Readonly<Record<string, Tensor>> {
  const single = weights.single;
  const kernel = isDepthwise ? depthwiseKernel(taker, weights) : take(taker, weights, single, 'kernel', 0);
  const [k = 0, inputs = 0, multiplier = 0] = kernel.shape;
  // The outputs of a depthwise kernel have the same order.
  const weight = isDepthwise ? { shape: [k, 1, inputs * multiplier], data: kernel.data } : kernel;
  return { weight, ...(hasBias(single, 1) && { bias: take(taker, weights, single, 'bias', 1) }) };
}

/** The parameters of an Embedding. @throws as {@link take} */
export function embeddingParameters(
  taker: Taker,
  weights: LayerWeights,
  shape: readonly number[],
): Readonly<Record<string, Tensor>> {
  return { weight: take(taker, weights, weights.single, 'embeddings', 0, shape) };
}

/** The parameters of a LayerNormalization; without gain or bias if it has none. @throws as {@link take} */
export function layerNormParameters(
  taker: Taker,
  weights: LayerWeights,
  { scale, center }: { readonly scale: boolean; readonly center: boolean },
): Readonly<Record<string, Tensor>> {
  const beta = center ? take(taker, weights, weights.single, 'beta', scale ? 1 : 0) : undefined;
  const gamma = scale ? take(taker, weights, weights.single, 'gamma', 0) : undefined;
  return { ...(gamma && { gain: gamma }), ...(beta && { bias: beta }) };
}

/** The weights of a BatchNormalization; without gain or bias if it has none. @throws as {@link take} */
export function batchNormalizationParameters(
  taker: Taker,
  weights: LayerWeights,
  { scale, center }: { readonly scale: boolean; readonly center: boolean },
): Readonly<Record<'mean' | 'variance', Tensor> & Partial<Record<'gain' | 'bias', Tensor>>> {
  const single = weights.single;
  const first = Number(scale) + Number(center);
  const mean = take(taker, weights, single, 'moving_mean', first);
  const shape = mean.shape;
  return {
    mean,
    variance: take(taker, weights, single, 'moving_variance', first + 1, shape),
    ...(scale && { gain: take(taker, weights, single, 'gamma', 0, shape) }),
    ...(center && { bias: take(taker, weights, single, 'beta', scale ? 1 : 0, shape) }),
  };
}

/** The weights of a Normalization that has been adapted. @throws as {@link take} */
export function normalizationWeights(
  taker: Taker,
  weights: LayerWeights,
): { readonly mean: readonly number[]; readonly variance: readonly number[] } {
  const mean = take(taker, weights, weights.single, 'mean', 0);
  const variance = take(taker, weights, weights.single, 'variance', 1, mean.shape);
  return { mean: [...mean.data], variance: [...variance.data] };
}

/** The equivalent Keras layer of a cell: its class in snake case and its number of gate blocks. */
interface CellInKeras {
  readonly className: string;
  readonly gates: 1 | 3 | 4;
}

/** The equivalent of each cell, if there is one. */
const cellsInKeras: Readonly<Record<CellOrigin[0], CellInKeras | undefined>> = {
  gru: { className: 'gru', gates: 3 },
  gruWith: { className: 'gru', gates: 3 },
  lstm: { className: 'lstm', gates: 4 },
  lstmWith: { className: 'lstm', gates: 4 },
  simpleRnn: { className: 'simple_rnn', gates: 1 },
  layerNormGru: undefined,
  layerNormLstm: undefined,
  layerNormRnn: undefined,
  projectedLstm: undefined,
};

/** The equivalent of the cell of a layer. @throws RangeError if Keras has no such cell */
export function cellInKeras(where: string, layer: string, cell: Cell): CellInKeras {
  const origin = cellOriginOf(cell);
  return (
    (origin && cellsInKeras[origin[0]]) ??
    fail(where, `${layer} has the cell ${cell.name}, which has no equivalent in Keras`)
  );
}

/** @throws RangeError if a recurrent layer has an option without an equivalent that changes predictions */
export function checkCellOptions(
  where: string,
  layer: string,
  { learnInitialState, zoneout = {} }: DirectionOptions,
): void {
  if (learnInitialState || Object.values(zoneout).some((rate) => rate > 0))
    fail(where, `${layer} has zoneout or learns its initial state, which has no equivalent in Keras`);
}

/** The parameters of a cell, for one direction; without biases if the file has none. @throws as {@link take} */
export function cellParameters(
  taker: Taker,
  weights: LayerWeights,
  direction: 'single' | 'forward' | 'backward',
  cell: Cell,
  hiddenSize: number,
): Readonly<Record<string, Tensor>> {
  const roles = weights[direction];
  const { gates } = cellInKeras(taker.where, weights.layer, cell);
  const GH = gates * hiddenSize;
  const kernel = take(taker, weights, roles, 'kernel', 0);
  const weightHh = take(taker, weights, roles, 'recurrent_kernel', 1, [hiddenSize, GH]);
  const weightIh = take(taker, weights, roles, 'kernel', 0, [kernel.shape[0] ?? 0, GH]);
  const isBiased = hasBias(roles, 2);
  if (gates !== 3)
    return { weightIh, weightHh, ...(isBiased && { bias: take(taker, weights, roles, 'bias', 2, [GH]) }) };

  const order = [1, 0, 2];
  const matrices = { weightIh: reordered(weightIh, order), weightHh: reordered(weightHh, order) };
  if (!isBiased) return matrices;
  const options = cellOriginOf(cell)?.[1];
  if (options !== undefined && 'reset' in options && options.reset === 'before') {
    if (take(taker, weights, roles, 'bias', 2).shape.length === 2)
      throw new RangeError(`${taker.where}: ${weights.layer} has reset_after=True: use gru({ reset: 'after' }).`);
    return {
      ...matrices,
      bias: reordered(take(taker, weights, roles, 'bias', 2, [GH]), order),
    };
  }
  if (take(taker, weights, roles, 'bias', 2).shape.length === 1) {
    throw new RangeError(`${taker.where}: ${weights.layer} has reset_after=False: use gru({ reset: 'before' }).`);
  }
  const [input, recurrent] = rowsOf(reordered(take(taker, weights, roles, 'bias', 2, [2, GH]), order));
  const gatesEnd = 2 * hiddenSize;
  return {
    ...matrices,
    bias: joined(sumOf(part(input, 0, gatesEnd), part(recurrent, 0, gatesEnd)), part(input, gatesEnd, GH)),
    biasHn: part(recurrent, gatesEnd, GH),
  };
}

/** The two rows of a `[2, size]` matrix. */
function rowsOf(both: Tensor): [Tensor, Tensor] {
  const size = both.shape[1]!;
  return [part(both, 0, size), part(both, size, 2 * size)];
}

/** @throws RangeError if a weight is unused, other than those of optimizers, metrics and random generators */
export function checkLeft(where: string, tensors: Readonly<Record<string, Tensor>>, { taken }: Taker): void {
  const unused = Object.keys(tensors).filter((path) => !taken.has(path) && !isTrainingState(path));
  if (unused.length > 0) throw new RangeError(`${where}: no layer uses the weights ${listed(unused)}.`);
}

/** The name of a layer in Keras files: its class in snake case, numbered from the second on. */
export function nameInFile({ className }: KerasLayer, previousCount: number): string {
  const snake = className
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
  return numbered(snake, previousCount);
}

/** `lstm`, `lstm_1`, … */
export const numbered = (name: string, previousCount: number): string =>
  previousCount === 0 ? name : `${name}_${previousCount}`;

/** @throws RangeError always */
export const fail = (where: string, message: string): never => {
  throw new RangeError(`${where}: ${message}.`);
};
