/** Imported ONNX models: outputs equal to the exporting framework, gradients, and training. */

import { readdirSync, readFileSync } from 'node:fs';
import {
  abs,
  adam,
  add,
  attentionPooling,
  type Batch,
  bidirectional,
  checkGradients,
  createRandom,
  crossEntropy,
  customModel,
  dense,
  embedding,
  fit,
  gru,
  type IntTensor,
  intTensor,
  type Layer,
  layerNorm,
  leakyRelu,
  leaves,
  lstm,
  multiply,
  normal,
  predict,
  recurrent,
  residual,
  sequential,
  simpleRnn,
  softplus,
  sum,
  type Tensor,
  type TensorTree,
  tanh,
  toTimeMajor,
} from 'bptt';
import { exportOnnx, importOnnx, type OnnxNetwork, predictOnnx, runOnnx } from 'bptt/onnx';
import { describe, expect, it } from 'vitest';
import { decodeOnnx } from '../../src/formats/onnx/decode';
import { encodeOnnx } from '../../src/formats/onnx/encode';
import { errorOf, fileOf, folder, inputOf, tensorOf } from '../golden/onnx';

describe('the tests of ONNX for RNN, LSTM and GRU', () => {
  const tests = readdirSync(folder).filter((name) => name.startsWith('test_'));
  const read = (test: string, stem: string): ReturnType<typeof tensorOf>[] =>
    readdirSync(new URL(`${test}/test_data_set_0/`, folder))
      .filter((name) => name.startsWith(stem))
      .sort()
      .map((name) => tensorOf(fileOf(`${test}/test_data_set_0/${name}`)));
  const expectOutputs = (network: OnnxNetwork, inputs: Record<string, Tensor | IntTensor>, test: string): void => {
    const [outputs, expected] = [predictOnnx(network, inputs), read(test, 'output')];
    expect(Object.keys(outputs)).toHaveLength(expected.length);
    network.outputs.forEach(({ name }, i) =>
      expect(errorOf(outputs[name]!, expected[i]!.shape, expected[i]!.data)).toBeLessThan(1e-5),
    );
  };

  it('there are 12 tests', () => expect(tests).toHaveLength(12));

  it.each(tests)('%s', (test) => {
    const network = importOnnx(fileOf(`${test}/model.onnx`));
    expect(network.parameters).toEqual({});
    expectOutputs(
      network,
      Object.fromEntries(network.inputs.map(({ name }, i) => [name, inputOf(read(test, 'input')[i]!)])),
      test,
    );
  });

  it.each(tests)('%s with its weights as constants of the file', (test) => {
    const model = decodeOnnx('test', fileOf(`${test}/model.onnx`));
    const values = read(test, 'input').map((value, i) => ({ ...value, name: model.graph.inputs[i]!.name }));
    const network = importOnnx(encodeOnnx({ ...model, graph: { ...model.graph, initializers: values.slice(1) } }));
    const recurrent = Object.keys(network.parameters).filter((name) => !values.some((value) => value.name === name));
    expect(recurrent).toHaveLength(1);
    expect(network.inputs.map(({ name }) => name)).toEqual(['X']);
    expectOutputs(network, { X: inputOf(values[0]!) }, test);
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
const inputsOf = ({ inputs }: Case): Record<string, Tensor | IntTensor> =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, type, data }]) => [
      name,
      type === 'float' ? { shape, data: Float32Array.from(data) } : { shape, data: Int32Array.from(data) },
    ]),
  );

