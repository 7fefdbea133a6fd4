/** The adding problem (Hochreiter and Schmidhuber, 1997): add the two marked numbers of a sequence. */

import { dense, integerNumber, meanSquaredError, predict, sequential, uniformNumber } from 'bptt';

/** Draws a batch: numbers from 0 to 1 with two marks, one in each half, and the sum of the marked numbers. */
export function draw(random, { batchSize, length }) {
  const inputs = Float32Array.from({ length: length * batchSize * 2 }, (_, i) => (i % 2 ? 0 : uniformNumber(random)));
  const targets = new Float32Array(batchSize);
  const half = Math.floor(length / 2);
  for (let row = 0; row < batchSize; row++) {
    for (const step of [integerNumber(random, half), half + integerNumber(random, length - half)]) {
      const offset = (step * batchSize + row) * 2;
      inputs[offset + 1] = 1;
      targets[row] += inputs[offset];
    }
  }
  return {
    inputs: { shape: [length, batchSize, 2], data: inputs },
    targets: { shape: [batchSize, 1], data: targets },
  };
}

export const loss = meanSquaredError;

/** The best constant prediction is 1, the mean of the sum. Its squared error is the variance of the sum, 1/6. */
export const references = () => ({ baseline: 1 / 6, best: 0 });

export function createModel(layer, { seed }) {
  return sequential([layer({ returnSequences: false }), dense({ size: 1 })], { inputSize: 2, seed });
}

/** Shows the predicted sums against the true sums of a batch. */
export function show(model, { batch }) {
  const { data } = predict(model, batch.inputs);
  const [steps, rows] = batch.inputs.shape;
  // The marks of the first sequence, for the heat maps.
  const labels = Array.from({ length: steps }, (_, t) => (batch.inputs.data[t * rows * 2 + 1] ? '▲' : ' ')).join('');
  return { kind: 'scatter', x: Array.from(batch.targets.data), y: Array.from(data), labels };
}
