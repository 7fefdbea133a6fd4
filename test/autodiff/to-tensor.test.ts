/** Copies of variables by toTensor. */

import { compute, full, toTensor } from 'bptt';
import { expect, it } from 'vitest';

it.each([undefined, null, 'x', {}])('toTensor names itself in the error of %s', (value) => {
  expect(() => compute({ x: full([2], 1) }, () => toTensor(value as never).data.length)).toThrow(
    /^toTensor: x must be a variable, a tensor .* or a number, got/,
  );
});

it('toTensor of a constant has its shape', () => {
  const x = full([2, 1], 3);
  compute({ x }, () => {
    expect(toTensor(2 as never)).toEqual({ shape: [], data: Float32Array.of(2) });
    expect(toTensor(x as never)).toEqual(x);
    return 0;
  });
});
