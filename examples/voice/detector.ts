/** Detectors of speech: a probability for every frame of 32 ms. They run in browsers as well. */

import { importOnnxStream } from 'bptt/onnx';
import { sampleRate } from './resample';

/** The number of samples of a frame: 32 ms at 16 kHz. */
export const frameSize = 512;

/** A detector of speech. */
export interface Detector {
  readonly name: string;
  /**
   * Starts with a new signal.
   *
   * @returns a function of the next 512 samples at 16 kHz that returns the probability that they contain speech
   */
  readonly start: () => (samples: Float32Array) => number;
}

/**
 * Silero VAD, from version 5 on. A frame has the last 64 samples of the previous frame before it.
 *
 * @param file the bytes of its ONNX file
 */
export function sileroDetector(file: Uint8Array): Detector {
  const context = 64;
  const size = context + frameSize;
  const network = importOnnxStream(file, { inputs: { sr: sampleRate }, shapes: { input: [1, size] } });
  return {
    name: 'Silero VAD v5',
    start() {
      const running = network.newStream();
      const input = new Float32Array(size);
      const inputs = { input };
      const outputs = { output: { shape: [1, 1], data: new Float32Array(1) } };
      return (samples) => {
        input.copyWithin(0, frameSize);
        input.set(samples, context);
        running.step(inputs, outputs);
        return outputs.output.data[0]!;
      };
    },
  };
}

/** The number of frames of which the least level is the level of the noise: two seconds. */
const noiseFrames = 63;

/**
 * A baseline without a network: the level of a frame above the least level of the last two seconds.
 *
 * @param threshold the level, in dB, from which a frame is speech
 */
export function levelDetector(threshold: number): Detector {
  return {
    name: 'level',
    start() {
      const levels: number[] = [];
      return (samples) => {
        const energy = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
        levels.push(10 * Math.log10(energy + 1e-10));
        if (levels.length > noiseFrames) levels.shift();
        return 1 / (1 + Math.exp(threshold - (levels[levels.length - 1]! - Math.min(...levels))));
      };
    },
  };
}

/** The probability of speech in every frame of a signal; the last frame is padded with zeros. */
export function probabilitiesOf(detector: Detector, samples: Float32Array): Float32Array {
  const probability = detector.start();
  const frame = new Float32Array(frameSize);
  return Float32Array.from({ length: Math.ceil(samples.length / frameSize) }, (_, i) => {
    frame.fill(0);
    frame.set(samples.subarray(i * frameSize, (i + 1) * frameSize));
    return probability(frame);
  });
}
