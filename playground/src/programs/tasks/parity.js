/** Parity: after every bit, tell whether the number of ones so far is odd. */

import { crossEntropy, dense, integerNumber, predict, sampleFromLogits, sequential } from 'bptt';

/** Draws a batch: random bits, and the parity of the bits up to each step. */
export function draw(random, { batchSize, length }) {
  const inputs = Float32Array.from({ length: length * batchSize }, () => integerNumber(random, 2));
  const targets = new Int32Array(inputs.length);
  inputs.forEach((bit, i) => {
    targets[i] = (i < batchSize ? 0 : targets[i - batchSize]) ^ bit;
  });
  return {
    inputs: { shape: [length, batchSize, 1], data: inputs },
    targets: { shape: [length, batchSize], data: targets },
  };
}

export const loss = crossEntropy;

/** Each bit changes the answer, so that guessing from some of the bits is no better than tossing a coin. */
export const references = () => ({ baseline: Math.LN2, best: 0 });

export function createModel(layer, { seed }) {
  return sequential([layer(), dense({ size: 2 })], { inputSize: 1, seed });
}

/** Shows what the model predicts for the first sequence of a batch. */
export function show(model, { batch, random, temperature }) {
  const { data, shape } = predict(model, batch.inputs);
  const [steps, rows] = shape;
  const first = ({ data }) => Array.from({ length: steps }, (_, t) => data[t * rows]).join('');
  const output = Array.from({ length: steps }, (_, t) =>
    sampleFromLogits(data.subarray(t * rows * 2, (t * rows + 1) * 2), random, { temperature }),
  );
  return { kind: 'tokens', input: first(batch.inputs), target: first(batch.targets), output: output.join('') };
}
