/** Bundle sizes, and a check that streaming does not allocate in bundled code, which is what users run. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import * as library from 'bptt';
import { buildSync } from 'esbuild';
import { expect, it } from 'vitest';
import type { OnnxTensor } from '../../src/formats/onnx/model';
import { sizeOf } from '../../src/tensor/shape';
import { floats, int64, modelOf } from '../golden/onnx';

/** The sources of the entry points. */
const { compilerOptions } = JSON.parse(readFileSync(new URL('../../tsconfig.json', import.meta.url), 'utf8')) as {
  compilerOptions: { paths: Record<string, string[]> };
};

/** Bundles and minifies a program that imports the library from source. */
function bundle(program: string): Uint8Array {
  const { outputFiles } = buildSync({
    stdin: { contents: program, resolveDir: process.cwd(), loader: 'ts' },
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
    tsconfigRaw: { compilerOptions: { paths: compilerOptions.paths } },
  });
  return outputFiles[0]!.contents;
}

/** The size of the bundle after gzip. */
const kilobytes = (program: string): number => gzipSync(bundle(program), { level: 9 }).length / 1024;

// In 0.1 these programs took 33.4 and 51.1 kB. Since then the first has grown by 5.6 kB: the checks of the arguments of
// all public functions, with their messages, exact long sums, engines without TextEncoder, the memory and the weights
// that streams share, predictions in chunks, data that is read while training uses it, time steps that threads share,
// and what to post instead of a model. The second also contains all optimizers, losses, metrics, layers and loggers
// that were added, which bundlers drop from programs that do not use them.
it('a program that trains, evaluates, generates and streams is at most 39 kB', () => {
  const names = [
    'accuracy, adagrad, adam, adamw, advance, batchesOf, binaryCrossEntropy, chain, characterVocabulary, clipByNorm',
    'clipByValue, cosineDecay, crossEntropy, decode, dense, dropout, embedding, encode, evaluate, fit, forgetBias',
    'generate, gru, huber, identity, lstm, meanAbsoluteError, meanSquaredError, orthogonal, perplexity, predict',
    'recurrent, relu, rmsprop, sequential, sgd, simpleRnn, split, stream, streamCell, tanh, valueAndGradient, warmup',
    'weightDecay, windows',
  ].join(', ');
  expect(kilobytes(`import { ${names} } from 'bptt'; console.log(${names});`)).toBeLessThanOrEqual(39);
});

it('a program that uses all of bptt but its file formats is at most 80 kB', () => {
  const index = readFileSync(new URL('../../src/index.ts', import.meta.url), 'utf8');
  const formats = [...index.matchAll(/export \{([^}]*)\} from '\.\/formats\//g)].flatMap(({ 1: list }) =>
    list!.split(',').map((name) => name.trim()),
  );
  const names = Object.keys(library)
    .filter((name) => !formats.includes(name))
    .join(', ');
  expect(kilobytes(`import { ${names} } from 'bptt'; console.log(${names});`)).toBeLessThanOrEqual(80);
});

// It does not contain initializers: the role of a parameter selects them when it is initialized.
it('streaming inference of one LSTM is at most 10 kB', () => {
  const program = `
    import { advance, lstm, streamCell, tensor } from 'bptt';
    export function open(weights: Record<string, { shape: number[]; data: Float32Array }>) {
      const running = streamCell(lstm(), weights);
      return (x: number[]) => advance(running, tensor([x])).data;
    }`;
  expect(kilobytes(program)).toBeLessThanOrEqual(10);
});

it('threads add at most 3 kB to a program that trains', () => {
  const names = 'fit, sequential, recurrent, lstm, dense, adam, crossEntropy';
  const [one, several] = [names, `${names}, useThreads, threadsReady, threadsInUse`].map((list) =>
    kilobytes(`import { ${list} } from 'bptt'; console.log(${list});`),
  ) as [number, number];
  expect(several - one).toBeLessThanOrEqual(3);
  expect(several - one).toBeGreaterThan(1);
});

it('a page that trains an LSTM in a worker is at most 27.5 kB, and its worker at most 56.5 kB', () => {
  const names = 'adam, crossEntropy, dense, lstm, recurrent, sequential';
  const imports = `import { ${names} } from 'bptt'; import { fitInWorker } from 'bptt/worker';`;
  const page = `${imports} console.log(${names}, fitInWorker);`;
  expect(kilobytes(page)).toBeLessThanOrEqual(27.5);
  expect(kilobytes(`import { serveTraining } from 'bptt/worker'; serveTraining();`)).toBeLessThanOrEqual(56.5);
});

it('training and running forecasters takes at most 45.5 kB', () => {
  const names = 'fitForecaster, forecast, forecaster, seriesFromRows';
  const program = `import { ${names} } from 'bptt/forecasting'; console.log(${names});`;
  expect(kilobytes(program)).toBeLessThanOrEqual(45.5);
});

