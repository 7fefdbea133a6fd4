/** Measures vanishing and exploding gradients, and the effect of gates, identity initialization, ReLU and clipping. */

import {
  adam,
  add,
  affine,
  type Batch,
  type Cell,
  type CellInitializers,
  chain,
  clipByNorm,
  compute,
  createRandom,
  type Dataset,
  dense,
  fit,
  gradientFlow,
  gru,
  identity,
  lstm,
  matmul,
  meanSquaredError,
  normal,
  type Optimizer,
  orthogonal,
  predict,
  type Random,
  recurrent,
  relu,
  type Sequential,
  sequential,
  sgd,
  sigmoid,
  simpleRnn,
  slice,
  type Tensor,
  uniform,
} from 'bptt';
import type { Example, ExampleOptions } from '../example';
import { type Line, linePlot } from '../plot/lines';
import { addingBatch } from './adding';

const hiddenSize = 48;
const batchSize = 32;

interface Network {
  readonly name: string;
  readonly cell: () => Cell;
  readonly initializers?: CellInitializers;
}

const small = uniform(-1 / Math.sqrt(hiddenSize), 1 / Math.sqrt(hiddenSize));
/** A tanh RNN with the default initializers of PyTorch. */
const tanhRnn: Network = {
  name: 'tanh',
  cell: () => simpleRnn(),
  initializers: { inputInitializer: small, recurrentInitializer: small },
};
const identityRelu: Network = {
  name: 'ReLU, identity',
  cell: () => simpleRnn({ activation: relu }),
  initializers: { inputInitializer: normal(0, 0.3), recurrentInitializer: identity() },
};
const networks: readonly Network[] = [
  tanhRnn,
  identityRelu,
  { name: 'LSTM', cell: lstm },
  { name: 'GRU', cell: () => gru() },
];
/** Variants of the recurrent initializer: the gradient scales with powers of the recurrent weights. */
const initializerVariants: readonly Network[] = [
  tanhRnn,
  { name: 'tanh, orthogonal', cell: () => simpleRnn(), initializers: { recurrentInitializer: orthogonal() } },
  {
    name: 'ReLU, 1.1 · identity',
    cell: () => simpleRnn({ activation: relu }),
    initializers: { inputInitializer: normal(0, 0.3), recurrentInitializer: scaled(1.1) },
  },
];

function scaled(factor: number): NonNullable<CellInitializers['recurrentInitializer']> {
  return (shape, random) => ({ shape, data: identity()(shape, random).data.map((value) => factor * value) });
}

const createModel = ({ cell, initializers }: Network): Sequential =>
  sequential([recurrent(cell(), { hiddenSize, returnSequences: false, ...initializers }), dense({ size: 1 })], {
    inputSize: 2,
    seed: 3,
  });

const createDataset = (steps: number, batchCount: number): Dataset<Batch<Tensor>> => ({
  batchCount,
  *batches(random: Random) {
    for (let i = 0; i < batchCount; i++) yield addingBatch(random, steps, batchSize);
  },
});

/** ‖∂L/∂h_t‖ by the number of steps between t and the loss, relative to the last step. */
function gradientNorms(network: Network, batch: Batch<Tensor>): Line {
  const { norms } = gradientFlow(createModel(network), batch, { loss: meanSquaredError });
  const [states] = Object.values(norms);
  const h = states!['h']!;
  const last = h.at(-1)!;
  return { name: network.name, points: Array.from(h, (_, i) => [i, h[h.length - 1 - i]! / last] as const) };
}

/**
 * Trains a network and records the loss, averaged over windows of updates. The curve ends early if training diverges.
 */
