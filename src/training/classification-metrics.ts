/** Metrics of predicted classes. */

import { lastOf } from '../tensor/arrays';
import { checkChoice, checkCount, checkNames, checkNumber, outOfRange } from '../tensor/shape';
import { checkTensor, type IntTensor, isIntTensor, type Tensor } from '../tensor/tensor';
import { checkClass, columnsOf, forEachCounted, forEachPrediction } from './counted-targets';
import { checkClassIds, checkTotal, type DatasetMetric, type MetricOptions } from './metrics';

/** How {@link f1Score} combines classes or labels. */
export type F1Average = 'binary' | 'macro' | 'micro';

/** The options of {@link f1Score}. */
export interface F1Options {
  /**
   * `'binary'`: of class 1 of two, or of the only label (the default). `'macro'`: the mean over the classes that occur
   * among targets or predictions, or over all labels. `'micro'`: of all classes or labels together; for class ids it
   * equals the {@link accuracy}.
   */
  readonly average?: F1Average | undefined;
  /** The logit above which a label is predicted: 0, a probability of one half, by default. */
  readonly threshold?: number | undefined;
}

/** The weights of true positives, false positives and false negatives. */
interface Counts {
  hits: number;
  falseAlarms: number;
  misses: number;
}

/**
 * The F1 score, the harmonic mean of precision and recall: 2 · TP / (2 · TP + FP + FN), 0 without any positives, as in
 * scikit-learn.
 *
 * @returns a metric of logits `[..., V]` and class ids `[...]`, or of logits `[..., O]` and labels `[..., O]` of 0 or 1
 * @throws RangeError if an option or a target is out of range, the shapes do not fit, all targets are ignored, or
 * `'binary'` is used for other than two classes or one label
 * @example
 * measure(f1Score(), tensor([[3], [1], [-2]]), tensor([[1], [0], [0]])); // 2/3 = 0.666…
 * const logits = tensor([[2, 0, 1], [0, 1, 0], [0, 3, 1]]);
 * measure(f1Score({ average: 'macro' }), logits, intTensor([0, 1, 2])); // 5/9 = 0.555…
 */
export function f1Score(options: F1Options = {}): DatasetMetric {
  checkNames('f1Score', 'options', options, ['average', 'threshold']);
  const { average = 'binary', threshold = 0 } = options;
  checkChoice('f1Score', 'average', average, ['binary', 'macro', 'micro']);
  checkNumber('f1Score', 'threshold', threshold);
  return {
    start() {
      const counts: Counts[] = [];
      let ofClasses = true;
      let total = 0;
      return {
        add(logits, targets, counting) {
          ofClasses = isIntTensor(targets);
          const size = ofClasses ? lastOf(logits.shape)! : columnsOf(logits);
          if (average === 'binary' && size !== (ofClasses ? 2 : 1))
            throw new RangeError(
              `f1Score: average must be 'macro' or 'micro' for ${size} classes or labels, got 'binary'.`,
            );
          while (counts.length < size) counts.push({ hits: 0, falseAlarms: 0, misses: 0 });
          forEachPrediction('f1Score', logits, targets, counting, threshold, (target, predicted, weight, column) => {
            total += weight;
            if (ofClasses) addClasses(counts, target, predicted, weight);
            else addLabel(counts[column]!, target, predicted, weight);
          });
        },
        result() {
          checkTotal('f1Score', total);
          if (average === 'binary') return f1Of(counts.slice(-1));
          if (average === 'micro') return f1Of(counts);
          // Classes that do not occur have no F1 score; labels have the score 0.
          const used = counts.filter(({ hits, falseAlarms, misses }) => !ofClasses || hits + falseAlarms + misses > 0);
          return used.reduce((sum, count) => sum + f1Of([count]), 0) / used.length;
        },
      };
    },
  };
}

function addClasses(counts: readonly Counts[], target: number, predicted: number, weight: number): void {
  if (target === predicted) counts[target]!.hits += weight;
  else {
    counts[predicted]!.falseAlarms += weight;
    counts[target]!.misses += weight;
  }
}

