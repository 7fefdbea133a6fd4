/** Why gradients fade or blow up over time, and what gates, the identity, ReLU and clipping do about it: measured and drawn. */

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
/** PyTorch begins tanh networks so. */
const plain: Network = {
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
  plain,
  identityRelu,
  { name: 'LSTM', cell: lstm },
  { name: 'GRU', cell: () => gru() },
];
/** Others, to see what the first values do: powers of the recurrent weights. */
const others: readonly Network[] = [
  plain,
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

const build = ({ cell, initializers }: Network): Sequential =>
  sequential([recurrent(cell(), { hiddenSize, returnSequences: false, ...initializers }), dense({ size: 1 })], {
    inputSize: 2,
    seed: 3,
  });

const dataOf = (steps: number, batchCount: number): Dataset => ({
  batchCount,
  *batches(random: Random) {
    for (let i = 0; i < batchCount; i++) yield addingBatch(random, steps, batchSize);
  },
});

/** ‖∂L/∂h_t‖ against how many steps lie between t and the loss, with that at the last step as 1. */
function fading(network: Network, batch: Batch): Line {
  const { norms } = gradientFlow(build(network), batch, { loss: meanSquaredError });
  const [states] = Object.values(norms);
  const h = states!['h']!;
  const last = h.at(-1)!;
  return { name: network.name, points: Array.from(h, (_, i) => [i, h[h.length - 1 - i]! / last] as const) };
}

/** The loss of every update, smoothed; it ends where it is not finite any more. */
async function learning(
  network: Network,
  optimizer: Optimizer,
  data: Dataset,
  onProgress: ExampleOptions['onProgress'],
  window = 25,
): Promise<{ line: Line; model: Sequential; broke: boolean }> {
  const model = build(network);
  const losses: number[] = [];
  let broke = false;
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
    broke = true;
  }
  const points = losses.flatMap((_, i) =>
    (i + 1) % window === 0
      ? [[i + 1, losses.slice(i + 1 - window, i + 1).reduce((a, b) => a + b) / window] as const]
      : [],
  );
  return { line: { name: network.name, points }, model, broke };
}

/** How often each gate of an LSTM is how far open. */
function gatesOf(model: Sequential, { inputs }: Batch): readonly Line[] {
  const p = model.parameters['lstm']!;
  const whole = sequential([recurrent(lstm(), { hiddenSize })], { inputSize: 2 });
  whole.data.set(model.data.subarray(0, whole.data.length));
  const h = predict(whole, inputs);
  const [T, B] = inputs.shape as [number, number];
  const before: Tensor = { shape: h.shape, data: new Float32Array(h.data.length) };
  before.data.set(h.data.subarray(0, (T - 1) * B * hiddenSize), B * hiddenSize);
  const gates = compute({ p, before, inputs: inputs as Tensor }, (v) =>
    sigmoid(
      add(affine(v.inputs, { weight: v.p['weightIh']!, bias: v.p['bias']! }), matmul(v.before, v.p['weightHh']!)),
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
    return { name: name as string, points: Array.from(counts, (share, i) => [(i + 0.5) / bins, share] as const) };
  });
}

export const gradients: Example = async ({ short, log, onProgress, save }) => {
  const [steps, updates] = short ? [30, 300] : [60, 3000];
  const batch = addingBatch(createRandom(1), steps, batchSize);
  const flows = networks.map((network) => fading(network, batch));
  const starts = others.map((network) => fading(network, batch));
  const at = (lines: readonly Line[], name: string): number =>
    lines.find((line) => line.name === name)!.points.at(-1)![1];
  log(`What is left of the gradient after ${steps - 1} steps, before any training:`);
  for (const { name, points } of [...flows, ...starts.slice(1)])
    log(`  ${name.padEnd(22)}${points.at(-1)![1].toExponential(1)}`);

  log(
    `\nThe adding problem over ${steps} steps, ${updates} updates; always saying 1 has a mean squared error of 0.167:`,
  );
  const data = dataOf(steps, updates);
  const curves: Line[] = [];
  const figures: Record<string, number> = {
    left: at(flows, 'tanh'),
    leftLstm: at(flows, 'LSTM'),
    leftIdentity: at(flows, 'ReLU, identity'),
    exploded: at(starts, 'ReLU, 1.1 · identity'),
  };
  let trainedLstm: Sequential | undefined;
  for (const network of networks) {
    const { line, model } = await learning(network, chain(clipByNorm(1), adam(2e-3)), data, onProgress);
    curves.push(line);
    figures[network.name] = line.points.at(-1)![1];
    log(`  ${network.name.padEnd(22)}${line.points.at(-1)![1].toFixed(4)}`);
    if (network.name === 'LSTM') trainedLstm = model;
  }

  log(
    '\nReLU with the identity by plain gradient descent, rate 0.01; the loss after the first update and after the last:',
  );
  const explosive: Network = {
    ...identityRelu,
    initializers: { inputInitializer: normal(0, 0.05), recurrentInitializer: identity() },
  };
  const clipped: Line[] = [];
  for (const [name, optimizer] of [
    ['without clipping', sgd(0.01)],
    ['clipped to norm 1', chain(clipByNorm(1), sgd(0.01))],
  ] as const) {
    const { line, broke } = await learning(
      { ...explosive, name },
      optimizer,
      dataOf(60, short ? 100 : 400),
      onProgress,
      1,
    );
    clipped.push(line);
    figures[name] = broke ? Infinity : line.points.at(-1)![1];
    log(
      `  ${name.padEnd(22)}${broke ? `not finite after ${line.points.length} updates` : `${line.points[1]![1].toPrecision(2)}, ${line.points.at(-1)![1].toPrecision(2)}`}`,
    );
  }
  const gates = gatesOf(trainedLstm!, addingBatch(createRandom(9), steps, batchSize));
  const open = gates[1]!.points.filter(([x]) => x > 0.9).reduce((sum, [, share]) => sum + share, 0);
  figures['forgetOpen'] = open;
  log(`\nForget gates that are more than nine tenths open after training: ${(100 * open).toFixed(0)} %`);

  if (!short) {
    save(
      'flow.svg',
      linePlot([
        {
          title: 'Four cells',
          x: 'steps before the loss',
          y: '‖∂L/∂h‖, 1 at the last step',
          lines: flows,
          logarithmic: true,
          least: 1e-12,
        },
        {
          title: 'First values of the recurrent weights',
          x: 'steps before the loss',
          y: '‖∂L/∂h‖, 1 at the last step',
          lines: starts,
          logarithmic: true,
          least: 1e-12,
        },
      ]),
    );
    save(
      'learning.svg',
      linePlot([
        {
          title: `Adding over ${steps} steps`,
          x: 'updates',
          y: 'mean squared error',
          lines: curves,
          logarithmic: true,
          level: { name: 'always 1', y: 1 / 6 },
        },
        {
          title: 'One step too far: with clipping and without',
          x: 'updates',
          y: 'mean squared error',
          lines: clipped,
          logarithmic: true,
          level: { name: 'always 1', y: 1 / 6 },
        },
      ]),
    );
    save(
      'gates.svg',
      linePlot([{ title: 'Gates of the trained LSTM', x: 'how far open', y: 'share', lines: gates, bars: true }]),
    );
  }
  return figures;
};
