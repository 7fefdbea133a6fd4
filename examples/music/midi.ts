/** Standard MIDI files, the part that notes need: read and written. */

/** A note; times in ticks. */
export interface Note {
  readonly start: number;
  readonly duration: number;
  /** 60 is the middle C. */
  readonly pitch: number;
  /** 1 to 127. */
  readonly velocity: number;
}

/** Notes that belong together, as those of a hand. */
export interface Track {
  readonly name: string;
  /** In the order of their starts, higher ones first. */
  readonly notes: readonly Note[];
}

/** A piece of music. */
export interface Piece {
  /** Ticks of a quarter note. */
  readonly division: number;
  /** Quarter notes a minute, the first that the file tells; 120 where it tells none. */
  readonly tempo: number;
  /** Beats of a bar and what note is a beat, the first that the file tells; 4/4 where it tells none. */
  readonly meter: readonly [beats: number, beat: number];
  /** Those with notes. */
  readonly tracks: readonly Track[];
}

/** Reads from bytes what stands one behind the other. */
interface Reader {
  readonly left: () => number;
  readonly byte: () => number;
  /** Most significant byte first. */
  readonly whole: (bytes: number) => number;
  readonly text: (length: number) => string;
  readonly part: (length: number) => Reader;
  /** A number of as many bytes as it takes: seven bits in each, the eighth says that more come. */
  readonly variable: () => number;
}

function readerOf(bytes: Uint8Array): Reader {
  let place = 0;
  const take = (length: number): Uint8Array => {
    if (place + length > bytes.length)
      throw new RangeError(
        `readMidi: the file ends in the middle: ${length} bytes are to follow, ${bytes.length - place} do.`,
      );
    return bytes.subarray(place, (place += length));
  };
  const byte = (): number => take(1)[0]!;
  return {
    left: () => bytes.length - place,
    byte,
    whole: (length) => take(length).reduce((sum, each) => sum * 256 + each, 0),
    text: (length) => Array.from(take(length), (each) => String.fromCharCode(each)).join(''),
    part: (length) => readerOf(take(length)),
    variable() {
      let value = 0;
      for (let i = 0; i < 4; i++) {
        const next = byte();
        value = value * 128 + (next & 127);
        if (next < 128) return value;
      }
      throw new RangeError('readMidi: a number goes on for more than four bytes.');
    },
  };
}

/** The notes, names, tempo and meter of a file of format 0 or 1. @throws RangeError where the file is something else, or cut short */
export function readMidi(bytes: Uint8Array): Piece {
  const file = readerOf(bytes);
  if (file.left() < 14 || file.text(4) !== 'MThd')
    throw new RangeError('readMidi: expected a MIDI file, which begins with MThd.');
  const header = file.part(file.whole(4));
  const [format, count, division] = [header.whole(2), header.whole(2), header.whole(2)] as [number, number, number];
  if (format > 1) throw new RangeError(`readMidi: expected format 0 or 1, got ${format}.`);
  if (division === 0 || division >= 0x8000) throw new RangeError('readMidi: expected time in parts of a quarter note.');
  const piece: { tempo?: number; meter?: readonly [number, number] } = {};
  const tracks: Track[] = [];
  while (tracks.length < count) {
    if (file.left() < 8)
      throw new RangeError(
        `readMidi: the file says that it has ${count} tracks, and has ${tracks.length}. Is it cut short?`,
      );
    const [kind, length] = [file.text(4), file.whole(4)] as [string, number];
    const chunk = file.part(length);
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
  // By channel and key: what has begun, and how many of those have ended, the first ones first.
  const sounding = new Map<
    number,
    { readonly begun: { readonly start: number; readonly velocity: number }[]; ended: number }
  >();
  let [name, now, status] = ['', 0, 0];
  const end = (key: number): void => {
    const own = sounding.get(key);
    const first = own?.begun[own.ended];
    if (own === undefined || first === undefined) return;
    notes.push({ ...first, duration: now - first.start, pitch: key & 127 });
    own.ended++;
  };
  while (track.left() > 0) {
    now += track.variable();
    let first = track.byte();
    if (first >= 0xf0) {
      if ((first !== 0xf0 && first < 0xf7) || (first > 0xf7 && first < 0xff))
        throw new RangeError(`readMidi: an event of kind ${first} does not stand in files.`);
      const kind = first === 0xff ? track.byte() : -1;
      const length = track.variable();
      const content = track.part(length);
      if (kind === 0x2f) break;
      if (kind === 0x03) name = content.text(length);
      else if (kind === 0x51) piece.tempo ??= 60e6 / positive(content.whole(3), 'a tempo');
      else if (kind === 0x58) piece.meter ??= [positive(content.byte(), 'a meter'), 2 ** Math.min(content.byte(), 6)];
      continue;
    }
    // An event of the same kind as the one before need not say so.
    if (first >= 0x80) [status, first] = [first, track.byte()];
    else if (status === 0) throw new RangeError(`readMidi: expected the kind of an event, got ${first}.`);
    const kind = status >> 4;
    // Programs and the pressure of a channel have one byte, all others two.
    const second = kind === 0xc || kind === 0xd ? 0 : track.byte();
    if (first > 127 || second > 127)
      throw new RangeError(`readMidi: expected a number below 128, got ${Math.max(first, second)}.`);
    const key = (status & 15) * 128 + first;
    if (kind === 9 && second > 0) {
      const own = sounding.get(key) ?? { begun: [], ended: 0 };
      own.begun.push({ start: now, velocity: second });
      sounding.set(key, own);
    } else if (kind === 8 || kind === 9) {
      end(key);
    }
  }
  // What the track leaves sounding ends with it.
  for (const [key, own] of sounding) while (own.ended < own.begun.length) end(key);
  return { name, notes: notes.sort((a, b) => a.start - b.start || b.pitch - a.pitch) };
}

function positive(value: number, what: string): number {
  if (value > 0) return value;
  throw new RangeError(`readMidi: ${what} must be above 0.`);
}

const wholeOf = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** (bytes - 1 - i)) % 256);
const variableOf = (value: number): number[] =>
  value < 128 ? [value] : [...variableOf(Math.floor(value / 128)).map((byte) => byte | 128), value % 128];
