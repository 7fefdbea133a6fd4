/** The short variants of the examples of text and music: each beats its baseline on held-out data. */

import { expect, it } from 'vitest';
import { readMidi } from '../../examples/music/midi';
import { music } from '../../examples/music/music';
import { nextCharacter } from '../../examples/next-character/next-character';
import { nextWord } from '../../examples/next-word/next-word';
import { sentiment } from '../../examples/sentiment/sentiment';
import { dates } from '../../examples/translation/dates';
import { options } from './options';

it('sentiment: the network is more accurate than the word list AFINN', async () => {
  const { network, AFINN } = await sentiment(options);
  expect(AFINN!).toBeCloseTo(0.729, 3);
  expect(network!).toBeGreaterThan(AFINN! + 0.02);
});

it('translation: dates in eight languages are translated exactly with attention, and not without', async () => {
  const metrics = await dates(options);
  expect(metrics['attention']!).toBeGreaterThanOrEqual(0.98);
  expect(metrics['attention']!).toBeGreaterThan(metrics['no attention']! + 0.2);
});

it('next word: the GRU beats trigrams and a window of two words, and the bag of words is worst', async () => {
  const metrics = await nextWord(options);
  expect(metrics['GRU']!).toBeLessThan(0.97 * metrics['trigrams']!);
  expect(metrics['GRU']!).toBeLessThan(0.95 * metrics['window of 2']!);
  expect(metrics['bag of 20']!).toBeGreaterThan(1.5 * metrics['window of 2']!);
});

it('next character: the network beats 3-grams', async () => {
  const metrics = await nextCharacter(options);
  expect(metrics['network']!).toBeLessThan(0.95 * metrics['3-gram']!);
});

it('music: the network beats bigrams on a held-out piece, and composes a MIDI file with two tracks', async () => {
  const files = new Map<string, string | Uint8Array>();
  const metrics = await music({ ...options, save: (name, content) => void files.set(name, content) });
  expect(metrics['network']!).toBeLessThan(0.93 * metrics['bigram']!);
  const { tracks, tempo } = readMidi(files.get('generated.mid') as Uint8Array);
  expect(Math.round(tempo)).toBe(72);
  expect(tracks.map(({ name }) => name)).toEqual(['right hand', 'left hand']);
  expect(tracks.flatMap(({ notes }) => notes).length).toBe(540);
  for (const { notes } of tracks) expect(notes.length).toBeGreaterThan(100);
});
