/** Predictions in parts and step by step, and the messages of wrong models, inputs and operations. */

import {
  advance,
  dense,
  full,
  initializeCell,
  intTensor,
  lstm,
  multiply,
  predict,
  predictWithState,
  recurrent,
  sequential,
  stream,
  sum,
  tensor,
  unroll,
  valueAndGradient,
} from 'bptt';
import { expect, it } from 'vitest';
import { net } from './net';

it('a stream yields the outputs of predict', () => {
  const sequence = [0, 3, 5, 1, 2];
  const running = stream(net);
  const whole = predict(net, intTensor(sequence.map((id) => [id])));
  sequence.forEach((id, t) => {
    const { data: scores } = advance(running, intTensor([id]));
    scores.forEach((score, j) => expect(score).toBeCloseTo(whole.data[t * 6 + j]!, 6));
  });
});

it('predict continues from a state, with any batch size', () => {
  const inputs = intTensor([
    [0, 3],
    [5, 1],
    [2, 4],
    [4, 4],
  ]);
  const whole = predict(net, inputs);
  const first = predictWithState(
    net,
    intTensor([
      [0, 3],
      [5, 1],
    ]),
  );
  const rest = predict(
    net,
    intTensor([
      [2, 4],
      [4, 4],
    ]),
    { state: first.state },
  );
  rest.data.forEach((value, i) => expect(value).toBeCloseTo(whole.data[24 + i]!, 6));
});

it.each<[string, () => unknown, RegExp]>([
  ['an id out of range', () => predict(net, intTensor([[6]])), /integers from 0 to 5, got 6 at index 0/],
  [
    'an empty batch',
    () => predict(net, intTensor(new Int32Array(0), [3, 0])),
    /layer gru: xs must hold at least one row/,
  ],
  [
    'vectors for ids',
    () => predict(net, full([1, 1, 4], 0)),
    /layer embedding: the input must be ids, as intTensor returns, got vectors/,
  ],
  [
    'lengths that are null',
    () => predict(net, intTensor([[1]]), { lengths: null as never }),
    /^predict: layer gru: lengths must be an Int32Array of size batchSize, got null/,
  ],
  [
    'a state that is null',
    () => predict(net, intTensor([[1]]), { state: null as never }),
    /^predict: state must be an object, got null/,
  ],
  ['no layers', () => sequential([]), /at least one layer/],
  [
    'no input size',
    () => sequential([dense({ size: 2 })]),
    /sequential: inputSize must be the size of the vectors that layer dense accepts, got undefined/,
  ],
  [
    'steps that are gone',
    () =>
      sequential([recurrent(lstm(), { hiddenSize: 2, returnSequences: false }), recurrent(lstm(), { hiddenSize: 2 })], {
        inputSize: 1,
      }),
    /returnSequences/,
  ],
  ['a stream of another size', () => advance(stream(net), intTensor([1, 2])), /ids \[B\] = \[1\], got ids \[2\]/],
  [
    'wrong inputs of a cell',
    () =>
      valueAndGradient({ x: full([4, 2, 10], 0) }, ({ x }) =>
        sum(unroll(lstm(), initializeCell(lstm(), { inputSize: 32, hiddenSize: 2, random: 1 }), x).outputs),
      ),
    /unroll: xs must be \[T, B, I\] = \[\*, \*, 32\], got \[4, 2, 10\]\. Was the cell created with inputSize 10\?/,
  ],
  [
    'a loss that is not a scalar',
    () => valueAndGradient({ w: tensor([1, 2]) }, ({ w }) => multiply(w, 2)),
    /the result of the function must be a scalar variable, as mean\(\) returns, got shape \[2\]/,
  ],
  [
    'an op outside',
    () => multiply(tensor([1]), 2),
    /multiply: must be called inside a function passed to valueAndGradient or compute/,
  ],
  [
    'shapes that do not broadcast',
    () => valueAndGradient({ w: full([2, 3], 0) }, ({ w }) => sum(multiply(w, full([2], 1)))),
    /the lengths of axis -1 must be equal, or one of them 1, got 3 and 2 in \[2, 3\] and \[2\]/,
  ],
])('rejects %s by name', (_, wrong, message) => expect(wrong).toThrow(message));
