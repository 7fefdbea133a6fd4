/** Forecasts carbon dioxide over Mauna Loa for the next twelve months: a seasonal cycle and a changing trend. */

import { readFileSync } from 'node:fs';
import {
  adamw,
  type Batch,
  chain,
  clipByNorm,
  cosineDecay,
  createRandom,
  dense,
  dropout,
  fit,
  gru,
  meanAbsoluteError,
  predict,
  recurrent,
  sequential,
  seriesWindows,
  type Tensor,
  tensor,
} from 'bptt';
import type { Example } from '../example';
import { linePlot } from '../plot/lines';

/** Numbers of input months and of forecast months. */
const [history, ahead] = [60, 12];
/** Parts per million per unit of the model's inputs and outputs. */
const unit = 0.7;

/** Reads monthly means in parts per million, by the number of months since January 1958. Some months are missing. */
function readMonths(): ReadonlyMap<number, number> {
  const lines = readFileSync('examples/weather/carbon-dioxide.csv', 'utf8').trim().split('\n').slice(1);
  return new Map(
    lines.map((line) => {
      const [date, value] = line.split(',') as [string, string];
      return [(Number(date.slice(0, 4)) - 1958) * 12 + Number(date.slice(5, 7)) - 1, Number(value)];
    }),
  );
}

export const carbonDioxide: Example = async ({ short, log, onProgress, save }) => {
  const months = readMonths();
  const at = (month: number): number => months.get(month)!;
  // From May 1969 on, five years after the last gap, all values that a month depends on exist.
  const [first, last] = [11 * 12 + 4, Math.max(...months.keys())];
  /**
   * Computes the series for months `from` to `to` (exclusive), `[N, 3]`: the growth over one year minus the mean annual
   * growth over five years, which removes the accelerating trend; and the sine and cosine of the time of the year.
   */
  const seriesOf = (from: number, to: number): Tensor =>
    tensor(
      Array.from({ length: to - from }, (_, i) => {
        const angle = (2 * Math.PI * ((from + i) % 12)) / 12;
        return [
          (at(from + i) - at(from + i - 12) - (at(from + i) - at(from + i - 60)) / 5) / unit,
          Math.sin(angle),
          Math.cos(angle),
        ];
      }),
    );
  const startOf = (year: number): number => (year - 1958) * 12;
  const windowsOf = (from: number, to: number, batchSize: number, shuffle: boolean): ReturnType<typeof seriesWindows> =>
    seriesWindows(seriesOf(from, to), { sequenceLength: history, horizon: ahead, targets: [0], batchSize, shuffle });
  const train = windowsOf(first, startOf(2000), 32, true);
  const validation = windowsOf(startOf(2000) - history, startOf(2008), 1000, false);
  const model = sequential(
    [
      recurrent(gru(), { hiddenSize: 16, inputDropout: 0.1, recurrentDropout: 0.2, returnSequences: false }),
      dropout(0.3),
      dense({ size: ahead }),
    ],
    { inputSize: 3, seed: 1 },
  );
  const epochs = short ? 15 : 60;
  await fit(model, train, {
    loss: meanAbsoluteError,
    optimizer: chain(
      clipByNorm(1),
      adamw(cosineDecay(5e-3, { steps: epochs * train.batchCount }), { weightDecay: 0.1 }),
    ),
    epochs,
    seed: 1,
    validation,
    patience: epochs,
    onProgress,
  });

  const [testBatch] = [...windowsOf(startOf(2008) - history, last + 1, 1000, false).batches(createRandom(0))] as [
    Batch,
  ];
  const predictions = predict(model, testBatch.inputs).data;
  const count = predictions.length / ahead;
  const testMonths = Array.from({ length: count }, (_, i) => startOf(2008) + i);
  // Forecasts of `month + k` from the months before `month`.
  const forecasts: Readonly<Record<string, (month: number, k: number) => number>> = {
    network: (month, k) =>
      (at(month + k - 12) - at(month + k - 60) / 5 + unit * predictions[(month - startOf(2008)) * ahead + k]!) /
      (1 - 1 / 5),
    'same month last year': (month, k) => at(month + k - 12),
    '+ growth of the last year': (month, k) => at(month + k - 12) + at(month - 1) - at(month - 13),
    '+ mean growth of five years': (month, k) => at(month + k - 12) + (at(month - 1) - at(month - 61)) / 5,
  };
  const metrics: Record<string, number> = {};
  log(`\ncarbon dioxide: ${model.data.length} parameters`);
  log(`mean absolute error in parts per million, by months ahead, ${count} forecasts from 2008 on:\n`);
  log(`  ${''.padEnd(30)}${[1, 3, 6, 9, 12].map((k) => String(k).padStart(6)).join('')}  mean`);
  for (const [name, forecast] of Object.entries(forecasts)) {
    const errors = Array.from(
      { length: ahead },
      (_, k) => testMonths.reduce((sum, month) => sum + Math.abs(forecast(month, k) - at(month + k)), 0) / count,
    );
    const mean = errors.reduce((a, b) => a + b) / ahead;
    metrics[`carbon dioxide, ${name}`] = mean;
    const columns = [...[0, 2, 5, 8, 11].map((k) => errors[k]!), mean];
    log(`  ${name.padEnd(30)}${columns.map((error) => error.toFixed(2).padStart(6)).join('')}`);
  }
  if (!short) {
    save(
      'carbon-dioxide.svg',
      linePlot([
        {
          title: 'Forecast of carbon dioxide, twelve months ahead',
          x: 'year',
          y: 'parts per million',
          lines: [
            {
              name: 'observed',
              color: '#888',
              points: testMonths.map((month) => [1958 + (month + ahead - 1) / 12, at(month + ahead - 1)]),
            },
            {
              name: 'network',
              color: '#e07b00',
              points: testMonths.map((month) => [
                1958 + (month + ahead - 1) / 12,
                forecasts['network']!(month, ahead - 1),
              ]),
            },
          ],
        },
        {
          title: 'Forecast error, twelve months ahead',
          x: 'year',
          y: 'parts per million',
          lines: ['network', '+ mean growth of five years'].map((name, i) => ({
            name,
            color: ['#e07b00', '#2f7fd6'][i]!,
            points: testMonths.map(
              (month) =>
                [1958 + (month + ahead - 1) / 12, forecasts[name]!(month, ahead - 1) - at(month + ahead - 1)] as const,
            ),
          })),
        },
      ]),
    );
  }
  return metrics;
};
