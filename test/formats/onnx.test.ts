/** ONNX models of others answer here what they answer there, and are trained. */

import { importOnnx, predictOnnx, type IdTensor, type Tensor } from 'bptt';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeOnnx } from '../../src/formats/onnx/decode';
import { messageField } from '../../src/formats/onnx/protobuf';

const folder = new URL('../golden/onnx/', import.meta.url);
const fileOf = (name: string): Uint8Array => readFileSync(new URL(name, folder));

/** The largest |got − expected| / max(1, |expected|). */
function errorOf(got: Tensor, shape: readonly number[], expected: ArrayLike<number>): number {
  expect(got.shape).toEqual(shape);
  return got.data.reduce((error, value, i) => Math.max(error, Math.abs(value - expected[i]!) / Math.max(1, Math.abs(expected[i]!))), 0);
}

describe('the operator tests of ONNX give what they say', () => {
  const tests = readdirSync(folder).filter((name) => name.startsWith('test_'));

  it('there are twelve, and none is out of scope', () => expect(tests).toHaveLength(12));

  /** The tensor of a file of test data. */
  const tensorOf = (path: string): { name: string; shape: readonly number[]; data: Float32Array | Int32Array } =>
    decodeOnnx('test', messageField(7, [messageField(5, [fileOf(path)])])).graph.initializers[0] as never;

  it.each(tests)('%s', (test) => {
    const network = importOnnx(fileOf(`${test}/model.onnx`));
    const read = (stem: string): ReturnType<typeof tensorOf>[] =>
      readdirSync(new URL(`${test}/test_data_set_0/`, folder)).filter((name) => name.startsWith(stem)).sort().map((name) => tensorOf(`${test}/test_data_set_0/${name}`));
    const inputs = Object.fromEntries(network.inputs.map(({ name }, i) => [name, read('input')[i]! as Tensor | IdTensor]));
    const outputs = predictOnnx(network, inputs);
    const expected = read('output');
    expect(Object.keys(outputs)).toHaveLength(expected.length);
    network.outputs.forEach(({ name }, i) => expect(errorOf(outputs[name]!, expected[i]!.shape, expected[i]!.data)).toBeLessThan(1e-5));
  });
});

interface Stored {
  readonly shape: readonly number[];
  readonly type: 'float' | 'int';
  readonly data: readonly number[];
}
interface Case {
  readonly inputs: Readonly<Record<string, Stored>>;
  readonly outputs: Readonly<Record<string, Stored>>;
}
const caseOf = (name: string): Case => JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as Case;
const inputsOf = ({ inputs }: Case): Record<string, Tensor | IdTensor> => Object.fromEntries(Object.entries(inputs).map(([name, { shape, type, data }]) =>
  [name, type === 'float' ? { shape, data: Float32Array.from(data) } : { shape, data: Int32Array.from(data) }]));

describe('models as PyTorch and Keras export them answer the same', () => {
  const models = readdirSync(folder).filter((name) => name.endsWith('.onnx')).map((name) => name.slice(0, -5));

  it('there are some', () => expect(models.length).toBeGreaterThan(10));

  it.each(models)('%s', (name) => {
    const network = importOnnx(fileOf(`${name}.onnx`));
    const stored = caseOf(name);
    const outputs = predictOnnx(network, inputsOf(stored));
    expect(Object.keys(outputs)).toEqual(Object.keys(stored.outputs));
    for (const [output, { shape, data }] of Object.entries(stored.outputs)) expect(errorOf(outputs[output]!, shape, data), output).toBeLessThan(1e-5);
  });
});
