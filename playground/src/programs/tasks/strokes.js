/**
 * Pen strokes: predict the next movement of a pen, as a mixture of Gaussians, and whether the pen is lifted after it
 * (Graves, 2013, arXiv 1308.0850, section 4).
 */

// The points of the drawing: [dx, dy, lifted], scaled to a standard deviation of about 1.
import { strokes } from 'playground:data';
import {
  add,
  advance,
  binaryCrossEntropy,
  dense,
  integerNumber,
  mixtureNegativeLogLikelihood,
  mixtureSize,
  reshape,
  sampleMixture,
  sequential,
  slice,
  stream,
  uniformNumber,
} from 'bptt';

const mixture = { components: 4, size: 2 };
const outputs = mixtureSize(mixture);

/** Draws a batch of windows over the strokes, each with another size and slant. */
export function draw(random, { batchSize, length }) {
  const steps = Math.min(length, strokes.length - 1);
  const data = new Float32Array((steps + 1) * batchSize * 3);
  for (let row = 0; row < batchSize; row++) {
    const start = integerNumber(random, strokes.length);
    const size = 0.9 + 0.2 * uniformNumber(random);
    const slant = 0.2 * (uniformNumber(random) - 0.5);
    for (let t = 0; t <= steps; t++) {
      const [dx, dy, lifted] = strokes[(start + t) % strokes.length];
      data.set([size * (dx + slant * dy), size * dy, lifted], (t * batchSize + row) * 3);
    }
  }
  const shape = [steps, batchSize, 3];
  const n = steps * batchSize * 3;
  return { inputs: { shape, data: data.slice(0, n) }, targets: { shape, data: data.slice(batchSize * 3) } };
}

/** −ln p(dx, dy) − ln p(lifted), per step. */
export function loss(output, targets, options) {
  const [steps, rows] = targets.shape;
  const part = (from, to) =>
    Float32Array.from(
      { length: steps * rows * (to - from) },
      (_, i) => targets.data[Math.floor(i / (to - from)) * 3 + from + (i % (to - from))],
    );
  const moves = { shape: [steps, rows, 2], data: part(0, 2) };
  const lifted = { shape: [steps, rows], data: part(2, 3) };
  return add(
    mixtureNegativeLogLikelihood(slice(output, 0, outputs, 2), moves, options),
    binaryCrossEntropy(reshape(slice(output, outputs, outputs + 1, 2), [steps, rows]), lifted, options),
  );
}

/** The baseline is one Gaussian for all movements, and the share of movements after which the pen is lifted. */
export function references() {
  const mean = (f) => strokes.reduce((sum, point) => sum + f(point), 0) / strokes.length;
  const [mx, my, share] = [0, 1, 2].map((axis) => mean((point) => point[axis]));
  const [xx, yy] = [mean(([dx]) => (dx - mx) ** 2), mean(([, dy]) => (dy - my) ** 2)];
  const xy = mean(([dx, dy]) => (dx - mx) * (dy - my));
  const pen = share > 0 && share < 1 ? -share * Math.log(share) - (1 - share) * Math.log(1 - share) : 0;
  return { baseline: 1 + Math.log(2 * Math.PI) + Math.log(Math.max(1e-6, xx * yy - xy * xy)) / 2 + pen };
}

export function createModel(layer, { seed }) {
  return sequential([layer(), dense({ size: outputs + 1 })], { inputSize: 3, seed });
}

/** Shows strokes that the model draws. Each movement is fed back as the next input. */
export function show(model, { random, temperature }) {
  const running = stream(model);
  const points = [];
  let point = [0, 0, 1];
  for (let i = 0; i < 160; i++) {
    const { data } = advance(running, { shape: [1, 3], data: Float32Array.from(point) });
    const density = { shape: [1, outputs], data: data.subarray(0, outputs) };
    const move = sampleMixture(density, { size: 2, random, temperature }).data;
    // At temperature 0, the pen is lifted if that is likelier than not.
    const probability = 1 / (1 + Math.exp(-data[outputs] / Math.max(temperature, 0.05)));
    point = [move[0], move[1], uniformNumber(random) < probability ? 1 : 0];
    points.push(point);
  }
  return { kind: 'strokes', points };
}
