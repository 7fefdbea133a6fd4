/** The baseline: the four ids of a note after those of the note before it, counted and smoothed. */

import { countNGrams, probabilityOf, type NGrams } from '../moby-dick/n-grams';
import { attributes, sizes, transposed, type Attribute, type NoteIds } from './notes';

/** What tells most of an attribute, last: of the note before, and what is already known of the note itself. */
const runOf: Readonly<Record<Attribute, (before: NoteIds, note: NoteIds) => readonly number[]>> = {
  shift: (before, note) => [before.place, before.hand, before.shift, note.shift],
  hand: (before, note) => [before.shift, before.hand, note.shift, note.hand],
  pitch: (before, note) => [before.pitch, 2 * before.hand + note.hand, note.pitch],
  duration: (before, note) => [before.duration, 2 * before.hand + note.hand, note.shift, note.duration],
};

/** Counts of every attribute. */
type Bigram = Readonly<Record<Attribute, NGrams>>;

const base = 100;

/** Counts pieces; pitches in all keys, the rest as it stands, which is better for both. */
export function countBigram(pieces: readonly (readonly NoteIds[])[], keys: readonly number[]): Bigram {
  return Object.fromEntries(attributes.map((attribute) => {
    const runs = (attribute === 'pitch' ? pieces.flatMap((notes) => keys.map((by) => transposed(notes, by))) : pieces).flatMap((notes) => notes.slice(1).map((note, i) => runOf[attribute](notes[i]!, note)));
    return [attribute, countNGrams(runs, runs[0]!.length, base)];
  })) as unknown as Bigram;
}

/** The mean of −log p of every attribute over the notes of a piece but the first. */
export function bigramLosses(bigram: Bigram, notes: readonly NoteIds[]): Readonly<Record<Attribute, number>> {
  return Object.fromEntries(attributes.map((attribute) => [attribute,
    -notes.slice(1).reduce((sum, note, i) => sum + Math.log(probabilityOf(bigram[attribute], runOf[attribute](notes[i]!, note), sizes[attribute])), 0) / (notes.length - 1),
  ])) as Record<Attribute, number>;
}
