/** Regular time stamps and calendar features, in UTC. */

import { describe, outOfRange } from '../tensor/shape';

type Unit = 'minute' | 'hour' | 'day' | 'week' | 'month' | 'quarter' | 'year';

/** The time between two values: a unit, or a number of units such as `'30 minutes'`. */
export type Frequency = Unit | `${number} ${Unit}s`;

/** A moment: a `Date`, milliseconds since 1970, or text that `Date.parse` reads. Text without a zone is UTC. */
export type Time = Date | number | string;

interface Step {
  readonly count: number;
  readonly unit: Unit;
}

const minute = 60_000;
const day = 24 * 60 * minute;
/** Units of constant length, in milliseconds. */
const lengths: Readonly<Partial<Record<Unit, number>>> = { minute, hour: 60 * minute, day, week: 7 * day };
/** Units of a number of months. */
const months: Readonly<Partial<Record<Unit, number>>> = { month: 1, quarter: 3, year: 12 };

/** @throws RangeError if the frequency is not a unit or a number of units */
export function parseFrequency(where: string, frequency: Frequency): Step {
  const match = /^(?:([1-9]\d*) )?(minute|hour|day|week|month|quarter|year)s?$/.exec(String(frequency));
  if (match === null)
    throw outOfRange(where, 'frequency', "a unit such as 'day', or a number of units such as '30 minutes'", frequency);
  return { count: Number(match[1] ?? 1), unit: match[2] as Unit };
}

/** The number of values in the shortest season: of a day if there are several values per day, of a week or of a year. */
export function defaultSeason(frequency: Frequency | undefined): number {
  if (frequency === undefined) return 1;
  const { count, unit } = parseFrequency('forecaster', frequency);
  const cycles: Readonly<Record<Unit, number>> = {
    minute: 1440,
    hour: 24,
    day: 7,
    week: 52,
    month: 12,
    quarter: 4,
    year: 1,
  };
  const season = cycles[unit] / count;
  return Number.isInteger(season) ? season : 1;
}

/** The milliseconds of a moment. @throws RangeError if it is not one; `label` names it */
export function millisecondsOf(label: string, time: Time): number {
  // Date.parse reads a date as UTC, but a date with a time and without a zone as local time.
  const isLocal = typeof time === 'string' && /\d[T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$/.test(time);
  const value = typeof time === 'string' ? Date.parse(isLocal ? `${time.replace(' ', 'T')}Z` : time) : Number(time);
  if (!Number.isFinite(value)) throw new RangeError(`${label} must be a time, got ${describe(time)}.`);
  return value;
}

/** The moment `steps` steps after `start`. A day that a month does not have becomes its last day. */
export function timeAfter(start: number, { count, unit }: Step, steps: number): number {
  const length = lengths[unit];
  if (length !== undefined) return start + steps * count * length;
  const from = new Date(start);
  const month = from.getUTCMonth() + steps * count * months[unit]!;
  const last = new Date(Date.UTC(from.getUTCFullYear(), month + 1, 0)).getUTCDate();
  // A series that starts on the last day of a month continues on last days.
  const startsOnLast = new Date(start + day).getUTCDate() === 1;
  const date = startsOnLast ? last : Math.min(from.getUTCDate(), last);
  return Date.UTC(from.getUTCFullYear(), month, date) + (start % day < 0 ? (start % day) + day : start % day);
}

/**
 * The position of a moment in a series that starts at `start`: the number of steps.
 *
 * @returns a fraction if it is between two steps
 */
export function stepsBetween(start: number, time: number, step: Step): number {
  const length = lengths[step.unit];
  if (length !== undefined) return (time - start) / (length * step.count);
  const [from, to] = [new Date(start), new Date(time)];
  const difference = (to.getUTCFullYear() - from.getUTCFullYear()) * 12 + to.getUTCMonth() - from.getUTCMonth();
  const steps = difference / (months[step.unit]! * step.count);
  if (!Number.isInteger(steps)) return steps;
  return timeAfter(start, step, steps) === time ? steps : steps + 0.5;
}

/** The fraction of a day, week or year at a moment, from 0 to 1. */
const phases = {
  day: (time: number) => (((time % day) + day) % day) / day,
  // 1 January 1970 was a Thursday.
  week: (time: number) => ((((time + 3 * day) % (7 * day)) + 7 * day) % (7 * day)) / (7 * day),
  year: (time: number) => {
    const year = new Date(time).getUTCFullYear();
    const start = Date.UTC(year, 0, 1);
    return (time - start) / (Date.UTC(year + 1, 0, 1) - start);
  },
};

/** The cycles of a frequency that calendar features describe, and the number of harmonics of each. */
function cyclesOf({ count, unit }: Step): readonly (readonly [keyof typeof phases, number])[] {
  if (unit === 'minute' || unit === 'hour')
    return [
      ['day', 3],
      ['week', 3],
      ['year', 1],
    ];
  if (unit === 'day')
    return count === 1
      ? [
          ['week', 3],
          ['year', 2],
        ]
      : [['year', 2]];
  if (unit === 'year') return [];
  return [['year', 2]];
}

/** The number of calendar features of a frequency. */
export const calendarSize = (step: Step): number => cyclesOf(step).reduce((sum, [, count]) => sum + 2 * count, 0);

/** The sines and cosines of the phases of a moment in the day, the week and the year. */
export function calendarFeatures(time: number, step: Step): number[] {
  return cyclesOf(step).flatMap(([cycle, harmonics]) =>
    Array.from({ length: harmonics }, (_, i) => 2 * Math.PI * (i + 1) * phases[cycle](time)).flatMap((angle) => [
      Math.sin(angle),
      Math.cos(angle),
    ]),
  );
}
