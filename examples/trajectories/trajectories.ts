/** Forecasts the position of an Atlantic storm 24 hours ahead as a mixture of Gaussians. */

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
import { displace, displacement, distance, type Fix, type Position, readStorms, type Storm } from './storms';

/** Forecast horizon in fixes: 24 hours. */
const ahead = 4;
/** Kilometers per unit of the model's output. */
const unit = 200;
/** Number of components of the mixture. */
const components = 4;

/**
 * Computes features of all fixes from the second on: position, season, strength, velocity and acceleration, `[T, 12]`.
 */
function featuresOf({ fixes }: Storm): Tensor {
  const rows = fixes.slice(1).map((fix, i) => {
    const velocity = displacement(fixes[i]!, fix);
    const previous = i === 0 ? velocity : displacement(fixes[i - 1]!, fixes[i]!);
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
      ...velocity,
      velocity[0] - previous[0],
      velocity[1] - previous[1],
    ];
  });
  return tensor(rows);
}

/**
 * Computes the targets: the deviation from constant velocity after 24 hours, in units of 200 km, for every fix that is
 * followed by four others, `[T, 2]`.
 */
function targetsOf({ fixes }: Storm): Tensor {
  const rows = fixes.slice(1, -ahead).map((fix, i) => {
    const [[east, north], [v, w]] = [displacement(fix, fixes[i + 1 + ahead]!), displacement(fixes[i]!, fix)];
    return [(east - ahead * v) / unit, (north - ahead * w) / unit];
  });
  return tensor(rows);
}

/** Converts a predicted deviation from constant velocity to a position. */
function positionOf(previous: Fix, current: Fix, east: number, north: number): Position {
  const [v, w] = displacement(previous, current);
  return displace(current, [ahead * v + unit * east, ahead * w + unit * north]);
}

/** Computes the mixture parameters for every fix of a storm from the second on, `[T, 1, mixtureSize]`. */
function predictMixtures(model: Sequential, scaler: Scaler, storm: Storm): Tensor {
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
  const examplesOf = (subset: readonly Storm[]): { input: Tensor; target: Tensor }[] =>
    subset.map((storm) => {
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
    `tracks: ${train.length} for training, ${validation.length} for validation, ${test.length} for testing (2010–2020)`,
  );
  log(`${model.data.length} parameters`);
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

  const errors = { network: 0, constantVelocity: 0, noMotion: 0 };
  let count = 0;
  for (const storm of test) {
    const { data: deviations } = mixtureMean(predictMixtures(model, scaler, storm), 2);
    for (let t = 1; t + ahead < storm.fixes.length; t++, count++) {
      const [previous, current, future] = [storm.fixes[t - 1]!, storm.fixes[t]!, storm.fixes[t + ahead]!];
      const [east, north] = [deviations[2 * (t - 1)]!, deviations[2 * (t - 1) + 1]!];
      errors.network += distance(positionOf(previous, current, east, north), future);
      errors.constantVelocity += distance(positionOf(previous, current, 0, 0), future);
      errors.noMotion += distance(current, future);
    }
  }
  const metrics = {
    network: errors.network / count,
    'constant velocity': errors.constantVelocity / count,
    'no motion': errors.noMotion / count,
  };
  log(`\nmean error of the position 24 hours ahead, ${count} forecasts:`);
  for (const [name, error] of Object.entries(metrics)) log(`  ${name.padEnd(20)} ${error.toFixed(1)} km`);
  const [firstLoss, bestLoss] = [validationLosses[0]!, Math.min(...validationLosses)];
  log(`validation negative log-likelihood: ${firstLoss.toFixed(3)} after the first epoch, best ${bestLoss.toFixed(3)}`);
  if (!short) save('tracks.svg', trackMaps(createMaps(model, scaler, test)));
  return metrics;
};

/** Creates maps of three test storms with forty samples from the predicted distribution at three moments each. */
function createMaps(model: Sequential, scaler: Scaler, test: readonly Storm[]): readonly TrackMap[] {
  const random = createRandom(5);
  return [
    ['Sandy', 2012],
    ['Joaquin', 2015],
    ['Matthew', 2016],
  ].map(([name, year]) => {
    const storm = test.find((candidate) => candidate.name === name && candidate.year === year)!;
    const mixtures = predictMixtures(model, scaler, storm);
    const width = mixtures.shape[2]!;
    const points = (positions: readonly Position[]): (readonly [number, number])[] =>
      positions.map(({ longitude, latitude }) => [longitude, latitude]);
    const moments = [0.25, 0.5, 0.75].map((fraction) =>
      Math.max(1, Math.floor(fraction * (storm.fixes.length - ahead - 1))),
    );
    const samples = moments.flatMap((t) =>
      Array.from({ length: 40 }, () => {
        const { data } = sampleMixture(
          { shape: [1, width], data: mixtures.data.slice((t - 1) * width, t * width) },
          { size: 2, random },
        );
        return {
          name: 'samples',
          points: points([storm.fixes[t]!, positionOf(storm.fixes[t - 1]!, storm.fixes[t]!, data[0]!, data[1]!)]),
          color: '#e07b00',
          opacity: 0.28,
          width: 1,
        };
      }),
    );
    const constantVelocity = moments.map((t) => ({
      name: 'constant velocity',
      points: points([storm.fixes[t]!, positionOf(storm.fixes[t - 1]!, storm.fixes[t]!, 0, 0)]),
      color: '#b35c9e',
      width: 1.2,
    }));
    const actual = moments.map((t) => ({
      name: 'actual, 24 h later',
      points: points([storm.fixes[t + ahead]!]),
      color: '#c44536',
      dots: true,
    }));
    return {
      title: `${name}, ${year}`,
      tracks: [
        { name: 'track', points: points(storm.fixes), color: '#2f7fd6', width: 2 },
        ...samples,
        ...constantVelocity,
        ...actual,
      ],
    };
  });
}
