/** The parts of the page `voice` that need no browser: the resampler of its worklet, and its segments. */

import { describe, expect, it } from 'vitest';
import { createResampler } from '../../playground/src/voice/resampler';
import { segmentsOf } from '../../playground/src/voice/segments';

/** A tone of half a second, resampled to 16 kHz in blocks of 128 samples as a browser delivers them. */
function resampledTone(frequency: number, from: number): number[] {
  const resample = createResampler(from, 16_000);
  const output: number[] = [];
  for (let start = 0; start < from / 2; start += 128) {
    const block = Float32Array.from({ length: 128 }, (_, i) =>
      Math.sin((2 * Math.PI * frequency * (start + i)) / from),
    );
    resample(block, (sample) => output.push(sample));
  }
  return output;
}

/** The samples after the start of the tone. */
const settled = (samples: readonly number[]): readonly number[] => samples.slice(100);

describe('the resampler', () => {
  it.each([8000, 16_000, 22_050, 44_100, 48_000, 96_000])('keeps tones of speech, from %i Hz', (from) => {
    for (const frequency of [100, 440, 3000]) {
      const output = resampledTone(frequency, from);
      expect(output.length).toBeGreaterThan(7900);
      const difference = settled(output).map((sample, i) =>
        Math.abs(sample - Math.sin((2 * Math.PI * frequency * (i + 100)) / 16_000)),
      );
      expect(Math.max(...difference), `${frequency} Hz`).toBeLessThan(2e-3);
    }
  });

  it.each([44_100, 48_000, 96_000])('removes tones that 16 kHz cannot represent, from %i Hz', (from) => {
    for (const frequency of [9000, 13_000, 20_000])
      expect(Math.max(...settled(resampledTone(frequency, from)).map(Math.abs)), `${frequency} Hz`).toBeLessThan(2e-3);
  });

  it('returns the samples of the same rate', () => {
    const samples = Float32Array.from({ length: 100 }, (_, i) => Math.sin(i * i));
    const output: number[] = [];
    createResampler(16_000, 16_000)(samples, (sample) => output.push(sample));
    expect(output).toHaveLength(84);
    output.forEach((sample, i) => expect(sample).toBeCloseTo(samples[i]!, 6));
  });
});

describe('segments', () => {
  /** Probabilities as digits: 9 is 0.9. */
  const segments = (digits: string, options = { threshold: 0.5, pause: 0.1 }): number[][] =>
    segmentsOf(
      Float32Array.from(digits, (digit) => Number(digit) / 10),
      options,
    ).map(({ start, end }) => [start, end]);

  it('start at the threshold, and end before a pause', () =>
    expect(segments('0019991000000999000')).toEqual([
      [3, 6],
      [13, 16],
    ]));
  it('continue in pauses that are too short, and at probabilities just below the threshold', () => {
    expect(segments('099910999000')).toEqual([[1, 9]]);
    expect(segments('09944444440000')).toEqual([[1, 10]]);
    expect(segments('0999000000999000', { threshold: 0.5, pause: 0.5 })).toEqual([[1, 13]]);
  });
  it('are dropped if they have fewer than three frames, and the last one can be open-ended', () => {
    expect(segments('0990000900000')).toEqual([]);
    expect(segments('000999')).toEqual([[3, 6]]);
    expect(segments('')).toEqual([]);
  });
});
