/** Translates short verses from English to Spanish, with an encoder-decoder and with a dictionary. */

import { readFileSync } from 'node:fs';
import {
  adam,
  beamSearch,
  bidirectional,
  chain,
  clipByNorm,
  cosineDecay,
  dropout,
  embedding,
  encode,
  encoderDecoder,
  fit,
  generalScore,
  gru,
  padSequences,
  pairBatches,
  type Vocabulary,
  wordVocabulary,
} from 'bptt';
import type { ExampleOptions } from '../example';
import { bleu } from './bleu';

/** Estimates the likeliest Spanish word of each English one: IBM Model 1, trained by EM (Brown et al., 1993). */
function dictionaryOf(
  pairs: readonly { readonly english: readonly string[]; readonly spanish: readonly string[] }[],
): ReadonlyMap<string, string> {
  let probabilities = new Map<string, Map<string, number>>();
  for (let iteration = 0; iteration < 6; iteration++) {
    const counts = new Map<string, Map<string, number>>();
    for (const { english, spanish } of pairs) {
      for (const word of spanish) {
        const weights = english.map((source) => probabilities.get(source)?.get(word) ?? (iteration === 0 ? 1 : 0));
        const sum = weights.reduce((a, b) => a + b, 0);
        english.forEach((source, i) => {
          const ofSource = counts.get(source) ?? new Map<string, number>();
          counts.set(source, ofSource.set(word, (ofSource.get(word) ?? 0) + weights[i]! / (sum || 1)));
        });
      }
    }
    probabilities = new Map(
      [...counts].map(([source, ofSource]) => {
        const sum = [...ofSource.values()].reduce((a, b) => a + b, 0);
        return [source, new Map([...ofSource].map(([word, count]) => [word, count / sum] as const))];
      }),
    );
  }
  return new Map(
    [...probabilities].map(([source, ofSource]) => [
      source,
      [...ofSource].reduce((best, next) => (next[1] > best[1] ? next : best))[0],
    ]),
  );
}

/**
 * Reads pairs of English and Spanish verses. Some verses recur in the book, such as “Yahweh spoke to Moses, saying,”.
 * Of pairs with the same English or the same Spanish verse, only the first is kept, so that no test verse is in the
 * training data.
 */
export function readVerses(): readonly (readonly [english: string, spanish: string])[] {
  const known = new Set<string>();
  return readFileSync('examples/translation/english-spanish.tsv', 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split('\t') as [string, string])
    .filter((verses) => {
      const keys = verses.map((verse, language) => `${language} ${verse.toLowerCase()}`);
      const isNew = !keys.some((key) => known.has(key));
      for (const key of keys) known.add(key);
      return isNew;
    });
}

/** Trains the network and compares it with the dictionary. */
export async function verses({ short, log, onProgress }: ExampleOptions): Promise<Readonly<Record<string, number>>> {
  const lines = readVerses();
  // Every tenth verse is in the test set.
  const [training, test] = [lines.filter((_, i) => i % 10 !== 0), lines.filter((_, i) => i % 10 === 0)];
  const vocabularyOf = (column: 0 | 1, texts: readonly (readonly [string, string])[], maxSize = Infinity): Vocabulary =>
    wordVocabulary(
      texts.map((pair) => pair[column]),
      { lowercase: true, maxSize, marks: ['unknown', 'start', 'end'] },
    );
  const [source, target] = [vocabularyOf(0, training, 1500), vocabularyOf(1, training, 1200)];
  // Unlimited vocabularies of all verses, for the dictionary and BLEU.
  const [fullSource, fullTarget] = [vocabularyOf(0, lines), vocabularyOf(1, lines)];
  const wordsOf = (vocabulary: Vocabulary, text: string): readonly string[] =>
    Array.from(encode(vocabulary, text), (id) => vocabulary.tokens[id]!);

  const size = short ? 32 : 96;
  const model = encoderDecoder({
    encoder: [
      embedding({ vocabularySize: source.size, size }),
      dropout(0.3),
      bidirectional(gru(), { hiddenSize: size }),
    ],
    decoder: {
      vocabularySize: target.size,
      embeddingSize: size,
      cell: gru(),
      hiddenSize: 2 * size,
      attention: generalScore(),
      dropout: 0.3,
    },
    start: target.marks.start!,
    end: target.marks.end!,
    seed: 1,
  });
  const data = pairBatches(
    training.map(([english, spanish]) => ({
      input: encode(source, english),
      target: encode(target, spanish, { end: true }),
    })),
    { batchSize: 32 },
  );
  const epochs = short ? 3 : 24;
  log(`verses: ${training.length} for training, ${test.length} for testing; ${model.data.length} parameters`);
  log(`vocabulary sizes: ${source.size} (English), ${target.size} (Spanish)`);
  await fit(model, data, {
    optimizer: chain(clipByNorm(1), adam(cosineDecay(3e-3, { steps: epochs * data.batchCount }))),
    epochs,
    seed: 4,
    onProgress,
  });

  const dictionary = dictionaryOf(
    training.map(([english, spanish]) => ({
      english: wordsOf(fullSource, english),
      spanish: wordsOf(fullTarget, spanish),
    })),
  );
  const translations = beamSearch(model, padSequences(test.map(([english]) => encode(source, english))), {
    beamSize: 4,
    maxLength: 30,
  }).map((hypotheses, i) => {
    const [{ ids, weights }, words] = [hypotheses[0]!, wordsOf(fullSource, test[i]![0])];
    const width = weights!.shape[1]!;
    // Replace each unknown word by the dictionary entry of the source word with the largest attention weight (Luong,
    // Sutskever, Le, Vinyals and Zaremba, 2015, arXiv 1410.8206).
    return Array.from(ids, (id, t) => {
      if (id !== target.marks.unknown) return target.tokens[id]!;
      // All punctuation marks are in the vocabulary, so only words can be unknown.
      const scores = Array.from(words, (word, s) => (/\p{L}/u.test(word) ? weights!.data[t * width + s]! : -1));
      const word = words[scores.indexOf(Math.max(...scores))]!;
      return dictionary.get(word) ?? word;
    });
  });
  const wordByWord = test.map(([english]) => wordsOf(fullSource, english).map((word) => dictionary.get(word) ?? word));
  const references = test.map(([, spanish]) => wordsOf(fullTarget, spanish));
  const metrics = { network: bleu(translations, references), 'word by word': bleu(wordByWord, references) };
  log(`BLEU: network ${metrics.network.toFixed(2)}, word by word ${metrics['word by word'].toFixed(2)}\n`);
  for (const i of [3, 40, 111, 200]) {
    log(`  ${test[i]![0]}`);
    log(`    reference:    ${references[i]!.join(' ')}`);
    log(`    network:      ${translations[i]!.join(' ')}`);
    log(`    word by word: ${wordByWord[i]!.join(' ')}`);
  }
  return metrics;
}
