/** A ball that bounces with a velocity nobody tells: what is the next image, and where will it be? */

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
import { scenes, side } from './scene';

const pixels = side * side;
const steps = 13;

/** The first images, and what comes after each. */
interface Batch {
  readonly inputs: Tensor;
  readonly images: Tensor;
  readonly places: Tensor;
}

function batchOf(random: Random, rows: number): Batch & { readonly seen: Tensor } {
  const { images, places } = scenes(random, steps, rows);
  return {
    inputs: sliceRows(images, 0, -1),
    images: sliceRows(images, 1),
    places: sliceRows(places, 1),
    seen: sliceRows(places, 0, -1),
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
  // Of the answer, the pixels are logits; the last two are the place, in eighths of the box from its middle.
  const place = (answer: Parameters<typeof slice>[0]): ReturnType<typeof slice> => slice(answer, pixels, undefined, 2);
  const model = customModel(network.parameters, (p, { inputs, images, places }: Batch) => {
    const { output } = runModel(network, p, inputs);
    const target = { shape: places.shape, data: places.data.map((value) => (value - 7.5) / 8) };
    return add(
      binaryCrossEntropy(slice(output, 0, pixels, 2), images),
      scale(meanSquaredError(place(output), target), 10),
    );
  });
  const updates = short ? 1200 : 3000;
  const data = {
    batchCount: updates,
    *batches(random: Random) {
      for (let i = 0; i < updates; i++) yield batchOf(random, 32);
    },
  };
  log(`${model.data.length} parameters, every ball is a new one`);
  await fit(model, data, {
    optimizer: chain(clipByNorm(1), adam(cosineDecay(2e-3, { steps: updates }))),
    seed: 3,
    onProgress,
  });

  const rows = 500;
  const held = batchOf(createRandom(99), rows);
  const answers = compute(model.parameters, (p) => {
    const { output } = runModel(network, p, held.inputs);
    return { images: sigmoid(slice(output, 0, pixels, 2)), places: place(output) };
  });
  const at = ({ data: numbers }: Tensor, t: number, row: number): readonly [number, number] => [
    numbers[(t * rows + row) * 2]!,
    numbers[(t * rows + row) * 2 + 1]!,
  ];
  const guesses: Readonly<Record<string, (t: number, row: number) => readonly [number, number]>> = {
    network: (t, row) => at(answers.places, t, row).map((value) => 8 * value + 7.5) as [number, number],
    'constant velocity': (t, row) => {
      const [[x, y], [a, b]] = [at(held.seen, t, row), at(held.seen, Math.max(0, t - 1), row)];
      return [2 * x - a, 2 * y - b];
    },
    'where it is': (t, row) => at(held.seen, t, row),
  };
  const figures: Record<string, number> = {};
  log('\nmean error of the next place, in pixels, after so many images:\n');
  log(`  ${''.padEnd(20)}${[1, 2, 3, 4, 6, 8, 12].map((n) => String(n).padStart(7)).join('')}`);
  const lines = Object.entries(guesses).map(([name, guess]) => {
    const errors = Array.from(
      { length: steps - 1 },
      (_, t) =>
        Array.from({ length: rows }, (_row, row) => {
          const [[x, y], [a, b]] = [guess(t, row), at(held.places, t, row)];
          return Math.hypot(x - a, y - b);
        }).reduce((sum, error) => sum + error, 0) / rows,
    );
    log(`  ${name.padEnd(20)}${[1, 2, 3, 4, 6, 8, 12].map((n) => errors[n - 1]!.toFixed(2).padStart(7)).join('')}`);
    figures[`${name}, 1`] = errors[0]!;
    figures[name] = errors.slice(3).reduce((a, b) => a + b) / errors.slice(3).length;
    return { name, points: errors.map((error, t) => [t + 1, error] as const) };
  });
  log(
    `\nfrom the fourth image on: ${Object.keys(guesses)
      .map((name) => `${name} ${figures[name]!.toFixed(2)}`)
      .join(', ')}`,
  );
  if (!short) {
    save('error.svg', linePlot([{ title: 'Error of the next place', x: 'images seen', y: 'pixels', lines, least: 0 }]));
    // Of the first ball that bounces off a wall in the middle of its run.
    const row = Array.from({ length: rows }, (_, i) => i).find((i) =>
      [5, 6].some(
        (t) =>
          Math.hypot(
            guesses['constant velocity']!(t, i)[0] - at(held.places, t, i)[0],
            guesses['constant velocity']!(t, i)[1] - at(held.places, t, i)[1],
          ) > 1.5,
      ),
    )!;
    const frames = ([title, { data: numbers }, color]: readonly [string, Tensor, string]): HeatMap[] =>
      [0, 1, 2, 3, 4, 5, 6, 7].map((t) => ({
        title: `${title} ${t + 2}`,
        color,
        rows: Array.from({ length: side }, (_, y) =>
          numbers.subarray((t * rows + row) * pixels + y * side, (t * rows + row) * pixels + (y + 1) * side),
        ),
      }));
    save(
      'frames.svg',
      heatMaps([...frames(['image', held.images, '#2f7fd6']), ...frames(['foreseen', answers.images, '#e07b00'])], {
        cell: 5,
        perRow: 8,
      }),
    );
  }
  return figures;
};
