/** Predictions of long sequences run in parts: with the same bits, and in little memory. */

import {
  attentionPooling,
  bidirectional,
  compute,
  createRandom,
  dense,
  dropout,
  embedding,
  evaluate,
  full,
  gru,
  integerNumber,
  intTensor,
  type Layer,
  layerNorm,
  layerNormLstm,
  lstm,
  type ModelState,
  mean,
  meanAbsoluteError,
  meanSquaredError,
  normal,
  type PredictOptions,
  predict,
  predictWithState,
  recurrent,
  residual,
  runModel,
  type Sequential,
  scale,
  sequential,
  simpleRnn,
  stack,
  tanh,
  toTensor,
  uniformNumber,
  type Variable,
} from 'bptt';
import { describe, expect, it } from 'vitest';

/** The output and state of one run over all steps. */
const whole = (model: Sequential, inputs: Parameters<typeof predict>[1], options: PredictOptions) =>
  compute(model.parameters, (p) => {
    const { output, state } = runModel(model, p, inputs, options);
    return { output, state };
  });

const [T, B, I] = [700, 3, 4];
const models: [string, Sequential][] = [
  [
    'recurrent layers with an output per step',
    sequential(
      [
        recurrent(lstm(), { hiddenSize: 6, learnInitialState: true }),
        residual([layerNorm(), recurrent(gru(), { hiddenSize: 6, zoneout: { h: 0.1 } })]),
        dropout(0.5),
        dense({ size: 3, activation: tanh }),
      ],
      { inputSize: I, seed: 1 },
    ),
  ],
  [
    'one output per sequence',
    sequential(
      [
        recurrent(layerNormLstm(), { hiddenSize: 5 }),
        recurrent(simpleRnn(), { hiddenSize: 4, returnSequences: false }),
        dense({ size: 2 }),
      ],
      { inputSize: I, seed: 2 },
    ),
  ],
  [
    'layers that are not causal',
    sequential([bidirectional(gru(), { hiddenSize: 3 }), attentionPooling(), dense({ size: 2 })], {
      inputSize: I,
      seed: 3,
    }),
  ],
];

describe.each(models)('%s', (_, model) => {
  const random = createRandom(5);
  const inputs = normal(0, 1)([T, B, I], random);
  const lengths = Int32Array.of(700, 123, 0);
  const resets = intTensor(
    Int32Array.from({ length: T * B }, () => (uniformNumber(random) < 0.01 ? 1 : 0)),
    [T, B],
  );
  const { state } = whole(model, normal(0, 1)([5, B, I], random), {});
  it.each<[string, PredictOptions]>([
    ['without options', {}],
    ['with lengths', { lengths: lengths.map((length) => Math.max(1, length)) }],
    ['with a length of 0', { lengths }],
    ['with a state', { state }],
    ...(_ === 'layers that are not causal'
      ? []
      : ([['with resets, lengths and a state', { resets, state, lengths }]] as [string, PredictOptions][])),
  ])('%s: the output and state are bit-identical to those of one run', (_, options) => {
    expect(predictWithState(model, inputs, options)).toEqual(whole(model, inputs, options));
  });
});

it.each(models.slice(0, 2))('evaluate is bit-identical to one run: %s', (_, model) => {
  const random = createRandom(6);
  const lengths = Int32Array.of(700, 123, 5);
  const batches = [1, 2].map(() => {
    const inputs = normal(0, 1)([T, B, I], random);
    const { shape } = whole(model, inputs, {}).output;
    return { inputs, targets: normal(0, 1)(shape, random), lengths };
  });
  const metrics = { meanAbsoluteError };
  let state: ModelState | undefined;
  const runs = batches.map(({ inputs, targets }) => {
    const run = whole(model, inputs, { lengths, state });
    ({ state } = run);
    const counted = model.output.kind === 'vectors' && model.output.perStep ? { lengths } : {};
    const of = (loss: typeof meanSquaredError): number =>
      compute({}, () => toTensor(loss(run.output, targets, counted)).data[0]!);
    return { loss: of(meanSquaredError), meanAbsoluteError: of(meanAbsoluteError) };
  });
  const result = evaluate(model, batches, { loss: meanSquaredError, metrics, carryState: true });
  expect(result.loss).toBeCloseTo((runs[0]!.loss + runs[1]!.loss) / 2, 6);
  expect(result.meanAbsoluteError).toBeCloseTo((runs[0]!.meanAbsoluteError + runs[1]!.meanAbsoluteError) / 2, 6);
  // One batch has one mean, so the bits are those of the run.
  expect(evaluate(model, batches[0]!, { loss: meanSquaredError, metrics })).toEqual(runs[0]);
});