async function trainingCurve(
  network: Network,
  optimizer: Optimizer,
  data: Dataset<Batch<Tensor>>,
  onProgress: ExampleOptions['onProgress'],
  window = 25,
): Promise<{ line: Line; model: Sequential; diverged: boolean }> {
  const model = createModel(network);
  const losses: number[] = [];
  let diverged = false;
  try {
    await fit(model, data, {
      loss: meanSquaredError,
      optimizer,
      epochs: 1,
      seed: 7,
      onProgress(progress) {
        losses.push(progress.loss);
        onProgress(progress);
      },
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    // fit throws if the loss or a gradient is not finite.
    diverged = true;
  }
  const points = losses.flatMap((_, i) =>
    (i + 1) % window === 0
      ? [[i + 1, losses.slice(i + 1 - window, i + 1).reduce((a, b) => a + b) / window] as const]
      : [],
  );
  return { line: { name: network.name, points }, model, diverged };
}

/** Histograms of the gate values of an LSTM, over all steps and units. */
function gateHistograms(model: Sequential, { inputs }: Batch): readonly Line[] {
  const p = model.parameters['lstm']!;
  const layer = sequential([recurrent(lstm(), { hiddenSize })], { inputSize: 2 });
  layer.data.set(model.data.subarray(0, layer.data.length));
  const h = predict(layer, inputs);
  const [T, B] = inputs.shape as [number, number];
  // [T, B, H]: h of the previous step, zeros at the first
  const previous: Tensor = { shape: h.shape, data: new Float32Array(h.data.length) };
  previous.data.set(h.data.subarray(0, (T - 1) * B * hiddenSize), B * hiddenSize);
  const gates = compute({ p, previous, inputs: inputs as Tensor }, (v) =>
    sigmoid(
      add(affine(v.inputs, { weight: v.p['weightIh']!, bias: v.p['bias']! }), matmul(v.previous, v.p['weightHh']!)),
    ),
  );
  const bins = 20;
  return [
    ['input', 0],
    ['forget', 1],
    ['output', 3],
  ].map(([name, block]) => {
    const { data } = compute({ gates }, (v) =>
      slice(v.gates, (block as number) * hiddenSize, ((block as number) + 1) * hiddenSize, 2),
    );
    const counts = new Float64Array(bins);
    for (const value of data) counts[Math.min(bins - 1, Math.floor(value * bins))]! += 1 / data.length;
    return { name: name as string, points: Array.from(counts, (fraction, i) => [(i + 0.5) / bins, fraction] as const) };
  });
}

export const gradients: Example = async ({ short, log, onProgress, save }) => {
  const [steps, updates] = short ? [30, 300] : [60, 3000];
  const batch = addingBatch(createRandom(1), steps, batchSize);
  const flows = networks.map((network) => gradientNorms(network, batch));
  const variantFlows = initializerVariants.map((network) => gradientNorms(network, batch));
  const at = (lines: readonly Line[], name: string): number =>
    lines.find((line) => line.name === name)!.points.at(-1)![1];
  log(`Gradient norm ${steps - 1} steps before the loss, relative to the last step, before training:`);
  for (const { name, points } of [...flows, ...variantFlows.slice(1)])
    log(`  ${name.padEnd(22)}${points.at(-1)![1].toExponential(1)}`);

  log(`\nMean squared error on the adding problem, ${steps} steps, ${updates} updates (constant prediction 1: 0.167):`);
  const data = createDataset(steps, updates);
  const curves: Line[] = [];
  const metrics: Record<string, number> = {
    tanhGradient: at(flows, 'tanh'),
    lstmGradient: at(flows, 'LSTM'),
    identityGradient: at(flows, 'ReLU, identity'),
    explodingGradient: at(variantFlows, 'ReLU, 1.1 · identity'),
  };
  let trainedLstm: Sequential | undefined;
  for (const network of networks) {
    const { line, model } = await trainingCurve(network, chain(clipByNorm(1), adam(2e-3)), data, onProgress);
    curves.push(line);
    metrics[network.name] = line.points.at(-1)![1];
    log(`  ${network.name.padEnd(22)}${line.points.at(-1)![1].toFixed(4)}`);
    if (network.name === 'LSTM') trainedLstm = model;
  }

  log('\nReLU RNN with identity initialization, SGD, learning rate 0.01; loss after the first and the last update:');
  const explosive: Network = {
    ...identityRelu,
    initializers: { inputInitializer: normal(0, 0.05), recurrentInitializer: identity() },
  };
  const clipped: Line[] = [];
  for (const [name, optimizer] of [
    ['without clipping', sgd(0.01)],
    ['clipped to norm 1', chain(clipByNorm(1), sgd(0.01))],
  ] as const) {
    const { line, diverged } = await trainingCurve(
      { ...explosive, name },
      optimizer,
      createDataset(60, short ? 100 : 400),
      onProgress,
      1,
    );
    clipped.push(line);
    metrics[name] = diverged ? Infinity : line.points.at(-1)![1];
    const [second, last] = [line.points[1]?.[1], line.points.at(-1)?.[1]];
    const result = diverged
      ? `diverged after update ${line.points.length}`
      : `${second!.toPrecision(2)}, ${last!.toPrecision(2)}`;
    log(`  ${name.padEnd(22)}${result}`);
  }
  const gates = gateHistograms(trainedLstm!, addingBatch(createRandom(9), steps, batchSize));
  const open = gates[1]!.points.filter(([x]) => x > 0.9).reduce((sum, [, fraction]) => sum + fraction, 0);
  metrics['forgetOpen'] = open;
  log(`\nForget gate values above 0.9 after training: ${(100 * open).toFixed(0)} %`);

  if (!short) {
    save(
      'flow.svg',
      linePlot([
        {
          title: 'Gradient norm by cell',
          x: 'time steps before the loss',
          y: '‖∂L/∂h‖ (last step = 1)',
          lines: flows,
          logarithmic: true,
          least: 1e-12,
        },
        {
          title: 'Gradient norm by recurrent initializer',
          x: 'time steps before the loss',
          y: '‖∂L/∂h‖ (last step = 1)',
          lines: variantFlows,
          logarithmic: true,
          least: 1e-12,
        },
      ]),
    );
    save(
      'learning.svg',
      linePlot([
        {
          title: `Training loss on the adding problem, ${steps} steps`,
          x: 'updates',
          y: 'mean squared error',
          lines: curves,
          logarithmic: true,
          level: { name: 'constant prediction 1', y: 1 / 6 },
        },
        {
          title: 'SGD with and without gradient clipping',
          x: 'updates',
          y: 'mean squared error',
          lines: clipped,
          logarithmic: true,
          level: { name: 'constant prediction 1', y: 1 / 6 },
        },
      ]),
    );
    save(
      'gates.svg',
      linePlot([
        {
          title: 'Gate values of the trained LSTM',
          x: 'gate value',
          y: 'fraction of values',
          lines: gates,
          bars: true,
        },
      ]),
    );
  }
  return metrics;
};
