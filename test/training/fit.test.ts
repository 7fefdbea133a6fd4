/** Training of models: convergence, reproducibility, early stopping, errors and memory. */

import {
  accuracy,
  adagrad,
  adam,
  adamw,
  add,
  type Batch,
  batchesOf,
  type Cell,
  chain,
  clipByNorm,
  clipByValue,
  createRandom,
  crossEntropy,
  customModel,
  type Dataset,
  dense,
  dropout,
  embedding,
  evaluate,
  fit,
  freeze,
  full,
  gru,
  type IntTensor,
  identity,
  initializeCell,
  leaves,
  lstm,
  meanSquaredError,
  normal,
  type Optimizer,
  type Progress,
  recurrent,
  relu,
  rmsprop,
  runModel,
  type Sequential,
  scale,
  sequential,
  sgd,
  simpleRnn,
  slice,
  sqrt,
  sum,
  type Tensor,
  type TrainingState,
  tensor,
  toTensor,
  unroll,
  valueAndGradient,
  warmup,
  weightDecay,
  windows,
} from 'bptt';
import { describe, expect, it, vi } from 'vitest';
import { defaultWorkspace } from '../../src/kernels/workspace';
import { collectGarbage } from '../memory';

const cycle = Int32Array.from({ length: 400 }, (_, i) => [0, 1, 2, 1, 3][i % 5]!);
const data = windows(cycle, { sequenceLength: 8, batchSize: 4 });

function model(seed = 1): Sequential {
  return sequential(
    [embedding({ vocabularySize: 4, size: 4 }), recurrent(lstm(), { hiddenSize: 8 }), dense({ size: 4 })],
    { seed },
  );
}

/** A dataset of equal batches. */
const repeated = <const B>(batch: B, batchCount: number): Dataset<B> => ({
  batchCount,
  batches: () => new Array<B>(batchCount).fill(batch),
});

