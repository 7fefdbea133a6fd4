/** Convolution and pooling over one axis, the last of `[B, I, T]`. */

import { divide } from '../../autodiff/ops/arithmetic';
import { convolve } from '../../autodiff/ops/convolution';
import { transpose } from '../../autodiff/ops/movement';
import { averagePool, maxPool } from '../../autodiff/ops/pooling';
import { mean } from '../../autodiff/ops/reductions';
import {
  checkGroups,
  checkWindow,
  extentOf,
  type Padding,
  paddingOf,
  type Window,
  windowsOver,
} from '../../autodiff/ops/windows';
import { operand, type Variable } from '../../autodiff/tape';
import { checkCount, formatShape } from '../../tensor/shape';
import { full } from '../../tensor/tensor';
import {
  checkInputs,
  consumeAttribute,
  consumeFlag,
  type NodeReader,
  type Operator,
  singleOutput,
} from './node-reader';
import { checkResultShape } from './run-limit';
import { reshapeValue } from './values';

/** The windows of a node over one axis. */
interface NodeWindow extends Window {
  /** Whether the larger part of the padding `'same'` is before the sequence. */
  readonly isLower: boolean;
}

/** The windows over T steps. */
const windowAt = ({ isLower, ...window }: NodeWindow, T: number): Window => {
  const [less, more] = paddingOf(window, T);
  return isLower ? { ...window, padding: [more, less] } : window;
};

/** Reads windows, of a size that may be missing. @throws RangeError if they move over several axes */
function consumeWindow(reader: NodeReader): Omit<NodeWindow, 'k'> & { readonly k: number | undefined } {
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
    SAME_LOWER: 'same',
  };
  if (!Object.hasOwn(paddings, automatic))
    throw new RangeError(`auto_pad must be NOTSET, VALID, SAME_UPPER or SAME_LOWER, got ${automatic}`);
  return {
    k: single('kernel_shape'),
    stride: single('strides') ?? 1,
    dilation: single('dilations') ?? 1,
    padding: paddings[automatic]!,
    isLower: automatic === 'SAME_LOWER',
  };
}

/** @throws RangeError if x is not `[B, I, T]` */
function checkAxes({ shape }: Variable): void {
  if (shape.length !== 3)
    throw new RangeError(`the input must be [B, I, T], got ${formatShape(shape)}; only 1-D operators are supported`);
}

/** Runs `f` on `[B, I, T]` as `[T, B, I]`. @throws as {@link checkAxes} */
function overSteps(x: Variable, f: (steps: Variable) => Variable): Variable {
  checkAxes(x);
  return transpose(f(transpose(x, [2, 0, 1])), [1, 2, 0]);
}

/**
 * Checks windows over `[T, B, I]`, whose numbers are those of a file, before they are computed.
 *
 * @throws RangeError if they are invalid, or far larger than the input and the constants
 */
function checkWindows(reader: NodeReader, window: Window, steps: Variable, groups = 1): void {
  const opType = reader.node.opType;
  const [T, B, I] = steps.shape as [number, number, number];
  checkCount(opType, 'kernel_shape', window.k);
  checkWindow(opType, window);
  checkGroups(opType, 'I', I, groups);
  const [before, after] = paddingOf(window, T);
  checkResultShape([T + before + after + extentOf(window), B, I]);
  checkResultShape([windowsOver(window, T), B, window.k, I]);
}

export const convOperator: Operator = (reader) => {
  checkInputs(reader, ['float', 'float', 'float?']);
  const groups = consumeAttribute(reader, 'group', 'int') ?? 1;
  const { k, ...consumed } = consumeWindow(reader);
  return singleOutput(reader, (x, w, bias) => {
    const values = x as Variable;
    const weight = w as Variable;
    if (weight.shape.length !== 3 || (k !== undefined && weight.shape[2] !== k))
      throw new RangeError(`the weight must be [O, I / group, ${k ?? 'k'}], got ${formatShape(weight.shape)}`);
    const parameters = { weight: transpose(weight, [2, 1, 0]), ...(bias && { bias: bias as Variable }) };
    return overSteps(values, (steps) => {
      const window = windowAt({ k: weight.shape[2]!, ...consumed }, steps.shape[0]!);
      checkWindows(reader, window, steps, groups);
      checkResultShape([windowsOver(window, steps.shape[0]!), steps.shape[1]!, weight.shape[0]!]);
      const { k: _, ...options } = window;
      return convolve(steps, parameters, { ...options, groups });
    });
  });
};

/** The windows of a pooling node. */
function consumePooling(reader: NodeReader): NodeWindow {
  checkInputs(reader, ['float']);
  const { k, ...window } = consumeWindow(reader);
  if (k === undefined) throw new RangeError('the node must have the attribute kernel_shape');
  if (consumeFlag(reader, 'ceil_mode')) throw new RangeError('ceil_mode must be 0, got 1');
  return { k, ...window };
}

export const maxPoolOperator: Operator = (reader) => {
  const consumed = consumePooling(reader);
  consumeAttribute(reader, 'storage_order', 'int');
  return singleOutput(reader, (x) =>
    overSteps(x as Variable, (steps) => {
      const window = windowAt(consumed, steps.shape[0]!);
      checkWindows(reader, window, steps);
      return maxPool('MaxPool', steps, window);
    }),
  );
};

/** The mean over windows, in which padding counts only with count_include_pad. */
export const averagePoolOperator: Operator = (reader) => {
  const consumed = consumePooling(reader);
  const countsPadding = consumeFlag(reader, 'count_include_pad');
  return singleOutput(reader, (x) =>
    overSteps(x as Variable, (steps) => {
      const T = steps.shape[0]!;
      const window = windowAt(consumed, T);
      checkWindows(reader, window, steps);
      const means = averagePool(steps, window);
      if (countsPadding) return means;
      const ones = operand('AveragePool', full([T, 1, 1], 1));
      return divide(means, averagePool(ones, window));
    }),
  );
};

/** Pooling over all steps of `[B, I, T]`, to `[B, I, 1]`. */
const globalPooling =
  (pool: (x: Variable) => Variable): Operator =>
  (reader) => {
    checkInputs(reader, ['float']);
    return singleOutput(reader, (x) => {
      const values = x as Variable;
      checkAxes(values);
      return reshapeValue(pool(values), [...values.shape.slice(0, 2), 1]);
    });
  };

export const globalMaxPoolOperator: Operator = /* @__PURE__ */ globalPooling((x) => {
  const window = { k: x.shape[2]!, stride: 1, dilation: 1, padding: 'valid' } as const;
  return maxPool('GlobalMaxPool', transpose(x, [2, 0, 1]), window);
});

export const globalAveragePoolOperator: Operator = /* @__PURE__ */ globalPooling((x) => mean(x, 2));
