/** The examples in their short form: each beats its baseline on data that it has not learned from. */

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

const setting: ExampleOptions = {
  short: true,
  log: () => undefined,
  onProgress: () => undefined,
  save: () => undefined,
};

it('trajectories: nearer than heading on, which is nearer than staying put', async () => {
  const { model, heading, staying } = await trajectories(setting);
  expect(Math.round(heading!)).toBe(184);
  expect(Math.round(staying!)).toBe(455);
  expect(model!).toBeLessThan(0.93 * heading!);
});

it('gradients: tanh loses them, the LSTM and the identity keep some; what keeps them learns; clipping keeps a run alive', async () => {
  const figures = await gradients(setting);
  expect(figures['left']!).toBeLessThan(1e-6);
  expect(figures['leftLstm']!).toBeGreaterThan(1e-2);
  expect(figures['leftIdentity']!).toBeGreaterThan(0.1);
  expect(figures['exploded']!).toBeGreaterThan(2);
  expect(figures['ReLU, identity']!).toBeLessThan(0.5 * figures['tanh']!);
  expect(figures['clipped to norm 1']!).toBeLessThan(1);
  expect(figures['without clipping']!).toBeGreaterThan(1e3);
});

it('weather: nearer than persistence, the same day of other years and the season; the kind of weather more often right; carbon dioxide nearer than as last year', async () => {
  const figures = await weather(setting);
  for (const baseline of ['persistence', 'same day of the years before', 'season (two waves)'])
    expect(figures['network']!, baseline).toBeLessThan(0.98 * figures[baseline]!);
  expect(figures['kind']!).toBeGreaterThan(figures['kind, as today']! + 0.01);
  expect(figures['kind']!).toBeGreaterThan(figures['kind, always sun']! + 0.01);
  expect(figures['carbon dioxide, network']!).toBeLessThan(0.92 * figures['carbon dioxide, and the last growth']!);
});

it('the ball: from one image it is a guess, from several it is known, better than by constant velocity', async () => {
  const figures = await ball(setting);
  expect(figures['network, 1']!).toBeGreaterThan(1);
  expect(figures['network']!).toBeLessThan(0.9 * figures['constant velocity']!);
  expect(figures['network']!).toBeLessThan(0.25 * figures['where it is']!);
}, 180_000);

it('sentiment: more sentences told rightly than by the word list', async () => {
  const { network, AFINN } = await sentiment(setting);
  expect(AFINN!).toBeCloseTo(0.729, 3);
  expect(network!).toBeGreaterThan(AFINN! + 0.02);
}, 180_000);

it('translation: dates of eight languages come out exactly, by attention', async () => {
  const figures = await dates(setting);
  expect(figures['attention']!).toBeGreaterThanOrEqual(0.98);
  expect(figures['attention']!).toBeGreaterThan(figures['no attention']! + 0.2);
}, 180_000);

it('the next word: a memory knows more than two words, and than trigrams; a bag without order knows least', async () => {
  const figures = await nextWord(setting);
  expect(figures['GRU']!).toBeLessThan(0.97 * figures['trigrams']!);
  expect(figures['GRU']!).toBeLessThan(0.95 * figures['window of 2']!);
  expect(figures['bag of 20']!).toBeGreaterThan(1.5 * figures['window of 2']!);
}, 180_000);

it('the next character: better than counts of three', async () => {
  const figures = await nextCharacter(setting);
  expect(figures['network']!).toBeLessThan(0.95 * figures['3 characters']!);
}, 180_000);

it('music: a held-out piece is foreseen better than by the note before alone; what is written is a file of two hands', async () => {
  const files = new Map<string, string | Uint8Array>();
  const figures = await music({ ...setting, save: (name, content) => void files.set(name, content) });
  expect(figures['network']!).toBeLessThan(0.93 * figures['bigram']!);
  const { tracks, tempo } = readMidi(files.get('generated.mid') as Uint8Array);
  expect(Math.round(tempo)).toBe(72);
  expect(tracks.map(({ name }) => name)).toEqual(['right hand', 'left hand']);
  expect(tracks.flatMap(({ notes }) => notes).length).toBe(540);
  for (const { notes } of tracks) expect(notes.length).toBeGreaterThan(100);
}, 180_000);
