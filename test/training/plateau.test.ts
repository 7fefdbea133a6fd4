/** Learning rates that depend on the validation loss. */

import {
  add,
  customModel,
  fit,
  type PlateauOptions,
  reduceOnPlateau,
  scale,
  sgd,
  type TrainingState,
  tensor,
  warmup,
} from 'bptt';
import { describe, expect, it } from 'vitest';
import { golden } from '../golden/read';

interface Plateau {
  readonly options: PlateauOptions;
  readonly losses: readonly number[];
  readonly rates: readonly number[];
}

describe('reduceOnPlateau', () => {
  it.each(golden<{ readonly plateaus: readonly Plateau[] }>('optimizers').plateaus)(
    'equals ReduceLROnPlateau of PyTorch with $options',
    ({ options, losses, rates }) => {
      const rate = reduceOnPlateau(0.5, options);
      expect(rate(1, [])).toBe(0.5);
      rates.forEach((expected, i) => expect(rate(i, losses.slice(0, i + 1))).toBeCloseTo(expected, 12));
      expect(new Set(rates).size).toBeGreaterThan(1);
    },
  );

  it('is not misled by losses that are not finite or negative', () => {
    const rate = reduceOnPlateau(1, { factor: 0.5, patience: 1, threshold: 0.1 });
    // The first number is an improvement over NaN and infinity.
    expect(rate(1, [NaN, Infinity])).toBe(0.5);
    expect(rate(1, [NaN, 5, NaN, 4])).toBe(1);
    // A tenth of the absolute value below −2 is −2.2.
    expect(rate(1, [-2, -2.1, -2.15])).toBe(0.5);
    expect(rate(1, [-2, -2.1, -2.3])).toBe(1);
  });

  it.each<[string, PlateauOptions]>([
    ['factor must be at least 0 and less than 1, got 1', { factor: 1 }],
    ['patience must be an integer of at least 0, got -1', { patience: -1 }],
    ['threshold must be a finite number of at least 0, got -1', { threshold: -1 }],
    ['cooldown must be an integer of at least 0, got 0.5', { cooldown: 0.5 }],
    ['minRate must be a number from 0 to 0.5, got 1', { minRate: 1 }],
  ])('rejects options: %s', (message, options) => {
    expect(() => reduceOnPlateau(0.5, options)).toThrow(new RangeError(`reduceOnPlateau: ${message}.`));
  });
});

/** A model whose parameter is minus the sum of the learning rates so far, and whose validation losses are given. */
const model = (losses: readonly number[]) => {
  let epoch = 0;
  return customModel({ x: tensor(0) }, ({ x }, batch: string) =>
    batch === 'train' ? x : add(scale(x, 0), losses[epoch++]!),
  );
};
const data = { batchCount: 2, batches: () => ['train', 'train'] };
const validation = { batchCount: 1, batches: () => ['validate'] };

describe('in fit', () => {
  it('the rate follows the validation loss, also after a warmup', async () => {
    const rates: number[] = [];
    const rate = warmup(reduceOnPlateau(1, { factor: 0.5, patience: 0 }), { steps: 2 });
    const net = model([3, 3, 2, 2, 2]);
    let previous = 0;
    await fit(net, data, {
      optimizer: sgd(rate),
      epochs: 5,
      validation,
      onProgress: () => {
        rates.push(previous - net.data[0]!);
        previous = net.data[0]!;
      },
    });
    expect(rates).toEqual([0.5, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]);
  });

  it('resumes with the same bits after any update', async () => {
    const losses = [3, 2.9, 3, 3, 2, 2.1, 2.2, 2.3];
    const options = {
      optimizer: sgd(reduceOnPlateau(0.3, { factor: 0.7, patience: 0, cooldown: 1 })),
      epochs: losses.length,
      validation,
    };
    const whole = model(losses);
    const states: TrainingState[] = [];
    await fit(whole, data, { ...options, checkpoint: { every: 1, write: (state) => void states.push(state) } });
    for (const state of states) {
      const rest = model(losses.slice(state.validationLosses.length));
      await fit(rest, data, { ...options, resume: structuredClone(state) });
      expect(rest.data).toEqual(whole.data);
    }
  });

  it('a rate that needs validation losses is an error without validation data', async () => {
    await expect(fit(model([]), data, { optimizer: sgd(reduceOnPlateau(1)), epochs: 1 })).rejects.toThrow(
      'reduceOnPlateau: there must be validation losses. Pass the option validation to fit.',
    );
  });
});
