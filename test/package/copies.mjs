/** Checks that two copies of the library, one by import and one by require, work on objects of each other. */

import { deepEqual, notEqual, ok } from 'node:assert/strict';
import { createRequire } from 'node:module';
import * as imported from 'bptt';
import * as importedNode from 'bptt/node';
import * as importedOnnx from 'bptt/onnx';
import * as importedPyTorch from 'bptt/pytorch';

const require = createRequire(import.meta.url);
const copies = [
  { ...imported, ...importedOnnx, ...importedPyTorch, ...importedNode },
  { ...require('bptt'), ...require('bptt/onnx'), ...require('bptt/pytorch'), ...require('bptt/node') },
];
notEqual(copies[0].lstm, copies[1].lstm);

const x = { shape: [3, 1, 2], data: Float32Array.of(1, -2, 0.5, 3, -1, 2) };
const ids = Int32Array.from({ length: 60 }, (_, i) => (i * i) % 5);

/** A custom cell whose operations are those of `q`. */
const customCell = (q) => ({
  name: 'leaky',
  state: ['h'],
  parameters: (inputSize, hiddenSize) => q.gateParameters(1, inputSize, hiddenSize),
  inputs: ({ weightIh, bias }, input) => q.affine(input, { weight: weightIh, bias }),
  step: ({ weightHh }, input, { h }, applyDropout) => ({
    h: q.add(q.scale(h, 0.9), q.scale(q.tanh(q.add(input, q.matmul(applyDropout(h), weightHh))), 0.1)),
  }),
});

/** Objects of `q`, used by functions of `p`. */
async function results(p, q) {
  const vectors = q.sequential(
    [
      q.recurrent(q.lstm(), { hiddenSize: 3, zoneout: { h: 0.1 } }),
      p.bidirectional(q.lstmWith({ activation: q.relu, gateActivation: q.hardSigmoid() }), { hiddenSize: 2 }),
      q.residual([p.recurrent(customCell(q), { hiddenSize: 4 })]),
      q.dense({ size: 2, activation: p.tanh }),
    ],
    { inputSize: 2, seed: 1 },
  );
  const classifier = p.sequential(
    [q.embedding({ vocabularySize: 5, size: 3 }), q.recurrent(q.simpleRnn(), { hiddenSize: 4 }), p.dense({ size: 5 })],
    { seed: 2 },
  );
  const optimizer = q.chain(p.clipByNorm(1), p.adam(q.warmup(0.1, { steps: 3 })), q.averageWeights());
  const { losses, optimizerState } = await p.fit(classifier, q.windows(ids, { sequenceLength: 5, batchSize: 2 }), {
    loss: q.crossEntropy,
    optimizer,
    steps: 5,
  });
  const parameters = { cell: p.initializeCell(customCell(q), { inputSize: 2, hiddenSize: 3, random: 1 }) };
  const loss = (v) => p.sum(q.recompute({ c: v.cell }, ({ c }) => q.unroll(customCell(p), c, x).outputs));
  const running = p.stream(classifier);
  const vocabulary = q.bytePairVocabulary('low lower lowest', { size: 258 });
  const saved = p.load(p.save(classifier, { extras: { vocabulary } }));
  const recurrent = q.sequential(
    [q.recurrent(q.gru(), { hiddenSize: 3 }), q.dense({ size: 2, activation: q.sigmoid })],
    {
      inputSize: 2,
    },
  );
  const network = p.importOnnx(q.exportOnnx(recurrent));
  await p.writeAtomically('copies.safetensors', q.save(recurrent));
  return {
    predicted: p.predict(vectors, x).data,
    losses,
    averaged: q.averagedModel(classifier, optimizer, optimizerState).data,
    evaluated: q.evaluate(classifier, p.windows(ids, { sequenceLength: 5, batchSize: 2 }), {
      loss: p.crossEntropy,
      metrics: { accuracy: q.accuracy, f1: p.f1Score({ average: 'macro' }) },
    }),
    gradient: p.valueAndGradient(parameters, loss),
    nested: p.compute(parameters, () =>
      p.toTensor(
        p.add(
          q.compute({ x }, (v) => q.tanh(v.x)),
          q.full([3, 1, 2], 1),
        ),
      ),
    ),
    checked: p.checkGradients(parameters, loss).error < 1e-7,
    streamed: [1, 2, 3].map((id) => q.advance(running, p.intTensor([id])).data),
    generated: q.generate(classifier, { prompt: [1], length: 5 }),
    loaded: [saved.model.data, q.decode(saved.extras.vocabulary, p.encode(vocabulary, 'lower'))],
    network: q.predictOnnx(network, { inputs: x }),
    exported: p.exportOnnx(recurrent).length,
    weights: p.inferModel(q.toPyTorch(recurrent)).layers.length,
    summary: p.summary(vectors),
  };
}

const [own, ownToo, mixed, mixedToo] = [
  await results(copies[0], copies[0]),
  await results(copies[1], copies[1]),
  await results(copies[0], copies[1]),
  await results(copies[1], copies[0]),
];
ok(own.checked);
deepEqual(ownToo, own);
deepEqual(mixed, own);
deepEqual(mixedToo, own);
