/** Benchmarks bptt and other libraries in one run, interleaved: `npm run bench:peers`. */

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { kernelsInUse } from '../../dist/index.js';
import { cells, convolutionalModels, convolutionName, convolutions, nameOf, shapes, streams } from '../cases.mjs';
import { header, options, optionsHelp, quantile, rowOf, runInterleaved, writeRows } from '../measure.mjs';
import { all, open, threaded } from './contestants.mjs';

const { json, includes, among, threads } = options(
  `Compares training, inference and streaming with TensorFlow.js, brain.js, ONNX Runtime and PyTorch.

  npm run bench:peers -- [options]

${optionsHelp}
  --among NAMES compare only bptt and these comma-separated libraries: ${all.join(', ')}
  --threads N   compare bptt, ONNX Runtime and PyTorch with N threads each`,
  all,
);

const log = (text) => void console.log(text);
const contestants = {};
for (const who of threads === 1 ? all : threaded) {
  if (who !== 'bptt' && !among.includes(who)) continue;
  const opened = await open(who, threads, log);
  if (opened !== undefined) contestants[who] = opened;
}
const head = header(Object.assign({}, ...Object.values(contestants).map(({ versions }) => versions)));
log(
  `${head.engine} (V8 ${head.v8}), ${head.cpu}, commit ${head.commit}, kernels ${kernelsInUse()}, threads: ${threads}`,
);
log('Median in ms (in parentheses: relative to bptt).\n');

const rows = [];
async function compare(kind, cell, shape, name, candidates = Object.keys(contestants)) {
  if (!includes(name)) return;
  const able = candidates.filter((who) => contestants[who]?.[kind] !== undefined);
  const times = threads === 1 ? await interleaved(able, kind, cell, shape) : alone(able, kind, cell, shape);
  const base = quantile(times.bptt, 0.5);
  rows.push(...Object.entries(times).map(([who, values]) => rowOf(name, who, values)));
  const parts = Object.entries(times).map(([who, values]) => {
    const median = quantile(values, 0.5);
    return `${who} ${median.toPrecision(3)}${who === 'bptt' ? '' : ` (${(median / base).toPrecision(3)})`}`;
  });
  log(`${name}: ${parts.join(', ')}`);
}

async function interleaved(among, kind, cell, shape) {
  const prepared = {};
  for (const who of among) {
    const run = await contestants[who][kind](cell, shape);
    if (run !== undefined) prepared[who] = run;
  }
  return runInterleaved(prepared);
}

/** Times the libraries in three rounds, each library in a separate process, of which only one runs at a time. */
function alone(among, kind, cell, shape) {
  const script = fileURLToPath(new URL('alone.mjs', import.meta.url));
  const times = Object.fromEntries(among.map((who) => [who, []]));
  for (let round = 0; round < 3; round++)
    for (const who of among) {
      const text = execFileSync(process.execPath, [script, JSON.stringify({ who, threads, kind, cell, shape })], {
        encoding: 'utf8',
      });
      times[who].push(...JSON.parse(text));
    }
  return Object.fromEntries(Object.entries(times).filter(([, values]) => values.length > 0));
}

for (const shape of shapes) {
  for (const kind of ['train', 'infer'])
    for (const cell of cells) await compare(kind, cell, shape, `${kind}/${cell}/${nameOf(shape)}`);
}
for (const shape of convolutions) {
  for (const kind of ['train', 'infer'])
    for (const model of convolutionalModels)
      await compare(kind, model, shape, `${kind}/${model}/${convolutionName(shape)}`, ['bptt', 'bptt-wide', 'pytorch']);
}
for (const cell of cells)
  for (const size of streams) await compare('stream', cell, size, `stream/${cell}/I${size.I}H${size.H}`);

const start = 'start/lstm/I64H128';
if (threads === 1 && includes(start)) {
  const scripts = { bptt: '../start.mjs', 'tfjs-wasm': 'start-tfjs.mjs' };
  const times = { bptt: [], 'tfjs-wasm': [] };
  for (let round = 0; round < 7; round++) {
    for (const [who, script] of Object.entries(scripts)) {
      const path = fileURLToPath(new URL(script, import.meta.url));
      times[who].push(Number(execFileSync(process.execPath, [path], { encoding: 'utf8' })));
    }
  }
  rows.push(...Object.entries(times).map(([who, values]) => rowOf(start, who, values)));
  log(
    `${start}: bptt ${quantile(times.bptt, 0.5).toFixed(1)}, tfjs-wasm ${quantile(times['tfjs-wasm'], 0.5).toFixed(1)}`,
  );
}
writeRows(json, head, rows);
for (const { close } of Object.values(contestants)) close?.();
