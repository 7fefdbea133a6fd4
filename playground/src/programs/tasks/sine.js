/** Noisy sine: predict the next value of a sine of unknown frequency and phase, from noisy values. */

import { advance, dense, meanSquaredError, normalNumber, sequential, stream, uniformNumber } from 'bptt';

const noise = 0.15;

/** Draws noisy sines, `[length + 1]` each. */
function drawSines(random, rows, length) {
  return Array.from({ length: rows }, () => {
    const frequency = 0.2 + 0.3 * uniformNumber(random);
    const phase = 2 * Math.PI * uniformNumber(random);
    return Array.from({ length: length + 1 }, (_, t) => Math.sin(frequency * t + phase) + noise * normalNumber(random));
  });
}

/** Draws a batch: values, and as targets the values that follow. */
export function draw(random, { batchSize, length }) {
  const sines = drawSines(random, batchSize, length);
  const shape = [length, batchSize, 1];
  const steps = Array.from({ length }, (_, t) => t);
  return {
    inputs: { shape, data: Float32Array.from(steps.flatMap((t) => sines.map((sine) => sine[t]))) },
    targets: { shape, data: Float32Array.from(steps.flatMap((t) => sines.map((sine) => sine[t + 1]))) },
  };
}

export const loss = meanSquaredError;

/** The baseline predicts the last value. The noise of the next value cannot be predicted. */
export function references(random) {
  const sines = drawSines(random, 2000, 20);
  const squares = sines.flatMap((sine) => sine.slice(1).map((value, t) => (value - sine[t]) ** 2));
  return { baseline: squares.reduce((sum, square) => sum + square, 0) / squares.length, best: noise ** 2 };
}

export function createModel(layer, { seed }) {
  return sequential([layer(), dense({ size: 1 })], { inputSize: 1, seed });
}

/** Shows a sine up to half its length, and how the model continues it, with noise in proportion to the temperature. */
export function show(model, { random, settings, temperature, loss }) {
  const length = 2 * settings.length;
  const [sine] = drawSines(random, 1, length);
  const known = sine.slice(0, settings.length);
  const running = stream(model);
  const next = (value) => advance(running, { shape: [1, 1], data: Float32Array.of(value) }).data[0];
  let mean = 0;
  for (const value of known) mean = next(value);
  // The squared error is the variance of the value around the prediction.
  const deviation = Math.sqrt(temperature * loss);
  const forecast = Array.from({ length: length - settings.length }, () => {
    const value = mean + deviation * normalNumber(random);
    mean = next(value);
    return value;
  });
  return { kind: 'series', known, truth: sine.slice(settings.length, length), forecast };
}
