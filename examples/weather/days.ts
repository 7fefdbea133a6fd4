/** Days of weather in two cities, from vega-datasets (NOAA). */

import { readFileSync } from 'node:fs';

/** The kinds of weather, by number. */
export const kinds = ['sun', 'rain', 'fog', 'drizzle', 'snow'] as const;

export interface Day {
  readonly date: string;
  readonly year: number;
  /** The angle of the day in the year. */
  readonly angle: number;
  readonly high: number;
  readonly low: number;
  readonly precipitation: number;
  readonly wind: number;
  readonly kind: number;
}

/** The days of each city in order. */
export function readDays(): Readonly<Record<string, readonly Day[]>> {
  const cities: Record<string, Day[]> = {};
  for (const line of readFileSync('examples/weather/weather.csv', 'utf8').trim().split('\n').slice(1)) {
    const [city, date, precipitation, high, low, wind, kind] = line.split(',') as [
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
    (cities[city] ??= []).push({
      date,
      year,
      angle: (2 * Math.PI * days) / 365.25,
      high: Number(high),
      low: Number(low),
      precipitation: Number(precipitation),
      wind: Number(wind),
      kind: kinds.indexOf(kind as (typeof kinds)[number]),
    });
  }
  return cities;
}

/** What a day of the year is like, as a curve of two waves through the days that are given (least squares). */
export function seasonOf(days: readonly Day[], value: (day: Day) => number): (angle: number) => number {
  const waves = (angle: number): number[] => [
    1,
    Math.sin(angle),
    Math.cos(angle),
    Math.sin(2 * angle),
    Math.cos(2 * angle),
  ];
  const n = 5;
  const matrix = Array.from({ length: n }, () => new Array<number>(n + 1).fill(0));
  for (const day of days) {
    const row = waves(day.angle);
    row.forEach((a, i) => {
      row.forEach((b, j) => (matrix[i]![j]! += a * b));
      matrix[i]![n]! += a * value(day);
    });
  }
  // Gauss and Jordan; the sums of squares on the diagonal are far from zero.
  for (let i = 0; i < n; i++) {
    const pivot = matrix[i]!.map((each) => each / matrix[i]![i]!);
    matrix[i] = pivot;
    for (let k = 0; k < n; k++) if (k !== i) matrix[k] = matrix[k]!.map((each, j) => each - matrix[k]![i]! * pivot[j]!);
  }
  const weights = matrix.map((row) => row[n]!);
  return (angle) => waves(angle).reduce((sum, wave, i) => sum + wave * weights[i]!, 0);
}
