/** Translates dates in eight languages to ISO 8601, with and without attention. */

import {
  adam,
  additiveScore,
  bidirectional,
  chain,
  characterVocabulary,
  clipByNorm,
  cosineDecay,
  createRandom,
  decode,
  type EncoderDecoder,
  embedding,
  encode,
  encoderDecoder,
  fit,
  greedySearch,
  gru,
  integerNumber,
  type Pair,
  padSequences,
  pairBatches,
  shuffle,
  type Vocabulary,
} from 'bptt';
import type { ExampleOptions } from '../example';
import { heatMaps } from '../plot/heat-map';

const languages = ['en', 'de', 'fr', 'es', 'it', 'pt', 'nl', 'pl'] as const;
const styles = ['full', 'long', 'medium'] as const;

/** A date in a language, and in ISO 8601. */
interface DatePair {
  readonly text: string;
  readonly iso: string;
}

/** Draws distinct days from 1950 to 2049 in random order, each in a random language and style. */
function datesOf(count: number, seed: number): readonly DatePair[] {
  const random = createRandom(seed);
  const days = shuffle(
    random,
    Int32Array.from({ length: 36_500 }, (_, i) => i),
  ).subarray(0, count);
  const formats = languages.flatMap((language) =>
    styles.map((dateStyle) => new Intl.DateTimeFormat(language, { dateStyle, timeZone: 'UTC' })),
  );
  return Array.from(days, (day) => {
    const date = new Date(Date.UTC(1950, 0, 1 + day));
    return { text: formats[integerNumber(random, formats.length)]!.format(date), iso: date.toISOString().slice(0, 10) };
  });
}

interface Trained {
  readonly model: EncoderDecoder;
  /** The fraction of test dates that are translated exactly. */
  readonly accuracy: number;
}

async function train(
  attention: boolean,
  short: boolean,
  pairs: readonly Pair[],
  source: Vocabulary,
  target: Vocabulary,
  test: readonly DatePair[],
  onProgress: ExampleOptions['onProgress'],
): Promise<Trained> {
  const model = encoderDecoder({
    encoder: [
      embedding({ vocabularySize: source.size, size: 24 }),
      bidirectional(gru(), { hiddenSize: short ? 32 : 48 }),
    ],
    decoder: {
      vocabularySize: target.size,
      embeddingSize: 16,
      cell: gru(),
      hiddenSize: short ? 64 : 96,
      ...(attention ? { attention: additiveScore({ size: 48 }) } : {}),
    },
    start: target.marks.start!,
    end: target.marks.end!,
    seed: 1,
  });
  const data = pairBatches(pairs, { batchSize: 32 });
  const steps = short ? 500 : 1000;
  await fit(model, data, {
    optimizer: chain(clipByNorm(1), adam(cosineDecay(4e-3, { steps }))),
    steps,
    seed: 2,
    onProgress,
  });
  const hypotheses = greedySearch(model, padSequences(test.map(({ text }) => encode(source, text))));
  const correct = hypotheses.filter(({ ids }, i) => decode(target, ids) === test[i]!.iso).length;
  return { model, accuracy: correct / test.length };
}

/** Trains with and without attention, and draws the attention weights. */
export async function dates({
  short,
  log,
  onProgress,
  save,
}: ExampleOptions): Promise<Readonly<Record<string, number>>> {
  const all = datesOf(short ? 9000 : 21_000, 3);
  const [test, training] = [all.slice(0, 1000), all.slice(1000)];
  const source = characterVocabulary(
    training.map(({ text }) => text),
    { marks: ['unknown'] },
  );
  const target = characterVocabulary('0123456789-', { marks: ['start', 'end'] });
  const pairs = training.map(({ text, iso }) => ({
    input: encode(source, text),
    target: encode(target, iso, { end: true }),
  }));
  const samples = test
    .slice(0, 3)
    .map(({ text }) => `“${text}”`)
    .join(', ');
  log(
    `dates in ${languages.length} languages: ${training.length} for training, ${test.length} for testing, ` +
      `for example ${samples}`,
  );
  const withAttention = await train(true, short, pairs, source, target, test, onProgress);
  const without = await train(false, short, pairs, source, target, test, onProgress);
  const percent = ({ accuracy }: Trained): string => `${(100 * accuracy).toFixed(1)} %`;
  log(`exact matches: ${percent(withAttention)} with attention, ${percent(without)} without\n`);
  if (!short) {
    const shown = test.filter(({ text }) => text.length > 14 && text.length < 28).slice(0, 4);
    const hypotheses = greedySearch(withAttention.model, padSequences(shown.map(({ text }) => encode(source, text))));
    save(
      'attention.svg',
      heatMaps(
        shown.map(({ text }, i) => {
          const { ids, weights } = hypotheses[i]!;
          const width = weights!.shape[1]!;
          return {
            title: decode(target, ids),
            columnNames: [...text],
            rowNames: [...decode(target, ids)],
            rows: Array.from({ length: 10 }, (_, t) => weights!.data.slice(t * width, t * width + [...text].length)),
          };
        }),
        { cell: 13, perRow: 2 },
      ),
    );
  }
  return { attention: withAttention.accuracy, 'no attention': without.accuracy };
}
