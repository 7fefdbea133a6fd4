/** A piece of two hands as a sequence of notes, each told by four ids, and back. */

import { readFileSync } from 'node:fs';
import { type Piece, readMidi } from './midi';

/** Of a quarter note: sixteenths, triplets and thirty-seconds are whole. */
const unitsPerQuarter = 24;
/** Units after the note before, and for how long; other times become the nearest. */
const shifts = [0, 1, 2, 3, 4, 6, 8, 12, 16, 18, 24, 36, 48, 72];
const durations = [1, 2, 3, 4, 5, 6, 8, 11, 12, 16, 18, 21, 24, 30, 36, 48, 60, 72, 96, 144];
const lowest = 21;

/** What a note is told by, in the order in which it is guessed, and how many ids each has. */
export const attributes = ['shift', 'hand', 'pitch', 'duration'] as const;
export type Attribute = (typeof attributes)[number];
export const sizes: Readonly<Record<Attribute, number>> = {
  shift: shifts.length,
  hand: 2,
  pitch: 88,
  duration: durations.length,
};
/** Places in four quarter notes. */
export const places: number = 4 * unitsPerQuarter;

/** A note: how long after the one before it begins, with which hand (0 is the left), which key, for how long; and its place in four quarter notes. */
export type NoteIds = Readonly<Record<Attribute | 'place', number>>;

const nearest = (values: readonly number[], wanted: number): number => {
  const far = values.map((value) => Math.abs(Math.log((value + 0.5) / (wanted + 0.5))));
  return far.indexOf(Math.min(...far));
};

/** The notes of a piece in the order of their beginnings, the left hand first, from below. */
export function notesOf({ division, tracks }: Piece): readonly NoteIds[] {
  const units = (ticks: number): number => Math.round((ticks / division) * unitsPerQuarter);
  const notes = tracks
    .slice(0, 2)
    .flatMap((track, i) =>
      track.notes.map(({ start, duration, pitch }) => ({
        start: units(start),
        hand: 1 - i,
        pitch: pitch - lowest,
        duration: nearest(durations, units(duration)),
      })),
    );
  notes.sort((a, b) => a.start - b.start || a.hand - b.hand || a.pitch - b.pitch);
  return notes.map(({ start, ...note }, i) => ({
    ...note,
    shift: nearest(shifts, start - (notes[i - 1]?.start ?? start)),
    place: start % places,
  }));
}

/** The notes of a piece so many half tones higher; those that the piano lacks an octave back. */
export function transposed(notes: readonly NoteIds[], by: number): readonly NoteIds[] {
  return notes.map((note) => {
    const pitch = note.pitch + by;
    return { ...note, pitch: pitch < 0 ? pitch + 12 : pitch >= sizes.pitch ? pitch - 12 : pitch };
  });
}

/** A piece of notes, both hands as loud. */
export function pieceOf(notes: readonly NoteIds[], { tempo, meter }: Pick<Piece, 'tempo' | 'meter'>): Piece {
  let now = 0;
  const timed = notes.map(({ shift, hand, pitch, duration }, i) => ({
    start: (now += i === 0 ? 0 : shifts[shift]!),
    hand,
    duration: durations[duration]!,
    pitch: pitch + lowest,
    velocity: 80,
  }));
  const track = (name: string, wanted: number): Piece['tracks'][number] => ({
    name,
    notes: timed.filter(({ hand }) => hand === wanted).map(({ hand: _, ...note }) => note),
  });
  return { division: unitsPerQuarter, tempo, meter, tracks: [track('right hand', 1), track('left hand', 0)] };
}

/** The place of a note, so long after one at another place. */
export const placeAfter = (place: number, shift: number): number => (place + shifts[shift]!) % places;

/** All pieces by name. */
export function readPieces(names: readonly string[]): readonly Piece[] {
  return names.map((name) => readMidi(readFileSync(`examples/music/${name}.mid`)));
}
