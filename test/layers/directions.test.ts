/** Bidirectional layers with different cells and options of the two directions. */

import {
  bidirectional,
  checkGradients,
  compute,
  createRandom,
  full,
  gradientFlow,
  gru,
  load,
  lstm,
  type Merge,
  meanSquaredError,
  multiply,
  normal,
  predict,
  predictWithState,
  recurrent,
  runModel,
  type Sequential,
  save,
  sequential,
  simpleRnn,
  stream,
  sum,
  summary,
  type Tensor,
} from 'bptt';
import { fromKeras, predictMasked } from 'bptt/keras';
import { exportOnnx, importOnnx, predictOnnx } from 'bptt/onnx';
import { toPyTorch } from 'bptt/pytorch';
import { describe, expect, it } from 'vitest';

const [T, B, I] = [5, 3, 2];
const random = createRandom(8);
const x = normal(0, 1)([T, B, I], random);
const lengths = Int32Array.of(5, 2, 4);

const modelOf = (options: object = {}): Sequential =>
  sequential([bidirectional(lstm(), { hiddenSize: 4, reverse: { cell: gru(), hiddenSize: 3 }, ...options })], {
    inputSize: I,
    seed: 2,
  });

/** The same directions as two models of one direction. */
function separately(model: Sequential, options: object): readonly Tensor[] {
  return (['forward', 'reverse'] as const).map((name) => {
    const isForward = name === 'forward';
    const layer = isForward
      ? recurrent(lstm(), { hiddenSize: 4, ...options })
      : recurrent(gru(), { hiddenSize: 3, reverse: true, ...options });
    const alone = sequential([layer], { inputSize: I });
    for (const [key, { data }] of Object.entries(Object.values(alone.parameters)[0]!))
      data.set(model.parameters['bidirectional']![`${name}.${key}`]!.data);
    return predict(alone, x, { lengths });
  });
}

/** The concatenation along the last axis. */
function concatenated([a, b]: readonly Tensor[]): number[] {
  const [sizeA, sizeB] = [a!.shape.at(-1)!, b!.shape.at(-1)!];
  return Array.from({ length: a!.data.length / sizeA }, (_, row) => [
    ...a!.data.subarray(row * sizeA, (row + 1) * sizeA),
    ...b!.data.subarray(row * sizeB, (row + 1) * sizeB),
  ]).flat();
}

describe('an LSTM forward and a GRU of another size backward', () => {
  it.each([true, false])('have the outputs of the separate layers, returnSequences %s', (returnSequences) => {
    const model = modelOf({ returnSequences });
    expect(model.output).toEqual({ kind: 'vectors', size: 7, perStep: returnSequences });
    const { output, state } = predictWithState(model, x, { lengths });
    expect([...output.data]).toEqual(concatenated(separately(model, { returnSequences })));
    expect(Object.entries(state['bidirectional']!).map(([name, { shape }]) => [name, shape])).toEqual([
      ['forward.h', [B, 4]],
      ['forward.c', [B, 4]],
      ['reverse.h', [B, 3]],
    ]);
  });

  it('have gradients', () => {
    const model = modelOf();
    const weights = normal(0, 1)([T, B, 7], random);
    const { error } = checkGradients({ p: model.parameters, x }, (v) =>
      sum(multiply(runModel(model, v.p, v.x, { lengths }).output, weights)),
    );
    expect(error).toBeLessThan(1e-7);
  });

  it('are saved and loaded', () => {
    const model = modelOf({
      reverse: { cell: simpleRnn(), hiddenSize: 2, inputDropout: 0.5, learnInitialState: true },
    });
    const loaded = load(save(model)).model;
    expect(Object.keys(loaded.parameters['bidirectional']!)).toContain('reverse.initial.h');
    expect(predict(loaded, x, { lengths })).toEqual(predict(model, x, { lengths }));
    expect(save(loaded)).toEqual(save(model));
  });

  it.each([
    [{}, {}],
    [{ lengths: true, state: true }, { returnSequences: false }],
    [{}, { zoneout: { h: 0.2 } }],
  ])('are exported to ONNX with %j', (exported, options) => {
    const model = modelOf(options);
    const inputs: Record<string, Tensor | { shape: number[]; data: Int32Array }> = { inputs: x };
    if ('lengths' in exported) {
      inputs['lengths'] = { shape: [B], data: lengths };
      for (const [name, size] of [
        ['forward.h', 4],
        ['forward.c', 4],
        ['reverse.h', 3],
      ] as const)
        inputs[`bidirectional.${name}`] = full([B, size], 0);
    }
    const outputs = predictOnnx(importOnnx(exportOnnx(model, exported)), inputs);
    const expected = predictWithState(model, x, 'lengths' in exported ? { lengths } : {});
    const close = (a: Tensor, b: Tensor): void => {
      expect(a.shape).toEqual(b.shape);
      a.data.forEach((value, i) => expect(value).toBeCloseTo(b.data[i]!, 5));
    };
    close(outputs['outputs'] as Tensor, expected.output);
    if ('state' in exported)
      for (const [name, value] of Object.entries(expected.state['bidirectional']!))
        close(outputs[`bidirectional.${name}.next`] as Tensor, value);
  });

  it('have rows in a summary, and their own gradient flow', () => {
    const model = modelOf({ zoneout: { h: 0.1 } });
    expect(summary(model)).toContain('  forward (lstm)');
    expect(summary(model)).toContain('  reverse (gru)');
    const flow = gradientFlow(model, { inputs: x, targets: full([T, B, 7], 0) }, { loss: meanSquaredError });
    const states = Object.entries(flow.norms).map(([name, norms]) => [name, Object.keys(norms)]);
    expect(states).toEqual([
      ['bidirectional.forward', ['h', 'c']],
      ['bidirectional.reverse', ['h']],
    ]);
    const all = Object.values(flow.norms).flatMap((norms) => Object.values(norms).flatMap((each) => [...each]));
    expect(all).toHaveLength(3 * T);
    // Only the last cell state has no effect on the loss.
    expect(all.filter((norm) => norm === 0)).toHaveLength(1);
    expect(flow.loss).toBeCloseTo(predict(model, x).data.reduce((total, v) => total + v * v, 0) / (T * B * 7), 5);
  });

  it('run with masks', () => {
    const model = modelOf();
    const all = full([T, B], 1);
    const { data } = predictMasked(model, x, { mask: all });
    predict(model, x).data.forEach((value, i) => expect(data[i]).toBeCloseTo(value, 6));
  });

  it('cannot be streamed or exported to PyTorch', () => {
    expect(() => stream(modelOf())).toThrow('needs the whole sequence');
    expect(() => toPyTorch(modelOf())).toThrow(
      'toPyTorch: bidirectional has different directions, which PyTorch modules do not support.',
    );
  });

  it('get the weights of Keras', () => {
    const model = modelOf();
    const weights = {
      'bidirectional/forward_lstm/lstm_cell/kernel': full([I, 16], 0.1),
      'bidirectional/forward_lstm/lstm_cell/recurrent_kernel': full([4, 16], 0.2),
      'bidirectional/forward_lstm/lstm_cell/bias': full([16], 0.3),
      'bidirectional/backward_gru/gru_cell/kernel': full([I, 9], 0.4),
      'bidirectional/backward_gru/gru_cell/recurrent_kernel': full([3, 9], 0.5),
      'bidirectional/backward_gru/gru_cell/bias': full([2, 9], 0.25),
    };
    fromKeras(model, weights);
    const own = model.parameters['bidirectional']!;
    expect([...own['reverse.bias']!.data]).toEqual([0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]);
    expect([...own['reverse.biasHn']!.data]).toEqual([0.25, 0.25, 0.25]);
    expect(own['forward.weightHh']!.data[0]).toBeCloseTo(0.2, 7);
  });
});

