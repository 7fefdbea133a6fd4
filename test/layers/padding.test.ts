/**
 * Properties of every layer: the content of the padding does not change outputs, losses or gradients, and a row of a
 * batch equals the same sequence in a batch of one.
 */

import {
  attentionPooling,
  bidirectional,
  checkGradients,
  createRandom,
  dense,
  dropout,
  gru,
  integerNumber,
  type Layer,
  layerNorm,
  layerNormLstm,
  lstm,
  meanSquaredError,
  normal,
  projectedLstm,
  recurrent,
  residual,
  runModel,
  type Sequential,
  sequential,
  simpleRnn,
  type Tensor,
  tanh,
  valueAndGradient,
} from 'bptt';
import { expect, it } from 'vitest';

const I = 3;
const last = { returnSequences: false };
const models: [string, Layer[]][] = [
  [
    'two directions, normalized, and a head',
    [bidirectional(lstm(), { hiddenSize: 4, merge: 'mean' }), layerNorm(), dense({ size: 2, activation: tanh })],
  ],
  ['final outputs of both directions', [bidirectional(gru(), { hiddenSize: 3, ...last }), dense({ size: 2 })]],
  [
    'residual layers',
    [
      dense({ size: 4 }),
      residual([layerNorm(), recurrent(lstm(), { hiddenSize: 5, learnInitialState: true }), dense({ size: 4 })]),
      dense({ size: 2 }),
    ],
  ],
  [
    'attention over a reversed layer',
    [recurrent(simpleRnn(), { hiddenSize: 4, reverse: true }), attentionPooling(), dense({ size: 2 })],
  ],
  [
    'cells that are functions of ops',
    [
      recurrent(layerNormLstm({ epsilon: 0.1 }), { hiddenSize: 4 }),
      recurrent(projectedLstm({ projectionSize: 2 }), { hiddenSize: 4 }),
    ],
  ],
  [
    'a GRU with reset before, last step only',
    [dropout(0.5), recurrent(gru({ reset: 'before' }), { hiddenSize: 2, zoneout: { h: 0.2 }, ...last })],
  ],
];

const build = (layers: Layer[]): Sequential => {
  const model = sequential(layers, { inputSize: I, seed: 1 });
  model.data.set(normal(0, 0.6)([model.data.length], createRandom(2)).data);
  return model;
};
const numbers = (tree: unknown): number[] =>
  ArrayBuffer.isView(tree)
    ? [...(tree as Float32Array)]
    : typeof tree === 'number'
      ? [tree]
      : Object.values(tree as object).flatMap(numbers);

it.each(models)('padding does not change values or gradients: %s', (_, layers) => {
  const model = build(layers);
  const random = createRandom(3);
  for (let trial = 0; trial < 12; trial++) {
    const [T, B] = [1 + integerNumber(random, 7), 1 + integerNumber(random, 4)];
    const lengths = Int32Array.from({ length: B }, () => 1 + integerNumber(random, T));
    const inputs = normal(0, 1)([T, B, I], random);
    const run = (x: Tensor, rows: Int32Array) =>
      valueAndGradient(model.parameters, (p) => {
        const { output } = runModel(model, p, x, { lengths: rows });
        const perStep = output.shape.length === 3;
        const targets = normal(0, 1)(output.shape, createRandom(trial));
        return {
          value: meanSquaredError(output, targets, perStep ? { lengths: rows } : {}),
          results: { output },
        };
      });
    const plain = run(inputs, lengths);
    const otherPadding = { shape: inputs.shape, data: inputs.data.slice() };
    lengths.forEach((length, b) => {
      for (let t = length; t < T; t++)
        otherPadding.data.fill(trial % 2 === 0 ? NaN : 1e30, (t * B + b) * I, (t * B + b + 1) * I);
    });
    expect(numbers(run(otherPadding, lengths))).toEqual(numbers(plain));

    const { output } = plain.results;
    const size = output.shape.at(-1)!;
    lengths.forEach((length, b) => {
      const row = {
        shape: [length, 1, I],
        data: Float32Array.from(
          { length: length * I },
          (_, i) => inputs.data[(Math.floor(i / I) * B + b) * I + (i % I)]!,
        ),
      };
      const separate = run(row, Int32Array.of(length)).results.output;
      separate.data.forEach((value, i) => {
        const at = output.shape.length === 3 ? (Math.floor(i / size) * B + b) * size + (i % size) : b * size + i;
        expect(Math.abs(value - output.data[at]!)).toBeLessThan(2e-6);
      });
    });
  }
  const lengths = Int32Array.of(2, 4, 1);
  const inputs = normal(0, 1)([4, 3, I], random);
  const { error } = checkGradients({ p: model.parameters, inputs }, ({ p, inputs: x }) => {
    const { output } = runModel(model, p, x, { lengths });
    return meanSquaredError(
      output,
      normal(0, 1)(output.shape, createRandom(9)),
      output.shape.length === 3 ? { lengths } : {},
    );
  });
  expect(error).toBeLessThan(1e-7);
});
