/** Benchmarks bptt without other libraries: `npm run bench`. Takes about seven minutes. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kernelCases, multiplyAddPeak } from '../build/kernels.js';
import { kernelsInUse, threadsReady, useThreads } from '../dist/index.js';
import { cells, nameOf, shapes, streams } from './cases.mjs';
import { startHalves } from './halves.mjs';
import { header, options, optionsHelp, quantile, rowOf, runInterleaved, writeRows } from './measure.mjs';
import { allocation, infer, stream, train } from './ours.mjs';

const { json, includes } =
  options(`Benchmarks kernels, training, inference, streaming, two threads, start-up, memory, scaling, variable lengths and
long sequences.

  npm run bench -- [options]

${optionsHelp}`);

const rows = [];
const head = header({});
const log = (name, text) => console.log(`${name.padEnd(34)} ${text}`);
console.log(`${head.engine} (V8 ${head.v8}), ${head.cpu}, commit ${head.commit}, kernels ${kernelsInUse()}\n`);

async function measure(name, run, settings = {}) {
  const times = (await runInterleaved({ bptt: run }, settings)).bptt;
  rows.push(rowOf(name, 'bptt', times));
  return quantile(times, 0.5);
}

const allKernels = kernelCases();
const products = allKernels.filter(({ name, flops }) => flops > 0 && includes(`gemm/${name}`));
const others = allKernels.filter(({ name, flops }) => flops === 0 && includes(`kernel/${name}`));
if (products.length > 0) {
  const peak = multiplyAddPeak();
  console.log(`SIMD multiply-add from registers: ${peak.toFixed(1)} GFLOP/s`);
  for (const { name, flops, run } of products) {
    const ms = await measure(`gemm/${name}`, run, { warmUp: 150, turn: 15 });
    const rate = flops / ms / 1e6;
    log(`gemm/${name}`, `${rate.toFixed(1)} GFLOP/s, ${((100 * rate) / peak).toFixed(0)} % of the peak`);
  }
}
for (const { name, elements, run } of others) {
  const ms = await measure(`kernel/${name}`, run, { warmUp: 40, turn: 5, rounds: 5 });
  log(`kernel/${name}`, `${((1e6 * ms) / elements).toFixed(3)} ns per element`);
}
for (const shape of shapes) {
  for (const cell of cells) {
    for (const [kind, prepare] of [
      ['train', train],
      ['infer', infer],
    ]) {
      const name = `${kind}/${cell}/${nameOf(shape)}`;
      if (includes(name)) log(name, `${(await measure(name, prepare(cell, shape), { rounds: 5 })).toFixed(3)} ms`);
    }
  }
}
// Two threads against one, in turn, since threads that were just started need a warm-up; for large batches also
// next to two halves of the batch at the same time.
for (const [kind, prepare, sizes] of [
  ['train', train, shapes],
  ['infer', infer, shapes],
  ['stream', stream, streams],
]) {
  for (const size of sizes) {
    for (const cell of cells) {
      const name = `threads/${kind}/${cell}/${kind === 'stream' ? `I${size.I}H${size.H}` : nameOf(size)}`;
      if (!includes(name)) continue;
      const halves = size.B >= 32 ? startHalves(kind, cell, size) : undefined;
      const times = { 1: [], 2: [], halves: [] };
      const settings = { rounds: 2, turn: 120 };
      for (let round = 0; round < 4; round++) {
        for (const threads of [1, 2]) {
          useThreads(threads);
          if ((await threadsReady()) !== threads) throw new Error(`${threads} threads did not start.`);
          times[threads].push(...(await runInterleaved({ bptt: prepare(cell, size) }, settings)).bptt);
        }
        useThreads(1);
        if (halves) times.halves.push(...(await runInterleaved(halves.contestants, settings)).bptt);
      }
      halves?.end();
      rows.push(rowOf(name, 'bptt', times[2]));
      // The best times have the least noise from other programs, which take one of the processors now and then.
      const ratios = (of) => {
        const [median, best] = [0.5, 0].map((fraction) => quantile(times[1], fraction) / quantile(times[of], fraction));
        return `${median.toFixed(2)} (best times ${best.toFixed(2)})`;
      };
      const limit = halves ? `, two halves at once ${ratios('halves')}` : '';
      log(
        name,
        `${quantile(times[2], 0.5).toPrecision(3)} ms with two threads, speed relative to one ${ratios(2)}${limit}`,
      );
    }
  }
}
for (const cell of cells) {
  for (const size of streams) {
    const name = `stream/${cell}/I${size.I}H${size.H}`;
    if (!includes(name)) continue;
    const run = stream(cell, size);
    await run(20_000);
    const times = [];
    for (let i = 0; i < 20_000; i++) times.push(await run(1));
    rows.push(rowOf(name, 'bptt', times));
    const [median, high] = [0.5, 0.99].map((fraction) => (1000 * quantile(times, fraction)).toFixed(1));
    log(name, `median ${median} µs, 99th percentile ${high} µs`);
  }
}
const start = 'start/lstm/I64H128';
if (includes(start)) {
  const script = fileURLToPath(new URL('start.mjs', import.meta.url));
  const times = Array.from({ length: 7 }, () => Number(execFileSync(process.execPath, [script], { encoding: 'utf8' })));
  rows.push(rowOf(start, 'bptt', times));
  log(start, `${quantile(times, 0.5).toFixed(1)} ms from import to the first step`);
}
for (const cell of cells) {
  const name = `memory/train/${cell}/${nameOf(shapes[0])}`;
  if (includes(name)) log(name, `${await allocation(cell, shapes[0])} bytes allocated per step`);
}
for (const [letter, sizes] of [
  ['T', [16, 64, 256, 1024]],
  ['H', [32, 64, 128, 256, 512]],
]) {
  for (const size of sizes) {
    const shape = { T: 32, B: 16, I: 32, H: 64, V: 32, [letter]: size };
    const name = `scaling/lstm/${nameOf(shape)}`;
    if (!includes(name)) continue;
    const ms = await measure(name, train('lstm', shape), { rounds: 3, turn: 40, warmUp: 150 });
    const { T, B, I, H, V } = shape;
    const flops = 2 * T * B * (2 * 4 * H * I + 3 * 4 * H * H + 3 * H * V);
    const [perStep, rate] = [(1000 * ms) / T, flops / ms / 1e6];
    log(name, `${ms.toFixed(2)} ms, ${perStep.toFixed(1)} µs per time step, ${rate.toFixed(1)} GFLOP/s`);
  }
}
for (const cell of cells) {
  const shape = { T: 64, B: 32, I: 64, H: 128, V: 64 };
  const name = `padding/${cell}/${nameOf(shape)}`;
  if (!includes(name)) continue;
  const lengths = Int32Array.from({ length: shape.B }, (_, row) =>
    Math.max(1, Math.round((shape.T * row) / (shape.B - 1))),
  );
  const times = await runInterleaved(
    { padded: train(cell, shape), lengths: train(cell, shape, undefined, lengths) },
    { rounds: 5 },
  );
  const [padded, packed] = [quantile(times.padded, 0.5), quantile(times.lengths, 0.5)];
  rows.push(rowOf(name, 'bptt', times.lengths));
  log(
    name,
    `${packed.toFixed(2)} ms with lengths averaging T / 2, ` +
      `${(packed / padded).toFixed(2)} of the time without lengths`,
  );
}
const long = 'long/lstm/T20000B8H128';
if (includes(long)) {
  const script = fileURLToPath(new URL('long.mjs', import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'bptt-'));
  const [stored, segments] = ['stored', 'segments'].map((mode) => {
    const file = join(folder, mode);
    const { seconds, megabytes } = JSON.parse(
      execFileSync(process.execPath, [script, mode, file], { encoding: 'utf8' }),
    );
    return {
      seconds: Math.min(...seconds),
      megabytes,
      gradient: new Float32Array(Uint8Array.from(readFileSync(file)).buffer),
    };
  });
  rmSync(folder, { recursive: true });
  const largest = stored.gradient.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  const difference = segments.gradient.reduce(
    (max, value, i) => Math.max(max, Math.abs(value - stored.gradient[i])),
    0,
  );
  rows.push(rowOf(long, 'bptt', [1000 * segments.seconds]));
  log(long, `all steps stored: ${stored.seconds.toFixed(2)} s, ${stored.megabytes.toFixed(0)} MB`);
  log('', `recomputed in segments of √T: ${segments.seconds.toFixed(2)} s, ${segments.megabytes.toFixed(0)} MB`);
  log('', `relative time: ${(segments.seconds / stored.seconds).toFixed(2)}`);
  log(
    '',
    `largest difference of gradients ${difference.toExponential(1)}, largest gradient ${largest.toExponential(1)}`,
  );
}
writeRows(json, head, rows);
