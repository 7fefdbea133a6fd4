/** Forecasts the highest temperature of the next seven days in Seattle and New York. */

import { backtest, backtestTable, forecaster, seriesFromRows } from 'bptt/forecasting';
import type { Example } from '../example';
import { linePlot } from '../plot/lines';
import { readTable } from '../table';
import { climatology, lastValue } from './baselines';

export const sevenDays: Example = async ({ short, log, onProgress, save }) => {
  const rows = readTable('examples/weather/weather.csv');
  const past = ['temp_min', 'precipitation', 'wind'];
  const columns = { time: 'date', value: 'temp_max', series: 'location', static: ['location'], past };
  const series = seriesFromRows(rows, { ...columns, frequency: 'day' });
  const network = forecaster({ horizon: 7, frequency: 'day', seasons: [], context: 28, dropout: 0.3, seed: 1 });
  // All forecasts of 2015, from the days before.
  const options = { horizon: 7, frequency: 'day', season: 1, origins: 359, stride: 1 } as const;
  const methods = { network, persistence: lastValue, climatology };
  const result = await backtest(series, { ...options, methods, training: { steps: short ? 200 : 600, onProgress } });
  log('\nhighest temperature, 718 forecasts of 2015:\n');
  log(backtestTable(result));
  const byStep = Object.entries(result.scores).map(([name, scores]) => {
    const errors = [...scores.byStep, scores.overall].map(({ mae }) => mae.toFixed(2).padStart(6)).join('');
    return `  ${name.padEnd(14)}${errors}`;
  });
  log(`\nmean absolute error in °C, by days ahead, and the mean:\n\n${byStep.join('\n')}`);

  if (!short) {
    const lineOf = (city: string, method: string, k: number): (readonly [number, number])[] =>
      result.forecasts
        .filter((each) => each.method === method && each.forecast.name === city)
        .slice(59, 181)
        .map(({ forecast }, day) => [day + k, forecast.median[k]!] as const);
    const panels = series.flatMap(({ name: city, values }) =>
      [0, 6].map((k) => ({
        title: `${city}, ${k === 0 ? 'one day ahead' : `${k + 1} days ahead`}`,
        x: 'days since 1 March 2015',
        y: 'highest temperature (°C)',
        lines: [
          {
            name: 'observed',
            color: '#888',
            points: lineOf(city, 'network', k).map(([day]) => [day, values[1096 + 59 + day]!] as const),
          },
          { name: 'network', color: '#e07b00', points: lineOf(city, 'network', k) },
          { name: 'climatology', color: '#2f7fd6', dashed: true, points: lineOf(city, 'climatology', k) },
        ],
      })),
    );
    save('forecast.svg', linePlot(panels));
  }
  return Object.fromEntries(Object.entries(result.scores).map(([name, { overall }]) => [name, overall.mae]));
};
