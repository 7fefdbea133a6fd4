/** The high of each of the next seven days and the kind of weather tomorrow, in Seattle and New York. */

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
import { type Day, kinds, readDays, seasonOf } from './days';

/** How many days are seen, and how many are forecast. */
const [seen, ahead] = [21, 7];
/** Degrees that one number of the model stands for. */
const unit = 5;

interface Windowed {
  readonly city: string;
  readonly days: readonly Day[];
  /** The last day that is seen. */
  readonly today: number;
  readonly season: (angle: number) => number;
}

interface Batch {
  readonly inputs: Tensor;
  /** `[B, 7]` how far each high is from its season. */
  readonly highs: Tensor;
  /** `[B]` */
  readonly kinds: IntTensor;
}

/** What the model sees of a day: how far it is from its season, rain, wind, kind, time of the year, city. */
function featuresOf({ city, season }: Windowed, { high, low, precipitation, wind, kind, angle }: Day): number[] {
  return [
    (high - season(angle)) / unit,
    (low - season(angle)) / unit,
    Math.log1p(precipitation),
    wind / 4,
    Math.sin(angle),
    Math.cos(angle),
    city === 'Seattle' ? 1 : -1,
    ...kinds.map((_, i) => (i === kind ? 1 : 0)),
  ];
}

function batchOf(windows: readonly Windowed[]): Batch {
  const rows = windows.map((window) =>
    Array.from({ length: seen }, (_, t) => featuresOf(window, window.days[window.today - seen + 1 + t]!)),
  );
  const [B, I] = [rows.length, rows[0]![0]!.length];
  const inputs = new Float32Array(seen * B * I);
  rows.forEach((row, b) => row.forEach((numbers, t) => inputs.set(numbers, (t * B + b) * I)));
  const highs = windows.flatMap(({ days, today, season }) =>
    Array.from({ length: ahead }, (_, k) => {
      const day = days[today + 1 + k]!;
      return (day.high - season(day.angle)) / unit;
    }),
  );
  return {
    inputs: { shape: [seen, B, I], data: inputs },
    highs: { shape: [B, ahead], data: Float32Array.from(highs) },
    kinds: { shape: [B], data: Int32Array.from(windows, ({ days, today }) => days[today + 1]!.kind) },
  };
}

