/** Custom layers that accept token ids. */

import {
  adam,
  advance,
  crossEntropy,
  dense,
  fit,
  full,
  gather,
  intTensor,
  isIntTensor,
  type Layer,
  normal,
  predict,
  sequential,
  stream,
} from 'bptt';
import { expect, it } from 'vitest';

/** An embedding under another name. */
const lookup: Layer = {
  name: 'lookup',
  accepts: 'ids',
  output: () => ({ kind: 'vectors', size: 4, perStep: true }),
  parameters: () => ({ table: { role: 'input', shape: [3, 4], blocks: 1, initializer: normal(0, 1) } }),
  run: ({ table }, input) => {
    if (!isIntTensor(input)) throw new TypeError('lookup: expected ids, got vectors.');
    return { output: gather(table!, input) };
  },
};

it('a custom layer of token ids can be the first layer in training, prediction and streams', async () => {
  const model = sequential([lookup, dense({ size: 3 })], { seed: 1 });
  expect(model.input).toEqual({ kind: 'ids' });
  const batch = { inputs: intTensor([[0], [1], [2]]), targets: intTensor([[1], [2], [0]]) };
  const data = { batchCount: 1, batches: () => [batch] };
  await fit(model, data, { loss: crossEntropy, optimizer: adam(0.1), steps: 50 });
  const { data: logits } = predict(model, batch.inputs);
  const best = [0, 1, 2].map((t) => {
    const row = [...logits.subarray(3 * t, 3 * t + 3)];
    return row.indexOf(Math.max(...row));
  });
  expect(best).toEqual([1, 2, 0]);
  const running = stream(model);
  const streamed = [0, 1, 2].flatMap((id) => [...advance(running, intTensor([id])).data]);
  streamed.forEach((value, i) => expect(value).toBeCloseTo(logits[i]!, 5));
});

it('a layer of token ids rejects vectors, and a layer of vectors rejects token ids', () => {
  expect(() => sequential([lookup], { inputSize: 2 })).toThrow(
    'sequential: layer lookup: the input must be ids, got vectors.',
  );
  expect(() => sequential([dense({ size: 2 })])).toThrow(
    'sequential: inputSize must be the size of the vectors that layer dense accepts, got undefined',
  );
  expect(() => predict(sequential([lookup]), full([1, 1, 2], 0))).toThrow('predict: layer lookup: expected ids');
});
