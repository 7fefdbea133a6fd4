/**
 * Forecasts the highest temperature of the next seven days and the weather type of tomorrow, in Seattle and New York.
 */

import {
  adamw,
  add,
  chain,
  clipByNorm,
  compute,
  cosineDecay,
  crossEntropy,
  customModel,
  dense,
  dropout,
  fit,
  gru,
  huber,
  type IntTensor,
  type Random,
  recurrent,
  reshape,
  runModel,
  sequential,
  shuffle,
  slice,
  type Tensor,
} from 'bptt';
import type { Example } from '../example';
import { linePlot } from '../plot/lines';
import { type Day, fitClimatology, readDays, weatherTypes } from './days';

/** Numbers of input days and of forecast days. */
const [history, ahead] = [21, 7];
/** Degrees Celsius per unit of the model's inputs and outputs. */
const unit = 5;

/** A position in the series of a city at which a forecast starts. */
interface ForecastStart {
  readonly city: string;
  readonly days: readonly Day[];
  /** Index of the last input day. */
  readonly today: number;
  readonly climatology: (angle: number) => number;
}

interface Batch {
  /** `[21, B, 12]` */
  readonly inputs: Tensor;
  /** `[B, 7]`: deviations of the highs from climatology, in units of 5 °C */
  readonly highs: Tensor;
  /** `[B]`: weather types of tomorrow */
  readonly types: IntTensor;
}

/**
 * Computes the features of a day: deviations from climatology, rain, wind, time of the year, city, one-hot weather
 * type.
 */
function featuresOf(
  { city, climatology }: ForecastStart,
  { high, low, precipitation, wind, type, angle }: Day,
): number[] {
  return [
    (high - climatology(angle)) / unit,
    (low - climatology(angle)) / unit,
    Math.log1p(precipitation),
    wind / 4,
    Math.sin(angle),
    Math.cos(angle),
    city === 'Seattle' ? 1 : -1,
    ...weatherTypes.map((_, i) => (i === type ? 1 : 0)),
  ];
}

function createBatch(starts: readonly ForecastStart[]): Batch {
  const rows = starts.map((start) =>
    Array.from({ length: history }, (_, t) => featuresOf(start, start.days[start.today - history + 1 + t]!)),
  );
  const [B, I] = [rows.length, rows[0]![0]!.length];
  const inputs = new Float32Array(history * B * I);
  rows.forEach((row, b) => row.forEach((features, t) => inputs.set(features, (t * B + b) * I)));
  const highs = starts.flatMap(({ days, today, climatology }) =>
    Array.from({ length: ahead }, (_, k) => {
      const day = days[today + 1 + k]!;
      return (day.high - climatology(day.angle)) / unit;
    }),
  );
  return {
    inputs: { shape: [history, B, I], data: inputs },
    highs: { shape: [B, ahead], data: Float32Array.from(highs) },
    types: { shape: [B], data: Int32Array.from(starts, ({ days, today }) => days[today + 1]!.type) },
  };
}

