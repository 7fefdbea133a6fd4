/** The example `voice`: WAV files, labels, features, and detectors on held-out speakers and noises. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRandom, load, predict, type Tensor, uniformNumber } from 'bptt';
import { describe, expect, it, vi } from 'vitest';
import { detect } from '../../examples/voice/commands';
import { frameSize, levelDetector, probabilitiesOf, sileroDetector } from '../../examples/voice/detector';
import { bestLevelThreshold, heldOutConditions, scoresOf } from '../../examples/voice/evaluate';
import { joined, mixed, noiseOf, speechLabels } from '../../examples/voice/mixture';
import { speechPicture } from '../../examples/voice/picture';
import { evaluateAll, type Result, tableOf } from '../../examples/voice/report';
import { createFeatures, createNetwork, featureCount, smallDetector } from '../../examples/voice/small-detector';
import { bandCount, createBandEnergies, createFourierTransform, windowSize } from '../../examples/voice/spectrum';
import { heldOutSpeakers, rootMeanSquare, speakAll, speechLevel } from '../../examples/voice/speech';
import { trainingClips, trainSmallDetector } from '../../examples/voice/train';
import { readWav } from '../../examples/voice/wav-file';
import { modelFile } from './models';

const sine = (length: number, frequency: number, rate: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => 0.5 * Math.sin((2 * Math.PI * frequency * i) / rate));

const largestDifference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

/** The encodings of a WAV file: format tag, bytes per sample, and how a sample is written. */
const encodings = {
  'PCM 16': [1, 2, (view: DataView, at: number, value: number) => view.setInt16(at, Math.round(value * 32_767), true)],
  'PCM 32': [1, 4, (view: DataView, at: number, value: number) => view.setInt32(at, value * 2_147_483_647, true)],
  'float 32': [3, 4, (view: DataView, at: number, value: number) => view.setFloat32(at, value, true)],
} as const;

/** Writes a WAV file of interleaved channels. */
function wavFile(encoding: keyof typeof encodings, rate: number, channels: readonly Float32Array[]): Uint8Array {
  const [format, size, write] = encodings[encoding];
  const [count, frames] = [channels.length, channels[0]?.length ?? 0];
  const view = new DataView(new ArrayBuffer(44 + size * count * frames));
  const text = (at: number, value: string): void =>
    [...value].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, 'RIFF');
  view.setUint32(4, view.byteLength - 8, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, format, true);
  view.setUint16(22, count, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * count * size, true);
  view.setUint16(32, count * size, true);
  view.setUint16(34, 8 * size, true);
  text(36, 'data');
  view.setUint32(40, size * count * frames, true);
  channels.forEach((channel, c) => channel.forEach((value, i) => write(view, 44 + size * (i * count + c), value)));
  return new Uint8Array(view.buffer);
}

describe('readWav', () => {
  it.each(['PCM 16', 'PCM 32', 'float 32'] as const)('reads %s', (encoding) => {
    const samples = sine(1000, 440, 16_000);
    expect(largestDifference(readWav(wavFile(encoding, 16_000, [samples]), 'a.wav'), samples)).toBeLessThan(4e-5);
  });

  it('averages channels', () => {
    const [left, right] = [sine(1000, 440, 16_000), sine(1000, 1000, 16_000)];
    const expected = left.map((value, i) => (value + right[i]!) / 2);
    const mono = readWav(wavFile('float 32', 16_000, [left, right]), 'a.wav');
    expect(largestDifference(mono, expected)).toBeLessThan(1e-6);
  });

  it.each([8000, 22_050, 44_100, 48_000])('resamples %d Hz to 16 kHz', (rate) => {
    const samples = readWav(wavFile('float 32', rate, [sine(rate, 440, rate)]), 'a.wav');
    expect(samples.length).toBe(16_000);
    // The ends have no samples beyond them.
    const middle = samples.subarray(1000, 15_000);
    expect(largestDifference(middle, sine(16_000, 440, 16_000).subarray(1000, 15_000))).toBeLessThan(2e-3);
  });

  const valid = wavFile('PCM 16', 16_000, [sine(100, 440, 16_000)]);
  const changed = (at: number, value: number): Uint8Array => valid.map((byte, i) => (i === at ? value : byte));
  it.each<[string, Uint8Array, string]>([
    ['another file', new TextEncoder().encode('<!DOCTYPE html><html></html>'), 'a.wav: Not a WAV file'],
    ['an empty file', new Uint8Array(0), 'a.wav: the file has no samples. It is empty, or was truncated'],
    ['a truncated header', valid.subarray(0, 30), 'a.wav: the file has no samples'],
    ['a header without samples', valid.subarray(0, 44), 'a.wav: the file has no samples'],
    ['an unsupported format', changed(20, 0x55), 'a.wav: Unsupported WAV format: 0x55. Supported are'],
    ['an unsupported bit depth', changed(34, 12), 'a.wav: Unsupported WAV bit depth: 12'],
    ['no channels', changed(22, 0), 'a.wav: the file has no samples'],
    ['blocks of no bytes', changed(32, 0), 'a.wav: the file has no samples'],
    ['blocks that are shorter than a sample', changed(32, 1), 'a.wav: the header is not consistent'],
    [
      'a wrong rate',
      wavFile('PCM 16', 100, [sine(100, 1, 100)]),
      'the sample rate must be from 8000 to 384000 Hz, got 100',
    ],
    ['a value that is not finite', wavFile('float 32', 16_000, [Float32Array.of(0, NaN)]), 'a.wav: sample 1 is NaN'],
  ])('rejects %s', (_, bytes, message) => expect(() => readWav(bytes, 'a.wav')).toThrow(message));
});

