/** The commands of the example. Paths are relative to the root of the repository, where npm runs scripts. */

import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { createRandom, kernelsInUse, load, type Sequential, save } from 'bptt';
import { terminalProgress } from 'bptt/node';
import { type Detector, frameSize, levelDetector, probabilitiesOf, sileroDetector } from './detector';
import { bestLevelThreshold, type Condition, heldOutConditions } from './evaluate';
import { joined, mixed, noiseOf, speechLabels, speechTrack } from './mixture';
import { speechPicture, type Track } from './picture';
import { evaluateAll, ratioPlot, tableOf, timesPerFrame } from './report';
import { sampleRate } from './resample';
import { type Segment, speechSegments } from './segments';
import { smallDetector } from './small-detector';
import { heldOutSpeakers, speakAll } from './speech';
import { trainingClips, trainSmallDetector } from './train';
import { readWav } from './wav-file';

const folder = 'examples/voice';
const networkPath = `${folder}/small-detector.safetensors`;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

const readSilero = (): Detector =>
  sileroDetector(readFileSync(`${folder}/node_modules/@ricky0123/vad-web/dist/silero_vad_v5.onnx`));

/** The committed network, which `train` writes. */
const readNetwork = (): Sequential => load(readFileSync(networkPath)).model;

/** Detects speech in a WAV file, prints the segments and draws the probability over the waveform. */
export function detect(path: string, picture: string): void {
  const samples = readWav(readFileSync(path), path);
  show(samples, tracksOf(samples), picture);
}

/** As {@link detect}, for held-out speakers of espeak-ng in pink noise and babble. */
export function demonstrate(): void {
  const random = createRandom(3);
  const voices = speakAll(heldOutSpeakers, 1, random);
  const length = 10 * sampleRate;
  const parts = (
    [
      ['pink', 10],
      ['pink', 0],
      ['babble', 10],
    ] as const
  ).map(([noise, ratio]) => {
    const speech = speechTrack(length, voices, random);
    return { speech, samples: mixed(speech, noiseOf(noise, ratio, length, voices, random)) };
  });
  const samples = joined(parts.map((part) => part.samples));
  const labels = Float32Array.from(speechLabels(joined(parts.map(({ speech }) => speech))));
  const known = { title: 'Speech, as mixed', probabilities: labels, segments: segmentsOf(labels, samples) };
  print('ten seconds each of espeak-ng in pink noise at 10 dB and 0 dB, and in babble at 10 dB\n');
  show(samples, [known, ...tracksOf(samples)], `${folder}/speech.svg`);
}

/** Runs both detectors. */
const tracksOf = (samples: Float32Array): Track[] =>
  [readSilero(), smallDetector(readNetwork())].map((detector) => {
    const probabilities = probabilitiesOf(detector, samples);
    return { title: detector.name, probabilities, segments: segmentsOf(probabilities, samples) };
  });

const segmentsOf = (probabilities: Float32Array, samples: Float32Array): Segment[] =>
  speechSegments(probabilities, frameSize / sampleRate, samples.length / sampleRate);

function show(samples: Float32Array, tracks: readonly Track[], picture: string): void {
  for (const { title, segments } of tracks) {
    print(`${title}: ${segments.length} ${segments.length === 1 ? 'segment' : 'segments'}`);
    for (const { start, end } of segments) print(`  ${start.toFixed(2)} to ${end.toFixed(2)} s`);
  }
  writeFileSync(picture, speechPicture(samples, samples.length / sampleRate, tracks));
  print(`\n${(samples.length / sampleRate).toFixed(1)} s; picture: ${picture}`);
}

/** The options of a training: the full one takes about half a minute, the short one some seconds. */
const trainings = { full: { clips: 480, epochs: 32 }, short: { clips: 128, epochs: 24 } } as const;

/** Trains the small network, and writes its file unless the training is short. */
export async function train(short: boolean): Promise<Sequential> {
  const { clips, epochs } = trainings[short ? 'short' : 'full'];
  const seed = 1;
  const network = await trainSmallDetector({
    clips: trainingClips(clips, seed),
    epochs,
    seed,
    onProgress: terminalProgress(),
  });
  const file = save(network);
  print(`${network.data.length} parameters, ${(file.length / 1000).toFixed(0)} kB`);
  if (!short) writeFileSync(networkPath, file);
  return network;
}

/** Evaluates the detectors on held-out speakers, and draws their scores unless the evaluation is short. */
export async function evaluate(short: boolean): Promise<void> {
  const network = short ? await train(true) : readNetwork();
  const threshold = bestLevelThreshold(trainingClips(64, 2));
  const detectors: Detector[] = [readSilero(), smallDetector(network), levelDetector(threshold)];
  const conditions = heldOutConditions(short ? 30 : 180, 5);
  const [{ labels, samples }] = conditions as [Condition];
  const results = evaluateAll(detectors, conditions);
  const share = labels.reduce((sum, label) => sum + label, 0) / labels.length;
  const alwaysSpeech = (2 * share) / (1 + share);
  print(`${tableOf(results)}\n`);
  print(`${labels.length} frames per row, of which ${(100 * share).toFixed(0)} % are speech`);
  print(`F1 of always speech: ${alwaysSpeech.toFixed(3)}; threshold of the level: ${threshold} dB`);
  for (const [name, time] of timesPerFrame(detectors, samples.subarray(0, 30 * sampleRate)))
    print(`${name}: ${time.toFixed(0)} µs per frame`);
  print(`Node ${process.version}, ${cpus()[0]!.model}, kernels ${kernelsInUse()}`);
  if (!short) writeFileSync(`${folder}/ratios.svg`, ratioPlot(results, alwaysSpeech));
}
