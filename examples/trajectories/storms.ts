/** Tracks of Atlantic storms: NOAA's HURDAT2. */

import { readTable } from '../table';

/** An observation of a storm, six hours after the previous one. */
export interface Fix {
  readonly latitude: number;
  readonly longitude: number;
  /** Knots */
  readonly wind: number;
  /** Millibars */
  readonly pressure: number;
  /** Time of the year, from 0 to 1. */
  readonly season: number;
}

/** A part of the track of a storm without gaps. */
export interface Storm {
  readonly name: string;
  readonly year: number;
  readonly fixes: readonly Fix[];
}

/** Reads all tracks of at least six consecutive fixes on the six-hour grid. */
export function readStorms(): readonly Storm[] {
  const storms: { name: string; year: number; fixes: Fix[]; last: number }[] = [];
  for (const row of readTable('examples/trajectories/storms.csv')) {
    const of = (column: string): number => Number(row[column]);
    const [year, hour] = [of('year'), of('hour')];
    if (hour % 6 !== 0) continue;
    const time = Date.UTC(year, of('month') - 1, of('day'), hour) / 3.6e6;
    const fix = {
      latitude: of('lat'),
      longitude: of('long'),
      wind: of('wind'),
      pressure: of('pressure'),
      season: (time - Date.UTC(year, 0, 1) / 3.6e6) / 8766,
    };
    const previous = storms.at(-1);
    if (previous !== undefined && previous.name === row['name'] && time - previous.last === 6) {
      previous.fixes.push(fix);
      previous.last = time;
    } else {
      storms.push({ name: row['name']!, year, fixes: [fix], last: time });
    }
  }
  return storms.filter(({ fixes }) => fixes.length >= 6);
}

const radians = Math.PI / 180;
/** Kilometers per degree of latitude. */
const degree = 111.195;

/** Latitude and longitude in degrees. */
export type Position = Pick<Fix, 'latitude' | 'longitude'>;

/** Computes the great-circle distance in kilometers. */
export function distance(a: Position, b: Position): number {
  const [p, q] = [a.latitude * radians, b.latitude * radians];
  const half =
    Math.sin((p - q) / 2) ** 2 + Math.cos(p) * Math.cos(q) * Math.sin(((a.longitude - b.longitude) * radians) / 2) ** 2;
  return 2 * 6371 * Math.asin(Math.sqrt(half));
}

/** Computes the displacement from one position to another, in kilometers to the east and to the north. */
export function displacement(from: Position, to: Position): readonly [east: number, north: number] {
  const middle = ((from.latitude + to.latitude) / 2) * radians;
  return [(to.longitude - from.longitude) * degree * Math.cos(middle), (to.latitude - from.latitude) * degree];
}

/** Computes the position at a displacement from another one: the inverse of {@link displacement}. */
export function displace(from: Position, [east, north]: readonly [number, number]): Position {
  const latitude = from.latitude + north / degree;
  return {
    latitude,
    longitude: from.longitude + east / (degree * Math.cos(((from.latitude + latitude) / 2) * radians)),
  };
}
