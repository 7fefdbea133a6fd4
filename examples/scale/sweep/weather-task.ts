/** Hyperparameters of a forecast: the highest temperature of tomorrow, from the last fourteen days. */

import {
  bucketBatches,
  dense,
  dropout,
  type Example,
  kFold,
  lstm,
  meanSquaredError,
  recurrent,
  sequential,
  type Tensor,
  tensor,
} from 'bptt';
import { choice, logRange, range } from './space';
import type { Task } from './task';
import { type Day, readDays } from './weather-days';

/** The number of days that are the input. */
const history = 14;

/** Which half of which year: a fold consists of whole half-years. */
const halfYearOf = ({ date }: Day): string => `${date.slice(0, 4)} ${Number(date.slice(5, 7)) > 6}`;

/** The features of a day, of about unit size. */
const featuresOf = ({ high, low, precipitation, angle }: Day): number[] => [
  high / 10,
  low / 10,
  Math.log1p(precipitation),
  Math.sin(angle),
  Math.cos(angle),
];

export const weatherTask: Task = {
  space: {
    learningRate: logRange(3e-4, 3e-1),
    hiddenSize: choice(8, 16, 32, 64),
    dropout: range(0, 0.5),
  },
  problemOf(settings, { fold, folds }, seed) {
    // Examples within one half-year only, so that no day is in the training and the test data.
    const windows = readDays().flatMap((days) =>
      days.flatMap((tomorrow, i) =>
        i >= history && halfYearOf(days[i - history]!) === halfYearOf(tomorrow)
          ? [{ group: halfYearOf(tomorrow), days: days.slice(i - history, i), tomorrow }]
          : [],
      ),
    );
    const { train, test } = kFold(
      windows.map(({ group }) => group),
      { k: folds, seed: 3 },
    )[fold]!;
    const examplesOf = (indices: Int32Array): Example<Tensor, Tensor>[] =>
      Array.from(indices, (i) => {
        const { days, tomorrow } = windows[i]!;
        // The change from today, which is easier to learn than the temperature itself.
        const change = (tomorrow.high - days[history - 1]!.high) / 10;
        return { input: tensor(days.map(featuresOf)), target: tensor([change]) };
      });
    const layers = [
      recurrent(lstm(), { hiddenSize: settings['hiddenSize']!, returnSequences: false }),
      dropout(settings['dropout']!),
      dense({ size: 1 }),
    ];
    return {
      model: sequential(layers, { inputSize: 5, seed }),
      train: bucketBatches(examplesOf(train), { batchSize: 32 }),
      test: bucketBatches(examplesOf(test), { batchSize: 256, shuffle: false }),
      loss: meanSquaredError,
    };
  },
};
