/** Weights and checkpoints of foreign origin: changed names, shapes and values are read or rejected. */

import {
  adam,
  bidirectional,
  dense,
  embedding,
  full,
  gru,
  initializeOptimizer,
  layerNorm,
  load,
  loadEncoderDecoder,
  loadInto,
  lstm,
  projectedLstm,
  readSafetensors,
  recurrent,
  type Sequential,
  save,
  sequential,
  simpleRnn,
  type Tensor,
  type TrainingState,
  writeSafetensors,
} from 'bptt';
import { fromKeras } from 'bptt/keras';
import { fromPyTorch, inferModel, toPyTorch } from 'bptt/pytorch';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { allocated, hostile, hostileJson, reads, runs } from './hostile';

type Weights = Readonly<Record<string, Tensor>>;

/** Weights with one or two tensors that are removed, renamed, repeated under another name or of another shape. */
function hostileWeights(weights: Weights): fc.Arbitrary<Weights> {
  const names = Object.keys(weights);
  const otherName = fc.oneof(
    fc.constantFrom(...names, '', '.', '__proto__', 'constructor', 'weight', 'a.weight_ih_l0', 'a.weight_hh_l1'),
    fc.constantFrom(...names).map((name) => name.replace(/[a-z]+_[a-z]+/, 'weight_hh')),
    fc.string({ maxLength: 8 }),
  );
  const otherShape = fc.array(fc.constantFrom(0, 1, 2, 3, 4, 7, 8, 12), { maxLength: 3 });
  const change = fc.record({
    kind: fc.constantFrom('remove', 'rename', 'copy', 'reshape'),
    name: fc.constantFrom(...names),
    otherName,
    otherShape,
  });
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
    const result = new Map(Object.entries(weights));
    for (const { kind, name, otherName: other, otherShape: shape } of changes) {
      const tensor = result.get(name) ?? full([1], 0);
      if (kind === 'remove' || kind === 'rename') result.delete(name);
      if (kind === 'rename' || kind === 'copy') result.set(other, tensor);
      if (kind === 'reshape') result.set(name, full(shape, 0.5));
    }
    return Object.fromEntries(result);
  });
}

const make = (): Sequential =>
  sequential([
    embedding({ vocabularySize: 4, size: 3 }),
    bidirectional(lstm(), { hiddenSize: 2 }),
    recurrent(gru(), { hiddenSize: 3 }),
    layerNorm(),
    dense({ size: 2 }),
  ]);
const others = (): Sequential =>
  sequential(
    [
      recurrent(simpleRnn(), { hiddenSize: 2 }),
      recurrent(projectedLstm({ projectionSize: 1 }), { hiddenSize: 2 }),
      dense({ size: 1 }),
    ],
    { inputSize: 2 },
  );

it('inferModel and fromPyTorch read or reject changed weights', () => {
  let read = 0;
  for (const original of [make(), others()]) {
    const weights = toPyTorch(original);
    fc.assert(
      fc.property(hostileWeights(weights), (changed) => {
        const target =
          original === undefined
            ? make()
            : sequential(
                original.layers.map(({ layer }) => layer),
                {
                  ...(original.input.kind === 'vectors' && { inputSize: original.input.size }),
                },
              );
        if (reads(() => fromPyTorch(target, changed), /^fromPyTorch: /)) read++;
        reads(() => {
          const { layers, inputSize, modules } = inferModel(changed);
          return { layers, inputSize, modules };
        }, /^inferModel: /);
      }),
      { numRuns: runs(2000) },
    );
  }
  expect(read).toBeGreaterThan(20);
});

it('fromKeras reads or rejects changed weights', () => {
  const weights: Weights = {
    'layers/embedding/vars/0': full([4, 3], 0.1),
    'layers/bidirectional/forward_layer/cell/vars/0': full([3, 8], 0.1),
    'layers/bidirectional/forward_layer/cell/vars/1': full([2, 8], 0.1),
    'layers/bidirectional/forward_layer/cell/vars/2': full([8], 0.1),
    'layers/bidirectional/backward_layer/cell/vars/0': full([3, 8], 0.1),
    'layers/bidirectional/backward_layer/cell/vars/1': full([2, 8], 0.1),
    'layers/bidirectional/backward_layer/cell/vars/2': full([8], 0.1),
    'layers/gru/cell/vars/0': full([4, 9], 0.1),
    'layers/gru/cell/vars/1': full([3, 9], 0.1),
    'layers/gru/cell/vars/2': full([2, 9], 0.1),
    'layers/layer_normalization/vars/0': full([3], 0.1),
    'layers/layer_normalization/vars/1': full([3], 0.1),
    'layers/dense/vars/0': full([3, 2], 0.1),
    'layers/dense/vars/1': full([2], 0.1),
  };
  fromKeras(make(), weights);
  let read = 0;
  fc.assert(
    fc.property(hostileWeights(weights), (changed) => {
      if (reads(() => fromKeras(make(), changed), /^fromKeras: /)) read++;
    }),
    { numRuns: runs(2000) },
  );
  expect(read).toBeGreaterThan(5);
});

it('loadInto reads or rejects changed files and descriptions, and changes the model only if it reads them', () => {
  const model = make();
  const training: TrainingState = {
    step: 1,
    epoch: 1,
    position: 1,
    parameters: model.data.slice(),
    optimizer: initializeOptimizer(adam(), model.data.length),
    random: Uint32Array.of(1, 2, 3, 4),
    draws: [],
    losses: [1],
    smoothedLoss: 1,
    validationLosses: [],
    best: undefined,
    carried: undefined,
  };
  const file = save(model, { training });
  const { tensors, metadata } = readSafetensors(file);
  const described = hostileJson(JSON.parse(metadata['bptt.model']!)).map((text) =>
    writeSafetensors(tensors, { ...metadata, 'bptt.model': text }),
  );
  let read = 0;
  fc.assert(
    fc.property(fc.oneof(hostile([file]), described), (bytes) => {
      const target = make();
      target.data.fill(7);
      const used = allocated(() => {
        if (reads(() => loadInto(target, bytes), /^loadInto: /)) read++;
        else expect(target.data.every((value) => value === 7)).toBe(true);
      });
      expect(used).toBeLessThan(20 * bytes.length + 100_000);
      reads(() => load(bytes), /^load: /);
      reads(() => loadEncoderDecoder(bytes), /^loadEncoderDecoder: /);
    }),
    { numRuns: runs(3000) },
  );
  expect(read).toBeGreaterThan(20);
});
