/** Models that TensorFlow.js saved predict here what they predicted there. */

import { readdirSync, readFileSync } from 'node:fs';
import {
  intTensor,
  load,
  predict,
  predictWithState,
  type Sequential,
  save,
  type Tensor,
  tensor,
  toBatchMajor,
  toTimeMajor,
} from 'bptt';
import { importTensorFlowJs } from 'bptt/keras';
import { describe, expect, it } from 'vitest';

interface Numbers {
  readonly shape: number[];
  readonly data: number[];
}
interface File {
  readonly json: {
    modelTopology: Record<string, unknown>;
    weightsManifest: { paths: string[]; weights: Record<string, unknown>[] }[];
  };
  readonly files: Record<string, string>;
  readonly inputs: Numbers;
  readonly outputs: Numbers;
  readonly lengths?: number[];
  readonly next?: { readonly inputs: Numbers; readonly outputs: number[] };
}
const folder = new URL('../golden/tfjs/', import.meta.url);
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.json') && !name.startsWith('package'))
  .map((name) => name.slice(0, -5));
const read = (name: string): File => JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as File;
const filesOf = ({ files }: File): Record<string, Uint8Array> =>
  Object.fromEntries(
    Object.entries(files).map(([path, text]) => [
      path,
      Uint8Array.from(atob(text), (character) => character.charCodeAt(0)),
    ]),
  );

function expectAnswers(model: Sequential, { inputs, outputs }: File): void {
  const x =
    model.input.kind === 'ids'
      ? toTimeMajor(intTensor(Int32Array.from(inputs.data), inputs.shape))
      : toTimeMajor(tensor(Float32Array.from(inputs.data), inputs.shape));
  const answer = predict(model, x as Tensor);
  const turned = answer.shape.length === 3 ? toBatchMajor(answer) : answer;
  expect([...turned.shape]).toEqual(outputs.shape);
  outputs.data.forEach((value, i) => expect(Math.abs(turned.data[i]! - value), String(i)).toBeLessThan(1e-5));
}

/** Models of which something is to be known: they have tests of their own. */
const noted = ['masked', 'stateful'];

it('there are files', () => expect(names.length).toBeGreaterThan(10));

describe.each(names.filter((name) => !noted.includes(name)))('%s', (name) => {
  it('predicts the same, and after save and load as well', () => {
    const file = read(name);
    const { model, notes } = importTensorFlowJs(JSON.stringify(file.json), filesOf(file));
    expect(notes).toEqual([]);
    expectAnswers(model, file);
    expectAnswers(load(save(model)).model, file);
    expect(importTensorFlowJs(file.json, filesOf(file)).model.data).toEqual(model.data);
  });
});

describe('what cannot be mapped exactly is refused', () => {
  it('gates opened by another function', () => {
    const file = read('lstm');
    const json = JSON.stringify(file.json).replace(
      '"recurrent_activation":"sigmoid"',
      '"recurrent_activation":"softsign"',
    );
    expect(() => importTensorFlowJs(json, filesOf(file))).toThrow(
      /importTensorFlowJs: lstm_LSTM\d opens its gates by softsign; sigmoid and hard_sigmoid are what can be\./,
    );
  });

  it('masks, unless lengths will be given', () => {
    const file = read('masked');
    expect(() => importTensorFlowJs(file.json, filesOf(file))).toThrow('say that it will be, by { lengths: true }.');
    const { model, notes } = importTensorFlowJs(file.json, filesOf(file), { lengths: true });
    expect(notes).toHaveLength(1);
    const answer = predict(model, toTimeMajor(intTensor(Int32Array.from(file.inputs.data), file.inputs.shape)), {
      lengths: Int32Array.from(file.lengths!),
    });
    file.outputs.data.forEach((value, i) => expect(Math.abs(answer.data[i]! - value), String(i)).toBeLessThan(1e-5));
  });
});

it('a stateful model goes on where it was', () => {
  const file = read('stateful');
  const { model, notes } = importTensorFlowJs(file.json, filesOf(file));
  expect(notes).toHaveLength(2);
  expectAnswers(model, file);
  const x = ({ shape, data }: Numbers): Tensor => toTimeMajor(tensor(Float32Array.from(data), shape));
  const { state } = predictWithState(model, x(file.inputs));
  const { output } = predictWithState(model, x(file.next!.inputs), { state });
  file.next!.outputs.forEach((value, i) => expect(Math.abs(output.data[i]! - value), String(i)).toBeLessThan(1e-5));
});

