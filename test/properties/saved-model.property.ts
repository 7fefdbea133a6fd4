/** Models of any layers come back from their files bit for bit and answer the same; changed files are read or refused. */

import {
  additiveScore,
  attentionPooling,
  bidirectional,
  dense,
  dotScore,
  embedding,
  encoderDecoder,
  full,
  gru,
  ids,
  load,
  loadEncoderDecoder,
  lstm,
  predict,
  readSafetensors,
  recurrent,
  residual,
  save,
  sequential,
  type TrainingState,
  tanh,
  writeSafetensors,
} from 'bptt';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { allocated, hostile, hostileJson, reads } from './hostile';
import { model } from './models';

it('a model of any layers comes back bit for bit, and answers the same', () => {
  fc.assert(
    fc.property(model, fc.jsonValue(), (given, note) => {
      given.data.forEach((value, i) => (given.data[i] = value + Math.sin(i)));
      const { model: again, extras } = load(save(given, { extras: { note } }));
      expect(new Uint32Array(again.data.slice().buffer)).toEqual(new Uint32Array(given.data.slice().buffer));
      expect(again.layers.map(({ name }) => name)).toEqual(given.layers.map(({ name }) => name));
      const x =
        given.input.kind === 'ids'
          ? intTensor([
              [0, 1],
              [3, 2],
              [1, 1],
            ])
          : full([3, 2, given.input.size], 0.5);
      const lengths = Int32Array.of(3, 1);
      expect(predict(again, x, { lengths })).toEqual(predict(given, x, { lengths }));
      expect(JSON.stringify(extras['note'])).toBe(JSON.stringify(note));
    }),
    { numRuns: 400 },
  );
});

it('changed files are read or refused', () => {
  const files = [
    save(
      sequential([
        embedding({ vocabularySize: 3, size: 2 }),
        residual([recurrent(lstm(), { hiddenSize: 2, zoneout: { h: 0.1 } })]),
        dense({ size: 2, activation: tanh }),
      ]),
      { extras: { a: [1, 'b'] } },
    ),
    save(sequential([bidirectional(gru(), { hiddenSize: 1 }), attentionPooling()], { inputSize: 1 })),
  ];
  let read = 0;
  fc.assert(
    fc.property(
      hostile(files),
      (bytes) => void (read += Number(reads(() => load(bytes), /^(load|readSafetensors): /))),
    ),
    { numRuns: 5000 },
  );
  expect(read).toBeGreaterThan(100);
});

/** Where training of a model of so many parameters stands, with all that may be in it. */
function standing(size: number): TrainingState {
  const vector = (): Float32Array => Float32Array.from({ length: size }, (_, i) => i / 7);
  return {
    step: 3,
    epoch: 2,
    position: 1,
    parameters: vector(),
    optimizer: { step: 3, slots: [vector(), vector()] },
    random: Uint32Array.of(1, 2, 3, 2 ** 32 - 1),
    draws: [{ position: 0, random: Uint32Array.of(5, 6, 7, 8) }],
    losses: [3, 2, 1],
    smoothedLoss: NaN,
    validationLosses: [2, Infinity],
    best: { loss: 0.5, epoch: 1, parameters: vector() },
    carried: { recurrent: { h: full([1, 2], 1) } },
  };
}

const described = sequential([
  embedding({ vocabularySize: 3, size: 2 }),
  residual([recurrent(gru({ reset: 'before' }), { hiddenSize: 2, zoneout: { h: 0.1 } })]),
  attentionPooling({ score: additiveScore({ size: 2 }) }),
  dense({ size: 2, activation: tanh }),
]);
const translating = encoderDecoder({
  encoder: [embedding({ vocabularySize: 3, size: 2 }), recurrent(lstm(), { hiddenSize: 2 })],
  decoder: { vocabularySize: 4, embeddingSize: 2, cell: lstm(), hiddenSize: 2, attention: dotScore() },
  start: 0,
  end: 1,
});

it.each<[string, typeof load | typeof loadEncoderDecoder, Uint8Array]>([
  ['load', load, save(described, { training: standing(described.data.length), extras: { a: [1, { b: 'c' }] } })],
  ['loadEncoderDecoder', loadEncoderDecoder, save(translating, { training: standing(translating.data.length) })],
])('%s: a description with any of its values changed is read or refused', (name, read, file) => {
  const { tensors, metadata } = readSafetensors(file);
  const begins = new RegExp(`^${name}: `);
  for (const key of ['bptt.model', 'bptt.training', 'bptt.extras', 'bptt.format']) {
    let times = 0;
    fc.assert(
      fc.property(hostileJson(JSON.parse(metadata[key]!)), (text) => {
        const changed = writeSafetensors(tensors, { ...metadata, [key]: text });
        const used = allocated(() => void (times += Number(reads(() => read(changed), begins))));
        expect(used).toBeLessThan(20 * changed.length + 20_000);
      }),
      { numRuns: 1500 },
    );
    expect(times, key).toBeGreaterThan(4);
  }
});
