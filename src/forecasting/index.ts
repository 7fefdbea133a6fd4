/** Forecasting of time series: `import { fitForecaster, forecast, forecaster } from 'bptt/forecasting'`. */

export {
  type Anomaly,
  type AnomalyDetector,
  type AnomalyOptions,
  type AnomalyScores,
  calibrateAnomalies,
  findAnomalies,
  scoreAnomalies,
} from './anomalies';
export { type Backtest, type BacktestForecast, type BacktestOptions, backtest, type MethodScores } from './backtest';
export { type BacktestTableOptions, backtestTable } from './backtest-table';
export type { Cycle, Frequency, Time } from './calendar';
export { type RecalibrateOptions, recalibrate } from './calibration';
export {
  type Distribution,
  gaussian,
  negativeBinomial,
  point,
  type QuantilesOptions,
  quantiles,
  studentT,
} from './distributions';
export { type ExponentialSmoothingOptions, exponentialSmoothing } from './exponential-smoothing';
export { type FanChartOptions, fanChart } from './fan-chart';
export type { FeaturePlan, Track } from './features';
export { type FitForecasterOptions, type FittedForecaster, fitForecaster } from './fit-forecaster';
export { type ForecastOptions, forecast, forecastLevels } from './forecast';
export { averageForecasts, type Forecast } from './forecast-result';
export { type Forecaster, type ForecasterOptions, forecaster } from './forecaster';
export { drift, type FittedMethod, type ForecastTask, type Method, meanForecast, seasonalNaive } from './methods';
export type { Member, MemberParameters } from './network';
export { loadForecaster, type SavedForecasterOptions, saveForecaster } from './saved-forecaster';
export type { Scores } from './scores';
export type { Columns, Schema, Series } from './series';
export { type SeriesFromRowsOptions, seriesFromRows, type TableRow } from './series-from-rows';
export { type ForecastState, observe } from './state';
export type { Scaling, ValueScaler } from './value-scaling';
