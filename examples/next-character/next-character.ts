/** Predicts the next character of Moby-Dick, and compares a GRU with n-gram models. */

import { readFileSync } from 'node:fs';
import {
  adam,
  bitsPerCharacter,
  chain,
  characterVocabulary,
  clipByNorm,
  cosineDecay,
  crossEntropy,
  decode,
  dense,
  embedding,
  encode,
  evaluate,
  fit,
  generate,
  gru,
  recurrent,
  sequential,
  split,
  windows,
} from 'bptt';
import type { Example } from '../example';
import { countNGrams, nGramLoss, ngramsOf } from '../moby-dick/n-grams';
import { linePlot } from '../plot/lines';

export const nextCharacter: Example = async ({ short, log, onProgress, save }) => {
  const text = readFileSync('examples/moby-dick/moby-dick.txt', 'utf8');
  const vocabulary = characterVocabulary(text);
  const [train, heldOut] = split(encode(vocabulary, text), [0.9, 0.1]);
  const [test, validation] = [heldOut.slice(0, 65_537), heldOut.slice(-16_385)];
  const model = sequential(
    [
      embedding({ vocabularySize: vocabulary.size, size: 32 }),
      recurrent(gru(), { hiddenSize: short ? 128 : 256 }),
      dense({ size: vocabulary.size }),
    ],
    { seed: 1 },
  );
  log(`${train.length} training and ${test.length - 1} test characters, vocabulary size ${vocabulary.size}`);
  log(`${model.data.length} parameters`);
  const inOrder = (ids: Int32Array): ReturnType<typeof windows> =>
    windows(ids, { sequenceLength: 1024, batchSize: 1, shuffle: false });
  const lossOn = (ids: Int32Array): number =>
    evaluate(model, inOrder(ids), { loss: crossEntropy, carryState: true }).loss;
  const updates = short ? 800 : 4000;
  const curve: [number, number][] = [];
  await fit(model, windows(train, { sequenceLength: 64, batchSize: 12 }), {
    loss: crossEntropy,
    optimizer: chain(clipByNorm(1), adam(cosineDecay(4e-3, { steps: updates, minRate: 1e-4 }))),
    steps: updates,
    seed: 1,
    onProgress(progress) {
      if (progress.step % 250 === 0) curve.push([progress.step, lossOn(validation)]);
      onProgress(progress);
    },
  });

  const metrics: Record<string, number> = { network: lossOn(test) };
  const grams = [3, 4, 5, 6, 7].map((order) => ({
    order,
    counts: countNGrams(ngramsOf(train, order), order, vocabulary.size),
  }));
  log(`\nloss per character on the test set\n\n  ${''.padEnd(22)}    nats    bits      size`);
  const row = (name: string, loss: number, size: number): void => {
    const values = [loss, bitsPerCharacter(loss)].map((value) => value.toFixed(3).padStart(8));
    log(`  ${name.padEnd(22)}${values.join('')}${String(size).padStart(10)}`);
  };
  for (const { order, counts } of grams) {
    metrics[`${order}-gram`] = nGramLoss(counts, test);
    row(
      `${order}-gram`,
      metrics[`${order}-gram`]!,
      counts.counts.reduce((sum, { size }) => sum + size, 0),
    );
  }
  row('network', metrics['network']!, model.data.length);
  const prompt = 'Call me ';
  const sample = generate(model, { prompt: encode(vocabulary, prompt), length: 400, temperature: 0.6, seed: 1 });
  log(`\n${prompt}${decode(vocabulary, sample)}`);
  if (!short) {
    const levels = grams.map(({ order, counts }) => {
      const level = nGramLoss(counts, validation);
      return {
        name: `${order}-gram`,
        dashed: true,
        points: [curve[0]!, curve.at(-1)!].map(([step]) => [step, level] as const),
      };
    });
    save(
      'learning.svg',
      linePlot([
        {
          title: 'Validation loss during training',
          x: 'updates',
          y: 'nats per character',
          lines: [{ name: 'network', points: curve }, ...levels],
          most: 2.2,
        },
      ]),
    );
  }
  return metrics;
};
