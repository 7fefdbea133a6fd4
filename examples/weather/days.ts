/** Daily weather of two cities, from vega-datasets (NOAA). */

import { readFileSync } from 'node:fs';

/** The weather types, by id. */
export const weatherTypes = ['sun', 'rain', 'fog', 'drizzle', 'snow'] as const;

/** The weather of a day. */
export interface Day {
  readonly date: string;
  readonly year: number;
  /** Time of the year as an angle, in radians. */
  readonly angle: number;
  /** Highest temperature, °C */
  readonly high: number;
  /** Lowest temperature, °C */
  readonly low: number;
  /** mm */
  readonly precipitation: number;
  /** m/s */
  readonly wind: number;
  /** Index into {@link weatherTypes}. */
  readonly type: number;
}

/** Reads the days of each city, in order. */
export function readDays(): Readonly<Record<string, readonly Day[]>> {
  const cities: Record<string, Day[]> = {};
  for (const line of readFileSync('examples/weather/weather.csv', 'utf8').trim().split('\n').slice(1)) {
    const [city, date, precipitation, high, low, wind, type] = line.split(',') as [
      string,
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    const year = Number(date.slice(0, 4));
    const days = (Date.parse(date) - Date.UTC(year, 0, 1)) / 864e5;
    cities[city] ??= [];
    cities[city].push({
      date,
      year,
      angle: (2 * Math.PI * days) / 365.25,
      high: Number(high),
      low: Number(low),
      precipitation: Number(precipitation),
      wind: Number(wind),
      type: weatherTypes.indexOf(type as (typeof weatherTypes)[number]),
    });
  }
  return cities;
}

/** Fits the climatology of a value: two harmonics of the year, by least squares. */
export function fitClimatology(days: readonly Day[], value: (day: Day) => number): (angle: number) => number {
  const basis = (angle: number): number[] => [
    1,
    Math.sin(angle),
    Math.cos(angle),
    Math.sin(2 * angle),
    Math.cos(2 * angle),
  ];
  const n = 5;
  // The normal equations, `[5, 6]`: the last column is the right-hand side.
  const matrix = Array.from({ length: n }, () => new Array<number>(n + 1).fill(0));
  for (const day of days) {
    const row = basis(day.angle);
    row.forEach((a, i) => {
      row.forEach((b, j) => {
        matrix[i]![j]! += a * b;
      });
      matrix[i]![n]! += a * value(day);
    });
  }
  // Gauss–Jordan elimination. It needs no pivoting, since the sums of squares on the diagonal are far from zero.
  for (let i = 0; i < n; i++) {
    const pivot = matrix[i]!.map((value) => value / matrix[i]![i]!);
    matrix[i] = pivot;
    for (let k = 0; k < n; k++)
      if (k !== i) matrix[k] = matrix[k]!.map((value, j) => value - matrix[k]![i]! * pivot[j]!);
  }
  const weights = matrix.map((row) => row[n]!);
  return (angle) => basis(angle).reduce((sum, value, i) => sum + value * weights[i]!, 0);
}
