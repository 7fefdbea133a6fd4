/**
 * The example cells of docs/guides/custom-cells.md: their length and gradients, and that they can be trained and
 * streamed.
 */

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

/**
 * Title, cell, file and number of layers to train. The units of an IndRNN interact only in the next layer, so it gets
 * two layers, as in section 5.1 of its paper.
 */
const cells: [title: string, cell: Cell, file: string, layers: number][] = [
  ['minimal gated unit', minimalGatedUnit(), 'minimal-gated-unit', 1],
  ['IndRNN', indRnn(), 'ind-rnn', 2],
  ['peephole LSTM', peepholeLstm(), 'peephole-lstm', 1],
];

/** The adding problem (Hochreiter and Schmidhuber, 1997): the target is the sum of two marked values, one per half. */
function adding(steps: number, rows: number, seed: number): Batch<Tensor, Tensor> {
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
  it('is shorter than 40 lines', () => {
    const source = readFileSync(new URL(`../../examples/cells/${file}.ts`, import.meta.url), 'utf8');
    const body = source.slice(source.indexOf('export function')).trim().split('\n');
    expect(body.length).toBeLessThan(40);
  });

  it('has gradients that match finite differences, with lengths and in reverse', () => {
    const random = createRandom(4);
    const draw = normal(0, 0.7);
    const values = {
      p: {
        ...initializeCell(cell, { inputSize: 2, hiddenSize: 3, random, inputInitializer: draw, biasInitializer: draw }),
      },
      xs: draw([5, 3, 2], random),
      s: Object.fromEntries(cell.state.map((name) => [name, draw([3, 3], random)])),
    };
    for (const parameter of Object.values(values.p)) parameter.data.set(draw(parameter.shape, random).data);
    const weight = draw([5, 3, 3], random);
    const { error, worst } = checkGradients(
      values,
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

  // Always predicting 1 has a mean squared error of 0.167. How long the training takes depends on rounding: it was 5 to
  // 9 epochs.
  it('learns the adding problem with 30 steps, and streaming matches predict', async () => {
    const stacked = Array.from({ length: layers }, (_, i) =>
      recurrent(cell, { hiddenSize: 24, returnSequences: i + 1 < layers }),
    );
    const model = sequential([...stacked, dense({ size: 1 })], { inputSize: 2, seed: 1 });
    const batches = Array.from({ length: 40 }, (_, i) => adding(30, 32, i));
    const validation = { batchCount: 1, batches: () => [adding(30, 200, 1000)] };
    const learned = 0.04;
    const signal = { aborted: false };
    await fit(
      model,
      { batchCount: 40, batches: () => batches },
      {
        loss: meanSquaredError,
        optimizer: chain(clipByNorm(1), adam(0.01)),
        epochs: 15,
        validation,
        signal,
        onProgress: ({ validationLoss = Infinity }) => {
          signal.aborted = validationLoss < learned;
        },
      },
    );
    expect(evaluate(model, validation, { loss: meanSquaredError }).loss).toBeLessThan(learned);
    const running = stream(model);
    const sequence = adding(30, 1, 2000).inputs;
    let last: Tensor | undefined;
    for (let t = 0; t < 30; t++)
      last = advance(running, { shape: [1, 2], data: sequence.data.slice(2 * t, 2 * t + 2) });
    expect(last!.data[0]).toBeCloseTo(predict(model, sequence).data[0]!, 5);
  });
});
