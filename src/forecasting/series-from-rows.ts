/** Series from the rows of a table. */

import { lastOf } from '../tensor/arrays';
import {
  checkArray,
  checkChoice,
  checkNames,
  checkSome,
  checkString,
  describe,
  isObject,
  mismatch,
} from '../tensor/shape';
import { type Frequency, millisecondsOf, parseFrequency, stepsBetween, type Time, timeAfter } from './calendar';
import type { Columns, Series } from './series';

/** The options of {@link seriesFromRows}. */
export interface SeriesFromRowsOptions {
  /** The column of the values. */
  readonly value: string;
  /** The column of the times. */
  readonly time: string;
  /**
   * The time between two rows of a series. Months that start on the last day of one continue on last days. Days have 24
   * hours: for local days, which daylight saving time makes longer or shorter, use dates without a zone.
   */
  readonly frequency: Frequency;
  /** The column with the name of the series; without it, all rows are one series. */
  readonly series?: string | undefined;
  /** The columns of the covariates of which only the past is available. */
  readonly past?: readonly string[] | undefined;
  /** The columns of the covariates that are available in the future. */
  readonly future?: readonly string[] | undefined;
  /** The columns of the features that do not change over time; only the first row of a series must have them. */
  readonly static?: readonly string[] | undefined;
  /**
   * Whether empty values and missing rows are errors, or are masked. `'error'` by default. The covariates of missing
   * rows are those of the row before.
   */
  readonly missing?: 'error' | 'mask' | undefined;
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
 * @throws RangeError if `missing` is unknown, there is no column of values, a cell is not a number, a static feature
 * changes, or a time is repeated, out of order, missing or between two time steps; the message names the series, the
 * column and the row, counted from 0
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
  checkChoice(where, 'missing', options.missing ?? 'error', ['error', 'mask']);
  parseFrequency(where, options.frequency);
  checkString(where, 'value', options.value);
  checkString(where, 'time', options.time);
  for (const kind of ['past', 'future', 'static'] as const) {
    const { [kind]: names = [] } = options;
    checkArray(where, kind, names);
    for (const name of names) checkString(where, kind, name);
  }
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
  // The cells can be empty, but without any the name of the column is wrong.
  checkSome(where, `column ${options.value}`, rows.filter((row) => options.value in row).length, 'cell');
  return [...groups.values()].map((group) => seriesOf(where, group, options));
}

/**
 * Whether a cell has no value. Text of blanks has none, although `Number` converts it to 0. Functions are methods that
 * the row inherits, such as `constructor`, not cells.
 */
const isEmpty = (cell: unknown): boolean =>
  cell === undefined ||
  cell === null ||
  Number.isNaN(cell) ||
  typeof cell === 'function' ||
  (typeof cell === 'string' && cell.trim() === '');

function seriesOf(where: string, cells: Cells, options: SeriesFromRowsOptions): Series {
  const { value, past = [], future = [], static: features = [], missing = 'error' } = options;
  const { name, rows } = cells;
  const positions = positionsOf(where, cells, options);
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
        throw new RangeError(`${placeOf(where, cells, column, i)}: must be a number, got ${got}.${remedy}`);
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
    ...(future.length > 0 && { future: columns(future, positions.length) }),
    ...(features.length > 0 && {
      static: Object.fromEntries(features.map((column) => [column, featureOf(where, cells, column)])),
    }),
  };
}

/**
 * The static feature in the first row of a series: a number if the cell is one, and text otherwise. The cells of other
 * rows can be empty.
 */
function featureOf(where: string, cells: Cells, column: string): number | string {
  const read = (cell: unknown, i: number): number | string =>
    Number.isFinite(numberOf(cell)) ? numberOf(cell) : textOf(where, cell, column, cells.lines[i]!);
  const feature = read(cells.rows[0]![column], 0);
  cells.rows.forEach(({ [column]: cell }, i) => {
    if (!isEmpty(cell) && read(cell, i) !== feature)
      throw new RangeError(
        `${placeOf(where, cells, column, i)}: a static feature must not change, got ${cell} after ${feature}.`,
      );
  });
  return feature;
}

const placeOf = (where: string, { name, lines }: Cells, column: string, i: number): string =>
  `${where}: series ${name}, column ${column}, row ${lines[i]}`;

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
  cells: Cells,
  { time: column, frequency, missing = 'error' }: SeriesFromRowsOptions,
): { readonly start: number; readonly at: readonly number[]; readonly length: number } {
  const step = parseFrequency(where, frequency);
  const place = (i: number): string => placeOf(where, cells, column, i);
  const times = cells.rows.map((row, i) => millisecondsOf(`${place(i)}:`, row[column] as Time));
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
    if (position > 1e8)
      throw new RangeError(
        `${place(i)}: the time ${show(time)} is more than 10⁸ steps of ${frequency} after the first.`,
      );
    return position;
  });
  return { start, at, length: lastOf(at)! + 1 };
}
