/** A small detector: log energies, a convolution over three frames and a GRU. */

import { advance, conv1d, dense, gru, recurrent, relu, type Sequential, sequential, stream, type Tensor } from 'bptt';
import { type Detector, frameSize } from './detector';
import { bandCount, createBandEnergies, windowSize } from './spectrum';

/** The number of features of a frame: the energies of two windows, which overlap by half. */
export const featureCount: number = 2 * bandCount;

/** Creates the network `[T, B, 48]` → logits `[T, B, 1]`. It is causal. */
export const createNetwork = (seed: number): Sequential =>
  sequential(
    [
      conv1d({ size: 32, kernelSize: 3, padding: 'causal', activation: relu }),
      recurrent(gru(), { hiddenSize: 40 }),
      dense({ size: 1 }),
    ],
    { inputSize: featureCount, seed },
  );

/** Creates a function that computes the features of the next frame of a signal. */
export function createFeatures(): (samples: Float32Array, into: Float32Array) => void {
  const energiesOf = createBandEnergies();
  const past = windowSize / 2;
  // The end of the previous frame, then the frame.
  const signal = new Float32Array(past + frameSize);
  const [first, second] = [signal.subarray(0, windowSize), signal.subarray(past, past + windowSize)];
  return (samples, into) => {
    signal.copyWithin(0, frameSize);
    signal.set(samples, past);
    energiesOf(first, second, into);
  };
}

/** The detector of a trained network. */
export function smallDetector(network: Sequential): Detector {
  return {
    name: 'small network',
    start() {
      const featuresOf = createFeatures();
      const running = stream(network);
      const features: Tensor = { shape: [1, featureCount], data: new Float32Array(featureCount) };
      const logit: Tensor = { shape: [1, 1], data: new Float32Array(1) };
      return (samples) => {
        featuresOf(samples, features.data);
        advance(running, features, logit);
        return 1 / (1 + Math.exp(-logit.data[0]!));
      };
    },
  };
}
