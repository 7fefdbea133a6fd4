/** Text: predict the next character of a text. */

// The text in the box beside the samples.
import { text } from 'playground:data';
import {
  characterVocabulary,
  crossEntropy,
  decode,
  dense,
  embedding,
  encode,
  generate,
  integerNumber,
  sequential,
} from 'bptt';

export const vocabulary = characterVocabulary(text);
const ids = encode(vocabulary, text);

/** Draws a batch of windows at random positions of the text: characters, and those that follow them. */
export function draw(random, { batchSize, length }) {
  const steps = Math.min(length, ids.length - 1);
  const starts = Array.from({ length: batchSize }, () => integerNumber(random, ids.length - steps));
  const shape = [steps, batchSize];
  const windowsAt = (offset) =>
    Int32Array.from(
      { length: steps * batchSize },
      (_, i) => ids[starts[i % batchSize] + Math.floor(i / batchSize) + offset],
    );
  return { inputs: { shape, data: windowsAt(0) }, targets: { shape, data: windowsAt(1) } };
}

export const loss = crossEntropy;

/** The baseline knows how often each character occurs. */
export function references() {
  const counts = new Map();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  const shares = [...counts.values()].map((count) => count / ids.length);
  return { baseline: -shares.reduce((sum, share) => sum + share * Math.log(share), 0) };
}

export function createModel(layer, { seed }) {
  const { size } = vocabulary;
  return sequential([embedding({ vocabularySize: size, size: 16 }), layer(), dense({ size })], { seed });
}

/** Shows how the model continues the first characters of the text. */
export function show(model, { batch, seed, temperature }) {
  const [steps, rows] = batch.inputs.shape;
  const first = Array.from({ length: steps }, (_, t) => batch.inputs.data[t * rows]);
  const prompt = ids.subarray(0, 8);
  return {
    kind: 'text',
    prompt: decode(vocabulary, prompt),
    text: decode(vocabulary, generate(model, { prompt, length: 240, temperature, seed })),
    labels: decode(vocabulary, first).replaceAll('\n', '↵'),
  };
}
