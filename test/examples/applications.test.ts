/** The short variants of the examples: each beats its baseline on held-out data. */

import { expect, it } from 'vitest';
import { ball } from '../../examples/ball/ball';
import type { ExampleOptions } from '../../examples/example';
import { forecasting } from '../../examples/forecasting/forecasting';
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
  const metrics = await trajectories(options);
  expect(Math.round(metrics['constant velocity']!)).toBe(184);
  expect(Math.round(metrics['no motion']!)).toBe(455);
  expect(metrics['network']!).toBeLessThan(0.93 * metrics['constant velocity']!);
});

it('gradients: vanish in a tanh RNN, not in an LSTM or identity ReLU RNN; clipping prevents divergence', async () => {
  const metrics = await gradients(options);
  expect(metrics['tanhGradient']!).toBeLessThan(1e-6);
  expect(metrics['lstmGradient']!).toBeGreaterThan(1e-2);
  expect(metrics['identityGradient']!).toBeGreaterThan(0.1);
  expect(metrics['explodingGradient']!).toBeGreaterThan(2);
  expect(metrics['ReLU, identity']!).toBeLessThan(0.5 * metrics['tanh']!);
  expect(metrics['clipped to norm 1']!).toBeLessThan(1);
  expect(metrics['without clipping']!).toBeGreaterThan(1e3);
});

it('weather: the network beats persistence and climatology, and for CO2 the growth of the last year', async () => {
  const metrics = await weather(options);
  for (const baseline of ['persistence', 'climatology'])
    expect(metrics['network']!, baseline).toBeLessThan(0.98 * metrics[baseline]!);
  expect(metrics['carbon dioxide, network']!).toBeLessThan(
    0.92 * metrics['carbon dioxide, + growth of the last year']!,
  );
});

it('forecasting: the network beats the seasonal naive forecast and ETS of R', async () => {
  const metrics = await forecasting(options);
  for (const set of ['alcohol-sales', 'bird-strikes']) {
    expect(metrics[`${set}, network`]!, set).toBeLessThan(0.9 * metrics[`${set}, naive`]!);
    expect(metrics[`${set}, network`]!, set).toBeLessThan(metrics[`${set}, ETS`]!);
  }
});

it('ball: from several images, the network predicts the position better than constant velocity', async () => {
  const metrics = await ball(options);
  expect(metrics['network, 1']!).toBeGreaterThan(1);
  expect(metrics['network']!).toBeLessThan(0.9 * metrics['constant velocity']!);
  expect(metrics['network']!).toBeLessThan(0.25 * metrics['no motion']!);
});

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