describe('fit', () => {
  it.each<[string, Optimizer]>([
    ['sgd', sgd(1)],
    ['sgd with momentum', sgd(0.3, { momentum: 0.9 })],
    ['sgd with Nesterov momentum', sgd(0.3, { momentum: 0.9, nesterov: true })],
    ['rmsprop', rmsprop(0.02)],
    ['adagrad', adagrad(0.3)],
    ['adam', adam(0.05)],
    ['adamw', adamw(0.05)],
    [
      'a chain',
      chain(
        clipByValue(0.5),
        clipByNorm(1),
        weightDecay(1e-4),
        adam((step) => 0.05 / step ** 0.2),
      ),
    ],
  ])('learns a cycle that needs memory with %s', async (_, optimizer) => {
    const net = model();
    await fit(net, data, { loss: crossEntropy, optimizer, steps: 250 });
    expect(evaluate(net, data, { loss: crossEntropy, metrics: { accuracy } }).accuracy).toBeGreaterThan(0.9);
  });

  it('is reproducible to the bit with the same seed', async () => {
    const train = async (seed?: number): Promise<number[]> => {
      const net = sequential([
        embedding({ vocabularySize: 4, size: 4 }),
        dropout(0.2),
        recurrent(gru(), { hiddenSize: 8 }),
        dense({ size: 4 }),
      ]);
      await fit(net, data, { loss: crossEntropy, optimizer: adam(0.01), steps: 20, seed });
      return [...net.data];
    };
    expect(await train(3)).toEqual(await train(3));
    expect(await train(3)).not.toEqual(await train(4));
    expect(await train()).toEqual(await train(0));
  });

  it('continues with the optimizer state', async () => {
    const ordered = windows(cycle, { sequenceLength: 8, batchSize: 4, shuffle: false });
    const optimizer = adam(0.01);
    const whole = model();
    await fit(whole, ordered, { loss: crossEntropy, optimizer, epochs: 2 });
    const halves = model();
    const { optimizerState } = await fit(halves, ordered, { loss: crossEntropy, optimizer, epochs: 1 });
    await fit(halves, ordered, { loss: crossEntropy, optimizer, epochs: 1, optimizerState });
    expect([...halves.data]).toEqual([...whole.data]);
  });

  it('changes a given optimizer state after every update', async () => {
    const custom = customModel({ w: tensor(0) }, ({ w }, batch: number) => scale(w, batch));
    const optimizer = sgd(0.5, { momentum: 0.5 });
    const optimizerState = { name: 'sgd', step: 3, slots: [Float32Array.of(4)] };
    const seen: number[][] = [];
    const onProgress = () => seen.push([optimizerState.step, optimizerState.slots[0]![0]!]);
    const result = await fit(custom, [1, 1, 2], { optimizer, optimizerState, onProgress });
    // The velocity is halved, and the gradient added.
    expect(seen).toEqual([
      [4, 3],
      [5, 2.5],
      [6, 3.25],
    ]);
    expect(result.optimizerState).toBe(optimizerState);
    expect([...custom.data]).toEqual([-0.5 * (3 + 2.5 + 3.25)]);
  });

  it('reports progress and stops when aborted', async () => {
    const seen: Progress[] = [];
    const signal = { aborted: false };
    const result = await fit(model(), data, {
      loss: crossEntropy,
      optimizer: chain(clipByNorm(1), adam()),
      steps: 50,
      signal,
      onProgress: (progress) => {
        seen.push(progress);
        signal.aborted = progress.step === 7;
      },
    });
    expect(result.stopped).toBe('aborted');
    expect(result.steps).toBe(7);
    expect(seen).toHaveLength(7);
    expect(seen[0]!.gradientNorm).toBeGreaterThan(0);
    expect(seen[6]).toMatchObject({ step: 7, steps: 50, epoch: 1 });
  });

  it('reports which update is the last one if training is aborted from outside, which a pause notices', async () => {
    const seen: Progress[] = [];
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 1);
    const options = { loss: crossEntropy, optimizer: adam(), steps: 1e6, signal: controller.signal };
    const { stopped, steps } = await fit(model(), data, { ...options, onProgress: (p) => seen.push(p) });
    expect(stopped).toBe('aborted');
    expect(seen).toHaveLength(steps);
    expect(seen.map(({ done }) => done)).toEqual(seen.map((_, i) => i === steps - 1));
  });

  it.each<[string, Optimizer]>([
    ['clipping', chain(clipByNorm(1e-3), adam())],
    ['a penalty and no clipping', chain(weightDecay(10), sgd(0.1, { momentum: 0.9 }))],
    ['a transformation without a rate', { name: 'none', slots: 0, update: () => {} }],
  ])('reports the norm of the gradient of the loss before %s', async (_, optimizer) => {
    const net = model();
    const ordered = windows(cycle, { sequenceLength: 8, batchSize: 4, shuffle: false });
    const batches = [...ordered.batches(createRandom(0))];
    const normOf = ({ inputs, targets }: Batch<IntTensor>): number => {
      const { gradient } = valueAndGradient(net.parameters, (p) =>
        crossEntropy(runModel(net, p, inputs).output, targets),
      );
      return Math.hypot(...leaves(gradient).flatMap(({ tensor }) => [...tensor.data]));
    };
    let expected = normOf(batches[0]!);
    expect.assertions(4);
    await fit(net, ordered, {
      loss: crossEntropy,
      optimizer,
      steps: 4,
      onProgress: ({ step, gradientNorm }) => {
        expect(gradientNorm / expected).toBeCloseTo(1, 4);
        expected = normOf(batches[step]!);
      },
    });
  });

  it.each<[string, Optimizer, (number | undefined)[]]>([
    ['a constant rate', sgd(0.1), [0.1, 0.1, 0.1, 0.1]],
    ['a rate of 0', sgd(0), [0, 0, 0, 0]],
    ['a schedule', adam(warmup(1, { steps: 4 })), [0.25, 0.5, 0.75, 1]],
    [
      'a chain',
      chain(
        clipByNorm(1),
        adamw((step) => 1 / step),
        weightDecay(0),
      ),
      [1, 1 / 2, 1 / 3, 1 / 4],
    ],
    ['a nested chain', chain(chain(clipByNorm(1), rmsprop(0.01)), weightDecay(0)), [0.01, 0.01, 0.01, 0.01]],
    ['frozen parameters', freeze(['dense'], chain(clipByNorm(1), adagrad(0.5))), [0.5, 0.5, 0.5, 0.5]],
    ['no rate', { name: 'none', slots: 0, update: () => {} }, [undefined, undefined, undefined, undefined]],
  ])('reports the learning rate of every update, with %s', async (_, optimizer, rates) => {
    const seen: (number | undefined)[] = [];
    const states: TrainingState[] = [];
    const options = { loss: crossEntropy, optimizer, steps: 4 };
    const onProgress = ({ learningRate }: Progress) => seen.push(learningRate);
    const write = (state: TrainingState) => states.push(state);
    await fit(model(), data, { ...options, onProgress, checkpoint: { every: 2, write } });
    expect(seen).toEqual(rates);
    await fit(model(), data, { ...options, onProgress, resume: states[0] });
    expect(seen.slice(4)).toEqual(rates.slice(2));
    await fit(model(), data, { ...options, onProgress, steps: 2, optimizerState: states[0]!.optimizer });
    expect(seen.slice(6)).toEqual(rates.slice(2));
  });

  it('stops early and restores the best parameters', async () => {
    const net = model();
    const other = windows(
      Int32Array.from({ length: 60 }, (_, i) => (i * i) % 4),
      { sequenceLength: 8, batchSize: 2, shuffle: false },
    );
    const { stopped, validationLosses } = await fit(net, data, {
      loss: crossEntropy,
      optimizer: adam(0.05),
      epochs: 40,
      validation: other,
      patience: 2,
    });
    expect(stopped).toBe('early');
    expect(evaluate(net, other, { loss: crossEntropy }).loss).toBeCloseTo(Math.min(...validationLosses), 6);
  });

  it.each([
    { patience: 1, losses: [5, 4, 3, 4], epochs: 4 },
    { patience: 1, losses: [5, 6], epochs: 2 },
    { patience: 2, losses: [5, 6, 7], epochs: 3 },
    { patience: 2, losses: [5, 6, 4, 4, 4], epochs: 5 },
    { patience: 2, losses: [NaN, 5, 4, 6, NaN], epochs: 5 },
    { patience: 3, losses: [NaN, Infinity, 5, 6, 7, 8], epochs: 6 },
  ])('stops after $epochs epochs with patience $patience and the validation losses $losses', async (example) => {
    // The parameter counts the updates; three of them are an epoch.
    const custom = customModel({ updates: tensor(0) }, ({ updates }, batch: string) =>
      batch === 'train'
        ? scale(updates, -1)
        : add(scale(updates, 0), example.losses[toTensor(updates).data[0]! / 3 - 1]!),
    );
    const { steps, stopped, validationLosses } = await fit(custom, repeated('train', 3), {
      optimizer: sgd(1),
      epochs: 9,
      validation: repeated('validate', 1),
      patience: example.patience,
    });
    expect([steps, stopped]).toEqual([3 * example.epochs, 'early']);
    expect(validationLosses).toEqual(example.losses);
    // The best epoch is the first with the lowest loss.
    const lowest = Math.min(...example.losses.filter((loss) => !Number.isNaN(loss)));
    expect(custom.parameters.updates.data[0]).toBe(3 * (example.losses.indexOf(lowest) + 1));
  });

  it('keeps the parameters of the last epoch without patience', async () => {
    const custom = customModel({ updates: tensor(0) }, ({ updates }, batch: string) =>
      scale(updates, batch === 'train' ? -1 : 1),
    );
    const options = { optimizer: sgd(1), epochs: 3, validation: repeated('validate', 1) };
    expect((await fit(custom, repeated('train', 2), options)).validationLosses).toEqual([2, 4, 6]);
    expect(custom.parameters.updates.data[0]).toBe(6);
  });

  it('smooths the loss over about 50 updates', async () => {
    const losses = Array.from({ length: 60 }, (_, i) => (i * i) % 7);
    const custom = customModel({ w: tensor(0) }, ({ w }, loss: number) => add(scale(w, 0), loss));
    const seen: number[] = [];
    await fit(custom, losses, { optimizer: sgd(), onProgress: ({ smoothedLoss }) => seen.push(smoothedLoss) });
    const meanOf = (count: number): number => losses.slice(0, count).reduce((total, loss) => total + loss) / count;
    expect(seen[0]).toBe(losses[0]);
    expect(seen[49]).toBeCloseTo(meanOf(50), 10);
    expect(seen[50]).toBeCloseTo(0.98 * meanOf(50) + 0.02 * losses[50]!, 10);
    expect(seen[51]).toBeCloseTo(0.98 * seen[50]! + 0.02 * losses[51]!, 10);
  });

  it('resumes within the last epoch, and after early stopping without another one', async () => {
    const states: TrainingState[] = [];
    const custom = () => customModel({ w: tensor(0) }, ({ w }, _: string) => add(scale(w, 0), 1));
    const options = {
      optimizer: sgd(1),
      epochs: 9,
      validation: repeated('validate', 1),
      patience: 2,
      checkpoint: { every: 1, write: (state: TrainingState) => states.push(state) },
    };
    const { steps, stopped, losses, validationLosses } = await fit(custom(), repeated('train', 3), options);
    expect([steps, stopped]).toEqual([9, 'early']);
    for (const resume of states) {
      const resumed = await fit(custom(), repeated('train', 3), { ...options, resume });
      expect(resumed).toMatchObject({ steps, stopped, losses, validationLosses });
    }
  });

  it('rejects data with fewer batches than it states, and ends an epoch after as many', async () => {
    const training = (batchCount: number, length: number) => {
      const data = { batchCount, batches: () => Array.from({ length }, (_, i) => i) };
      const seen: number[] = [];
      const custom = customModel({ w: tensor(0) }, ({ w }, batch: number) => {
        seen.push(batch);
        return scale(w, 0);
      });
      return fit(custom, data, { optimizer: sgd(1), epochs: 2 }).then(() => seen);
    };
    for (const length of [1, 2])
      await expect(training(3, length)).rejects.toThrow(
        `fit: data.batchCount must be ${length}, the number of batches, got 3.`,
      );
    await expect(training(3, 0)).rejects.toThrow('fit: data in epoch 1 must be at least one batch, got none.');
    expect(await training(2, 3)).toEqual([0, 1, 0, 1]);
  });

  it('stops early and keeps the parameters if no validation loss is a number', async () => {
    const custom = customModel({ updates: tensor(0) }, ({ updates }, batch: string) =>
      batch === 'train' ? scale(updates, -1) : add(scale(updates, 0), NaN),
    );
    const { steps, stopped } = await fit(custom, repeated('train', 3), {
      optimizer: sgd(1),
      epochs: 9,
      validation: repeated('validate', 1),
      patience: 2,
    });
    expect([steps, stopped, custom.parameters.updates.data[0]]).toEqual([6, 'early', 6]);
  });

  it.each([
    ['', globalThis.setImmediate],
    [' in browsers, which have no setImmediate', undefined],
    [
      ' in edge functions, whose setImmediate throws',
      () => {
        throw new Error('A Node.js API is used (setImmediate) which is not supported in the Edge Runtime.');
      },
    ],
  ])('lets the event loop run%s', async (_, setImmediate) => {
    vi.stubGlobal('setImmediate', setImmediate);
    const signal = { aborted: false };
    const timer = setTimeout(() => {
      signal.aborted = true;
    }, 1);
    const { stopped } = await fit(model(), data, { loss: crossEntropy, optimizer: adam(), steps: 1_000_000, signal });
    clearTimeout(timer);
    vi.unstubAllGlobals();
    expect(stopped).toBe('aborted');
  });

  it('measures the speed, and lets the event loop run after more than 20 ms', async () => {
    // Every update takes 10 ms.
    let time = 1000;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => time);
    const turns: number[] = [];
    let step = 0;
    vi.stubGlobal('setImmediate', (callback: () => void) => {
      turns.push(step);
      queueMicrotask(callback);
    });
    const custom = customModel({ w: tensor(0) }, ({ w }, _: { targets: Tensor }) => {
      time += 10;
      step++;
      return scale(w, 0);
    });
    const seen: number[][] = [];
    try {
      const onProgress = ({ targetsPerSecond, secondsLeft }: Progress) => seen.push([targetsPerSecond, secondsLeft]);
      await fit(custom, repeated({ targets: full([6], 1) }, 8), { optimizer: sgd(), onProgress });
    } finally {
      clock.mockRestore();
      vi.unstubAllGlobals();
    }
    expect(turns).toEqual([3, 6]);
    expect(seen).toHaveLength(8);
    seen.forEach(([rate, left], i) => {
      expect(rate).toBeCloseTo(600, 9);
      expect(left).toBeCloseTo(0.01 * (7 - i), 9);
    });
  });

  it('rejects an AbortController in place of its signal', async () => {
    const options = { loss: crossEntropy, optimizer: adam(), signal: new AbortController() as never };
    await expect(fit(model(), data, options)).rejects.toThrow(
      new TypeError('fit: signal must be an abort signal, got an instance of AbortController.'),
    );
  });

  it('lets the event loop run during validation', async () => {
    const custom = customModel({ w: tensor(0) }, ({ w }, _: number) => scale(w, 0));
    let turns = 0;
    const validation = {
      batchCount: 3,
      *batches() {
        const before = turns;
        setImmediate(() => turns++);
        for (let i = 0; i < 3; i++) {
          const start = performance.now();
          while (performance.now() - start < 25);
          yield i;
        }
        expect(turns).toBe(before + 1);
      },
    };
    await fit(custom, [1], { optimizer: sgd(), validation, epochs: 2 });
    expect(turns).toBe(2);
  });

  it('throws if the loss is not finite, names step and layer, and keeps the parameters', async () => {
    const net = sequential([recurrent(lstm(), { hiddenSize: 4 }), dense({ size: 1 })], { inputSize: 2 });
    const before = [...net.data];
    const inputs = full([3, 2, 2], NaN);
    const broken = batchesOf(inputs, full([3, 2, 1], 0), { batchSize: 2 });
    await expect(fit(net, broken, { loss: meanSquaredError, optimizer: sgd() })).rejects.toThrow(
      /NaN at step 1.*output of layer lstm/,
    );
    expect([...net.data]).toEqual(before);
  });

  it('throws if the gradient is not finite', async () => {
    const net = sequential([dense({ size: 1 })], { inputSize: 1 });
    // The loss is about 1e6, and the gradient about 1e40.
    net.data.fill(1e-34);
    const before = [...net.data];
    const huge = batchesOf(full([1, 1, 1], 1e37), full([1, 1, 1], 0), { batchSize: 1 });
    await expect(fit(net, huge, { loss: meanSquaredError, optimizer: sgd() })).rejects.toThrow(
      'fit: the gradient was not finite at step 1; it appeared in parameter dense.weight.',
    );
    expect([...net.data]).toEqual(before);
    // The loss is 0, and its gradient infinite. Clipping to a norm would make it 0.
    const steep = customModel({ a: { w: tensor(0) } }, ({ a }, _: number) => sqrt(a.w));
    await expect(fit(steep, [1], { optimizer: chain(clipByNorm(1), sgd()) })).rejects.toThrow(
      'fit: the gradient was not finite at step 1; it appeared in parameter a.w.',
    );
  });

  it('holds at most 2 MB more in arrays after 2,000 updates than after two', async () => {
    const net = model();
    const used: number[] = [];
    await fit(net, data, {
      loss: crossEntropy,
      optimizer: chain(clipByNorm(1), adam()),
      steps: 2000,
      onProgress: ({ step }) => {
        if (step === 2) collectGarbage();
        if (step === 2 || step === 2000) used.push(process.memoryUsage().arrayBuffers);
      },
    });
    // Garbage that is not collected yet may remain; 2 MB are far less than the arrays of 2,000 updates.
    expect(used[1]! - used[0]!).toBeLessThan(2 * 2 ** 20);
  });

  it('frees the memory of the optimizer state when it ends or fails', async () => {
    const fail = () => {
      throw new Error('the disk is full');
    };
    const { free } = defaultWorkspace();
    const used = () => free.reduce((size, { start, end }) => size - (end - start), defaultWorkspace().base);
    const before = used();
    const options = { loss: crossEntropy, optimizer: adam(), steps: 2 };
    await fit(model(), data, options);
    await expect(fit(model(), data, { ...options, onProgress: fail })).rejects.toThrow('the disk is full');
    // Memory of other tests may be freed at any time.
    expect(used()).toBeLessThanOrEqual(before);
  });

  it.each<[string, object, RegExp]>([
    ['steps', { steps: 1.5 }, /fit: steps must be an integer/],
    ['epochs', { epochs: -1 }, /fit: epochs/],
    ['steps of another type', { steps: 2n }, /fit: steps must be an integer/],
    ['patience without validation', { patience: 1 }, /validation/],
    ['patience', { patience: 0, validation: data }, /^fit: patience must be an integer of at least 1, got 0/],
    ['checkpoint.every', { checkpoint: { every: 0, write: () => 1 } }, /^fit: checkpoint.every must be an integer/],
    ['checkpoint.write', { checkpoint: { every: 1 } }, /^fit: checkpoint.write must be a function, got undefined/],
    ['names', { epoch: 3 }, /^fit: options must have only optimizer, epochs, .*, got epoch/],
    [
      'optimizerState',
      { optimizerState: { name: 'sgd', step: 1, slots: [new Float32Array(3)] } },
      /^fit: optimizerState must be /,
    ],
    ['onProgress', { onProgress: 'log' }, /^fit: onProgress must be a function, got log/],
    ['run', { run: 'segments' }, /^fit: run must be a function, got segments/],
    ['results of run', { run: () => undefined }, /^fit: the output must be a variable, .*, got undefined/],
    ['resume', { resume: 'a.safetensors' }, /^fit: resume must be of a model with \d+ parameters, got a.safetensors/],
    [
      'resume',
      { resume: Promise.resolve() },
      /^fit: resume must be of a model with \d+ parameters, got an instance of Promise/,
    ],
  ])('rejects wrong %s', async (_, options, message) => {
    await expect(fit(model(), data, { loss: crossEntropy, optimizer: sgd(), ...options })).rejects.toThrow(message);
  });

  it('rejects data without batches', async () => {
    const empty: Dataset<Batch<IntTensor>> = { batchCount: 0, batches: () => [] };
    await expect(fit(model(), empty, { loss: crossEntropy, optimizer: sgd() })).rejects.toThrow(
      /the number of batches must be an integer of at least 1, got 0/,
    );
  });
});

