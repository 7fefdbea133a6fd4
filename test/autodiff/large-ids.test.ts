/** Ids are floats inside a computation, which are exact up to 2²⁴: larger tables are rejected. */

import {
  compute,
  crossEntropy,
  dense,
  full,
  gather,
  initializeCell,
  intTensor,
  runModel,
  sequential,
  simpleRnn,
  sum,
  unroll,
} from 'bptt';
import { expect, it } from 'vitest';

const rows = 2 ** 24;

it('gather selects the last row of the largest table, and rejects a larger one', () => {
  const table = full([rows, 1], 0);
  table.data[rows - 1] = 7;
  expect([...compute({}, () => gather(table, intTensor([rows - 1, rows - 2]))).data]).toEqual([7, 0]);
  expect(() => compute({}, () => gather(full([rows + 2, 1], 0), intTensor([rows + 1])))).toThrow(
    new RangeError(`gather: the number of rows must be at most 2^24, got ${rows + 2}.`),
  );
});

it('crossEntropy rejects more than 2^24 classes', () => {
  expect(() => compute({}, () => crossEntropy(full([1, rows + 2], 0), intTensor([rows + 1])))).toThrow(
    new RangeError(`crossEntropy: the number of rows must be at most 2^24, got ${rows + 2}.`),
  );
});

it('unroll, layers and losses reject more than 2^24 steps with lengths', () => {
  const parameters = initializeCell(simpleRnn(), { inputSize: 1, hiddenSize: 1, random: 1 });
  const [T, B] = [2 ** 12, 2 ** 12 + 1];
  const lengths = new Int32Array(B).fill(T);
  lengths[0] = T - 1;
  expect(() =>
    compute(parameters, (p) => sum(unroll(simpleRnn(), p, full([T, B, 1], 0), { lengths }).outputs)),
  ).toThrow(/^unroll: the number of steps must be at most 2\^24, got \d+\.$/);
  // The packed steps are few, but their positions are not.
  const short = { lengths: new Int32Array(B).fill(1) };
  expect(() => compute(parameters, (p) => sum(unroll(simpleRnn(), p, full([T, B, 1], 0), short).outputs))).toThrow(
    `unroll: the number of steps must be at most 2^24, got ${T * B}.`,
  );
  const model = sequential([dense({ size: 1 })], { inputSize: 1 });
  expect(() => compute(model.parameters, (p) => runModel(model, p, full([T, B, 1], 0), short).output)).toThrow(
    `runModel: layer dense: the number of rows must be at most 2^24, got ${T * B}.`,
  );
  expect(() =>
    compute({}, () => crossEntropy(full([T, B, 1], 0), { shape: [T, B], data: new Int32Array(T * B) }, { lengths })),
  ).toThrow(/the number of targets must be at most 2\^24/);
});
