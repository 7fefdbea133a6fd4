/** Forecasts carbon dioxide over Mauna Loa for the next twelve months: a seasonal cycle and a changing trend. */

import { backtest, fanChart, fitForecaster, forecast, forecaster, type Series, seriesFromRows } from 'bptt/forecasting';
import type { Example } from '../example';
import { readTable } from '../table';
import { methodOf } from './baselines';

export const carbonDioxide: Example = async ({ short, log, onProgress, save }) => {
  const rows = readTable('examples/weather/carbon-dioxide.csv');
  // From 1965 on, all months exist.
  const [series] = seriesFromRows(
    rows.filter(({ Date: date }) => date! >= '1965'),
    { time: 'Date', value: 'CO2', frequency: 'month' },
  ) as [Series];
  const network = forecaster({ horizon: 12, frequency: 'month', context: 60, seed: 1 });
  const at = (values: ArrayLike<number>, back: number): number => values[values.length - back]!;
  const methods = {
    network,
    'same month last year': methodOf((values, k) => at(values, 12 - k)),
    '+ growth of the last year': methodOf((values, k) => at(values, 12 - k) + at(values, 1) - at(values, 13)),
    '+ mean growth of five years': methodOf((values, k) => at(values, 12 - k) + (at(values, 1) - at(values, 61)) / 5),
  };
  // All forecasts from 2008 on.
  const options = { horizon: 12, frequency: 'month', origins: 137, stride: 1 } as const;
  const training = { steps: short ? 300 : 600, onProgress };
  const { scores } = await backtest([series], { ...options, methods, training });
  log('\ncarbon dioxide, mean absolute error in parts per million, by months ahead, 137 forecasts from 2008 on:\n');
  log(`  ${''.padEnd(30)}${[1, 3, 6, 9, 12].map((k) => String(k).padStart(6)).join('')}  mean`);
  for (const [name, { byStep, overall }] of Object.entries(scores)) {
    const columns = [...[0, 2, 5, 8, 11].map((k) => byStep[k]!), overall];
    log(`  ${name.padEnd(30)}${columns.map(({ mae }) => mae.toFixed(2).padStart(6)).join('')}`);
  }
  log(`  in the 80 % interval: ${(100 * scores['network']!.overall.coverage).toFixed(0)} %`);
  if (!short) {
    const fitted = await fitForecaster(network, [series], training);
    const [next] = forecast(fitted, [series]);
    save('carbon-dioxide.svg', fanChart(series, next!, { title: 'Carbon dioxide over Mauna Loa, parts per million' }));
  }
  return Object.fromEntries(
    Object.entries(scores).map(([name, { overall }]) => [`carbon dioxide, ${name}`, overall.mae]),
  );
};
