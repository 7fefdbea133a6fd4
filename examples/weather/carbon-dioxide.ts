/** Carbon dioxide over Mauna Loa in each of the next twelve months: a season upon a growth that changes. */

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

/** How many months are seen, and how many are forecast. */
const [seen, ahead] = [60, 12];
/** Parts per million that one number of the model stands for. */
const unit = 0.7;

/** Months from the first of 1958 on, of which some have no value, in parts per million. */
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
  // From May 1969 on, five years after the last gap, every month has all that is asked for.
  const [first, last] = [11 * 12 + 4, Math.max(...months.keys())];
  /** `[N, 3]` by how much the growth of a year exceeds that of five, which has itself become larger all the time; and the time of the year: from one month up to another. */
  const seriesOf = (from: number, to: number): Tensor => {
    return tensor(
      Array.from({ length: to - from }, (_, i) => {
        const angle = (2 * Math.PI * ((from + i) % 12)) / 12;
        return [
          (at(from + i) - at(from + i - 12) - (at(from + i) - at(from + i - 60)) / 5) / unit,
          Math.sin(angle),
          Math.cos(angle),
        ];
      }),
    );
  };
  const year = (number: number): number => (number - 1958) * 12;
  const windowsOf = (from: number, to: number, batchSize: number, shuffle: boolean): ReturnType<typeof seriesWindows> =>
    seriesWindows(seriesOf(from, to), { sequenceLength: seen, horizon: ahead, targets: [0], batchSize, shuffle });
  const train = windowsOf(first, year(2000), 32, true);
  const validation = windowsOf(year(2000) - seen, year(2008), 1000, false);
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

  const [whole] = [...windowsOf(year(2008) - seen, last + 1, 1000, false).batches(createRandom(0))] as [Batch];
  const answers = predict(model, whole.inputs).data;
  const count = answers.length / ahead;
  const judged = Array.from({ length: count }, (_, i) => year(2008) + i);
  // Each forecast knows the months before `month`.
  const forecasts: Readonly<Record<string, (month: number, k: number) => number>> = {
    network: (month, k) =>
      (at(month + k - 12) - at(month + k - 60) / 5 + unit * answers[(month - year(2008)) * ahead + k]!) / (1 - 1 / 5),
    'a year before': (month, k) => at(month + k - 12),
    'and the last growth': (month, k) => at(month + k - 12) + at(month - 1) - at(month - 13),
    'and the growth of five years': (month, k) => at(month + k - 12) + (at(month - 1) - at(month - 61)) / 5,
  };
  const figures: Record<string, number> = {};
  log(
    `\ncarbon dioxide: mean error in parts per million, ${count} forecasts from 2008 on, by how many months ahead; ${model.data.length} parameters\n`,
  );
  log(`  ${''.padEnd(30)}${[1, 3, 6, 9, 12].map((k) => String(k).padStart(6)).join('')}  mean`);
  for (const [name, forecast] of Object.entries(forecasts)) {
    const errors = Array.from(
      { length: ahead },
      (_, k) => judged.reduce((sum, month) => sum + Math.abs(forecast(month, k) - at(month + k)), 0) / count,
    );
    const mean = errors.reduce((a, b) => a + b) / ahead;
    figures[`carbon dioxide, ${name}`] = mean;
    log(
      `  ${name.padEnd(30)}${[...[0, 2, 5, 8, 11].map((k) => errors[k]!), mean].map((error) => error.toFixed(2).padStart(6)).join('')}`,
    );
  }
  if (!short) {
    save(
      'carbon-dioxide.svg',
      linePlot([
        {
          title: 'Carbon dioxide, twelve months ahead',
          x: 'year',
          y: 'parts per million',
          lines: [
            {
              name: 'truth',
              color: '#888',
              points: judged.map((month) => [1958 + (month + ahead - 1) / 12, at(month + ahead - 1)]),
            },
            {
              name: 'network',
              color: '#e07b00',
              points: judged.map((month) => [1958 + (month + ahead - 1) / 12, forecasts['network']!(month, ahead - 1)]),
            },
          ],
        },
        {
          title: 'Error, twelve months ahead',
          x: 'year',
          y: 'parts per million',
          lines: ['network', 'and the growth of five years'].map((name, i) => ({
            name,
            color: ['#e07b00', '#2f7fd6'][i]!,
            points: judged.map(
              (month) =>
                [1958 + (month + ahead - 1) / 12, forecasts[name]!(month, ahead - 1) - at(month + ahead - 1)] as const,
            ),
          })),
        },
      ]),
    );
  }
  return figures;
};
