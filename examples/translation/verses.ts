/** Short verses from English to Spanish, by a network and word by word. */

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

/** The likeliest Spanish word of each English one: IBM's Model 1 by expectation and maximization (Brown et al., 1993). */
function dictionaryOf(
  pairs: readonly { readonly english: readonly string[]; readonly spanish: readonly string[] }[],
): ReadonlyMap<string, string> {
  let chances = new Map<string, Map<string, number>>();
  for (let turn = 0; turn < 6; turn++) {
    const counts = new Map<string, Map<string, number>>();
    for (const { english, spanish } of pairs) {
      for (const word of spanish) {
        const parts = english.map((each) => chances.get(each)?.get(word) ?? (turn === 0 ? 1 : 0));
        const sum = parts.reduce((a, b) => a + b, 0);
        english.forEach((each, i) => {
          const own = counts.get(each) ?? new Map<string, number>();
          counts.set(each, own.set(word, (own.get(word) ?? 0) + parts[i]! / (sum || 1)));
        });
      }
    }
    chances = new Map(
      [...counts].map(([each, own]) => {
        const sum = [...own.values()].reduce((a, b) => a + b, 0);
        return [each, new Map([...own].map(([word, count]) => [word, count / sum] as const))];
      }),
    );
  }
  return new Map(
    [...chances].map(([each, own]) => [each, [...own].reduce((best, next) => (next[1] > best[1] ? next : best))[0]]),
  );
}

/** Trains the network and compares. */
export async function verses({ short, log, onProgress }: ExampleOptions): Promise<Readonly<Record<string, number>>> {
  const lines = readFileSync('examples/translation/english-spanish.tsv', 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split('\t') as [string, string]);
  // Every tenth verse judges.
  const [learned, held] = [lines.filter((_, i) => i % 10 !== 0), lines.filter((_, i) => i % 10 === 0)];
  const vocabularyOf = (column: 0 | 1, texts: readonly (readonly [string, string])[], maxSize = Infinity): Vocabulary =>
    wordVocabulary(
      texts.map((pair) => pair[column]),
      { lowercase: true, maxSize, marks: ['unknown', 'start', 'end'] },
    );
  const [source, target] = [vocabularyOf(0, learned, 1500), vocabularyOf(1, learned, 1200)];
  // For counting: every word of all verses.
  const [allSource, allTarget] = [vocabularyOf(0, lines), vocabularyOf(1, lines)];
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
    learned.map(([english, spanish]) => ({
      input: encode(source, english),
      target: encode(target, spanish, { end: true }),
    })),
    { batchSize: 32 },
  );
  const epochs = short ? 3 : 12;
  log(
    `verses: ${learned.length} to learn from, ${held.length} to be judged by; ${source.size} English and ${target.size} Spanish words; ${model.data.length} parameters`,
  );
  await fit(model, data, {
    optimizer: chain(clipByNorm(1), adam(cosineDecay(3e-3, { steps: epochs * data.batchCount }))),
    epochs,
    seed: 4,
    onProgress,
  });

  const dictionary = dictionaryOf(
    learned.map(([english, spanish]) => ({
      english: wordsOf(allSource, english),
      spanish: wordsOf(allTarget, spanish),
    })),
  );
  const written = beamSearch(model, padSequences(held.map(([english]) => encode(source, english))), {
    beamSize: 4,
    maxLength: 30,
  }).map((found, i) => {
    const [{ ids, weights }, words] = [found[0]!, wordsOf(allSource, held[i]![0])];
    const width = weights!.shape[1]!;
    // In the place of a word it does not know stands what the dictionary has for the word it looked at (Luong, Sutskever, Le, Vinyals and Zaremba, 2015, arXiv 1410.8206).
    return Array.from(ids, (id, t) => {
      if (id !== target.marks.unknown) return target.tokens[id]!;
      // Of signs it knows all; it is a word that is missing.
      const seen = Array.from(words, (word, s) => (/\p{L}/u.test(word) ? weights!.data[t * width + s]! : -1));
      const word = words[seen.indexOf(Math.max(...seen))]!;
      return dictionary.get(word) ?? word;
    });
  });
  const wordByWord = held.map(([english]) => wordsOf(allSource, english).map((word) => dictionary.get(word) ?? word));
  const references = held.map(([, spanish]) => wordsOf(allTarget, spanish));
  const figures = { network: bleu(written, references), 'word by word': bleu(wordByWord, references) };
  log(`BLEU: network ${figures.network.toFixed(2)}, word by word ${figures['word by word'].toFixed(2)}\n`);
  for (const i of [3, 40, 111, 200])
    log(
      `  ${held[i]![0]}\n    as it stands: ${references[i]!.join(' ')}\n    network:      ${written[i]!.join(' ')}\n    word by word: ${wordByWord[i]!.join(' ')}`,
    );
  return figures;
}
