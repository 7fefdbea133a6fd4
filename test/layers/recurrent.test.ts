/**
 * Recurrent layers: direction, depth, variational dropout, zoneout and learned initial states, compared with `unroll`.
 */

import {
  advance,
  type Batch,
  bidirectional,
  type Cell,
  checkGradients,
  compute,
  createRandom,
  crossEntropy,
  dense,
  dropout,
  embedding,
  evaluate,
  fit,
  full,
  gru,
  intTensor,
  type Layer,
  layerNormLstm,
  lstm,
  type Merge,
  meanSquaredError,
  normal,
  predict,
  predictWithState,
  recurrent,
  residual,
  runModel,
  type Sequential,
  sequential,
  sgd,
  simpleRnn,
  stream,
  type Tensor,
  tensor,
  unroll,
  type Variable,
  windows,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const [T, B, I, H] = [5, 3, 2, 4];
const inputs = normal(0, 1)([T, B, I], createRandom(1));
const lengths = Int32Array.of(3, 5, 1);
const resets = intTensor([
  [0, 1, 0],
  [1, 0, 0],
  [0, 0, 0],
  [0, 1, 0],
  [0, 0, 0],
]);

const modelOf = (...layers: Layer[]): Sequential => sequential(layers, { inputSize: I, seed: 4 });

/** Sets parameters that differ from their initial values, so that no gradient is zero by chance. */
function withRandomParameters(model: Sequential): Sequential {
  model.data.set(normal(0, 0.5)([model.data.length], createRandom(9)).data);
  return model;
}

function close(a: Tensor, b: Tensor): void {
  expect(a.shape).toEqual(b.shape);
  a.data.forEach((value, i) => expect(Math.abs(value - b.data[i]!)).toBeLessThan(1e-6));
}

const under = (model: Sequential, prefix: string): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(Object.values(model.parameters)[0]!).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
    ),
  );

describe('bidirectional', () => {
  const merged: Record<Exclude<Merge, 'concat' | 'both'>, (a: number, b: number) => number> = {
    sum: (a, b) => a + b,
    mean: (a, b) => (a + b) / 2,
    product: (a, b) => a * b,
  };

  it.each(['concat', 'sum', 'mean', 'product', 'both'] as const)(
    'merge %s combines a forward and a reverse unroll over each row’s length',
    (merge) => {
      for (const returnSequences of [true, false]) {
        const model = withRandomParameters(modelOf(bidirectional(lstm(), { hiddenSize: H, merge, returnSequences })));
        const { output, state } = predictWithState(model, inputs, { lengths });
        const [forward, reverse] = (['forward.', 'reverse.'] as const).map((prefix) =>
          compute(under(model, prefix), (p) => {
            const { outputs, state: end } = unroll(lstm(), p, inputs, { lengths, reverse: prefix === 'reverse.' });
            return { outputs: returnSequences ? outputs : end.h, end };
          }),
        ) as unknown as [
          { outputs: Tensor; end: Record<string, Tensor> },
          { outputs: Tensor; end: Record<string, Tensor> },
        ];
        const rows = returnSequences ? T * B : B;
        const shape = returnSequences ? [T, B] : [B];
        const data =
          merge === 'both'
            ? Float32Array.of(...forward.outputs.data, ...reverse.outputs.data)
            : merge === 'concat'
              ? Float32Array.from({ length: rows * 2 * H }, (_, i) => {
                  const [row, column] = [Math.floor(i / (2 * H)), i % (2 * H)];
                  return column < H
                    ? forward.outputs.data[row * H + column]!
                    : reverse.outputs.data[row * H + column - H]!;
                })
              : Float32Array.from(forward.outputs.data, (value, i) => merged[merge](value, reverse.outputs.data[i]!));
        close(output, tensor(data, merge === 'both' ? [2, ...shape, H] : [...shape, merge === 'concat' ? 2 * H : H]));
        close(state['bidirectional']!['reverse.c']!, reverse.end['c']!);
        close(state['bidirectional']!['forward.h']!, forward.end['h']!);
      }
    },
  );

  it('rejects an unknown merge, streams, carried states, and layers after separate directions', () => {
    expect(() => bidirectional(lstm(), { hiddenSize: 2, merge: 'max' as never })).toThrow(
      'merge must be one of concat, sum, mean, product, both, got max',
    );
    expect(() => stream(modelOf(bidirectional(lstm(), { hiddenSize: 2 })))).toThrow(
      'layer bidirectional needs the whole sequence',
    );
    expect(() => modelOf(bidirectional(lstm(), { hiddenSize: 2, merge: 'both' }), dense({ size: 1 }))).toThrow(
      'sequential: layer dense: the input must be vectors, got directions.',
    );
    const model = sequential([
      embedding({ vocabularySize: 3, size: 2 }),
      bidirectional(lstm(), { hiddenSize: 2 }),
      dense({ size: 3 }),
    ]);
    const data = windows(Int32Array.of(0, 1, 2, 0, 1), { sequenceLength: 2, batchSize: 1 });
    expect(() => evaluate(model, data, { loss: crossEntropy, carryState: true })).toThrow(
      'evaluate: layer bidirectional needs the whole sequence, so it cannot run with carryState.',
    );
  });
});

