/** Random models. */

import {
  additiveScore,
  attentionPooling,
  bidirectional,
  type Cell,
  dense,
  dotScore,
  dropout,
  embedding,
  generalScore,
  gru,
  type Layer,
  layerNorm,
  layerNormGru,
  layerNormLstm,
  layerNormRnn,
  lstm,
  projectedLstm,
  recurrent,
  relu,
  residual,
  type Sequential,
  scaledDotScore,
  sequential,
  sigmoid,
  simpleRnn,
  softmax,
  softplus,
  tanh,
  withoutBias,
} from 'bptt';
import fc from 'fast-check';

const size = fc.integer({ min: 1, max: 5 });
const rate = fc.constantFrom(0, 0.1, 0.5);
const activation = fc.constantFrom(tanh, relu, sigmoid, softplus, softmax);
const cell: fc.Arbitrary<Cell> = fc.oneof(
  fc.constantFrom(tanh, relu, sigmoid).map((f) => simpleRnn({ activation: f })),
  fc.constant(lstm()),
  fc.constantFrom('after' as const, 'before' as const).map((reset) => gru({ reset })),
  size.map((projectionSize) => projectedLstm({ projectionSize })),
  fc.constant(layerNormRnn()),
  fc.constant(layerNormLstm({ epsilon: 0.01 })),
  fc.constant(layerNormGru()),
);
const direction = fc.record(
  {
    hiddenSize: size,
    inputDropout: rate,
    recurrentDropout: rate,
    zoneout: rate.map((h) => ({ h })),
    learnInitialState: fc.boolean(),
  },
  { requiredKeys: ['hiddenSize'] },
);
const biased: fc.Arbitrary<Layer> = fc.oneof(
  fc.tuple(cell, direction, fc.boolean()).map(([c, options, reverse]) => recurrent(c, { ...options, reverse })),
  fc
    .tuple(cell, direction, fc.constantFrom('concat' as const, 'sum' as const, 'mean' as const, 'product' as const))
    .map(([c, options, merge]) => bidirectional(c, { ...options, merge })),
  fc
    .tuple(size, fc.option(activation, { nil: undefined }))
    .map(([n, f]) => dense({ size: n, ...(f && { activation: f }) })),
);
const perStep = fc.oneof(
  { arbitrary: biased, weight: 3 },
  biased.map(withoutBias),
  rate.map(dropout),
  fc.constantFrom(1e-5, 0.1).map((epsilon) => layerNorm({ epsilon })),
  fc
    .array(fc.oneof(rate.map(dropout), fc.constant(layerNorm())), { minLength: 1, maxLength: 3 })
    .map((inner) => residual([residual(inner), layerNorm()])),
);
const score = fc.oneof(
  fc.constantFrom(dotScore(), scaledDotScore(), generalScore()),
  size.map((n) => additiveScore({ size: n })),
);
const last = fc.option(
  fc.oneof(
    score.map((s) => attentionPooling({ score: s })),
    fc.tuple(cell, size).map(([c, hiddenSize]) => recurrent(c, { hiddenSize, returnSequences: false })),
  ),
  { nil: undefined },
);
/** A model of random layers. */
export const model: fc.Arbitrary<Sequential> = fc
  .record({
    hasEmbedding: fc.boolean(),
    inputSize: size,
    layers: fc.array(perStep, { minLength: 1, maxLength: 4 }),
    last,
    seed: fc.nat(),
  })
  .map(({ hasEmbedding, inputSize, layers, last: end, seed }) => {
    const all = [
      ...(hasEmbedding ? [embedding({ vocabularySize: 4, size: inputSize })] : []),
      ...layers,
      ...(end ? [end] : []),
    ];
    return sequential(all, hasEmbedding ? { seed } : { inputSize, seed });
  });
