/** Saved models: random models round-trip bit for bit, and changed files load or are rejected. */

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
  intTensor,
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
import { allocated, hostile, hostileJson, reads, runs } from './hostile';
import { model } from './models';

it('a random model round-trips bit for bit and has the same outputs', () => {
  fc.assert(
    fc.property(model, fc.jsonValue(), (original, note) => {
      original.data.forEach((value, i) => {
        original.data[i] = value + Math.sin(i);
      });
      const { model: loaded, extras } = load(save(original, { extras: { note } }));
      expect(new Uint32Array(loaded.data.slice().buffer)).toEqual(new Uint32Array(original.data.slice().buffer));
      expect(loaded.layers.map(({ name }) => name)).toEqual(original.layers.map(({ name }) => name));
      const x =
        original.input.kind === 'ids'
          ? intTensor([
              [0, 1],
              [3, 2],
              [1, 1],
            ])
          : full([3, 2, original.input.size], 0.5);
      const lengths = Int32Array.of(3, 1);
      expect(predict(loaded, x, { lengths })).toEqual(predict(original, x, { lengths }));
      expect(JSON.stringify(extras['note'])).toBe(JSON.stringify(note));
    }),
    { numRuns: runs(400) },
  );
});

it('changed files load or are rejected', () => {
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
    fc.property(hostile(files), (bytes) => {
      if (reads(() => load(bytes), /^load: /)) read++;
    }),
    { numRuns: runs(5000) },
  );
  expect(read).toBeGreaterThan(100);
});

/** A training state for a model with `size` parameters, with every optional field. */
function trainingState(size: number): TrainingState {
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

const classifier = sequential([
  embedding({ vocabularySize: 3, size: 2 }),
  residual([recurrent(gru({ reset: 'before' }), { hiddenSize: 2, zoneout: { h: 0.1 } })]),
  attentionPooling({ score: additiveScore({ size: 2 }) }),
  dense({ size: 2, activation: tanh }),
]);
const translator = encoderDecoder({
  encoder: [embedding({ vocabularySize: 3, size: 2 }), recurrent(lstm(), { hiddenSize: 2 })],
  decoder: { vocabularySize: 4, embeddingSize: 2, cell: lstm(), hiddenSize: 2, attention: dotScore() },
  start: 0,
  end: 1,
});

it.each<[string, typeof load | typeof loadEncoderDecoder, Uint8Array]>([
  ['load', load, save(classifier, { training: trainingState(classifier.data.length), extras: { a: [1, { b: 'c' }] } })],
  ['loadEncoderDecoder', loadEncoderDecoder, save(translator, { training: trainingState(translator.data.length) })],
])('%s: metadata with changed values loads or is rejected', (name, read, file) => {
  const { tensors, metadata } = readSafetensors(file);
  const message = new RegExp(`^${name}: `);
  for (const key of ['bptt.model', 'bptt.training', 'bptt.extras', 'bptt.format']) {
    let loaded = 0;
    fc.assert(
      fc.property(hostileJson(JSON.parse(metadata[key]!)), (text) => {
        const changed = writeSafetensors(tensors, { ...metadata, [key]: text });
        const used = allocated(() => {
          if (reads(() => read(changed), message)) loaded++;
        });
        expect(used).toBeLessThan(20 * changed.length + 20_000);
      }),
      { numRuns: runs(1500) },
    );
    // Any other layout than the current one is rejected. Of the others, few changes leave a file that loads.
    if (key !== 'bptt.format') expect(loaded, key).toBeGreaterThan(0);
  }
});
