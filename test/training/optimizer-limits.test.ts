/** Options and gradients that would destroy the parameters or the state of an optimizer. */

import {
  adagrad,
  adam,
  adamw,
  amsgrad,
  applyOptimizer,
  centeredRmsprop,
  chain,
  clipByNorm,
  clipByValue,
  customModel,
  fit,
  freeze,
  full,
  initializeOptimizer,
  type KernelName,
  l1,
  meanSquaredError,
  multiply,
  nadam,
  type Optimizer,
  recurrent,
  rmsprop,
  sequential,
  sgd,
  simpleRnn,
  sum,
  tensor,
  trainOn,
  truncatedBptt,
  useKernels,
  weightDecay,
} from 'bptt';
import { afterAll, describe, expect, it } from 'vitest';
import { engineRuns } from '../kernels/engine';

afterAll(() => useKernels(undefined));
const kernelNames = (['portable', 'simd', 'relaxed', 'wide'] as const satisfies readonly KernelName[]).filter(
  engineRuns,
);

it.each([
  ['adam: the learning rate must be a finite number of at least 0, got NaN.', () => adam(NaN)],
  ['sgd: the learning rate must be a finite number of at least 0, got -1.', () => sgd(-1)],
  ['adamw: the learning rate must be a finite number of at least 0, got Infinity.', () => adamw(Infinity)],
  ['adam: beta1 must be at least 0 and less than 1, got 1.', () => adam(1e-3, { beta1: 1 })],
  ['adamw: beta2 must be at least 0 and less than 1, got 1.', () => adamw(1e-3, { beta2: 1 })],
  ['adam: beta1 must be at least 0 and less than 1, got NaN.', () => adam(1e-3, { beta1: NaN })],
  ['adam: epsilon must be a finite number of at least 1e-30, got 0.', () => adam(1e-3, { epsilon: 0 })],
  ['rmsprop: epsilon must be a finite number of at least 1e-30, got 0.', () => rmsprop(1e-3, { epsilon: 0 })],
  ['rmsprop: momentum must be a number from 0 to 1, got 2.', () => rmsprop(1e-3, { momentum: 2 })],
  ['adagrad: epsilon must be a finite number of at least 1e-30, got 0.', () => adagrad(1e-3, { epsilon: 0 })],
  [
    'adagrad: initialAccumulator must be a finite number of at least 0, got -1.',
    () => adagrad(1e-3, { initialAccumulator: -1 }),
  ],
  ['amsgrad: beta1 must be at least 0 and less than 1, got 1.', () => amsgrad(1e-3, { beta1: 1 })],
  ['nadam: beta2 must be at least 0 and less than 1, got 1.', () => nadam(1e-3, { beta2: 1 })],
  ['nadam: epsilon must be a finite number of at least 1e-30, got 0.', () => nadam(1e-3, { epsilon: 0 })],
  ['nadam: momentumDecay must be a finite number of at least 0, got -1.', () => nadam(1e-3, { momentumDecay: -1 })],
  ['rmsprop: rho must be at least 0 and less than 1, got 1.', () => rmsprop(1e-3, { rho: 1 })],
  ['centeredRmsprop: rho must be at least 0 and less than 1, got 1.', () => centeredRmsprop(1e-3, { rho: 1 })],
  ['centeredRmsprop: momentum must be a number from 0 to 1, got 2.', () => centeredRmsprop(1e-3, { momentum: 2 })],
])('%s', (message, create) => {
  expect(create).toThrow(new RangeError(message));
});

it.each(kernelNames)('%s: the smallest epsilon keeps parameters without a gradient', (kernels) => {
  useKernels(kernels);
  for (const optimizer of [
    adam(0.1, { epsilon: 1e-30 }),
    rmsprop(0.1, { epsilon: 1e-30 }),
    adagrad(0.1, { epsilon: 1e-30 }),
    amsgrad(0.1, { epsilon: 1e-30 }),
    nadam(0.1, { epsilon: 1e-30 }),
    centeredRmsprop(0.1, { epsilon: 1e-30 }),
  ]) {
    const parameters = { w: tensor([1, 2]) };
    applyOptimizer(optimizer, initializeOptimizer(optimizer, 2), parameters, { w: tensor([0, 0]) });
    expect([...parameters.w.data]).toEqual([1, 2]);
  }
});