function addLabel(counts: Counts, target: number, predicted: number, weight: number): void {
  if (target + predicted > 1) counts.hits += weight;
  else if (predicted > target) counts.falseAlarms += weight;
  else if (target > predicted) counts.misses += weight;
}

/** The F1 score of the sums of the counts. */
function f1Of(counts: readonly Counts[]): number {
  let [hits, errors] = [0, 0];
  for (const count of counts) {
    hits += count.hits;
    errors += count.falseAlarms + count.misses;
  }
  return hits === 0 ? 0 : (2 * hits) / (2 * hits + errors);
}

/**
 * The confusion matrix: the weights of the targets of every class (rows) by predicted class (columns), as in
 * scikit-learn.
 *
 * @param options.threshold the logit above which a label is predicted: 0, a probability of one half, by default
 * @returns a metric of logits `[..., V]` and class ids `[...]`, with V × V weights; or of logits `[..., 1]` and labels
 * `[..., 1]` of 0 or 1, with 2 × 2 weights
 * @throws RangeError if a target is out of range, the shapes do not fit, or there is more than one label
 * @example
 * const logits = tensor([[2, 0], [0, 1], [0, 3]]);
 * measure(confusionMatrix(), logits, intTensor([0, 1, 0])); // [[1, 1], [0, 1]]
 */
export function confusionMatrix(
  options: { readonly threshold?: number | undefined } = {},
): DatasetMetric<Tensor | IntTensor, readonly (readonly number[])[]> {
  checkNames('confusionMatrix', 'options', options, ['threshold']);
  const { threshold = 0 } = options;
  checkNumber('confusionMatrix', 'threshold', threshold);
  return {
    start() {
      const rows: number[][] = [];
      return {
        add(logits, targets, counting) {
          const ofClasses = isIntTensor(targets);
          if (!ofClasses && columnsOf(logits) !== 1)
            throw outOfRange('confusionMatrix', 'logits', 'of one label', columnsOf(logits));
          const V = ofClasses ? lastOf(logits.shape)! : 2;
          while (rows.length < V) rows.push(new Array<number>(V).fill(0));
          forEachPrediction('confusionMatrix', logits, targets, counting, threshold, (target, predicted, weight) => {
            rows[target]![predicted]! += weight;
          });
        },
        result: () => rows.map((row) => [...row]),
      };
    },
  };
}

/**
 * Creates a metric like {@link accuracy}: the fraction of targets whose logit is among the k largest. Of equal logits,
 * the first ones count as larger.
 *
 * @param k 5 by default
 * @returns a metric of logits `[..., V]` and class ids `[...]`
 * @throws RangeError if k is not an integer of at least 1; from the metric, as {@link accuracy}, and if a target
 * that is not ignored is outside [0, V)
 * @example
 * topKAccuracy(2)(tensor([[3, 2, 1], [3, 2, 1]]), intTensor([1, 2])); // 0.5
 */
export function topKAccuracy(k: number = 5): (logits: Tensor, targets: IntTensor, options?: MetricOptions) => number {
  checkCount('topKAccuracy', 'k', k);
  return (logits, targets, options = {}) => {
    checkTensor('topKAccuracy', 'logits', logits);
    checkNames('topKAccuracy', 'options', options, ['mask', 'lengths']);
    checkClassIds('topKAccuracy', logits.shape, targets);
    const V = lastOf(logits.shape)!;
    let [total, correct] = [0, 0];
    forEachCounted('topKAccuracy', targets, options, (row, weight) => {
      checkClass('topKAccuracy', targets, row, V);
      const rank = rankIn(logits.data.subarray(row * V, (row + 1) * V), targets.data[row]!);
      total += weight;
      if (rank < k) correct += weight;
    });
    checkTotal('topKAccuracy', total);
    return correct / total;
  };
}

/** The number of values that are not less than that at `index`; of equal ones, only those before it. */
function rankIn(values: Float32Array, index: number): number {
  let rank = 0;
  // The negations count NaN.
  values.forEach((value, j) => {
    if (j < index ? !(value < values[index]!) : j > index && !(value <= values[index]!)) rank++;
  });
  return rank;
}
