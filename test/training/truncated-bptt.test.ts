/** Training on streams: targets, gradients over the window, carried and reset states, steps in pieces of any length. */

import {
  adam,
  applyOptimizer,
  batchNorm,
  bidirectional,
  concat,
  createRandom,
  crossEntropy,
  dense,
  embedding,
  fit,
  full,
  gru,
  identity,
  integerNumber,
  intTensor,
  lstm,
  type ModelState,
  meanSquaredError,
  normal,
  predict,
  predictWithState,
  recurrent,
  relu,
  runModel,
  type Sequential,
  type StreamSteps,
  type StreamTrainer,
  sequential,
  sgd,
  simpleRnn,
  slice,
  sliceRows,
  type Tensor,
  type TruncatedBpttOptions,
  tensor,
  trainOn,
  truncatedBptt,
  type Variable,
  valueAndGradient,
  windows,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const [T, B, I] = [24, 2, 3];
const inputs = normal(0, 1)([T, B, I], createRandom(1));
const targets = normal(0, 1)([T, B, 1], createRandom(2));
const resets = intTensor(Array.from({ length: T }, (_, t) => [t === 5 || t === 6 ? 1 : 0, t % 9 === 4 ? 1 : 0]));
const all: StreamSteps<Tensor> = { inputs, targets, resets };
const modelOf = (): Sequential =>
  sequential([recurrent(lstm(), { hiddenSize: 4, learnInitialState: true }), dense({ size: 1 })], {
    inputSize: I,
    seed: 3,
  });

const piece = (from: number, to: number): StreamSteps<Tensor> => ({
  inputs: copyRows(inputs, from, to),
  targets: copyRows(targets, from, to),
  resets: sliceRows(resets, from, to),
});
/** A copy, which a test may change. */
const copyRows = (x: Tensor, from: number, to: number): Tensor => structuredClone(sliceRows(x, from, to));
const trainerOf = (model: Sequential, options: Partial<TruncatedBpttOptions<Tensor>>): StreamTrainer<Tensor> =>
  truncatedBptt<Tensor>(model, { window: 6, loss: meanSquaredError, optimizer: sgd(0.1), batchSize: B, ...options });

describe.each([
  [6, 6],
  [6, 2],
  [5, 1],
  [7, 3],
])('window %d, stride %d', (window, stride) => {
  /** A plain implementation: the state at the start of each window is that of the weights at its time. */
  function reference(): { losses: number[]; outputs: number[]; data: Float32Array } {
    const model = modelOf();
    const losses: number[] = [];
    const outputs: number[] = [];
    const states: (ModelState | undefined)[] = [undefined];
    for (let to = stride; to <= T; to += stride) {
      const from = Math.max(0, to - window);
      const split = Math.max(from, to - (window - stride));
      const { value, gradient, results } = valueAndGradient(model.parameters, (p) => {
        let state: ModelState<Tensor | Variable> | undefined = states[from];
        const runs = [
          [from, split],
          [split, to],
        ]
          .filter(([start, end]) => end! > start!)
          .map(([start, end]) => {
            const run = runModel(model, p, sliceRows(inputs, start!, end), {
              resets: sliceRows(resets, start!, end),
              state,
            });
            state = run.state;
            return run;
          });
        const output = concat(runs.map((run) => run.output));
        const loss = meanSquaredError(slice(output, -stride), sliceRows(targets, to - stride, to));
        return { value: loss, results: { output, stateAtSplit: runs[0]!.state } };
      });
      losses.push(value);
      outputs.push(...results.output.data.slice(-stride * B));
      if (split > from) states[split] = results.stateAtSplit;
      applyOptimizer(sgd(0.1), { step: 0, slots: [] }, model.parameters, gradient);
    }
    return { losses, outputs, data: model.data };
  }

  it('is backpropagation over the window from the targets of the stride, within 1e-5', () => {
    const expected = reference();
    const model = modelOf();
    const { losses, outputs } = trainOn(trainerOf(model, { window, stride }), all);
    expect(losses.length).toBe(Math.floor(T / stride));
    losses.forEach((loss, i) => expect(Math.abs(loss - expected.losses[i]!)).toBeLessThan(1e-5));
    outputs!.data.forEach((value, i) => expect(Math.abs(value - expected.outputs[i]!)).toBeLessThan(1e-5));
    model.data.forEach((value, i) => expect(Math.abs(value - expected.data[i]!)).toBeLessThan(1e-5));
  });

  it('is the same for pieces of any length, and from a stored memory', () => {
    const whole = modelOf();
    const { losses } = trainOn(trainerOf(whole, { window, stride }), all);
    const random = createRandom(window);
    const model = modelOf();
    let trainer = trainerOf(model, { window, stride });
    const pieceLosses: number[] = [];
    for (let from = 0; from < T; ) {
      const to = Math.min(T, from + 1 + integerNumber(random, 7));
      const steps = piece(from, to);
      pieceLosses.push(...trainOn(trainer, steps).losses);
      steps.inputs.data.fill(NaN);
      trainer = trainerOf(model, {
        window,
        stride,
        memory: structuredClone(trainer.memory),
        optimizerState: trainer.optimizerState,
      });
      from = to;
    }
    expect(pieceLosses).toEqual([...losses]);
    expect(model.data).toEqual(whole.data);
  });
});

it('with the stride equal to the window is fit over windows with carryState', async () => {
  const tokens = Int32Array.from({ length: 201 }, (_, i) => (i * i + (i % 7)) % 5);
  const make = (): Sequential =>
    sequential([embedding({ vocabularySize: 5, size: 3 }), recurrent(gru(), { hiddenSize: 6 }), dense({ size: 5 })], {
      seed: 2,
    });
  const [fitted, streamed] = [make(), make()];
  const data = windows(tokens, { sequenceLength: 10, batchSize: 2, shuffle: false });
  const { losses } = await fit(fitted, data, { loss: crossEntropy, optimizer: adam(0.01), carryState: true });
  const trainer = truncatedBptt(streamed, { window: 10, loss: crossEntropy, optimizer: adam(0.01), batchSize: 2 });
  const streamLosses = [...data.batches(createRandom(1))].flatMap(
    ({ inputs: x, targets: y }) => trainOn(trainer, { inputs: x, targets: y }).losses,
  );
  expect(streamLosses).toEqual([...losses]);
  expect(streamed.data).toEqual(fitted.data);
});

it('adapts online to a stream whose rule changes', () => {
  const model = sequential(
    [embedding({ vocabularySize: 4, size: 6 }), recurrent(lstm(), { hiddenSize: 12 }), dense({ size: 4 })],
    { seed: 1 },
  );
  const trainer = truncatedBptt(model, { window: 8, stride: 1, loss: crossEntropy, optimizer: adam(0.01) });
  let token = 0;
  /** Trains on a stream. Returns the mean loss of the last 20 steps. */
  const finalLoss = (rule: (token: number) => number, steps: number): number => {
    let loss = 0;
    for (let t = 0; t < steps; t++) {
      const next = rule(token);
      const state = trainer.memory.state;
      const predicted = predictWithState(model, intTensor([[token]]), state === undefined ? {} : { state }).output;
      const { losses, outputs } = trainOn(trainer, { inputs: intTensor([[token]]), targets: intTensor([[next]]) });
      expect(losses.length).toBe(1);
      // trainOn runs the window with the current weights; the state comes from the weights at each step.
      outputs!.data.forEach((value, i) => expect(Math.abs(value - predicted.data[i]!)).toBeLessThan(0.3));
      if (t >= steps - 20) loss += losses[0]! / 20;
      token = next;
    }
    return loss;
  };
  expect(finalLoss((id) => (id + 1) % 4, 200)).toBeLessThan(0.1);
  expect(finalLoss((id) => (id + 3) % 4, 5)).toBeGreaterThan(0.1);
  expect(finalLoss((id) => (id + 3) % 4, 300)).toBeLessThan(0.1);
});

it('drops the same inputs at all steps of a window', () => {
  // Sums of the inputs that are not dropped.
  const size = 16;
  const options = {
    hiddenSize: size,
    inputDropout: 0.5,
    inputInitializer: identity(),
    recurrentInitializer: identity(),
  };
  const model = sequential([recurrent(simpleRnn({ activation: relu }), options)], { inputSize: size });
  const trainer = trainerOf(model, { window: 4, stride: 2, optimizer: sgd(0), batchSize: 1 });
  const { outputs } = trainOn(trainer, { inputs: full([4, 1, size], 1), targets: full([4, 1, size], 0) });
  const sums = new Set(outputs!.data.subarray(3 * size));
  expect([...sums].sort()).toEqual([0, 8]);
});

it('keeps at most a window in memory', () => {
  const trainer = trainerOf(modelOf(), { window: 6, stride: 3 });
  for (let i = 0; i < 50; i++) trainOn(trainer, all);
  expect(trainer.memory.kept!.inputs.shape).toEqual([3, B, I]);
  expect(trainer.memory.kept!.inputs.data.buffer.byteLength).toBe(3 * B * I * 4);
  expect(trainer.memory.waiting!.inputs.shape[0]).toBe(0);
});

it('drops the steps of an update that fails, and continues with the next ones', () => {
  const [model, other] = [modelOf(), modelOf()];
  const [trainer, reference] = [trainerOf(model, { window: 3, stride: 3 }), trainerOf(other, { window: 3, stride: 3 })];
  const wrong = piece(3, 6);
  wrong.inputs.data[0] = NaN;
  for (const each of [trainer, reference]) trainOn(each, piece(0, 3));
  expect(() => trainOn(trainer, wrong)).toThrow('trainOn: the loss became NaN at step 2');
  expect(trainer.memory.waiting!.inputs.shape[0]).toBe(0);
  for (const each of [trainer, reference]) expect(trainOn(each, piece(6, 12)).losses).toHaveLength(2);
  expect(model.data).toEqual(other.data);
});

it('rejects the memory of another batch size', () => {
  const { memory } = trainerOf(modelOf(), { window: 3, stride: 3 });
  const trainer = trainerOf(modelOf(), { window: 3, stride: 3 });
  trainOn(trainer, piece(0, 2));
  expect(memory.waiting).toBeUndefined();
  expect(() => trainerOf(modelOf(), { window: 3, stride: 3, batchSize: 1, memory: trainer.memory })).toThrow(
    `truncatedBptt: memory.waiting: inputs must be [S, B, …] = [2, 1, ${I}], got [2, 2, ${I}]`,
  );
});

it('rejects memory that has lost its typed arrays, as in JSON', () => {
  const trainer = trainerOf(modelOf(), { window: 3, stride: 3 });
  trainOn(trainer, piece(0, 4));
  const memory = JSON.parse(JSON.stringify(trainer.memory));
  expect(() => trainerOf(modelOf(), { window: 3, stride: 3, memory })).toThrow(
    'truncatedBptt: memory.waiting: inputs must be a tensor { shape, data: Float32Array }, got { shape, data: an object',
  );
});

it('rejects steps of other shapes than those that wait, and drops both', () => {
  const options = { window: 4, stride: 4 };
  const trainer = trainerOf(modelOf(), options);
  // Too few for an update, in which the model would reject them.
  trainOn(trainer, { ...piece(0, 1), inputs: full([1, B, I + 1], 1) });
  expect(() => trainOn(trainer, piece(0, 2))).toThrow(
    `trainOn: inputs must be like the waiting steps = [*, ${B}, ${I + 1}], got [2, ${B}, ${I}]`,
  );
  trainOn(trainer, piece(0, 1));
  const { targets } = piece(0, 1);
  const wide = { ...piece(0, 1), targets: full([1, B, 2 * targets.data.length], 1) };
  expect(() => trainOn(trainer, wide)).toThrow('trainOn: targets must be like the waiting steps = [*, ');
  const reference = trainerOf(modelOf(), options);
  expect(trainOn(trainer, piece(0, 12)).losses).toEqual(trainOn(reference, piece(0, 12)).losses);
});

it('keeps parameters and memory if an update fails, and rejects arguments that do not fit', () => {
  const model = modelOf();
  const trainer = trainerOf(model, { window: 4, stride: 4 });
  trainOn(trainer, piece(0, 6));
  const [data, { waiting }] = [model.data.slice(), trainer.memory];
  const wrong = piece(6, 8);
  wrong.targets.data[0] = Infinity;
  expect(() => trainOn(trainer, wrong)).toThrow('trainOn: the loss became Infinity at step 2');
  expect(model.data).toEqual(data);
  expect(waiting!.inputs.shape[0]).toBe(2);
  expect(() => trainOn(trainer, { inputs, targets: tensor([[1]]) })).toThrow(
    'trainOn: targets must be [S, B, …] = [24, 2], got [1, 1]',
  );
  // Streams have no padding at their ends.
  expect(() => trainOn(trainer, { ...piece(0, 2), lengths: Int32Array.of(2, 1) } as never)).toThrow(
    new TypeError('trainOn: steps must have only inputs, targets, mask, resets, got lengths.'),
  );
  expect(() => trainerOf(modelOf(), { optimizer: {} as never })).toThrow(/^truncatedBptt: /);
  const normalized = sequential([batchNorm(), dense({ size: 1 })], { inputSize: I });
  expect(() => trainerOf(normalized, { window: 4, stride: 2 })).toThrow(
    'truncatedBptt: layer batchNorm needs the statistics of the whole window, so stride must be 4.',
  );
  expect(() => trainerOf(modelOf(), { stride: 7 })).toThrow(
    'truncatedBptt: stride must be at most the window = 6, got 7',
  );
  expect(() => trainerOf(sequential([bidirectional(lstm(), { hiddenSize: 2 })], { inputSize: I }), {})).toThrow(
    'layer bidirectional needs the whole sequence',
  );
  expect(() =>
    trainerOf(sequential([recurrent(lstm(), { hiddenSize: 2, returnSequences: false })], { inputSize: I }), {}),
  ).toThrow('truncatedBptt: model must be one with an output per step, got one per sequence.');
  expect(predict(model, inputs).shape).toEqual([T, B, 1]);
});
