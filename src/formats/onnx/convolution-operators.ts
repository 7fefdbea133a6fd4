/** Convolution over one axis, the last of `[B, I, T]`. */

import { convolve } from '../../autodiff/ops/convolution';
import { transpose } from '../../autodiff/ops/movement';
import type { Padding, Window } from '../../autodiff/ops/windows';
import type { Variable } from '../../autodiff/tape';
import { formatShape } from '../../tensor/shape';
import { checkInputs, consumeAttribute, type NodeReader, type Operator, singleOutput } from './node-reader';

/** The windows of a node over one axis, without their size. @throws RangeError if they move over several axes */
export function consumeWindow(reader: NodeReader): Omit<Window, 'k'> & { readonly k: number | undefined } {
  const single = (name: string): number | undefined => {
    const values = consumeAttribute(reader, name, 'ints');
    if (values !== undefined && values.length !== 1)
      throw new RangeError(`${name} must be of one axis, got ${formatShape(values)}; only 1-D operators are supported`);
    return values?.[0];
  };
  const pads = consumeAttribute(reader, 'pads', 'ints');
  const automatic = consumeAttribute(reader, 'auto_pad', 'string') ?? 'NOTSET';
  if (pads !== undefined && pads.length !== 2)
    throw new RangeError(`pads must be [before, after], got ${formatShape(pads)}; only 1-D operators are supported`);
  const paddings: Readonly<Record<string, Padding>> = {
    NOTSET: [pads?.[0] ?? 0, pads?.[1] ?? 0],
    VALID: 'valid',
    SAME_UPPER: 'same',
  };
  if (!Object.hasOwn(paddings, automatic))
    throw new RangeError(`auto_pad must be NOTSET, VALID or SAME_UPPER, got ${automatic}`);
  return {
    k: single('kernel_shape'),
    stride: single('strides') ?? 1,
    dilation: single('dilations') ?? 1,
    padding: paddings[automatic]!,
  };
}

/** Runs `f` on `[B, I, T]` as `[T, B, I]`. @throws RangeError if x has other axes */
export function overSteps(x: Variable, f: (steps: Variable) => Variable): Variable {
  if (x.shape.length !== 3)
    throw new RangeError(`the input must be [B, I, T], got ${formatShape(x.shape)}; only 1-D operators are supported`);
  return transpose(f(transpose(x, [2, 0, 1])), [1, 2, 0]);
}

export const convOperator: Operator = (reader) => {
  checkInputs(reader, ['float', 'float', 'float?']);
  const groups = consumeAttribute(reader, 'group', 'int') ?? 1;
  const { k, stride, dilation, padding } = consumeWindow(reader);
  return singleOutput(reader, (x, w, bias) => {
    const [values, weight] = [x as Variable, w as Variable];
    if (weight.shape.length !== 3 || (k !== undefined && weight.shape[2] !== k))
      throw new RangeError(`the weight must be [O, I / group, ${k ?? 'k'}], got ${formatShape(weight.shape)}`);
    const parameters = { weight: transpose(weight, [2, 1, 0]), ...(bias && { bias: bias as Variable }) };
    return overSteps(values, (steps) => convolve(steps, parameters, { stride, dilation, groups, padding }));
  });
};
