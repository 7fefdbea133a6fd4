/**
 * Zoneout (Krueger et al., 2017, arXiv 1606.01305): h_t = h_{t−1} + m · (h̃_t − h_{t−1}), with m = 0 if the state keeps
 * its value.
 */

import { randomMask } from '../autodiff/ops/random-mask';
import { filled, type Scope, type Variable } from '../autodiff/tape';
import { interpolate } from '../kernels/arithmetic';
import { fill } from '../kernels/movement';
import { checkRandom, type Random } from '../tensor/random';
import { checkNames, checkNumber } from '../tensor/shape';
import type { PointwiseStep } from './cell';
import type { StepRunnerOptions } from './cell-stream';

/**
 * Zoneout (Krueger et al., 2017, arXiv 1606.01305): each element of the state keeps its previous value with some
 * probability.
 */
export interface ZoneoutOptions<N extends string = string> {
  /** The probability, from 0 to 1, of keeping the previous value, by the name of the state. */
  readonly rates: Partial<Readonly<Record<N, number>>>;
  /** The random number generator for training. Without it, as in inference, the expected value is used. */
  readonly random?: Random | undefined;
}

/** m by the name of the state, `[N, H]` over all packed rows; only states with a rate above 0. */
export type Zoneout = Readonly<Record<string, Variable>>;

/** @throws RangeError if a rate is not between 0 and 1; TypeError if the cell has no state of that name */
export function checkRates(
  where: string,
  argument: string,
  rates: Readonly<Record<string, number | undefined>>,
  states: readonly string[],
): void {
  checkNames(where, argument, rates, states);
  for (const [name, rate = 0] of Object.entries(rates)) checkNumber(where, `${argument}.${name}`, rate, 0, 1);
}

/**
 * Draws m: 0 with the given probability, else 1. Without a random number generator, m is its expectation.
 *
 * @throws RangeError if a rate is not between 0 and 1; TypeError if the cell has no state of that name
 */
export function drawZoneout(
  scope: Scope,
  options: ZoneoutOptions | undefined,
  states: Readonly<Record<string, Variable>>,
  rows: number,
): Zoneout {
  checkNames('unroll', 'zoneout', options ?? {}, ['rates', 'random']);
  const { rates = {}, random } = options ?? {};
  if (random !== undefined) checkRandom('unroll', random);
  checkRates('unroll', 'zoneout.rates', rates, Object.keys(states));
  const masks: Record<string, Variable> = {};
  for (const [name, rate = 0] of Object.entries(rates)) {
    if (rate === 0) continue;
    const shape = [rows, states[name]!.shape[1]!];
    masks[name] = random === undefined ? filled(scope, shape, 1 - rate) : randomMask(scope, shape, rate, 1, random);
  }
  return masks;
}

/**
 * Returns the function that zones out the new state of a step in prediction: every element takes its expected value.
 *
 * @param rates by the name of the state
 * @param size B·H
 */
export function expectedZoneout(
  { workspace: { kernels: k }, reserve }: Pick<StepRunnerOptions, 'workspace' | 'reserve'>,
  rates: Readonly<Record<string, number>>,
  size: number,
): (step: PointwiseStep<string>) => void {
  const zoned = Object.entries(rates)
    .filter(([, rate]) => rate)
    .map(([name, rate]) => {
      const moveRate = reserve(size);
      k.of(fill)(moveRate, 1 - rate, size);
      return { name, moveRate };
    });
  return ({ previous, next }) => {
    for (const { name, moveRate } of zoned)
      k.of(interpolate)(next[name]!, previous[name]!, next[name]!, moveRate, size);
  };
}
