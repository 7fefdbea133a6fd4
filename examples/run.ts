/** Runs an example: `npm run example -- NAME`. */

import { writeFileSync } from 'node:fs';
import { terminalProgress } from 'bptt/node';
import { ball } from './ball/ball';
import type { Example } from './example';
import { gradients } from './gradients/gradients';
import { music } from './music/music';
import { nextCharacter } from './next-character/next-character';
import { nextWord } from './next-word/next-word';
import { sentiment } from './sentiment/sentiment';
import { trajectories } from './trajectories/trajectories';
import { translation } from './translation/translation';
import { weather } from './weather/weather';

const examples: Readonly<Record<string, readonly [run: Example, what: string]>> = {
  ball: [ball, 'the next image of a ball that bounces, and its place'],
  gradients: [gradients, 'how gradients fade and blow up over time, and what helps'],
  music: [music, 'the next note of a piano piece, and a piece of its own'],
  'next-character': [nextCharacter, 'the next character of Moby-Dick'],
  'next-word': [nextWord, 'the next word of Moby-Dick'],
  sentiment: [sentiment, 'praise or blame in a sentence'],
  trajectories: [trajectories, 'where an Atlantic storm will be in 24 hours'],
  translation: [translation, 'dates to ISO, and verses from English to Spanish'],
  weather: [weather, 'the next seven days, in two cities, and carbon dioxide a year ahead'],
};

const [name = '--help', ...options] = process.argv.slice(2);
const found = Object.hasOwn(examples, name) ? examples[name] : undefined;
if (found === undefined) {
  const list = Object.entries(examples)
    .map(([each, [, what]]) => `  ${each.padEnd(16)}${what}`)
    .join('\n');
  if (name !== '--help') process.stderr.write(`There is no example ${name}.\n\n`);
  process.stdout.write(
    `Trains a network on real data and tells how well it does, beside a baseline.\n\n  npm run example -- NAME [--short]\n\n${list}\n`,
  );
  process.exitCode = name === '--help' ? 0 : 1;
} else {
  const began = performance.now();
  const short = options.includes('--short');
  await found[0]({
    short,
    say: (line) => void process.stdout.write(`${line}\n`),
    onProgress: terminalProgress(),
    // What stands in the folder is of the whole form.
    keep: (file, content) => (short ? undefined : writeFileSync(`examples/${name}/${file}`, content)),
  });
  process.stdout.write(`${((performance.now() - began) / 1000).toFixed(0)} s\n`);
}
