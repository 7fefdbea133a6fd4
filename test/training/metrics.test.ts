/** Metrics: compared with scikit-learn, over batches, with masks and lengths, and at their limits. */

import {
  accuracy,
  type Batch,
  confusionMatrix,
  crossEntropy,
  type DatasetMetric,
  dense,
  evaluate,
  f1Score,
  full,
  type IntTensor,
  intTensor,
  type Metric,
  meanAbsoluteError,
  meanSquaredError,
  measure,
  predict,
  r2Score,
  rocAuc,
  rootMeanSquaredError,
  sequential,
  type Tensor,
  tensor,
  topKAccuracy,
} from 'bptt';
import { describe, expect, it } from 'vitest';
import { golden } from '../golden/read';

interface Scores {
  readonly rootMeanSquaredError: number;
  readonly r2Score: number;
  readonly f1: Readonly<Record<string, Readonly<Record<'binary' | 'macro' | 'micro', number>>>>;
  readonly rocAuc: Readonly<Record<'two classes' | 'labels', number>>;
  readonly topK: readonly number[];
  readonly confusion: readonly (readonly number[])[];
}
const data = golden<{
  readonly weights: number[];
  readonly ids: number[];
  readonly logits: number[][];
  readonly twoIds: number[];
  readonly twoLogits: number[][];
  readonly labels: number[][];
  readonly labelLogits: number[][];
  readonly targets: number[][];
  readonly predictions: number[][];
  readonly unweighted: Scores;
  readonly weighted: Scores;
}>('metrics');
const N = data.weights.length;

const columns = (rows: readonly (readonly number[])[], count: number): Tensor =>
  tensor(rows.map((row) => row.slice(0, count)));

