/** Recomputing instead of storing: the same values and gradients, and less memory. */

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
const given = { w: draw([4, 4], createRandom(1)), x: draw([3, 4], createRandom(2)) };

/** Two results that lie in one another, one that is an input, one without gradient. */
const body = ({ w, x }: { w: Variable; x: Variable }): { all: Variable; parts: readonly Variable[] } => {
  const all = tanh(multiply(x, slice(w, 0, 3)));
  return { all, parts: [slice(all, 1, 3), w, stopGradient(all)] };
};
const use = ({ all, parts: [part, w, constant] }: ReturnType<typeof body>, x: Variable): Variable =>
  add(add(sum(multiply(all, x)), sum(multiply(part!, 3))), add(sum(multiply(w!, w!)), sum(multiply(constant!, all))));

it('values and gradients are those of the body itself, bit for bit', () => {
  const plain = valueAndGradient(given, (p) => use(body(p), p.x));
  const again = valueAndGradient(given, (p) => use(recompute(p, body), p.x));
  expect(again).toEqual(plain);
  expect(compute(given, (p) => recompute(p, body).parts[0]!)).toEqual(compute(given, (p) => body(p).parts[0]!));
});

it('gradients are those of finite differences, one checkpoint inside another', () => {
  const { error } = checkGradients(given, (p) => {
    const outer = recompute(p, (own) => {
      const {
        all,
        parts: [part],
      } = recompute(own, body);
      return {
        all: multiply(all, own.x),
        more: recompute([all, own, part!] as const, ([a, q, z]) => [multiply(z, slice(a, 0, 2)), q.w]),
      };
    });
    return add(sum(multiply(outer.all, p.x)), add(sum(outer.more[0]!), sum(multiply(outer.more[1]!, p.w))));
  });
  expect(error).toBeLessThan(1e-7);
});

it('a body that uses a variable from outside is told to take it as an input', () => {
  expect(() =>
    valueAndGradient(given, ({ w, x }) => sum(recompute(x, (inner) => multiply(inner, slice(w, 0, 3))))),
  ).toThrow('hand variables into checkpoint as inputs');
});

it('what is on the way is forgotten', () => {
  const used = (long: boolean): number => {
    let top = 0;
    valueAndGradient({ x: full([1000], 0.1) }, ({ x }) => {
      const many = (y: Variable): Variable => Array.from({ length: 50 }).reduce<Variable>((z) => tanh(z), y);
      const y = long ? many(x) : recompute(x, many);
      top = defaultWorkspace().top;
      return sum(y);
    });
    return top;
  };
  const [stored, recomputed] = [used(true), used(false)];
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
    ['a layer with a way around it', modelOf(dense({ size: 4 }), residual([recurrent(gru(), { hiddenSize: 4 })]))],
    ['the last step alone', modelOf(recurrent(lstm(), { hiddenSize: 4, returnSequences: false }))],
  ];
  const losses = (model: Sequential, segment: number | undefined, options: object) =>
    valueAndGradient(model.parameters, (p) => {
      const { output, state } =
        segment === undefined ? runModel(model, p, inputs, options) : runInSegments(model, p, inputs, options, segment);
      const target = output.shape.length === 2 ? slice(targets, 0, 1) : targets;
      const loss = add(mean(multiply(output, target)), scale(sum(Object.values(Object.values(state)[0]!)[0]!), 0.1));
      return { value: loss, results: { output, state } };
    });

  it.each(models)(
    '%s: outputs, states and gradients are those of the sequence in one piece, within 1e-6',
    (_, model) => {
      for (const segment of [1, 2, 4, 10, 11, 50])
        for (const options of [{}, { lengths }, { resets }, { lengths, resets }]) {
          const [whole, parts] = [losses(model, undefined, options), losses(model, segment, options)];
          const numbers = (tree: unknown): number[] =>
            tree instanceof Float32Array
              ? [...tree]
              : typeof tree === 'number'
                ? [tree]
                : Object.values(tree as object).flatMap(numbers);
          const [wanted, got] = [
            numbers([whole.value, whole.results, whole.gradient]),
            numbers([parts.value, parts.results, parts.gradient]),
          ];
          expect(got.length).toBe(wanted.length);
          got.forEach((value, i) => expect(Math.abs(value - wanted[i]!)).toBeLessThan(1e-6));
        }
    },
  );

  it('what is drawn for whole sequences is the same in every segment; what is drawn for steps is drawn again as it was', () => {
    const model = modelOf(
      dropout(0.4),
      recurrent(lstm(), { hiddenSize: 4, inputDropout: 0.5, recurrentDropout: 0.3, zoneout: { c: 0.2 } }),
      dropout(0.2),
    );
    const { error } = checkGradients(model.parameters, (p: Record<string, Record<string, Variable>>) =>
      meanSquaredError(runInSegments(model, p, inputs, { training: true, random: createRandom(7) }, 3).output, targets),
    );
    expect(error).toBeLessThan(1e-7);
    const along = modelOf(recurrent(lstm(), { hiddenSize: 4, inputDropout: 0.5, recurrentDropout: 0.3 }));
    const outputs = (segment: number): Tensor =>
      compute(
        along.parameters,
        (p) => runInSegments(along, p, inputs, { training: true, random: createRandom(7) }, segment).output,
      );
    expect(outputs(1)).toEqual(outputs(5));
  });

  it('training in segments is training', async () => {
    const tokens = intTensor(Array.from({ length: 40 }, (_, t) => [t % 5, (t * 2) % 5]));
    const targets = intTensor(Array.from({ length: 40 }, (_, t) => [(t + 1) % 5, (t * 2 + 2) % 5]));
    const data = { batchCount: 1, batches: () => [{ inputs: tokens, targets }] };
    const trained = await Promise.all(
      ([undefined, undefined, 9] as const).map(async (segment, i) => {
        const model = sequential(
          [embedding({ vocabularySize: 5, size: 4 }), recurrent(lstm(), { hiddenSize: 6 }), dense({ size: 5 })],
          { seed: 1 },
        );
        const { losses: each } = await fit(model, data, {
          loss: crossEntropy,
          optimizer: sgd(0.5),
          steps: 20,
          validation: data,
          ...(i === 0 ? {} : { run: (...args: Parameters<typeof runModel>) => runInSegments(...args, segment) }),
        });
        return each;
      }),
    );
    expect(trained[0]!.at(-1)).toBeLessThan(trained[0]![0]! * 0.95);
    for (const each of trained.slice(1))
      each.forEach((loss, i) => expect(Math.abs(loss - trained[0]![i]!)).toBeLessThan(1e-5));
  });

  it('refuses layers that need the whole sequence, and segments of no steps', () => {
    const model = modelOf(bidirectional(lstm(), { hiddenSize: 2 }));
    expect(() => compute(model.parameters, (p) => runInSegments(model, p, inputs).output)).toThrow(
      'the layer bidirectional needs the whole sequence',
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
});
