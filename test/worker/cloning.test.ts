import {
  adam,
  averageWeights,
  chain,
  clipByNorm,
  customModel,
  dense,
  embedding,
  encoderDecoder,
  freeze,
  generalScore,
  gru,
  lstm,
  mean,
  recurrent,
  save,
  sequential,
  sgd,
  stream,
  tensor,
} from 'bptt';
import { expect, test } from 'vitest';

const model = sequential([recurrent(lstm(), { hiddenSize: 2 }), dense({ size: 1 })], { inputSize: 2 });
const translation = encoderDecoder({
  encoder: [embedding({ vocabularySize: 4, size: 2 }), recurrent(gru(), { hiddenSize: 2 })],
  decoder: { vocabularySize: 4, embeddingSize: 2, cell: gru(), hiddenSize: 2, attention: generalScore() },
  start: 0,
  end: 1,
});
const custom = customModel({ w: tensor([1]) }, (p) => mean(p.w));

// Node.js is based on V8, which prints the value that cannot be cloned.
test.each([
  ['a sequential model', model, 'save(model)'],
  ['an encoder-decoder', translation, 'save(model)'],
  ['a custom model', custom, 'its data'],
  ['a stream', stream(model), 'its state'],
  ['an optimizer', adam(), 'its state'],
  ['a transformation', clipByNorm(1), 'its state'],
  ['a chain of optimizers', chain(clipByNorm(1), averageWeights()), 'its state'],
  ['an optimizer with frozen parameters', freeze(['lstm'], sgd(0.1)), 'its state'],
])('cloning %s throws an error that specifies what to post instead', (_, value, remedy) => {
  const clone = (): unknown => structuredClone({ value });
  expect(clone).toThrow(DOMException);
  expect(clone).toThrow(`contains functions: post ${remedy}`);
});

test('what to post instead of a model or a stream can be cloned', () => {
  const posted = { saved: save(model), data: model.data, state: stream(model).state };
  expect(structuredClone(posted)).toEqual(posted);
});
