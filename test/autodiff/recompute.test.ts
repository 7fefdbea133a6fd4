/** Gradient checkpointing: equal values and gradients, and less memory. */

import {
  add,
  bidirectional,
  checkGradients,
  compute,
  createRandom,
  crossEntropy,
  dense,
  dropout,
  embedding,
  fit,
  full,
  gru,
  intTensor,
  type Layer,
  lstm,
  mean,
  meanSquaredError,
  multiply,
  normal,
  predict,
  type RunOptions,
  recompute,
  recurrent,
  residual,
  runInSegments,
  runModel,
  type Sequential,
  scale,
  sequential,
  sgd,
  slice,
  stopGradient,
  sum,
  type Tensor,
  tanh,
  type Variable,
  valueAndGradient,
} from 'bptt';
import { describe, expect, it } from 'vitest';
import { defaultWorkspace } from '../../src/kernels/workspace';

const draw = normal(0, 0.7);
const parameters = { w: draw([4, 4], createRandom(1)), x: draw([3, 4], createRandom(2)) };

/** Returns a variable, a view of it, an input, and a variable without a gradient. */
const body = ({ w, x }: { w: Variable; x: Variable }): { all: Variable; parts: readonly Variable[] } => {
  const all = tanh(multiply(x, slice(w, 0, 3)));
  return { all, parts: [slice(all, 1, 3), w, stopGradient(all)] };
};
const use = ({ all, parts: [part, w, constant] }: ReturnType<typeof body>, x: Variable): Variable =>
  add(add(sum(multiply(all, x)), sum(multiply(part!, 3))), add(sum(multiply(w!, w!)), sum(multiply(constant!, all))));

it('values and gradients equal those of the body exactly', () => {
  const expected = valueAndGradient(parameters, (p) => use(body(p), p.x));
  expect(valueAndGradient(parameters, (p) => use(recompute(p, body), p.x))).toEqual(expected);
  expect(compute(parameters, (p) => recompute(p, body).parts[0]!)).toEqual(
    compute(parameters, (p) => body(p).parts[0]!),
  );
});

it('gradients of nested recompute calls equal finite differences', () => {
  const { error } = checkGradients(parameters, (p) => {
    const outer = recompute(p, (inputs) => {
      const {
        all,
        parts: [part],
      } = recompute(inputs, body);
      return {
        all: multiply(all, inputs.x),
        more: recompute([all, inputs, part!] as const, ([a, q, z]) => [multiply(z, slice(a, 0, 2)), q.w]),
      };
    });
    return add(sum(multiply(outer.all, p.x)), add(sum(outer.more[0]!), sum(multiply(outer.more[1]!, p.w))));
  });
  expect(error).toBeLessThan(1e-7);
});

it('rejects a body that uses a variable that is not an input', () => {
  expect(() =>
    valueAndGradient(parameters, ({ w, x }) => sum(recompute(x, (inner) => multiply(inner, slice(w, 0, 3))))),
  ).toThrow('or an input of recompute, got a variable of another');
});

it('intermediate results are not stored', () => {
  const memoryOf = (stored: boolean): number => {
    let top = 0;
    valueAndGradient({ x: full([1000], 0.1) }, ({ x }) => {
      const layers = (y: Variable): Variable => Array.from({ length: 50 }).reduce<Variable>((z) => tanh(z), y);
      const y = stored ? layers(x) : recompute(x, layers);
      top = defaultWorkspace().top;
      return sum(y);
    });
    return top;
  };
  const [stored, recomputed] = [memoryOf(true), memoryOf(false)];
  expect(stored - recomputed).toBe(49_000);
});