describe('gradients over time', () => {
  /** The norm of the gradient of the last output with respect to the input at the first and at the last step. */
  function gradientFlow(cell: Cell, parameters: Record<string, Tensor>, T: number): [number, number] {
    const xs = normal(0, 0.5)([T, 1, 2], createRandom(4));
    const { gradient } = valueAndGradient({ xs }, (p) => sum(slice(unroll(cell, parameters, p.xs).outputs, T - 1)));
    const norm = (values: Float32Array): number => Math.hypot(...values);
    return [norm(gradient.xs.data.subarray(0, 2)), norm(gradient.xs.data.subarray(2 * T - 2))];
  }
  const H = 16;
  const T = 200;

  it('vanish in a tanh network over 200 steps', () => {
    const p = initializeCell(simpleRnn(), {
      inputSize: 2,
      hiddenSize: H,
      random: 2,
      recurrentInitializer: normal(0, 0.8 / Math.sqrt(H)),
    });
    const [first, last] = gradientFlow(simpleRnn(), p, T);
    expect(last).toBeGreaterThan(0.1);
    expect(first / last).toBeLessThan(1e-6);
  });

  it('persist in a ReLU network initialized to the identity, and in an LSTM with an open forget gate', () => {
    const irnn = simpleRnn({ activation: relu });
    const p = initializeCell(irnn, {
      inputSize: 2,
      hiddenSize: H,
      random: 2,
      recurrentInitializer: identity(),
      biasInitializer: () => full([H], 0.5),
    });
    const [first, last] = gradientFlow(irnn, p, T);
    expect(first / last).toBeGreaterThan(0.1);
    const q = initializeCell(lstm(), { inputSize: 2, hiddenSize: H, random: 2 });
    q['bias']!.data.fill(6, H, 2 * H);
    q['bias']!.data.fill(-3, 0, H);
    const [early, late] = gradientFlow(lstm(), q, T);
    expect(early / late).toBeGreaterThan(1e-3);
  });

  it('explode without clipping', async () => {
    const make = (): Sequential =>
      sequential(
        [
          recurrent(simpleRnn({ activation: relu }), {
            hiddenSize: 8,
            recurrentInitializer: identity(1.2),
            returnSequences: false,
          }),
          dense({ size: 1 }),
        ],
        { inputSize: 1, seed: 3 },
      );
    const random = createRandom(1);
    const inputs = normal()([40, 16, 1], random);
    const batches = batchesOf(inputs, full([16, 1], 1), { batchSize: 4, targetAxis: 0 });
    const options = { loss: meanSquaredError, steps: 200 };
    await expect(fit(make(), batches, { ...options, optimizer: sgd(0.01) })).rejects.toThrow(/clipByNorm/);
    const { losses } = await fit(make(), batches, { ...options, optimizer: chain(clipByNorm(1), sgd(0.01)) });
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
  });
});
