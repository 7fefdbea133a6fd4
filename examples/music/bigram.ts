/** The baseline: the four ids of a note after those of the note before it, counted and smoothed. */

import { countNGrams, type NGrams, probabilityOf } from '../moby-dick/n-grams';
import { type Attribute, attributes, type NoteIds, sizes, transposed } from './notes';

/**
 * What is counted of the note before and of what is known of the note itself, what tells most last: of such choices the best on the piece that is watched. `place` is where in
 * four quarter notes the note before stands, which the network knows as well.
 */
const runOf: Readonly<Record<Attribute, (before: NoteIds, note: NoteIds) => readonly number[]>> = {
  shift: (before, note) => [before.hand, before.place, before.shift, before.duration, note.shift],
  hand: (before, note) => [before.hand, note.shift, before.place, before.shift, note.hand],
  pitch: (before, note) => [before.pitch, Number(note.shift > 0), 2 * before.hand + note.hand, note.pitch],
  duration: (before, note) => [before.place, 2 * before.hand + note.hand, note.shift, before.duration, note.duration],
};

/** Counts of every attribute. */
type Bigram = Readonly<Record<Attribute, NGrams>>;

const base = 100;

/** Counts pieces; pitches in all keys, the rest as it stands, which is better for both. */
export function countBigram(pieces: readonly (readonly NoteIds[])[], keys: readonly number[]): Bigram {
  return Object.fromEntries(
    attributes.map((attribute) => {
      const runs = (
        attribute === 'pitch' ? pieces.flatMap((notes) => keys.map((by) => transposed(notes, by))) : pieces
      ).flatMap((notes) => notes.slice(1).map((note, i) => runOf[attribute](notes[i]!, note)));
      return [attribute, countNGrams(runs, runs[0]!.length, base)];
    }),
  ) as unknown as Bigram;
}

/** The mean of −log p of every attribute over the notes of a piece but the first. */
export function bigramLosses(bigram: Bigram, notes: readonly NoteIds[]): Readonly<Record<Attribute, number>> {
  return Object.fromEntries(
    attributes.map((attribute) => [
      attribute,
      -notes
        .slice(1)
        .reduce(
          (sum, note, i) =>
            sum + Math.log(probabilityOf(bigram[attribute], runOf[attribute](notes[i]!, note), sizes[attribute])),
          0,
        ) /
        (notes.length - 1),
    ]),
  ) as Record<Attribute, number>;
}
