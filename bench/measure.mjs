/** What the benches share: options, time, rows and their file. */

import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** The options of a bench. With `--node PATH` it runs on that engine instead, and this call does not come back. */
export function options(help) {
  const { values } = parseArgs({
    options: {
      json: { type: 'string' },
      node: { type: 'string' },
      only: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(help);
    process.exit();
  }
  if (values.node !== undefined) {
    const rest = ['json', 'only'].flatMap((name) => (values[name] === undefined ? [] : [`--${name}`, values[name]]));
    const { status, error } = spawnSync(values.node, [process.argv[1], ...rest], { stdio: 'inherit' });
    if (error) throw error;
    process.exit(status ?? 1);
  }
  const wanted = values.only?.split(',');
  return { json: values.json, wants: (name) => wanted === undefined || wanted.some((part) => name.includes(part)) };
}

export const optionsHelp = `  --json FILE   write the rows and what they were measured on to a file
  --node PATH   run on another engine
  --only PARTS  only cases whose names hold one of these, with commas between
  --help        this text`;

/** What the figures were measured on. */
export function header(versions) {
  const git = (...args) => {
    try {
      return execFileSync('git', args, {
        cwd: fileURLToPath(new URL('.', import.meta.url)),
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim();
    } catch {
      return 'unknown';
    }
  };
  const engine = process.versions.bun
    ? `bun ${process.versions.bun}`
    : globalThis.Deno
      ? `deno ${globalThis.Deno.version.deno}`
      : `node ${process.version}`;
  const changed = git('status', '--porcelain') === '' ? '' : ' and changes';
  return {
    engine,
    v8: process.versions.v8,
    cpu: cpus()[0]?.model ?? 'unknown',
    commit: git('rev-parse', '--short', 'HEAD') + changed,
    date: new Date().toISOString().slice(0, 10),
    versions,
  };
}

export function writeRows(file, head, rows) {
  if (file !== undefined) writeFileSync(file, `${JSON.stringify({ header: head, rows }, undefined, 1)}\n`);
}

export function quantile(values, part) {
  const sorted = values.slice().sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
}

export const rowOf = (name, who, times) => ({
  case: name,
  who,
  median: round(quantile(times, 0.5)),
  min: round(Math.min(...times)),
  max: round(Math.max(...times)),
  runs: times.length,
});

const round = (ms) => Number(ms.toPrecision(4));

/**
 * Times contestants in turn, round by round. Each is a function that makes n steps and answers the milliseconds they took.
 *
 * @param contestants by name
 * @param rounds how many times each has its turn; one that takes seconds has fewer
 */
export async function inTurn(contestants, { rounds = 9, turn = 60, warmUp = 300 } = {}) {
  const entries = [];
  for (const [who, run] of Object.entries(contestants)) {
    let spent = 0;
    let last = await run(1);
    // Until the engine has compiled what is hot; what is slow has no need of it.
    for (let steps = 1; spent < warmUp && last < 1000; steps = Math.min(2 * steps, 256)) {
      const ms = await run(steps);
      last = ms / steps;
      spent += ms;
    }
    // A step of seconds is timed once or thrice, and needs no turn of its own again.
    const most = last > 3000 ? 1 : last > 1000 ? 3 : rounds;
    entries.push({
      who,
      run,
      steps: Math.max(1, Math.min(5000, Math.round(turn / last))),
      most,
      times: most === 1 ? [last] : [],
    });
  }
  for (let round = 0; round < rounds; round++) {
    for (const entry of entries)
      if (entry.times.length < entry.most) entry.times.push((await entry.run(entry.steps)) / entry.steps);
  }
  return Object.fromEntries(entries.map(({ who, times }) => [who, times]));
}

/** Times a function without arguments as {@link inTurn} wants it. */
export const timed = (step) => async (n) => {
  const began = performance.now();
  for (let i = 0; i < n; i++) {
    const answer = step();
    if (answer instanceof Promise) await answer;
  }
  return performance.now() - began;
};
