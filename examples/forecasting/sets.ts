/** The data sets, and the forecaster of each. */

import { readFileSync } from 'node:fs';
import {
  type Forecaster,
  type ForecasterOptions,
  type Frequency,
  forecaster,
  negativeBinomial,
  type Series,
  seriesFromRows,
} from 'bptt/forecasting';
import { readTable } from '../table';

/** How a set is evaluated. */
export interface Protocol {
  readonly season: number;
  readonly horizon: number;
  readonly origins: number;
  readonly stride: number;
}

/** An entry of protocol.json. */
interface Entry extends Protocol {
  readonly file: string;
  readonly static?: string;
  readonly series: string | null;
  readonly time: string;
  readonly value: string;
  readonly frequency: string;
  /** Whether the values are counts, many of them zero. */
  readonly counts?: boolean;
}

type Table = ReturnType<typeof readTable>;

/** A set of series. */
export interface DataSet extends Protocol {
  readonly series: readonly Series[];
  readonly frequency: Frequency;
  /** The forecaster of the set, with changes of its options. */
  readonly create: (seed: number, changes?: Partial<ForecasterOptions>) => Forecaster;
}

/** The folder of the seven sets. */
export const ownData = 'examples/forecasting/data';

/** The options of the forecaster that are not the defaults, by set. */
const options: Readonly<Record<string, Partial<ForecasterOptions>>> = {
  // The weather has no week.
  weather: { seasons: [] },
  // The horizon is one season, whose shape matters more than the last value.
  departures: { base: 'seasonal' },
  // One series is constant in the first 84 days.
  'airport-departures': { scaling: 'mean' },
};

const readProtocol = (folder: string): Readonly<Record<string, Entry>> =>
  (JSON.parse(readFileSync(`${folder}/protocol.json`, 'utf8')) as { sets: Record<string, Entry> }).sets;

/** The names of the sets in a folder. */
export const setNames = (folder: string): readonly string[] => Object.keys(readProtocol(folder));

/** The windows of a set to evaluate on: those of the protocol, or as many that end before the first target of those. */
export type Period = 'last' | 'earlier';

/** Reads a set. For the earlier period, the series end where the targets of the last one begin. */
export function readSet(name: string, period: Period = 'last', folder: string = ownData): DataSet {
  const entry = readProtocol(folder)[name]!;
  const { season, horizon, origins, stride } = entry;
  const frequency = (entry.frequency === 'half-hour' ? '30 minutes' : entry.frequency) as Frequency;
  const features = entry.static === undefined ? [] : readTable(`${folder}/${entry.static}`);
  const byName = new Map(features.map((row) => [row['series'], row]));
  const table = readTable(`${folder}/${entry.file}`);
  const kept = period === 'last' ? table : withoutLast(table, entry.series, horizon + (origins - 1) * stride);
  const rows = kept.map((row) => ({ ...byName.get(row['series']), ...row }));
  const series = seriesFromRows(rows, {
    time: entry.time,
    value: entry.value,
    frequency,
    ...(entry.series !== null && { series: entry.series }),
    past: name === 'weather' ? ['temp_min', 'precipitation', 'wind'] : [],
    future: 'holiday' in rows[0]! ? ['holiday'] : [],
    static: Object.keys(features[0] ?? {}).filter((column) => column !== 'series'),
    missing: 'mask',
  });
  const distribution = entry.counts ? negativeBinomial() : undefined;
  const create: DataSet['create'] = (seed, changes) =>
    forecaster({ horizon, frequency, seed, distribution, ...options[name], ...changes });
  return { series, frequency, season, horizon, origins, stride, create };
}

/** Removes the last `count` rows of every series of a table, whose rows are sorted by series. */
function withoutLast(table: Table, series: string | null, count: number): Table {
  return table.filter((row, i) => {
    const later = table[i + count];
    return later !== undefined && (series === null || later[series] === row[series]);
  });
}
