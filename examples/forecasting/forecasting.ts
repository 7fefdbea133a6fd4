/**
 * Backtests of recurrent networks on seven sets of series, compared with the seasonal naive forecast and with ETS of R.
 */

import { readFileSync } from 'node:fs';
import {
  backtest,
  exponentialSmoothing,
  type FitForecasterOptions,
  type ForecasterOptions,
  fanChart,
  seasonalNaive,
} from 'bptt/forecasting';
import type { Example } from '../example';
import { ownData, type Period, readSet, setNames } from './sets';

interface Reference {
  readonly methods: { readonly ets: { readonly mase: number } };
}

/** MASE of R's ETS on a set. */
function etsOf(name: string, period: Period): number {
  const path = `test/golden/forecasting/${name}.json`;
  const golden = JSON.parse(readFileSync(path, 'utf8')) as Reference & { readonly earlier: Reference };
  return (period === 'last' ? golden : golden.earlier).methods.ets.mase;
}

type Changes = Pick<ForecasterOptions, 'members' | 'base' | 'linearSkip'>;

/** The combinations of the options that matter most; undefined is the default. */
const candidates: readonly Changes[] = [1, 4].flatMap((members) =>
  ([undefined, 'seasonal'] as const).flatMap((base) =>
    [undefined, false].map((linearSkip) => ({ members, base, linearSkip })),
  ),
);

/** The candidate with the smallest MASE on the earlier period. */
async function chooseOptions(name: string, folder: string, training: FitForecasterOptions): Promise<Changes> {
  const { series, create, ...options } = readSet(name, 'earlier', folder);
  let best: { readonly changes: Changes; readonly mase: number } | undefined;
  for (const changes of candidates) {
    if (changes.base === 'seasonal' && create(1).seasons.length === 0) continue;
    const network = create(1, changes);
    const { scores } = await backtest(series, { ...options, methods: { network }, training });
    const { mase } = scores['network']!.overall;
    if (best === undefined || mase < best.mase) best = { changes, mase };
  }
  return best!.changes;
}

export const forecasting: Example = async ({ short, log, onProgress, save }) => {
  const seed = Number(process.env['BPTT_SEED'] ?? 1);
  if (!Number.isFinite(seed)) throw new RangeError(`BPTT_SEED must be a number, got ${process.env['BPTT_SEED']}.`);
  const period = process.env['BPTT_PERIOD'] ?? 'last';
  if (period !== 'last' && period !== 'earlier')
    throw new RangeError(`BPTT_PERIOD must be last or earlier, got ${period}.`);
  const folder = process.env['BPTT_DATA'] ?? ownData;
  const chooses = process.env['BPTT_CHOOSE'] === '1';
  if (chooses && period === 'earlier')
    throw new RangeError('BPTT_CHOOSE=1 chooses the options on the earlier period, so it must not be evaluated on it.');
  const metrics: Record<string, number> = {};
  log('MASE, relative to the seasonal naive forecasts in the training part\n');
  const columns = ['naive', 'ETS (R)', 'ETS', 'network', 'in 80 %', 'with ETS', 'in 80 %', 'seconds'];
  log(`  ${'set'.padEnd(24)}${columns.map((column) => column.padStart(9)).join('')}`);
  for (const name of short ? ['alcohol-sales', 'bird-strikes'] : setNames(folder)) {
    const { series, create, ...options } = readSet(name, period, folder);
    const etsOfR = folder === ownData ? etsOf(name, period) : undefined;
    const training = { onProgress, ...(short && { steps: 200 }) };
    const changes = chooses ? await chooseOptions(name, folder, training) : {};
    const start = performance.now();
    const forecaster = create(seed, changes);
    const ets = exponentialSmoothing();
    const methods = { naive: seasonalNaive(), ets, network: forecaster, average: [forecaster, ets] };
    const { scores, forecasts } = await backtest(series, { ...options, methods, training });
    const seconds = (performance.now() - start) / 1000;
    const of = (method: string) => scores[method]!.overall;
    metrics[`${name}, naive`] = of('naive').mase;
    metrics[`${name}, network`] = of('network').mase;
    metrics[`${name}, ETS`] = etsOfR ?? of('ets').mase;
    metrics[`${name}, coverage`] = of('network').coverage;
    metrics[`${name}, average`] = of('average').mase;
    const percent = (method: string): string => `${(100 * of(method).coverage).toFixed(0)} %`;
    const row = [
      ...[of('naive').mase, etsOfR, of('ets').mase, of('network').mase].map((value) => value?.toFixed(3) ?? ''),
      percent('network'),
      of('average').mase.toFixed(3),
      percent('average'),
      seconds.toFixed(0),
    ];
    const chosen = chooses ? `  ${JSON.stringify(changes)}` : '';
    log(`  ${name.padEnd(24)}${row.map((cell) => cell.padStart(9)).join('')}${chosen}`);
    const last = forecasts.filter(({ method }) => method === 'network').at(-1)!;
    const shown = series.find((each) => each.name === last.forecast.name)!;
    const history = { ...shown, values: Array.from(shown.values).slice(0, last.origin) };
    const title = `${name}: ${shown.name}`;
    // The committed pictures are those of the first seed.
    if (!short && !chooses && folder === ownData && period === 'last' && seed === 1)
      save(`${name}.svg`, fanChart(history, last.forecast, { title, actual: last.actual }));
  }
  return metrics;
};
