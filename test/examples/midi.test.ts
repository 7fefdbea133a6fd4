/** The MIDI reader and writer of the music example, on the ten pieces and on handwritten files. */

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Piece, readMidi, writeMidi } from '../../examples/music/midi';
import { notesOf, pieceOf, transpose } from '../../examples/music/notes';

const pieces = readdirSync('examples/music')
  .filter((name) => name.endsWith('.mid') && name !== 'generated.mid')
  .map((name) => [name, readMidi(readFileSync(`examples/music/${name}`))] as const);

const latin1 = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));

/** Creates a file of one track with these events, with 96 ticks per quarter note. */
const fileOf = (
  events: readonly number[],
  { format = 0, division = [0, 96] }: { readonly format?: number; readonly division?: readonly number[] } = {},
): Uint8Array =>
  Uint8Array.from([
    ...latin1('MThd'),
    0,
    0,
    0,
    6,
    0,
    format,
    0,
    1,
    ...division,
    ...latin1('MTrk'),
    0,
    0,
    0,
    events.length,
    ...events,
  ]);

describe('MIDI', () => {
  it('reads ten pieces with 20,490 notes and two tracks each', () => {
    expect(pieces.length).toBe(10);
    expect(pieces.flatMap(([, { tracks }]) => tracks.flatMap(({ notes }) => notes)).length).toBe(20_490);
    for (const [name, { tracks }] of pieces) expect(tracks.length, name).toBe(2);
    const [, { division, tempo, meter }] = pieces.find(([name]) => name === 'the-entertainer.mid')!;
    expect([division, Math.round(tempo), meter]).toEqual([384, 72, [2, 4]]);
  });

  it.each(pieces)('writing and reading %s preserves the piece', (_, piece) => {
    const again = readMidi(writeMidi(piece));
    expect(again.tempo).toBeCloseTo(piece.tempo, 3);
    expect({ ...again, tempo: 0 }).toEqual({ ...piece, tempo: 0 });
  });

  it.each(pieces)('converting %s to note ids and back preserves the notes on the grid', (_, piece) => {
    const notes = notesOf(piece);
    const again = notesOf(pieceOf(notes, piece));
    expect(again.length).toBe(notes.length);
    // Rounding a shift moves all later notes, so positions may differ; all other ids are equal.
    expect(again.map(({ position: _position, ...rest }) => rest)).toEqual(
      notes.map(({ position: _position, ...rest }) => rest),
    );
  });

  it('transpose changes only pitches, and keeps them within the range of a piano', () => {
    const notes = notesOf(pieces[0]![1]);
    const higher = transpose(notes, 5);
    expect(higher[0]!.pitch - notes[0]!.pitch).toBe(5);
    expect(higher.map(({ shift }) => shift)).toEqual(notes.map(({ shift }) => shift));
    const [low, high] = [
      transpose([{ ...notes[0]!, pitch: 0 }], -1)[0]!.pitch,
      transpose([{ ...notes[0]!, pitch: 87 }], 1)[0]!.pitch,
    ];
    expect([low, high]).toEqual([11, 76]);
  });

  it('reads running status, note-on with velocity 0 as note-off, multi-byte times, and skips other events', () => {
    const file = fileOf([
      0,
      0xff,
      0x51,
      3,
      0x07,
      0xa1,
      0x20, // 500,000 µs per quarter note
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
      0xf7, // program change, pedal, system exclusive
      0,
      0x90,
      60,
      100,
      0,
      64,
      90, // two notes, the second with running status
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
      0, // ended by the end of the track
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

  it('overlapping notes of the same key end in order of their starts', () => {
    const file = fileOf([0, 0x90, 60, 100, 10, 0x90, 60, 50, 10, 0x80, 60, 0, 10, 0x80, 60, 0]);
    expect(readMidi(file).tracks[0]!.notes).toEqual([
      { start: 0, velocity: 100, duration: 20, pitch: 60 },
      { start: 10, velocity: 50, duration: 20, pitch: 60 },
    ]);
  });

  it('reads 100,000 overlapping notes of one key, half without an end, and a track name of 118,944 characters', () => {
    const notes = fileOf([
      0,
      0x90,
      ...Array.from({ length: 150_000 }, (_, i) => [60, i < 100_000 ? 1 : 0, 0])
        .flat()
        .slice(0, -1),
    ]);
    const [header, body] = [notes.slice(0, 18), notes.slice(22)];
    const file = Uint8Array.from([...header, 0, ...[16, 8, 0].map((shift) => (body.length >> shift) & 255), ...body]);
    expect(readMidi(file).tracks[0]!.notes.length).toBe(100_000);
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

  it('stops at the end-of-track event, and rejects a file with fewer tracks than its header specifies', () => {
    const body = [0, 0x90, 60, 100, 10, 60, 0, 0, 0xff, 0x2f, 0, 1, 2, 3, 4];
    const file = fileOf(body);
    expect(readMidi(file).tracks[0]!.notes).toEqual([{ start: 0, velocity: 100, duration: 10, pitch: 60 }]);
    file[11] = 3;
    expect(() => readMidi(file)).toThrow('readMidi: expected track 2 of 3 from the header. The file may be truncated.');
  });

  it.each<[string, Partial<Piece>, RegExp]>([
    ['a fractional division', { division: 0.5 }, /division must be an integer/],
    ['a tempo that is too slow', { tempo: 3 }, /tempo must be from 3\.6/],
    ['a tempo of 0', { tempo: 0 }, /tempo must/],
    ['a meter whose denominator is not a power of two', { meter: [2, 3] }, /meter must .*, got 2\/3/],
    ['sixteen tracks', { tracks: Array.from({ length: 16 }, () => ({ name: '', notes: [] })) }, /at most 15 tracks/],
    ['a name that is not Latin-1', { tracks: [{ name: 'Č', notes: [] }] }, /Latin-1 characters, got "Č"/],
    [
      'a note with a fractional start',
      { tracks: [{ name: '', notes: [{ start: 0.5, duration: 1, pitch: 60, velocity: 1 }] }] },
      /start and duration of a note must be non-negative integers/,
    ],
    [
      'a pitch above 127',
      { tracks: [{ name: '', notes: [{ start: 0, duration: 1, pitch: 128, velocity: 1 }] }] },
      /pitch from 0 to 127/,
    ],
  ])('writeMidi rejects %s', (_, part, message) => {
    expect(() => writeMidi({ division: 24, tempo: 100, meter: [2, 4], tracks: [], ...part })).toThrow(message);
  });

  it('writes fifteen tracks without using the drum channel, and notes of duration 0 as one tick', () => {
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

  it('rejects files that are not MIDI, are malformed or truncated, or use SMPTE time', () => {
    expect(() => readMidi(Uint8Array.of(1, 2, 3))).toThrow('starts with MThd');
    expect(() => readMidi(fileOf([], { format: 2 }))).toThrow('format must be 0 or 1, got 2');
    expect(() => readMidi(fileOf([], { division: [0xe7, 40] }))).toThrow('ticks per quarter note, got SMPTE frames');
    expect(() => readMidi(fileOf([0, 60, 100]))).toThrow('a status byte, got 60');
    expect(() => readMidi(fileOf([0xff, 0xff, 0xff, 0xff, 0x7f]))).toThrow('at most four bytes');
    expect(() => readMidi(fileOf([0, 0x90, 60, 200]))).toThrow('data bytes must be less than 128, got 200');
    expect(() => readMidi(fileOf([0, 0xf2, 0, 0]))).toThrow('valid in files, got 242');
    expect(() => readMidi(fileOf([0, 0xff, 0x51, 3, 0, 0, 0]))).toThrow('tempo must be positive, got 0');
    const file = writeMidi(pieces[0]![1]);
    for (let length = 0; length < file.length; length += 97)
      expect(() => readMidi(file.subarray(0, length))).toThrow(RangeError);
  });

  it('writes an end of every track, and note-off before note-on at the same tick', () => {
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
