/** Windows over a series of numbers, for learning to forecast. */

import { shuffle } from '../tensor/random';
import { checkCount, checkIds, checkShape, checkSome, describe } from '../tensor/shape';
import { isTensor, type Tensor } from '../tensor/tensor';
import type { Batch, Dataset } from './dataset';

/** How {@link seriesWindows} cuts a series. */
export interface SeriesWindowsOptions {
  /** T, how many rows the model sees. */
  readonly sequenceLength: number;
  /** How many rows behind them it is to forecast. 1 by default. */
  readonly horizon?: number;
  /** Which columns it is to forecast, O of them; all by default. */
  readonly targets?: readonly number[];
  readonly batchSize: number;
  /** How many rows lie between the beginnings of windows; 1 by default. */
  readonly stride?: number;
  /** Whether windows come in random order; true by default. */
  readonly shuffle?: boolean;
}

/**
 * A dataset of windows over a series: inputs `[T, B, F]`, and as targets the next `horizon` rows of the target columns, `[B, horizon·O]`, row
 * by row (`[t + 1: O numbers, t + 2: O numbers, …]`), as a dense layer of that size answers them. Windows are cut when their batch is made.
 *
 * Windows of training and test must not overlap: {@link split} the series first.
 *
 * @param series `[N, F]`, one row for each time
 * @throws TypeError where the series is no tensor
 * @throws RangeError where the series is shorter than one window and its horizon, there is no such column, or an option is out of range
 * @example
 * const series = tensor(Float32Array.from({ length: 20 }, (_, i) => i), [10, 2]);
 * const dataset = seriesWindows(series, { sequenceLength: 3, horizon: 2, targets: [1], batchSize: 4, shuffle: false });
 * const [batch] = dataset.batches(createRandom(1));
 * batch.inputs.shape; // [3, 4, 2]
 * batch.targets.data.slice(0, 2); // Float32Array [7, 9]
 */
export function seriesWindows(series: Tensor, options: SeriesWindowsOptions): Dataset {
  const { sequenceLength, horizon = 1, batchSize, stride = 1, shuffle: shuffled = true } = options;
  for (const [name, value] of Object.entries({ sequenceLength, horizon, batchSize, stride }))
    checkCount('seriesWindows', name, value);
  if (!isTensor(series)) throw new TypeError(`seriesWindows: series must be a tensor [N, F], got ${describe(series)}.`);
  checkShape('seriesWindows', 'series', series.shape, { letters: '[N, F]', lengths: [undefined, undefined] });
  const [N, F] = series.shape as [number, number];
  const columns = options.targets ?? Array.from({ length: F }, (_, column) => column);
  checkSome('seriesWindows', 'targets', columns.length, 'column');
  checkIds('seriesWindows', 'targets', columns, F, `The series has ${F} columns.`);
  const count = Math.floor((N - sequenceLength - horizon) / stride) + 1;
  if (count < 1)
    throw new RangeError(
      `seriesWindows: series must have at least sequenceLength + horizon = ${sequenceLength + horizon} rows, got ${N}.`,
    );
  return {
    batchCount: Math.ceil(count / batchSize),
    *batches(random) {
      const order = Int32Array.from({ length: count }, (_, window) => window * stride);
      if (shuffled) shuffle(random, order);
      for (let first = 0; first < count; first += batchSize) {
        yield windowsAt(series, order.subarray(first, first + batchSize), sequenceLength, horizon, columns);
      }
    },
  };
}

function windowsAt(
  { shape, data }: Tensor,
  starts: Int32Array,
  sequenceLength: number,
  horizon: number,
  columns: readonly number[],
): Batch {
  const [B, F] = [starts.length, shape[1]!];
  const inputs = new Float32Array(sequenceLength * B * F);
  const targets = new Float32Array(B * horizon * columns.length);
  let to = 0;
  starts.forEach((start, row) => {
    for (let t = 0; t < sequenceLength; t++)
      inputs.set(data.subarray((start + t) * F, (start + t + 1) * F), (t * B + row) * F);
    for (let t = 0; t < horizon; t++)
      for (const column of columns) targets[to++] = data[(start + sequenceLength + t) * F + column]!;
  });
  return {
    inputs: { shape: [sequenceLength, B, F], data: inputs },
    targets: { shape: [B, horizon * columns.length], data: targets },
  };
}