export const sevenDays: Example = async ({ short, log, onProgress, save }) => {
  const cities = readDays();
  const isTraining = ({ year }: Day): boolean => year < 2015;
  const all = Object.entries(cities).flatMap(([city, days]): ForecastStart[] => {
    const climatology = fitClimatology(days.filter(isTraining), ({ high }) => high);
    return days.flatMap((_, today) =>
      today >= history - 1 && today + ahead < days.length ? [{ city, days, today, climatology }] : [],
    );
  });
  // The last year is the test set. The days before a forecast are inputs, and may be of the training years.
  const train = all.filter(({ days, today }) => isTraining(days[today + ahead]!));
  const test = all.filter(({ days, today }) => !isTraining(days[today + 1]!));

  const trunk = sequential(
    [
      recurrent(gru(), {
        hiddenSize: short ? 16 : 32,
        inputDropout: 0.1,
        recurrentDropout: 0.2,
        returnSequences: false,
      }),
      dropout(0.3),
      dense({ size: ahead + weatherTypes.length }),
    ],
    { inputSize: 7 + weatherTypes.length, seed: 4 },
  );
  const model = customModel(trunk.parameters, (p, batch: Batch, context) => {
    const { output } = runModel(trunk, p, batch.inputs, context);
    return add(
      huber(slice(output, 0, ahead, 1), batch.highs),
      crossEntropy(slice(output, ahead, undefined, 1), batch.types),
    );
  });
  const batchSize = 32;
  const data = {
    batchCount: Math.floor(train.length / batchSize),
    *batches(random: Random) {
      const order = shuffle(random, [...train]);
      for (let i = 0; i < this.batchCount; i++) yield createBatch(order.slice(i * batchSize, (i + 1) * batchSize));
    },
  };
  const epochs = short ? 8 : 40;
  log(`forecasts: ${train.length} for training (2012–2014), ${test.length} for testing (2015)`);
  log(`${model.data.length} parameters`);
  await fit(model, data, {
    optimizer: chain(
      clipByNorm(1),
      adamw(cosineDecay(3e-3, { steps: epochs * data.batchCount }), { weightDecay: 0.05 }),
    ),
    epochs,
    seed: 1,
    onProgress,
  });

  const testBatch = createBatch(test);
  const predictions = compute(model.parameters, (p) => {
    const { output } = runModel(trunk, p, testBatch.inputs);
    return {
      highs: slice(output, 0, ahead, 1),
      types: reshape(slice(output, ahead, undefined, 1), [test.length, weatherTypes.length]),
    };
  });
  const sameDateMean = sameDateMeanOf(cities);
  const forecasts: Readonly<Record<string, (start: ForecastStart, row: number, k: number) => number>> = {
    network: ({ days, today, climatology }, row, k) =>
      climatology(days[today + 1 + k]!.angle) + unit * predictions.highs.data[row * ahead + k]!,
    persistence: ({ days, today }) => days[today]!.high,
    'same date, mean of 2012–2014': ({ city, days, today }, _, k) => sameDateMean(city, days[today + 1 + k]!.date),
    'climatology (two harmonics)': ({ days, today, climatology }, _, k) => climatology(days[today + 1 + k]!.angle),
  };
  const metrics: Record<string, number> = {};
  log('\nmean absolute error of the highest temperature in °C, by days ahead:\n');
  log(`  ${''.padEnd(30)}${Array.from({ length: ahead }, (_, k) => String(k + 1).padStart(6)).join('')}  mean`);
  for (const [name, forecast] of Object.entries(forecasts)) {
    const errors = Array.from(
      { length: ahead },
      (_, k) =>
        test.reduce(
          (sum, start, row) => sum + Math.abs(forecast(start, row, k) - start.days[start.today + 1 + k]!.high),
          0,
        ) / test.length,
    );
    metrics[name] = errors.reduce((a, b) => a + b) / ahead;
    metrics[`${name}, tomorrow`] = errors[0]!;
    const columns = [...errors, metrics[name]];
    log(`  ${name.padEnd(30)}${columns.map((error) => error.toFixed(2).padStart(6)).join('')}`);
  }
  const predictedType = (row: number): number => {
    const logits = predictions.types.data.subarray(row * weatherTypes.length, (row + 1) * weatherTypes.length);
    return logits.indexOf(Math.max(...logits));
  };
  const accuracyOf = (predict: (start: ForecastStart, row: number) => number): number =>
    test.filter((start, row) => predict(start, row) === testBatch.types.data[row]).length / test.length;
  metrics['type'] = accuracyOf((_, row) => predictedType(row));
  metrics['type, persistence'] = accuracyOf(({ days, today }) => days[today]!.type);
  metrics['type, always sun'] = accuracyOf(() => 0);
  const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`;
  log('\naccuracy of the weather type of tomorrow:');
  log(
    `network ${percent(metrics['type'])}, persistence ${percent(metrics['type, persistence'])}, ` +
      `always sun ${percent(metrics['type, always sun'])}`,
  );

  if (!short) {
    const panels = Object.keys(cities).flatMap((city) =>
      [0, ahead - 1].map((k) => {
        const rows = test.flatMap((start, row) =>
          start.city === city &&
          start.days[start.today]!.date >= '2015-03-01' &&
          start.days[start.today]!.date < '2015-07-01'
            ? [{ start, row }]
            : [],
        );
        return {
          title: `${city}, ${k === 0 ? 'one day ahead' : `${k + 1} days ahead`}`,
          x: 'days since 1 March 2015',
          y: 'highest temperature (°C)',
          lines: [
            {
              name: 'observed',
              points: rows.map(({ start }, i) => [i + k, start.days[start.today + 1 + k]!.high] as const),
              color: '#888',
            },
            {
              name: 'network',
              points: rows.map(({ start, row }, i) => [i + k, forecasts['network']!(start, row, k)] as const),
              color: '#e07b00',
            },
            {
              name: 'climatology',
              points: rows.map(
                ({ start }, i) => [i + k, start.climatology(start.days[start.today + 1 + k]!.angle)] as const,
              ),
              color: '#2f7fd6',
              dashed: true,
            },
          ],
        };
      }),
    );
    save('forecast.svg', linePlot(panels));
  }
  return metrics;
};

/** Computes the mean of the highs of a calendar date over the training years. */
function sameDateMeanOf(cities: Readonly<Record<string, readonly Day[]>>): (city: string, date: string) => number {
  const highs = new Map<string, number[]>();
  for (const [city, days] of Object.entries(cities)) {
    for (const { date, year, high } of days)
      if (year < 2015) highs.set(`${city}${date.slice(4)}`, [...(highs.get(`${city}${date.slice(4)}`) ?? []), high]);
  }
  return (city, date) => {
    const values = highs.get(`${city}${date.slice(4)}`)!;
    return values.reduce((a, b) => a + b) / values.length;
  };
}