it('options of the reverse direction apply to that direction only', () => {
  const model = sequential(
    [bidirectional(lstm(), { hiddenSize: 2, zoneout: { h: 0.5 }, reverse: { zoneout: { h: 0 } } })],
    { inputSize: I, seed: 1 },
  );
  const same = sequential([bidirectional(lstm(), { hiddenSize: 2 })], { inputSize: I, seed: 1 });
  const halves = (output: Tensor): readonly number[][] =>
    [0, 2].map((from) => [...output.data].filter((_, i) => i % 4 >= from && i % 4 < from + 2));
  const [a, b] = [halves(predict(model, x)), halves(predict(same, x))];
  expect(a[1]).toEqual(b[1]);
  expect(a[0]).not.toEqual(b[0]);
});

it('options of the reverse direction that are undefined are those of the forward direction', () => {
  const reverse = { cell: undefined, hiddenSize: undefined, learnInitialState: undefined };
  const own = [{ reverse }, {}].map((options) => {
    const layer = bidirectional(gru(), { hiddenSize: 2, learnInitialState: true, ...options });
    return sequential([layer], { inputSize: I, seed: 1 });
  });
  expect(Object.keys(own[0]!.parameters['bidirectional']!)).toEqual(Object.keys(own[1]!.parameters['bidirectional']!));
  expect(own[0]!.data).toEqual(own[1]!.data);
});

it.each<Merge>(['sum', 'mean', 'product', 'both'])('merge %s rejects directions of different sizes', (merge) => {
  expect(() => bidirectional(lstm(), { hiddenSize: 4, merge, reverse: { hiddenSize: 3 } })).toThrow(
    `bidirectional: merge must be concat for directions of sizes 4 and 3, got ${merge}.`,
  );
  const model = sequential([bidirectional(lstm(), { hiddenSize: 4, merge, reverse: { cell: gru() } })], {
    inputSize: I,
  });
  expect(compute(model.parameters, (p) => runModel(model, p, x).output).shape.at(-1)).toBe(4);
});

it('wrong options of the reverse direction are rejected', () => {
  const wrong = (reverse: object | boolean) => () =>
    // The cast gives wrong types that JavaScript allows.
    bidirectional(lstm(), { hiddenSize: 4, reverse } as Parameters<typeof bidirectional>[1]);
  expect(wrong(true)).toThrow('bidirectional: reverse must be an object, got true.');
  expect(wrong({ merge: 'sum' })).toThrow('got merge');
  expect(wrong({ hiddenSize: 0 })).toThrow('hiddenSize must be an integer of at least 1, got 0');
  // The options of both directions, too, must fit the cell.
  const options = { hiddenSize: 2, zoneout: { c: 0.1 } };
  expect(() => bidirectional(lstm(), { ...options, reverse: { cell: gru() } })).toThrow(
    'bidirectional: zoneout must have only h, got c.',
  );
  expect(bidirectional(lstm(), { ...options, reverse: { cell: gru(), zoneout: {} } }).name).toBe('bidirectional');
});
