/** Time series with covariates, and their checks. */

import { isAnyArray } from '../tensor/arrays';
import {
  checkArray,
  checkNames,
  checkObject,
  checkSome,
  checkString,
  counted,
  describe,
  outOfRange,
} from '../tensor/shape';
import { type Cycle, cyclesOf, type Frequency, millisecondsOf, type Time } from './calendar';

/** Columns by name, each an array with one value per row. */
export type Columns = Readonly<Record<string, ArrayLike<number>>>;

/** A time series with regular time steps. */
export interface Series {
  /** The name that results and errors use. It must be unique. */
  readonly name: string;
  /** The values in order of time, `[N]`. */
  readonly values: ArrayLike<number>;
  /** 1 for every value that is observed and 0 for missing values, `[N]`. By default, all values are observed. */
  readonly mask?: ArrayLike<number> | undefined;
  /** The time of the first value. It is needed for calendar features and for the times of forecasts. */
  readonly start?: Time | undefined;
  /** Covariates of which only the past is available, `[N]` each. */
  readonly past?: Columns | undefined;
  /** Covariates that are available in the future, such as prices and holidays: `[N + horizon]` each for a forecast. */
  readonly future?: Columns | undefined;
  /** Features that do not change over time: numbers, or categories as text. Each is of one kind in all series. */
  readonly static?: Readonly<Record<string, number | string>> | undefined;
}

/** The covariates and features of a forecaster. */
export interface Schema {
  /** The cycles of the calendar features. */
  readonly cycles: readonly Cycle[];
  readonly past: readonly string[];
  readonly future: readonly string[];
  readonly numbers: readonly string[];
  /** The categories of static features that are text. */
  readonly categories: Readonly<Record<string, readonly string[]>>;
}

/** A series whose values have been checked. */
export interface CheckedSeries {
  readonly name: string;
  /** NaN where a value is missing. */
  readonly values: Float64Array;
  /** Milliseconds since 1970. */
  readonly start: number | undefined;
  readonly past: readonly Float64Array[];
  readonly future: readonly Float64Array[];
  readonly numbers: readonly number[];
  readonly categories: readonly number[];
}

/** The schema of series: the names in the first one, in an order that does not depend on it. */
export function schemaOf(where: string, series: readonly Series[], frequency?: Frequency): Schema {
  checkArray(where, 'series', series);
  checkSome(where, 'series', series.length, 'series');
  series.forEach((each, i) => {
    checkObject(where, `series[${i}]`, each);
  });
  const first = series[0]!;
  const features = Object.entries(first.static ?? {});
  const featuresOf = (isText: boolean): string[] =>
    features
      .filter(([, value]) => (typeof value === 'string') === isText)
      .map(([name]) => name)
      .sort();
  const longest = series.reduce((most, each) => Math.max(most, each.values?.length ?? 0), 0);
  return {
    cycles: frequency === undefined ? [] : cyclesOf(frequency, longest),
    past: Object.keys(first.past ?? {}).sort(),
    future: Object.keys(first.future ?? {}).sort(),
    numbers: featuresOf(false),
    categories: Object.fromEntries(
      featuresOf(true).map((name) => [name, [...new Set(series.map((each) => String(each.static?.[name])))].sort()]),
    ),
  };
}

/** @throws TypeError or RangeError that names the series, the column and the row of the first value that is wrong */
export function checkSeries(where: string, series: readonly Series[], schema: Schema): CheckedSeries[] {
  checkArray(where, 'series', series);
  const names = new Set<string>();
  return series.map((each, index) => {
    checkObject(where, `series[${index}]`, each);
    checkNames(where, `series[${index}]`, each, ['name', 'values', 'mask', 'start', 'past', 'future', 'static']);
    checkString(where, `series[${index}].name`, each.name);
    if (names.has(each.name)) throw new RangeError(`${where}: two series have the name ${each.name}.`);
    names.add(each.name);
    return checkOne(where, each, schema);
  });
}

/** @throws RangeError if a series has no start, but the forecaster needs times */
export function checkStart(
  where: string,
  { frequency }: { readonly frequency: Frequency | undefined },
  { name, start }: Pick<CheckedSeries, 'name' | 'start'>,
): void {
  if (frequency !== undefined && start === undefined)
    throw new RangeError(`${where}: series ${name}: start must be a time, since the forecaster has a frequency.`);
}

