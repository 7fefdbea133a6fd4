/** Conversion of the sample rate. */

/** The sample rate of the detectors, in Hz. */
export const sampleRate = 16_000;

/** The number of zero crossings of the sinc on each side of its center. */
const crossings = 16;

/** Resamples with a sinc of 16 zero crossings on each side, under a Hann window. */
export function resample(samples: Float32Array, from: number, to: number): Float32Array {
  if (from === to) return samples;
  const divisor = greatestDivisor(from, to);
  const [step, phases] = [from / divisor, to / divisor];
  const filterOf = phaseFilters(Math.min(1, to / from), phases);
  return Float32Array.from({ length: Math.floor((samples.length * to) / from) }, (_, i) => {
    // The center of output i is the input at i · step / phases.
    const phase = (i * step) % phases;
    const { first, taps } = filterOf(phase);
    const start = (i * step - phase) / phases + first;
    let sum = 0;
    for (let j = Math.max(0, -start); j < taps.length && start + j < samples.length; j++)
      sum += samples[start + j]! * taps[j]!;
    return sum;
  });
}

/** The weights of the inputs from `first` on, relative to the input at or before the center. */
interface PhaseFilter {
  readonly first: number;
  readonly taps: Float64Array;
}

/** Returns the filter of a phase: of centers that are `phase / phases` after an input. */
function phaseFilters(cutoff: number, phases: number): (phase: number) => PhaseFilter {
  const filters = new Map<number, PhaseFilter>();
  const reach = Math.ceil(crossings / cutoff);
  return (phase) => {
    const known = filters.get(phase);
    if (known !== undefined) return known;
    const center = phase / phases;
    const first = Math.ceil(center - reach);
    const taps = Float64Array.from({ length: Math.floor(center + reach) - first + 1 }, (_, j) => {
      const distance = first + j - center;
      const angle = Math.PI * distance * cutoff;
      const window = 0.5 + 0.5 * Math.cos((Math.PI * distance) / reach);
      return cutoff * window * (angle === 0 ? 1 : Math.sin(angle) / angle);
    });
    filters.set(phase, { first, taps });
    return { first, taps };
  };
}

function greatestDivisor(a: number, b: number): number {
  let [larger, smaller] = [a, b];
  while (smaller > 0) [larger, smaller] = [smaller, larger % smaller];
  return larger;
}