it('labels frames within 30 dB of the level of speech, with gaps of up to three frames', () => {
  const loud = [0, 1, 2, 6, 7, 12];
  const clean = new Float32Array(15 * frameSize);
  clean.fill(speechLevel * 10 ** (-31 / 20));
  for (const i of loud) clean.fill(speechLevel * 10 ** (-29 / 20), i * frameSize, (i + 1) * frameSize);
  expect([...speechLabels(clean)]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0]);
});

it('mixes noise at the given ratio', () => {
  const random = createRandom(1);
  for (const noise of ['white', 'pink'] as const) {
    const samples = noiseOf(noise, 5, 16_000, [], random);
    expect(20 * Math.log10(speechLevel / rootMeanSquare(samples))).toBeCloseTo(5, 3);
    expect(mixed(samples, samples)[7]).toBe(2 * samples[7]!);
  }
});

it('transforms as the definition of the discrete Fourier transform', () => {
  const size = 16;
  const random = createRandom(2);
  const [real, imaginary] = [0, 1].map(() => Float64Array.from({ length: size }, () => uniformNumber(random, -1, 1)));
  const expected = Array.from({ length: size }, (_, k) =>
    real!.reduce(
      ([x, y], value, i) => {
        const angle = (-2 * Math.PI * k * i) / size;
        const [c, s] = [Math.cos(angle), Math.sin(angle)];
        return [x + value * c - imaginary![i]! * s, y + value * s + imaginary![i]! * c] as const;
      },
      [0, 0] as readonly [number, number],
    ),
  );
  createFourierTransform(size)(real!, imaginary!);
  expected.forEach(([x, y], k) => {
    expect(real![k]).toBeCloseTo(x, 12);
    expect(imaginary![k]).toBeCloseTo(y, 12);
  });
});

it('computes the energies of two windows separately, each with its frequency in one band', () => {
  const energies = createBandEnergies();
  const into = new Float32Array(2 * bandCount);
  const silence = new Float32Array(windowSize);
  energies(sine(windowSize, 1000, 16_000), silence, into);
  const first = into.slice(0, bandCount);
  expect([...into.subarray(bandCount)]).toEqual(Array.from({ length: bandCount }, () => into[bandCount]));
  // 1000 Hz is 1000 mel, and the centers of the bands are 107 mel apart, from 229 mel on.
  expect(first.indexOf(Math.max(...first))).toBe(7);
  energies(silence, sine(windowSize, 1000, 16_000), into);
  expect(largestDifference(into.subarray(bandCount), first)).toBeLessThan(1e-6);
});

it('the small detector computes per frame the probabilities of a whole sequence', () => {
  const network = createNetwork(3);
  const samples = noiseOf('pink', 0, 40 * frameSize, [], createRandom(4));
  const features: Tensor = { shape: [40, 1, featureCount], data: new Float32Array(40 * featureCount) };
  const next = createFeatures();
  for (let i = 0; i < 40; i++)
    next(
      samples.subarray(i * frameSize, (i + 1) * frameSize),
      features.data.subarray(i * featureCount, (i + 1) * featureCount),
    );
  const expected = predict(network, features).data.map((logit) => 1 / (1 + Math.exp(-logit)));
  const detector = smallDetector(network);
  expect(largestDifference(probabilitiesOf(detector, samples), expected)).toBeLessThan(1e-6);
  // A second signal starts from the initial state.
  expect(largestDifference(probabilitiesOf(detector, samples), expected)).toBeLessThan(1e-6);
});

it('scores have the values of their definitions', () => {
  const scores = scoresOf(Float32Array.of(0.9, 0.8, 0.2, 0.6, 0.1), Uint8Array.of(1, 0, 1, 1, 0));
  expect(scores.precision).toBeCloseTo(2 / 3, 12);
  expect(scores.recall).toBeCloseTo(2 / 3, 12);
  expect(scores.f1).toBeCloseTo(2 / 3, 12);
  // Of the six pairs of a positive and a negative frame, the positive one is larger in four.
  expect(scores.auc).toBeCloseTo(4 / 6, 12);
});

