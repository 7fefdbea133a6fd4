/** The next character of Moby-Dick: a network beside counts of what follows what. */

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
import { countNGrams, nGramLoss, runsOf } from '../moby-dick/n-grams';
import { linePlot } from '../plot/lines';

export const nextCharacter: Example = async ({ short, log, onProgress, save }) => {
  const text = readFileSync('examples/moby-dick/moby-dick.txt', 'utf8');
  const vocabulary = characterVocabulary(text);
  const [train, held] = split(encode(vocabulary, text), [0.9, 0.1]);
  const [judge, watch] = [held.slice(0, 65_537), held.slice(-16_385)];
  const model = sequential(
    [
      embedding({ vocabularySize: vocabulary.size, size: 32 }),
      recurrent(gru(), { hiddenSize: short ? 128 : 256 }),
      dense({ size: vocabulary.size }),
    ],
    { seed: 1 },
  );
  log(
    `${vocabulary.size} characters, ${train.length} to learn from, ${judge.length - 1} to be judged by; ${model.data.length} parameters`,
  );
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
      if (progress.step % 250 === 0) curve.push([progress.step, lossOn(watch)]);
      onProgress(progress);
    },
  });

  const figures: Record<string, number> = { network: lossOn(judge) };
  const grams = [3, 4, 5, 6, 7].map((order) => ({
    order,
    counts: countNGrams(runsOf(train, order), order, vocabulary.size),
  }));
  log('\nthe next character, in nats and in bits, and how many numbers know it:\n');
  const row = (name: string, loss: number, numbers: number): void =>
    log(
      `  ${name.padEnd(22)}${loss.toFixed(3).padStart(8)}${bitsPerCharacter(loss).toFixed(3).padStart(8)}${String(numbers).padStart(10)}`,
    );
  for (const { order, counts } of grams) {
    figures[`${order} characters`] = nGramLoss(counts, judge);
    row(
      `counts of ${order} characters`,
      figures[`${order} characters`]!,
      counts.counts.reduce((sum, { size }) => sum + size, 0),
    );
  }
  row('network', figures['network']!, model.data.length);
  const prompt = 'Call me ';
  log(
    `\n${prompt}${decode(vocabulary, generate(model, { prompt: encode(vocabulary, prompt), length: 400, temperature: 0.6, seed: 1 }))}`,
  );
  if (!short) {
    const levels = grams.map(({ order, counts }) => {
      const level = nGramLoss(counts, watch);
      return {
        name: `counts of ${order}`,
        dashed: true,
        points: [curve[0]!, curve.at(-1)!].map(([step]) => [step, level] as const),
      };
    });
    save(
      'learning.svg',
      linePlot([
        {
          title: 'The next character, held-out text',
          x: 'updates',
          y: 'nats',
          lines: [{ name: 'network', points: curve }, ...levels],
          most: 2.2,
        },
      ]),
    );
  }
  return figures;
};