describe('an update that would not be finite', () => {
  const huge: [string, Optimizer][] = [
    ['sgd', sgd(1e308)],
    ['momentum', sgd(1e308, { momentum: 0.9 })],
    ['rmsprop', rmsprop(1e308)],
    ['adagrad', adagrad(1e308)],
    ['adam', adam(1e308)],
    ['rmsprop with momentum', rmsprop(1e308, { momentum: 0.9 })],
    ['adagrad with an initial accumulator', adagrad(1e308, { initialAccumulator: 1 })],
    ['amsgrad', amsgrad(1e308)],
    ['nadam', nadam(1e308)],
    ['centeredRmsprop', centeredRmsprop(1e308)],
    ['adamw', adamw(0.1, { weightDecay: 1e308 })],
    ['weightDecay', chain(weightDecay(1e308), sgd(0.1))],
    ['l1', chain(l1(1e308), sgd(0.1))],
    ['clipByNorm', chain(clipByNorm(1), adam(3e38))],
  ];

  it.each(huge)('throws in fit and leaves parameters and optimizer state unchanged: %s', async (_, optimizer) => {
    const model = customModel({ w: tensor([1, -2, 0]) }, ({ w }, x: number) => sum(multiply(multiply(w, w), x)));
    const optimizerState = initializeOptimizer(optimizer, 3);
    const data = { batchCount: 1, batches: () => [3] };
    await expect(fit(model, data, { optimizer, optimizerState, steps: 2 })).rejects.toThrow(
      'fit: a parameter would not be finite at step 1. The parameters are those of the previous step.',
    );
    expect([...model.data]).toEqual([1, -2, 0]);
    expect(optimizerState).toEqual(initializeOptimizer(optimizer, 3));
  });

  it.each(huge)('throws in applyOptimizer and leaves both unchanged: %s', (_, optimizer) => {
    const parameters = { w: tensor([1, -2]) };
    const state = initializeOptimizer(optimizer, 2);
    expect(() => applyOptimizer(optimizer, state, parameters, { w: tensor([1e3, 1]) })).toThrow(
      'applyOptimizer: a parameter would not be finite at step 1.',
    );
    expect([...parameters.w.data]).toEqual([1, -2]);
    expect(state).toEqual(initializeOptimizer(optimizer, 2));
  });

  it.each([
    ['adam', adam()],
    ['sgd', sgd()],
    ['clipByValue', chain(clipByValue(1), sgd())],
    ['clipByNorm', chain(clipByNorm(1), adam())],
  ] as const)('applyOptimizer rejects a gradient that is not finite, and leaves both unchanged: %s', (_, optimizer) => {
    for (const value of [Infinity, -Infinity, NaN]) {
      const parameters = { layer: { w: tensor([1, -2]) }, v: tensor([3]) };
      const state = initializeOptimizer(optimizer, 3);
      const gradient = { layer: { w: tensor([1, value]) }, v: tensor([1]) };
      expect(() => applyOptimizer(optimizer, state, parameters, gradient)).toThrow(
        'applyOptimizer: the gradient was not finite at step 1; it appeared in parameter layer.w.',
      );
      expect([...parameters.layer.w.data, ...parameters.v.data]).toEqual([1, -2, 3]);
      expect(state).toEqual(initializeOptimizer(optimizer, 3));
      // The gradient of a frozen parameter does not matter.
      const frozen = freeze(['layer'], optimizer);
      expect(applyOptimizer(frozen, initializeOptimizer(frozen, 3), parameters, gradient).norm).toBe(1);
    }
  });

  it('does not change what later updates of the same session do', () => {
    let rate = 0.1;
    const train = (failAt: number): number[] => {
      const model = sequential([recurrent(simpleRnn(), { hiddenSize: 1 })], { inputSize: 1, seed: 3 });
      const trainer = truncatedBptt(model, { window: 1, loss: meanSquaredError, optimizer: adam(() => rate) });
      for (let step = 0; step < 5; step++) {
        const next = { inputs: full([1, 1, 1], step), targets: full([1, 1, 1], 0.5) };
        if (step === failAt) {
          rate = 1e308;
          expect(() => trainOn(trainer, next)).toThrow('trainOn: a parameter would not be finite at step 3.');
          rate = 0.1;
        }
        trainOn(trainer, next);
      }
      return [...model.data];
    };
    expect(train(2)).toEqual(train(-1));
  });
});

it.each(kernelNames)(
  '%s: one gradient of 1e25 neither destroys the parameters nor freezes them for good',
  (kernels) => {
    useKernels(kernels);
    for (const [optimizer, firstStep] of [
      // The first step of Adam is the learning rate, and of RMSprop the learning rate / √(1 − rho).
      [adam(0.1, { beta1: 0.5, beta2: 0.75 }), 0.1],
      [rmsprop(0.1, { rho: 0.75 }), 0.2],
      // Without momentum, NAdam is RMSprop with a bias correction.
      [nadam(0.1, { beta1: 0, beta2: 0.75 }), 0.1],
    ] as const) {
      const parameters = { w: tensor([1, -1]) };
      const state = initializeOptimizer(optimizer, 2);
      applyOptimizer(optimizer, state, parameters, { w: tensor([1e25, -1e38]) });
      for (const slot of state.slots) expect([...slot].every(Number.isFinite)).toBe(true);
      expect(parameters.w.data[0]).toBeCloseTo(1 - firstStep, 5);
      expect(parameters.w.data[1]).toBeCloseTo(-1 + firstStep, 5);
      for (let i = 0; i < 400; i++) applyOptimizer(optimizer, state, parameters, { w: tensor([1, 1]) });
      const before = [...parameters.w.data];
      applyOptimizer(optimizer, state, parameters, { w: tensor([1, 1]) });
      // With constant gradients a step is the learning rate.
      parameters.w.data.forEach((value, i) => expect(before[i]! - value).toBeCloseTo(0.1, 3));
    }
  },
);
