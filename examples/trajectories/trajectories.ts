/** Where an Atlantic storm will be in 24 hours: a distribution of places, learned from the tracks of other years. */

import {
  adamw,
  bucketBatches,
  chain,
  clipByNorm,
  cosineDecay,
  createRandom,
  dense,
  dropout,
  fit,
  gru,
  mixtureMean,
  mixtureNegativeLogLikelihood,
  mixtureSize,
  predict,
  recurrent,
  type Scaler,
  type Sequential,
  sampleMixture,
  scaleWith,
  sequential,
  sliceRows,
  standardScaler,
  type Tensor,
  tensor,
} from 'bptt';
import type { Example } from '../example';
import { type TrackMap, trackMaps } from '../plot/tracks';
import { distance, type Fix, place, readStorms, type Storm, way } from './storms';

/** A forecast reaches four fixes ahead. */
const ahead = 4;
/** Kilometers that one number of the model's answers stands for. */
const unit = 200;
const components = 4;

/** What the model sees of the fixes from the second on: place, season, strength, how it moved and how that changed. */
function featuresOf({ fixes }: Storm): Tensor {
  const rows = fixes.slice(1).map((fix, i) => {
    const now = way(fixes[i]!, fix);
    const before = i === 0 ? now : way(fixes[i - 1]!, fixes[i]!);
    const angle = 2 * Math.PI * fix.season;
    return [
      fix.latitude,
      fix.longitude,
      Math.sin(angle),
      Math.cos(angle),
      fix.wind,
      fix.pressure,
      fix.wind - fixes[i]!.wind,
      fix.pressure - fixes[i]!.pressure,
      ...now,
      now[0] - before[0],
      now[1] - before[1],
    ];
  });
  return tensor(rows);
}

/** How far a storm strays in 24 hours from where it was heading, at every fix that knows: `[T, 2]`. */
function targetsOf({ fixes }: Storm): Tensor {
  const rows = fixes.slice(1, -ahead).map((fix, i) => {
    const [[east, north], [v, w]] = [way(fix, fixes[i + 1 + ahead]!), way(fixes[i]!, fix)];
    return [(east - ahead * v) / unit, (north - ahead * w) / unit];
  });
  return tensor(rows);
}

/** The place that the model's answer, how far the storm strays, means. */
function placeOf(before: Fix, now: Fix, east: number, north: number): Pick<Fix, 'latitude' | 'longitude'> {
  const [v, w] = way(before, now);
  return place(now, [ahead * v + unit * east, ahead * w + unit * north]);
}

/** The answers for a storm, `[T, 1, …]`, at every fix from the second on. */
function answersFor(model: Sequential, scaler: Scaler, storm: Storm): Tensor {
  const { shape, data } = scaleWith(scaler, featuresOf(storm));
  return predict(model, { shape: [shape[0]!, 1, shape[1]!], data });
}

