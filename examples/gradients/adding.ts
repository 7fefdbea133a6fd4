/**
 * The adding problem (Hochreiter and Schmidhuber, 1997), in the form of Le, Jaitly and Hinton (2015, arXiv 1504.00941).
 */

import { type Batch, integerNumber, type Random, type Tensor, uniformNumber } from 'bptt';

/**
 * Draws sequences of numbers from 0 to 1, two of which are marked: one in the first tenth of the steps, and one
 * anywhere after that. The target is the sum of the two.
 *
 * @returns inputs `[steps, rows, 2]` (number, mark) and targets `[rows, 1]`
 */
export function addingBatch(random: Random, steps: number, rows: number): Batch<Tensor> {
  const inputs = new Float32Array(steps * rows * 2);
  const targets = new Float32Array(rows);
  const early = Math.max(1, Math.floor(steps / 10));
  for (let row = 0; row < rows; row++) {
    const marks = [integerNumber(random, early), early + integerNumber(random, steps - early)];
    for (let t = 0; t < steps; t++) {
      const value = uniformNumber(random);
      const marked = marks.includes(t) ? 1 : 0;
      inputs.set([value, marked], (t * rows + row) * 2);
      targets[row]! += marked * value;
    }
  }
  return { inputs: { shape: [steps, rows, 2], data: inputs }, targets: { shape: [rows, 1], data: targets } };
}
