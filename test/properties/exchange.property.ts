/** What goes out to other programs comes in again: models of any layers as ONNX, and as weights of PyTorch. */

import {
  createRandom,
  type IntTensor,
  ids,
  integerNumber,
  load,
  normal,
  predict,
  readSafetensors,
  type Sequential,
  save,
  type Tensor,
  writeSafetensors,
} from 'bptt';
import { exportOnnx, importOnnx, predictOnnx } from 'bptt/onnx';
import { fromPyTorch, toPyTorch } from 'bptt/pytorch';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { reads } from './hostile';
import { model } from './models';

/** Numbers that differ in every place, since those of a new model are zero or one in many. */
function stir(given: Sequential): void {
  given.data.forEach((value, i) => (given.data[i] = value + 0.3 * Math.sin(3 * i + 1)));
}

const steps = 4;
const lengths = Int32Array.of(2, 4, 1);
const inputsOf = ({ input }: Sequential): Tensor | IntTensor => {
  const random = createRandom(7);
  return input.kind === 'ids'
    ? ids(
        Int32Array.from({ length: steps * 3 }, () => integerNumber(random, 4)),
        [steps, 3],
      )
    : normal(0, 1)([steps, 3, input.size], random);
};

it('any model that goes out as ONNX comes in again and answers the same, with lengths as well, but for cells that are a Scan, and Split around them', () => {
  let imported = 0;
  fc.assert(
    fc.property(model, fc.boolean(), (given, withLengths) => {
      stir(given);
      const inputs = inputsOf(given);
      const expected = predict(given, inputs, withLengths ? { lengths } : {});
      const file = exportOnnx(given, { lengths: withLengths });
      if (
        !reads(
          () => importOnnx(file),
          /^importOnnx: .*cannot be run here: .*(Scan|Split) "[^"]*" is an operator that is not known/,
        )
      )
        return;
      imported++;
      const { outputs } = predictOnnx(importOnnx(file), { inputs, ...(withLengths && { lengths: ids(lengths, [3]) }) });
      expect(outputs!.shape).toEqual(expected.shape);
      expected.data.forEach((value, i) =>
        expect(Math.abs(outputs!.data[i]! - value) / Math.max(1, Math.abs(value)), String(i)).toBeLessThan(2e-5),
      );
    }),
    { numRuns: 1000 },
  );
  expect(imported).toBeGreaterThan(50);
});

it('any weights that go out for PyTorch come in again bit for bit', () => {
  let written = 0;
  fc.assert(
    fc.property(model, (given) => {
      stir(given);
      const other = load(save(given)).model;
      const answers: Readonly<Record<string, Tensor>>[] = [];
      if (!reads(() => answers.push(toPyTorch(given)), /^toPyTorch: /)) return;
      written++;
      other.data.fill(NaN);
      fromPyTorch(other, readSafetensors(writeSafetensors(answers[0]!)).tensors);
      expect(new Uint32Array(other.data.slice().buffer)).toEqual(new Uint32Array(given.data.slice().buffer));
    }),
    { numRuns: 2000 },
  );
  expect(written).toBeGreaterThan(50);
});
