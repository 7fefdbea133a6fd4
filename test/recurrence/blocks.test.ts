/** Without a backward pass, the engine of pointwise cells keeps the gates of 512 rows at a time. */

import {
  add,
  bidirectional,
  compute,
  createRandom,
  gru,
  initializeCell,
  lstm,
  multiply,
  normal,
  predict,
  sequential,
  simpleRnn,
  sum,
  type UnrollOptions,
  unroll,
  valueAndGradient,
} from 'bptt';
import { expect, it } from 'vitest';
import { defaultWorkspace } from '../../src/kernels/workspace';

const resets = new Int32Array(300 * 5).map((_, i) => (i % 97 === 0 ? 1 : 0));
const lengths = Int32Array.of(300, 299, 171, 1, 0);
const cases: [string, UnrollOptions<'h'>][] = [
  ['equal lengths', {}],
  ['lengths', { lengths }],
  ['lengths in reverse', { lengths, reverse: true }],
  ['resets', { resets: { shape: [300, 5], data: resets } }],
  ['zoneout', { lengths, zoneout: { rates: { h: 0.2 } } }],
];

it.each(cases)('outputs and states without and with a backward pass have the same bits: %s', (_, options) => {
  const xs = normal(0, 1)([300, 5, 3], createRandom(1));
  const weights = normal(0, 1)([300, 5, 4], createRandom(2));
  for (const cell of [lstm(), gru(), gru({ reset: 'before' }), simpleRnn()]) {
    const p = initializeCell(cell, { inputSize: 3, hiddenSize: 4, random: 3 });
    const loss = (p: Parameters<typeof unroll>[1]) => {
      const { outputs, states } = unroll<string>(cell, p, xs, options);
      return [outputs, ...Object.values(states())].map((x) => sum(multiply(x, weights))).reduce((a, b) => add(a, b));
    };
    expect(compute(p, loss).data[0]).toBe(valueAndGradient(p, loss).value);
  }
});

it('the memory of a prediction in two directions grows by states and outputs, not by gates', () => {
  const H = 16;
  const model = sequential([bidirectional(lstm(), { hiddenSize: H })], { inputSize: H, seed: 1 });
  const workspace = defaultWorkspace();
  /** The end of the memory that a prediction writes, which starts with a marker value. */
  const highest = (T: number): number => {
    const inputs = normal(0, 1)([T, 8, H], createRandom(1));
    predict(model, inputs);
    workspace.memory.view.fill(123, workspace.top);
    predict(model, inputs);
    let last = workspace.memory.view.length - 1;
    while (workspace.memory.view[last] === 123) last--;
    return last;
  };
  // Relative to T·B·H: the inputs in two orders, h and c of two directions, the outputs of the second one in order, all
  // outputs, and the two orders. The gates of all steps would add 10.
  expect((highest(2000) - highest(1000)) / (1000 * 8 * H)).toBeCloseTo(2 + 4 + 1 + 2 + 2 / H, 2);
});
