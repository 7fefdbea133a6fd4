/** The MIDI reader and writer of the music example, on the ten pieces and on files by hand. */

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Piece, readMidi, writeMidi } from '../../examples/music/midi';
import { notesOf, pieceOf, transposed } from '../../examples/music/notes';

const pieces = readdirSync('examples/music')
  .filter((name) => name.endsWith('.mid') && name !== 'generated.mid')
  .map((name) => [name, readMidi(readFileSync(`examples/music/${name}`))] as const);

const latin = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));

/** A file of one track with these events, 96 ticks a quarter. */
const fileOf = (
  events: readonly number[],
  { format = 0, division = [0, 96] }: { readonly format?: number; readonly division?: readonly number[] } = {},
): Uint8Array =>
  Uint8Array.from([
    ...latin('MThd'),
    0,
    0,
    0,
    6,
    0,
    format,
    0,
    1,
    ...division,
    ...latin('MTrk'),
    0,
    0,
    0,
    events.length,
    ...events,
  ]);

describe('MIDI', () => {
  it('reads the ten pieces: 20,490 notes, two hands each', () => {
    expect(pieces.length).toBe(10);
    expect(pieces.flatMap(([, { tracks }]) => tracks.flatMap(({ notes }) => notes)).length).toBe(20_490);
    for (const [name, { tracks }] of pieces) expect(tracks.length, name).toBe(2);
    const [, { division, tempo, meter }] = pieces.find(([name]) => name === 'the-entertainer.mid')!;
    expect([division, Math.round(tempo), meter]).toEqual([384, 72, [2, 4]]);
  });

  it.each(pieces)('%s is the same, written and read again', (_, piece) => {
    const again = readMidi(writeMidi(piece));
    expect(again.tempo).toBeCloseTo(piece.tempo, 3);
    expect({ ...again, tempo: 0 }).toEqual({ ...piece, tempo: 0 });
  });

  it.each(pieces)('%s as ids of notes and back has the same notes to the grid', (_, piece) => {
    const notes = notesOf(piece);
    const again = notesOf(pieceOf(notes, piece));
    expect(again.length).toBe(notes.length);
    // Where a time is none of the known ones, what comes later is moved, but nothing else.
    expect(again.map(({ place: _place, ...rest }) => rest)).toEqual(notes.map(({ place: _place, ...rest }) => rest));
  });

  it('moves pitches alone, and keeps them on the piano', () => {
    const notes = notesOf(pieces[0]![1]);
    const higher = transposed(notes, 5);
    expect(higher[0]!.pitch - notes[0]!.pitch).toBe(5);
    expect(higher.map(({ shift }) => shift)).toEqual(notes.map(({ shift }) => shift));
    const [low, high] = [
      transposed([{ ...notes[0]!, pitch: 0 }], -1)[0]!.pitch,
      transposed([{ ...notes[0]!, pitch: 87 }], 1)[0]!.pitch,
    ];
    expect([low, high]).toEqual([11, 76]);
  });

  it('reads an event without its kind, a note that is struck with no strength as its end, times of several bytes, and what it need not know', () => {
    const file = fileOf([
      0,
      0xff,
      0x51,
      3,
      0x07,
      0xa1,
      0x20, // 500,000 µs a quarter
      0,
      0xc0,
      5,
      0,
      0xb0,
      64,
      127,
      0,
      0xf0,
      2,
      1,
      0xf7, // a program, a pedal, something of a maker
      0,
      0x90,
      60,
      100,
      0,
      64,
      90, // two notes, the second without its kind
      0x81,
      0x00,
      60,
      0, // 128 ticks later
      96,
      0x80,
      64,
      0,
      0,
      0x90,
      67,
      1,
      10,
      0xff,
      0x2f,
      0, // nobody ends it but the track
    ]);
    expect(readMidi(file)).toEqual({
      division: 96,
      tempo: 120,
      meter: [4, 4],
      tracks: [
        {
          name: '',
          notes: [
            { start: 0, velocity: 90, duration: 224, pitch: 64 },
            { start: 0, velocity: 100, duration: 128, pitch: 60 },
            { start: 224, velocity: 1, duration: 10, pitch: 67 },
          ],
        },
      ],
    });
  });

  it('the same key struck twice ends in order', () => {
    const file = fileOf([0, 0x90, 60, 100, 10, 0x90, 60, 50, 10, 0x80, 60, 0, 10, 0x80, 60, 0]);
    expect(readMidi(file).tracks[0]!.notes).toEqual([
      { start: 0, velocity: 100, duration: 20, pitch: 60 },
      { start: 10, velocity: 50, duration: 20, pitch: 60 },
    ]);
  });

  it('reads a hundred thousand notes of one key, half of which nobody ends, and a name as long', () => {
    const notes = fileOf([
      0,
      0x90,
      ...Array.from({ length: 150_000 }, (_, i) => [60, i < 100_000 ? 1 : 0, 0])
        .flat()
        .slice(0, -1),
    ]);
    const [header, body] = [notes.slice(0, 18), notes.slice(22)];
    const whole = Uint8Array.from([...header, 0, ...[16, 8, 0].map((shift) => (body.length >> shift) & 255), ...body]);
    expect(readMidi(whole).tracks[0]!.notes.length).toBe(100_000);
    const name = [0, 0xff, 0x03, 0x87, 0xa1, 0x20, ...new Array<number>(7 * 16_384 + 33 * 128 + 32).fill(97)];
    const named = Uint8Array.from([
      ...header,
      0,
      ...[16, 8, 0].map((shift) => ((name.length + 4) >> shift) & 255),
      ...name,
      0,
      0x90,
      60,
      1,
    ]);
    expect(readMidi(named).tracks[0]!.name.length).toBe(118_944);
  });

  it('ends a track where it says so, and refuses a file of fewer tracks than it says', () => {
    const body = [0, 0x90, 60, 100, 10, 60, 0, 0, 0xff, 0x2f, 0, 1, 2, 3, 4];
    const file = fileOf(body);
    expect(readMidi(file).tracks[0]!.notes).toEqual([{ start: 0, velocity: 100, duration: 10, pitch: 60 }]);
    file[11] = 3;
    expect(() => readMidi(file)).toThrow('readMidi: the file says that it has 3 tracks, and has 1. Is it cut short?');
  });

  it.each<[string, Partial<Piece>, RegExp]>([
    ['half a tick', { division: 0.5 }, /division must be a whole number/],
    ['a tempo too slow to tell', { tempo: 3 }, /tempo must be from 3\.6/],
    ['no tempo', { tempo: 0 }, /tempo must/],
    ['a meter of thirds', { meter: [2, 3] }, /meter must .*, got 2\/3/],
    ['sixteen tracks', { tracks: Array.from({ length: 16 }, () => ({ name: '', notes: [] })) }, /at most 15 tracks/],
    ['a name of other letters', { tracks: [{ name: 'Č', notes: [] }] }, /Latin-1, got "Č"/],
    [
      'a note between two ticks',
      { tracks: [{ name: '', notes: [{ start: 0.5, duration: 1, pitch: 60, velocity: 1 }] }] },
      /a note must have whole numbers/,
    ],
    [
      'a key beyond the last',
      { tracks: [{ name: '', notes: [{ start: 0, duration: 1, pitch: 128, velocity: 1 }] }] },
      /pitch from 0 to 127/,
    ],
  ])('does not write %s', (_, part, message) => {
    expect(() => writeMidi({ division: 24, tempo: 100, meter: [2, 4], tracks: [], ...part })).toThrow(message);
  });

  it('writes fifteen tracks without the channel of the drums, and notes of no duration as one tick', () => {
    const tracks = Array.from({ length: 15 }, (_, i) => ({
      name: `${i}`,
      notes: [{ start: 5, duration: 0, pitch: 40 + i, velocity: 9 }],
    }));
    const bytes = writeMidi({ division: 24, tempo: 100, meter: [2, 4], tracks });
    expect(readMidi(bytes).tracks).toEqual(
      tracks.map(({ name, notes: [note] }) => ({ name, notes: [{ ...note!, duration: 1 }] })),
    );
    expect(Array.from(bytes).filter((byte) => byte === 0x99)).toEqual([]);
  });

  it('refuses in words what is no MIDI file, is cut short, or has another time', () => {
    expect(() => readMidi(Uint8Array.of(1, 2, 3))).toThrow('begins with MThd');
    expect(() => readMidi(fileOf([], { format: 2 }))).toThrow('format 0 or 1, got 2');
    expect(() => readMidi(fileOf([], { division: [0xe7, 40] }))).toThrow('parts of a quarter note');
    expect(() => readMidi(fileOf([0, 60, 100]))).toThrow('the kind of an event, got 60');
    expect(() => readMidi(fileOf([0xff, 0xff, 0xff, 0xff, 0x7f]))).toThrow('more than four bytes');
    expect(() => readMidi(fileOf([0, 0x90, 60, 200]))).toThrow('a number below 128, got 200');
    expect(() => readMidi(fileOf([0, 0xf2, 0, 0]))).toThrow('an event of kind 242');
    expect(() => readMidi(fileOf([0, 0xff, 0x51, 3, 0, 0, 0]))).toThrow('a tempo must be above 0');
    const whole = writeMidi(pieces[0]![1]);
    for (let length = 0; length < whole.length; length += 97)
      expect(() => readMidi(whole.subarray(0, length))).toThrow(RangeError);
  });

  it('writes what a player expects: an end to every track, ends before beginnings', () => {
    const piece: Piece = {
      division: 24,
      tempo: 100,
      meter: [3, 4],
      tracks: [
        {
          name: 'a',
          notes: [
            { start: 0, duration: 24, pitch: 60, velocity: 80 },
            { start: 24, duration: 24, pitch: 60, velocity: 80 },
          ],
        },
      ],
    };
    const bytes = writeMidi(piece);
    expect(readMidi(bytes)).toEqual(piece);
    const text = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    expect(text.split('ff2f00').length - 1).toBe(2);
    expect(text).toContain('803c4000903c50');
  });
});
