/** The next note of a piano piece, for two hands; and a piece that the network wrote. */

import { adamw, chain, clipByNorm, cosineDecay, type Dataset, fit, integerNumber, type Random } from 'bptt';
import type { Example } from '../example';
import { type PianoRoll, pianoRolls } from '../plot/piano-roll';
import { bigramLosses, countBigram } from './bigram';
import { type Piece, writeMidi } from './midi';
import { musicModel, type Notes, notesBatch } from './model';
import { type Attribute, attributes, type NoteIds, notesOf, pieceOf, readPieces, transposed } from './notes';

const learned = [
  'bethena',
  'debussy-arabesque-no1',
  'elite-syncopations',
  'maple-leaf-rag',
  'pineapple-rag',
  'satie-gymnopedie-no1',
  'solace',
  'the-easy-winners',
];
const watched = 'peacherine-rag';
const held = 'the-entertainer';
/** Half tones by which a piece is moved, so that it is learned in every key. */
const keys = Array.from({ length: 12 }, (_, i) => i - 5);

/** Rows of so many notes and the next, from anywhere in the pieces, in any key. */
function passages(
  pieces: readonly (readonly NoteIds[])[],
  { notes, rows, count }: { readonly notes: number; readonly rows: number; readonly count: number },
): Dataset<Notes> {
  const beginnings = pieces.flatMap((piece) =>
    Array.from({ length: piece.length - notes }, (_, start) => ({ piece, start })),
  );
  const draw = (random: Random): readonly NoteIds[] => {
    const { piece, start } = beginnings[integerNumber(random, beginnings.length)]!;
    return transposed(piece.slice(start, start + notes + 1), keys[integerNumber(random, keys.length)]!);
  };
  return {
    batchCount: count,
    *batches(random) {
      for (let i = 0; i < count; i++) yield notesBatch(Array.from({ length: rows }, () => draw(random)));
    },
  };
}

export const music: Example = async ({ short, log, onProgress, save }) => {
  const train = readPieces(learned).map(notesOf);
  const [watch, judge] = readPieces([watched, held]) as [Piece, Piece];
  const [watchNotes, judgeNotes] = [notesOf(watch), notesOf(judge)];
  const updates = short ? 700 : 1400;
  const network = musicModel({ hiddenSize: short ? 96 : 192, seed: 1 });
  log(
    `${train.length} pieces of ${train.reduce((sum, notes) => sum + notes.length, 0)} notes to learn from, in twelve keys; ${network.model.data.length} parameters`,
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
      validation: { batchCount: 1, batches: () => [notesBatch([watchNotes])] },
      patience: updates,
      onProgress,
    },
  );

  const losses = {
    network: network.losses(notesBatch([judgeNotes])),
    bigram: bigramLosses(countBigram(train, keys), judgeNotes),
  };
  log(`\n−log p of a note of ${held}, ${judgeNotes.length - 1} notes that were not learned from, in nats:\n`);
  log(`  ${''.padEnd(10)}${attributes.map((name) => name.padStart(10)).join('')}      note`);
  const figures: Record<string, number> = {};
  for (const [name, own] of Object.entries(losses) as [string, Readonly<Record<Attribute, number>>][]) {
    figures[name] = attributes.reduce((sum, attribute) => sum + own[attribute], 0);
    log(
      `  ${name.padEnd(10)}${[...attributes.map((attribute) => own[attribute]), figures[name]].map((value) => value.toFixed(3).padStart(10)).join('')}`,
    );
  }

  const prompt = judgeNotes.slice(0, 40);
  const written = network.compose(prompt, 500, { temperature: 0.9, seed: 1 });
  const whole = [...prompt, ...written];
  const file = writeMidi(pieceOf(whole, judge));
  figures['notes'] = written.length;
  log(
    `\na piece that begins with ${prompt.length} notes of ${held} and goes on with ${written.length} of the network's own: generated.mid, ${file.length} bytes`,
  );
  save('generated.mid', file);
  if (!short) {
    const length = prompt.length + 160;
    save(
      'roll.svg',
      pianoRolls(
        [
          rollOf(`${held}, as it is`, pieceOf(judgeNotes.slice(0, length), judge)),
          rollOf(
            `after its first ${prompt.length} notes, as the network goes on`,
            pieceOf(whole.slice(0, length), judge),
          ),
        ],
        [
          ['right hand', '#2f7fd6'],
          ['left hand', '#e07b00'],
        ],
      ),
    );
  }
  return figures;
};

const rollOf = (title: string, { division, meter: [beats, beat], tracks }: Piece): PianoRoll => ({
  title,
  bar: (division * 4 * beats) / beat,
  sounds: tracks.flatMap(({ notes }, i) => notes.map((note) => ({ ...note, color: ['#2f7fd6', '#e07b00'][i]! }))),
});
