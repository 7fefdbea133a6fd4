/** Intervals that adapt after the training, and what backtests fit again at each origin. */

import { createRandom, normalNumber } from 'bptt';
import {
  type Backtest,
  backtest,
  type FittedForecaster,
  fitForecaster,
  forecast,
  forecaster,
  gaussian,
  loadForecaster,
  negativeBinomial,
  point,
  recalibrate,
  type Series,
  saveForecaster,
} from 'bptt/forecasting';
import { describe, expect, it } from 'vitest';

/** Noise with a deviation that changes after step 200. */
function noise(later: number, length = 320): Float64Array {
  const random = createRandom(3);
  return Float64Array.from({ length }, (_, t) => 100 + (t < 200 ? 5 : later) * normalNumber(random));
}

const cut = ({ name, values }: Series, length: number): Series => ({
  name,
  values: Array.from(values).slice(0, length),
});

/** The fraction of the values from `from` to `to` in the 80 % intervals of all forecasts in which they are. */
function coverageOf(fitted: FittedForecaster, series: Series, from: number, to: number): number {
  const inside = Array.from({ length: to - from - fitted.forecaster.horizon + 1 }, (_, i) => from + i).flatMap(
    (origin) =>
      forecast(fitted, [cut(series, origin)], { levels: [0.1, 0.9] })[0]!.quantiles.map(
        ([low, high], k) => low! <= series.values[origin + k]! && series.values[origin + k]! <= high!,
      ),
  );
  return inside.filter(Boolean).length / inside.length;
}

/** The mean width of the 80 % intervals. */
function widthOf(fitted: FittedForecaster, series: Series): number {
  const { quantiles } = forecast(fitted, [series], { levels: [0.1, 0.9] })[0]!;
  return quantiles.reduce((sum, [low, high]) => sum + (high! - low!) / quantiles.length, 0);
}

it('calibrates forecasts from the whole history, not from the context of training windows', async () => {
  // The network must count steps, which a context of four steps does not show.
  const values = noise(5, 240).map((value, t) => value + (t % 9 < 4 ? 30 : 0));
  const series = { name: 'a', values };
  const model = forecaster({ horizon: 4, context: 4, hiddenSize: 8, seasons: [], distribution: point() });
  const fitted = await fitForecaster(model, [series], { steps: 60, validation: 60, retrain: false });
  // 57 forecasts of four steps in 15 horizons. The value at the limit may be in the interval or not.
  const level = 0.8 + 0.1 / 16;
  expect(Math.abs(coverageOf(fitted, series, 180, 240) - level)).toBeLessThanOrEqual(1 / (4 * 57));
});

