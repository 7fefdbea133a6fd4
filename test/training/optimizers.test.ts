/** Optimizers compared with PyTorch's over sixty updates, and their states in checkpoints. */

import {
  adagrad,
  adam,
  adamw,
  amsgrad,
  applyOptimizer,
  centeredRmsprop,
  chain,
  clipByNorm,
  crossEntropy,
  dense,
  embedding,
  fit,
  initializeOptimizer,
  type KernelName,
  loadInto,
  nadam,
  type Optimizer,
  recurrent,
  rmsprop,
  type Sequential,
  save,
  sequential,
  sgd,
  simpleRnn,
  type Tensor,
  type TrainingState,
  tensor,
  useKernels,
  windows,
} from 'bptt';
import { afterAll, describe, expect, it } from 'vitest';
import { golden } from '../golden/read';
import { engineRuns } from '../kernels/engine';

afterAll(() => useKernels(undefined));

const expected = golden<{
  readonly initial: readonly number[];
  readonly gradients: readonly (readonly number[])[];
  /** The indices of the updates after which the parameters are kept. */
  readonly kept: readonly number[];
  readonly parameters: Readonly<Record<string, readonly (readonly number[])[]>>;
}>('optimizers');

const betas = { beta1: 0.8, beta2: 0.95, epsilon: 1e-6 };
const optimizers: Record<string, Optimizer> = {
  sgd: sgd(0.05, { momentum: 0.9, nesterov: true }),
  rmsprop: rmsprop(0.01, { rho: 0.9, epsilon: 1e-6 }),
  'rmsprop with momentum': rmsprop(0.01, { rho: 0.95, epsilon: 1e-6, momentum: 0.8 }),
  'rmsprop, centered': centeredRmsprop(0.01, { rho: 0.95, epsilon: 1e-3 }),
  'rmsprop, centered, with momentum': centeredRmsprop(0.01, { rho: 0.95, epsilon: 1e-3, momentum: 0.8 }),
  adagrad: adagrad(0.1),
  'adagrad with an initial accumulator': adagrad(0.1, { initialAccumulator: 0.5, epsilon: 1e-6 }),
  adam: adam(0.02, betas),
  adamw: adamw(0.02, { ...betas, weightDecay: 0.1 }),
  amsgrad: amsgrad(0.02, betas),
  nadam: nadam(0.02, { ...betas, momentumDecay: 0.01 }),
  'nadam with the default options': nadam(),
};

it('every golden sequence is compared', () => {
  expect(Object.keys(optimizers)).toEqual(Object.keys(expected.parameters));
});

describe.each((['portable', 'simd', 'relaxed', 'wide'] as const satisfies readonly KernelName[]).filter(engineRuns))(
  'kernels %s',
  (kernels) => {
    it.each(Object.entries(optimizers))('%s equals PyTorch within 2e-6', (name, optimizer) => {
      useKernels(kernels);
      const parameters = { w: tensor(expected.initial) };
      const state = initializeOptimizer(optimizer, expected.initial.length);
      let compared = 0;
      expected.gradients.forEach((gradient, update) => {
        applyOptimizer(optimizer, state, parameters, { w: tensor(gradient) });
        const values = expected.parameters[name]![expected.kept.indexOf(update)] ?? [];
        values.forEach((value, i) =>
          expect(Math.abs(parameters.w.data[i]! - value) / Math.max(1, Math.abs(value))).toBeLessThan(2e-6),
        );
        compared += values.length;
      });
      expect(compared).toBe(expected.kept.length * expected.initial.length);
      expect(compared).toBeGreaterThan(0);
    });
  },
);

