/** Models of any layers come back from their files bit for bit and answer the same; changed files are read or refused. */

import { attentionPooling, bidirectional, dense, embedding, full, gru, ids, load, lstm, predict, recurrent, residual, save, sequential, tanh } from 'bptt';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { hostile, reads } from './hostile';
import { model } from './models';

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
