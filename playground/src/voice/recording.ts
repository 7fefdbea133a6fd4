/** The sound that the page shows, and its probabilities. */

import { frameSeconds, frameSize, sampleRate } from './protocol';

/** A sound with one probability per analyzed frame. Both can grow. */
export interface Recording {
  /** The samples, at {@link sampleRate}. */
  readonly samples: () => Float32Array;
  readonly probabilities: () => Float32Array;
  /** The largest magnitude of the samples of each full frame. */
  readonly peaks: () => Float32Array;
  /** In seconds. */
  readonly duration: () => number;
  readonly addSamples: (samples: Float32Array) => void;
  readonly addProbabilities: (probabilities: Float32Array) => void;
}

/** Creates an empty recording. */
export function createRecording(): Recording {
  const [samples, probabilities, peaks] = [createList(), createList(), createList()];
  return {
    samples: samples.values,
    probabilities: probabilities.values,
    peaks: peaks.values,
    duration: () => samples.values().length / sampleRate,
    addSamples: (added) => {
      samples.add(added);
      const all = samples.values();
      for (let frame = peaks.values().length; (frame + 1) * frameSize <= all.length; frame++)
        peaks.add(Float32Array.of(peakOf(all, frame * frameSize, (frame + 1) * frameSize)));
    },
    addProbabilities: probabilities.add,
  };
}

/** The largest magnitude of the samples in a range. */
export function peakOf(samples: Float32Array, start: number, end: number): number {
  let peak = 0;
  for (let i = Math.max(0, start); i < Math.min(end, samples.length); i++) peak = Math.max(peak, Math.abs(samples[i]!));
  return peak;
}

/** A list of numbers whose memory grows by factors of two. */
function createList(): { values: () => Float32Array; add: (added: Float32Array) => void } {
  let memory = new Float32Array(1 << 12);
  let length = 0;
  return {
    values: () => memory.subarray(0, length),
    add: (added) => {
      if (length + added.length > memory.length) {
        const larger = new Float32Array(Math.max(2 * memory.length, length + added.length));
        larger.set(memory.subarray(0, length));
        memory = larger;
      }
      memory.set(added, length);
      length += added.length;
    },
  };
}

/** The probabilities as a CSV file: the start of each frame in seconds, and its probability. */
export function toCsv(probabilities: Float32Array): string {
  const rows = Array.from(probabilities, (value, i) => `${(i * frameSeconds).toFixed(3)},${value.toFixed(6)}`);
  return ['seconds,probability', ...rows, ''].join('\n');
}
