/** A mixture of all noises and levels, with noise alone and silence, in sections. */

import { createRandom } from 'bptt';
import { mixed, type Noise, noiseOf, noises, speechTrack } from '../../examples/voice/mixture';
import { sampleRate } from '../../examples/voice/resample';
import { speakAll, trainingSpeakers } from '../../examples/voice/speech';

/** Creates samples at 16 kHz in sections of 15 seconds. */
export function mixture(seconds: number, seed: number): Float32Array {
  const random = createRandom(seed);
  const voices = speakAll(trainingSpeakers, 2, random);
  const samples = new Float32Array(seconds * sampleRate);
  for (let i = 0, start = 0; start < samples.length; i++, start += 15 * sampleRate) {
    const section = samples.subarray(start, start + 15 * sampleRate);
    const [noise, ratio] = [noises[i % 4] as Noise, [20, 10, 5, 0][Math.floor(i / 4) % 4]!];
    const hasSpeech = i % 5 !== 4;
    const speech = hasSpeech ? speechTrack(section.length, voices, random) : new Float32Array(section.length);
    section.set(mixed(speech, noiseOf(noise, ratio, section.length, voices, random)));
  }
  return samples;
}
