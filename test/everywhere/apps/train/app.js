import {
  adam,
  chain,
  characterVocabulary,
  clipByNorm,
  crossEntropy,
  decode,
  dense,
  embedding,
  encode,
  fit,
  generate,
  lstm,
  recurrent,
  sequential,
  windows,
} from 'bptt';

const text = 'the quick brown fox jumps over the lazy dog. '.repeat(40);

/** Trains on characters. Returns the first and last loss and a text. */
export async function run() {
  const vocabulary = characterVocabulary(text);
  const model = sequential(
    [
      embedding({ vocabularySize: vocabulary.size, size: 16 }),
      recurrent(lstm(), { hiddenSize: 32 }),
      dense({ size: vocabulary.size }),
    ],
    { seed: 7 },
  );
  const data = windows(encode(vocabulary, text), { sequenceLength: 32, batchSize: 8 });
  const optimizer = chain(clipByNorm(1), adam(1e-2));
  const { losses } = await fit(model, data, { loss: crossEntropy, optimizer, steps: 150 });
  const generated = generate(model, { prompt: encode(vocabulary, 'the '), length: 60, temperature: 0.3 });
  return [losses[0], losses[losses.length - 1], decode(vocabulary, generated)];
}
