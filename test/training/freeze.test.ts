/**
 * Frozen parameters: they keep their bits, count in no norm, and the other parameters train as if they did not exist.
 */

import {
  adagrad,
  adam,
  adamw,
  applyOptimizer,
  type Batch,
  bidirectional,
  chain,
  clipByNorm,
  clipByValue,
  createRandom,
  crossEntropy,
  customModel,
  dense,
  embedding,
  fit,
  freeze,
  gru,
  type IntTensor,
  initializeOptimizer,
  type Layer,
  l1,
  layerNorm,
  layerNormLstm,
  leaves,
  lstm,
  maxNorm,
  meanSquaredError,
  multiply,
  normal,
  type Optimizer,
  type Progress,
  recurrent,
  residual,
  rmsprop,
  runInSegments,
  runModel,
  type Sequential,
  sequential,
  sgd,
  type Tensor,
  type TrainingState,
  tensor,
  trainOn,
  truncatedBptt,
  valueAndGradient,
  weightDecay,
  windows,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const ids = Int32Array.from({ length: 130 }, (_, i) => (i * i) % 4);
const data = windows(ids, { sequenceLength: 6, batchSize: 4, shuffle: false });
const net = (): Sequential =>
  sequential([embedding({ vocabularySize: 4, size: 3 }), recurrent(lstm(), { hiddenSize: 5 }), dense({ size: 4 })], {
    seed: 2,
  });
const bits = ({ data }: { readonly data: Float32Array }): Uint32Array =>
  new Uint32Array(Float32Array.from(data).buffer);
const parametersOf = (model: Sequential): Record<string, Uint32Array> =>
  Object.fromEntries(leaves(model.parameters).map(({ path, tensor }) => [path, bits(tensor)]));

const optimizers: [string, Optimizer][] = [
  ['sgd', sgd(0.1)],
  ['momentum', sgd(0.1, { momentum: 0.9 })],
  ['Nesterov momentum', sgd(0.1, { momentum: 0.9, nesterov: true })],
  ['rmsprop', rmsprop(0.01)],
  ['adagrad', adagrad(0.1)],
  ['adam', adam(0.05)],
  ['adamw', adamw(0.05, { weightDecay: 0.3 })],
  ['weight decay', chain(weightDecay(0.3), sgd(0.1, { momentum: 0.9 }))],
  ['a penalty before clipping', chain(l1(0.3), weightDecay(0.3), clipByNorm(0.1), adam(0.05))],
  ['nested chains', chain(clipByValue(1), chain(weightDecay(0.3), chain(clipByNorm(0.1), adam(0.05))), maxNorm(0.5))],
];
const frozen = ['embedding', 'lstm.weightHh'];
const isFrozen = (path: string) => path === 'embedding.weight' || path === 'lstm.weightHh';

describe.each(optimizers)('freeze with %s', (_, optimizer) => {
  it('does not change a bit of frozen parameters, and changes the others', async () => {
    const model = net();
    model.parameters['embedding']!['weight']!.data.set([0, -0, 1e-42]);
    const before = parametersOf(model);
    const { optimizerState } = await fit(model, data, {
      loss: crossEntropy,
      optimizer: freeze(frozen, optimizer),
      steps: 6,
    });
    for (const [path, after] of Object.entries(parametersOf(model))) {
      if (isFrozen(path)) expect(after).toEqual(before[path]);
      else expect(after).not.toEqual(before[path]);
    }
    let offset = 0;
    for (const { path, tensor } of leaves(model.parameters)) {
      for (const slot of optimizerState.slots)
        if (isFrozen(path)) expect(slot.subarray(offset, offset + tensor.data.length).every((x) => x === 0)).toBe(true);
      offset += tensor.data.length;
    }
  });

  it('trains the other parameters as if the frozen ones were constants outside of the model', async () => {
    const model = net();
    const { embedding: fixed, lstm: cell, dense: head } = structuredClone(model.parameters);
    const { weightHh, ...trained } = cell!;
    const custom = customModel({ lstm: trained, dense: head! }, (p, batch: Batch<IntTensor>, context) => {
      const constants = { embedding: fixed!, weightHh: weightHh! };
      const lstm = { ...p.lstm, weightHh: multiply(constants.weightHh, 1) };
      const embedding = { weight: multiply(constants.embedding['weight']!, 1) };
      const { output } = runModel(model, { embedding, lstm, dense: p.dense }, batch.inputs, context);
      return crossEntropy(output, batch.targets);
    });
    const options = { loss: crossEntropy, optimizer: freeze(frozen, optimizer), steps: 6 };
    const { losses } = await fit(model, data, options);
    const expected = await fit(custom, data, { optimizer, steps: 6 });
    losses.forEach((loss, i) => expect(loss).toBeCloseTo(expected.losses[i]!, 5));
    for (const { path, tensor } of leaves(custom.parameters)) {
      const found = leaves(model.parameters).find((leaf) => leaf.path === path)!.tensor;
      found.data.forEach((x, i) => expect(x).toBeCloseTo(tensor.data[i]!, 4));
    }
  });

  it('gives the same bits in a custom loop', async () => {
    const [one, other] = [net(), net()];
    const masked = freeze(frozen, optimizer);
    await fit(one, data, { loss: crossEntropy, optimizer: masked, steps: 3 });
    const state = initializeOptimizer(masked, other.data.length);
    const batches = [...data.batches(createRandom(0))];
    for (const { inputs, targets } of batches.slice(0, 3)) {
      const { gradient } = valueAndGradient(other.parameters, (p) =>
        crossEntropy(runModel(other, p, inputs).output, targets),
      );
      applyOptimizer(masked, state, other.parameters, gradient);
    }
    expect(parametersOf(other)).toEqual(parametersOf(one));
  });

  it('resumes to the same bits', async () => {
    const options = { loss: crossEntropy, optimizer: freeze(frozen, optimizer), steps: 5 };
    const states: TrainingState[] = [];
    const whole = net();
    const write = (state: TrainingState) => states.push(structuredClone(state));
    const result = await fit(whole, data, { ...options, checkpoint: { every: 1, write } });
    for (const state of states) {
      const rest = net();
      rest.data.fill(9);
      expect(await fit(rest, data, { ...options, resume: state })).toEqual(result);
      expect(parametersOf(rest)).toEqual(parametersOf(whole));
    }
  });
});

describe('freeze', () => {
  const layers: Record<string, () => readonly Layer[]> = {
    gru: () => [dense({ size: 3 }), recurrent(gru(), { hiddenSize: 4, learnInitialState: true }), layerNorm()],
    'layer-norm LSTM': () => [recurrent(layerNormLstm(), { hiddenSize: 4 }), dense({ size: 3 })],
    bidirectional: () => [bidirectional(lstm(), { hiddenSize: 3 }), dense({ size: 3 })],
    residual: () => [residual([recurrent(gru({ reset: 'before' }), { hiddenSize: 2 })]), dense({ size: 3 })],
  };
  const batchOf = (size: number): Batch<Tensor> => {
    const random = createRandom(4);
    return { inputs: normal(0, 1)([7, 2, 2], random), targets: normal(0, 1)([7, 2, size], random) };
  };

  it.each(Object.keys(layers))('leaves the gradients of the other parameters as they are (%s)', async (name) => {
    const build = () => sequential(layers[name]!(), { inputSize: 2, seed: 3 });
    const size = (build().output as { readonly size: number }).size;
    const batch = batchOf(size);
    for (const run of name === 'bidirectional' ? [runModel] : [runModel, runInSegments]) {
      const whole = build();
      await fit(whole, [batch], { loss: meanSquaredError, optimizer: sgd(0.1), run });
      const initial = parametersOf(build());
      for (const { path } of leaves(whole.parameters)) {
        const model = build();
        await fit(model, [batch], { loss: meanSquaredError, optimizer: freeze([path], sgd(0.1)), run });
        expect(parametersOf(model)).toEqual({ ...parametersOf(whole), [path]: initial[path] });
      }
    }
  });

  it('leaves frozen parameters out of norms', async () => {
    const parameters = { a: tensor([0, 0]), b: { c: tensor([0]), d: tensor([1]) } };
    const gradient = { a: tensor([3, 4]), b: { c: tensor([1e30]), d: tensor([NaN]) } };
    const optimizer = freeze(['b'], chain(weightDecay(1), clipByNorm(1), sgd(1)));
    const { norm } = applyOptimizer(optimizer, initializeOptimizer(optimizer, 4), parameters, gradient);
    expect(norm).toBe(5);
    expect([...parameters.a.data, ...parameters.b.c.data, ...parameters.b.d.data]).toEqual([
      expect.closeTo(-0.6, 5),
      expect.closeTo(-0.8, 5),
      0,
      1,
    ]);
    const norms: number[] = [];
    for (const optimizer of [sgd(0.1), freeze(['lstm', 'embedding', 'dense.weight'], sgd(0.1))])
      await fit(net(), data, {
        loss: crossEntropy,
        optimizer,
        steps: 1,
        onProgress: ({ gradientNorm }: Progress) => norms.push(gradientNorm),
      });
    const { gradient: full } = valueAndGradient(net().parameters, (p) => {
      const [{ inputs, targets }] = [...data.batches(createRandom(0))] as [Batch<IntTensor>];
      return crossEntropy(runModel(net(), p, inputs).output, targets);
    });
    expect(norms[0]).toBeCloseTo(Math.hypot(...leaves(full).flatMap(({ tensor }) => [...tensor.data])), 5);
    expect(norms[1]).toBeCloseTo(Math.hypot(...full['dense']!['bias']!.data), 5);
  });

  it('does not apply to transformations outside', () => {
    const parameters = { a: tensor([1]), b: tensor([1]) };
    const optimizer = chain(freeze(['b'], sgd(1)), maxNorm(0.5), weightDecay(0));
    applyOptimizer(optimizer, { step: 0, slots: [] }, parameters, { a: tensor([1]), b: tensor([1]) });
    expect([parameters.a.data[0], parameters.b.data[0]]).toEqual([0, 1]);
    applyOptimizer(chain(freeze(['b'], sgd(1)), weightDecay(1)), { step: 0, slots: [] }, parameters, {
      a: tensor([1]),
      b: tensor([1]),
    });
    expect(parameters.b.data[0]).toBe(2);
  });

  it('can be nested, and can freeze everything', async () => {
    const model = net();
    const before = parametersOf(model);
    const optimizer = freeze(['lstm'], freeze(['embedding', 'dense'], adam(0.1)));
    const norms: number[] = [];
    const { losses } = await fit(model, data, {
      loss: crossEntropy,
      optimizer,
      steps: 3,
      onProgress: ({ gradientNorm }) => norms.push(gradientNorm),
    });
    expect(losses.every((loss) => loss > 0)).toBe(true);
    expect(norms).toEqual([0, 0, 0]);
    expect(parametersOf(model)).toEqual(before);
  });

  it('does not freeze parameters whose paths only begin with a name', async () => {
    const model = sequential([dense({ size: 2 }), dense({ size: 2 })], { inputSize: 2 });
    const [first, second] = [bits(model.parameters['dense']!['weight']!), bits(model.parameters['dense2']!['weight']!)];
    const optimizer = freeze(['dense'], sgd(0.1));
    await fit(model, [batchOf(2)], { loss: meanSquaredError, optimizer });
    expect(bits(model.parameters['dense']!['weight']!)).toEqual(first);
    expect(bits(model.parameters['dense2']!['weight']!)).not.toEqual(second);
  });

  it('unfreezes with the optimizer state of a training with frozen parameters', async () => {
    const model = net();
    const first = await fit(model, data, { loss: crossEntropy, optimizer: freeze(['lstm'], adam(0.01)), steps: 2 });
    const before = parametersOf(model);
    const { optimizerState } = first;
    await fit(model, data, { loss: crossEntropy, optimizer: adam(0.01), steps: 2, optimizerState });
    expect(parametersOf(model)['lstm.weightIh']).not.toEqual(before['lstm.weightIh']);
  });

  it('works on streams', () => {
    const model = sequential([recurrent(gru(), { hiddenSize: 4 }), dense({ size: 3 })], { inputSize: 2 });
    const before = parametersOf(model);
    const optimizer = freeze(['gru'], adamw(0.1));
    const trainer = truncatedBptt(model, { window: 7, loss: meanSquaredError, optimizer, batchSize: 2 });
    trainOn(trainer, batchOf(3));
    for (const [path, after] of Object.entries(parametersOf(model)))
      if (path.startsWith('gru')) expect(after).toEqual(before[path]);
      else expect(after).not.toEqual(before[path]);
  });

  it('keeps the names that it has been given', () => {
    const names = ['a'];
    const optimizer = freeze(names, sgd(1));
    names[0] = 'b';
    const parameters = { a: tensor([1]), b: tensor([1]) };
    applyOptimizer(optimizer, { step: 0, slots: [] }, parameters, { a: tensor([1]), b: tensor([1]) });
    expect(parameters).toEqual({ a: tensor([1]), b: tensor([0]) });
  });

  it('rejects unknown names, and lists at most eight', async () => {
    const model = net();
    const before = parametersOf(model);
    const train = (names: readonly string[]) =>
      fit(model, data, { loss: crossEntropy, optimizer: freeze(names, adam()), steps: 1 });
    await expect(train(['embedding', 'lstn'])).rejects.toThrow(
      'freeze: names must be among the parameters (embedding, lstm, dense), got lstn.',
    );
    await expect(train(['lstm.weight'])).rejects.toThrow(
      'freeze: names must be among the parameters (lstm.weightIh, lstm.weightHh, lstm.bias), got lstm.weight.',
    );
    await expect(train([''])).rejects.toThrow(RangeError);
    expect(parametersOf(model)).toEqual(before);
    // Also those that are inside of another one.
    for (const inner of [freeze(['lstn'], adam()), chain(clipByNorm(1), freeze(['lstn'], adam()))])
      await expect(fit(model, data, { loss: crossEntropy, optimizer: freeze(['lstm'], inner) })).rejects.toThrow(
        'got lstn.',
      );
    expect(parametersOf(model)).toEqual(before);
    const many = Array.from({ length: 9 }, () => tensor([1]));
    expect(() => applyOptimizer(freeze(['9'], sgd()), { step: 0, slots: [] }, many, many)).toThrow(
      'freeze: names must be among the parameters (0, 1, 2, 3, 4, 5, 6, 7, …), got 9.',
    );
    expect(() => freeze('lstm' as unknown as string[], sgd())).toThrow(
      'freeze: names must be an array of defined elements, got lstm.',
    );
  });
});
