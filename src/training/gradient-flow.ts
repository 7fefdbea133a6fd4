/** The norm of the loss's gradient over time, to diagnose vanishing and exploding gradients. */

import { add, scale, subtract } from '../autodiff/ops/arithmetic';
import { slice } from '../autodiff/ops/movement';
import type { Variable } from '../autodiff/tape';
import { valueAndGradient } from '../autodiff/value-and-gradient';
import { type Batch, checkBatch } from '../data/dataset';
import { bidirectional } from '../layers/bidirectional';
import { chain, type NamedLayer, namesOf, stepsThrough } from '../layers/chain';
import { directionsOf } from '../layers/directions';
import type { Layer } from '../layers/layer';
import { layerOriginOf } from '../layers/origins';
import { type DirectionOptions, recurrent } from '../layers/recurrent';
import { residual } from '../layers/residual';
import { withoutBias } from '../layers/without-bias';
import { lengthsOf } from '../models/output-lengths';
import { checkModel, outputsPerStep, runModel, type Sequential } from '../models/sequential';
import { type Cell, type OpsCell, stateSizes } from '../recurrence/cell';
import { packSteps } from '../recurrence/packing';
import { step as stepOf } from '../recurrence/unroll';
import { withCaller } from '../tensor/error-context';
import { mapValues } from '../tensor/named-values';
import type { NoInfer } from '../tensor/no-infer';
import { checkFunction, checkNames, outOfRange } from '../tensor/shape';
import { full, type IntTensor, type Tensor } from '../tensor/tensor';
import type { Loss } from './losses';
import { scalarOf } from './task';

/** The options of {@link gradientFlow}, for targets of type Y. */
export interface GradientFlowOptions<Y extends Tensor | IntTensor = Tensor | IntTensor> {
  readonly loss: Loss<Y>;
}

/** The result of {@link gradientFlow}. */
export interface GradientFlow {
  readonly loss: number;
  /** `[T]` by recurrent layer (`lstm`, `bidirectional.reverse`, `residual.gru`) and state (`h`, `c`). */
  readonly norms: Readonly<Record<string, Readonly<Record<string, Float32Array>>>>;
}

/**
 * Computes the norm of the loss's gradient with respect to every state of every recurrent layer after every time step,
 * ‖∂L/∂s_t‖ over all rows and units: the total derivative, including the gradient that flows back through all later
 * steps. Where the norm shrinks toward the first steps, the model does not learn from them (Hochreiter, 1991; Bengio,
 * Simard and Frasconi, 1994, "Learning long-term dependencies with gradient descent is difficult"); where it grows,
 * gradients explode (Pascanu, Mikolov and Bengio, 2013, arXiv 1211.5063).
 *
 * The model runs step by step with dropout off, as in prediction. With `lengths`, steps count from the first step of
 * each row; for reversed layers, from the last. At `resets`, no gradient flows to the steps before.
 *
 * @param model not changed
 * @throws RangeError if the model has no recurrent layer, or the batch does not fit
 * @example
 * const model = sequential(
 *   [recurrent(simpleRnn(), { hiddenSize: 8, returnSequences: false }), dense({ size: 1 })],
 *   { inputSize: 1, seed: 1 },
 * );
 * const batch = { inputs: full([30, 4, 1], 0.5), targets: full([4, 1], 1) };
 * const norms = gradientFlow(model, batch, { loss: meanSquaredError }).norms['simpleRnn']!['h']!;
 * norms.length; // 30
 * norms[0]! < norms[29]!; // true
 */
export function gradientFlow<Y extends Tensor | IntTensor>(
  model: Sequential,
  batch: Batch<Y>,
  options: GradientFlowOptions<NoInfer<Y>>,
): GradientFlow {
  checkNames('gradientFlow', 'options', options, ['loss']);
  const loss = options.loss;
  checkModel('gradientFlow', model);
  checkFunction('gradientFlow', 'loss', loss);
  checkBatch('gradientFlow', batch);
  const { inputs, targets, mask, lengths, resets } = batch;
  const probes: Probe[] = [];
  const layers = probeAll(
    model.layers.map(({ layer }) => layer),
    '',
    probes,
  );
  if (probes.length === 0) throw outOfRange('gradientFlow', 'model', 'one with a recurrent layer', 'none');
  // Zeros are added to every state: the gradient with respect to them is the gradient with respect to the state.
  const noise: Record<string, Record<string, Tensor>> = {};
  const times: Record<string, Times> = {};
  for (const { path, sizes, reverse } of probes) {
    times[path] = timesOf(batch, layersBefore(model, path), reverse);
    const { length } = times[path].steps;
    noise[path] = mapValues(sizes, (size) => full([length, size], 0));
  }
  const probed: Sequential = { ...model, layers: chain(layers, model.input) };
  const { value, gradient } = valueAndGradient({ parameters: model.parameters, noise }, (p) => {
    for (const probe of probes) probe.noise = p.noise[probe.path]!;
    const { output } = withCaller('gradientFlow', () => runModel(probed, p.parameters, inputs, { lengths, resets }));
    const targetLengths = outputsPerStep(model) ? lengthsOf(model.layers, lengths) : undefined;
    return scalarOf('gradientFlow', 'loss', () => loss(output, targets, { mask, lengths: targetLengths }));
  });
  const norms = probes.map(({ path }) => [
    path,
    mapValues(gradient.noise[path]!, ({ data }) => normsOverTime(data, times[path]!)),
  ]);
  return { loss: value, norms: Object.fromEntries(norms) as GradientFlow['norms'] };
}