describe('residual', () => {
  it('adds its input to the output of its layers, also in a stream', () => {
    const model = withRandomParameters(
      modelOf(dense({ size: H }), residual([recurrent(lstm(), { hiddenSize: 6 }), dropout(0.5), dense({ size: H })])),
    );
    const inner = sequential([recurrent(lstm(), { hiddenSize: 6 }), dense({ size: H })], { inputSize: H });
    inner.data.set(model.data.subarray(model.data.length - inner.data.length));
    const before = compute(model.parameters, (p) => runModel(model, p, inputs).outputs[0]!);
    const after = predict(inner, before);
    const { output, state } = predictWithState(model, inputs);
    close(
      output,
      tensor(
        Float32Array.from(before.data, (value, i) => value + after.data[i]!),
        [T, B, H],
      ),
    );
    expect(Object.keys(state)).toEqual(['residual']);
    expect(Object.keys(state['residual']!)).toEqual(['lstm.h', 'lstm.c']);

    const running = stream(model, { batchSize: B });
    for (let t = 0; t < T; t++) {
      const x = tensor(inputs.data.slice(t * B * I, (t + 1) * B * I), [B, I]);
      close(advance(running, x), tensor(output.data.slice(t * B * H, (t + 1) * B * H), [B, H]));
    }
    close(running.state!['residual']!['lstm.c']!, state['residual']!['lstm.c']!);
    close(predict(model, inputs, { state }), predictWithState(model, inputs, { state: running.state! }).output);
  });

  it('rejects layers that change the size, and an empty list', () => {
    expect(() => modelOf(residual([dense({ size: 7 })]))).toThrow(
      'must be a vector of size 2 per step, as the input, got a vector of size 7 per step',
    );
    expect(() => modelOf(residual([recurrent(gru(), { hiddenSize: 2, returnSequences: false })]))).toThrow(
      'got a vector of size 2 per sequence',
    );
    expect(() => residual([])).toThrow('residual: layers');
  });
});

const disturbed = { inputDropout: 0.3, recurrentDropout: 0.4, zoneout: { h: 0.2 } };

