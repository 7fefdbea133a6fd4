/** The parameter specs of gated cells. */

import { gateParameters } from 'bptt';
import { expect, it } from 'vitest';

it.each([
  [[2.5, 3, 2], 'gates must be an integer of at least 1, got 2.5.'],
  [[4, -1, 2], 'inputSize must be an integer of at least 0, got -1.'],
  [[4, 3, 0], 'hiddenSize must be an integer of at least 1, got 0.'],
] as const)('rejects the sizes %j', ([gates, inputSize, hiddenSize], message) => {
  expect(() => gateParameters(gates, inputSize, hiddenSize)).toThrow(new RangeError(`gateParameters: ${message}`));
});
