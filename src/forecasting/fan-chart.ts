/** Fan charts: a series and its forecast with intervals, as SVG. */

import { lastOf } from '../tensor/arrays';
import {
  checkArray,
  checkCount,
  checkKind,
  checkNames,
  checkNumber,
  checkString,
  isObject,
  lengthOf,
  mismatch,
  outOfRange,
} from '../tensor/shape';
import { gray, line, svgDocument, text, ticksOf } from '../training/svg';
import { millisecondsOf } from './calendar';
import { checkForecast, type Forecast, hasInterval, intervalAt } from './forecast-result';
import type { Series } from './series';

/** The options of {@link fanChart}. */
export interface FanChartOptions {
  /** The name of the series by default. */
  readonly title?: string | undefined;
  /** The central intervals to draw, as fractions. By default those of 0.5, 0.8 and 0.9 that the levels contain. */
  readonly intervals?: readonly number[] | undefined;
  /** The number of last values to draw before the forecast. By default four times the horizon, at least 40. */
  readonly history?: number | undefined;
  /** The values that followed, to compare with. */
  readonly actual?: ArrayLike<number> | undefined;
  /** The width in pixels, 640 by default. */
  readonly width?: number | undefined;
  /** The height in pixels, 320 by default. */
  readonly height?: number | undefined;
}

const color = '#2f7fd6';
const margin = { left: 60, right: 16, top: 40, bottom: 36 };

/**
 * Draws the last values of a series, the median of its forecast and central intervals.
 *
 * @returns an SVG document, for a file or the `innerHTML` of an element
 * @throws RangeError if an option is out of range, or an interval is wider than the levels of the forecast
 * @example
 * const series = { name: 'sales', values: [3, 5, 4, 6, 5, 7] };
 * const method = await drift()([], { horizon: 4, season: 1, frequency: undefined, levels: [0.1, 0.5, 0.9] });
 * fanChart(series, method([series])[0]!, { intervals: [0.8] }).startsWith('<svg'); // true
 */
