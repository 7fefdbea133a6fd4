/** Reads and writes the notes of standard MIDI files. */

/** A note. Times are in ticks. */
export interface Note {
  readonly start: number;
  readonly duration: number;
  /** MIDI note number: semitones, middle C is 60. */
  readonly pitch: number;
  /** 1 to 127 */
  readonly velocity: number;
}

/** A track, for example the notes of one hand. */
export interface Track {
  readonly name: string;
  /** Sorted by start, then by pitch from high to low. */
  readonly notes: readonly Note[];
}

/** A piece of music. */
export interface Piece {
  /** Ticks per quarter note. */
  readonly division: number;
  /** Quarter notes per minute. {@link readMidi} returns the first tempo of the file, or 120 if it has none. */
  readonly tempo: number;
  /** Time signature. {@link readMidi} returns the first of the file, or 4/4 if it has none. */
  readonly meter: readonly [beats: number, beat: number];
  /** {@link readMidi} omits tracks without notes. */
  readonly tracks: readonly Track[];
}

/** Reads values from a byte array in order. */
interface Reader {
  /** The number of unread bytes. */
  readonly remaining: () => number;
  readonly byte: () => number;
  /** Reads a big-endian unsigned integer. */
  readonly integer: (bytes: number) => number;
  /** Reads Latin-1 text. */
  readonly text: (length: number) => string;
  /** Returns a reader of the next bytes, and skips them. */
  readonly chunk: (length: number) => Reader;
  /** Reads a variable-length integer: seven bits per byte, the high bit marks a continuation. */
  readonly variableLength: () => number;
}

function createReader(bytes: Uint8Array): Reader {
  let position = 0;
  const take = (length: number): Uint8Array => {
    if (position + length > bytes.length)
      throw new RangeError(
        `readMidi: expected at least ${position + length} bytes, got ${bytes.length}. The file is truncated or malformed.`,
      );
    position += length;
    return bytes.subarray(position - length, position);
  };
  const byte = (): number => take(1)[0]!;
  return {
    remaining: () => bytes.length - position,
    byte,
    integer: (length) => take(length).reduce((sum, value) => sum * 256 + value, 0),
    text: (length) => Array.from(take(length), (code) => String.fromCharCode(code)).join(''),
    chunk: (length) => createReader(take(length)),
    variableLength() {
      let value = 0;
      for (let i = 0; i < 4; i++) {
        const next = byte();
        value = value * 128 + (next & 127);
        if (next < 128) return value;
      }
      throw new RangeError('readMidi: a variable-length integer must have at most four bytes.');
    },
  };
}

/**
 * Reads the notes, track names, tempo and time signature of a MIDI file.
 *
 * @param bytes a file of format 0 or 1
 * @throws RangeError if the file is not a MIDI file of format 0 or 1, is malformed or truncated
 */
export function readMidi(bytes: Uint8Array): Piece {
  const file = createReader(bytes);
  if (file.remaining() < 14 || file.text(4) !== 'MThd')
    throw new RangeError('readMidi: expected a MIDI file, which starts with MThd.');
  const header = file.chunk(file.integer(4));
  const [format, count, division] = [header.integer(2), header.integer(2), header.integer(2)] as [
    number,
    number,
    number,
  ];
  if (format > 1) throw new RangeError(`readMidi: format must be 0 or 1, got ${format}.`);
  if (division === 0 || division >= 0x8000)
    throw new RangeError(
      `readMidi: time division must be in ticks per quarter note, got ${division === 0 ? '0' : 'SMPTE frames'}.`,
    );
  const piece: { tempo?: number; meter?: readonly [number, number] } = {};
  const tracks: Track[] = [];
  while (tracks.length < count) {
    if (file.remaining() < 8)
      throw new RangeError(
        `readMidi: expected track ${tracks.length + 1} of ${count} from the header. The file may be truncated.`,
      );
    const [kind, length] = [file.text(4), file.integer(4)] as [string, number];
    const chunk = file.chunk(length);
    if (kind === 'MTrk') tracks.push(readTrack(chunk, piece));
  }
  return {
    division,
    tempo: piece.tempo ?? 120,
    meter: piece.meter ?? [4, 4],
    tracks: tracks.filter(({ notes }) => notes.length > 0),
  };
}