export const trajectories: Example = async ({ short, log, onProgress, save }) => {
  const storms = readStorms().filter(({ fixes }) => fixes.length > ahead + 1);
  const years = (from: number, to: number): readonly Storm[] => storms.filter(({ year }) => year >= from && year <= to);
  const [train, validation, test] = [years(1975, 2004), years(2005, 2009), years(2010, 2020)];
  const features = train.map(featuresOf);
  const scaler = standardScaler({
    shape: [features.reduce((rows, { shape }) => rows + shape[0]!, 0), features[0]!.shape[1]!],
    data: Float32Array.from(features.flatMap(({ data }) => [...data])),
  });
  const examplesOf = (chosen: readonly Storm[]): { input: Tensor; target: Tensor }[] =>
    chosen.map((storm) => {
      const target = targetsOf(storm);
      return { input: sliceRows(scaleWith(scaler, featuresOf(storm)), 0, target.shape[0]!), target };
    });
  const model = sequential(
    [
      recurrent(gru(), { hiddenSize: short ? 32 : 64, inputDropout: 0.1 }),
      dropout(0.3),
      dense({ size: mixtureSize({ components, size: 2 }) }),
    ],
    { inputSize: features[0]!.shape[1]!, seed: 1 },
  );
  const data = bucketBatches(examplesOf(train), { batchSize: 16 });
  const epochs = short ? 15 : 60;
  log(
    `${train.length} storms to learn from, ${validation.length} to watch, ${test.length} to be judged by (2010 to 2020); ${model.data.length} parameters`,
  );
  const { validationLosses } = await fit(model, data, {
    loss: mixtureNegativeLogLikelihood,
    optimizer: chain(
      clipByNorm(1),
      adamw(cosineDecay(5e-3, { steps: epochs * data.batchCount }), { weightDecay: 0.02 }),
    ),
    epochs,
    seed: 2,
    validation: bucketBatches(examplesOf(validation), { batchSize: 64, shuffle: false }),
    patience: epochs,
    onProgress,
  });

  const errors = { model: 0, heading: 0, staying: 0 };
  let count = 0;
  for (const storm of test) {
    const { data: strays } = mixtureMean(answersFor(model, scaler, storm), 2);
    for (let t = 1; t + ahead < storm.fixes.length; t++, count++) {
      const [before, now, then] = [storm.fixes[t - 1]!, storm.fixes[t]!, storm.fixes[t + ahead]!];
      errors.model += distance(placeOf(before, now, strays[2 * (t - 1)]!, strays[2 * (t - 1) + 1]!), then);
      errors.heading += distance(placeOf(before, now, 0, 0), then);
      errors.staying += distance(now, then);
    }
  }
  const figures = { model: errors.model / count, heading: errors.heading / count, staying: errors.staying / count };
  log(`\nmean error of the place 24 hours ahead, ${count} forecasts:`);
  log(`  the network          ${figures.model.toFixed(1)} km`);
  log(`  on, as it was going  ${figures.heading.toFixed(1)} km`);
  log(`  staying put          ${figures.staying.toFixed(1)} km`);
  log(
    `validation, negative log-likelihood: ${validationLosses[0]!.toFixed(3)} after the first epoch, ${Math.min(...validationLosses).toFixed(3)} at best`,
  );
  if (!short) save('tracks.svg', trackMaps(mapsOf(model, scaler, test)));
  return figures;
};

/** What three storms of the test years did, and forty places where they might have gone by what was known. */
function mapsOf(model: Sequential, scaler: Scaler, test: readonly Storm[]): readonly TrackMap[] {
  const random = createRandom(5);
  return [
    ['Sandy', 2012],
    ['Joaquin', 2015],
    ['Matthew', 2016],
  ].map(([name, year]) => {
    const storm = test.find((each) => each.name === name && each.year === year)!;
    const answers = answersFor(model, scaler, storm);
    const width = answers.shape[2]!;
    const points = (fixes: readonly Pick<Fix, 'latitude' | 'longitude'>[]): (readonly [number, number])[] =>
      fixes.map(({ longitude, latitude }) => [longitude, latitude]);
    // From a few moments, six hours of heading on and then what may be.
    const moments = [0.25, 0.5, 0.75].map((part) => Math.max(1, Math.floor(part * (storm.fixes.length - ahead - 1))));
    const possible = moments.flatMap((t) =>
      Array.from({ length: 40 }, () => {
        const { data } = sampleMixture(
          { shape: [1, width], data: answers.data.slice((t - 1) * width, t * width) },
          { size: 2, random },
        );
        return {
          name: 'possible',
          points: points([storm.fixes[t]!, placeOf(storm.fixes[t - 1]!, storm.fixes[t]!, data[0]!, data[1]!)]),
          color: '#e07b00',
          opacity: 0.28,
          width: 1,
        };
      }),
    );
    const heading = moments.map((t) => ({
      name: 'heading on',
      points: points([storm.fixes[t]!, placeOf(storm.fixes[t - 1]!, storm.fixes[t]!, 0, 0)]),
      color: '#b35c9e',
      width: 1.2,
    }));
    const true24 = moments.map((t) => ({
      name: 'after 24 h',
      points: points([storm.fixes[t + ahead]!]),
      color: '#c44536',
      dots: true,
    }));
    return {
      title: `${name}, ${year}`,
      tracks: [
        { name: 'track', points: points(storm.fixes), color: '#2f7fd6', width: 2 },
        ...possible,
        ...heading,
        ...true24,
      ],
    };
  });
}
