/** Valid calls of the functions of bptt/forecasting. */

import * as bptt from 'bptt';
import * as forecasting from 'bptt/forecasting';
import type { Call } from './calls';

const values = (length: number): number[] => Array.from({ length }, (_, t) => 10 + (t % 4) + Math.sin(t * t));
const series = (): forecasting.Series => ({
  name: 'a',
  start: '2024-01-01',
  values: values(24),
  mask: values(24).map((_, t) => (t === 9 ? 0 : 1)),
  past: { load: values(24) },
  future: { price: values(26) },
  static: { city: 'Turin', area: 120 },
});
const plain = (): forecasting.Series => ({ name: 'a', values: values(24) });
const settings: forecasting.ForecasterOptions = { horizon: 2, hiddenSize: 2, context: 4, dropout: 0 };
const daily = (): forecasting.Forecaster => forecasting.forecaster({ ...settings, frequency: 'day', seasons: [4] });
const sampled = (): forecasting.Forecaster =>
  forecasting.forecaster({ ...settings, mode: 'autoregressive', distribution: forecasting.gaussian() });
const quick = { steps: 1, batchSize: 2, validation: 0 };
// Trained once: functions do not change them.
const direct = await forecasting.fitForecaster(daily(), [series()], quick);
const paths = await forecasting.fitForecaster(sampled(), [plain()], quick);
const task = (): forecasting.ForecastTask => ({ horizon: 2, season: 4, frequency: undefined, levels: [0.1, 0.5, 0.9] });
const next = (): forecasting.Forecast => forecasting.forecast(paths, [plain()], { paths: 3 })[0]!;
const scores = (): Pick<forecasting.AnomalyScores, 'name' | 'scores'>[] => [
  { name: 'a', scores: Float64Array.from({ length: 40 }, (_, i) => i / 10) },
];
const result = await forecasting.backtest([plain()], {
  methods: { naive: forecasting.seasonalNaive() },
  horizon: 2,
  origins: 2,
});

const call = (args: Call['args'], use?: Call['use'], ...names: readonly string[]): Call => ({
  args,
  ...(use && { use }),
  names,
});
/** A method, which is fitted to a series and forecasts it. */
const method = (...args: readonly unknown[]): Call =>
  call(() => args.map((arg) => structuredClone(arg)), (async (made: forecasting.Method) =>
    (await made([plain()], task()))([plain()])) as Call['use'] & {});
/** A distribution, with which a forecaster is trained. */
const distribution = (...args: readonly unknown[]): Call =>
  call(
    () => args.map((arg) => structuredClone(arg)),
    (async (made: forecasting.Distribution) =>
      forecasting.forecast(
        await forecasting.fitForecaster(forecasting.forecaster({ ...settings, distribution: made }), [plain()], quick),
        [plain()],
      )) as Call['use'] & {},
    'forecaster',
    'fitForecaster',
    'forecast',
  );
const train = (async (made: forecasting.Forecaster) =>
  made.hiddenSize * made.layers * made.members * made.context > 1e4
    ? undefined
    : forecasting.fitForecaster(made, [plain()], quick)) as Call['use'] & {};

/** The valid calls by the name of the function. */
export const forecastingCalls: Readonly<Record<string, readonly Call[]>> = {
  forecaster: [
    call(() => [{ ...settings, layers: 1, cell: bptt.gru(), scaling: 'mean', base: 'last', linearSkip: true }], train),
    call(
      () => [{ ...settings, seasons: [4], members: 1, seed: 1, mode: 'direct', distribution: forecasting.point() }],
      train,
      'fitForecaster',
    ),
    call(() => [{ horizon: 2, frequency: 'day', base: 'seasonal' }]),
  ],
  fitForecaster: [
    call(() => [daily(), [series()], { ...quick, learningRate: 0.01, retrain: false, onProgress: () => undefined }]),
    call(() => [sampled(), [plain()], { steps: 1, optimizer: bptt.adam(), validation: 4, signal: { aborted: false } }]),
  ],
  forecast: [
    call(() => [direct, [series()], { levels: [0.1, 0.5, 0.9] }]),
    call(() => [paths, forecasting.observe(paths, [plain()]), { paths: 3, seed: 1 }]),
  ],
  forecastLevels: [call(() => [])],
  observe: [
    call(() => [direct, [series()]]),
    call(() => [paths, [{ name: 'a', values: [9.5] }], forecasting.observe(paths, [plain()])]),
  ],
  recalibrate: [call(() => [direct, [series()], { heldOut: 8 }]), call(() => [paths, [plain()], { heldOut: 0 }])],
  backtest: [
    call(
      () => [
        [plain()],
        {
          methods: { naive: forecasting.seasonalNaive(), network: sampled() },
          horizon: 2,
          season: 4,
          origins: 2,
          stride: 1,
          refit: 'never',
          levels: [0.1, 0.5, 0.9],
          training: quick,
        },
      ],
      undefined,
      'fitForecaster',
      'forecast',
      'full',
    ),
    call(
      () => [[{ ...series(), past: {} }], { methods: { drift: forecasting.drift() }, horizon: 2, frequency: 'day' }],
      undefined,
      'full',
    ),
  ],
  averageForecasts: [call(() => [[[next()], [next()]]])],
  backtestTable: [call(() => [result, { by: 'step' }])],
  fanChart: [call(() => [plain(), next(), { title: 't', actual: [1, 2], intervals: [0.8], width: 300, height: 200 }])],
  scoreAnomalies: [
    call(() => [direct, [series()]]),
    call(() => [paths, [{ name: 'a', values: [9.5] }], forecasting.observe(paths, [plain()])]),
  ],
  calibrateAnomalies: [call(() => [scores(), { rate: 0.1, window: 2 }])],
  findAnomalies: [call(() => [{ window: 2, threshold: 3 }, scores()])],
  saveForecaster: [call(() => [direct, { customObjects: {} }])],
  loadForecaster: [call(() => [forecasting.saveForecaster(direct), { customObjects: {} }])],
  seriesFromRows: [
    call(() => [
      [
        { day: '2024-01-01', city: 'Turin', sold: '3', price: '1' },
        { day: '2024-01-03', city: 'Turin', sold: 4, price: '2' },
      ],
      { time: 'day', value: 'sold', series: 'city', frequency: 'day', future: ['price'], missing: 'mask' },
    ]),
    call(() => [
      [
        { day: '2024-01-01', city: 'Turin', sold: 3 },
        { day: '2024-01-02', city: 'Turin', sold: 4 },
      ],
      { time: 'day', value: 'sold', frequency: 'day', past: [], static: ['city'] },
    ]),
  ],
  seasonalNaive: [method()],
  drift: [method()],
  meanForecast: [method()],
  exponentialSmoothing: [method({ models: ['ANN', 'AAdN'], paths: 5 })],
  quantiles: [distribution({ levels: [0.1, 0.5, 0.9] })],
  gaussian: [distribution()],
  studentT: [distribution()],
  negativeBinomial: [call(() => [])],
  point: [distribution()],
};