describe('files that do not fit are refused', () => {
  const file = read('lstm');
  const files = filesOf(file);
  const bytes = files['weights.bin']!;
  const group = file.json.weightsManifest[0]!;
  const [first, ...rest] = group.weights;
  const of = (weights: unknown, paths: unknown = ['weights.bin']): object => ({
    ...file.json,
    weightsManifest: [{ paths, weights }],
  });
  it.each<[string, string | object, Record<string, Uint8Array>, string]>([
    ['no JSON', '{', files, 'model.json is not JSON.'],
    [
      'a graph model',
      { ...file.json, format: 'graph-model' },
      files,
      'this is a graph model, of operations; a layers model is what can be read.',
    ],
    [
      'a network of brain.js',
      { type: 'LSTM', options: {}, hiddenLayers: [{ inputMatrix: {} }], outputConnector: {}, output: {} },
      files,
      'this is a network of brain.js. Its "LSTM" puts the output',
    ],
    ['no topology', { ...file.json, modelTopology: null }, files, 'modelTopology must be an object, got null.'],
    [
      'a topology deeper than the stack',
      `{"modelTopology":{"class_name":${'['.repeat(1e5)}${']'.repeat(1e5)}},"weightsManifest":[]}`,
      files,
      'model.json goes more than 256 levels deep.',
    ],
    [
      'a configuration in text, deeper than the stack',
      { modelTopology: { model_config: `{"class_name":${'['.repeat(1e5)}${']'.repeat(1e5)}}` }, weightsManifest: [] },
      {},
      'the configuration goes more than 256 levels deep.',
    ],
    [
      'a merge by a name of the prototype',
      JSON.stringify(read('merge-sum').json).replace('"merge_mode":"sum"', '"merge_mode":"constructor"'),
      filesOf(read('merge-sum')),
      'merges by "constructor"; concat, sum, ave and mul',
    ],
    [
      'a merge and a version that are no text by their own word',
      JSON.stringify({
        ...read('merge-sum').json,
        modelTopology: { ...read('merge-sum').json.modelTopology, keras_version: { toString: 1, valueOf: 1 } },
      }).replace('"merge_mode":"sum"', '"merge_mode":{"toString":1,"valueOf":1}'),
      filesOf(read('merge-sum')),
      'merges by {"toString":1,"valueOf":1};',
    ],
    [
      'no manifest',
      { ...file.json, weightsManifest: undefined },
      files,
      'weightsManifest must be a list, got undefined.',
    ],
    ['a missing file', file.json, {}, 'the manifest names "weights.bin". There are no files.'],
    ['a file cut short', file.json, { 'weights.bin': bytes.slice(0, -4) }, 'Are they cut short?'],
    [
      'a file too long',
      file.json,
      { 'weights.bin': new Uint8Array([...bytes, 0]) },
      `hold ${bytes.length + 1} bytes, the manifest tells of ${bytes.length}.`,
    ],
    [
      'a weight less',
      of(rest),
      { 'weights.bin': bytes.slice(4 * (first!['shape'] as number[]).reduce((a, b) => a * b)) },
      'needs its kernel',
    ],
    ['a weight of another name', of([{ ...first, name: 'else/kernel' }, ...rest]), files, 'needs its kernel'],
    [
      'a weight twice',
      of([first, ...group.weights]),
      { 'weights.bin': new Uint8Array(2 * bytes.length) },
      'stands twice in the manifest.',
    ],
    ['a shape of billions', of([{ ...first, shape: [2 ** 30, 2 ** 20] }, ...rest]), files, 'reaches to byte'],
    [
      'a shape that is none',
      of([{ ...first, shape: [-1, 12] }, ...rest]),
      files,
      'must have a shape of whole numbers, got [-1,12].',
    ],
    [
      'another shape',
      of([{ ...first, shape: [...(first!['shape'] as number[])].reverse() }, ...rest]),
      files,
      'must be [12, 12], got [12, 2].',
    ],
    [
      'whole numbers',
      of([{ ...first, dtype: 'int32' }, ...rest]),
      files,
      'is of type "int32"; float32, and float32 stored as float16, uint16 or uint8',
    ],
    [
      'a quantization without its scale',
      of([{ ...first, quantization: { dtype: 'uint8' } }, ...rest]),
      files,
      'must have scale and min.',
    ],
  ])('%s', (_, json, given, message) => {
    expect(() => importTensorFlowJs(json, given)).toThrow(message);
    expect(() => importTensorFlowJs(json, given)).toThrow(/^importTensorFlowJs: /);
    expect(() => importTensorFlowJs(json, given)).toThrow(RangeError);
  });
});
