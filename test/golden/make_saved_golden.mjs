/**
 * Writes one file of each kind that `save` of version 0.1.0 wrote, and the outputs of each model. Run with the bundle
 * of that version: `node make_saved_golden.mjs saved` next to `dist/index.js` of commit c30a45a.
 */

import { writeFileSync } from 'node:fs';
import * as b from './dist/index.js';
const out = process.argv[2];
const {
  sequential, embedding, recurrent, bidirectional, residual, dense, dropout, layerNorm, attentionPooling, lstm, gru, simpleRnn, projectedLstm,
  layerNormLstm, layerNormGru, layerNormRnn, additiveScore, generalScore, dotScore, scaledDotScore, tanh, relu, save, predict, predictWithState, ids, full, tensor,
  encoderDecoder, greedySearch, trainable, fit, adam, chain, clipByNorm, crossEntropy, meanSquaredError, windows, multiply, add, characterVocabulary, standardScaler, normal, createRandom,
} = b;
const write = (name, file) => writeFileSync(`${out}/${name}`, file);
const plain = ({ shape, data }) => ({ shape: [...shape], data: [...data] });
const expected = {};

const cube = (x) => multiply(x, multiply(x, x));
const every = sequential([
  embedding({ vocabularySize: 7, size: 4 }),
  recurrent(lstm(), { hiddenSize: 4, learnedState: true, zoneout: { h: 0.1, c: 0.05 }, recurrentDropout: 0.1, inputDropout: 0.1 }),
  residual([recurrent(gru(), { hiddenSize: 4 }), dropout(0.2)]),
  recurrent(gru({ reset: 'before' }), { hiddenSize: 4, reverse: true }),
  recurrent(simpleRnn({ activation: relu }), { hiddenSize: 4 }),
  recurrent(projectedLstm({ projectionSize: 3 }), { hiddenSize: 5 }),
  recurrent(layerNormRnn(), { hiddenSize: 3 }), recurrent(layerNormLstm(), { hiddenSize: 3 }), recurrent(layerNormGru(), { hiddenSize: 3 }),
  layerNorm(),
  bidirectional(lstm(), { hiddenSize: 3, merge: 'sum', learnedState: true }),
  dense({ size: 4, activation: tanh }),
  attentionPooling({ querySize: 3, score: additiveScore({ size: 5 }) }),
  dense({ size: 3, activation: cube }),
], { seed: 3 });
const tokens = ids([[1, 2], [3, 4], [5, 6], [0, 1]]);
const vocabulary = characterVocabulary('to be or not');
write('sequential.safetensors', save(every, { names: { cube }, extras: { vocabulary, scaler: standardScaler(tensor([[1, 2], [3, 6]])) } }));
expected.sequential = { inputs: plain(tokens), output: plain(predict(every, tokens)) };

const translate = encoderDecoder({
  encoder: [embedding({ vocabularySize: 6, size: 4 }), bidirectional(gru(), { hiddenSize: 3 })],
  decoder: { vocabularySize: 6, embeddingSize: 4, cell: lstm(), hiddenSize: 4, layers: 2, attention: generalScore() }, start: 0, end: 1, seed: 5,
});
write('encoder-decoder.safetensors', save(translate));
const source = ids([[2, 3], [4, 5], [3, 2]]);
expected.encoderDecoder = { source: plain(source), written: greedySearch(translate, { inputs: source, lengths: Int32Array.of(3, 2) }, { maxLength: 6 }).map((w) => ({ ids: [...w.ids], score: w.score })) };

const line = trainable({ slope: tensor([0.5, -1]), offset: tensor(0.25) }, (p, { inputs, targets }) => meanSquaredError(add(multiply(inputs, p.slope), p.offset), targets));
write('function.safetensors', save(line, { extras: { note: 'a line' } }));
expected.function = { slope: plain(line.parameters.slope), offset: plain(line.parameters.offset) };

// Training interrupted after 7 of 12 updates, with carried state, validation and dropout.
const text = Int32Array.from({ length: 160 }, (_, i) => (i * i) % 5);
const make = () => sequential([embedding({ vocabularySize: 5, size: 3 }), dropout(0.2), recurrent(lstm(), { hiddenSize: 4, learnedState: true }), dense({ size: 5 })], { seed: 2 });
const data = windows(text, { steps: 8, batchSize: 4, shuffle: false });
const options = { loss: crossEntropy, optimizer: chain(clipByNorm(1), adam(0.01)), steps: 12, seed: 9, carryState: true, validation: data };
const model = make();
let state;
await fit(model, data, { ...options, checkpoint: { every: 7, write: (given) => { state ??= given; } } });
write('training.safetensors', save(model, { training: state }));
expected.training = { losses: [...(await fit(make(), data, options)).losses], parameters: [...model.data] };
expected.kernels = b.kernelsInUse();
writeFileSync(`${out}/expected.json`, JSON.stringify(expected, (_, v) => (typeof v === 'number' ? Number(v.toPrecision(9)) : v)) + '\n');
