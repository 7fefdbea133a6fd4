/** The short variants of the examples: each beats its baseline on held-out data. */

import { expect, it } from 'vitest';
import { ball } from '../../examples/ball/ball';
import type { ExampleOptions } from '../../examples/example';
import { gradients } from '../../examples/gradients/gradients';
import { readMidi } from '../../examples/music/midi';
import { music } from '../../examples/music/music';
import { nextCharacter } from '../../examples/next-character/next-character';
import { nextWord } from '../../examples/next-word/next-word';
import { sentiment } from '../../examples/sentiment/sentiment';
import { trajectories } from '../../examples/trajectories/trajectories';
import { dates } from '../../examples/translation/dates';
import { weather } from '../../examples/weather/weather';

const options: ExampleOptions = {
  short: true,
  log: () => undefined,
  onProgress: () => undefined,
  save: () => undefined,
};

it('trajectories: the network beats constant velocity, which beats no motion', async () => {
  const figures = await trajectories(options);
  expect(Math.round(figures['constant velocity']!)).toBe(184);
  expect(Math.round(figures['no motion']!)).toBe(455);
  expect(figures['network']!).toBeLessThan(0.93 * figures['constant velocity']!);
});

it('gradients: vanish in a tanh RNN, not in an LSTM or an identity ReLU RNN, which learn; clipping prevents divergence', async () => {
  const figures = await gradients(options);
  expect(figures['tanhGradient']!).toBeLessThan(1e-6);
  expect(figures['lstmGradient']!).toBeGreaterThan(1e-2);
  expect(figures['identityGradient']!).toBeGreaterThan(0.1);
  expect(figures['explodingGradient']!).toBeGreaterThan(2);
  expect(figures['ReLU, identity']!).toBeLessThan(0.5 * figures['tanh']!);
  expect(figures['clipped to norm 1']!).toBeLessThan(1);
  expect(figures['without clipping']!).toBeGreaterThan(1e3);
});

it('weather: the network beats persistence and climatology, and for carbon dioxide the growth of the last year', async () => {
  const figures = await weather(options);
  for (const baseline of ['persistence', 'same date, mean of 2012–2014', 'climatology (two harmonics)'])
    expect(figures['network']!, baseline).toBeLessThan(0.98 * figures[baseline]!);
  expect(figures['type']!).toBeGreaterThan(figures['type, persistence']! + 0.01);
  expect(figures['type']!).toBeGreaterThan(figures['type, always sun']! + 0.01);
  expect(figures['carbon dioxide, network']!).toBeLessThan(
    0.92 * figures['carbon dioxide, + growth of the last year']!,
  );
});

it('ball: the position is unpredictable from one image, and from several the network beats constant velocity', async () => {
  const figures = await ball(options);
  expect(figures['network, 1']!).toBeGreaterThan(1);
  expect(figures['network']!).toBeLessThan(0.9 * figures['constant velocity']!);
  expect(figures['network']!).toBeLessThan(0.25 * figures['no motion']!);
}, 180_000);

it('sentiment: the network is more accurate than the word list AFINN', async () => {
  const { network, AFINN } = await sentiment(options);
  expect(AFINN!).toBeCloseTo(0.729, 3);
  expect(network!).toBeGreaterThan(AFINN! + 0.02);
}, 180_000);

it('translation: dates in eight languages are translated exactly with attention, and not without', async () => {
  const figures = await dates(options);
  expect(figures['attention']!).toBeGreaterThanOrEqual(0.98);
  expect(figures['attention']!).toBeGreaterThan(figures['no attention']! + 0.2);
}, 180_000);

it('next word: the GRU beats trigrams and a window of two words, and the bag of words is worst', async () => {
  const figures = await nextWord(options);
  expect(figures['GRU']!).toBeLessThan(0.97 * figures['trigrams']!);
  expect(figures['GRU']!).toBeLessThan(0.95 * figures['window of 2']!);
  expect(figures['bag of 20']!).toBeGreaterThan(1.5 * figures['window of 2']!);
}, 180_000);

it('next character: the network beats 3-grams', async () => {
  const figures = await nextCharacter(options);
  expect(figures['network']!).toBeLessThan(0.95 * figures['3-gram']!);
}, 180_000);

it('music: the network beats bigrams on a held-out piece, and composes a MIDI file with two tracks', async () => {
  const files = new Map<string, string | Uint8Array>();
  const figures = await music({ ...options, save: (name, content) => void files.set(name, content) });
  expect(figures['network']!).toBeLessThan(0.93 * figures['bigram']!);
  const { tracks, tempo } = readMidi(files.get('generated.mid') as Uint8Array);
  expect(Math.round(tempo)).toBe(72);
  expect(tracks.map(({ name }) => name)).toEqual(['right hand', 'left hand']);
  expect(tracks.flatMap(({ notes }) => notes).length).toBe(540);
  for (const { notes } of tracks) expect(notes.length).toBeGreaterThan(100);
}, 180_000);
