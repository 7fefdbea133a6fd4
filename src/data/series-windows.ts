/** Windows over a time series, to train a model that forecasts. */

import { shuffle } from '../tensor/random';
import { checkArray, checkCount, checkIds, checkNames, checkShape, checkSome, outOfRange } from '../tensor/shape';
import { checkTensor, type Tensor } from '../tensor/tensor';
import type { Batch, Dataset } from './dataset';

/** The options of {@link seriesWindows}. */
export interface SeriesWindowsOptions {
  /** T, the number of rows of the input. */
  readonly sequenceLength: number;
  /** The number of rows to forecast, those after the input. 1 by default. */
  readonly horizon?: number | undefined;
  /** The columns to forecast, O of them; all by default. */
  readonly targets?: readonly number[] | undefined;
  /** B, the number of windows in a batch; the last batch of an epoch may be smaller. */
  readonly batchSize: number;
  /** The number of rows from the start of one window to the start of the next; 1 by default. */
  readonly stride?: number | undefined;
  /** Whether windows are shuffled in every epoch; true by default. */
  readonly shuffle?: boolean | undefined;
}

/**
 * Creates a dataset of windows over a series: inputs `[T, B, F]`, and as targets the next `horizon` rows of the target
 * columns, `[B, horizon·O]`, row by row (the O values at t + 1, then those at t + 2, …), like the outputs of a dense
 * layer of that size. Windows are cut when their batch is read.
 *
 * Windows of training and test data must not overlap: {@link split} the series first.
 *
 * @param series `[N, F]`, one row per time
 * @throws TypeError if the series is not a tensor
 * @throws RangeError if the series is shorter than one window and its horizon, a column does not exist, or an option is
 * out of range
 * @example
 * const series = tensor(Float32Array.from({ length: 20 }, (_, i) => i), [10, 2]);
 * const dataset = seriesWindows(series, { sequenceLength: 3, horizon: 2, targets: [1], batchSize: 4, shuffle: false });
 * const [batch] = dataset.batches(createRandom(1));
 * batch!.inputs.shape; // [3, 4, 2]
 * batch!.targets.data.slice(0, 2); // Float32Array [7, 9]
 */
export function seriesWindows(series: Tensor, options: SeriesWindowsOptions): Dataset<Batch<Tensor, Tensor>> {
  checkNames('seriesWindows', 'options', options, [
    'sequenceLength',
    'horizon',
    'targets',
    'batchSize',
    'stride',
    'shuffle',
  ]);
  const { sequenceLength, horizon = 1, batchSize, stride = 1, shuffle: shuffled = true } = options;
  for (const [name, value] of Object.entries({ sequenceLength, horizon, batchSize, stride }))
    checkCount('seriesWindows', name, value);
  checkTensor('seriesWindows', 'series', series);
  checkShape('seriesWindows', 'series', series.shape, '[N, F]', [undefined, undefined], 'One variable is [N, 1].');
  const [N, F] = series.shape as [number, number];
  const columns = options.targets ?? Array.from({ length: F }, (_, column) => column);
  checkArray('seriesWindows', 'targets', columns);
  checkSome('seriesWindows', 'targets', columns.length, 'column');
  checkIds('seriesWindows', 'targets', columns, F);
  const count = Math.floor((N - sequenceLength - horizon) / stride) + 1;
  if (count < 1)
    throw outOfRange(
      'seriesWindows',
      'the number of rows',
      `at least sequenceLength + horizon = ${sequenceLength + horizon}`,
      N,
    );
  return {
    batchCount: Math.ceil(count / batchSize),
    *batches(random) {
      const starts = Int32Array.from({ length: count }, (_, window) => window * stride);
      if (shuffled) shuffle(random, starts);
      for (let first = 0; first < count; first += batchSize) {
        yield windowsAt(series, starts.subarray(first, first + batchSize), sequenceLength, horizon, columns);
      }
    },
  };
}

/** The windows that start at the given rows of the series, with their targets. */
function windowsAt(
  { shape, data }: Tensor,
  starts: Int32Array,
  sequenceLength: number,
  horizon: number,
  columns: readonly number[],
): Batch<Tensor, Tensor> {
  const B = starts.length;
  const F = shape[1]!;
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
