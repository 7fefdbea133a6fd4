/** Benchmarks bptt and other libraries in one run, interleaved: `npm run bench:peers`. */

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as ortNode from 'onnxruntime-node';
import * as ortWeb from 'onnxruntime-web';
import { kernelsInUse, threadsReady, useThreads } from '../../dist/index.js';
import { cells, convolutionalModels, convolutionName, convolutions, nameOf, shapes, streams } from '../cases.mjs';
import { header, options, optionsHelp, quantile, rowOf, runInterleaved, writeRows } from '../measure.mjs';
import * as ours from '../ours.mjs';
import { startWide } from '../wide.mjs';
import { brainJs, versions as brainVersions } from './brain.mjs';
import { onnxruntime } from './onnx.mjs';
import { pytorch } from './pytorch.mjs';
import { tfjs, versions as tfjsVersions } from './tfjs.mjs';

const { json, includes, threads } =
  options(`Compares training, inference and streaming with TensorFlow.js, brain.js, ONNX Runtime and PyTorch.

  npm run bench:peers -- [options]

${optionsHelp}
  --threads N   give bptt, ONNX Runtime and PyTorch N threads each; the others have one`);

ortWeb.env.wasm.numThreads = threads;
useThreads(threads);
if ((await threadsReady()) !== threads) throw new Error(`${threads} threads did not start.`);
const log = (text) => void console.log(text);
const torch = await pytorch(log, threads);
const wide = await startWide(threads);
const contestants = {
  bptt: ours,
  ...(wide === undefined ? {} : { 'bptt-wide': wide }),
  'bptt-portable': {
    train: (cell, shape) => ours.train(cell, shape, 'portable'),
    infer: (cell, shape) => ours.infer(cell, shape, 'portable'),
    stream: (cell, shape) => ours.stream(cell, shape, 'portable'),
  },
  'tfjs-wasm': tfjs('wasm'),
  'tfjs-cpu': tfjs('cpu'),
  'brain.js': brainJs,
  'onnxruntime-node': onnxruntime(ortNode, threads),
  'onnxruntime-web': onnxruntime(ortWeb, threads),
  ...(torch === undefined ? {} : { pytorch: torch }),
};
const head = header({
  ...tfjsVersions,
  ...brainVersions,
  'onnxruntime-node': ortNode.env.versions.node,
  'onnxruntime-web': ortWeb.env.versions.web,
  ...torch?.versions,
});
log(
  `${head.engine} (V8 ${head.v8}), ${head.cpu}, commit ${head.commit}, kernels ${kernelsInUse()}, threads: ${threads}`,
);
log('Median in ms (in parentheses: relative to bptt).\n');

const rows = [];
async function compare(kind, cell, shape, name, among = Object.keys(contestants)) {
  if (!includes(name)) return;
  const prepared = {};
  for (const who of among) {
    const run = await contestants[who]?.[kind]?.(cell, shape);
    if (run !== undefined) prepared[who] = run;
  }
  const times = await runInterleaved(prepared);
  const base = quantile(times.bptt, 0.5);
  rows.push(...Object.entries(times).map(([who, values]) => rowOf(name, who, values)));
  const parts = Object.entries(times).map(([who, values]) => {
    const median = quantile(values, 0.5);
    return `${who} ${median.toPrecision(3)}${who === 'bptt' ? '' : ` (${(median / base).toPrecision(3)})`}`;
  });
  log(`${name}: ${parts.join(', ')}`);
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
if (includes(start)) {
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
torch?.close();
wide?.close();
