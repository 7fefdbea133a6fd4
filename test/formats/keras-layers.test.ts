/** Layers of Keras 2 and 3 in `.keras` files, compared with their definitions in double precision. */

import { predict, tensor, toTimeMajor } from 'bptt';
import { importKeras } from 'bptt/keras';
import { describe, expect, it } from 'vitest';
import { kerasFile, sequentialConfig, type Weight, weight } from './keras-files';

const expectClose = (found: ArrayLike<number>, expected: readonly number[]): void => {
  expect(found.length).toBe(expected.length);
  expected.forEach((value, i) => expect(Math.abs(found[i]! - value), String(i)).toBeLessThan(1e-6));
};

/** The hidden state of an LSTM with hard sigmoid gates after T steps of one sequence. */
function hardLstm(x: readonly (readonly number[])[], [kernel, recurrent, bias]: Weight[], slope: number): number[] {
  const H = recurrent!.shape[0]!;
  const gate = (z: number): number => Math.min(1, Math.max(0, slope * z + 0.5));
  let h = Array<number>(H).fill(0);
  let c = h;
  for (const step of x) {
    const z = bias!.data.map(
      (b, k) =>
        step.reduce((sum, v, i) => sum + v * kernel!.data[i * 4 * H + k]!, b) +
        h.reduce((sum, v, i) => sum + v * recurrent!.data[i * 4 * H + k]!, 0),
    );
    c = c.map((v, k) => gate(z[H + k]!) * v + gate(z[k]!) * Math.tanh(z[2 * H + k]!));
    h = c.map((v, k) => gate(z[3 * H + k]!) * Math.tanh(v));
  }
  return h;
}

describe('hard_sigmoid gates', () => {
  const weights = [weight(2, 12), weight(3, 12), weight(12)];
  const x = [
    [0.7, -1.2],
    [3, 2],
    [-0.4, 0.9],
  ];
  const file = (version?: string): Uint8Array =>
    kerasFile({
      config: sequentialConfig(
        [3, 2],
        ['LSTM', { units: 3, activation: 'tanh', recurrent_activation: 'hard_sigmoid' }],
      ),
      ...(version === undefined ? {} : { version }),
      weights: Object.fromEntries(weights.map((each, i) => [`layers\\lstm\\cell\\vars\\${i}`, each])),
    });

  it.each([
    ['2.15.0', 1 / 5],
    ['3.6.0', 1 / 6],
    ['3.0.0.dev2023', 1 / 6],
  ])('Keras %s: the slope is %s', (version, slope) => {
    const { model } = importKeras(file(version));
    expectClose(predict(model, toTimeMajor(tensor([x]))).data, hardLstm(x, weights, slope));
  });

  it('a file without a version is rejected, since the slope depends on it', () => {
    for (const version of [undefined, 'unknown'])
      expect(() => importKeras(file(version))).toThrow(
        'importKeras: layer0 has recurrent_activation hard_sigmoid, which is not the same in Keras 2 and Keras 3, and ' +
          'the file has no keras_version.',
      );
  });
});
