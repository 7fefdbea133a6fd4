/** The area under the receiver operating characteristic curve. */

import { lastOf } from '../tensor/arrays';
import { outOfRange } from '../tensor/shape';
import { isIntTensor } from '../tensor/tensor';
import { checkBinary, checkClass, columnsOf, forEachCounted } from './counted-targets';
import { checkClassIds, checkPairs, checkTotal, type DatasetMetric } from './metrics';

/** The scores of the targets of a label, with their weights. */
interface Scores {
  readonly scores: number[];
  readonly weights: number[];
  readonly positive: boolean[];
}

/**
 * The area under the ROC curve: the probability that a positive target has a larger logit than a negative one, where
 * equal logits count half (the statistic of Mann and Whitney, 1947). It is computed for every label and averaged. All
 * logits are kept until the result. NaN if all targets of a label are equal or ignored, or a logit is NaN.
 *
 * @returns a metric of logits `[..., 2]` and class ids `[...]`, or of logits `[..., O]` and labels `[..., O]` of 0 or 1
 * @throws RangeError if the shapes do not fit, a target is out of range, or all targets are ignored
 * @example
 * measure(rocAuc(), tensor([0.1, 0.4, 0.35, 0.8]), tensor([0, 0, 1, 1])); // 0.75
 */
export function rocAuc(): DatasetMetric {
  const where = 'rocAuc';
  return {
    start() {
      const labels: Scores[] = [];
      let total = 0;
      return {
        add(logits, targets, options) {
          const columns = isIntTensor(targets) ? 1 : columnsOf(targets);
          while (labels.length < columns) labels.push({ scores: [], weights: [], positive: [] });
          if (isIntTensor(targets)) {
            checkClassIds(where, logits.shape, targets);
            if (lastOf(logits.shape) !== 2) throw outOfRange(where, 'logits', 'of two classes', lastOf(logits.shape));
            forEachCounted(where, targets, options, (row, weight) => {
              checkClass(where, targets, row, 2);
              total += weight;
              const score = logits.data[2 * row + 1]! - logits.data[2 * row]!;
              addTo(labels[0]!, score, weight, targets.data[row] === 1);
            });
          } else {
            checkPairs(where, logits.shape, targets.shape);
            forEachCounted(where, targets, options, (i, weight) => {
              checkBinary(where, targets, i);
              total += weight;
              addTo(labels[i % columns]!, logits.data[i]!, weight, targets.data[i] === 1);
            });
          }
        },
        result() {
          checkTotal(where, total);
          return labels.reduce((sum, label) => sum + areaOf(label), 0) / labels.length;
        },
      };
    },
  };
}

function addTo(
  { scores, weights, positive: positives }: Scores,
  score: number,
  weight: number,
  positive: boolean,
): void {
  scores.push(score);
  weights.push(weight);
  positives.push(positive);
}

function areaOf({ scores, weights, positive }: Scores): number {
  if (scores.some(Number.isNaN)) return NaN;
  const order = Uint32Array.from(scores, (_, i) => i).sort((a, b) => scores[a]! - scores[b]! || 0);
  // The weights of positives, of negatives below them, and of both with the score at hand.
  let [area, positives, negatives] = [0, 0, 0];
  for (let i = 0; i < order.length; ) {
    const score = scores[order[i]!]!;
    let [tiedPositives, tiedNegatives] = [0, 0];
    for (; i < order.length && scores[order[i]!] === score; i++) {
      const at = order[i]!;
      if (positive[at]) tiedPositives += weights[at]!;
      else tiedNegatives += weights[at]!;
    }
    area += tiedPositives * (negatives + tiedNegatives / 2);
    positives += tiedPositives;
    negatives += tiedNegatives;
  }
  return area / (positives * negatives);
}
