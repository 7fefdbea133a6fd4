/** Learning from streams: each target once, gradients over the window, states carried and begun anew; in pieces of any length. */

import * as library from 'bptt';
import {
  adam,
  bidirectional,
  createRandom,
  crossEntropy,
  dense,
  embedding,
  fit,
  gru,
  integerNumber,
  intTensor,
  lstm,
  meanSquaredError,
  normal,
  predict,
  predictWithState,
  recurrent,
  runModel,
  type Sequential,
  type StreamSteps,
  type StreamTrainer,
  type StreamTrainerMemory,
  sequential,
  sgd,
  type Tensor,
  type TruncatedBpttOptions,
  tensor,
  trainOn,
  truncatedBptt,
  valueAndGradient,
  windows,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const [T, B, I] = [24, 2, 3];
const inputs = normal(0, 1)([T, B, I], createRandom(1));
const targets = normal(0, 1)([T, B, 1], createRandom(2));
const resets = intTensor(Array.from({ length: T }, (_, t) => [t === 5 || t === 6 ? 1 : 0, t % 9 === 4 ? 1 : 0]));
const all: StreamSteps = { inputs, targets, resets };
const modelOf = (): Sequential =>
  sequential([recurrent(lstm(), { hiddenSize: 4, learnInitialState: true }), dense({ size: 1 })], {
    inputSize: I,
    seed: 3,
  });

const cut = (x: Tensor, from: number, to: number): Tensor => {
  const size = x.data.length / x.shape[0]!;
  return { shape: [to - from, ...x.shape.slice(1)], data: x.data.slice(from * size, to * size) };
};
const piece = (from: number, to: number): StreamSteps => ({
  inputs: cut(inputs, from, to),
  targets: cut(targets, from, to),
  resets: cut(resets as unknown as Tensor, from, to) as never,
});
const learnerOf = (model: Sequential, options: Partial<TruncatedBpttOptions>): StreamTrainer =>
  truncatedBptt(model, { window: 6, loss: meanSquaredError, optimizer: sgd(0.1), batchSize: B, ...options });

describe.each([
  [6, 6],
  [6, 2],
  [5, 1],
  [7, 3],
])('window %d, stride %d', (window, stride) => {
  /** The same by hand: before each update, the state at the window's beginning is what the weights of its time left. */
  function byHand(): { losses: number[]; outputs: number[]; data: Float32Array } {
    const model = modelOf();
    const [losses, outputs]: number[][] = [[], []];
    const states: StreamTrainerMemory['state'][] = [undefined];
    for (let to = stride; to <= T; to += stride) {
      const from = Math.max(0, to - window);
      const [{ value, gradient, results }, split] = [
        valueAndGradient(model.parameters, (p) => {
          const leaving = Math.max(from, to - (window - stride));
          let state: never = states[from] as never;
          const parts = [
            [from, leaving],
            [leaving, to],
          ]
            .filter(([a, b]) => b! > a!)
            .map(([a, b]) => {
              const run = runModel(model, p, cut(inputs, a!, b!), {
                resets: cut(resets as unknown as Tensor, a!, b!) as never,
                state,
              });
              state = run.state as never;
              return run;
            });
          const output = parts.map((run) => run.output);
          const newest = output.length === 1 ? meanOf(output[0]!, to) : meanOf(output, to);
          return { value: newest, results: { output: output as never, at: parts[0]!.state as never } };
        }),
        Math.max(from, to - (window - stride)),
      ];
      losses!.push(value);
      const answers = (results.output as unknown as Tensor[]).flatMap(({ data }) => [...data]);
      outputs!.push(...answers.slice(-stride * B));
      if (split > from) states[split] = results.at as never;
      Object.values(model.parameters).forEach((layer, l) =>
        Object.values(layer).forEach((parameter, i) => {
          const slope = Object.values(Object.values(gradient)[l]!)[i] as Tensor;
          parameter.data.forEach((_, j) => (parameter.data[j]! -= 0.1 * slope.data[j]!));
        }),
      );
    }
    return { losses: losses!, outputs: outputs!, data: model.data };

    function meanOf(
      output: Parameters<typeof meanSquaredError>[0] | readonly Parameters<typeof meanSquaredError>[0][],
      to: number,
    ): ReturnType<typeof meanSquaredError> {
      const parts = (Array.isArray(output) ? output : [output]) as never[];
      const { concat, slice } = library;
      return meanSquaredError(slice(concat(parts), -stride), cut(targets, to - stride, to));
    }
  }

  it('is backpropagation over the window for the targets of the stride, within 1e-5', () => {
    const wanted = byHand();
    const model = modelOf();
    const { losses, outputs } = trainOn(learnerOf(model, { window, stride }), all);
    expect(losses.length).toBe(Math.floor(T / stride));
    losses.forEach((loss, i) => expect(Math.abs(loss - wanted.losses[i]!)).toBeLessThan(1e-5));
    outputs!.data.forEach((value, i) => expect(Math.abs(value - wanted.outputs[i]!)).toBeLessThan(1e-5));
    model.data.forEach((value, i) => expect(Math.abs(value - wanted.data[i]!)).toBeLessThan(1e-5));
  });

  it('is the same in pieces of any length, and from a memory that was saved', () => {
    const whole = modelOf();
    const { losses } = trainOn(learnerOf(whole, { window, stride }), all);
    const random = createRandom(window);
    const model = modelOf();
    let learner = learnerOf(model, { window, stride });
    const got: number[] = [];
    for (let from = 0; from < T; ) {
      const to = Math.min(T, from + 1 + integerNumber(random, 7));
      const fed = piece(from, to);
      got.push(...trainOn(learner, fed).losses);
      fed.inputs.data.fill(NaN);
      learner = learnerOf(model, {
        window,
        stride,
        memory: structuredClone(learner.memory),
        optimizerState: learner.optimizerState,
      });
      from = to;
    }
    expect(got).toEqual([...losses]);
    expect(model.data).toEqual(whole.data);
  });
});

it('with a stride as long as the window it is fit over windows with the state carried', async () => {
  const tokens = Int32Array.from({ length: 201 }, (_, i) => (i * i + (i % 7)) % 5);
  const make = (): Sequential =>
    sequential([embedding({ vocabularySize: 5, size: 3 }), recurrent(gru(), { hiddenSize: 6 }), dense({ size: 5 })], {
      seed: 2,
    });
  const [fitted, learned] = [make(), make()];
  const data = windows(tokens, { sequenceLength: 10, batchSize: 2, shuffle: false });
  const { losses } = await fit(fitted, data, { loss: crossEntropy, optimizer: adam(0.01), carryState: true });
  const learner = truncatedBptt(learned, { window: 10, loss: crossEntropy, optimizer: adam(0.01), batchSize: 2 });
  const got = [...data.batches(createRandom(1))].flatMap(
    ({ inputs: x, targets: y }) => trainOn(learner, { inputs: x, targets: y }).losses,
  );
  expect(got).toEqual([...losses]);
  expect(learned.data).toEqual(fitted.data);
});

it('learns on line: a stream whose rule changes is learned anew', () => {
  const model = sequential(
    [embedding({ vocabularySize: 4, size: 6 }), recurrent(lstm(), { hiddenSize: 12 }), dense({ size: 4 })],
    { seed: 1 },
  );
  const learner = truncatedBptt(model, { window: 8, stride: 1, loss: crossEntropy, optimizer: adam(0.01) });
  let token = 0;
  const surprise = (rule: (token: number) => number, steps: number): number => {
    let late = 0;
    for (let t = 0; t < steps; t++) {
      const next = rule(token);
      const state = learner.memory.state;
      const before = predictWithState(model, intTensor([[token]]), state === undefined ? {} : { state }).output;
      const { losses, outputs } = trainOn(learner, { inputs: intTensor([[token]]), targets: intTensor([[next]]) });
      expect(losses.length).toBe(1);
      // The window is run again with the weights of now, the state was left by those of each step.
      outputs!.data.forEach((value, i) => expect(Math.abs(value - before.data[i]!)).toBeLessThan(0.3));
      if (t >= steps - 20) late += losses[0]! / 20;
      token = next;
    }
    return late;
  };
  expect(surprise((id) => (id + 1) % 4, 200)).toBeLessThan(0.1);
  expect(surprise((id) => (id + 3) % 4, 5)).toBeGreaterThan(0.1);
  expect(surprise((id) => (id + 3) % 4, 300)).toBeLessThan(0.1);
});

it('holds no more than a window, however long the stream', () => {
  const learner = learnerOf(modelOf(), { window: 6, stride: 3 });
  for (let i = 0; i < 50; i++) trainOn(learner, all);
  expect(learner.memory.kept!.inputs.shape).toEqual([3, B, I]);
  expect(learner.memory.kept!.inputs.data.buffer.byteLength).toBe(3 * B * I * 4);
  expect(learner.memory.waiting!.inputs.shape[0]).toBe(0);
});

it('an update that fails leaves parameters and memory, and refuses what does not fit', () => {
  const model = modelOf();
  const learner = learnerOf(model, { window: 4, stride: 4 });
  trainOn(learner, piece(0, 6));
  const [data, { waiting }] = [model.data.slice(), learner.memory];
  const wrong = piece(6, 8);
  wrong.targets.data[0] = Infinity;
  expect(() => trainOn(learner, wrong)).toThrow('trainOn: the loss became Infinity at step 2');
  expect(model.data).toEqual(data);
  expect(waiting!.inputs.shape[0]).toBe(2);
  expect(() => trainOn(learner, { inputs, targets: tensor([[1]]) })).toThrow(
    'trainOn: targets must be [S, B, …] = [24, 2, …], got [1, 1]',
  );
  expect(() => learnerOf(modelOf(), { stride: 7 })).toThrow(
    'truncatedBptt: stride must be at most the window = 6, got 7',
  );
  expect(() => learnerOf(sequential([bidirectional(lstm(), { hiddenSize: 2 })], { inputSize: I }), {})).toThrow(
    'the layer bidirectional needs the whole sequence',
  );
  expect(() =>
    learnerOf(sequential([recurrent(lstm(), { hiddenSize: 2, returnSequences: false })], { inputSize: I }), {}),
  ).toThrow('must answer once a step');
  expect(predict(model, inputs).shape).toEqual([T, B, 1]);
});
