/** The baseline: n-gram models of each attribute of a note, given the previous note. */

import { countNGrams, type NGrams, probabilityOf } from '../moby-dick/n-grams';
import { type Attribute, attributes, type NoteIds, recordOf, sizes, transpose } from './notes';

/**
 * The n-gram of each attribute: ids of the previous note and the attributes of this note that are predicted earlier,
 * the most informative last, then the attribute itself. Selected on the validation piece. `position` is that of the
 * previous note within four quarter notes, which is also an input of the network.
 */
const ngramOf: Readonly<Record<Attribute, (previous: NoteIds, note: NoteIds) => readonly number[]>> = {
  shift: (previous, note) => [previous.hand, previous.position, previous.shift, previous.duration, note.shift],
  hand: (previous, note) => [previous.hand, note.shift, previous.position, previous.shift, note.hand],
  pitch: (previous, note) => [previous.pitch, Number(note.shift > 0), 2 * previous.hand + note.hand, note.pitch],
  duration: (previous, note) => [
    previous.position,
    2 * previous.hand + note.hand,
    note.shift,
    previous.duration,
    note.duration,
  ],
};

/** An n-gram model per attribute. */
type Bigram = Readonly<Record<Attribute, NGrams>>;

/** Larger than every id. */
const base = 100;

/** Counts n-grams of pieces. Only pitches are counted in all keys: the other attributes do not depend on the key. */
export function countBigram(pieces: readonly (readonly NoteIds[])[], keys: readonly number[]): Bigram {
  return recordOf(attributes, (attribute) => {
    const ngrams = (
      attribute === 'pitch' ? pieces.flatMap((notes) => keys.map((by) => transpose(notes, by))) : pieces
    ).flatMap((notes) => notes.slice(1).map((note, i) => ngramOf[attribute](notes[i]!, note)));
    return countNGrams(ngrams, ngrams[0]!.length, base);
  });
}

/** Computes the mean of −log p of every attribute over all notes of a piece except the first. */
export function bigramLosses(bigram: Bigram, notes: readonly NoteIds[]): Readonly<Record<Attribute, number>> {
  return recordOf(
    attributes,
    (attribute) =>
      -notes
        .slice(1)
        .reduce(
          (sum, note, i) =>
            sum + Math.log(probabilityOf(bigram[attribute], ngramOf[attribute](notes[i]!, note), sizes[attribute])),
          0,
        ) /
      (notes.length - 1),
  );
}
