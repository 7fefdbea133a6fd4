/** What networks learn, and what not: `npm run bench:problems`. About a quarter of an hour on one core. */

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { adding } from './adding';
import { addition } from './addition';
import { copy } from './copy';
import { embeddedReber } from './embedded-reber';
import { type Curve, type Panel, plot } from './plot';
import type { Problem } from './problem';
import { temporalOrder } from './temporal-order';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seeds: { type: 'string' },
    json: { type: 'string' },
    plot: { type: 'string' },
    help: { type: 'boolean' },
  },
}) as { values: { only?: string; seeds?: string; json?: string; plot?: string; help?: boolean } };
if (values.help) {
  console.log(`Trains networks on problems of the literature and tells which seeds solved them.

  npm run bench:problems -- [options]

  --only PARTS  only what has one of these in "problem network", with commas between
  --seeds N     so many seeds of each
  --json FILE   write every run to a file
  --plot FILE   draw the learning curves there, as SVG; a run of everything draws bench/problems/curves.svg
  --help        this text`);
  process.exit();
}
const wanted = values.only?.split(',');
const problems: readonly Problem[] = [embeddedReber, temporalOrder, adding, copy, addition];
const runs: object[] = [];
const panels: Panel[] = [];
let unexpected = 0;

console.log(
  '| problem | network | solved | figure, every seed | updates, every seed | time |\n|---|---|---|---|---|---|',
);
for (const problem of problems) {
  const curves: Curve[] = [];
  for (const [network, { expected, run }] of Object.entries(problem.networks)) {
    if (wanted !== undefined && !wanted.some((part) => `${problem.name} ${network}`.includes(part))) continue;
    const outcomes = [];
    const began = performance.now();
    for (let seed = 1; seed <= Number(values.seeds ?? problem.seeds); seed++) {
      const outcome = await run({
        seed,
        onPoint: (update, figure) =>
          void process.stderr.write(
            `\r\u001b[K${problem.name}, ${network}, seed ${seed}: ${update} updates, ${figure.toFixed(4)}`,
          ),
      });
      outcomes.push(outcome);
      runs.push({ problem: problem.name, network, seed, ...outcome });
      curves.push({ name: network, points: outcome.curve });
    }
    process.stderr.write('\r\u001b[K');
    const seconds = (performance.now() - began) / 1000;
    const solved = outcomes.filter((outcome) => outcome.solved).length;
    if (expected) unexpected += outcomes.length - solved;
    const list = (figures: readonly string[]): string => figures.join(', ');
    console.log(
      `| ${problem.name} | ${network} | ${solved} of ${outcomes.length} | ${list(outcomes.map(({ figure }) => figure.toPrecision(2)))} | ${list(outcomes.map(({ updates }) => String(updates)))} | ${seconds.toFixed(0)} s |`,
    );
  }
  if (curves.length > 0) panels.push({ title: problem.name, y: problem.figure, baseline: problem.baseline, curves });
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(runs, undefined, 1)}\n`);
const drawing =
  values.plot ??
  (wanted === undefined ? fileURLToPath(new URL('../bench/problems/curves.svg', import.meta.url)) : undefined);
if (drawing !== undefined) writeFileSync(drawing, plot(panels));
console.log(
  unexpected === 0
    ? '\nEvery network that was to solve its problem did, on every seed.'
    : `\n${unexpected} runs of networks that were to solve their problem did not.`,
);
