import {
  type Activation,
  bidirectional,
  createPredictor,
  dense,
  dropout,
  embedding,
  full,
  gru,
  intTensor,
  type Layer,
  layerNorm,
  lstm,
  predict,
  predictWithState,
  recurrent,
  relu,
  residual,
  sequential,
  simpleRnn,
  type Tensor,
  useKernels,
} from 'bptt';
import { afterEach, describe, expect, it } from 'vitest';
import { engineRuns } from '../kernels/engine';

afterEach(() => useKernels(undefined));

const activation: Activation = relu;
const models: Record<string, () => Layer[]> = {
  lstm: () => [recurrent(lstm(), { hiddenSize: 19 }), dense({ size: 3 })],
  'gru and last step': () => [
    recurrent(gru(), { hiddenSize: 8, returnSequences: false }),
    dense({ size: 3, activation }),
  ],
  'simpleRnn in both directions': () => [bidirectional(simpleRnn(), { hiddenSize: 5 }), layerNorm()],
  'learned state and residual': () => [
    dense({ size: 12 }),
    residual([recurrent(lstm(), { hiddenSize: 12, learnInitialState: true }), dropout(0.5)]),
  ],
};
const inputs = (T: number, B: number): Tensor => ({
  shape: [T, B, 7],
  data: Float32Array.from({ length: T * B * 7 }, (_, i) => Math.sin(i)),
});

describe.each(
  (['portable', 'simd', 'relaxed', 'wide'] as const).filter((name) => name === 'portable' || engineRuns(name)),
)('%s: a predictor', (name) => {
  it.each(Object.keys(models))('of %s is bit-identical to predict', (key) => {
    useKernels(name);
    const model = sequential(models[key]!(), { inputSize: 7, seed: 3 });
    const predictor = createPredictor(model);
    // The last one runs in chunks.
    for (const [T, B] of [
      [1, 1],
      [9, 1],
      [5, 6],
      [300, 4],
    ] as const) {
      const x = inputs(T, B);
      const lengths = Int32Array.from({ length: B }, (_, i) => Math.max(1, T - i));
      expect(predictor.predict(x)).toEqual(predict(model, x));
      expect(predictor.predictWithState(x, { lengths })).toEqual(predictWithState(model, x, { lengths }));
    }
  });
});

// Inputs of 600 steps are run in chunks.
it.each([4, 600])('a predictor keeps the parameters of its creation, and a new one sees changes, T = %d', (T) => {
  const model = sequential([recurrent(gru(), { hiddenSize: 6 })], { inputSize: 7, seed: 1 });
  const x = inputs(T, 2);
  const before = predict(model, x);
  const predictor = createPredictor(model);
  model.data.fill(0.25);
  expect(predictor.predict(x)).toEqual(before);
  const after = createPredictor(model).predict(x);
  expect(after).toEqual(predict(model, x));
  expect(after).not.toEqual(before);
  expect(predictor.predict(x)).toEqual(before);
});

it('a predictor accepts ids, continues from a state, and its errors name the function and the layer', () => {
  const model = sequential([embedding({ vocabularySize: 9, size: 4 }), recurrent(lstm(), { hiddenSize: 5 })]);
  const { predict: run, predictWithState: runWithState } = createPredictor(model);
  const ids = intTensor([[1], [8], [2]]);
  expect(run(ids)).toEqual(predict(model, ids));
  const { state } = runWithState(intTensor([[1], [8]]));
  expect(run(intTensor([[2]]), { state }).data).toEqual(run(ids).data.slice(10));
  expect(() => run(intTensor([[9]]))).toThrow(/^predict: layer embedding: ids must be/);
  expect(() => run(full([2, 1, 4], 0))).toThrow(/^predict: layer embedding: the input must be ids/);
  expect(() => createPredictor({} as never)).toThrow(/^createPredictor: model must be a model/);
});
