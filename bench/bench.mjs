/** How fast bptt is by itself: `npm run bench`. Under three minutes, no peers. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kernelCases, multiplyAddPeak } from '../build/kernels.js';
import { kernelsInUse } from '../dist/index.js';
import { cells, nameOf, shapes, streams } from './cases.mjs';
import { header, inTurn, options, optionsHelp, quantile, rowOf, writeRows } from './measure.mjs';
import { allocation, infer, stream, train } from './ours.mjs';

const { json, wants } =
  options(`Measures kernels, training, inference, streams, start-up, memory, scaling, unequal lengths and long sequences.

  npm run bench -- [options]

${optionsHelp}`);

const rows = [];
const head = header({});
const tell = (name, text) => console.log(`${name.padEnd(34)} ${text}`);
console.log(`${head.engine} (V8 ${head.v8}), ${head.cpu}, commit ${head.commit}, kernels ${kernelsInUse()}\n`);

async function measure(name, run, more = {}) {
  const times = (await inTurn({ bptt: run }, more)).bptt;
  rows.push(rowOf(name, 'bptt', times));
  return quantile(times, 0.5);
}

if (wants('gemm')) {
  const peak = multiplyAddPeak();
  console.log(`SIMD multiply-add from registers: ${peak.toFixed(1)} GFLOP/s`);
  for (const { name, flops, run } of kernelCases().filter(({ flops }) => flops > 0)) {
    const ms = await measure(`gemm/${name}`, run, { warmUp: 150, turn: 15 });
    const rate = flops / ms / 1e6;
    tell(`gemm/${name}`, `${rate.toFixed(1)} GFLOP/s, ${((100 * rate) / peak).toFixed(0)} % of the peak`);
  }
}
if (wants('kernel')) {
  for (const { name, numbers, run } of kernelCases().filter(({ flops }) => flops === 0)) {
    const ms = await measure(`kernel/${name}`, run, { warmUp: 40, turn: 5, rounds: 5 });
    tell(`kernel/${name}`, `${((1e6 * ms) / numbers).toFixed(3)} ns a number`);
  }
}
for (const shape of shapes) {
  for (const cell of cells) {
    for (const [kind, prepare] of [
      ['train', train],
      ['infer', infer],
    ]) {
      const name = `${kind}/${cell}/${nameOf(shape)}`;
      if (wants(name)) tell(name, `${(await measure(name, prepare(cell, shape), { rounds: 5 })).toFixed(3)} ms`);
    }
  }
}
for (const cell of cells) {
  for (const size of streams) {
    const name = `stream/${cell}/I${size.I}H${size.H}`;
    if (!wants(name)) continue;
    const run = stream(cell, size);
    await run(20_000);
    const times = [];
    for (let i = 0; i < 20_000; i++) times.push(await run(1));
    rows.push(rowOf(name, 'bptt', times));
    tell(
      name,
      `median ${(1000 * quantile(times, 0.5)).toFixed(1)} µs, 99th percentile ${(1000 * quantile(times, 0.99)).toFixed(1)} µs`,
    );
  }
}
if (wants('start')) {
  const script = fileURLToPath(new URL('start.mjs', import.meta.url));
  const times = Array.from({ length: 7 }, () => Number(execFileSync(process.execPath, [script], { encoding: 'utf8' })));
  rows.push(rowOf('start/lstm/I64H128', 'bptt', times));
  tell('start/lstm/I64H128', `${quantile(times, 0.5).toFixed(1)} ms from import to the first step`);
}
if (wants('memory')) {
  for (const cell of cells) {
    const bytes = await allocation(cell, shapes[0]);
    tell(`memory/train/${cell}/${nameOf(shapes[0])}`, `${bytes} bytes allocated a step`);
  }
}
if (wants('scaling')) {
  for (const [letter, sizes] of [
    ['T', [16, 64, 256, 1024]],
    ['H', [32, 64, 128, 256, 512]],
  ]) {
    for (const size of sizes) {
      const shape = { T: 32, B: 16, I: 32, H: 64, V: 32, [letter]: size };
      const name = `scaling/lstm/${nameOf(shape)}`;
      const ms = await measure(name, train('lstm', shape), { rounds: 3, turn: 40, warmUp: 150 });
      const { T, B, I, H, V } = shape;
      const flops = 2 * T * B * (2 * 4 * H * I + 3 * 4 * H * H + 3 * H * V);
      tell(
        name,
        `${ms.toFixed(2)} ms, ${((1000 * ms) / T).toFixed(1)} µs a time step, ${(flops / ms / 1e6).toFixed(1)} GFLOP/s`,
      );
    }
  }
}
if (wants('padding')) {
  const shape = { T: 64, B: 32, I: 64, H: 128, V: 64 };
  for (const cell of cells) {
    const lengths = Int32Array.from({ length: shape.B }, (_, row) =>
      Math.max(1, Math.round((shape.T * row) / (shape.B - 1))),
    );
    const times = await inTurn(
      { padded: train(cell, shape), lengths: train(cell, shape, undefined, lengths) },
      { rounds: 5 },
    );
    const [padded, packed] = [quantile(times.padded, 0.5), quantile(times.lengths, 0.5)];
    rows.push(rowOf(`padding/${cell}/${nameOf(shape)}`, 'bptt', times.lengths));
    tell(
      `padding/${cell}/${nameOf(shape)}`,
      `${packed.toFixed(2)} ms where lengths average half of T, ${(packed / padded).toFixed(2)} of the time of full ones`,
    );
  }
}
if (wants('long')) {
  const script = fileURLToPath(new URL('long.mjs', import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'bptt-'));
  const [stored, segments] = ['stored', 'segments'].map((how) => {
    const file = join(folder, how);
    const { seconds, megabytes } = JSON.parse(
      execFileSync(process.execPath, [script, how, file], { encoding: 'utf8' }),
    );
    return {
      seconds: Math.min(...seconds),
      megabytes,
      gradient: new Float32Array(Uint8Array.from(readFileSync(file)).buffer),
    };
  });
  rmSync(folder, { recursive: true });
  const largest = stored.gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const apart = segments.gradient.reduce((most, value, i) => Math.max(most, Math.abs(value - stored.gradient[i])), 0);
  rows.push(rowOf('long/lstm/T20000B8H128', 'bptt', [1000 * segments.seconds]));
  tell('long/lstm/T20000B8H128', `stored ${stored.seconds.toFixed(2)} s, ${stored.megabytes.toFixed(0)} MB`);
  tell(
    '',
    `in segments of √T ${segments.seconds.toFixed(2)} s, ${segments.megabytes.toFixed(0)} MB: ${(segments.seconds / stored.seconds).toFixed(2)} of the time`,
  );
  tell('', `gradients apart by ${apart.toExponential(1)}, the largest is ${largest.toExponential(1)}`);
}
writeRows(json, head, rows);
