/** Time series with covariates: the types, their checks, and series from the rows of a table. */

import { lastOf } from '../tensor/arrays';
import {
  checkArray,
  checkNames,
  checkObject,
  checkSome,
  checkString,
  counted,
  describe,
  isObject,
  mismatch,
  outOfRange,
} from '../tensor/shape';
import {
  type Cycle,
  cyclesOf,
  type Frequency,
  millisecondsOf,
  parseFrequency,
  stepsBetween,
  type Time,
  timeAfter,
} from './calendar';

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
  /** Features that do not change over time: numbers, or categories as text. */
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
  const first = series[0]!;
  checkObject(where, 'series[0]', first);
  const features = Object.entries(first.static ?? {});
  const texts = features.filter(([, value]) => typeof value === 'string').map(([name]) => name);
  const longest = series.reduce((most, each) => Math.max(most, each.values?.length ?? 0), 0);
  return {
    cycles: frequency === undefined ? [] : cyclesOf(frequency, longest),
    past: Object.keys(first.past ?? {}).sort(),
    future: Object.keys(first.future ?? {}).sort(),
    numbers: features
      .map(([name]) => name)
      .filter((name) => !texts.includes(name))
      .sort(),
    categories: Object.fromEntries(
      texts.sort().map((name) => [name, [...new Set(series.map((each) => String(each.static?.[name])))].sort()]),
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
      throw outOfRange(label, `static feature ${name}`, 'a finite number', value);
    }),
    categories: Object.entries(schema.categories).map(([name, known]) => {
      const id = known.indexOf(features[name] as string);
      if (id >= 0) return id;
      throw outOfRange(label, `static feature ${name}`, `one of ${known.slice(0, 8).join(', ')}`, features[name]);
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
  if (!Array.isArray(column) && !ArrayBuffer.isView(column))
    throw new TypeError(`${label}, column ${name}: must be an array of numbers, got ${describe(column)}.`);
}

function checkFinite(label: string, name: string, row: number, value: unknown, remedy = ''): void {
  if (!Number.isFinite(value))
    throw new RangeError(
      `${label}, column ${name}, row ${row}: must be a finite number, got ${describe(value)}.${remedy}`,
    );
}

/** The options of {@link seriesFromRows}. */
export interface SeriesFromRowsOptions {
  /** The column of the values. */
  readonly value: string;
  /** The column of the times. */
  readonly time: string;
  /** The time between two rows of a series. */
  readonly frequency: Frequency;
  /** The column with the name of the series; without it, all rows are one series. */
  readonly series?: string;
  /** The columns of the covariates of which only the past is available. */
  readonly past?: readonly string[];
  /** The columns of the covariates that are available in the future. */
  readonly future?: readonly string[];
  /** The columns of the features that do not change over time. */
  readonly static?: readonly string[];
  /**
   * Whether empty values and missing rows are errors, or are masked. `'error'` by default. The covariates of missing
   * rows are those of the row before.
   */
  readonly missing?: 'error' | 'mask';
}

/** A row of a table: an object with the cells by the name of their column, as CSV parsers return. */
export type TableRow = Readonly<Record<string, unknown>>;

interface Cells {
  readonly name: string;
  readonly rows: TableRow[];
  /** The number of every row in the table. */
  readonly lines: number[];
}

/**
 * Creates series from the rows of a table, such as those of a CSV file: `Papa.parse(text, { header: true }).data`. The
 * cells are numbers or text. Rows of a series must be in order of time, but the rows of several series can be mixed.
 * The last rows of a series can have future covariates and no value: they are the rows to forecast.
 *
 * @throws RangeError if a cell is not a number, a time is repeated, out of order, missing or between two time steps;
 * the message names the series, the column and the row, counted from 0
 * @example
 * const rows = [{ month: '2024-01-01', sold: '7' }, { month: '2024-02-01', sold: '9' }];
 * const [series] = seriesFromRows(rows, { time: 'month', value: 'sold', frequency: 'month' });
 * series!.values; // Float64Array [7, 9]
 */
export function seriesFromRows(rows: readonly TableRow[], options: SeriesFromRowsOptions): Series[] {
  const where = 'seriesFromRows';
  checkNames(where, 'options', options, [
    'value',
    'time',
    'frequency',
    'series',
    'past',
    'future',
    'static',
    'missing',
  ]);
  checkArray(where, 'rows', rows);
  parseFrequency(where, options.frequency);
  checkString(where, 'value', options.value);
  checkString(where, 'time', options.time);
  for (const kind of ['past', 'future', 'static'] as const)
    for (const name of columnsOf(where, kind, options[kind])) checkString(where, kind, name);
  if (options.series !== undefined) checkString(where, 'series', options.series);
  const groups = new Map<string, Cells>();
  rows.forEach((row, line) => {
    if (!isObject(row)) throw mismatch(where, `rows[${line}]`, 'an object', row);
    const name =
      options.series === undefined ? options.value : textOf(where, row[options.series], options.series, line);
    const group = groups.get(name) ?? { name, rows: [], lines: [] };
    groups.set(name, group);
    group.rows.push(row);
    group.lines.push(line);
  });
  checkSome(where, 'rows', groups.size, 'row');
  return [...groups.values()].map((group) => seriesOf(where, group, options));
}

/** The names of the columns of a kind. */
function columnsOf(where: string, kind: string, names: readonly string[] = []): readonly string[] {
  checkArray(where, kind, names);
  return names;
}

/**
 * Whether a cell has no value. Text of blanks has none, although `Number` converts it to 0. A function is not a cell,
 * but a method of the row: the column `constructor` is missing.
 */
const isEmpty = (cell: unknown): boolean =>
  cell === undefined ||
  cell === null ||
  Number.isNaN(cell) ||
  typeof cell === 'function' ||
  (typeof cell === 'string' && cell.trim() === '');

function seriesOf(where: string, cells: Cells, options: SeriesFromRowsOptions): Series {
  const { value, past = [], future = [], static: features = [], missing = 'error' } = options;
  const { name, rows, lines } = cells;
  const positions = positionsOf(where, cells, options);
  const length = positions.at === undefined ? 0 : positions.length;
  // Trailing rows without a value are the rows to forecast.
  let observed = rows.length;
  if (future.length > 0) while (observed > 0 && isEmpty(rows[observed - 1]![value])) observed--;
  const N = observed === 0 ? 0 : positions.at[observed - 1]! + 1;
  const read = (column: string, count: number): Float64Array => {
    const data = new Float64Array(count).fill(NaN);
    rows.forEach((row, i) => {
      const cell = row[column];
      if (positions.at[i]! >= count || (isEmpty(cell) && missing === 'mask' && column === value)) return;
      const number = numberOf(cell);
      if (!Number.isFinite(number)) {
        const got = isEmpty(cell) ? 'nothing' : describe(cell);
        const remedy = isEmpty(cell) && column === value ? " Use missing: 'mask', or fill the gap." : '';
        throw new RangeError(
          `${where}: series ${name}, column ${column}, row ${lines[i]}: must be a number, got ${got}.${remedy}`,
        );
      }
      data[positions.at[i]!] = number;
    });
    return data;
  };
  const values = read(value, N);
  const hasGaps = values.some(Number.isNaN);
  // In missing rows, covariates keep their last value.
  const columns = (names: readonly string[], count: number): Columns =>
    Object.fromEntries(
      names.map((column) => {
        const data = read(column, count);
        for (let t = 1; t < count; t++) if (Number.isNaN(data[t])) data[t] = data[t - 1]!;
        return [column, data];
      }),
    );
  return {
    name,
    values,
    ...(hasGaps && { mask: Uint8Array.from(values, (each) => (Number.isNaN(each) ? 0 : 1)) }),
    start: new Date(positions.start),
    ...(past.length > 0 && { past: columns(past, N) }),
    ...(future.length > 0 && { future: columns(future, length) }),
    ...(features.length > 0 && {
      static: Object.fromEntries(
        features.map((column) => [column, featureOf(where, rows[0]![column], column, lines[0]!)]),
      ),
    }),
  };
}

/** A static feature: a number if the cell is one, and text otherwise. */
const featureOf = (where: string, cell: unknown, column: string, line: number): number | string =>
  Number.isFinite(numberOf(cell)) ? numberOf(cell) : textOf(where, cell, column, line);

/** The number in a cell, NaN in other cells. */
function numberOf(cell: unknown): number {
  return isEmpty(cell) || !(typeof cell === 'number' || typeof cell === 'string') ? NaN : Number(cell);
}

/** The text of a cell. */
function textOf(where: string, cell: unknown, column: string, line: number): string {
  if (typeof cell !== 'string' && typeof cell !== 'number' && typeof cell !== 'boolean')
    throw new TypeError(`${where}: column ${column}, row ${line}: must be text or a number, got ${describe(cell)}.`);
  return String(cell);
}

/** The position of every row in a series with regular time steps. */
function positionsOf(
  where: string,
  { name, rows, lines }: Cells,
  { time: column, frequency, missing = 'error' }: SeriesFromRowsOptions,
): { readonly start: number; readonly at: readonly number[]; readonly length: number } {
  const step = parseFrequency(where, frequency);
  const place = (i: number): string => `${where}: series ${name}, column ${column}, row ${lines[i]}`;
  const times = rows.map((row, i) => millisecondsOf(`${place(i)}:`, row[column] as Time));
  const start = times[0]!;
  const show = (time: number): string => new Date(time).toISOString();
  const at = times.map((time, i) => {
    const position = stepsBetween(start, time, step);
    const previous = i === 0 ? -1 : stepsBetween(start, times[i - 1]!, step);
    if (time === times[i - 1]) throw new RangeError(`${place(i)}: the time ${show(time)} is repeated.`);
    if (position <= previous)
      throw new RangeError(`${place(i)}: the time ${show(time)} is before that of the previous row. Sort the rows.`);
    if (!Number.isInteger(position))
      throw new RangeError(`${place(i)}: the time ${show(time)} is between two steps of frequency ${frequency}.`);
    if (position > previous + 1 && missing === 'error')
      throw new RangeError(
        `${place(i)}: the time must be ${show(timeAfter(start, step, previous + 1))}, got ${show(time)}. ` +
          "Use missing: 'mask' for series with gaps.",
      );
    return position;
  });
  return { start, at, length: lastOf(at)! + 1 };
}