it.each<[string, Optimizer, Optimizer]>([
  ['sgd', sgd(), sgd(0.01, { momentum: 0, nesterov: false })],
  ['sgd with momentum', sgd(0.01, { momentum: 0.9 }), sgd(0.01, { momentum: 0.9, nesterov: false })],
  ['rmsprop', rmsprop(), rmsprop(0.001, { rho: 0.9, epsilon: 1e-8, momentum: 0 })],
  ['centeredRmsprop', centeredRmsprop(), centeredRmsprop(0.001, { rho: 0.9, epsilon: 1e-8, momentum: 0 })],
  ['adagrad', adagrad(), adagrad(0.01, { epsilon: 1e-10, initialAccumulator: 0 })],
  ['adam', adam(), adam(0.001, { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 })],
  ['adamw', adamw(), adamw(0.001, { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 })],
  ['amsgrad', amsgrad(), amsgrad(0.001, { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 })],
])('%s has the documented default options', (_, byDefault, explicit) => {
  const run = (optimizer: Optimizer): Tensor => {
    const parameters = { w: tensor([0.5, -2]) };
    const state = initializeOptimizer(optimizer, 2);
    // The gradients of the second element are so small that its updates depend on epsilon.
    for (const scale of [1, -0.2, 3])
      applyOptimizer(optimizer, state, parameters, { w: tensor([0.3 * scale, 1e-8 * scale]) });
    return parameters.w;
  };
  expect(run(byDefault)).toEqual(run(explicit));
});

it('the momentum of nadam depends only on the number of the update', () => {
  const [shared, first, second] = [nadam(0.1), nadam(0.1), nadam(0.1)];
  const update = (optimizer: Optimizer, step: number): number => {
    const parameters = { w: tensor([1]) };
    const state = { ...initializeOptimizer(optimizer, 1), step: step - 1 };
    applyOptimizer(optimizer, state, parameters, { w: tensor([0.5]) });
    return parameters.w.data[0]!;
  };
  expect([update(shared, 9), update(shared, 3)]).toEqual([update(first, 9), update(second, 3)]);
});

it('centeredRmsprop stays finite if the variance of the gradient is 0', () => {
  const optimizer = centeredRmsprop(1e-4, { rho: 0.5 });
  const parameters = { w: tensor([0.1, 0.7, -0.3]) };
  const state = initializeOptimizer(optimizer, 3);
  for (let i = 0; i < 100; i++) applyOptimizer(optimizer, state, parameters, { w: tensor([0.1, 0.3, 1 / 3]) });
  expect([...parameters.w.data].every(Number.isFinite)).toBe(true);
});

it.each([
  ['in another order', { b: tensor([1]), a: tensor([2]) }],
  ['with another name', { a: tensor([2]), c: tensor([1]) }],
  ['of another shape', { a: tensor([2]), b: tensor([[1]]) }],
])('applyOptimizer rejects a gradient %s', (_, gradient) => {
  const parameters: Record<string, Tensor> = { a: tensor([0]), b: tensor([0]) };
  expect(() => applyOptimizer(sgd(), initializeOptimizer(sgd(), 2), parameters, gradient)).toThrow(
    new RangeError('applyOptimizer: gradient must have the names and shapes of parameters, in the same order.'),
  );
});

const model = (): Sequential =>
  sequential([
    embedding({ vocabularySize: 4, size: 3 }),
    recurrent(simpleRnn(), { hiddenSize: 5 }),
    dense({ size: 4 }),
  ]);
const data = windows(
  Int32Array.from({ length: 130 }, (_, i) => (i * i) % 4),
  { sequenceLength: 6, batchSize: 4 },
);

it.each(Object.entries(optimizers))('%s resumes from a file with the same bits', async (_, optimizer) => {
  const options = { loss: crossEntropy, optimizer: chain(clipByNorm(1), optimizer), steps: 8 };
  const whole = model();
  const states: TrainingState[] = [];
  const checkpoint = { every: 3, write: (state: TrainingState) => void states.push(state) };
  const { losses, optimizerState } = await fit(whole, data, { ...options, checkpoint });
  expect(states).toHaveLength(2);
  for (const state of states) {
    const rest = model();
    const { training } = loadInto(rest, save(rest, { training: state }));
    const resumed = await fit(rest, data, { ...options, resume: training });
    expect(rest.data).toEqual(whole.data);
    expect(resumed.losses.slice(-2)).toEqual(losses.slice(-2));
    expect(resumed.optimizerState).toEqual(optimizerState);
  }
});
