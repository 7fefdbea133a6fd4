/** Files saved by version 0.1 (test/golden/saved) still load, although names have changed since. */

import { readFileSync } from 'node:fs';
import {
  adam,
  add,
  chain,
  clipByNorm,
  crossEntropy,
  customModel,
  decode,
  dense,
  dropout,
  embedding,
  encode,
  fit,
  greedySearch,
  load,
  loadEncoderDecoder,
  loadInto,
  lstm,
  meanSquaredError,
  multiply,
  type Operand,
  predict,
  recurrent,
  sequential,
  tensor,
  type Variable,
  type Vocabulary,
  windows,
} from 'bptt';
import { expect, it } from 'vitest';

interface Plain {
  readonly shape: number[];
  readonly data: number[];
}

const file = (name: string): Uint8Array =>
  readFileSync(new URL(`../golden/saved/${name}.safetensors`, import.meta.url));
const expected = JSON.parse(readFileSync(new URL('../golden/saved/expected.json', import.meta.url), 'utf8')) as {
  readonly sequential: { readonly inputs: Plain; readonly output: Plain };
  readonly encoderDecoder: {
    readonly source: Plain;
    readonly written: { readonly ids: number[]; readonly score: number }[];
  };
  readonly function: { readonly slope: Plain; readonly offset: Plain };
  readonly training: { readonly losses: number[]; readonly parameters: number[] };
};

function expectClose(got: ArrayLike<number>, reference: readonly number[], tolerance = 1e-6): void {
  expect(got.length).toBe(reference.length);
  reference.forEach((value, i) => {
    expect(Math.abs(got[i]! - value), `element ${i}`).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(value)));
  });
}

it('a sequential model with every layer, cell and score predicts the same', () => {
  const cube = (x: Operand): Variable => multiply(x, multiply(x, x));
  const { model, extras } = load(file('sequential'), { customObjects: { cube } });
  const { inputs, output } = expected.sequential;
  expectClose(predict(model, { shape: inputs.shape, data: Int32Array.from(inputs.data) }).data, output.data);
  expect(model.parameters['lstm']!['initial.h']!.shape).toEqual([1, 4]);
  const copy = { ...model, data: model.data.slice() };
  expect(loadInto(copy, file('sequential')).extras).toEqual(extras);
  expect(loadInto(copy, file('sequential'), { customObjects: { cube } }).extras).toEqual(extras);
  const vocabulary = extras['vocabulary'] as Vocabulary;
  expect(decode(vocabulary, encode(vocabulary, 'to be'))).toBe('to be');
});

it('an encoder-decoder generates the same', () => {
  const { model } = loadEncoderDecoder(file('encoder-decoder'));
  const { source, written } = expected.encoderDecoder;
  const inputs = { shape: source.shape, data: Int32Array.from(source.data) };
  greedySearch(model, { inputs, lengths: Int32Array.of(3, 2) }, { maxLength: 6 }).forEach(({ ids, score }, row) => {
    expect([...ids]).toEqual(written[row]!.ids);
    expectClose([score], [written[row]!.score]);
  });
});

it('the parameters of a custom model load into it', () => {
  const line = customModel({ slope: tensor([0, 0]), offset: tensor(0) }, (p, { inputs, targets }) =>
    meanSquaredError(add(multiply(inputs as Operand, p.slope), p.offset), targets as Operand),
  );
  expect(loadInto(line, file('function')).extras).toEqual({ note: 'a line' });
  expectClose(line.parameters.slope.data, expected.function.slope.data, 0);
  expectClose(line.parameters.offset.data, expected.function.offset.data, 0);
});

it('training resumes where version 0.1 stopped', async () => {
  const text = Int32Array.from({ length: 160 }, (_, i) => (i * i) % 5);
  const layers = [
    embedding({ vocabularySize: 5, size: 3 }),
    dropout(0.2),
    recurrent(lstm(), { hiddenSize: 4, learnInitialState: true }),
    dense({ size: 5 }),
  ];
  const { training } = load(file('training'));
  const existing = sequential(layers, { seed: 5 });
  expect(loadInto(existing, file('training')).training).toEqual(training);
  expect(existing.data).toEqual(training!.parameters);
  expect(training!.step).toBe(7);
  const data = windows(text, { sequenceLength: 8, batchSize: 4, shuffle: false });
  const model = sequential(layers, { seed: 2 });
  const { losses } = await fit(model, data, {
    loss: crossEntropy,
    optimizer: chain(clipByNorm(1), adam(0.01)),
    steps: 12,
    seed: 9,
    carryState: true,
    validation: data,
    resume: training,
  });
  expectClose(losses, expected.training.losses, 1e-5);
});
