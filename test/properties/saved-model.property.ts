/** Models of any layers come back from their files bit for bit and answer the same; changed files are read or refused. */

import {
  additiveScore, attentionPooling, bidirectional, dense, dotScore, dropout, embedding, full, generalScore, gru, ids, layerNorm, layerNormGru, layerNormLstm, layerNormRnn, load, lstm, predict, projectedLstm,
  recurrent, relu, residual, save, scaledDotScore, sequential, sigmoid, simpleRnn, softmax, softplus, tanh, type Cell, type Layer, type Sequential,
} from 'bptt';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { hostile, reads } from './hostile';

const size = fc.integer({ min: 1, max: 5 });
const rate = fc.constantFrom(0, 0.1, 0.5);
const activation = fc.constantFrom(tanh, relu, sigmoid, softplus, softmax);
const cell: fc.Arbitrary<Cell> = fc.oneof(
  fc.constantFrom(tanh, relu, sigmoid).map((f) => simpleRnn({ activation: f })), fc.constant(lstm()), fc.constantFrom('after' as const, 'before' as const).map((reset) => gru({ reset })),
  size.map((projectionSize) => projectedLstm({ projectionSize })), fc.constant(layerNormRnn()), fc.constant(layerNormLstm({ epsilon: 0.01 })), fc.constant(layerNormGru()),
);
const direction = fc.record({ hiddenSize: size, inputDropout: rate, recurrentDropout: rate, zoneout: rate.map((h) => ({ h })), learnedState: fc.boolean() }, { requiredKeys: ['hiddenSize'] });
const perStep: fc.Arbitrary<Layer> = fc.oneof(
  fc.tuple(cell, direction, fc.boolean()).map(([c, options, reverse]) => recurrent(c, { ...options, reverse })),
  fc.tuple(cell, direction, fc.constantFrom('concat' as const, 'sum' as const, 'mean' as const, 'product' as const)).map(([c, options, merge]) => bidirectional(c, { ...options, merge })),
  fc.tuple(size, fc.option(activation, { nil: undefined })).map(([n, f]) => dense({ size: n, ...(f && { activation: f }) })),
  rate.map(dropout), fc.constantFrom(1e-5, 0.1).map((epsilon) => layerNorm({ epsilon })),
  fc.array(fc.oneof(rate.map(dropout), fc.constant(layerNorm())), { minLength: 1, maxLength: 3 }).map((inner) => residual([residual(inner), layerNorm()])),
);
const score = fc.oneof(fc.constantFrom(dotScore(), scaledDotScore(), generalScore()), size.map((n) => additiveScore({ size: n })));
const last = fc.option(fc.oneof(score.map((s) => attentionPooling({ score: s })), fc.tuple(cell, size).map(([c, hiddenSize]) => recurrent(c, { hiddenSize, returnSequences: false }))), { nil: undefined });
const model: fc.Arbitrary<Sequential> = fc.record({ ofIds: fc.boolean(), inputSize: size, layers: fc.array(perStep, { minLength: 1, maxLength: 4 }), last, seed: fc.nat() }).map(({ ofIds, inputSize, layers, last: end, seed }) => {
  const all = [...(ofIds ? [embedding({ vocabularySize: 4, size: inputSize })] : []), ...layers, ...(end ? [end] : [])];
  return sequential(all, ofIds ? { seed } : { inputSize, seed });
});

it('a model of any layers comes back bit for bit, and answers the same', () => {
  fc.assert(fc.property(model, fc.jsonValue(), (given, note) => {
    given.data.forEach((value, i) => (given.data[i] = value + Math.sin(i)));
    const { model: again, extras } = load(save(given, { extras: { note } }));
    expect(new Uint32Array(again.data.slice().buffer)).toEqual(new Uint32Array(given.data.slice().buffer));
    expect(again.layers.map(({ name }) => name)).toEqual(given.layers.map(({ name }) => name));
    const x = given.input.kind === 'ids' ? ids([[0, 1], [3, 2], [1, 1]]) : full([3, 2, given.input.size], 0.5);
    const lengths = Int32Array.of(3, 1);
    expect(predict(again, x, { lengths })).toEqual(predict(given, x, { lengths }));
    expect(JSON.stringify(extras['note'])).toBe(JSON.stringify(note));
  }), { numRuns: 400 });
});

it('changed files are read or refused', () => {
  const files = [
    save(sequential([embedding({ vocabularySize: 3, size: 2 }), residual([recurrent(lstm(), { hiddenSize: 2, zoneout: { h: 0.1 } })]), dense({ size: 2, activation: tanh })]), { extras: { a: [1, 'b'] } }),
    save(sequential([bidirectional(gru(), { hiddenSize: 1 }), attentionPooling()], { inputSize: 1 })),
  ];
  let read = 0;
  fc.assert(fc.property(hostile(files), (bytes) => void (read += Number(reads(() => load(bytes), /^(load|readSafetensors): /)))), { numRuns: 5000 });
  expect(read).toBeGreaterThan(100);
});