describe('variational dropout and zoneout', () => {
  const train = (model: Sequential, seed: number, options: object = {}): Tensor =>
    compute(
      model.parameters,
      (p) => runModel(model, p, inputs, { training: true, random: createRandom(seed), ...options }).output,
    );

  it('depends only on the state of the random generator, and is off in prediction', () => {
    const model = withRandomParameters(
      modelOf(recurrent(lstm(), { hiddenSize: H, inputDropout: 0.3, recurrentDropout: 0.4 })),
    );
    const plain = withRandomParameters(modelOf(recurrent(lstm(), { hiddenSize: H })));
    close(predict(model, inputs), predict(plain, inputs));
    expect(train(model, 1)).toEqual(train(model, 1));
    expect(train(model, 1)).not.toEqual(train(model, 2));
  });

  it('drops the same elements of the input and of h at every step, and scales the others', () => {
    // One unit that depends only on the first element of x, so that its outputs show the mask.
    const model = modelOf(recurrent(simpleRnn(), { hiddenSize: 1, inputDropout: 0.5 }));
    Object.values(model.parameters)[0]!['weightIh']!.data.set([0.3, 0]);
    Object.values(model.parameters)[0]!['weightHh']!.data.set([0]);
    const seen = new Set<string>();
    for (let seed = 0; seed < 20; seed++) {
      const { data } = train(model, seed);
      for (let b = 0; b < B; b++) {
        const ratios = Array.from(
          { length: T },
          (_, t) => Math.atanh(data[t * B + b]!) / (0.3 * inputs.data[(t * B + b) * I]!),
        );
        const [first] = ratios as [number];
        ratios.forEach((ratio) => expect(ratio).toBeCloseTo(first, 4));
        seen.add(first.toFixed(3));
      }
    }
    expect([...seen].sort()).toEqual(['0.000', '2.000']);
  });

  it.each([
    ['lstm', lstm()],
    ['gru with reset before', gru({ reset: 'before' })],
  ] as const)('gradients equal finite differences: %s', (_, cell) => {
    const model = withRandomParameters(
      modelOf(recurrent(cell, { hiddenSize: H, ...disturbed, learnInitialState: true }), dense({ size: 1 })),
    );
    const target = normal(0, 1)([T, B, 1], createRandom(2));
    const { error } = checkGradients(model.parameters, (p: Record<string, Record<string, Variable>>) =>
      meanSquaredError(
        runModel(model, p, inputs, { training: true, random: createRandom(3), lengths, resets }).output,
        target,
        { lengths },
      ),
    );
    expect(error).toBeLessThan(1e-7);
  });

  it('rejects rates of 1, and cells that do not support dropout', () => {
    expect(() => recurrent(lstm(), { hiddenSize: 2, recurrentDropout: 1 })).toThrow(
      'recurrent: recurrentDropout must be at least 0 and less than 1, got 1.',
    );
    expect(() => bidirectional(lstm(), { hiddenSize: 2, inputDropout: -0.1 })).toThrow('bidirectional: inputDropout');
    expect(() => recurrent(gru(), { hiddenSize: 2, zoneout: { c: 0.1 } })).toThrow(
      'recurrent: zoneout must have only h, got c.',
    );
    expect(() => predict(modelOf(recurrent(gru(), { hiddenSize: 2, zoneout: { h: 1.1 } })), inputs)).toThrow(
      'recurrent: zoneout.h',
    );
    expect(() =>
      compute(
        modelOf(dense({ size: 1 })).parameters,
        (p) => runModel(modelOf(dense({ size: 1 })), p, inputs, { training: true }).output,
      ),
    ).toThrow('runModel: random must be a generator, as createRandom(seed) returns, got undefined.');
  });

  it('zoneout uses the expected value in prediction, also in a stream', () => {
    const model = withRandomParameters(
      modelOf(
        recurrent(lstm(), { hiddenSize: H, zoneout: { h: 0.2, c: 0.5 } }),
        recurrent(gru({ reset: 'before' }), { hiddenSize: H, zoneout: { h: 0.3 } }),
      ),
    );
    const whole = predict(model, inputs);
    const running = stream(model, { batchSize: B });
    for (let t = 0; t < T; t++) {
      close(
        advance(running, tensor(inputs.data.slice(t * B * I, (t + 1) * B * I), [B, I])),
        tensor(whole.data.slice(t * B * H, (t + 1) * B * H), [B, H]),
      );
    }
  });
});

