/** Forecasting of time series: `import { fitForecaster, forecast, forecaster } from 'bptt/forecasting'`. */

export type { Frequency, Time } from './calendar';
export {
  type Distribution,
  gaussian,
  negativeBinomial,
  point,
  type QuantilesOptions,
  quantiles,
  studentT,
} from './distributions';
export type { FeaturePlan, Track } from './features';
export { type FitForecasterOptions, type FittedForecaster, fitForecaster } from './fit-forecaster';
export { type Forecast, type ForecastOptions, forecast, forecastLevels } from './forecast';
export { type Forecaster, type ForecasterOptions, forecaster } from './forecaster';
export type { Member, MemberParameters } from './network';
export {
  type Columns,
  type Schema,
  type Series,
  type SeriesFromRowsOptions,
  seriesFromRows,
  type TableRow,
} from './series';
export { type ForecastState, observe } from './state';
export type { Scaling, ValueScaler } from './value-scaling';
export { type Backtest, type BacktestForecast, type BacktestOptions, backtest, type MethodScores } from './backtest';
export { type ExponentialSmoothingOptions, exponentialSmoothing } from './exponential-smoothing';
export { drift, type FittedMethod, type ForecastTask, type Method, meanForecast, seasonalNaive } from './methods';
export type { Scores } from './scores';
