/** Runs an example: `npm run example -- NAME`. */

import { writeFileSync } from 'node:fs';
import { terminalProgress } from 'bptt/node';
import { ball } from './ball/ball';
import type { Example } from './example';
import { forecasting } from './forecasting/forecasting';
import { gradients } from './gradients/gradients';
import { music } from './music/music';
import { nextCharacter } from './next-character/next-character';
import { nextWord } from './next-word/next-word';
import { sentiment } from './sentiment/sentiment';
import { trajectories } from './trajectories/trajectories';
import { translation } from './translation/translation';
import { weather } from './weather/weather';

const examples: Readonly<Record<string, readonly [run: Example, description: string]>> = {
  ball: [ball, 'predict the next image and position of a bouncing ball'],
  forecasting: [forecasting, 'forecast series of seven kinds, compared with exponential smoothing'],
  gradients: [gradients, 'measure vanishing and exploding gradients, and the remedies'],
  music: [music, 'predict the next note of a piano piece, and compose a piece'],
  'next-character': [nextCharacter, 'predict the next character of Moby-Dick'],
  'next-word': [nextWord, 'predict the next word of Moby-Dick'],
  sentiment: [sentiment, 'classify the sentiment of a sentence'],
  trajectories: [trajectories, 'forecast the position of an Atlantic storm 24 hours ahead'],
  translation: [translation, 'translate dates to ISO 8601, and verses from English to Spanish'],
  weather: [weather, 'forecast seven days of weather, and carbon dioxide a year ahead'],
};

const [name = '--help', ...options] = process.argv.slice(2);
const example = Object.hasOwn(examples, name) ? examples[name] : undefined;
// A wrong option must not start the full run, which replaces the files of the example.
const unknown = example === undefined ? [] : options.filter((option) => option !== '--short');
if (example === undefined || unknown.length > 0) {
  const list = Object.entries(examples)
    .map(([key, [, description]]) => `  ${key.padEnd(16)}${description}`)
    .join('\n');
  const help = name === '--help' || unknown.includes('--help');
  if (!help)
    process.stderr.write(unknown.length > 0 ? `Unknown option ${unknown[0]}.\n\n` : `Unknown example ${name}.\n\n`);
  process.stdout.write(
    `Trains a network, evaluates it on held-out data, and compares it with a baseline.

  npm run example -- NAME [--short]

${list}

  --short         train for some seconds only, and leave the files of the example unchanged
  --help          print this text
`,
  );
  process.exitCode = help ? 0 : 1;
} else {
  const start = performance.now();
  const short = options.includes('--short');
  await example[0]({
    short,
    log: (line) => void process.stdout.write(`${line}\n`),
    onProgress: terminalProgress(),
    // The committed files come from the full run.
    save: (file, content) => (short ? undefined : writeFileSync(`examples/${name}/${file}`, content)),
  });
  process.stdout.write(`${((performance.now() - start) / 1000).toFixed(0)} s\n`);
}
