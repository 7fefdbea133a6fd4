/** Echo: repeat the symbol that was read a fixed number of steps ago. */

import { crossEntropy, dense, embedding, integerNumber, predict, sampleFromLogits, sequential } from 'bptt';

const symbols = 'ABCD';

/** Draws a batch: random symbols, and as targets the symbols `lag` steps before them. */
export function draw(random, { batchSize, lag }) {
  const steps = 2 * lag + 8;
  const shape = [steps, batchSize];
  const inputs = Int32Array.from({ length: steps * batchSize }, () => integerNumber(random, symbols.length));
  const targets = new Int32Array(inputs.length);
  targets.set(inputs.subarray(0, (steps - lag) * batchSize), lag * batchSize);
  // The first steps have nothing to repeat, so they do not count in the loss.
  const mask = Float32Array.from(inputs, (_, i) => (i < lag * batchSize ? 0 : 1));
  return { inputs: { shape, data: inputs }, targets: { shape, data: targets }, mask: { shape, data: mask } };
}

export const loss = crossEntropy;

/** Without memory, all symbols are equally likely. A network with a perfect memory has loss 0. */
export const references = () => ({ baseline: Math.log(symbols.length), best: 0 });

export function createModel(layer, { seed }) {
  return sequential(
    [embedding({ vocabularySize: symbols.length, size: 4 }), layer(), dense({ size: symbols.length })],
    {
      seed,
    },
  );
}

/** Shows what the model predicts for the first sequence of a batch. */
export function show(model, { batch, random, temperature }) {
  const { data, shape } = predict(model, batch.inputs);
  const [steps, rows, classes] = shape;
  const ids = ({ data }) => Array.from({ length: steps }, (_, t) => data[t * rows]);
  const output = ids(batch.inputs).map((_, t) => {
    const logits = data.subarray(t * rows * classes, (t * rows + 1) * classes);
    return sampleFromLogits(logits, random, { temperature });
  });
  const text = (list) => list.map((id) => symbols[id]).join('');
  const counted = ids(batch.mask).map((weight) => weight > 0);
  return {
    kind: 'tokens',
    input: text(ids(batch.inputs)),
    target: text(ids(batch.targets)),
    output: text(output),
    counted,
  };
}