it.each([
  ['readSafetensors, writeSafetensors', 'bptt', 3],
  ['readHdf5', 'bptt/keras', 11],
  ['fromKeras', 'bptt/keras', 4.3],
  ['toKeras', 'bptt/keras', 2.8],
  ['fromPyTorch, toPyTorch', 'bptt/pytorch', 6.7],
  ['exportOnnx', 'bptt/onnx', 13.2],
  ['importOnnxStream', 'bptt/onnx', 29.5],
])('%s of %s alone takes at most %s kB', (names, entry, limit) => {
  expect(kilobytes(`import { ${names} } from '${entry}'; console.log(${names});`)).toBeLessThanOrEqual(limit);
});

it('advancing a stream allocates less than 16 bytes per step', () => {
  const program = `
    import { advance, batchNorm, conv1d, dense, dropout, gru, kernelsInUse, lstm, recurrent, sequential, stream, tensor, withoutBias } from 'bptt';
    const models = [
      [recurrent(lstm(), { hiddenSize: 5 })],
      [recurrent(gru(), { hiddenSize: 8 }), dropout(0.5), dense({ size: 2 })],
      [recurrent(lstm(), { hiddenSize: 5, returnSequences: false }), dense({ size: 2 })],
      [withoutBias(recurrent(gru(), { hiddenSize: 5 })), withoutBias(dense({ size: 2 }))],
      [conv1d({ size: 4, kernelSize: 3, dilation: 2, padding: 'causal' }), batchNorm(), recurrent(gru(), { hiddenSize: 5 })],
      [conv1d({ size: 3, kernelSize: 3, padding: 'causal', groups: 3 })],
    ];
    const bytes = models.map((layers) => {
      const running = stream(sequential(layers, { inputSize: 3, seed: 4 }));
      const x = tensor([[1, -1, 0.5]]);
      const into = advance(running, x);
      const steps = (count: number) => { for (let i = 0; i < count; i++) advance(running, x, into); };
      steps(50_000);
      return Math.min(...Array.from({ length: 10 }, () => {
        const before = process.memoryUsage().heapUsed;
        steps(5_000);
        return Math.abs(process.memoryUsage().heapUsed - before) / 5_000;
      }));
    });
    console.log(JSON.stringify({ kernels: kernelsInUse(), bytes }));`;
  const { kernels, bytes } = JSON.parse(
    execFileSync(process.execPath, ['--input-type=module', '-e', new TextDecoder().decode(bundle(program))], {
      encoding: 'utf8',
    }),
  ) as { kernels: string; bytes: number[] };
  expect(kernels).not.toBe('portable');
  expect(bytes).toHaveLength(6);
  for (const perStep of bytes) expect(perStep).toBeLessThan(16);
});

it('a step of an ONNX stream allocates less than 16 bytes', () => {
  // A convolution with padding, ReLU and an LSTM, with its state.
  const constant = (name: string, ...shape: number[]): OnnxTensor =>
    floats(name, shape, new Array<number>(sizeOf(shape)).fill(0.1));
  const file = modelOf(
    [
      ['Pad', 'x pads', 'p', { mode: 'reflect' }],
      ['Conv', 'p w b', 'c', { strides: [2], pads: [1, 1] }],
      ['Relu', 'c', 'r'],
      ['Transpose', 'r', 't', { perm: [2, 0, 1] }],
      ['LSTM', 't lw lr lb - h c0', '- hn c0n', { hidden_size: 6 }],
      ['Sigmoid', 'hn', 'y'],
    ],
    [
      ['x', 'float', [1, 2, 12]],
      ['h', 'float', [1, 1, 6]],
      ['c0', 'float', [1, 1, 6]],
    ],
    'y hn c0n',
    {
      initializers: [
        int64('pads', 0, 0, 3, 0, 0, 3),
        constant('w', 8, 2, 3),
        constant('b', 8),
        constant('lw', 1, 24, 8),
        constant('lr', 1, 24, 6),
        constant('lb', 1, 48),
      ],
    },
  );
  const program = `
    import { importOnnxStream } from 'bptt/onnx';
    const running = importOnnxStream(Uint8Array.from(${JSON.stringify([...file])}));
    const inputs = { x: new Float32Array(24).fill(0.5) };
    const into = running.step(inputs);
    const steps = (count) => { for (let i = 0; i < count; i++) running.step(inputs, into); };
    steps(50_000);
    const bytes = Math.min(...Array.from({ length: 10 }, () => {
      const before = process.memoryUsage().heapUsed;
      steps(5_000);
      return Math.abs(process.memoryUsage().heapUsed - before) / 5_000;
    }));
    console.log(JSON.stringify({ bytes, y: into.y.data[0] }));`;
  const { bytes, y } = JSON.parse(
    execFileSync(process.execPath, ['--input-type=module', '-e', new TextDecoder().decode(bundle(program))], {
      encoding: 'utf8',
    }),
  ) as { bytes: number; y: number };
  expect(y).toBeGreaterThan(0.5);
  expect(bytes).toBeLessThan(16);
});
