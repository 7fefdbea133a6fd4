/** Search spaces, and the trials of a grid or random search. */

import { createRandom, integerNumber, uniformNumber } from 'bptt';

/** The values of one hyperparameter. */
export type Dimension =
  | { readonly kind: 'choice'; readonly values: readonly number[] }
  | { readonly kind: 'range'; readonly low: number; readonly high: number; readonly logarithmic: boolean };

/** The hyperparameters by name. */
export type Space = Readonly<Record<string, Dimension>>;

/** A value for every hyperparameter. */
export type Settings = Readonly<Record<string, number>>;

/** A point of the space to try. */
export interface Trial {
  /** From 0; also the seed of the training. */
  readonly number: number;
  readonly settings: Settings;
}

export const choice = (...values: readonly number[]): Dimension => ({ kind: 'choice', values });
export const range = (low: number, high: number): Dimension => ({ kind: 'range', low, high, logarithmic: false });
export const logRange = (low: number, high: number): Dimension => ({ kind: 'range', low, high, logarithmic: true });

/** The value of a range at a fraction from 0 to 1, rounded to three digits, so that a table shows it exactly. */
function valueAt({ low, high, logarithmic }: Extract<Dimension, { kind: 'range' }>, fraction: number): number {
  const value = logarithmic ? low * (high / low) ** fraction : low + (high - low) * fraction;
  return Number(value.toPrecision(3));
}

/** All combinations of the choices and of `points` values of every range. */
export function gridTrials(space: Space, points: number): readonly Trial[] {
  let all: readonly Settings[] = [{}];
  for (const [name, dimension] of Object.entries(space)) {
    const values =
      dimension.kind === 'choice'
        ? dimension.values
        : Array.from({ length: points }, (_, i) => valueAt(dimension, points === 1 ? 0.5 : i / (points - 1)));
    all = all.flatMap((settings) => values.map((value) => ({ ...settings, [name]: value })));
  }
  return all.map((settings, number) => ({ number, settings }));
}

/** Draws `count` points. The first trials of a larger count are the same. */
export function randomTrials(space: Space, count: number, seed: number): readonly Trial[] {
  const random = createRandom(seed);
  const draw = (dimension: Dimension): number =>
    dimension.kind === 'choice'
      ? dimension.values[integerNumber(random, dimension.values.length)]!
      : valueAt(dimension, uniformNumber(random));
  return Array.from({ length: count }, (_, number) => ({
    number,
    settings: Object.fromEntries(Object.entries(space).map(([name, dimension]) => [name, draw(dimension)])),
  }));
}
