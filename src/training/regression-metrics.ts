/** Metrics of predicted values. The mean absolute and the mean squared error are losses, which are metrics, too. */

import type { Tensor } from '../tensor/tensor';
import { columnsOf, forEachCounted } from './counted-targets';
import { checkPairs, checkTotal, type DatasetMetric } from './metrics';

/**
 * The root of the mean squared error over all elements.
 *
 * @returns a metric of predictions `[...]` and targets `[...]`
 * @throws RangeError if the shapes differ, or all targets are ignored
 * @example
 * measure(rootMeanSquaredError(), tensor([1, 2]), tensor([4, 6])); // √12.5 = 3.535…
 */
export function rootMeanSquaredError(): DatasetMetric<Tensor> {
  const where = 'rootMeanSquaredError';
  return {
    start() {
      let [total, squares] = [0, 0];
      return {
        add(predictions, targets, options) {
          checkPairs(where, predictions.shape, targets.shape);
          forEachCounted(where, targets, options, (i, weight) => {
            total += weight;
            squares += weight * (predictions.data[i]! - targets.data[i]!) ** 2;
          });
        },
        result() {
          checkTotal(where, total);
          return Math.sqrt(squares / total);
        },
      };
    },
  };
}

/** Sums over the targets of a column: their weights, their mean, and the squares of deviations and errors. */
interface Column {
  total: number;
  mean: number;
  deviations: number;
  errors: number;
}

/**
 * The coefficient of determination R² = 1 − Σ (target − prediction)² / Σ (target − mean)²: 1 for exact predictions, 0
 * for the mean of the targets. It is computed for every column of `[..., O]` and averaged, as in scikit-learn; vectors
 * are one column. A column of equal targets has R² 1 if the predictions are exact, else 0.
 *
 * @returns a metric of predictions `[..., O]` and targets `[..., O]`
 * @throws RangeError if the shapes differ, or all targets of a column are ignored
 * @example
 * measure(r2Score(), tensor([2.5, 0, 2, 8]), tensor([3, -0.5, 2, 7])); // 0.948608
 */
export function r2Score(): DatasetMetric<Tensor> {
  return {
    start() {
      const columns: Column[] = [];
      return {
        add(predictions, targets, options) {
          checkPairs('r2Score', predictions.shape, targets.shape);
          const O = columnsOf(targets);
          while (columns.length < O) columns.push({ total: 0, mean: NaN, deviations: 0, errors: 0 });
          forEachCounted('r2Score', targets, options, (i, weight) =>
            addTo(columns[i % O]!, predictions.data[i]!, targets.data[i]!, weight),
          );
        },
        result: () => columns.reduce((sum, column) => sum + r2Of(column), 0) / columns.length,
      };
    },
  };
}

/** Adds a target to the sums, without cancellation (West, 1979, "Updating mean and variance estimates"). */
function addTo(column: Column, prediction: number, target: number, weight: number): void {
  // From the first target on, the mean of equal targets is exact.
  if (column.total === 0) column.mean = target;
  column.total += weight;
  const difference = target - column.mean;
  column.mean += (difference * weight) / column.total;
  column.deviations += weight * difference * (target - column.mean);
  column.errors += weight * (target - prediction) ** 2;
}

function r2Of({ total, deviations, errors }: Column): number {
  checkTotal('r2Score', total);
  if (deviations === 0 && errors >= 0) return errors === 0 ? 1 : 0;
  return 1 - errors / deviations;
}