describe('models in the form that PyTorch and Keras export', () => {
  const models = readdirSync(folder)
    .filter((name) => name.endsWith('.onnx'))
    .map((name) => name.slice(0, -5));

  it('there are 16 models', () => expect(models).toHaveLength(16));

  it.each(models)('%s has the same outputs', (name) => {
    const network = importOnnx(fileOf(`${name}.onnx`));
    const stored = caseOf(name);
    const outputs = predictOnnx(network, inputsOf(stored));
    expect(Object.keys(outputs)).toEqual(Object.keys(stored.outputs));
    for (const [output, { shape, data }] of Object.entries(stored.outputs))
      expect(errorOf(outputs[output]!, shape, data), output).toBeLessThan(1e-5);
  });

  it.each(models)('%s has correct gradients for all parameters', (name) => {
    const network = importOnnx(fileOf(`${name}.onnx`));
    const inputs = inputsOf(caseOf(name));
    const random = createRandom(4);
    const weights = Object.fromEntries(
      Object.entries(predictOnnx(network, inputs)).map(([output, { shape }]) => [output, normal(0, 1)(shape, random)]),
    );
    const { error, checked } = checkGradients(network.parameters, (p) => {
      const outputs = runOnnx(network, p, inputs);
      return Object.entries(weights)
        .map(([output, weight]) => sum(multiply(outputs[output]!, weight)))
        .reduce((a, b) => add(a, b));
    });
    expect(error).toBeLessThan(1e-7);
    expect(checked).toBe(leaves(network.parameters).reduce((size, { tensor: { data } }) => size + data.length, 0));
    expect(checked).toBeGreaterThan(50);
  });

  it('weights are in the layout of the cells: an exported PyTorch model runs as a sequential model', () => {
    const network = importOnnx(fileOf('tagger.onnx'));
    expect(Object.keys(network.parameters)).toEqual(['embedding.weight', 'head.bias', 'onnx::MatMul_115', '/rnn/LSTM']);
    const model = sequential([
      embedding({ vocabularySize: 7, size: 5 }),
      recurrent(lstm(), { hiddenSize: 4 }),
      dense({ size: 7 }),
    ]);
    const { forward } = network.parameters['/rnn/LSTM'] as Record<'forward', Record<string, Tensor>>;
    const source: Record<string, TensorTree> = {
      embedding: { weight: network.parameters['embedding.weight']! },
      lstm: forward,
      dense: { weight: network.parameters['onnx::MatMul_115']!, bias: network.parameters['head.bias']! },
    };
    for (const { path, tensor: target } of leaves(model.parameters)) {
      const [layer, name] = path.split('.') as [string, string];
      target.data.set((source[layer] as Record<string, Tensor>)[name]!.data);
    }
    const ids = inputsOf(caseOf('tagger'))['ids'] as IntTensor;
    const logits = toTimeMajor(predict(model, toTimeMajor(ids)));
    const { shape, data } = caseOf('tagger').outputs['scores']!;
    const logProbabilities = logits.data.map(
      (value, i) =>
        value -
        Math.log(logits.data.slice(i - (i % 7), i - (i % 7) + 7).reduce((total, logit) => total + Math.exp(logit), 0)),
    );
    expect(errorOf({ shape, data: logProbabilities }, shape, data)).toBeLessThan(1e-5);
  });

  it('each direction has separate parameters, under the name of the node', () => {
    const { parameters } = importOnnx(fileOf('packed-gru.onnx'));
    const shapes = { weightIh: [5, 12], weightHh: [4, 12], bias: [12], biasHn: [4] };
    expect(leaves(parameters).map(({ path, tensor: { shape } }) => [path, shape])).toEqual(
      ['forward', 'reverse'].flatMap((direction) =>
        Object.entries(shapes).map(([name, shape]) => [`/rnn/GRU.${direction}.${name}`, shape]),
      ),
    );
  });

  it('fit continues the training of an imported model', async () => {
    const network = importOnnx(fileOf('tagger.onnx'));
    const batch = {
      inputs: intTensor([
        [1, 2, 3, 4],
        [6, 5, 4, 3],
      ]),
      targets: intTensor([
        [2, 3, 4, 5],
        [5, 4, 3, 2],
      ]),
    };
    const model = customModel(network.parameters, (p, { inputs, targets }: Batch<IntTensor, IntTensor>) =>
      crossEntropy(runOnnx(network, p, { ids: inputs })['scores']!, targets),
    );
    const scores = (): readonly number[] => [
      ...predictOnnx(network, { ids: batch.inputs }, model.parameters)['scores']!.data,
    ];
    const before = scores();
    await fit(model, { batchCount: 1, batches: () => [batch] }, { optimizer: adam(0.02), epochs: 150 });
    const best = Array.from({ length: 8 }, (_, row) => scores().slice(row * 7, row * 7 + 7)).map((row) =>
      row.indexOf(Math.max(...row)),
    );
    expect(best).toEqual([...batch.targets.data]);
    expect([...predictOnnx(network, { ids: batch.inputs })['scores']!.data]).toEqual(before);
  });
});

describe('a reimported model with lengths has the same outputs and correct gradients', () => {
  const x = normal(0, 1)([4, 3, 2], createRandom(5));
  const lengths = Int32Array.of(4, 2, 1);
  const cases: Record<string, Layer[]> = {
    'all steps': [bidirectional(lstm(), { hiddenSize: 3 }), dense({ size: 2, activation: softplus })],
    'the last step': [
      recurrent(gru({ reset: 'before' }), { hiddenSize: 3, returnSequences: false, reverse: true }),
      dense({ size: 2, activation: leakyRelu }),
    ],
    'layers around the recurrence': [
      layerNorm(),
      residual([dense({ size: 2, activation: abs })]),
      recurrent(simpleRnn(), { hiddenSize: 3, learnInitialState: true }),
    ],
    attention: [recurrent(gru(), { hiddenSize: 3 }), attentionPooling()],
  };

  it.each(Object.entries(cases))('%s', (_, layers) => {
    const model = sequential(layers, { inputSize: 2, seed: 3 });
    model.data.forEach((value, i) => (model.data[i] = value + 0.3 * Math.sin(2 * i)));
    const network = importOnnx(exportOnnx(model, { lengths: true }));
    const outputs = predictOnnx(network, { inputs: x, lengths: { shape: [3], data: lengths } })['outputs']!;
    const expected = predict(model, x, { lengths });
    expect(errorOf(outputs, expected.shape, expected.data)).toBeLessThan(1e-6);
    const { error } = checkGradients(network.parameters, (p) =>
      sum(tanh(runOnnx(network, p, { inputs: x, lengths: { shape: [3], data: lengths } })['outputs']!)),
    );
    expect(error).toBeLessThan(1e-7);
  });
});