/** The states of one cell that runs over time. */
interface Probe {
  readonly path: string;
  readonly reverse: boolean;
  readonly sizes: Readonly<Record<string, number>>;
  /** `[N, H]` by state, for the N steps of all rows in the order in which the cell runs them. */
  noise: Readonly<Record<string, Variable>>;
}

/** The same layers with noise added to the states of their cells, also inside residual layers. */
function probeAll(layers: readonly Layer[], prefix: string, probes: Probe[]): readonly Layer[] {
  const names = namesOf(layers);
  return layers.map((layer, i) => {
    const path = prefix + names[i]!;
    const origin = layerOriginOf(layer);
    const probe = (cell: Cell, options: DirectionOptions, direction: string, reverse: boolean): Probe => {
      const added = { path: path + direction, reverse, sizes: stateSizes(cell, options.hiddenSize), noise: {} };
      probes.push(added);
      return added;
    };
    switch (origin?.[0]) {
      case 'residual':
        return { ...residual(probeAll(origin[1], `${path}.`, probes)), name: layer.name };
      case 'withoutBias':
        return withoutBias(probeAll([{ ...origin[1], name: names[i]! }], prefix, probes)[0]!);
      case 'recurrent': {
        const [, cell, { zoneout = {}, ...options }] = origin;
        return recurrent(probedCell(cell, probe(cell, options, '', options.reverse ?? false), zoneout), options);
      }
      case 'bidirectional': {
        const [, , options] = origin;
        const [forward, reverse] = directionsOf(origin[1], options).map(({ name, cell, options: own }) =>
          probedCell(cell, probe(cell, own, `.${name}`, name === 'reverse'), own.zoneout),
        ) as [OpsCell, OpsCell];
        return bidirectional(forward, {
          ...options,
          zoneout: {},
          reverse: { ...options.reverse, zoneout: {}, cell: reverse },
        });
      }
      default:
        origin?.[0] satisfies WithoutCells | undefined;
        return layer;
    }
  });
}

/** The layers that have no cell. A new layer belongs here or has a case above. */
type WithoutCells =
  | 'attentionPooling'
  | 'averagePool1d'
  | 'batchNorm'
  | 'conv1d'
  | 'dense'
  | 'dropout'
  | 'embedding'
  | 'globalAveragePool'
  | 'globalMaxPool'
  | 'layerNorm'
  | 'maxPool1d';

/** The cell with the noise of a probe added to its states. */
function probedCell(cell: Cell, probe: Probe, zoneout: Readonly<Record<string, number>> = {}): OpsCell {
  let start = 0;
  return {
    name: cell.name,
    state: cell.state,
    ...(cell.sizes && { sizes: cell.sizes }),
    parameters: cell.parameters,
    prepare(p) {
      start = 0;
      return p;
    },
    step(p, x, state) {
      const noise = probe.noise;
      const from = start;
      start += x.shape[0]!;
      const next = stepOf(cell, p, x, state).state;
      return Object.fromEntries(
        Object.entries(next).map(([name, value]) => {
          const previous = state[name]!;
          const rate = zoneout[name] ?? 0;
          const mixed = rate > 0 ? add(previous, scale(subtract(value, previous), 1 - rate)) : value;
          return [name, add(mixed, slice(noise[name]!, from, start))];
        }),
      );
    },
  };
}

/** The layers of a model before the one at a path. */
const layersBefore = ({ layers }: Sequential, path: string): readonly NamedLayer[] =>
  layers.slice(
    0,
    layers.findIndex(({ name }) => `${path}.`.startsWith(`${name}.`)),
  );

/** When a cell runs. */
interface Times {
  /** The number of time steps. */
  readonly T: number;
  /** `[N]`, the time step of every step of all rows, in the order in which the cell runs them. */
  readonly steps: readonly number[];
}

/**
 * Returns when a cell runs after other layers.
 *
 * @throws as {@link packSteps}
 */
function timesOf(
  { inputs, lengths: inputLengths, resets }: Batch,
  previous: readonly NamedLayer[],
  reverse: boolean,
): Times {
  const [inputSteps = 0, B = 0] = inputs.shape;
  const layers = previous.map(({ layer }) => layer);
  const T = stepsThrough(layers, inputSteps);
  const lengths = lengthsOf(previous, inputLengths);
  const { order } = packSteps('gradientFlow', T, B, { lengths, resets, reverse });
  const steps = order?.input ?? Array.from({ length: T * B }, (_, at) => at);
  return { T, steps: steps.map((at) => Math.floor(at / B) + (reverse && lengths ? T - lengths[at % B]! : 0)) };
}

/** `[T]` the norm over all rows of `[N, …]` with the same time. */
function normsOverTime(data: Float32Array, { T, steps }: Times): Float32Array {
  const squares = new Float64Array(T);
  const size = data.length / steps.length;
  data.forEach((value, i) => {
    squares[steps[Math.floor(i / size)]!]! += value * value;
  });
  return Float32Array.from(squares, Math.sqrt);
}
