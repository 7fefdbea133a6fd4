/** Converts the sample rate of a stream with windowed sinc filters, one per phase of the output. */

/** The number of zero crossings of a filter on each side. More of them make its edge steeper. */
const crossings = 16;

/**
 * Creates a resampler. Its output is later than its input by 16 samples of the lower rate.
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
  const filters = filtersOf(up, down);
  const length = filters[0]!.length;
  // The last `length` samples, twice, so that they are contiguous from `oldest` on.
  const line = new Float32Array(2 * length);
  let oldest = 0;
  let phase = 0;
  let missing = length / 2 + 1;
  return (samples, emit) => {
    for (let i = 0; i < samples.length; i++) {
      line[oldest] = line[oldest + length] = samples[i]!;
      oldest = (oldest + 1) % length;
      for (missing--; missing === 0; ) {
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

/** The low-pass filters of all phases. Each has the sum 1. */
function filtersOf(up: number, down: number): Float32Array[] {
  // A fraction of the Nyquist frequency of the input; a little less than that of a lower output rate.
  const cutoff = up < down ? (0.92 * up) / down : 1;
  const reach = Math.ceil(crossings / cutoff);
  return Array.from({ length: up }, (_, phase) => {
    const filter = Float32Array.from({ length: 2 * reach }, (_, j) => {
      const t = j - reach + 1 - phase / up;
      const window = Math.cos((Math.PI * t) / (2 * reach)) ** 2;
      return window * (t === 0 ? 1 : Math.sin(Math.PI * cutoff * t) / (Math.PI * cutoff * t));
    });
    const total = filter.reduce((sum, value) => sum + value, 0);
    return filter.map((value) => value / total);
  });
}

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));
