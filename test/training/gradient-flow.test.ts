/** Norms of gradients over time: compared with finite differences and with theory. */

import {
  bidirectional,
  type Cell,
  createRandom,
  crossEntropy,
  dense,
  embedding,
  full,
  gradientFlow,
  gru,
  identity,
  intTensor,
  type Layer,
  layerNormGru,
  lstm,
  type ModelState,
  meanSquaredError,
  normal,
  predictWithState,
  projectedLstm,
  recurrent,
  residual,
  type Sequential,
  sequential,
  simpleRnn,
  type Tensor,
  zeros,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const random = createRandom(3);
const [T, B, I, H] = [6, 3, 2, 4];
const inputs = normal(0, 1)([T, B, I], random);
const targets = normal(0, 1)([T, B, 2], random);
const loss = meanSquaredError;
const last = { inputs, targets: full([B, H], 1) };
const steps = (x: Tensor, from: number, to: number): Tensor => ({
  shape: [to - from, ...x.shape.slice(1)],
  data: x.data.slice((from * x.data.length) / T, (to * x.data.length) / T),
});

/** The mean squared error of the last output, computed from the state after t steps. */
function lossFrom(model: Sequential, t: number, state: ModelState): number {
  const { data } = predictWithState(model, steps(inputs, t, T), { state }).output;
  return data.reduce((sum, value, i) => sum + (value - last.targets.data[i]!) ** 2, 0) / data.length;
}

describe.each<[string, () => Cell]>([
  ['simpleRnn', () => simpleRnn()],
  ['lstm', lstm],
  ['gru', () => gru()],
  ['projectedLstm', () => projectedLstm({ projectionSize: 3 })],
  ['layerNormGru', () => layerNormGru()],
])('%s', (_, cell) => {
  it('has the norms of finite differences with respect to the states', () => {
    const model = sequential(
      [
        recurrent(cell(), { hiddenSize: H, returnSequences: false, inputInitializer: normal(0, 1) }),
        dense({ size: H }),
      ],
      { inputSize: I, seed: 5 },
    );
    const { norms } = gradientFlow(model, last, { loss });
    const [layer, states] = Object.entries(norms)[0]!;
    for (const [name, stateNorms] of Object.entries(states)) {
      expect(stateNorms).toHaveLength(T);
      for (const t of [1, 3, 5]) {
        const { state } = predictWithState(model, steps(inputs, 0, t));
        const part = state[layer]![name]!;
        const square = part.data.reduce((sum, value, i) => {
          const lossAt = (x: number): number => {
            part.data[i] = x;
            return lossFrom(model, t, state);
          };
          const slope = (lossAt(value + 0.03) - lossAt(value - 0.03)) / 0.06;
          part.data[i] = value;
          return sum + slope * slope;
        }, 0);
        expect(Math.abs(stateNorms[t - 1]! - Math.sqrt(square)) / Math.sqrt(square), `${name} ${t}`).toBeLessThan(0.02);
      }
    }
  });
});

/** The sum of squared errors of the targets. */
const squaredErrors: typeof meanSquaredError = (output, target, options) =>
  meanSquaredError(output, target, { ...options, reduction: 'sum' });

const modelOf = (...layers: Layer[]): Sequential => sequential(layers, { inputSize: I, seed: 2 });

describe('theory', () => {
  it('the gradient of a linear cell changes by the factor of its recurrent weights at every step', () => {
    for (const [factor, ratio] of [
      [1, 1],
      [0.5, 0.5],
      [2, 2],
    ] as const) {
      const linear = simpleRnn({ activation: (x) => x });
      const model = modelOf(
        recurrent(linear, {
          hiddenSize: H,
          returnSequences: false,
          inputInitializer: zeros(),
          recurrentInitializer: (shape, r) => ({ shape, data: identity()(shape, r).data.map((v) => v * factor) }),
        }),
      );
      const { norms } = gradientFlow(model, last, { loss });
      for (let t = 1; t < T; t++)
        expect(norms['simpleRnn']!['h']![t - 1]! / norms['simpleRnn']!['h']![t]!).toBeCloseTo(ratio, 5);
    }
  });

  it('the gradient of a last output starts at the last valid step', () => {
    const model = modelOf(recurrent(gru(), { hiddenSize: H, returnSequences: false }));
    const { norms } = gradientFlow(model, { ...last, lengths: Int32Array.of(4, 2, 3) }, { loss });
    expect([...norms['gru']!['h']!].map((norm) => norm > 0)).toEqual([true, true, true, true, false, false]);
  });

  it('zoneout preserves more of the gradient', () => {
    const norm = (rate: number): number =>
      gradientFlow(
        modelOf(recurrent(simpleRnn(), { hiddenSize: H, returnSequences: false, zoneout: { h: rate } })),
        last,
        {
          loss,
        },
      ).norms['simpleRnn']!['h']![0]!;
    expect(norm(0.9)).toBeGreaterThan(2 * norm(0));
  });

  it('the gradient of a reversed layer vanishes toward the last step', () => {
    const { norms } = gradientFlow(
      modelOf(recurrent(simpleRnn(), { hiddenSize: H, returnSequences: false, reverse: true })),
      last,
      { loss },
    );
    expect(norms['simpleRnn']!['h']![0]!).toBeGreaterThan(norms['simpleRnn']!['h']![T - 1]!);
  });
});

it('has norms for every recurrent layer, in residual layers and both directions, and the loss of the model', () => {
  const model = modelOf(
    dense({ size: H }),
    residual([recurrent(lstm(), { hiddenSize: H, learnInitialState: true })]),
    bidirectional(gru(), { hiddenSize: 3 }),
    recurrent(simpleRnn(), { hiddenSize: 2 }),
  );
  const initial = model.data.slice();
  const { norms, loss: value } = gradientFlow(model, { inputs, targets }, { loss });
  expect(Object.entries(norms).map(([name, states]) => [name, Object.keys(states)])).toEqual([
    ['residual.lstm', ['h', 'c']],
    ['bidirectional.forward', ['h']],
    ['bidirectional.reverse', ['h']],
    ['simpleRnn', ['h']],
  ]);
  for (const states of Object.values(norms))
    for (const stateNorms of Object.values(states))
      expect(stateNorms.subarray(1, T - 1).every((norm) => norm > 0)).toBe(true);
  const { data } = predictWithState(model, inputs).output;
  expect(value).toBeCloseTo(
    data.reduce((sum, output, i) => sum + (output - targets.data[i]!) ** 2, 0) / data.length,
    5,
  );
  expect(model.data).toEqual(initial);
});

describe('resets and lengths', () => {
  const model = modelOf(
    recurrent(layerNormGru(), { hiddenSize: H, zoneout: { h: 0.2 } }),
    recurrent(lstm(), { hiddenSize: H, reverse: true }),
    bidirectional(gru(), { hiddenSize: 3 }),
    dense({ size: 2 }),
  );
  const sum = { loss: squaredErrors };
  /** The rows of a tensor `[T, B, …]` from one step to another, as a batch of one sequence. */
  const part = (x: Tensor, row: number, from: number, to: number): Tensor => ({
    shape: [to - from, 1, 2],
    data: Float32Array.from(
      { length: 2 * (to - from) },
      (_, i) => x.data[(from + (i >> 1)) * 2 * B + 2 * row + (i & 1)]!,
    ),
  });

  it.each<[string, readonly number[] | undefined]>([
    ['resets', undefined],
    ['resets with lengths', [6, 4, 5]],
  ])('%s have the norms of separate sequences', (_, given) => {
    const lengths = given ?? [T, T, T];
    const resets = full([T, B], 0);
    const starts = [[2], [1, 3], [0]];
    starts.forEach((times, row) => {
      for (const t of times) resets.data[t * B + row] = 1;
    });
    const batch = {
      inputs,
      targets,
      resets: { shape: [T, B], data: Int32Array.from(resets.data) },
      ...(given && { lengths: Int32Array.from(given) }),
    };
    const { norms, loss: total } = gradientFlow(model, batch, sum);
    let expectedLoss = 0;
    const squares: Record<string, Float64Array> = {};
    starts.forEach((times, row) => {
      const bounds = [...new Set([0, ...times, lengths[row]!])];
      bounds.slice(1).forEach((to, i) => {
        const from = bounds[i]!;
        const alone = gradientFlow(
          model,
          { inputs: part(inputs, row, from, to), targets: part(targets, row, from, to) },
          sum,
        );
        expectedLoss += alone.loss;
        for (const [name, states] of Object.entries(alone.norms))
          for (const [state, values] of Object.entries(states)) {
            const shift = from + (name === 'lstm' || name.endsWith('reverse') ? T - lengths[row]! : 0);
            const square = squares[`${name} ${state}`] ?? new Float64Array(T);
            values.forEach((norm, t) => {
              square[shift + t]! += norm * norm;
            });
            squares[`${name} ${state}`] = square;
          }
      });
    });
    expect(total).toBeCloseTo(expectedLoss, 4);
    const all = Object.entries(norms).flatMap(([name, states]) =>
      Object.entries(states).map(([state, values]) => [`${name} ${state}`, values] as const),
    );
    expect(all.map(([name]) => name)).toEqual(Object.keys(squares));
    for (const [name, values] of all)
      values.forEach((norm, t) => expect(norm, `${name} ${t}`).toBeCloseTo(Math.sqrt(squares[name]![t]!), 4));
  });

  it('are checked', () => {
    expect(() => gradientFlow(model, { inputs, targets, resets: intTensor([[1]]) }, sum)).toThrow(
      'gradientFlow: resets must be [T, B] = [6, 3], got [1, 1].',
    );
  });
});

it('accepts token ids, and rejects a model without a recurrent layer', () => {
  const tokens = intTensor([
    [0, 1],
    [2, 3],
    [1, 0],
  ]);
  const model = sequential([
    embedding({ vocabularySize: 4, size: 3 }),
    recurrent(lstm(), { hiddenSize: 3 }),
    dense({ size: 4 }),
  ]);
  expect(
    gradientFlow(model, { inputs: tokens, targets: tokens }, { loss: crossEntropy }).norms['lstm']!['c'],
  ).toHaveLength(3);
  expect(() => gradientFlow(modelOf(dense({ size: 2 })), { inputs, targets }, { loss })).toThrow(
    'gradientFlow: model must be one with a recurrent layer, got none.',
  );
});