function readTrack(track: Reader, piece: { tempo?: number; meter?: readonly [number, number] }): Track {
  const notes: Note[] = [];
  // By channel and key: all started notes, and how many of them have ended, in order of their starts. Ended notes stay
  // in the array, since shifting them out would take quadratic time.
  const sounding = new Map<
    number,
    { readonly started: { readonly start: number; readonly velocity: number }[]; ended: number }
  >();
  let [name, now, status] = ['', 0, 0];
  const end = (key: number): void => {
    const notesOfKey = sounding.get(key);
    const first = notesOfKey?.started[notesOfKey.ended];
    if (notesOfKey === undefined || first === undefined) return;
    notes.push({ ...first, duration: now - first.start, pitch: key & 127 });
    notesOfKey.ended++;
  };
  while (track.remaining() > 0) {
    now += track.variableLength();
    let first = track.byte();
    if (first >= 0xf0) {
      if ((first !== 0xf0 && first < 0xf7) || (first > 0xf7 && first < 0xff))
        throw new RangeError(`readMidi: an event must have a status byte that is valid in files, got ${first}.`);
      const kind = first === 0xff ? track.byte() : -1;
      const length = track.variableLength();
      const content = track.chunk(length);
      if (kind === 0x2f) break;
      if (kind === 0x03) name = content.text(length);
      else if (kind === 0x51) piece.tempo ??= 60e6 / positive(content.integer(3), 'tempo');
      else if (kind === 0x58)
        piece.meter ??= [positive(content.byte(), 'time signature'), 2 ** Math.min(content.byte(), 6)];
      continue;
    }
    // Running status: an event may omit the status byte if it is the same as that of the previous event.
    if (first >= 0x80) [status, first] = [first, track.byte()];
    else if (status === 0) throw new RangeError(`readMidi: expected a status byte, got ${first}.`);
    const kind = status >> 4;
    // Program change and channel pressure have one data byte, all others two.
    const second = kind === 0xc || kind === 0xd ? 0 : track.byte();
    if (first > 127 || second > 127)
      throw new RangeError(`readMidi: data bytes must be less than 128, got ${Math.max(first, second)}.`);
    const key = (status & 15) * 128 + first;
    if (kind === 9 && second > 0) {
      const notesOfKey = sounding.get(key) ?? { started: [], ended: 0 };
      notesOfKey.started.push({ start: now, velocity: second });
      sounding.set(key, notesOfKey);
    } else if (kind === 8 || kind === 9) {
      end(key);
    }
  }
  // Notes without an end event end with the track.
  for (const [key, notesOfKey] of sounding) while (notesOfKey.ended < notesOfKey.started.length) end(key);
  return { name, notes: notes.sort((a, b) => a.start - b.start || b.pitch - a.pitch) };
}

function positive(value: number, name: string): number {
  if (value > 0) return value;
  throw new RangeError(`readMidi: ${name} must be positive, got ${value}.`);
}

/** Encodes a big-endian unsigned integer. */
const integerBytes = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** (bytes - 1 - i)) % 256);
/** Encodes a variable-length integer. */
const variableLengthBytes = (value: number): number[] =>
  value < 128 ? [value] : [...variableLengthBytes(Math.floor(value / 128)).map((byte) => byte | 128), value % 128];
const latin1 = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));
const chunk = (kind: string, content: readonly number[]): number[] => [
  ...latin1(kind),
  ...integerBytes(content.length, 4),
  ...content,
];
const meta = (kind: number, content: readonly number[]): number[] => [
  0xff,
  kind,
  ...variableLengthBytes(content.length),
  ...content,
];

