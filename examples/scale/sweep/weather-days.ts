/** Daily weather of two cities, from the data of the weather example. */

import { readTable } from '../../table';

/** The weather of a day. */
export interface Day {
  /** Such as `'2012-01-31'`. */
  readonly date: string;
  /** Time of the year as an angle, in radians. */
  readonly angle: number;
  /** Highest and lowest temperature, °C */
  readonly high: number;
  readonly low: number;
  /** mm */
  readonly precipitation: number;
}

/** Reads the days of each city, in order. */
export function readDays(): readonly (readonly Day[])[] {
  const cities = new Map<string, Day[]>();
  for (const row of readTable('examples/weather/weather.csv')) {
    const [city, date] = [row['location']!, row['date']!];
    const days = (Date.parse(date) - Date.UTC(Number(date.slice(0, 4)), 0, 1)) / 864e5;
    const list = cities.get(city) ?? [];
    list.push({
      date,
      angle: (2 * Math.PI * days) / 365.25,
      high: Number(row['temp_max']),
      low: Number(row['temp_min']),
      precipitation: Number(row['precipitation']),
    });
    cities.set(city, list);
  }
  return [...cities.values()];
}
