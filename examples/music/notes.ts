/** Converts a piece for two hands to a sequence of notes of four ids each, and back. */

import { readFileSync } from 'node:fs';
import { type Piece, readMidi } from './midi';

/** Grid units per quarter note. Sixteenths, thirty-seconds and triplets are integers of units. */
const unitsPerQuarter = 24;
/** The possible times since the previous note and durations, in grid units. Other times are rounded to the nearest. */
const shifts = [0, 1, 2, 3, 4, 6, 8, 12, 16, 18, 24, 36, 48, 72];
const durations = [1, 2, 3, 4, 5, 6, 8, 11, 12, 16, 18, 21, 24, 30, 36, 48, 60, 72, 96, 144];
/** MIDI note number of the lowest key of a piano. */
const lowest = 21;

/** The attributes of a note, in the order of prediction. */
export const attributes = ['shift', 'hand', 'pitch', 'duration'] as const;
export type Attribute = (typeof attributes)[number];

/** Creates an object with a value for each name. */
export function recordOf<K extends string, V>(
  names: readonly K[],
  compute: (name: K, index: number) => V,
): Readonly<Record<K, V>> {
  // Object.fromEntries widens the keys to string; they are exactly the names.
  return Object.fromEntries(names.map((name, i) => [name, compute(name, i)])) as Record<K, V>;
}

/** The number of ids of each attribute. */
export const sizes: Readonly<Record<Attribute, number>> = {
  shift: shifts.length,
  hand: 2,
  pitch: 88,
  duration: durations.length,
};
/** The number of grid units in four quarter notes. */
export const positions: number = 4 * unitsPerQuarter;

/**
 * A note: index into `shifts` of the time since the previous note, hand (0 is the left), key, index into `durations`;
 * and its position within four quarter notes, in grid units.
 */
export type NoteIds = Readonly<Record<Attribute | 'position', number>>;

/** Returns the index of the value with the smallest ratio to the target. */
const nearest = (values: readonly number[], target: number): number => {
  const distances = values.map((value) => Math.abs(Math.log((value + 0.5) / (target + 0.5))));
  return distances.indexOf(Math.min(...distances));
};

/**
 * Converts the first two tracks of a piece, right hand first, to notes sorted by start, hand (left first) and pitch.
 */
export function notesOf({ division, tracks }: Piece): readonly NoteIds[] {
  const units = (ticks: number): number => Math.round((ticks / division) * unitsPerQuarter);
  const notes = tracks.slice(0, 2).flatMap((track, i) =>
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
    position: start % positions,
  }));
}

/** Transposes notes by a number of semitones. Notes outside the range of a piano are moved back by an octave. */
export function transpose(notes: readonly NoteIds[], by: number): readonly NoteIds[] {
  return notes.map((note) => {
    const pitch = note.pitch + by;
    return { ...note, pitch: pitch < 0 ? pitch + 12 : pitch >= sizes.pitch ? pitch - 12 : pitch };
  });
}

/** Converts notes to a piece of two tracks, right hand first, with constant velocity. */
export function pieceOf(notes: readonly NoteIds[], { tempo, meter }: Pick<Piece, 'tempo' | 'meter'>): Piece {
  let now = 0;
  const timed = notes.map(({ shift, hand, pitch, duration }, i) => {
    if (i > 0) now += shifts[shift]!;
    return { start: now, hand, duration: durations[duration]!, pitch: pitch + lowest, velocity: 80 };
  });
  const track = (name: string, side: number): Piece['tracks'][number] => ({
    name,
    notes: timed.filter(({ hand }) => hand === side).map(({ hand: _, ...note }) => note),
  });
  return { division: unitsPerQuarter, tempo, meter, tracks: [track('right hand', 1), track('left hand', 0)] };
}

/** Returns the position of a note within four quarter notes, from that of the previous note and the shift id. */
export const nextPosition = (position: number, shift: number): number => (position + shifts[shift]!) % positions;

/** Reads pieces by file name without extension. */
export function readPieces(names: readonly string[]): readonly Piece[] {
  return names.map((name) => readMidi(readFileSync(`examples/music/${name}.mid`)));
}
