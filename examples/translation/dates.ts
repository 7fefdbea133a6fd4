/** Dates as people write them, in eight languages, and as computers do. */

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

interface Written {
  readonly text: string;
  readonly iso: string;
}

/** Every day of 1950 to 2049 in random order; each in one language and style. */
function datesOf(count: number, seed: number): readonly Written[] {
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
  /** The share of held-out dates that come out exactly. */
  readonly exact: number;
}

async function train(
  attention: boolean,
  short: boolean,
  pairs: readonly Pair[],
  source: Vocabulary,
  target: Vocabulary,
  held: readonly Written[],
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
  const written = greedySearch(model, padSequences(held.map(({ text }) => encode(source, text))));
  return { model, exact: written.filter(({ ids }, i) => decode(target, ids) === held[i]!.iso).length / held.length };
}

/** Trains with attention and without, and draws where attention looked. */
export async function dates({ short, log, onProgress, save }: ExampleOptions): Promise<Readonly<Record<string, number>>> {
  const all = datesOf(short ? 9000 : 21_000, 3);
  const [held, learned] = [all.slice(0, 1000), all.slice(1000)];
  const source = characterVocabulary(
    learned.map(({ text }) => text),
    { marks: ['unknown'] },
  );
  const target = characterVocabulary('0123456789-', { marks: ['start', 'end'] });
  const pairs = learned.map(({ text, iso }) => ({
    input: encode(source, text),
    target: encode(target, iso, { end: true }),
  }));
  log(
    `dates in ${languages.length} languages: ${learned.length} to learn from, ${held.length} other days to be judged by; such as ${held
      .slice(0, 3)
      .map(({ text }) => `“${text}”`)
      .join(', ')}`,
  );
  const withAttention = await train(true, short, pairs, source, target, held, onProgress);
  const without = await train(false, short, pairs, source, target, held, onProgress);
  log(
    `exactly right: ${(100 * withAttention.exact).toFixed(1)} % with attention, ${(100 * without.exact).toFixed(1)} % without\n`,
  );
  if (!short) {
    const shown = held.filter(({ text }) => text.length > 14 && text.length < 28).slice(0, 4);
    const written = greedySearch(withAttention.model, padSequences(shown.map(({ text }) => encode(source, text))));
    save(
      'attention.svg',
      heatMaps(
        shown.map(({ text }, i) => {
          const { ids, weights } = written[i]!;
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
  return { attention: withAttention.exact, 'no attention': without.exact };
}