export const sevenDays: Example = async ({ short, log, onProgress, save }) => {
  const cities = readDays();
  const isLearned = ({ year }: Day): boolean => year < 2015;
  const all = Object.entries(cities).flatMap(([city, days]): Windowed[] => {
    const season = seasonOf(days.filter(isLearned), ({ high }) => high);
    return days.flatMap((_, today) =>
      today >= seen - 1 && today + ahead < days.length ? [{ city, days, today, season }] : [],
    );
  });
  // The last year judges: nothing of it has been seen, but for what comes before each forecast.
  const train = all.filter(({ days, today }) => isLearned(days[today + ahead]!));
  const test = all.filter(({ days, today }) => !isLearned(days[today + 1]!));

  const trunk = sequential(
    [
      recurrent(gru(), {
        hiddenSize: short ? 16 : 32,
        inputDropout: 0.1,
        recurrentDropout: 0.2,
        returnSequences: false,
      }),
      dropout(0.3),
      dense({ size: ahead + kinds.length }),
    ],
    { inputSize: 7 + kinds.length, seed: 4 },
  );
  const model = customModel(trunk.parameters, (p, batch: Batch, context) => {
    const { output } = runModel(trunk, p, batch.inputs, context);
    return add(
      huber(slice(output, 0, ahead, 1), batch.highs),
      crossEntropy(slice(output, ahead, undefined, 1), batch.kinds),
    );
  });
  const batchSize = 32;
  const data = {
    batchCount: Math.floor(train.length / batchSize),
    *batches(random: Random) {
      const order = shuffle(random, [...train]);
      for (let i = 0; i < this.batchCount; i++) yield batchOf(order.slice(i * batchSize, (i + 1) * batchSize));
    },
  };
  const epochs = short ? 8 : 40;
  log(
    `${train.length} forecasts to learn from (2012 to 2014), ${test.length} to be judged by (2015); ${model.data.length} parameters`,
  );
  await fit(model, data, {
    optimizer: chain(
      clipByNorm(1),
      adamw(cosineDecay(3e-3, { steps: epochs * data.batchCount }), { weightDecay: 0.05 }),
    ),
    epochs,
    seed: 1,
    onProgress,
  });

  const whole = batchOf(test);
  const answers = compute(model.parameters, (p) => {
    const { output } = runModel(trunk, p, whole.inputs);
    return {
      highs: slice(output, 0, ahead, 1),
      kinds: reshape(slice(output, ahead, undefined, 1), [test.length, kinds.length]),
    };
  });
  const sameDay = sameDayOf(cities);
  const forecasts: Readonly<Record<string, (window: Windowed, row: number, k: number) => number>> = {
    network: ({ days, today, season }, row, k) =>
      season(days[today + 1 + k]!.angle) + unit * answers.highs.data[row * ahead + k]!,
    persistence: ({ days, today }) => days[today]!.high,
    'same day of the years before': ({ city, days, today }, _, k) => sameDay(city, days[today + 1 + k]!.date),
    'season (two waves)': ({ days, today, season }, _, k) => season(days[today + 1 + k]!.angle),
  };
  const figures: Record<string, number> = {};
  log('\nmean error of the high in °C, by how many days ahead:\n');
  log(`  ${''.padEnd(30)}${Array.from({ length: ahead }, (_, k) => String(k + 1).padStart(6)).join('')}  mean`);
  for (const [name, forecast] of Object.entries(forecasts)) {
    const errors = Array.from(
      { length: ahead },
      (_, k) =>
        test.reduce(
          (sum, window, row) => sum + Math.abs(forecast(window, row, k) - window.days[window.today + 1 + k]!.high),
          0,
        ) / test.length,
    );
    figures[name] = errors.reduce((a, b) => a + b) / ahead;
    figures[`${name}, tomorrow`] = errors[0]!;
    log(
      `  ${name.padEnd(30)}${errors.map((error) => error.toFixed(2).padStart(6)).join('')}${figures[name].toFixed(2).padStart(6)}`,
    );
  }
  const likeliest = (row: number): number => {
    const logits = answers.kinds.data.subarray(row * kinds.length, (row + 1) * kinds.length);
    return logits.indexOf(Math.max(...logits));
  };
  const share = (right: (window: Windowed, row: number) => boolean): number => test.filter(right).length / test.length;
  figures['kind'] = share((_, row) => likeliest(row) === whole.kinds.data[row]);
  figures['kind, as today'] = share(({ days, today }, row) => days[today]!.kind === whole.kinds.data[row]);
  figures['kind, always sun'] = share((_, row) => whole.kinds.data[row] === 0);
  log(
    `\nthe kind of weather tomorrow: network ${(100 * figures['kind']).toFixed(1)} %, as today ${(100 * figures['kind, as today']).toFixed(1)} %, always sun ${(100 * figures['kind, always sun']).toFixed(1)} %`,
  );

  if (!short) {
    const panels = Object.keys(cities).flatMap((city) =>
      [0, ahead - 1].map((k) => {
        const rows = test.flatMap((window, row) =>
          window.city === city &&
          window.days[window.today]!.date >= '2015-03-01' &&
          window.days[window.today]!.date < '2015-07-01'
            ? [{ window, row }]
            : [],
        );
        return {
          title: `${city}, ${k === 0 ? 'tomorrow' : `${k + 1} days ahead`}`,
          x: 'days from 1 March 2015',
          y: 'high, °C',
          lines: [
            {
              name: 'truth',
              points: rows.map(({ window }, i) => [i + k, window.days[window.today + 1 + k]!.high] as const),
              color: '#888',
            },
            {
              name: 'network',
              points: rows.map(({ window, row }, i) => [i + k, forecasts['network']!(window, row, k)] as const),
              color: '#e07b00',
            },
            {
              name: 'season',
              points: rows.map(
                ({ window }, i) => [i + k, window.season(window.days[window.today + 1 + k]!.angle)] as const,
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
  return figures;
};

/** The mean high of a date in the years that were learned from. */
function sameDayOf(cities: Readonly<Record<string, readonly Day[]>>): (city: string, date: string) => number {
  const highs = new Map<string, number[]>();
  for (const [city, days] of Object.entries(cities)) {
    for (const { date, year, high } of days)
      if (year < 2015) highs.set(`${city}${date.slice(4)}`, [...(highs.get(`${city}${date.slice(4)}`) ?? []), high]);
  }
  return (city, date) => {
    const own = highs.get(`${city}${date.slice(4)}`)!;
    return own.reduce((a, b) => a + b) / own.length;
  };
}
