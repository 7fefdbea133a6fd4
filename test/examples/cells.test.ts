/** The worked cells of docs/custom-cells.md: short, with the gradient of finite differences, as fast as they say, and they learn. */

import { readFileSync } from 'node:fs';
import {
  adam,
  add,
  advance,
  type Batch,
  type Cell,
  chain,
  checkGradients,
  clipByNorm,
  createRandom,
  dense,
  evaluate,
  fit,
  initializeCell,
  integerNumber,
  meanSquaredError,
  multiply,
  normal,
  predict,
  recurrent,
  sequential,
  stream,
  sum,
  type Tensor,
  uniformNumber,
  unroll,
  type Variable,
} from 'bptt';
import { describe, expect, it } from 'vitest';
import { indRnn } from '../../examples/cells/ind-rnn';
import { minimalGatedUnit } from '../../examples/cells/minimal-gated-unit';
import { peepholeLstm } from '../../examples/cells/peephole-lstm';

/** Each with the number of layers that it learns with: the IndRNN mixes its units in the next layer, as in section 5.1 of its paper. */
const cells: [string, Cell, string, number][] = [
  ['minimal gated unit', minimalGatedUnit(), 'minimal-gated-unit', 1],
  ['IndRNN', indRnn(), 'ind-rnn', 2],
  ['peephole LSTM', peepholeLstm(), 'peephole-lstm', 1],
];

/** The adding problem (Hochreiter and Schmidhuber, 1997): the sum of the two numbers that are marked, one in each half. */
function adding(steps: number, rows: number, seed: number): Batch {
  const random = createRandom(seed);
  const inputs = new Float32Array(steps * rows * 2);
  const targets = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const marked = [integerNumber(random, steps / 2), steps / 2 + integerNumber(random, steps / 2)];
    for (let t = 0; t < steps; t++) {
      const value = uniformNumber(random);
      const mark = marked.includes(t) ? 1 : 0;
      inputs.set([value, mark], (t * rows + row) * 2);
      targets[row]! += mark * value;
    }
  }
  return { inputs: { shape: [steps, rows, 2], data: inputs }, targets: { shape: [rows, 1], data: targets } };
}

describe.each(cells)('%s', (_, cell, file, layers) => {
  it('takes fewer than 40 lines', () => {
    const source = readFileSync(new URL(`../../examples/cells/${file}.ts`, import.meta.url), 'utf8');
    const body = source.slice(source.indexOf('export function')).trim().split('\n');
    expect(body.length).toBeLessThan(40);
  });

  it('has the gradient of finite differences, with lengths and in reverse', () => {
    const random = createRandom(4);
    const draw = normal(0, 0.7);
    const given = {
      p: {
        ...initializeCell(cell, { inputSize: 2, hiddenSize: 3, random, inputInitializer: draw, biasInitializer: draw }),
      },
      xs: draw([5, 3, 2], random),
      s: Object.fromEntries(cell.state.map((name) => [name, draw([3, 3], random)])),
    };
    for (const parameter of Object.values(given.p)) parameter.data.set(draw(parameter.shape, random).data);
    const weight = draw([5, 3, 3], random);
    const { error, worst } = checkGradients(
      given,
      ({ p, xs, s }: { p: Record<string, Variable>; xs: Variable; s: Record<string, Variable> }) => {
        const { outputs, state } = unroll(cell, p, xs, {
          initialState: s,
          lengths: Int32Array.of(5, 2, 3),
          reverse: true,
        });
        return Object.values(state).reduce<Variable>(
          (total, part) => add(total, sum(multiply(part, part))),
          sum(multiply(outputs, weight)),
        );
      },
    );
    expect(error, JSON.stringify(worst)).toBeLessThan(1e-7);
  });

  it('learns the adding problem of 30 steps, where always 1 has an error of 0.167; streams', async () => {
    const stacked = Array.from({ length: layers }, (_each, i) =>
      recurrent(cell, { hiddenSize: 24, returnSequences: i + 1 < layers }),
    );
    const model = sequential([...stacked, dense({ size: 1 })], { inputSize: 2, seed: 1 });
    const batches = Array.from({ length: 40 }, (_each, i) => adding(30, 32, i));
    await fit(
      model,
      { batchCount: 40, batches: () => batches },
      { loss: meanSquaredError, optimizer: chain(clipByNorm(1), adam(0.01)), epochs: 15 },
    );
    const held = adding(30, 200, 1000);
    expect(evaluate(model, { batchCount: 1, batches: () => [held] }, { loss: meanSquaredError }).loss).toBeLessThan(
      0.02,
    );
    const [running, one] = [stream(model), adding(30, 1, 2000).inputs as Tensor];
    let last: Tensor | undefined;
    for (let t = 0; t < 30; t++) last = advance(running, { shape: [1, 2], data: one.data.slice(2 * t, 2 * t + 2) });
    expect(last!.data[0]).toBeCloseTo(predict(model, one).data[0]!, 5);
  });
});
