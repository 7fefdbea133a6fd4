/** The short variants of the examples of series: each beats its baseline on held-out data. */

import { expect, it } from 'vitest';
import { ball } from '../../examples/ball/ball';
import { forecasting } from '../../examples/forecasting/forecasting';
import { gradients } from '../../examples/gradients/gradients';
import { trajectories } from '../../examples/trajectories/trajectories';
import { weather } from '../../examples/weather/weather';
import { options } from './options';

it('trajectories: the network beats constant velocity, which beats no motion', async () => {
  const metrics = await trajectories(options);
  expect(Math.round(metrics['constant velocity']!)).toBe(184);
  expect(Math.round(metrics['no motion']!)).toBe(455);
  expect(metrics['network']!).toBeLessThan(0.93 * metrics['constant velocity']!);
});

it('gradients: vanish in a tanh RNN, not in an LSTM or identity ReLU RNN; clipping prevents divergence', async () => {
  const metrics = await gradients(options);
  expect(metrics['tanhGradient']!).toBeLessThan(1e-6);
  expect(metrics['lstmGradient']!).toBeGreaterThan(1e-2);
  expect(metrics['identityGradient']!).toBeGreaterThan(0.1);
  expect(metrics['explodingGradient']!).toBeGreaterThan(2);
  expect(metrics['ReLU, identity']!).toBeLessThan(0.5 * metrics['tanh']!);
  expect(metrics['clipped to norm 1']!).toBeLessThan(1);
  expect(metrics['without clipping']!).toBeGreaterThan(1e3);
});

it('weather: the network beats persistence and climatology, and for CO2 the growth of the last year', async () => {
  const metrics = await weather(options);
  for (const baseline of ['persistence', 'climatology'])
    expect(metrics['network']!, baseline).toBeLessThan(0.98 * metrics[baseline]!);
  expect(metrics['carbon dioxide, network']!).toBeLessThan(
    0.92 * metrics['carbon dioxide, + growth of the last year']!,
  );
});

it('forecasting: the network beats the seasonal naive forecast and ETS of R', async () => {
  const metrics = await forecasting(options);
  for (const set of ['alcohol-sales', 'bird-strikes']) {
    expect(metrics[`${set}, network`]!, set).toBeLessThan(0.9 * metrics[`${set}, naive`]!);
    expect(metrics[`${set}, network`]!, set).toBeLessThan(metrics[`${set}, ETS`]!);
  }
});

it('ball: from several images, the network predicts the position better than constant velocity', async () => {
  const metrics = await ball(options);
  expect(metrics['network, 1']!).toBeGreaterThan(1);
  expect(metrics['network']!).toBeLessThan(0.9 * metrics['constant velocity']!);
  expect(metrics['network']!).toBeLessThan(0.25 * metrics['no motion']!);
});