function checkOne(where: string, series: Series, schema: Schema): CheckedSeries {
  const label = `${where}: series ${series.name}`;
  const values = valuesOf(label, series);
  const columns = (kind: 'past' | 'future'): Float64Array[] => {
    const given = series[kind] ?? {};
    checkObject(where, `${kind} of series ${series.name}`, given);
    checkSameNames(label, `${kind} covariates`, Object.keys(given), schema[kind]);
    return schema[kind].map((name) => columnOf(label, name, given[name]!, values.length));
  };
  const features = series.static ?? {};
  checkObject(where, `static of series ${series.name}`, features);
  checkSameNames(label, 'static features', Object.keys(features), [
    ...schema.numbers,
    ...Object.keys(schema.categories),
  ]);
  return {
    name: series.name,
    values,
    start: series.start === undefined ? undefined : millisecondsOf(`${label}: start`, series.start),
    past: columns('past'),
    future: columns('future'),
    numbers: schema.numbers.map((name) => {
      const value = features[name];
      if (typeof value === 'number' && Number.isFinite(value)) return value;
      const kind = typeof value === 'string' ? ', as in the first series' : '';
      throw outOfRange(label, `static feature ${name}`, `a finite number${kind}`, value);
    }),
    categories: Object.entries(schema.categories).map(([name, known]) => {
      const value = features[name];
      const id = known.indexOf(value as string);
      if (id >= 0) return id;
      const expected =
        typeof value === 'string' ? `one of ${known.slice(0, 8).join(', ')}` : 'text, as in the first series';
      throw outOfRange(label, `static feature ${name}`, expected, value);
    }),
  };
}

function checkSameNames(label: string, what: string, got: readonly string[], expected: readonly string[]): void {
  const missing = expected.find((name) => !got.includes(name));
  if (missing !== undefined)
    throw new RangeError(`${label}: ${what} must have ${missing}, which the first series has.`);
  const unknown = got.find((name) => !expected.includes(name));
  if (unknown !== undefined)
    throw new RangeError(
      `${label}: ${what} must be ${expected.join(', ') || 'absent'}, got also ${unknown}, which was not in training.`,
    );
}

/** The values of a series, NaN where its mask is 0. */
function valuesOf(label: string, { values, mask }: Series): Float64Array {
  checkColumn(label, 'values', values);
  if (mask !== undefined) {
    checkColumn(label, 'mask', mask);
    if (mask.length !== values.length)
      throw new RangeError(`${label}: mask must have ${counted(values.length, 'row')}, as values, got ${mask.length}.`);
  }
  return Float64Array.from({ length: values.length }, (_, row) => {
    if (mask !== undefined && mask[row] !== 1) {
      if (mask[row] === 0) return NaN;
      throw new RangeError(`${label}, mask, row ${row}: must be 0 or 1, got ${describe(mask[row])}.`);
    }
    checkFinite(label, 'values', row, values[row], ' Give missing values a mask of 0.');
    return values[row]!;
  });
}

function columnOf(label: string, name: string, column: ArrayLike<number>, length: number): Float64Array {
  checkColumn(label, name, column);
  if (column.length < length)
    throw new RangeError(
      `${label}, column ${name}: must have ${counted(length, 'row')}, got ${column.length}. ` +
        'A future covariate must extend over the horizon.',
    );
  return Float64Array.from({ length: column.length }, (_, row) => {
    checkFinite(label, name, row, column[row]);
    return column[row]!;
  });
}

function checkColumn(label: string, name: string, column: unknown): asserts column is ArrayLike<number> {
  if (!isAnyArray(column))
    throw new TypeError(`${label}, column ${name}: must be an array of numbers, got ${describe(column)}.`);
}

function checkFinite(label: string, name: string, row: number, value: unknown, remedy = ''): void {
  if (!Number.isFinite(value))
    throw new RangeError(
      `${label}, column ${name}, row ${row}: must be a finite number, got ${describe(value)}.${remedy}`,
    );
}
