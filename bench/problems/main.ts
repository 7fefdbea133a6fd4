/** Trains networks on problems from the literature: `npm run bench:problems`. Takes 15 to 30 minutes on one core. */

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
  console.log(`Trains networks on problems from the literature, and reports which of them are solved.

  npm run bench:problems -- [options]

  --only PARTS  run only cases whose "problem network" contains one of these comma-separated parts
  --seeds N     number of seeds per network (default: 3 or 5, depending on the problem)
  --json FILE   write the results of all runs to a file
  --plot FILE   write the learning curves as SVG (default without --only and --seeds: bench/problems/curves.svg)
  --help        print this text`);
  process.exit();
}
const seeds = values.seeds === undefined ? undefined : Number(values.seeds);
if (seeds !== undefined && !(Number.isInteger(seeds) && seeds > 0))
  throw new RangeError(`--seeds must be an integer of at least 1, got ${values.seeds}.`);
const parts = values.only?.split(',');
const problems: readonly Problem[] = [embeddedReber, temporalOrder, adding, copy, addition];
const isSelected = (problem: Problem, network: string): boolean =>
  parts === undefined || parts.some((part) => `${problem.name} ${network}`.includes(part));
if (!problems.some((problem) => Object.keys(problem.networks).some((network) => isSelected(problem, network))))
  throw new RangeError(`--only: no case has a name that contains ${values.only?.replaceAll(',', ' or ')}.`);
const runs: object[] = [];
const panels: Panel[] = [];
let unexpectedFailures = 0;

console.log(
  '| problem | network | solved | metric per seed | updates per seed | processor time |\n|---|---|---|---|---|---|',
);
for (const problem of problems) {
  const curves: Curve[] = [];
  for (const [network, { expected, run }] of Object.entries(problem.networks)) {
    if (!isSelected(problem, network)) continue;
    const outcomes = [];
    const start = process.cpuUsage();
    for (let seed = 1; seed <= (seeds ?? problem.seeds); seed++) {
      const outcome = await run({
        seed,
        onEvaluation: (update, metric) =>
          void process.stderr.write(
            `\r\u001b[K${problem.name}, ${network}, seed ${seed}, update ${update}: ${metric.toFixed(4)}`,
          ),
      });
      outcomes.push(outcome);
      runs.push({ problem: problem.name, network, seed, ...outcome });
      curves.push({ name: network, points: outcome.curve });
    }
    process.stderr.write('\r\u001b[K');
    const { user, system } = process.cpuUsage(start);
    const seconds = (user + system) / 1e6;
    const solved = outcomes.filter((outcome) => outcome.solved).length;
    if (expected) unexpectedFailures += outcomes.length - solved;
    const cells = [
      problem.name,
      network,
      `${solved} of ${outcomes.length}`,
      outcomes.map(({ figure }) => figure.toPrecision(2)).join(', '),
      outcomes.map(({ updates }) => updates).join(', '),
      `${seconds.toFixed(0)} s`,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
  if (curves.length > 0) panels.push({ title: problem.name, y: problem.metric, baseline: problem.baseline, curves });
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(runs, undefined, 1)}\n`);
// The committed curves are those of all problems with their numbers of seeds.
const isComplete = parts === undefined && seeds === undefined;
const plotFile =
  values.plot ?? (isComplete ? fileURLToPath(new URL('../bench/problems/curves.svg', import.meta.url)) : undefined);
if (plotFile !== undefined) writeFileSync(plotFile, plot(panels));
console.log(
  unexpectedFailures === 0
    ? '\nEvery network that is expected to solve its problem did so with every seed.'
    : `\nFailed runs of networks that are expected to solve their problem: ${unexpectedFailures}.`,
);
