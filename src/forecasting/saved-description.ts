/** The description of a forecaster in the metadata of its file, and checks of descriptions that may be malformed. */

import { isObject } from '../tensor/shape';
import type { Distribution } from './distributions';
import type { FittedForecaster } from './fit-forecaster';
import type { Forecaster } from './forecaster';

/** The parts of a forecaster in the metadata. */
export interface Description extends Omit<FittedForecaster, 'forecaster' | 'members' | 'validationLosses'> {
  readonly options: Omit<Forecaster, 'cell' | 'distribution'>;
  readonly distribution: Pick<Distribution, 'name' | 'levels'>;
  /** JSON has null in place of NaN. */
  readonly validationLosses: readonly (number | null)[];
}

/** A description and the number of its networks. */
export type SavedDescription = Description & { readonly members: number };

/** The version of the layout. */
export const layout = 1;

type Check = (value: unknown) => boolean;
const isNumber: Check = (value) => typeof value === 'number';
const isPositive: Check = (value) => typeof value === 'number' && value > 0 && value < Infinity;
const isString: Check = (value) => typeof value === 'string';
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const either =
  (...choices: readonly unknown[]): Check =>
  (value) =>
    choices.includes(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const recordOf =
  (check: Check): Check =>
  (value) =>
    isObject(value) && !Array.isArray(value) && Object.values(value).every(check);
const object =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isObject(value) &&
    Object.entries(checks).every(([name, check]) => check((value as Readonly<Record<string, unknown>>)[name]));

/** The checks of all parts; `forecaster` checks the options. */
const parts = (): Readonly<Record<string, Check>> => ({
  options: recordOf(() => true),
  distribution: object({
    name: either('point', 'quantiles', 'gaussian', 'studentT', 'negativeBinomial'),
    levels: optional(listOf(isNumber)),
  }),
  schema: object({
    cycles: listOf(either('day', 'week', 'year')),
    past: listOf(isString),
    future: listOf(isString),
    numbers: listOf(isString),
    categories: recordOf(listOf(isString)),
  }),
  covariates: object({ offset: listOf(isNumber), scale: listOf(isPositive) }),
  scalers: recordOf(
    object({ power: (value) => value === null || isNumber(value), offset: isNumber, scale: isPositive }),
  ),
  calibration: isPositive,
  trainedCalibration: isPositive,
  validationLosses: listOf((value) => value === null || isNumber(value)),
});

/** Reads a description. @throws RangeError that names the part if the text is not one */
export function readDescription(where: string, text: string | undefined): SavedDescription {
  if (text === undefined)
    throw new RangeError(`${where}: the file must be one of saveForecaster. Use load for a model.`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new RangeError(`${where}: bptt.forecaster in the file is not JSON.`);
  }
  const saved = (isObject(parsed) ? parsed : {}) as Readonly<Record<string, unknown>>;
  if (typeof saved['layout'] === 'number' && saved['layout'] > layout)
    throw new RangeError(
      `${where}: the file has layout ${saved['layout']}, this version supports layouts up to ${layout}.`,
    );
  const checks = {
    layout: isNumber,
    members: (value: unknown) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 1000,
    ...parts(),
  };
  const wrong = Object.entries(checks).find(([name, check]) => !check(saved[name]));
  if (wrong !== undefined)
    throw new RangeError(`${where}: bptt.forecaster.${wrong[0]} in the file is missing or malformed.`);
  // All parts have been checked.
  return saved as SavedDescription & typeof saved;
}