interface Case {
  readonly metric: DatasetMetric<Tensor | IntTensor, unknown> | DatasetMetric<Tensor, unknown>;
  readonly outputs: Tensor;
  readonly targets: Tensor | IntTensor;
  readonly expected: (scores: Scores) => unknown;
}
const inputsOf: Record<string, { readonly outputs: Tensor; readonly targets: Tensor | IntTensor }> = {
  'two classes': { outputs: tensor(data.twoLogits), targets: intTensor(data.twoIds) },
  classes: { outputs: tensor(data.logits), targets: intTensor(data.ids) },
  'one label': { outputs: columns(data.labelLogits, 1), targets: columns(data.labels, 1) },
  labels: { outputs: tensor(data.labelLogits), targets: tensor(data.labels) },
  values: { outputs: tensor(data.predictions), targets: tensor(data.targets) },
};
const cases: Record<string, Case> = {
  rootMeanSquaredError: {
    metric: rootMeanSquaredError(),
    ...inputsOf['values']!,
    expected: (scores) => scores.rootMeanSquaredError,
  },
  r2Score: { metric: r2Score(), ...inputsOf['values']!, expected: (scores) => scores.r2Score },
  confusionMatrix: { metric: confusionMatrix(), ...inputsOf['classes']!, expected: (scores) => scores.confusion },
  ...Object.fromEntries(
    (['two classes', 'labels'] as const).map((name): [string, Case] => [
      `rocAuc of ${name}`,
      { metric: rocAuc(), ...inputsOf[name]!, expected: (scores) => scores.rocAuc[name] },
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(data.unweighted.f1).flatMap(([name, averages]) =>
      (Object.keys(averages) as ('binary' | 'macro' | 'micro')[]).map((average): [string, Case] => [
        `f1Score of ${name}, ${average}`,
        { metric: f1Score({ average }), ...inputsOf[name]!, expected: (scores) => scores.f1[name]![average] },
      ]),
    ),
  ),
};

function expectClose(got: unknown, expected: unknown): void {
  if (Array.isArray(expected)) {
    expect(got).toHaveLength(expected.length);
    expected.forEach((value, i) => expectClose((got as unknown[])[i], value));
  } else expect(got).toBeCloseTo(expected as number, 9);
}

/** Rows of a tensor. */
const rowsOf = <X extends Tensor | IntTensor>(x: X, from: number, to: number): X => {
  const width = x.data.length / x.shape[0]!;
  return { ...x, shape: [to - from, ...x.shape.slice(1)], data: x.data.slice(from * width, to * width) };
};

describe.each(Object.entries(cases))('%s', (_, { metric, outputs, targets, expected }) => {
  // The tests call the metric only with targets of the kind that it accepts.
  const start = () => (metric as DatasetMetric<Tensor | IntTensor, unknown>).start();
  const weights = tensor(data.weights);

  it('equals scikit-learn, with and without weights', () => {
    for (const mask of [undefined, weights]) {
      const { add, result } = start();
      add(outputs, targets, { mask });
      expectClose(result(), expected(mask ? data.weighted : data.unweighted));
    }
  });

  it('is exact over batches of unequal size', () => {
    const { add, result } = start();
    for (const [from, to] of [
      [0, 1],
      [1, 9],
      [9, 9],
      [9, N],
    ] as const)
      add(rowsOf(outputs, from, to), rowsOf(targets, from, to), { mask: rowsOf(weights, from, to) });
    expectClose(result(), expected(data.weighted));
  });

  it('ignores targets of weight 0 and beyond the lengths, whatever their values and the outputs', () => {
    const [width, size] = [outputs.data.length / N, targets.data.length / N];
    const bad = targets.data instanceof Int32Array ? -100 : NaN;
    // Every other row is invalid.
    const shape = (x: Tensor | IntTensor): number[] => [2 * N, ...x.shape.slice(1)];
    const moreOutputs = new Float32Array(2 * N * width).fill(NaN);
    const moreTargets = targets.data instanceof Int32Array ? new Int32Array(2 * N) : new Float32Array(2 * N * size);
    moreTargets.fill(bad);
    for (let i = 0; i < N; i++) {
      moreOutputs.set(outputs.data.subarray(i * width, (i + 1) * width), 2 * i * width);
      moreTargets.set(targets.data.subarray(i * size, (i + 1) * size), 2 * i * size);
    }
    const mask = tensor(data.weights.flatMap((weight) => [weight, 0]));
    const masked = start();
    const paddedTargets = { shape: shape(targets), data: moreTargets } as Tensor | IntTensor;
    masked.add({ shape: shape(outputs), data: moreOutputs }, paddedTargets, { mask });
    expectClose(masked.result(), expected(data.weighted));
    // As [T, B, …] with two rows, of which the second is empty.
    const steps = (x: Tensor | IntTensor): number[] => [N, 2, ...x.shape.slice(1)];
    const withLengths = start();
    withLengths.add(
      { shape: steps(outputs), data: moreOutputs },
      { shape: steps(targets), data: moreTargets } as Tensor | IntTensor,
      { lengths: Int32Array.of(N, 0) },
    );
    expectClose(withLengths.result(), expected(data.unweighted));
  });

  it('rejects shapes that do not fit', () => {
    expect(() => start().add(rowsOf(outputs, 0, 2), targets)).toThrow(/: targets must/);
    expect(() => start().add(outputs, targets, { mask: tensor([1]) })).toThrow(/: mask must be/);
  });
});

describe('topKAccuracy', () => {
  const [logits, ids] = [tensor(data.logits), intTensor(data.ids)];

  it('equals scikit-learn, with and without weights', () => {
    [1, 2, 3, 4].forEach((k, i) => {
      expect(topKAccuracy(k)(logits, ids)).toBeCloseTo(data.unweighted.topK[i]!, 9);
      const mask = tensor(data.weights);
      expect(topKAccuracy(k)(logits, ids, { mask })).toBeCloseTo(data.weighted.topK[i]!, 6);
    });
    expect(topKAccuracy(1)(logits, ids)).toBe(accuracy(logits, ids));
  });

  it('counts the 5 largest logits by default', () => {
    const logits = tensor(new Array<number[]>(7).fill([0, 3, 1, 6, 2, 5, 4]));
    expect(topKAccuracy()(logits, intTensor([0, 1, 2, 3, 4, 5, 6]))).toBeCloseTo(5 / 7, 9);
  });

  it('counts equal logits in order, and NaN as wrong', () => {
    const equal = tensor([[1, 1, 1, 0]]);
    const among = (k: number, id: number): number => topKAccuracy(k)(equal, intTensor([id]));
    expect([among(1, 0), among(1, 1), among(2, 1), among(2, 2), among(3, 2), among(3, 3)]).toEqual([1, 0, 1, 0, 1, 0]);
    expect(topKAccuracy(2)(tensor([[NaN, NaN, NaN]]), intTensor([0]))).toBe(0);
  });

  it('rejects options and targets that do not fit', () => {
    const wrong = intTensor([0, 1, 4]);
    const three = full([3, 4], 0);
    expect(() => topKAccuracy(1)(three, wrong)).toThrow(
      'topKAccuracy: targets must be integers from 0 to 3, got 4 at index 2.',
    );
    expect(() => measure(f1Score({ average: 'macro' }), three, wrong)).toThrow('got 4 at index 2.');
    expect(() => topKAccuracy(1)(three, wrong, { lengthss: [1] } as object)).toThrow(
      'topKAccuracy: options must have only mask, lengths, got lengthss.',
    );
    expect(() => topKAccuracy(1)([1] as never, wrong)).toThrow('topKAccuracy: logits must be a tensor');
    expect(() => topKAccuracy(0)).toThrow('topKAccuracy: k must be an integer of at least 1, got 0.');
    expect(() => topKAccuracy(2)(logits, rowsOf(ids, 0, 3))).toThrow('topKAccuracy: targets must be class ids');
    expect(() => topKAccuracy(2)(tensor([[1, 2]]), intTensor([2]))).toThrow('topKAccuracy: targets must be integers');
    expect(() => topKAccuracy(2)(tensor([[1, 2]]), intTensor([-1]), { mask: tensor([0]) })).toThrow(
      'the sum of the weights must be positive',
    );
  });
});

describe('limits', () => {
  it('r2Score of equal targets is 1 for exact predictions and 0 otherwise, and NaN for NaN', () => {
    const targets = tensor([0.1, 0.1, 0.1]);
    const mask = tensor([0.3, 0.7, 1.1]);
    expect(measure(r2Score(), tensor([0.1, 0.1, 0.1]), targets, { mask })).toBe(1);
    expect(measure(r2Score(), tensor([0.1, 0.2, 0.1]), targets, { mask })).toBe(0);
    expect(measure(r2Score(), tensor([0.1, NaN, 0.1]), targets)).toBeNaN();
    expect(measure(r2Score(), tensor([0, NaN]), tensor([0, 1]))).toBeNaN();
  });

  it('r2Score does not cancel if the mean is large', () => {
    const targets = Array.from({ length: 1000 }, (_, i) => 2 ** 23 + (i % 2));
    const predictions = targets.map((value, i) => value + (i % 4 === 0 ? 1 : 0));
    expect(measure(r2Score(), tensor(predictions), tensor(targets))).toBeCloseTo(1 - 0.25 / 0.25, 9);
  });

  it('f1Score is 0 without positives; macro ignores classes that do not occur, but no labels', () => {
    expect(measure(f1Score(), tensor([[-1], [-1]]), tensor([[0], [0]]))).toBe(0);
    expect(measure(f1Score({ average: 'macro' }), tensor([[2, 0, 0]]), intTensor([0]))).toBe(1);
    expect(measure(f1Score({ average: 'macro' }), tensor([[2, -1]]), tensor([[1, 0]]))).toBe(0.5);
  });

  it('f1Score and confusionMatrix have a threshold', () => {
    const [probabilities, labels] = [tensor([0.6, 0.4, 0.1]), tensor([1, 0, 0])];
    expect(measure(f1Score({ threshold: 0.5 }), probabilities, labels)).toBe(1);
    expect(measure(f1Score(), probabilities, labels)).toBe(0.5);
    expect(measure(confusionMatrix({ threshold: 0.3 }), probabilities, labels)).toEqual([
      [1, 1],
      [0, 1],
    ]);
  });

  it('rocAuc orders infinite logits, and is NaN for one class or NaN', () => {
    const labels = tensor([0, 1, 0, 1]);
    expect(measure(rocAuc(), tensor([-Infinity, Infinity, -Infinity, Infinity]), labels)).toBe(1);
    expect(measure(rocAuc(), tensor([Infinity, Infinity, 0, 0]), labels)).toBe(0.5);
    expect(measure(rocAuc(), tensor([0, 1, NaN, 3]), labels)).toBeNaN();
    expect(measure(rocAuc(), tensor([0, 1]), tensor([1, 1]))).toBeNaN();
  });

  it('rocAuc is NaN for labels whose targets are all ignored, whichever label it is', () => {
    const [logits, targets] = [
      tensor([
        [1, 2],
        [3, 4],
      ]),
      tensor([
        [0, 1],
        [1, 0],
      ]),
    ];
    for (const mask of [
      tensor([
        [1, 0],
        [1, 0],
      ]),
      tensor([
        [0, 1],
        [0, 1],
      ]),
    ])
      expect(measure(rocAuc(), logits, targets, { mask })).toBeNaN();
  });

  it.each<[string, () => unknown]>([
    [
      'f1Score: average must be one of binary, macro, micro, got weighted.',
      () => f1Score({ average: 'weighted' as 'macro' }),
    ],
    [
      "f1Score: average must be 'macro' or 'micro' for 3 classes or labels, got 'binary'.",
      () => measure(f1Score(), tensor([[0, 0, 0]]), intTensor([0])),
    ],
    [
      "f1Score: average must be 'macro' or 'micro' for 2 classes or labels, got 'binary'.",
      () => measure(f1Score(), tensor([[0, 0]]), tensor([[0, 1]])),
    ],
    [
      'f1Score: targets must be 0 or 1, got 0.5 at index 1.',
      () => measure(f1Score(), tensor([0, 0]), tensor([0, 0.5])),
    ],
    [
      'f1Score: targets must be integers from 0 to 1, got 2',
      () => measure(f1Score(), tensor([[0, 0]]), intTensor([2])),
    ],
    [
      'confusionMatrix: logits must be of one label, got 2.',
      () => measure(confusionMatrix(), tensor([[0, 0]]), tensor([[0, 1]])),
    ],
    ['rocAuc: logits must be of two classes, got 3.', () => measure(rocAuc(), tensor([[0, 0, 0]]), intTensor([0]))],
    [
      'rocAuc: targets must be integers from 0 to 1, got -1',
      () => measure(rocAuc(), tensor([[0, 0]]), intTensor([-1])),
    ],
    ['rocAuc: targets must be 0 or 1, got 2 at index 0.', () => measure(rocAuc(), tensor([0]), tensor([2]))],
    ...[f1Score(), rocAuc(), rootMeanSquaredError(), r2Score()].map((metric): [string, () => unknown] => [
      'the sum of the weights must be positive, got 0',
      () => measure(metric, tensor([1]), tensor([1]), { mask: tensor([0]) }),
    ]),
  ])('%s', (message, run) => {
    expect(run).toThrow(RangeError);
    expect(run).toThrow(message);
  });
});

describe('evaluate', () => {
  const classifier = sequential([dense({ size: 2 })], { inputSize: 2, seed: 2 });
  const inputs = tensor(data.twoLogits.map((row) => [row])); // [40, 1, 2]
  const targets: IntTensor = { shape: [N, 1], data: Int32Array.from(data.twoIds) };
  const mask: Tensor = {
    shape: [N, 1],
    data: Float32Array.from(data.weights, (weight, i) => (i % 7 === 3 ? 0 : weight)),
  };
  const part = (from: number, to: number): Batch<IntTensor> => ({
    inputs: rowsOf(inputs, from, to),
    targets: rowsOf(targets, from, to),
    mask: rowsOf(mask, from, to),
  });
  // The target of the batch from 3 to 4 has weight 0.
  const batches = [part(0, 3), part(3, 4), part(4, 30), part(30, N)];

  it('computes metrics over all batches together', () => {
    const metrics = { f1: f1Score(), auc: rocAuc(), confusion: confusionMatrix(), accuracy, top: topKAccuracy(1) };
    const whole = evaluate(classifier, part(0, N), { loss: crossEntropy, metrics });
    const parts = evaluate(classifier, batches, { loss: crossEntropy, metrics });
    const outputs = predict(classifier, inputs);
    for (const result of [whole, parts]) {
      expect(result.f1).toBeCloseTo(measure(f1Score(), outputs, targets, { mask }), 6);
      expect(result.auc).toBeCloseTo(measure(rocAuc(), outputs, targets, { mask }), 6);
      expectClose(result.confusion, measure(confusionMatrix(), outputs, targets, { mask }));
      expect(result.accuracy).toBeCloseTo(accuracy(outputs, targets, { mask }), 6);
      expect(result.top).toBe(result.accuracy);
      expect(result.loss).toBeCloseTo(whole.loss, 6);
    }
    expect(Object.keys(parts).sort()).toEqual(['accuracy', 'auc', 'confusion', 'f1', 'loss', 'top']);
  });

  it('the root of the mean is not the mean of roots', () => {
    const model = sequential([dense({ size: 1 })], { inputSize: 2, seed: 2 });
    const values: Tensor = { shape: [N, 1, 1], data: Float32Array.from(data.weights) };
    const regression = batches.map((batch, i): Batch<Tensor> => {
      const from = [0, 3, 4, 30][i]!;
      return { ...batch, targets: rowsOf(values, from, from + batch.targets.shape[0]!) };
    });
    const metrics = { rmse: rootMeanSquaredError(), r2: r2Score(), mae: meanAbsoluteError };
    const { loss, rmse, r2, mae } = evaluate(model, regression, { loss: meanSquaredError, metrics });
    expect(rmse).toBeCloseTo(Math.sqrt(loss), 6);
    const outputs = predict(model, inputs);
    expect(r2).toBeCloseTo(measure(r2Score(), outputs, values, { mask }), 6);
    const [total, sum] = mask.data.reduce(
      ([weights, errors], weight, i) => [
        weights + weight,
        errors + weight * Math.abs(outputs.data[i]! - values.data[i]!),
      ],
      [0, 0],
    );
    expect(mae).toBeCloseTo(sum / total, 5);
  });

  it('rejects a metric with the name loss, and a metric that was not created', () => {
    const metrics: Record<string, Metric<IntTensor>> = { loss: accuracy };
    expect(() => evaluate(classifier, batches, { loss: crossEntropy, metrics })).toThrow(
      new TypeError('evaluate: metrics.loss must be undefined, got the function accuracy.'),
    );
    const uncalled: object = { rmse: rootMeanSquaredError };
    expect(() =>
      evaluate(classifier, batches, { loss: crossEntropy, metrics: uncalled as Record<string, Metric<IntTensor>> }),
    ).toThrow('evaluate: metrics.rmse must be a scalar variable, as mean() returns, got an object with start.');
    const named: object = { accuracy: 'accuracy' };
    expect(() =>
      evaluate(classifier, batches, { loss: crossEntropy, metrics: named as Record<string, Metric<IntTensor>> }),
    ).toThrow('evaluate: metrics.accuracy must be a function, got accuracy.');
    const started: object = { accuracy: { start: 'now' } };
    expect(() =>
      evaluate(classifier, batches, { loss: crossEntropy, metrics: started as Record<string, Metric<IntTensor>> }),
    ).toThrow('evaluate: metrics.accuracy must be a function, got an object with start.');
  });
});