it('draws the waveform, the probability and the segments', () => {
  const probabilities = Float32Array.from({ length: 31 }, (_, i) => i / 30);
  const segments = [{ start: 0.5, end: 1 }];
  const svg = speechPicture(sine(16_000, 3, 16_000), 1, [{ title: 'a & b', probabilities, segments }]);
  expect(svg).toContain('a &amp; b');
  // The segment is the second half of 780 pixels.
  expect(svg).toContain('<rect x="390.0" width="390.0"');
  expect(svg.match(/<polyline[^>]*points="([^"]*)"/)![1]!.split(' ').length).toBe(62);
  // From the loudest sample, at the top, to the least.
  expect(svg).toMatch(/V90\.0/);
});

describe('detect', () => {
  const sentences = { 'en-029': ['Nobody called us.'] };
  const sentence = speakAll({ ...heldOutSpeakers, sentences }, 1, createRandom(1))[0]!;
  const silence = new Float32Array(16_000);

  it.each([
    [1, '1 segment\n'],
    [2, '2 segments\n'],
  ])('counts, prints and draws the segments of a file (%i)', (count, expected) => {
    const samples = joined([silence, ...Array.from({ length: count }, () => [sentence, silence]).flat()]);
    const folder = mkdtempSync(join(tmpdir(), 'bptt-voice-'));
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    try {
      const [sound, picture] = [join(folder, 'speech.wav'), join(folder, 'speech.svg')];
      writeFileSync(sound, wavFile('PCM 16', 16_000, [samples]));
      detect(sound, picture);
      const printed = write.mock.calls.map(([text]) => text).join('');
      for (const name of ['Silero VAD v5', 'small network']) expect(printed).toContain(`${name}: ${expected}`);
      expect(printed.match(/^ {2}\d+\.\d\d to \d+\.\d\d s$/gm)).toHaveLength(2 * count);
      expect(readFileSync(picture, 'utf8')).toContain('<polyline');
    } finally {
      write.mockRestore();
      rmSync(folder, { recursive: true });
    }
  });
});

describe('on held-out speakers and noises', async () => {
  const clips = trainingClips(128, 1);
  const trained = await trainSmallDetector({ clips, epochs: 24, seed: 1 });
  const committed = load(readFileSync('examples/voice/small-detector.safetensors')).model;
  const silero = sileroDetector(modelFile('@ricky0123/vad-web/dist/silero_vad_v5.onnx'));
  const conditions = heldOutConditions(30, 6);
  const detectors = {
    silero,
    committed: smallDetector(committed),
    trained: smallDetector(trained),
    level: levelDetector(bestLevelThreshold(clips.slice(0, 32))),
  };
  const results = Object.entries(detectors).flatMap(([name, detector]) =>
    evaluateAll([{ ...detector, name }], conditions),
  );
  const { labels } = conditions[0]!;
  const share = labels.reduce((sum, label) => sum + label, 0) / labels.length;
  const alwaysSpeech = (2 * share) / (1 + share);
  const scores = (detector: keyof typeof detectors, noise: string, ratio: number): Result['scores'] =>
    results.find((result) => result.detector === detector && result.noise === noise && result.ratio === ratio)!.scores;
  console.log(`${tableOf(results)}\nspeech: ${share.toFixed(2)}, F1 of always speech: ${alwaysSpeech.toFixed(2)}`);

  it('the small network has a twentieth of the parameters of Silero VAD, and a small file', () => {
    expect(committed.data.length).toBe(13_481);
    expect(readFileSync('examples/voice/small-detector.safetensors').length).toBeLessThan(60_000);
  });

  it.each(['silero', 'committed', 'trained'] as const)('%s is better than always speech and a level', (detector) => {
    expect(share).toBeGreaterThan(0.35);
    expect(share).toBeLessThan(0.65);
    for (const noise of ['white', 'pink'])
      for (const ratio of [20, 10, 5, 0]) {
        const { f1, auc } = scores(detector, noise, ratio);
        expect(f1, `${noise} ${ratio}`).toBeGreaterThan(0.84);
        expect(f1, `${noise} ${ratio}`).toBeGreaterThan(alwaysSpeech + 0.1);
        expect(auc, `${noise} ${ratio}`).toBeGreaterThan(0.93);
        if (ratio <= 5) expect(f1, `${noise} ${ratio}`).toBeGreaterThan(scores('level', noise, ratio).f1 + 0.04);
      }
  });

  it('Silero VAD is better in babble, which the small network has not seen', () => {
    for (const ratio of [10, 5]) {
      const difference = scores('silero', 'babble', ratio).auc - scores('committed', 'babble', ratio).auc;
      expect(difference).toBeGreaterThan(0.05);
    }
  });

  it('the same seed gives the same network', async () => {
    const few = { clips: clips.slice(0, 16), epochs: 2, seed: 5 };
    const [a, b] = [await trainSmallDetector(few), await trainSmallDetector(few)];
    expect(a.data).toEqual(b.data);
    expect(trainingClips(2, 1)[1]!.samples).toEqual(clips[1]!.samples);
  });
});
