/** MaxPool. */

import { formatShape } from '../../../tensor/shape';
import { consumeAttribute, consumeFlag } from '../node-reader';
import { spend } from '../run-limit';
import { channelsLast, channelsSecond, paddedOffset, readWindow, tapOffsets, windowStarts } from './convolution';
import { newView } from './plan';
import { floats, type PlanOperator } from './planner';

/** The largest element of each window and channel. */
export const maxPool: PlanOperator = (node) => {
  const plan = node.plan;
  const x = floats(node, 0);
  const [B, C, ...input] = x.shape as [number, number, ...number[]];
  const kernel = consumeAttribute(node, 'kernel_shape', 'ints') ?? [];
  if (kernel.length !== input.length || kernel.length === 0)
    throw new RangeError(`kernel_shape ${formatShape(kernel)} does not fit the input ${formatShape(x.shape)}`);
  if (consumeFlag(node, 'ceil_mode')) throw new RangeError('ceil_mode is not supported');
  consumeAttribute(node, 'storage_order', 'int');
  if (node.node.outputs.length > 1) throw new RangeError('the output with indices is not supported');
  const window = readWindow(node, input, kernel);
  const starts = windowStarts(window, paddedOffset(plan, channelsLast(x), window, -Infinity), B, C);
  const taps = tapOffsets(window, C);
  const y = newView(plan, [B, ...window.output, C]);
  spend(1, starts.length * taps.length * C, 0);
  const memory = plan.memory;
  plan.steps.push(() => {
    const m = memory.view;
    for (let r = 0, to = y.offset; r < starts.length; r++)
      for (let c = 0; c < C; c++, to++) {
        let largest = -Infinity;
        for (let t = 0; t < taps.length; t++) largest = Math.max(largest, m[starts[r]! + taps[t]! + c]!);
        m[to] = largest;
      }
  });
  return [channelsSecond(y)];
};
