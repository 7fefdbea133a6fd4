/** Log energies of frequency bands: the input of the small detector. */

import { sampleRate } from './resample';

/** The number of samples of a window. */
export const windowSize = 512;

/** The number of frequency bands. */
export const bandCount = 24;

/** The range of the bands, in Hz. */
const [lowest, highest] = [80, 7600];

/** Energies below this are silence; of windows of samples from −1 to 1. */
const leastEnergy = 1e-7;

/** Frequencies on the mel scale (O'Shaughnessy, 1987), on which equal steps sound about equal. */
const melOf = (frequency: number): number => 2595 * Math.log10(1 + frequency / 700);
const frequencyOf = (mel: number): number => 700 * (10 ** (mel / 2595) - 1);

/**
 * Creates a function that computes the log energies of the bands of two windows of 512 samples, about −1.5 to 1.5.
 *
 * @param into receives the bands of the first window, then those of the second
 */
export function createBandEnergies(): (first: Float32Array, second: Float32Array, into: Float32Array) => void {
  const weights = Float64Array.from(
    { length: windowSize },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / windowSize),
  );
  const bands = bandFilters();
  const transform = createFourierTransform(windowSize);
  const [real, imaginary] = [new Float64Array(windowSize), new Float64Array(windowSize)];
  const [firstPower, secondPower] = [new Float64Array(windowSize / 2), new Float64Array(windowSize / 2)];
  return (first, second, into) => {
    // One transform of first + i · second: the parts of its symmetric frequencies k and −k separate the two.
    for (let i = 0; i < windowSize; i++) {
      real[i] = first[i]! * weights[i]!;
      imaginary[i] = second[i]! * weights[i]!;
    }
    transform(real, imaginary);
    for (let k = 1; k < windowSize / 2; k++) {
      const x = real[k]!;
      const y = imaginary[k]!;
      const x2 = real[windowSize - k]!;
      const y2 = imaginary[windowSize - k]!;
      firstPower[k] = ((x + x2) ** 2 + (y - y2) ** 2) / 4;
      secondPower[k] = ((y + y2) ** 2 + (x - x2) ** 2) / 4;
    }
    for (let band = 0; band < bandCount; band++) {
      into[band] = logEnergy(firstPower, bands[band]!);
      into[bandCount + band] = logEnergy(secondPower, bands[band]!);
    }
  };
}

/** The weights of the frequencies of a band, from `first` on. */
interface BandFilter {
  readonly first: number;
  readonly factors: Float64Array;
}

/** The energy of a band in units of 20 dB, relative to the middle between silence and a loud voice. */
function logEnergy(power: Float64Array, { first, factors }: BandFilter): number {
  let energy = 0;
  for (let i = 0; i < factors.length; i++) energy += factors[i]! * power[first + i]!;
  return Math.log10(energy / windowSize ** 2 + leastEnergy) / 2 + 2;
}

/** Triangles between neighboring centers, at equal distances on the mel scale. */
function bandFilters(): BandFilter[] {
  const [from, to] = [melOf(lowest), melOf(highest)];
  const edges = Array.from(
    { length: bandCount + 2 },
    (_, i) => (frequencyOf(from + ((to - from) * i) / (bandCount + 1)) * windowSize) / sampleRate,
  );
  return Array.from({ length: bandCount }, (_, band) => {
    const [left, center, right] = [edges[band]!, edges[band + 1]!, edges[band + 2]!];
    const first = Math.ceil(left);
    const factors = Float64Array.from({ length: Math.floor(right) - first + 1 }, (_, i) =>
      Math.min((first + i - left) / (center - left), (right - first - i) / (right - center)),
    );
    return { first, factors };
  });
}

/**
 * Creates a function that computes the discrete Fourier transform in place (Cooley and Tukey, 1965).
 *
 * @param size a power of two
 */
export function createFourierTransform(size: number): (real: Float64Array, imaginary: Float64Array) => void {
  const cosines = Float64Array.from({ length: size / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / size));
  const sines = Float64Array.from({ length: size / 2 }, (_, i) => Math.sin((2 * Math.PI * i) / size));
  const bits = Math.log2(size);
  const reversed = Uint32Array.from({ length: size }, (_, i) => {
    let result = 0;
    for (let bit = 0; bit < bits; bit++) result |= ((i >> bit) & 1) << (bits - 1 - bit);
    return result;
  });
  return (real, imaginary) => {
    for (let i = 0; i < size; i++) {
      const j = reversed[i]!;
      if (j > i) {
        swap(real, i, j);
        swap(imaginary, i, j);
      }
    }
    for (let half = 1, stride = size / 2; half < size; half *= 2, stride /= 2)
      for (let start = 0; start < size; start += 2 * half)
        for (let a = start, b = start + half, turn = 0; turn < size / 2; a++, b++, turn += stride) {
          const c = cosines[turn]!;
          const s = sines[turn]!;
          const x = real[b]! * c + imaginary[b]! * s;
          const y = imaginary[b]! * c - real[b]! * s;
          real[b] = real[a]! - x;
          imaginary[b] = imaginary[a]! - y;
          real[a] = real[a]! + x;
          imaginary[a] = imaginary[a]! + y;
        }
  };
}

function swap(values: Float64Array, i: number, j: number): void {
  const value = values[i]!;
  values[i] = values[j]!;
  values[j] = value;
}
