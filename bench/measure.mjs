/** Command-line options, timing, and output shared by the benchmarks. */

import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/**
 * Parses the command-line options. With `--node PATH`, runs the benchmark with that engine in a child process and
 * exits.
 *
 * @param help text that `--help` prints
 * @param libraries the names of the libraries that the benchmark compares, if it has the options `--among` and
 * `--threads`
 * @returns the path of the JSON file, a predicate for the names of the selected cases, the selected libraries, and the
 * number of threads
 */
export function options(help, libraries) {
  const { values } = parseArgs({
    options: {
      json: { type: 'string' },
      node: { type: 'string' },
      only: { type: 'string' },
      ...(libraries && { among: { type: 'string' }, threads: { type: 'string', default: '1' } }),
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(help);
    process.exit();
  }
  if (values.node !== undefined) {
    const rest = ['json', 'only', 'among', 'threads'].flatMap((name) =>
      values[name] === undefined ? [] : [`--${name}`, values[name]],
    );
    const { status, error } = spawnSync(values.node, [process.argv[1], ...rest], { stdio: 'inherit' });
    if (error) throw error;
    process.exit(status ?? 1);
  }
  const threads = Number(values.threads ?? 1);
  if (!Number.isInteger(threads) || threads < 1)
    throw new RangeError(`--threads must be an integer of at least 1, got ${values.threads}.`);
  const among = values.among?.split(',') ?? libraries;
  const unknown = among?.find((name) => !libraries.includes(name));
  if (unknown !== undefined) throw new RangeError(`--among must name some of ${libraries.join(', ')}, got ${unknown}.`);
  return { json: values.json, includes: selection(values.only), among, threads };
}

/**
 * Returns a predicate for the names that contain one of some comma-separated parts; for all names without parts. If it
 * has selected no name when the process ends, that is an error: the parts may be misspelt.
 */
function selection(only) {
  if (only === undefined) return () => true;
  const parts = only.split(',');
  let isEmpty = true;
  process.once('exit', (code) => {
    if (!isEmpty || code !== 0) return;
    console.error(`--only: no case has a name that contains ${parts.join(' or ')}.`);
    process.exitCode = 1;
  });
  return (name) => {
    const isSelected = parts.some((part) => name.includes(part));
    if (isSelected) isEmpty = false;
    return isSelected;
  };
}

export const optionsHelp = `  --json FILE   write the results and a description of the machine to a file
  --node PATH   run with another engine
  --only PARTS  run only the cases whose names contain one of these comma-separated parts
  --help        print this text`;

/** Describes the engine, the processor and the versions that the results depend on. */
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
  const changes = git('status', '--porcelain') === '' ? '' : ' with uncommitted changes';
  return {
    engine,
    v8: process.versions.v8,
    cpu: cpus()[0]?.model ?? 'unknown',
    commit: git('rev-parse', '--short', 'HEAD') + changes,
    date: new Date().toISOString().slice(0, 10),
    versions,
  };
}

/** Writes the results to a file, if one is given. */
export function writeRows(file, head, rows) {
  if (file !== undefined) writeFileSync(file, `${JSON.stringify({ header: head, rows }, undefined, 1)}\n`);
}

/** Returns a quantile, for example 0.5 for the median. */
export function quantile(values, fraction) {
  const sorted = values.slice().sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))];
}

/** Summarizes the times of a case in milliseconds. */
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
 * Times contestants round by round, so that noise of the machine affects all of them equally.
 *
 * @param contestants by name: functions that run n steps and return the time in milliseconds
 * @param rounds number of measurements per contestant; fewer if a step takes seconds
 * @param turn duration of a measurement in milliseconds
 * @param warmUp duration of the warm-up in milliseconds
 * @returns milliseconds per step, by name
 */
export async function runInterleaved(contestants, { rounds = 9, turn = 60, warmUp = 300 } = {}) {
  const entries = [];
  for (const [who, run] of Object.entries(contestants)) {
    let spent = 0;
    let last = await run(1);
    // Run until the engine has compiled the hot code. Slow steps need no warm-up.
    for (let steps = 1; spent < warmUp && last < 1000; steps = Math.min(2 * steps, 256)) {
      const ms = await run(steps);
      last = ms / steps;
      spent += ms;
    }
    // A step of more than three seconds is timed once: the warm-up step counts as the measurement.
    const limit = last > 3000 ? 1 : last > 1000 ? 3 : rounds;
    entries.push({
      who,
      run,
      steps: Math.max(1, Math.min(5000, Math.round(turn / last))),
      limit,
      times: limit === 1 ? [last] : [],
    });
  }
  for (let round = 0; round < rounds; round++) {
    for (const entry of entries)
      if (entry.times.length < entry.limit) entry.times.push((await entry.run(entry.steps)) / entry.steps);
  }
  return Object.fromEntries(entries.map(({ who, times }) => [who, times]));
}

/** Converts a step to a contestant of {@link runInterleaved}. The step may be asynchronous. */
export const timed = (step) => async (n) => {
  const start = performance.now();
  for (let i = 0; i < n; i++) {
    const result = step();
    if (result instanceof Promise) await result;
  }
  return performance.now() - start;
};
