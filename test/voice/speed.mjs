/**
 * The time of one frame of Silero VAD v5 (32 ms at 16 kHz), and from the start of a process to the first result: this
 * library, onnxruntime-node and onnxruntime-web, each on one thread. Run `npm run build` first.
 *
 *     node test/voice/speed.mjs [relaxed | wide]
 *
 * The wide kernels take the flag --experimental-wasm-revectorize.
 */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const [kernels = 'relaxed', only] = process.argv.slice(2);
const path = fileURLToPath(new URL('node_modules/@ricky0123/vad-web/dist/silero_vad_v5.onnx', import.meta.url));
const size = 576;

/** Frames of a chirp that becomes louder and quieter. */
const frames = Array.from({ length: 200 }, (_, i) =>
  Float32Array.from({ length: size }, (_, j) => 0.2 * Math.sin(i / 9) * Math.sin((i * 512 + j) ** 2 * 1e-6)),
);

async function openBptt() {
  const { importOnnxStream } = await import('../../dist/onnx.js');
  const stream = importOnnxStream(readFileSync(path), { inputs: { sr: 16_000 }, shapes: { input: [1, size] } });
  const inputs = { input: frames[0] };
  const into = { output: { shape: [1, 1], data: new Float32Array(1) } };
  return (frame) => {
    inputs.input = frame;
    stream.step(inputs, into);
    return into.output.data[0];
  };
}

async function openRuntime(name, options) {
  const { default: runtime, ...named } = await import(name);
  const { InferenceSession, Tensor, env } = runtime ?? named;
  if (name === 'onnxruntime-web') env.wasm.numThreads = 1;
  const session = await InferenceSession.create(readFileSync(path), { logSeverityLevel: 3, ...options });
  let state = new Tensor('float32', new Float32Array(256), [2, 1, 128]);
  const sr = new Tensor('int64', BigInt64Array.of(16_000n), []);
  return async (frame) => {
    const results = await session.run({ input: new Tensor('float32', frame, [1, size]), state, sr });
    state = results.stateN;
    return results.output.data[0];
  };
}

const engines = {
  bptt: openBptt,
  'onnxruntime-node': () => openRuntime('onnxruntime-node', { intraOpNumThreads: 1, interOpNumThreads: 1 }),
  'onnxruntime-web': () => openRuntime('onnxruntime-web', { executionProviders: ['wasm'] }),
};

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

if (only !== undefined) {
  // A new process: from its start to the first result.
  const run = await engines[only]();
  await run(frames[0]);
  console.log(performance.now());
} else {
  const { useKernels } = await import('../../dist/index.js');
  useKernels(kernels);
  const runs = Object.fromEntries(
    await Promise.all(Object.entries(engines).map(async ([name, open]) => [name, await open()])),
  );
  const times = Object.fromEntries(Object.keys(runs).map((name) => [name, []]));
  for (let round = 0; round < 12; round++) {
    for (const [name, run] of Object.entries(runs)) {
      const start = performance.now();
      for (const frame of frames) {
        const result = run(frame);
        if (result instanceof Promise) await result;
      }
      // The first two rounds warm up.
      if (round > 1) times[name].push((performance.now() - start) / frames.length);
    }
  }
  const first = Object.fromEntries(Object.keys(engines).map((name) => [name, []]));
  for (let round = 0; round < 5; round++)
    for (const name of Object.keys(engines))
      first[name].push(
        Number(execFileSync(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), kernels, name])),
      );
  console.log(`Node ${process.version}, ${cpus()[0].model}, kernels ${kernels}`);
  const ours = [median(times.bptt), median(first.bptt)];
  for (const name of Object.keys(engines)) {
    const [frame, start] = [median(times[name]), median(first[name])];
    const [least, most] = [Math.min(...times[name]), Math.max(...times[name])].map((time) => (time * 1000).toFixed(1));
    console.log(
      `${name}: ${(frame * 1000).toFixed(1)} µs per frame (${least} to ${most}; ${(frame / ours[0]).toFixed(1)} ×), ` +
        `first result after ${start.toFixed(0)} ms (${(start / ours[1]).toFixed(1)} ×)`,
    );
  }
}
