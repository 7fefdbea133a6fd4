/** Silero VAD v5: the probability of speech in a frame of 32 ms. */

import { importOnnxStream } from 'bptt/onnx';
import { frameSize, sampleRate } from './protocol';

/** The network reads the last samples of the previous frame again, before those of a frame. */
const contextSize = 64;

/** A running network. */
export interface Detector {
  /** Returns the probability of speech in the next {@link frameSize} samples. */
  readonly probability: (samples: Float32Array) => number;
  /** Forgets the sound so far. */
  readonly reset: () => void;
}

/** Creates a detector from the content of `silero_vad_v5.onnx`. */
export function createDetector(file: ArrayBuffer): Detector {
  const shape = [1, contextSize + frameSize];
  const stream = importOnnxStream(file, { inputs: { sr: sampleRate }, shapes: { input: shape } });
  const input = new Float32Array(contextSize + frameSize);
  const output = { shape: [1, 1], data: new Float32Array(1) };
  // Reused, so that a frame allocates no memory.
  const [inputs, outputs] = [{ input }, { output }];
  return {
    probability: (samples) => {
      input.copyWithin(0, frameSize);
      input.set(samples, contextSize);
      stream.step(inputs, outputs);
      return output.data[0]!;
    },
    reset: () => {
      input.fill(0);
      stream.reset();
    },
  };
}
