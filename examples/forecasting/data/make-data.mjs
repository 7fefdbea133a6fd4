/**
 * Writes the CSV files of this folder from the packages that README.md lists.
 *
 *     npm ci && node make-data.mjs
 */

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { decompress } from 'fzstd';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import papa from 'papaparse';

const DAY = 24 * 60 * 60 * 1000;

/** The path of a file of npm `vega-datasets`. */
function vega(name) {
  return fileURLToPath(new URL(`node_modules/vega-datasets/data/${name}`, import.meta.url));
}

function write(name, header, rows) {
  writeFileSync(new URL(name, import.meta.url), `${[header, ...rows].map((row) => row.join(',')).join('\n')}\n`);
  console.log(`${name}: ${rows.length} rows`);
}

/** The rows of a CSV text: the cells by column name. */
function parse(text) {
  const { data, errors } = papa.parse(text.trimEnd(), { header: true, delimiter: ',' });
  if (errors.length > 0) throw new Error(`make-data: ${JSON.stringify(errors[0])}`);
  return data;
}

/** ISO dates, `step` days apart, from `first` to `last`. */
function dates(first, last, step = 1) {
  const count = (Date.parse(last) - Date.parse(first)) / (step * DAY) + 1;
  return Array.from({ length: count }, (_, i) =>
    new Date(Date.parse(first) + i * step * DAY).toISOString().slice(0, 10),
  );
}

/** The first day of each month from `first` to `last`, both as `YYYY-MM`. */
function months(first, last) {
  const index = (month) => 12 * Number(month.slice(0, 4)) + Number(month.slice(5)) - 1;
  return Array.from({ length: index(last) - index(first) + 1 }, (_, i) => {
    const month = index(first) + i;
    return `${Math.floor(month / 12)}-${String((month % 12) + 1).padStart(2, '0')}-01`;
  });
}

function checkTimes(name, got, expected) {
  const i = expected.findIndex((time, at) => time !== got[at]);
  if (i >= 0 || got.length !== expected.length)
    throw new Error(`${name}: expected ${expected[i]} in row ${i}, got ${got[i]}; ${got.length} rows`);
}

function alcoholSales() {
  const command = 'write.csv(modeldata::drinks, stdout(), row.names = FALSE)';
  const rows = parse(execFileSync('Rscript', ['-e', command], { encoding: 'utf8' }));
  const times = rows.map(({ date }) => date);
  checkTimes('drinks', times, months('1992-01', '2017-09'));
  write(
    'alcohol-sales.csv',
    ['time', 'sales'],
    rows.map(({ date, S4248SM144NCEN: sales }) => [date, sales]),
  );
}

function weeklyCarbonDioxide() {
  const command = 'import statsmodels.datasets as d; print(d.__path__[0], end="")';
  const folder = execFileSync('/usr/bin/python3', ['-c', command], { encoding: 'utf8' });
  const rows = parse(readFileSync(`${folder}/co2/co2.csv`, 'utf8'));
  const times = rows.map(({ date }) => date.replace(/(....)(..)(..)/, '$1-$2-$3'));
  checkTimes('co2', times, dates('1958-03-29', '2001-12-29', 7));
  write(
    'carbon-dioxide-weekly.csv',
    ['time', 'co2'],
    rows.map(({ co2 }, i) => [times[i], co2]),
  );
}

function birdStrikes() {
  const strikes = parse(readFileSync(vega('birdstrikes.csv'), 'utf8')).map((row) => ({
    series: row['Airport Name'],
    state: row['Origin State'],
    time: `${row['Flight Date'].slice(0, 7)}-01`,
  }));
  const opened = { 'DENVER INTL AIRPORT': '1995-03-01' };
  const times = months('1991-01', '2002-06');
  const total = (name) => strikes.filter(({ series }) => series === name).length;
  const names = [...new Set(strikes.map(({ series }) => series))].sort((a, b) => total(b) - total(a)).slice(0, 30);
  const rows = names.sort().flatMap((name) => {
    const own = strikes.filter(({ series }) => series === name);
    return times
      .filter((time) => time >= (opened[name] ?? ''))
      .map((time) => [name, time, own.filter((strike) => strike.time === time).length]);
  });
  write('bird-strikes.csv', ['series', 'time', 'strikes'], rows);
  const state = (name) => strikes.find(({ series }) => series === name).state;
  write(
    'bird-strikes-static.csv',
    ['series', 'state'],
    names.map((name) => [name, state(name)]),
  );
}

