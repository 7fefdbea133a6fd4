/**
 * Conversion of the sample rate with windowed sinc filters, one per phase of the output. It runs in worklets as well.
 */

/** The sample rate of the detectors, in Hz. */
export const sampleRate = 16_000;

/** The number of zero crossings of a filter on each side. More of them make its edge steeper. */
const crossings = 16;

/** Resamples a whole sound: `floor(samples.length · to / from)` samples, of which the first is at the same time. */
export function resample(samples: Float32Array, from: number, to: number): Float32Array {
  if (from === to) return samples;
  const output = new Float32Array(Math.floor((samples.length * to) / from));
  const add = createResampler(from, to);
  let count = 0;
  // Silence follows the sound, until its last sample arrives.
  for (let input = samples; count < output.length; input = new Float32Array(128))
    add(input, (sample) => {
      output[count++] = sample;
    });
  return output;
}

/**
 * Creates a resampler of a stream. Its output is later than its input by at most 18 samples of the lower rate.
 *
 * @param from the rate of the input, in Hz
 * @param to the rate of the output, in Hz
 * @returns a function that takes the next samples and passes every output sample to `emit`
 */
export function createResampler(
  from: number,
  to: number,
): (samples: Float32Array, emit: (sample: number) => void) => void {
  const divisor = greatestCommonDivisor(from, to);
  const [up, down] = [to / divisor, from / divisor];
  // A fraction of the Nyquist frequency of the input; a little less than that of a lower output rate.
  const cutoff = up < down ? (0.92 * up) / down : 1;
  const reach = Math.ceil(crossings / cutoff);
  const length = 2 * reach;
  // Created when they are used: rates without a large common divisor have many phases.
  const filters: Float32Array[] = [];
  // The last `length` samples, twice, so that they are contiguous from `oldest` on.
  const line = new Float32Array(2 * length);
  let oldest = 0;
  let phase = 0;
  let missing = reach + 1;
  return (samples, emit) => {
    for (let i = 0; i < samples.length; i++) {
      line[oldest] = line[oldest + length] = samples[i]!;
      oldest = (oldest + 1) % length;
      for (missing--; missing === 0; ) {
        filters[phase] ??= filterOf(phase / up, cutoff, reach);
        const filter = filters[phase]!;
        let sum = 0;
        for (let j = 0; j < length; j++) sum += filter[j]! * line[oldest + j]!;
        emit(sum);
        phase += down;
        missing = Math.floor(phase / up);
        phase %= up;
      }
    }
  };
}

/** A sinc under a Hann window, with the sum 1. Its center is `offset` after sample `reach - 1` of the `2 · reach`. */
function filterOf(offset: number, cutoff: number, reach: number): Float32Array {
  const filter = Float32Array.from({ length: 2 * reach }, (_, j) => {
    const t = j - reach + 1 - offset;
    const window = Math.cos((Math.PI * t) / (2 * reach)) ** 2;
    return window * (t === 0 ? 1 : Math.sin(Math.PI * cutoff * t) / (Math.PI * cutoff * t));
  });
  const total = filter.reduce((sum, value) => sum + value, 0);
  return filter.map((value) => value / total);
}

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));
