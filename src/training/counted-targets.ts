/** The targets of a metric that are not ignored. */

import { lastOf } from '../tensor/arrays';
import { outOfRange } from '../tensor/shape';
import { type IntTensor, isIntTensor, type Tensor } from '../tensor/tensor';
import { checkClassIds, checkPairs, largestIn, type MetricOptions, targetWeights } from './metrics';

/** Calls `visit` with the index and the weight of every target that is not ignored. */
export function forEachCounted(
  where: string,
  { shape, data }: Tensor | IntTensor,
  options: MetricOptions | undefined,
  visit: (index: number, weight: number) => void,
): void {
  const { weights } = targetWeights(where, shape, options ?? {});
  const width = data.length / weights.length;
  for (let i = 0; i < data.length; i++) {
    const weight = weights[Math.floor(i / width)]!;
    if (weight !== 0) visit(i, weight);
  }
}

/** The number of columns of a tensor: its last axis, or 1 for vectors and scalars. */
export const columnsOf = ({ shape }: Tensor): number => (shape.length < 2 ? 1 : lastOf(shape)!);

/** @throws RangeError if a target that is not ignored is not one of V classes */
export function checkClass(where: string, { data }: IntTensor, index: number, V: number): void {
  const target = data[index]!;
  if (!(target >= 0 && target < V))
    throw outOfRange(where, 'targets', `integers from 0 to ${V - 1}`, `${target} at index ${index}`);
}

/** @throws RangeError if a target that is not ignored is not 0 or 1 */
export function checkBinary(where: string, { data }: Tensor, index: number): void {
  const target = data[index]!;
  if (target !== 0 && target !== 1) throw outOfRange(where, 'targets', '0 or 1', `${target} at index ${index}`);
}

/**
 * Visits the class of every target that is not ignored and the predicted class. Class ids are compared with the largest
 * of V logits; targets of 0 or 1 are compared with logits above the threshold, per column.
 *
 * @param visit gets the column, which is 0 for class ids
 * @throws RangeError if the shapes do not fit, an id is outside [0, V), or another target is not 0 or 1
 */
export function forEachPrediction(
  where: string,
  logits: Tensor,
  targets: Tensor | IntTensor,
  options: MetricOptions | undefined,
  threshold: number,
  visit: (target: number, predicted: number, weight: number, column: number) => void,
): void {
  if (isIntTensor(targets)) {
    checkClassIds(where, logits.shape, targets);
    const V = lastOf(logits.shape)!;
    forEachCounted(where, targets, options, (row, weight) => {
      checkClass(where, targets, row, V);
      visit(targets.data[row]!, largestIn(logits.data, row * V, V), weight, 0);
    });
    return;
  }
  checkPairs(where, logits.shape, targets.shape);
  const columns = columnsOf(targets);
  forEachCounted(where, targets, options, (i, weight) => {
    checkBinary(where, targets, i);
    visit(targets.data[i]!, Number(logits.data[i]! > threshold), weight, i % columns);
  });
}
