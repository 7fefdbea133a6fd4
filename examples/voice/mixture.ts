/** Speech at known times, mixed with noise. A seed determines the samples. */

import { type Random, uniformNumber } from 'bptt';
import { frameSize } from './detector';
import { sampleRate } from './resample';
import { pick, scaledTo, speechLevel } from './speech';

/** The noises of a mixture. */
export const noises = ['none', 'white', 'pink', 'babble'] as const;
export type Noise = (typeof noises)[number];

/** Sentences in random order after pauses of 0.2 to 2 seconds, until the next one does not fit. */
export function speechTrack(length: number, voices: readonly Float32Array[], random: Random): Float32Array {
  const track = new Float32Array(length);
  for (let at = 0; ; ) {
    at += Math.round(uniformNumber(random, 0.2, 2) * sampleRate);
    const voice = pick(voices, random);
    if (at + voice.length > length) return track;
    track.set(voice, at);
    at += voice.length;
  }
}

/**
 * Creates noise of a kind, at a level relative to the speech.
 *
 * @param ratio the root mean square of a sentence divided by that of the noise, in dB
 * @param voices the sentences of babble, which is the sum of eight speakers without pauses
 */
export function noiseOf(
  kind: Noise,
  ratio: number,
  length: number,
  voices: readonly Float32Array[],
  random: Random,
): Float32Array {
  return scaledTo(rawNoise(kind, length, voices, random), kind === 'none' ? 0 : speechLevel * 10 ** (-ratio / 20));
}

function rawNoise(kind: Noise, length: number, voices: readonly Float32Array[], random: Random): Float32Array {
  if (kind === 'none') return new Float32Array(length);
  if (kind === 'white') return Float32Array.from({ length }, () => uniformNumber(random, -1, 1));
  if (kind === 'pink') return pinkNoise(length, random);
  const babble = new Float32Array(length);
  for (let speaker = 0; speaker < 8; speaker++)
    for (let at = 0; at < length; ) {
      const voice = pick(voices, random);
      for (let i = 0; i < voice.length && at < length; i++, at++) babble[at]! += voice[i]!;
    }
  return babble;
}

/** Pink noise: the sum of white noises that change at octaves (Voss, 1978). */
function pinkNoise(length: number, random: Random): Float32Array {
  const rows = new Float64Array(12);
  let sum = 0;
  return Float32Array.from({ length }, (_, i) => {
    const row = i === 0 ? 0 : Math.min(11, 31 - Math.clz32(i & -i));
    sum -= rows[row]!;
    rows[row] = uniformNumber(random, -1, 1);
    sum += rows[row]!;
    return sum + uniformNumber(random, -1, 1);
  });
}

/** The sum of speech and noise of the same length. */
export const mixed = (speech: Float32Array, noise: Float32Array): Float32Array =>
  speech.map((value, i) => value + noise[i]!);

/** The parts as one signal. */
export const joined = (parts: readonly Float32Array[]): Float32Array =>
  Float32Array.from(parts.flatMap((part) => [...part]));

/** The root mean square from which a frame of clean speech is speech: 30 dB below the level of a sentence. */
const leastLevel = speechLevel * 10 ** (-30 / 20);

/** The longest pause within speech, in frames: the closure of a stop consonant is not a pause. */
const longestClosure = 3;

/**
 * Labels the frames of clean speech: 1 if the root mean square of a frame is at most 30 dB below the level of a
 * sentence, also in gaps of up to three frames between such frames; else 0.
 */
export function speechLabels(clean: Float32Array): Uint8Array {
  const labels = Uint8Array.from({ length: Math.ceil(clean.length / frameSize) }, (_, i) => {
    const frame = clean.subarray(i * frameSize, (i + 1) * frameSize);
    return frame.reduce((sum, value) => sum + value * value, 0) >= frameSize * leastLevel ** 2 ? 1 : 0;
  });
  let last = -Infinity;
  labels.forEach((label, i) => {
    if (label === 0) return;
    if (i - last - 1 <= longestClosure) labels.fill(1, last + 1, i);
    last = i;
  });
  return labels;
}
