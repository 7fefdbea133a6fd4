/** Variants of Adam and RMSprop, in their own file because they are composed of other kernels. */

import { scaling } from '../kernels/arithmetic';
import { takeLarger } from '../kernels/columns';
import { changeByMoments, momentsUpdate } from '../kernels/moments';
import { momentumUpdate } from '../kernels/optimizers';
import { checkNames, checkNumber } from '../tensor/shape';
import {
  type AdamOptions,
  adamOptions,
  type Optimizer,
  type RmspropOptions,
  rmspropOptions,
  withRate,
} from './optimizers';
import type { LearningRate } from './schedules';

/**
 * AMSGrad: Adam that divides by the root of the largest moving average of squared gradients so far instead of the
 * current one, so that its learning rate per parameter never increases (Reddi, Kale and Kumar, 2018, arXiv 1904.09237).
 * As in PyTorch, the average is compared without its bias correction, which is applied to the largest one.
 *
 * @param rate a constant learning rate, or a schedule; 0.001 by default
 * @throws RangeError if an option is out of range
 * @example
 * const model = sequential([dense({ size: 1 })], { inputSize: 2 });
 * const batch = { inputs: full([1, 4, 2], 1), targets: full([1, 4, 1], 3) };
 * const optimizer = amsgrad(0.1, { beta2: 0.99 });
 * const { losses } = await fit(model, batch, { loss: meanSquaredError, optimizer, steps: 50 });
 * losses.at(-1)! < losses[0]! / 100; // true
 */
export function amsgrad(rate: LearningRate = 1e-3, options: AdamOptions = {}): Optimizer {
  checkNames('amsgrad', 'options', options, ['beta1', 'beta2', 'epsilon']);
  const { beta1, beta2, epsilon } = adamOptions('amsgrad', options);
  return withRate('amsgrad', 3, rate, options, (lr, { kernels: k, gradient, slots, step, size }) => {
    const [mean, square, largest] = slots as readonly [number, number, number];
    k.of(momentsUpdate)(gradient, mean, square, beta1, beta2, size);
    k.of(takeLarger)(largest, square, size);
    const factor = -lr / (1 - beta1 ** step);
    k.of(changeByMoments)(gradient, mean, largest, 0, factor, 1 / (1 - beta2 ** step), 0, epsilon, size);
  });
}

/** The options of {@link nadam}. */
export interface NadamOptions extends AdamOptions {
  /** The momentum of update t is beta1 · (1 − 0.96^(t · momentumDecay) / 2). 0.004 by default. */
  readonly momentumDecay?: number | undefined;
}

/**
 * Adam with Nesterov momentum, whose momentum increases to beta1 (Dozat, 2016, "Incorporating Nesterov momentum into
 * Adam").
 *
 * @param rate a constant learning rate, or a schedule; 0.002 by default
 * @throws RangeError if an option is out of range
 * @example
 * const model = sequential([dense({ size: 1 })], { inputSize: 2 });
 * const batch = { inputs: full([1, 4, 2], 1), targets: full([1, 4, 1], 3) };
 * const optimizer = nadam(0.1);
 * const { losses } = await fit(model, batch, { loss: meanSquaredError, optimizer, steps: 50 });
 * losses.at(-1)! < losses[0]! / 100; // true
 */
export function nadam(rate: LearningRate = 2e-3, options: NadamOptions = {}): Optimizer {
  checkNames('nadam', 'options', options, ['beta1', 'beta2', 'epsilon', 'momentumDecay']);
  const { beta1, beta2, epsilon } = adamOptions('nadam', options);
  const { momentumDecay = 0.004 } = options;
  checkNumber('nadam', 'momentumDecay', momentumDecay, 0);
  const momentumAt = (step: number): number => beta1 * (1 - 0.5 * 0.96 ** (step * momentumDecay));
  // The product of the momenta of the first `count` updates. It depends on nothing but the count.
  let count = 0;
  let product = 1;
  const productAt = (step: number): number => {
    if (step < count) [count, product] = [0, 1];
    while (count < step) product *= momentumAt(++count);
    return product;
  };
  return withRate('nadam', 2, rate, options, (lr, { kernels: k, gradient, slots, step, size }) => {
    const [mean, square] = slots as readonly [number, number];
    k.of(momentsUpdate)(gradient, mean, square, beta1, beta2, size);
    const now = momentumAt(step);
    const next = momentumAt(step + 1);
    const soFar = productAt(step);
    const gradientFactor = (-lr * (1 - now)) / (1 - soFar);
    const meanFactor = (-lr * next) / (1 - soFar * next);
    const squareFactor = 1 / (1 - beta2 ** step);
    k.of(changeByMoments)(gradient, mean, square, gradientFactor, meanFactor, squareFactor, 0, epsilon, size);
  });
}

/**
 * RMSprop that divides the gradient by an estimate of its standard deviation instead of its root mean square (Graves,
 * 2013, arXiv 1308.0850).
 *
 * @param rate a constant learning rate, or a schedule; 0.001 by default
 * @throws RangeError if an option is out of range
 * @example
 * const model = sequential([dense({ size: 1 })], { inputSize: 2 });
 * const batch = { inputs: full([1, 4, 2], 1), targets: full([1, 4, 1], 3) };
 * const optimizer = centeredRmsprop(0.01, { rho: 0.95, epsilon: 1e-4, momentum: 0.9 });
 * const { losses } = await fit(model, batch, { loss: meanSquaredError, optimizer, steps: 50 });
 * losses.at(-1)! < losses[0]! / 100; // true
 */
export function centeredRmsprop(rate: LearningRate = 1e-3, options: RmspropOptions = {}): Optimizer {
  checkNames('centeredRmsprop', 'options', options, ['rho', 'epsilon', 'momentum']);
  const { rho, epsilon, momentum } = rmspropOptions('centeredRmsprop', options);
  return withRate(
    'centeredRmsprop',
    momentum > 0 ? 3 : 2,
    rate,
    options,
    (lr, { kernels: k, gradient, slots, size }) => {
      const [square, mean] = slots as readonly [number, number];
      k.of(momentsUpdate)(gradient, mean, square, rho, rho, size);
      k.of(changeByMoments)(gradient, mean, square, 1, 0, 1, 1, epsilon, size);
      if (momentum > 0) k.of(momentumUpdate)(gradient, slots[2]!, lr, momentum, false, size);
      else k.of(scaling)(gradient, gradient, -lr, size);
    },
  );
}
