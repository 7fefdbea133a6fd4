/** Predicts the next note of a piano piece for two hands, and composes a piece. */

import { adamw, chain, clipByNorm, cosineDecay, type Dataset, fit, integerNumber, type Random } from 'bptt';
import type { Example } from '../example';
import { type PianoRoll, pianoRolls } from '../plot/piano-roll';
import { bigramLosses, countBigram } from './bigram';
import { type Piece, writeMidi } from './midi';
import { musicModel, type Notes, notesBatch } from './model';
import { type Attribute, attributes, type NoteIds, notesOf, pieceOf, readPieces, transpose } from './notes';

const trainingPieces = [
  'bethena',
  'debussy-arabesque-no1',
  'elite-syncopations',
  'maple-leaf-rag',
  'pineapple-rag',
  'satie-gymnopedie-no1',
  'solace',
  'the-easy-winners',
];
const validationPiece = 'peacherine-rag';
const testPiece = 'the-entertainer';
/** Transpositions in semitones. Training on all of them makes the model independent of the key. */
const keys = Array.from({ length: 12 }, (_, i) => i - 5);

/**
 * Creates a dataset of random passages of the pieces in random keys.
 *
 * @param notes number of inputs of a passage, which has one more note
 * @param rows batch size
 * @param count number of batches
 */
function passages(
  pieces: readonly (readonly NoteIds[])[],
  { notes, rows, count }: { readonly notes: number; readonly rows: number; readonly count: number },
): Dataset<Notes> {
  const starts = pieces.flatMap((piece) =>
    Array.from({ length: piece.length - notes }, (_, start) => ({ piece, start })),
  );
  const draw = (random: Random): readonly NoteIds[] => {
    const { piece, start } = starts[integerNumber(random, starts.length)]!;
    return transpose(piece.slice(start, start + notes + 1), keys[integerNumber(random, keys.length)]!);
  };
  return {
    batchCount: count,
    *batches(random) {
      for (let i = 0; i < count; i++) yield notesBatch(Array.from({ length: rows }, () => draw(random)));
    },
  };
}

export const music: Example = async ({ short, log, onProgress, save }) => {
  const train = readPieces(trainingPieces).map(notesOf);
  const [validation, test] = readPieces([validationPiece, testPiece]) as [Piece, Piece];
  const [validationNotes, testNotes] = [notesOf(validation), notesOf(test)];
  const updates = short ? 700 : 1400;
  const network = musicModel({ hiddenSize: short ? 96 : 192, seed: 1 });
  const noteCount = train.reduce((sum, notes) => sum + notes.length, 0);
  log(
    `${train.length} training pieces with ${noteCount} notes, in twelve keys; ${network.model.data.length} parameters`,
  );
  await fit(
    network.model,
    passages(train, { ...(short ? { notes: 48, rows: 12 } : { notes: 64, rows: 16 }), count: 100 }),
    {
      optimizer: chain(
        clipByNorm(1),
        adamw(cosineDecay(short ? 8e-3 : 4e-3, { steps: updates, minRate: 1e-4 }), { weightDecay: 0.1 }),
      ),
      steps: updates,
      seed: 2,
      validation: { batchCount: 1, batches: () => [notesBatch([validationNotes])] },
      patience: updates,
      onProgress,
    },
  );

  const losses = {
    network: network.losses(notesBatch([testNotes])),
    bigram: bigramLosses(countBigram(train, keys), testNotes),
  };
  log(`\nmean −log p of a note of ${testPiece} (test piece, ${testNotes.length - 1} notes), in nats:\n`);
  log(`  ${''.padEnd(10)}${attributes.map((name) => name.padStart(10)).join('')}      note`);
  const metrics: Record<string, number> = {};
  for (const [name, byAttribute] of Object.entries(losses) as [string, Readonly<Record<Attribute, number>>][]) {
    metrics[name] = attributes.reduce((sum, attribute) => sum + byAttribute[attribute], 0);
    const values = [...attributes.map((attribute) => byAttribute[attribute]), metrics[name]];
    log(`  ${name.padEnd(10)}${values.map((value) => value.toFixed(3).padStart(10)).join('')}`);
  }

  const prompt = testNotes.slice(0, 40);
  const composed = network.compose(prompt, 500, { temperature: 0.9, seed: 1 });
  const piece = [...prompt, ...composed];
  const file = writeMidi(pieceOf(piece, test));
  metrics['notes'] = composed.length;
  log(
    `\ngenerated.mid: ${prompt.length} notes of ${testPiece} and ${composed.length} sampled ones, ${file.length} bytes`,
  );
  save('generated.mid', file);
  if (!short) {
    const length = prompt.length + 160;
    save(
      'roll.svg',
      pianoRolls(
        [
          rollOf(`${testPiece}, original`, pieceOf(testNotes.slice(0, length), test)),
          rollOf(
            `first ${prompt.length} notes of ${testPiece}, continued by the network`,
            pieceOf(piece.slice(0, length), test),
          ),
        ],
        [
          ['right hand', '#2f7fd6'],
          ['left hand', '#e07b00'],
        ],
      ),
    );
  }
  return metrics;
};

const rollOf = (title: string, { division, meter: [beats, beat], tracks }: Piece): PianoRoll => ({
  title,
  bar: (division * 4 * beats) / beat,
  sounds: tracks.flatMap(({ notes }, i) => notes.map((note) => ({ ...note, color: ['#2f7fd6', '#e07b00'][i]! }))),
});
