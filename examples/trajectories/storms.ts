/** Tracks of Atlantic storms: NOAA's HURDAT2. */

import { readFileSync } from 'node:fs';

/** A place of a storm at one moment, six hours after the one before. */
export interface Fix {
  readonly latitude: number;
  readonly longitude: number;
  /** Knots, and millibars. */
  readonly wind: number;
  readonly pressure: number;
  /** The day of the year, from 0 to 1. */
  readonly season: number;
}

/** A stretch of a storm without gaps. */
export interface Storm {
  readonly name: string;
  readonly year: number;
  readonly fixes: readonly Fix[];
}

/** All stretches of at least six fixes on the six-hour grid. */
export function readStorms(): readonly Storm[] {
  const rows = readFileSync('examples/trajectories/storms.csv', 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','));
  const storms: { name: string; year: number; fixes: Fix[]; last: number }[] = [];
  for (const [name, ...numbers] of rows) {
    const [year, month, day, hour, latitude, longitude, wind, pressure] = numbers.map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    if (hour % 6 !== 0) continue;
    const time = Date.UTC(year, month - 1, day, hour) / 3.6e6;
    const fix = { latitude, longitude, wind, pressure, season: (time - Date.UTC(year, 0, 1) / 3.6e6) / 8766 };
    const before = storms.at(-1);
    if (before?.name === name && time - before!.last === 6) {
      before!.fixes.push(fix);
      before!.last = time;
    } else {
      storms.push({ name: name!, year, fixes: [fix], last: time });
    }
  }
  return storms.filter(({ fixes }) => fixes.length >= 6);
}

const radians = Math.PI / 180;
/** Kilometers a degree of latitude. */
export const degree = 111.195;

/** The great-circle distance in kilometers. */
export function distance(a: Pick<Fix, 'latitude' | 'longitude'>, b: Pick<Fix, 'latitude' | 'longitude'>): number {
  const [p, q] = [a.latitude * radians, b.latitude * radians];
  const half =
    Math.sin((p - q) / 2) ** 2 + Math.cos(p) * Math.cos(q) * Math.sin(((a.longitude - b.longitude) * radians) / 2) ** 2;
  return 2 * 6371 * Math.asin(Math.sqrt(half));
}

/** The way from one place to another in kilometers to the east and to the north. */
export function way(
  from: Pick<Fix, 'latitude' | 'longitude'>,
  to: Pick<Fix, 'latitude' | 'longitude'>,
): readonly [east: number, north: number] {
  const middle = ((from.latitude + to.latitude) / 2) * radians;
  return [(to.longitude - from.longitude) * degree * Math.cos(middle), (to.latitude - from.latitude) * degree];
}

/** The place that such a way leads to. */
export function place(
  from: Pick<Fix, 'latitude' | 'longitude'>,
  [east, north]: readonly [number, number],
): Pick<Fix, 'latitude' | 'longitude'> {
  const latitude = from.latitude + north / degree;
  return {
    latitude,
    longitude: from.longitude + east / (degree * Math.cos(((from.latitude + latitude) / 2) * radians)),
  };
}
