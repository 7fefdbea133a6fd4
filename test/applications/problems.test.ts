/** The problems of bench/problems in a short form: gated networks solve them, plain ones do not. */

import { chronoBias, gru, lstm, simpleRnn } from 'bptt';
import { expect, it } from 'vitest';
import { addingRun } from '../../bench/problems/adding';
import { additionRun } from '../../bench/problems/addition';
import { copyBaseline, copyRun } from '../../bench/problems/copy';
import { embeddedReber } from '../../bench/problems/embedded-reber';
import { orderRun } from '../../bench/problems/temporal-order';

it('the LSTM solves the embedded Reber grammar', async () => {
  expect(await embeddedReber.networks['LSTM']!.run({ seed: 1, updates: 1500 })).toMatchObject({ solved: true });
});

it('the LSTM solves temporal order over 50 steps, the tanh RNN does not', async () => {
  const options = { rate: 0.01, budget: 600 };
  expect(
    await orderRun(lstm(), 50, { ...options, layer: { hiddenSize: 16, biasInitializer: chronoBias(50) } }, { seed: 1 }),
  ).toMatchObject({ solved: true });
  expect(
    (await orderRun(simpleRnn(), 50, { ...options, layer: { hiddenSize: 16 } }, { seed: 1 })).figure,
  ).toBeGreaterThan(0.5);
});

it('the GRU solves adding over 40 steps, the tanh RNN does not', async () => {
  expect(
    await addingRun(gru(), 40, { layer: { hiddenSize: 32 }, rate: 0.01, budget: 1000 }, { seed: 1 }),
  ).toMatchObject({ solved: true });
  expect(
    (await addingRun(simpleRnn(), 40, { layer: { hiddenSize: 32 }, rate: 0.001, budget: 400 }, { seed: 1 })).figure,
  ).toBeGreaterThan(0.1);
});

it('the GRU copies over 10 steps better than a network without memory', async () => {
  const { figure } = await copyRun(
    gru(),
    10,
    { layer: { hiddenSize: 48, biasInitializer: chronoBias(20) }, rate: 0.01, budget: 500 },
    { seed: 1 },
  );
  expect(figure).toBeLessThan(0.8 * copyBaseline(10));
});

it('the encoder-decoder improves on addition as text', async () => {
  const { figure } = await additionRun({ digits: 2, count: 3000, hiddenSize: 64, epochs: 20, rate: 0.01 }, { seed: 1 });
  expect(figure).toBeLessThan(0.95);
});
