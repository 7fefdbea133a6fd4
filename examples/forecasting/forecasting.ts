/**
 * Backtests of recurrent networks on seven sets of series, compared with the seasonal naive forecast and with ETS of R.
 */

import { readFileSync } from 'node:fs';
import { backtest, fanChart, seasonalNaive } from 'bptt/forecasting';
import type { Example } from '../example';
import { type Period, readSet, setNames } from './sets';

interface Reference {
  readonly methods: { readonly ets: { readonly mase: number } };
}

/** MASE of R's ETS on a set. */
function etsOf(name: string, period: Period): number {
  const path = `test/golden/forecasting/${name}.json`;
  const golden = JSON.parse(readFileSync(path, 'utf8')) as Reference & { readonly earlier: Reference };
  return (period === 'last' ? golden : golden.earlier).methods.ets.mase;
}

export const forecasting: Example = async ({ short, log, onProgress, save }) => {
  const seed = Number(process.env['BPTT_SEED'] ?? 1);
  const period = process.env['BPTT_PERIOD'] === 'earlier' ? 'earlier' : 'last';
  const metrics: Record<string, number> = {};
  log('MASE, relative to the seasonal naive forecasts in the training part\n');
  log(
    `  ${'set'.padEnd(24)}${['naive', 'ETS (R)', 'network', 'in 80 %', 'seconds'].map((s) => s.padStart(9)).join('')}`,
  );
  for (const name of short ? ['alcohol-sales', 'bird-strikes'] : setNames) {
    const { series, create, ...options } = readSet(name, period);
    const ets = etsOf(name, period);
    const start = performance.now();
    const methods = { naive: seasonalNaive(), network: create(seed) };
    const training = { onProgress, ...(short && { steps: 200 }) };
    const { scores, forecasts } = await backtest(series, { ...options, methods, training });
    const seconds = (performance.now() - start) / 1000;
    const [naive, network] = [scores['naive']!.overall, scores['network']!.overall];
    metrics[`${name}, naive`] = naive.mase;
    metrics[`${name}, network`] = network.mase;
    metrics[`${name}, ETS`] = ets;
    metrics[`${name}, coverage`] = network.coverage;
    const columns = [
      ...[naive.mase, ets, network.mase].map((value) => value.toFixed(3)),
      `${(100 * network.coverage).toFixed(0)} %`,
      seconds.toFixed(0),
    ];
    log(`  ${name.padEnd(24)}${columns.map((column) => column.padStart(9)).join('')}`);
    const last = forecasts[forecasts.length - 1]!;
    const shown = series.find((each) => each.name === last.forecast.name)!;
    const history = { ...shown, values: Array.from(shown.values).slice(0, last.origin) };
    const title = `${name}: ${shown.name}`;
    if (!short && period === 'last')
      save(`${name}.svg`, fanChart(history, last.forecast, { title, actual: last.actual }));
  }
  return metrics;
};