/** A layer for vectors that does not state whether it is causal. */
const layerOf = (name: string, apply: (input: Variable) => Variable): Layer => ({
  name,
  output: (input) => input,
  run: (_, input) => {
    if (!('storage' in input)) throw new TypeError(`${name}: expected vectors.`);
    return { output: apply(input) };
  },
});

it('at least 1024 rows run in parts of 512', () => {
  const steps: (number | undefined)[] = [];
  const recording = layerOf('recording', (input) => {
    steps.push(input.shape[0]);
    return input;
  });
  const model = sequential([{ ...recording, causal: true }], { inputSize: 1 });
  predict(model, full([511, 2, 1], 0));
  expect(steps).toEqual([511]);
  predict(model, full([600, 2, 1], 0));
  expect(steps.slice(1)).toEqual([256, 256, 88]);
});

it('ids run in parts as well, and a wrong one is reported at its position', () => {
  const model = sequential([embedding({ vocabularySize: 9, size: 3 }), recurrent(gru(), { hiddenSize: 4 })], {
    seed: 1,
  });
  const random = createRandom(1);
  const ids = intTensor(
    Int32Array.from({ length: 3000 }, () => integerNumber(random, 9)),
    [3000, 1],
  );
  expect(predict(model, ids)).toEqual(whole(model, ids, {}).output);
  ids.data[2500] = 9;
  expect(() => predict(model, ids)).toThrow('at index 2500');
});

it('a wrong shape is that of the whole input', () => {
  const model = sequential([recurrent(lstm(), { hiddenSize: 2 })], { inputSize: 2 });
  expect(() => predict(model, full([2000, 1, 3], 0))).toThrow(
    'predict: layer lstm: xs must be [T, B, I] = [*, *, 2], got [2000, 1, 3].',
  );
  expect(() => predict(model, full([2000, 2], 0))).toThrow('got [2000, 2].');
});

it('a custom layer that does not state that it is causal gets all steps', () => {
  const centered = layerOf('centered', (input) => scale(stack([mean(input, 0)]), 1));
  const model = sequential([centered], { inputSize: 1 });
  expect(predict(model, normal(0, 1)([2000, 1, 1], createRandom(1))).shape).toEqual([1, 1, 1]);
});

it('a variable of an earlier prediction is rejected, in long sequences too', () => {
  let first: Variable | undefined;
  const stale = layerOf('stale', (input) => {
    first ??= input;
    return first;
  });
  const model = sequential([{ ...stale, causal: true }], { inputSize: 1 });
  predict(model, full([2, 1, 1], 0));
  expect(() => predict(model, full([2000, 1, 1], 0))).toThrow('got a variable of another');
});

it.each<[string, PredictOptions, string]>([
  ['lengths beyond the steps', { lengths: Int32Array.of(2001) }, 'lengths'],
  ['negative lengths', { lengths: Int32Array.of(-1) }, 'lengths'],
  ['too many lengths', { lengths: Int32Array.of(5, 5) }, 'lengths'],
  ['resets of another shape', { resets: intTensor([[1]]) }, 'resets'],
])('%s are rejected, in long sequences too', (_, options, name) => {
  const model = sequential([recurrent(lstm(), { hiddenSize: 2 })], { inputSize: 1 });
  expect(() => predict(model, full([2000, 1, 1], 0), options)).toThrow(name);
});