describe('runInSegments', () => {
  const [T, B, I] = [11, 3, 2];
  const lengths = Int32Array.of(7, 11, 2);
  const resets = intTensor(Array.from({ length: T }, (_, t) => [t % 4 === 1 ? 1 : 0, t === 5 ? 1 : 0, 0]));
  const inputs = normal(0, 1)([T, B, I], createRandom(3));
  const targets = normal(0, 1)([T, B, 4], createRandom(4));
  const modelOf = (...layers: Layer[]): Sequential => sequential(layers, { inputSize: I, seed: 2 });
  const models: [string, Sequential][] = [
    [
      'two layers and a head',
      modelOf(
        recurrent(lstm(), { hiddenSize: 5, learnInitialState: true }),
        recurrent(gru({ reset: 'before' }), { hiddenSize: 3 }),
        dense({ size: 4 }),
      ),
    ],
    ['a residual connection', modelOf(dense({ size: 4 }), residual([recurrent(gru(), { hiddenSize: 4 })]))],
    ['the output of the last time step', modelOf(recurrent(lstm(), { hiddenSize: 4, returnSequences: false }))],
  ];
  const losses = (model: Sequential, segment: number | undefined, options: object) =>
    valueAndGradient(model.parameters, (p) => {
      const { output, state } =
        segment === undefined ? runModel(model, p, inputs, options) : runInSegments(model, p, inputs, options, segment);
      const target = output.shape.length === 2 ? slice(targets, 0, 1) : targets;
      const loss = add(mean(multiply(output, target)), scale(sum(Object.values(Object.values(state)[0]!)[0]!), 0.1));
      return { value: loss, results: { output, state } };
    });

  it.each(models)('%s: outputs, states and gradients equal those of the whole sequence within 1e-6', (_, model) => {
    for (const segment of [1, 2, 4, 10, 11, 50])
      for (const options of [{}, { lengths }, { resets }, { lengths, resets }]) {
        const [whole, segmented] = [losses(model, undefined, options), losses(model, segment, options)];
        const valuesOf = (tree: unknown): number[] =>
          tree instanceof Float32Array
            ? [...tree]
            : typeof tree === 'number'
              ? [tree]
              : Object.values(tree as object).flatMap(valuesOf);
        const [expected, actual] = [
          valuesOf([whole.value, whole.results, whole.gradient]),
          valuesOf([segmented.value, segmented.results, segmented.gradient]),
        ];
        expect(actual.length).toBe(expected.length);
        actual.forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-6));
      }
  });

  it('segments share the dropout masks per sequence, and the backward pass restores the masks per step', () => {
    const model = modelOf(
      dropout(0.4),
      recurrent(lstm(), { hiddenSize: 4, inputDropout: 0.5, recurrentDropout: 0.3, zoneout: { c: 0.2 } }),
      dropout(0.2),
    );
    const { error } = checkGradients(model.parameters, (p: Record<string, Record<string, Variable>>) =>
      meanSquaredError(runInSegments(model, p, inputs, { training: true, random: createRandom(7) }, 3).output, targets),
    );
    expect(error).toBeLessThan(1e-7);
    const perSequence = modelOf(recurrent(lstm(), { hiddenSize: 4, inputDropout: 0.5, recurrentDropout: 0.3 }));
    const outputs = (segment: number): Tensor =>
      compute(
        perSequence.parameters,
        (p) => runInSegments(perSequence, p, inputs, { training: true, random: createRandom(7) }, segment).output,
      );
    expect(outputs(1)).toEqual(outputs(5));
    expect(outputs(1)).not.toEqual(predict(perSequence, inputs));
  });

  it('segments have different dropout masks per step', () => {
    const model = modelOf(dropout(0.5));
    const { data } = compute(
      model.parameters,
      (p) => runInSegments(model, p, inputs, { training: true, random: createRandom(7) }, 3).output,
    );
    const masks = data.map((value, i) => value / inputs.data[i]!);
    expect(new Set(masks)).toEqual(new Set([0, 2]));
    const size = 3 * B * I;
    expect(masks.slice(0, size)).not.toEqual(masks.slice(size, 2 * size));
  });

  it('runs the layers once per segment', () => {
    const steps: (number | undefined)[] = [];
    const counting: Layer = {
      name: 'counting',
      causal: true,
      output: (features) => features,
      parameters: () => ({}),
      run: (_, x) => {
        steps.push(x.shape[0]);
        return { output: x as Variable };
      },
    };
    const model = modelOf(counting);
    compute(model.parameters, (p) => runInSegments(model, p, inputs, {}, 5).output);
    expect(steps).toEqual([5, 5, 1]);
    // By default, a segment has ⌈√11⌉ steps.
    compute(model.parameters, (p) => runInSegments(model, p, inputs).output);
    expect(steps.slice(3)).toEqual([4, 4, 3]);
  });

  it('training in segments gives the same losses as training on whole sequences', async () => {
    const tokens = intTensor(Array.from({ length: 40 }, (_, t) => [t % 5, (t * 2) % 5]));
    const targets = intTensor(Array.from({ length: 40 }, (_, t) => [(t + 1) % 5, (t * 2 + 2) % 5]));
    const data = { batchCount: 1, batches: () => [{ inputs: tokens, targets }] };
    const trained = await Promise.all(
      ([undefined, undefined, 9] as const).map(async (segment, i) => {
        const model = sequential(
          [embedding({ vocabularySize: 5, size: 4 }), recurrent(lstm(), { hiddenSize: 6 }), dense({ size: 5 })],
          { seed: 1 },
        );
        const { losses } = await fit(model, data, {
          loss: crossEntropy,
          optimizer: sgd(0.5),
          steps: 20,
          validation: data,
          ...(i === 0 ? {} : { run: (...args: Parameters<typeof runModel>) => runInSegments(...args, segment) }),
        });
        return losses;
      }),
    );
    expect(trained[0]!.at(-1)).toBeLessThan(trained[0]![0]! * 0.95);
    for (const losses of trained.slice(1))
      losses.forEach((loss, i) => expect(Math.abs(loss - trained[0]![i]!)).toBeLessThan(1e-5));
  });

  it('rejects layers that need the whole sequence, and empty segments', () => {
    const model = modelOf(bidirectional(lstm(), { hiddenSize: 2 }));
    expect(() => compute(model.parameters, (p) => runInSegments(model, p, inputs).output)).toThrow(
      'runInSegments: layer bidirectional needs the whole sequence',
    );
    expect(() =>
      compute(models[0]![1].parameters, (p) => runInSegments(models[0]![1], p, inputs, {}, 0).output),
    ).toThrow('runInSegments: segment');
    expect(() =>
      compute(
        models[0]![1].parameters,
        (p) => runInSegments(models[0]![1], p, inputs, { lengths: Int32Array.of(3) }, 2).output,
      ),
    ).toThrow('lengths must be [B] = [3], got [1]');
  });

  it.each([
    [
      'lengths beyond the steps',
      { lengths: Int32Array.of(2, 3, 200) },
      'lengths must be integers from 0 to 11, got 200',
    ],
    ['negative lengths', { lengths: Int32Array.of(2, 3, -1) }, 'lengths must be integers from 0 to 11, got -1'],
    ['longer resets', { resets: full([12, 3], 0) }, 'resets must be an integer tensor'],
    [
      'longer resets of integers',
      { resets: { shape: [12, 3], data: new Int32Array(36) } },
      'resets must be [T, B] = [11, 3]',
    ],
  ])('rejects %s', (_, options, message) => {
    const model = models[0]![1];
    expect(() =>
      compute(model.parameters, (p) => runInSegments(model, p, inputs, options as RunOptions, 2).output),
    ).toThrow(`runInSegments: ${message}`);
  });
});