describe('recalibration', () => {
  const settings = { horizon: 4, hiddenSize: 8, scaling: 'standard' } as const;
  const training = { steps: 150 };

  it('adapts the intervals to noise that grows or shrinks, and keeps the medians', async () => {
    for (const later of [1.5, 15]) {
      const series = { name: 'a', values: noise(later) };
      const fitted = await fitForecaster(forecaster(settings), [cut(series, 200)], training);
      const adapted = recalibrate(fitted, [series], { heldOut: 120 });
      // The interval of 80 % of normal noise has a width of 2.56 deviations.
      const [before, after] = [widthOf(fitted, series), widthOf(adapted, series)];
      expect(Math.abs(Math.log(after / (2.563 * later)))).toBeLessThan(0.45);
      expect(Math.abs(Math.log(before / (2.563 * later)))).toBeGreaterThan(0.7);
      expect(forecast(adapted, [series])[0]!.median).toEqual(forecast(fitted, [series])[0]!.median);
    }
  });

  it('trusts few values less, and starts from the calibration of the training at every call', async () => {
    const series = { name: 'a', values: noise(15) };
    const fitted = await fitForecaster(forecaster(settings), [cut(series, 200)], training);
    const [none, few, many] = [0, 2, 40].map((heldOut) =>
      recalibrate(fitted, [cut(series, 200 + heldOut)], { heldOut }),
    ) as [FittedForecaster, FittedForecaster, FittedForecaster];
    expect(none.calibration).toBe(fitted.calibration);
    expect(few.calibration).toBeLessThan(many.calibration);
    // Two steps are fewer than the horizon, but count.
    expect(few.calibration).toBeGreaterThan(none.calibration);
    const missing = { ...series, mask: series.values.map((_, t) => (t < 200 ? 1 : 0)) };
    expect(recalibrate(fitted, [missing], { heldOut: 120 }).calibration).toBe(fitted.calibration);
    expect(recalibrate(many, [cut(series, 202)], { heldOut: 2 }).calibration).toBe(few.calibration);
    expect(loadForecaster(saveForecaster(many)).calibration).toBe(many.calibration);
    expect(loadForecaster(saveForecaster(many)).trainedCalibration).toBe(fitted.calibration);
  });

  it('uses recent values of any number of series', async () => {
    // Twelve steps with small noise, then twelve with four times as much.
    const random = createRandom(7);
    const many = Array.from({ length: 130 }, (_, i): Series => {
      const values = Array.from({ length: 84 }, (_, t) => 100 + (t < 72 ? 1 : 4) * normalNumber(random));
      return { name: `s${i}`, values };
    });
    const options = { horizon: 1, hiddenSize: 4, context: 8, scaling: 'standard' } as const;
    const fitted = await fitForecaster(
      forecaster(options),
      many.slice(0, 8).map((series) => cut(series, 60)),
      training,
    );
    // With 128 series, every 24th window in the order of the series is the oldest one of its series.
    for (const count of [64, 127, 128, 129, 130]) {
      const adapted = recalibrate(fitted, many.slice(0, count), { heldOut: 24 });
      expect(adapted.calibration / fitted.calibration).toBeGreaterThan(1.8);
    }
  });

  it('scales series that were not in the training by all their values', async () => {
    const fitted = await fitForecaster(forecaster(settings), [{ name: 'a', values: noise(5) }], training);
    const adapted = recalibrate(fitted, [{ name: 'b', values: noise(5, 41) }], { heldOut: 40 });
    expect(adapted.calibration).not.toBe(fitted.calibration);
  });

  it('keeps counts integers', async () => {
    const values = noise(15).map((value) => Math.max(0, Math.round(value / 20)));
    const options = { horizon: 4, hiddenSize: 8, distribution: negativeBinomial() };
    for (const mode of ['direct', 'autoregressive'] as const) {
      const fitted = await fitForecaster(
        forecaster({ ...options, mode }),
        [{ name: 'a', values: values.slice(0, 200) }],
        {
          steps: 100,
        },
      );
      const adapted = recalibrate(fitted, [{ name: 'a', values }], { heldOut: 120 });
      expect(adapted.calibration).not.toBe(1);
      const [next] = forecast(adapted, [{ name: 'a', values }], { paths: 40 });
      for (const value of mode === 'direct' ? next!.quantiles.flat() : next!.paths!.flat())
        expect(Math.abs(value - Math.round(value))).toBeLessThan(1e-6);
    }
  });

  it('applies to sampled paths', async () => {
    const series = { name: 'a', values: noise(15) };
    const options = { ...settings, mode: 'autoregressive', distribution: gaussian() } as const;
    const fitted = await fitForecaster(forecaster(options), [cut(series, 200)], training);
    const adapted = recalibrate(fitted, [series], { heldOut: 120 });
    expect(widthOf(adapted, series)).toBeGreaterThan(2 * widthOf(fitted, series));
  });

  it.each([
    ['standard', 500, 1],
    ['none', 0, 0.01],
    ['none', 0, 100],
  ] as const)(
    'is the only source of point intervals: scaling %s, season %d, noise %d',
    async (scaling, swing, size) => {
      const values = noise(5, 240).map((value, t) => size * (value - 100) + (t % 2) * swing);
      const series = { name: 'a', values };
      const model = forecaster({ ...settings, scaling, seasons: [2], base: 'seasonal', distribution: point() });
      const early = [cut(series, 200)];
      const calibrated = await fitForecaster(model, early, { steps: 60, validation: 60, retrain: false });
      expect(Math.abs(coverageOf(calibrated, series, 140, 200) - 0.8)).toBeLessThan(0.05);
      const plain = await fitForecaster(model, early, { steps: 60, validation: 0 });
      expect(plain.calibration).toBe(1);
      const adapted = recalibrate(plain, [series], { heldOut: 40 });
      expect(Math.abs(coverageOf(adapted, series, 200, 240) - 0.8)).toBeLessThan(0.1);
      expect(loadForecaster(saveForecaster(adapted)).calibration).toBe(adapted.calibration);
    },
  );

  it('rejects series without values before the steps', async () => {
    const series = { name: 'a', values: noise(5, 60) };
    const fitted = await fitForecaster(forecaster(settings), [series], { steps: 2 });
    expect(() => recalibrate(fitted, [series], { heldOut: 60 })).toThrow(
      'recalibrate: series a: must have more than 60 values, got 60.',
    );
    expect(() => recalibrate(fitted, [series], { heldOut: -1 })).toThrow(/recalibrate: heldOut must be/);
  });
});

describe('backtests fit again', () => {
  const series = {
    name: 'a',
    values: noise(15, 230),
    future: { holiday: noise(5, 230).map((x) => (x > 104 ? 1 : 0)) },
  };
  const network = forecaster({ horizon: 5, hiddenSize: 4 });
  const training = { steps: 20 };
  const run = (each: Series, refit: 'never' | 'intervals' | 'always' = 'intervals'): Promise<Backtest> =>
    backtest([each], { methods: { network }, horizon: 5, origins: 4, refit, training });

  it('nothing, the intervals, or everything', async () => {
    const [never, intervals, always] = [await run(series, 'never'), await run(series), await run(series, 'always')];
    for (const [i, origin] of [210, 215, 220, 225].entries()) {
      const history = (length: number): Series => ({
        ...series,
        values: series.values.slice(0, length),
        future: { holiday: series.future.holiday.slice(0, length + 5) },
      });
      const once = await fitForecaster(network, [history(210)], training);
      expect(never.forecasts[i]!.forecast).toEqual(forecast(once, [history(origin)])[0]);
      const again = await fitForecaster(network, [history(origin)], training);
      expect(always.forecasts[i]!.forecast).toEqual(forecast(again, [history(origin)])[0]);
      const adapted = recalibrate(once, [history(origin)], { heldOut: origin - 210 });
      expect(intervals.forecasts[i]!.forecast).toEqual(forecast(adapted, [history(origin)])[0]);
    }
    expect(intervals.forecasts[3]!.forecast.median).toEqual(never.forecasts[3]!.forecast.median);
    expect(intervals.forecasts[3]!.forecast.quantiles).not.toEqual(never.forecasts[3]!.forecast.quantiles);
    expect(always.forecasts[3]!.forecast.median).not.toEqual(never.forecasts[3]!.forecast.median);
  });

  it('without values after the origin', async () => {
    const changed = { ...series, values: series.values.map((value, t) => (t < 220 ? value : value + 1000)) };
    const [before, after] = [await run(series), await run(changed)];
    for (const i of [0, 1, 2]) expect(after.forecasts[i]!.forecast).toEqual(before.forecasts[i]!.forecast);
    expect(after.forecasts[3]!.forecast).not.toEqual(before.forecasts[3]!.forecast);
  });
});
