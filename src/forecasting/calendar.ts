/** Regular time stamps and calendar features, in UTC. */

import { describe, outOfRange } from '../tensor/shape';

type Unit = 'minute' | 'hour' | 'day' | 'week' | 'month' | 'quarter' | 'year';

/** The time between two values: a unit, or a number of units such as `'30 minutes'`. */
export type Frequency = Unit | `${number} ${Unit}s`;

/**
 * A moment: a `Date`, milliseconds since 1970, or text in ISO format, such as `2024-01-02`, `2024-01-02 9:30` or
 * `2024-01-02T09:30+01:00`. Text without a zone is UTC.
 */
export type Time = Date | number | string;

interface Step {
  readonly count: number;
  readonly unit: Unit;
}

const minute = 60_000;
const day = 86_400_000;
/** Units of constant length, in milliseconds. */
const lengths: Readonly<Partial<Record<Unit, number>>> = { minute, hour: 3_600_000, day, week: 604_800_000 };
/** Units of a number of months. */
const months: Readonly<Partial<Record<Unit, number>>> = { month: 1, quarter: 3, year: 12 };

/** @throws RangeError if the frequency is not a unit or a number of units */
export function parseFrequency(where: string, frequency: Frequency): Step {
  const match =
    typeof frequency === 'string' && /^(?:([1-9]\d*) )?(minute|hour|day|week|month|quarter|year)s?$/.exec(frequency);
  if (!match)
    throw outOfRange(where, 'frequency', "a unit such as 'day', or a number of units such as '30 minutes'", frequency);
  return { count: Number(match[1] ?? 1), unit: match[2] as Unit };
}

/**
 * The number of values in the shortest season: of a day if there are several values per day, of a week or of a year.
 *
 * @throws as {@link parseFrequency}
 */
export function defaultSeason(frequency: Frequency | undefined): number {
  if (frequency === undefined) return 1;
  let { count, unit } = parseFrequency('forecaster', frequency);
  const cycles: Readonly<Record<Unit, number>> = {
    minute: 1440,
    hour: 24,
    day: 7,
    week: 52,
    month: 12,
    quarter: 4,
    year: 1,
  };
  // 24 hours are a day, and 7 days are a week.
  if ((unit === 'minute' || unit === 'hour') && count % cycles[unit] === 0)
    [count, unit] = [count / cycles[unit], 'day'];
  if (unit === 'day' && count % 7 === 0) [count, unit] = [count / 7, 'week'];
  const season = cycles[unit] / count;
  return Number.isInteger(season) ? season : 1;
}

/** Text in ISO format. The hour may have one digit, and a space may replace the T. */
const isoTime = /^(\d{4}(?:-\d\d){0,2})(?:[T ](\d\d?)(:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:\d\d)?)?$/;

/** The milliseconds of text; NaN for other text, which `Date.parse` would read as local time. */
function parseTime(text: string): number {
  const [, date = '', hour, rest, zone = 'Z'] = isoTime.exec(text) ?? [];
  // `Date.parse` reads 30 February as 1 March.
  if (new Date(date).getUTCDate() !== Number(date.slice(8) || 1)) return NaN;
  return Date.parse(hour === undefined ? date : `${date}T${hour.padStart(2, '0')}${rest}${zone}`);
}

/** The milliseconds of a moment. @throws RangeError if it is not one; `label` names it */
export function millisecondsOf(label: string, time: Time): number {
  const isMoment = typeof time === 'number' || Object.prototype.toString.call(time) === '[object Date]';
  const value = typeof time === 'string' ? parseTime(time) : isMoment ? Number(time) : NaN;
  if (Number.isNaN(new Date(value).getTime()))
    throw new RangeError(
      `${label} must be a Date, milliseconds or an existing time in ISO format, got ${describe(time)}.`,
    );
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
  return Date.UTC(from.getUTCFullYear(), month, date) + (start - Math.floor(start / day) * day);
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
  return Number.isInteger(steps) && timeAfter(start, step, steps) !== time ? steps + 0.5 : steps;
}

/** A cycle of the calendar. */
export type Cycle = 'day' | 'week' | 'year';

/** The fraction of a cycle at a moment, from 0 to 1. */
const phases: Readonly<Record<Cycle, (time: number) => number>> = {
  day: (time) => fraction(time / day),
  // 1 January 1970 was a Thursday.
  week: (time) => fraction((time + 3 * day) / (7 * day)),
  year: (time) => {
    const year = new Date(time).getUTCFullYear();
    const start = Date.UTC(year, 0, 1);
    return (time - start) / (Date.UTC(year + 1, 0, 1) - start);
  },
};

const fraction = (x: number): number => x - Math.floor(x);

/** The number of harmonics of a cycle. */
const harmonics: Readonly<Record<Cycle, number>> = { day: 3, week: 3, year: 2 };

/**
 * The cycles that calendar features describe: those with several steps that the data has at least twice. The phase of a
 * longer cycle would be an extrapolation.
 *
 * @param steps the number of values of the longest series
 */
export function cyclesOf(frequency: Frequency, steps: number): Cycle[] {
  const { count, unit } = parseFrequency('forecaster', frequency);
  const year = 365 * day;
  const length = count * (lengths[unit] ?? (months[unit]! * year) / 12);
  const periods: readonly (readonly [Cycle, number])[] = [
    ['day', day],
    ['week', 7 * day],
    ['year', year],
  ];
  return periods.filter(([, period]) => 2 * length <= period && steps * length >= 2 * period).map(([cycle]) => cycle);
}

/** The number of calendar features. */
export const calendarSize = (cycles: readonly Cycle[]): number =>
  cycles.reduce((size, cycle) => size + 2 * harmonics[cycle], 0);

/** The sines and cosines of the phases of a moment in the cycles. */
export function calendarFeatures(time: number, cycles: readonly Cycle[]): number[] {
  return cycles.flatMap((cycle) =>
    Array.from({ length: harmonics[cycle] }, (_, i) => 2 * Math.PI * (i + 1) * phases[cycle](time)).flatMap((angle) => [
      Math.sin(angle),
      Math.cos(angle),
    ]),
  );
}
