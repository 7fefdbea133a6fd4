/** Predicts the next image and the next position of a bouncing ball whose velocity is not an input. */

import {
  adam,
  add,
  binaryCrossEntropy,
  chain,
  clipByNorm,
  compute,
  cosineDecay,
  createRandom,
  customModel,
  dense,
  fit,
  gru,
  meanSquaredError,
  type Random,
  recurrent,
  relu,
  runModel,
  scale,
  sequential,
  sigmoid,
  slice,
  sliceRows,
  type Tensor,
} from 'bptt';
import type { Example } from '../example';
import { type HeatMap, heatMaps } from '../plot/heat-map';
import { linePlot } from '../plot/lines';
import { drawScenes, side } from './scene';

const pixels = side * side;
const steps = 13;

/** T = 12 images and, for each, the next image and position. */
interface Batch {
  /** `[T, B, 256]` */
  readonly inputs: Tensor;
  /** `[T, B, 256]` */
  readonly images: Tensor;
  /** `[T, B, 2]`, in pixels */
  readonly positions: Tensor;
}

function createBatch(random: Random, batchSize: number): Batch & { readonly currentPositions: Tensor } {
  const { images, positions } = drawScenes(random, steps, batchSize);
  return {
    inputs: sliceRows(images, 0, -1),
    images: sliceRows(images, 1),
    positions: sliceRows(positions, 1),
    currentPositions: sliceRows(positions, 0, -1),
  };
}

export const ball: Example = async ({ short, log, onProgress, save }) => {
  const network = sequential(
    [
      dense({ size: 64, activation: relu }),
      recurrent(gru(), { hiddenSize: short ? 96 : 128 }),
      dense({ size: pixels + 2 }),
    ],
    { inputSize: pixels, seed: 2 },
  );
  // The output is 256 pixel logits, then the position relative to the center of the box, in units of 8 pixels.
  const positionOf = (output: Parameters<typeof slice>[0]): ReturnType<typeof slice> =>
    slice(output, pixels, undefined, 2);
  const model = customModel(network.parameters, (p, { inputs, images, positions }: Batch) => {
    const { output } = runModel(network, p, inputs);
    const target = { shape: positions.shape, data: positions.data.map((value) => (value - 7.5) / 8) };
    return add(
      binaryCrossEntropy(slice(output, 0, pixels, 2), images),
      scale(meanSquaredError(positionOf(output), target), 10),
    );
  });
  const updates = short ? 1200 : 3000;
  const data = {
    batchCount: updates,
    *batches(random: Random) {
      for (let i = 0; i < updates; i++) yield createBatch(random, 32);
    },
  };
  log(`${model.data.length} parameters; every batch is drawn at random`);
  await fit(model, data, {
    optimizer: chain(clipByNorm(1), adam(cosineDecay(2e-3, { steps: updates }))),
    seed: 3,
    onProgress,
  });

  const count = 500;
  const heldOut = createBatch(createRandom(99), count);
  const predictions = compute(model.parameters, (p) => {
    const { output } = runModel(network, p, heldOut.inputs);
    return { images: sigmoid(slice(output, 0, pixels, 2)), positions: positionOf(output) };
  });
  const at = ({ data }: Tensor, t: number, row: number): readonly [number, number] => [
    data[(t * count + row) * 2]!,
    data[(t * count + row) * 2 + 1]!,
  ];
  const forecasts: Readonly<Record<string, (t: number, row: number) => readonly [number, number]>> = {
    network: (t, row) => {
      const [x, y] = at(predictions.positions, t, row);
      return [8 * x + 7.5, 8 * y + 7.5];
    },
    'constant velocity': (t, row) => {
      const [[x, y], [a, b]] = [
        at(heldOut.currentPositions, t, row),
        at(heldOut.currentPositions, Math.max(0, t - 1), row),
      ];
      return [2 * x - a, 2 * y - b];
    },
    'no motion': (t, row) => at(heldOut.currentPositions, t, row),
  };
  const metrics: Record<string, number> = {};
  log('\nmean error of the predicted position in pixels, by number of images seen:\n');
  log(`  ${''.padEnd(20)}${[1, 2, 3, 4, 6, 8, 12].map((n) => String(n).padStart(7)).join('')}`);
  const lines = Object.entries(forecasts).map(([name, forecast]) => {
    const errors = Array.from(
      { length: steps - 1 },
      (_, t) =>
        Array.from({ length: count }, (_row, row) => {
          const [[x, y], [a, b]] = [forecast(t, row), at(heldOut.positions, t, row)];
          return Math.hypot(x - a, y - b);
        }).reduce((sum, error) => sum + error, 0) / count,
    );
    log(`  ${name.padEnd(20)}${[1, 2, 3, 4, 6, 8, 12].map((n) => errors[n - 1]!.toFixed(2).padStart(7)).join('')}`);
    metrics[`${name}, 1`] = errors[0]!;
    metrics[name] = errors.slice(3).reduce((a, b) => a + b) / errors.slice(3).length;
    return { name, points: errors.map((error, t) => [t + 1, error] as const) };
  });
  log(
    `\nmean error after four or more images: ${Object.keys(forecasts)
      .map((name) => `${name} ${metrics[name]!.toFixed(2)}`)
      .join(', ')}`,
  );
  if (!short) {
    save(
      'error.svg',
      linePlot([
        { title: 'Error of the predicted position', x: 'images seen', y: 'mean error (pixels)', lines, least: 0 },
      ]),
    );
    // Draw the first ball that bounces off a wall in the middle of the sequence.
    const row = Array.from({ length: count }, (_, i) => i).find((i) =>
      [5, 6].some(
        (t) =>
          Math.hypot(
            forecasts['constant velocity']!(t, i)[0] - at(heldOut.positions, t, i)[0],
            forecasts['constant velocity']!(t, i)[1] - at(heldOut.positions, t, i)[1],
          ) > 1.5,
      ),
    )!;
    const frames = ([title, { data }, color]: readonly [string, Tensor, string]): HeatMap[] =>
      [0, 1, 2, 3, 4, 5, 6, 7].map((t) => ({
        title: `${title} ${t + 2}`,
        color,
        rows: Array.from({ length: side }, (_, y) =>
          data.subarray((t * count + row) * pixels + y * side, (t * count + row) * pixels + (y + 1) * side),
        ),
      }));
    save(
      'frames.svg',
      heatMaps(
        [...frames(['image', heldOut.images, '#2f7fd6']), ...frames(['predicted', predictions.images, '#e07b00'])],
        {
          cell: 5,
          perRow: 8,
        },
      ),
    );
  }
  return metrics;
};