const SECTORS = {
  Agriculture: 'agriculture',
  'Business services': 'services',
  Construction: 'goods',
  'Education and Health': 'services',
  Finance: 'services',
  Government: 'government',
  Information: 'services',
  'Leisure and hospitality': 'services',
  Manufacturing: 'goods',
  'Mining and Extraction': 'goods',
  Other: 'services',
  'Self-employed': 'self-employed',
  'Transportation and Utilities': 'services',
  'Wholesale and Retail Trade': 'services',
};

function unemployment() {
  const rows = JSON.parse(readFileSync(vega('unemployment-across-industries.json'), 'utf8'));
  const times = months('2000-01', '2010-02');
  const values = Object.keys(SECTORS).flatMap((name) => {
    const own = rows.filter(({ series }) => series === name);
    const got = own.map(({ year, month }) => `${year}-${String(month).padStart(2, '0')}-01`);
    checkTimes(name, got, times);
    return own.map(({ count }, i) => [name, times[i], count]);
  });
  if (values.length !== rows.length) throw new Error('unemployment: unknown industry');
  write('unemployment.csv', ['series', 'time', 'unemployed'], values);
  write('unemployment-static.csv', ['series', 'sector'], Object.entries(SECTORS));
}

/** The federal holidays of the United States in the first half of 2001. */
const HOLIDAYS = new Set(['2001-01-01', '2001-01-15', '2001-02-19', '2001-05-28']);

/** Departures by half-hour, and by airport and day. */
async function countDepartures() {
  const file = await asyncBufferFromFile(vega('flights-3m.parquet'));
  const compressors = { ZSTD: (bytes, length) => decompress(bytes, new Uint8Array(length)) };
  const flights = await parquetReadObjects({ file, columns: ['date', 'origin'], compressors });
  const halfHours = new Map();
  const days = new Map();
  for (const { date, origin } of flights) {
    const time = date.toISOString().slice(0, 16);
    const halfHour = `${time.slice(0, 14)}${time.slice(14) < '30' ? '00' : '30'}`;
    halfHours.set(halfHour, (halfHours.get(halfHour) ?? 0) + 1);
    const key = `${origin},${time.slice(0, 10)}`;
    days.set(key, (days.get(key) ?? 0) + 1);
  }
  return { halfHours, days };
}

const holiday = (date) => (HOLIDAYS.has(date) ? 1 : 0);

function departures(halfHours) {
  const clock = Array.from({ length: 48 }, (_, i) => `${String(i >> 1).padStart(2, '0')}:${i % 2 ? '30' : '00'}`);
  const rows = dates('2001-01-01', '2001-06-30').flatMap((date) =>
    clock.map((time) => [`${date}T${time}`, halfHours.get(`${date}T${time}`) ?? 0, holiday(date)]),
  );
  write('departures.csv', ['time', 'departures', 'holiday'], rows);
}

function airportDepartures(days) {
  const airports = new Map(parse(readFileSync(vega('airports.csv'), 'utf8')).map((row) => [row.iata, row]));
  const times = dates('2001-03-11', '2001-06-30');
  const origins = [...new Set([...days.keys()].map((key) => key.slice(0, 3)))].sort();
  const names = origins.filter((name) => airports.has(name) && times.every((time) => days.has(`${name},${time}`)));
  write(
    'airport-departures.csv',
    ['series', 'time', 'departures', 'holiday'],
    names.flatMap((name) => times.map((time) => [name, time, days.get(`${name},${time}`), holiday(time)])),
  );
  write(
    'airport-departures-static.csv',
    ['series', 'state', 'latitude', 'longitude'],
    names.map((name) => {
      const { state, latitude, longitude } = airports.get(name);
      return [name, state, Number(latitude).toFixed(3), Number(longitude).toFixed(3)];
    }),
  );
}

alcoholSales();
weeklyCarbonDioxide();
birdStrikes();
unemployment();
const { halfHours, days } = await countDepartures();
departures(halfHours);
airportDepartures(days);