const latin = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));
const chunk = (kind: string, content: readonly number[]): number[] => [
  ...latin(kind),
  ...wholeOf(content.length, 4),
  ...content,
];
const meta = (kind: number, content: readonly number[]): number[] => [
  0xff,
  kind,
  ...variableOf(content.length),
  ...content,
];

const within = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most;

/** @throws RangeError where a file has no place for it */
function checkPiece({ division, tempo, meter: [beats, beat], tracks }: Piece): void {
  const refuse = (what: string, got: unknown): never => {
    throw new RangeError(`writeMidi: ${what}, got ${String(got)}.`);
  };
  if (!within(division, 1, 0x7fff)) refuse('division must be a whole number from 1 to 32767', division);
  if (!within(Math.round(60e6 / tempo), 1, 0xffffff))
    refuse('tempo must be from 3.6 to 60 million quarter notes a minute', tempo);
  if (!within(beats, 1, 255) || !within(Math.log2(beat), 0, 6))
    refuse('meter must be of 1 to 255 beats, each a power of two up to a 64th', `${beats}/${beat}`);
  if (tracks.length > 15) refuse('a piece has at most 15 tracks, since a tenth channel would be drums', tracks.length);
  for (const { name, notes } of tracks) {
    if (Array.from(name).some((character) => character.codePointAt(0)! > 255))
      refuse('a name must be of the letters of Latin-1', JSON.stringify(name));
    for (const note of notes) {
      const { start, duration, pitch, velocity } = note;
      if (
        !within(start, 0, 0xfffffff) ||
        !within(duration, 0, 0xfffffff) ||
        !within(pitch, 0, 127) ||
        !within(velocity, 1, 127)
      ) {
        refuse(
          'a note must have whole numbers, start and duration of at least 0, pitch from 0 to 127, velocity from 1 to 127',
          JSON.stringify(note),
        );
      }
    }
  }
}

/**
 * A file of format 1: tempo and meter in the first track, then a track and a channel for each of the piece, all for the piano. A note of no duration sounds for a tick.
 *
 * @throws RangeError where a number, a name or the count of tracks has no place in a file
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
      const wait = variableOf(at - now);
      now = at;
      return [...wait, ...bytes];
    });
    return chunk('MTrk', [...content, 0, ...meta(0x2f, [])]);
  };
  const first = trackOf(
    [meta(0x51, wholeOf(Math.round(60e6 / tempo), 3)), meta(0x58, [beats, Math.log2(beat), 24, 8])].map((bytes) => ({
      at: 0,
      bytes,
    })),
  );
  const others = tracks.map(({ name, notes }, i) => {
    // The tenth channel is for drums.
    const channel = i < 9 ? i : i + 1;
    const ends = notes.map(({ start, duration, pitch }) => ({
      at: start + Math.max(1, duration),
      bytes: [0x80 + channel, pitch, 64],
    }));
    const starts = notes.map(({ start, pitch, velocity }) => ({ at: start, bytes: [0x90 + channel, pitch, velocity] }));
    // A note that ends where the same one begins ends first.
    const sounds = [...ends, ...starts].sort((a, b) => a.at - b.at || a.bytes[0]! - b.bytes[0]!);
    return trackOf([{ at: 0, bytes: meta(0x03, latin(name)) }, { at: 0, bytes: [0xc0 + channel, 0] }, ...sounds]);
  });
  return Uint8Array.from([
    ...chunk('MThd', [...wholeOf(1, 2), ...wholeOf(1 + tracks.length, 2), ...wholeOf(division, 2)]),
    ...first,
    ...others.flat(),
  ]);
}