export function fanChart(series: Series, forecast: Forecast, options: FanChartOptions = {}): string {
  const where = 'fanChart';
  checkNames(where, 'options', options, ['title', 'intervals', 'history', 'actual', 'width', 'height']);
  checkKind(where, 'series', series, 'a series', 'values');
  checkForecast(where, 'forecast', forecast);
  lengthOf(where, 'series.values', series.values);
  if (series.mask !== undefined) lengthOf(where, 'series.mask', series.mask);
  const { title = series.name, actual = [], width = 640, height = 320 } = options;
  const { intervals = [0.5, 0.8, 0.9].filter((each) => hasInterval(forecast, each)) } = options;
  checkString(where, 'title', title);
  checkIntervals(where, intervals, forecast);
  if (!isObject(actual)) throw mismatch(where, 'actual', 'an array of numbers', actual);
  for (const value of forecast.median) checkNumber(where, 'forecast.median', value);
  const h = forecast.median.length;
  const { history = Math.max(40, 4 * h) } = options;
  for (const [name, value] of Object.entries({ history, width, height })) checkCount(where, name, value);
  const N = series.values.length;
  const first = Math.max(0, N - history);
  const past = Array.from({ length: N - first }, (_, i) => first + i)
    .filter((t) => series.mask === undefined || series.mask[t] === 1)
    .map((t) => [t, series.values[t]!] as const);
  for (const [, value] of past) checkNumber(where, 'series.values', value);
  const later = Array.from(actual, (value, k) => [N + k, value] as const).filter(([, value]) => !Number.isNaN(value));
  for (const [, value] of later) checkNumber(where, 'actual', value);
  const bands = [...intervals]
    .sort((a, b) => b - a)
    .map((each) => forecast.median.map((_, k) => intervalAt(forecast, k, each)));
  const all = [...past.map(([, y]) => y), ...later.map(([, y]) => y), ...bands.flat(2), ...forecast.median];
  const [low, high] = [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))];
  const x = (t: number): string =>
    (margin.left + ((t - first) / Math.max(1, N + h - 1 - first)) * (width - margin.left - margin.right)).toFixed(1);
  const y = (value: number): string =>
    (height - margin.bottom - ((value - low) / (high - low || 1)) * (height - margin.top - margin.bottom)).toFixed(1);
  // The fan starts at the last value.
  const origin = lastOf(past) ?? ([N, forecast.median[0]!] as const);
  const path = (points: readonly (readonly [number, number])[]): string =>
    points.map(([t, value], i) => `${i === 0 ? 'M' : 'L'}${x(t)} ${y(value)}`).join('');
  const fan = bands.map((band) => {
    const upper = band.map(([, value], k) => [N + k, value] as const);
    const lower = band.map(([value], k) => [N + k, value] as const).reverse();
    const opacity = (0.6 / bands.length).toFixed(2);
    return `<path d="${path([origin, ...upper, ...lower])}Z" fill="${color}" fill-opacity="${opacity}"/>`;
  });
  const curve = (points: readonly (readonly [number, number])[], stroke: string): string =>
    points.length === 0 ? '' : `<path d="${path(points)}" fill="none" stroke="${stroke}" stroke-width="1.6"/>`;
  const median = [origin, ...forecast.median.map((value, k) => [N + k, value] as const)];
  const parts = [
    text(margin.left, 16, title, 'start', 600),
    ...ticksOf(low, high).map((tick) => {
      const at = y(tick);
      return (
        line(margin.left, at, width - margin.right, at, 0.25) +
        text(margin.left - 6, at, String(Number(tick.toPrecision(6))), 'end')
      );
    }),
    ...timeTicks(series, forecast, first).map(([t, label], i, { length }) =>
      text(x(t), height - margin.bottom + 18, label, i === 0 ? 'start' : i === length - 1 ? 'end' : 'middle'),
    ),
    ...fan,
    curve(past, gray),
    curve(median, color),
    curve(later, '#e07b00'),
  ];
  return svgDocument(title, width, height, parts);
}

/** @throws RangeError if an interval is wider than the levels of the forecast */
function checkIntervals(where: string, intervals: readonly number[], forecast: Forecast): void {
  checkArray(where, 'intervals', intervals);
  for (const each of intervals) {
    checkNumber(where, 'intervals', each, 0, 1);
    if (!hasInterval(forecast, each))
      throw outOfRange(
        where,
        'intervals',
        `inside the levels of the forecast, ${forecast.levels.join(', ')}`,
        each,
        `It needs the levels ${[1 - each, 1 + each].map((twice) => Number((twice / 2).toFixed(6))).join(' and ')}.`,
      );
  }
}

/** The labels of the time axis: five times if there are times, and otherwise steps. */
function timeTicks(
  series: Series,
  { times, median }: Forecast,
  first: number,
): (readonly [t: number, label: string])[] {
  const N = series.values.length;
  const last = N + median.length - 1;
  const at = Array.from({ length: 5 }, (_, i) => Math.round(first + ((last - first) * i) / 4));
  if (times?.[0] === undefined || series.start === undefined) return at.map((t) => [t, String(t)]);
  // Between the start of the series and that of the forecast, times are nearly linear.
  const start = millisecondsOf('fanChart: series.start', series.start);
  // A forecast that was stored as JSON has text in place of dates.
  const timeAt = (k: number): number => millisecondsOf(`fanChart: forecast.times[${k}]`, times[k]!);
  const length = (timeAt(0) - start) / N;
  const isShort = length < 86_000_000;
  return at.map((t) => {
    const time = new Date(t >= N ? timeAt(t - N) : start + length * t);
    return [t, isShort ? time.toISOString().slice(5, 16).replace('T', ' ') : time.toISOString().slice(0, 10)];
  });
}