describe('learned initial states', () => {
  it.each([
    ['lstm', lstm() as Cell],
    ['gru with reset before', gru({ reset: 'before' })],
  ] as const)('%s: used at the start of sequences, after resets and in streams, unless a state is given', (_, cell) => {
    const model = withRandomParameters(modelOf(recurrent(cell, { hiddenSize: H, learnInitialState: true })));
    const parameters = Object.values(model.parameters)[0]!;
    const initial = Object.fromEntries(cell.state.map((name) => [name, parameters[`initial.${name}`]!]));
    const cellParameters = Object.fromEntries(Object.entries(parameters).filter(([name]) => !name.includes('.')));
    const broadcast = Object.fromEntries(
      Object.entries(initial).map(([name, { data }]) => [
        name,
        tensor(Float32Array.of(...data, ...data, ...data), [B, H]),
      ]),
    );
    const expected = compute(
      cellParameters,
      (p) => unroll(cell, p, inputs, { initialState: broadcast, resetState: initial, resets }).outputs,
    );
    close(predict(model, inputs, { resets }), expected);
    const { output, state } = predictWithState(model, inputs);
    close(
      predict(model, inputs, { state }),
      compute(cellParameters, (p) => unroll(cell, p, inputs, { initialState: Object.values(state)[0]! }).outputs),
    );
    const running = stream(model, { batchSize: B });
    const x = tensor(inputs.data.slice(0, B * I), [B, I]);
    close(advance(running, x), tensor(output.data.slice(0, B * H), [B, H]));
    advance(running, x);
    running.state = undefined;
    close(advance(running, x), tensor(output.data.slice(0, B * H), [B, H]));
  });

  it.each([
    ['with a step runner', lstm()],
    ['without a step runner', layerNormLstm()],
  ])('replace the missing parts of a state, also in a stream, for a cell %s', (_, cell) => {
    for (const wrap of [(layer: Layer) => layer, (layer: Layer) => residual([layer])]) {
      const model = sequential([wrap(recurrent(cell, { hiddenSize: 2, learnInitialState: true }))], {
        inputSize: 2,
        seed: 3,
      });
      const [[name, parameters]] = Object.entries(model.parameters) as [[string, Record<string, Tensor>]];
      const prefix = name === 'residual' ? `${cell.name}.` : '';
      parameters[`${prefix}initial.h`]!.data.fill(0.25);
      parameters[`${prefix}initial.c`]!.data.fill(0.5);
      const h = full([1, 2], 0);
      const x = tensor([[1, 2]]);
      const outputOf = (state: Readonly<Record<string, Tensor>>): Tensor =>
        predict(model, tensor([[[1, 2]]]), { state: { [name]: state } });
      const expected = outputOf({ [`${prefix}h`]: h, [`${prefix}c`]: full([1, 2], 0.5) });
      expect(outputOf({ [`${prefix}h`]: h })).toEqual(expected);
      expect(outputOf({ [`${prefix}h`]: h, [`${prefix}c`]: h })).not.toEqual(expected);
      const running = stream(model);
      running.state = { [name]: { [`${prefix}h`]: h } };
      close(advance(running, x), { ...expected, shape: [1, 2] });
    }
  });

  it('replace the missing parts of the state of a bidirectional layer', () => {
    const model = modelOf(bidirectional(lstm(), { hiddenSize: 2, learnInitialState: true }));
    for (const [path, { data }] of Object.entries(model.parameters['bidirectional']!))
      if (path.endsWith('.initial.c')) data.fill(0.5);
    const parts = (value: number): Record<string, Tensor> => ({ 'reverse.h': full([B, 2], value) });
    const outputOf = (state: Readonly<Record<string, Tensor>>): Tensor =>
      predict(model, inputs, { state: { bidirectional: state } });
    const expected = outputOf({
      ...parts(0.25),
      'reverse.c': full([B, 2], 0.5),
      'forward.h': full([B, 2], 0),
      'forward.c': full([B, 2], 0.5),
    });
    expect(outputOf(parts(0.25))).toEqual(expected);
  });

  it('are trained', async () => {
    const model = modelOf(recurrent(lstm(), { hiddenSize: 2, learnInitialState: true }));
    const batch: Batch<Tensor, Tensor> = {
      inputs: tensor(new Float32Array(2), [1, 1, 2]),
      targets: tensor([[[0.5, -0.5]]]),
    };
    await fit(
      model,
      { batchCount: 1, batches: () => [batch] },
      { loss: meanSquaredError, optimizer: sgd(1), steps: 200 },
    );
    predict(model, batch.inputs).data.forEach((value, i) => expect(value).toBeCloseTo(i === 0 ? 0.5 : -0.5, 2));
    expect(Object.values(model.parameters)[0]!['initial.c']!.data[0]).not.toBe(0);
  });
});

it('resets in a batch reset the state in training, also with carryState', async () => {
  const model = withRandomParameters(
    sequential([recurrent(lstm(), { hiddenSize: H }), dense({ size: 1 })], { inputSize: I }),
  );
  const target = normal(0, 1)([T, B, 1], createRandom(2));
  const all = intTensor(Array.from({ length: T }, () => Array.from({ length: B }, () => 1)));
  const losses = await Promise.all(
    [undefined, resets, all].map(async (marks) => {
      const { losses: updates } = await fit(
        model,
        {
          batchCount: 2,
          batches: () =>
            [0, 1].map(() => ({ inputs, targets: target, ...(marks === undefined ? {} : { resets: marks }) })),
        },
        { loss: meanSquaredError, optimizer: sgd(0), steps: 2, carryState: true },
      );
      return updates;
    }),
  );
  const reset = tensor(inputs.data, [1, T * B, I]);
  const separate = compute(model.parameters, (p) =>
    meanSquaredError(runModel(model, p, reset).output, tensor(target.data, [1, T * B, 1])),
  ).data[0]!;
  expect(losses[2]![0]).toBeCloseTo(separate, 6);
  expect(losses[2]![1]).toBeCloseTo(separate, 6);
  expect(new Set(losses.flat().map((loss) => loss.toFixed(6))).size).toBe(5);
});
