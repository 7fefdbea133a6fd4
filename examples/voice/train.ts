/** Training of the small detector. */

import {
  adamw,
  type Batch,
  binaryCrossEntropy,
  chain,
  clipByNorm,
  cosineDecay,
  createRandom,
  fit,
  type Progress,
  type Random,
  type Sequential,
  type Tensor,
  uniformNumber,
} from 'bptt';
import { frameSize } from './detector';
import { joined, mixed, noiseOf, speechLabels, speechTrack } from './mixture';
import { sampleRate } from './resample';
import { createFeatures, createNetwork, featureCount } from './small-detector';
import { pick, speakAll, trainingSpeakers } from './speech';

/** A clip of sound with the labels of its frames. */
export interface Clip {
  readonly samples: Float32Array;
  readonly labels: Uint8Array;
}

/** The options of {@link trainSmallDetector}. */
export interface TrainingOptions {
  readonly clips: readonly Clip[];
  readonly epochs: number;
  readonly seed: number;
  readonly onProgress?: (progress: Progress) => void;
}

const clipSeconds = 8;
const batchSize = 16;

/**
 * Mixes clips of eight seconds of {@link trainingSpeakers} with white or pink noise, or without noise, at random levels
 * and volumes. The noise changes once per clip. About one clip in seven has no speech.
 */
export function trainingClips(count: number, seed: number): Clip[] {
  const random = createRandom(seed);
  const voices = speakAll(trainingSpeakers, 6, random);
  return Array.from({ length: count }, () => createClip(voices, random));
}

function createClip(voices: readonly Float32Array[], random: Random): Clip {
  const length = clipSeconds * sampleRate;
  const hasSpeech = uniformNumber(random) < 0.85;
  const speech = hasSpeech ? speechTrack(length, voices, random) : new Float32Array(length);
  // The noise changes once, so that a change is not taken for speech.
  const change = Math.round(length * uniformNumber(random, 0.1, 0.9));
  const noise = joined([change, length - change].map((part) => randomNoise(part, random)));
  const volume = 10 ** (uniformNumber(random, -20, 10) / 20);
  return { samples: mixed(speech, noise).map((value) => volume * value), labels: speechLabels(speech) };
}

function randomNoise(length: number, random: Random): Float32Array {
  const noise = pick(['none', 'white', 'white', 'pink', 'pink'] as const, random);
  return noiseOf(noise, uniformNumber(random, -5, 25), length, [], random);
}

/** Trains the network. The same clips and seed give the same network, bit for bit, with the same kernels. */
export async function trainSmallDetector({ clips, epochs, seed, onProgress }: TrainingOptions): Promise<Sequential> {
  const count = Math.floor(clips.length / batchSize);
  const data = Array.from({ length: count }, (_, i) => batchOf(clips.slice(i * batchSize, (i + 1) * batchSize)));
  const network = createNetwork(seed);
  await fit(network, data, {
    loss: binaryCrossEntropy,
    optimizer: chain(clipByNorm(1), adamw(cosineDecay(4e-3, { steps: epochs * count }), { weightDecay: 0.01 })),
    epochs,
    seed,
    onProgress,
  });
  return network;
}

/** A batch of the features and labels of all frames. */
function batchOf(clips: readonly Clip[]): Batch<Tensor, Tensor> {
  const [T, B] = [clips[0]!.labels.length, clips.length];
  const inputs = new Float32Array(T * B * featureCount);
  const targets = new Float32Array(T * B);
  clips.forEach(({ samples, labels }, b) => {
    const next = createFeatures();
    for (let t = 0; t < T; t++) {
      const row = t * B + b;
      const into = inputs.subarray(row * featureCount, (row + 1) * featureCount);
      next(samples.subarray(t * frameSize, (t + 1) * frameSize), into);
      targets[row] = labels[t]!;
    }
  });
  return { inputs: { shape: [T, B, featureCount], data: inputs }, targets: { shape: [T, B, 1], data: targets } };
}