const within = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most;

/** @throws RangeError if the piece cannot be represented in a MIDI file */
function checkPiece({ division, tempo, meter: [beats, beat], tracks }: Piece): void {
  const reject = (requirement: string, value: unknown): never => {
    throw new RangeError(`writeMidi: ${requirement}, got ${String(value)}.`);
  };
  if (!within(division, 1, 0x7fff)) reject('division must be an integer from 1 to 32767', division);
  if (!within(Math.round(60e6 / tempo), 1, 0xffffff))
    reject('tempo must be from 3.6 to 60 million quarter notes per minute', tempo);
  if (!within(beats, 1, 255) || !within(Math.log2(beat), 0, 6))
    reject('meter must have 1 to 255 beats and a power of two up to 64 as denominator', `${beats}/${beat}`);
  if (tracks.length > 15)
    reject('a piece must have at most 15 tracks, one per channel without the drum channel', tracks.length);
  for (const { name, notes } of tracks) {
    if (Array.from(name).some((character) => character.codePointAt(0)! > 255))
      reject('track names must contain only Latin-1 characters', JSON.stringify(name));
    for (const note of notes) {
      const { start, duration, pitch, velocity } = note;
      if (
        !within(start, 0, 0xfffffff) ||
        !within(duration, 0, 0xfffffff) ||
        !within(pitch, 0, 127) ||
        !within(velocity, 1, 127)
      ) {
        reject(
          'start and duration of a note must be non-negative integers, pitch from 0 to 127, velocity from 1 to 127',
          JSON.stringify(note),
        );
      }
    }
  }
}

/**
 * Writes a MIDI file of format 1. The first track contains tempo and time signature; each track of the piece follows
 * with its own channel and the program of a piano. Notes of duration 0 get a duration of one tick.
 *
 * @throws RangeError if a value is out of range, a track name is not Latin-1, or the piece has more than 15 tracks
 */
export function writeMidi(piece: Piece): Uint8Array {
  checkPiece(piece);
  const {
    division,
    tempo,
    meter: [beats, beat],
    tracks,
  } = piece;
  const trackOf = (events: readonly { readonly at: number; readonly bytes: readonly number[] }[]): number[] => {
    let now = 0;
    const content = events.flatMap(({ at, bytes }) => {
      const delta = variableLengthBytes(at - now);
      now = at;
      return [...delta, ...bytes];
    });
    return chunk('MTrk', [...content, 0, ...meta(0x2f, [])]);
  };
  const first = trackOf(
    [meta(0x51, integerBytes(Math.round(60e6 / tempo), 3)), meta(0x58, [beats, Math.log2(beat), 24, 8])].map(
      (bytes) => ({
        at: 0,
        bytes,
      }),
    ),
  );
  const others = tracks.map(({ name, notes }, i) => {
    // The tenth channel is reserved for drums.
    const channel = i < 9 ? i : i + 1;
    const ends = notes.map(({ start, duration, pitch }) => ({
      at: start + Math.max(1, duration),
      bytes: [0x80 + channel, pitch, 64],
    }));
    const starts = notes.map(({ start, pitch, velocity }) => ({ at: start, bytes: [0x90 + channel, pitch, velocity] }));
    // If a note ends at the tick at which the same key starts again, the end comes first.
    const events = [...ends, ...starts].sort((a, b) => a.at - b.at || a.bytes[0]! - b.bytes[0]!);
    return trackOf([{ at: 0, bytes: meta(0x03, latin1(name)) }, { at: 0, bytes: [0xc0 + channel, 0] }, ...events]);
  });
  return Uint8Array.from([
    ...chunk('MThd', [...integerBytes(1, 2), ...integerBytes(1 + tracks.length, 2), ...integerBytes(division, 2)]),
    ...first,
    ...others.flat(),
  ]);
}
