/**
 * The parts of the example `voice` that the page `voice` of the playground uses too: the resampler and the segments.
 */

import { describe, expect, it } from 'vitest';
import { createResampler, resample } from '../../examples/voice/resample';
import { type SegmentOptions, speechSegments } from '../../examples/voice/segments';

/** A tone of half a second. */
const toneOf = (frequency: number, rate: number): Float32Array =>
  Float32Array.from({ length: rate / 2 }, (_, i) => Math.sin((2 * Math.PI * frequency * i) / rate));

/** Resamples a sound to 16 kHz in blocks of 128 samples, as a browser delivers them. */
function resampledInBlocks(samples: Float32Array, from: number): number[] {
  const add = createResampler(from, 16_000);
  const output: number[] = [];
  for (let start = 0; start < samples.length; start += 128)
    add(samples.subarray(start, start + 128), (sample) => output.push(sample));
  return output;
}

/** The samples that do not depend on the silence before and after the tone. */
const settled = (samples: Float32Array): Float32Array => samples.subarray(100, samples.length - 100);

describe('the resampler', () => {
  it.each([8000, 16_000, 22_050, 44_100, 48_000, 96_000])('keeps tones and their times, from %i Hz', (from) => {
    for (const frequency of [100, 440, 3000]) {
      const output = resample(toneOf(frequency, from), from, 16_000);
      expect(output.length).toBe(8000);
      const expected = settled(toneOf(frequency, 16_000));
      const differences = settled(output).map((sample, i) => Math.abs(sample - expected[i]!));
      expect(Math.max(...differences), `${frequency} Hz`).toBeLessThan(2e-3);
    }
  });

  it.each([22_050, 44_100, 48_000, 96_000])('removes tones that 16 kHz cannot represent, from %i Hz', (from) => {
    for (const frequency of [8500, 9000, 13_000, 20_000].filter((value) => value < from / 2)) {
      const output = settled(resample(toneOf(frequency, from), from, 16_000));
      expect(Math.max(...output.map(Math.abs)), `${frequency} Hz`).toBeLessThan(2e-3);
    }
  });

  it.each([8000, 16_000, 22_050, 44_100, 44_101])('computes in blocks the samples of the whole, from %i Hz', (from) => {
    const samples = Float32Array.from({ length: 4000 }, (_, i) => Math.sin(i * i));
    const output = resampledInBlocks(samples, from);
    // At most 18 samples of the lower rate are missing.
    const latency = (18 * 16_000) / Math.min(from, 16_000);
    expect(output.length).toBeGreaterThanOrEqual((4000 * 16_000) / from - latency);
    const whole = resample(samples, from, 16_000).subarray(0, output.length);
    whole.forEach((sample, i) => expect(output[i]).toBeCloseTo(sample, 6));
  });

  it('keeps the last samples of a sound, and returns none for none', () => {
    const sound = new Float32Array(4800);
    sound[4797] = 1;
    const output = resample(sound, 48_000, 16_000);
    expect(output.length).toBe(1600);
    expect(output.indexOf(Math.max(...output))).toBe(1599);
    expect(resample(new Float32Array(0), 48_000, 16_000).length).toBe(0);
  });
});

describe('speechSegments', () => {
  const segments = (probabilities: readonly number[], options?: SegmentOptions) =>
    speechSegments(probabilities, 0.1, probabilities.length / 10, { padding: 0, minSilence: 0.2, ...options }).map(
      ({ start, end }) => [start, end].map((time) => Math.round(time * 1000) / 1000),
    );

  it('starts at the threshold, and ends when the probability stays below the lower threshold', () => {
    expect(segments([0.1, 0.5, 0.9, 0.4, 0.36, 0.9, 0.3, 0.3, 0.3, 0.1])).toEqual([[0.1, 0.6]]);
    // Between the thresholds, speech neither starts nor ends.
    expect(segments([0.49, 0.49, 0.49, 0.49])).toEqual([]);
  });

  it('keeps short pauses', () => {
    expect(segments([0.9, 0.9, 0.9, 0, 0, 0.9, 0.9, 0.9, 0, 0, 0, 0])).toEqual([[0, 0.8]]);
    expect(segments([0.9, 0.9, 0.9, 0, 0, 0, 0.9, 0.9, 0.9, 0, 0, 0, 0])).toEqual([
      [0, 0.3],
      [0.6, 0.9],
    ]);
  });

  it('a value between the thresholds does not restart a pause', () =>
    expect(segments([0.9, 0.9, 0.9, 0.1, 0.4, 0.1, 0.9, 0.9, 0.9])).toEqual([
      [0, 0.3],
      [0.6, 0.9],
    ]));

  it('drops short segments', () => {
    expect(segments([0, 0.9, 0.9, 0, 0, 0])).toEqual([]);
    expect(segments([0, 0.9, 0.9, 0, 0, 0], { minSpeech: 0.1 })).toEqual([[0.1, 0.3]]);
  });

  it('ends with the sound, and pads segments at most to the middle of a pause', () => {
    const padded = segments([0, 0.9, 0.9, 0.9, 0, 0, 0, 0.9, 0.9, 0.9], { padding: 0.2 });
    expect(padded).toEqual([
      [0, 0.55],
      [0.55, 1],
    ]);
  });
});
