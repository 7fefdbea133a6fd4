/** Round trips through foreign formats: models of random layers as ONNX files and as PyTorch weights. */

import {
  createRandom,
  type IntTensor,
  integerNumber,
  intTensor,
  load,
  normal,
  predict,
  readSafetensors,
  type Sequential,
  save,
  type Tensor,
  writeSafetensors,
} from 'bptt';
import { fromKeras, toKeras } from 'bptt/keras';
import { exportOnnx, importOnnx, predictOnnx } from 'bptt/onnx';
import { fromPyTorch, toPyTorch } from 'bptt/pytorch';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { reads, runs } from './hostile';
import { model } from './models';

/** Gives every parameter a different value; many of a new model are zero or one. */
function perturb({ data }: Sequential): void {
  data.forEach((value, i) => {
    data[i] = value + 0.3 * Math.sin(3 * i + 1);
  });
}

const steps = 4;
const lengths = Int32Array.of(2, 4, 1);
const inputsOf = ({ input }: Sequential): Tensor | IntTensor => {
  const random = createRandom(7);
  return input.kind === 'ids'
    ? intTensor(
        Int32Array.from({ length: steps * 3 }, () => integerNumber(random, 4)),
        [steps, 3],
      )
    : normal(0, 1)([steps, 3, input.size], random);
};

it(
  'a model exported to ONNX is imported with the same outputs, with and without lengths, unless it needs Scan ' +
    'or Split',
  () => {
    let imported = 0;
    fc.assert(
      fc.property(model, fc.boolean(), (original, withLengths) => {
        perturb(original);
        const inputs = inputsOf(original);
        const expected = predict(original, inputs, withLengths ? { lengths } : {});
        const file = exportOnnx(original, { lengths: withLengths });
        if (!reads(() => importOnnx(file), /^importOnnx: .*(Scan|Split)/)) return;
        imported++;
        const { outputs } = predictOnnx(importOnnx(file), {
          inputs,
          ...(withLengths && { lengths: intTensor(lengths, [3]) }),
        });
        expect(outputs!.shape).toEqual(expected.shape);
        expected.data.forEach((value, i) =>
          expect(Math.abs(outputs!.data[i]! - value) / Math.max(1, Math.abs(value)), String(i)).toBeLessThan(2e-5),
        );
      }),
      { numRuns: runs(1000) },
    );
    expect(imported).toBeGreaterThan(50);
  },
);

it.each([
  ['PyTorch', toPyTorch, fromPyTorch],
  ['Keras', toKeras, fromKeras],
] as const)('weights converted to %s are loaded again bit for bit', (framework, to, from) => {
  let converted = 0;
  fc.assert(
    fc.property(model, (original) => {
      perturb(original);
      const other = load(save(original)).model;
      const results: Readonly<Record<string, Tensor>>[] = [];
      if (!reads(() => results.push(to(original)), new RegExp(`^to${framework}: `))) return;
      converted++;
      other.data.fill(NaN);
      from(other, readSafetensors(writeSafetensors(results[0]!)).tensors);
      expect(new Uint32Array(other.data.slice().buffer)).toEqual(new Uint32Array(original.data.slice().buffer));
    }),
    { numRuns: runs(2000) },
  );
  expect(converted).toBeGreaterThan(50);
});
