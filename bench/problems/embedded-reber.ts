/**
 * The embedded Reber grammar (Cleeremans et al., 1989; Hochreiter and Schmidhuber, 1997, experiment 1): predict which
 * symbols may come next. The second to last symbol equals the second one, T or P, which the network must remember over
 * a whole string of the inner grammar.
 */

import {
  adam,
  type Batch,
  type Cell,
  chain,
  clipByNorm,
  createRandom,
  crossEntropy,
  dense,
  embedding,
  type IntTensor,
  integerNumber,
  lstm,
  padSequences,
  predict,
  type Random,
  recurrent,
  sequential,
  simpleRnn,
} from 'bptt';
import { type Outcome, type Problem, type RunOptions, train } from './problem';
import { createTrainer } from './training';

/** The symbols, by id. */
export const symbols = 'BTPSXVE';

/** The inner grammar: for each node, the outgoing arcs with their symbols and target nodes. */
const arcs: readonly (readonly (readonly [symbol: string, to: number])[])[] = [
  [['B', 1]],
  [
    ['T', 2],
    ['P', 3],
  ],
  [
    ['S', 2],
    ['X', 4],
  ],
  [
    ['T', 3],
    ['V', 5],
  ],
  [
    ['X', 3],
    ['S', 6],
  ],
  [
    ['P', 4],
    ['V', 6],
  ],
  [['E', 7]],
];

/** A string of the grammar, and the symbols that may come next at every step. */
export interface ReberString {
  readonly text: string;
  readonly legal: readonly string[];
}

/** Draws a string of the embedded grammar. */
export function drawReber(random: Random): ReberString {
  const outer = 'TP'[integerNumber(random, 2)]!;
  let text = `B${outer}`;
  const legal = ['TP', 'B'];
  let node = 0;
  for (;;) {
    const [symbol, to] = arcs[node]![integerNumber(random, arcs[node]!.length)]!;
    text += symbol;
    node = to;
    if (node === 7) break;
    legal.push(arcs[node]!.map(([next]) => next).join(''));
  }
  return { text: `${text}${outer}E`, legal: [...legal, outer, 'E'] };
}

/** Returns whether a string belongs to the embedded grammar. For tests. */
export function acceptsReber(text: string): boolean {
  if (!/^B[TP].*[TP]E$/.test(text) || text[1] !== text.at(-2)) return false;
  let node = 0;
  for (const symbol of text.slice(2, -2)) {
    const arc = arcs[node]?.find(([label]) => label === symbol);
    if (arc === undefined) return false;
    node = arc[1];
  }
  return node === 7;
}

const idsOf = (text: string): Int32Array => Int32Array.from(text, (symbol) => symbols.indexOf(symbol));

function batchOf(strings: readonly ReberString[]): Batch<IntTensor> & { readonly lengths: Int32Array } {
  const { inputs, lengths } = padSequences(strings.map(({ text }) => idsOf(text.slice(0, -1))));
  return { inputs, lengths, targets: padSequences(strings.map(({ text }) => idsOf(text.slice(1)))).inputs };
}

/** Trains a network until it makes no wrong prediction on 256 held-out strings. */
async function run(cell: Cell, options: RunOptions): Promise<Outcome> {
  const { seed } = options;
  const model = sequential(
    [embedding({ vocabularySize: 7, size: 7 }), recurrent(cell, { hiddenSize: 16 }), dense({ size: 7 })],
    { seed },
  );
  const random = createRandom(seed + 1000);
  const heldOut = Array.from({ length: 256 }, () => drawReber(random));
  const { inputs, lengths } = batchOf(heldOut);
  /** The fraction of strings with a step at which an illegal symbol is at least as likely as a legal one. */
  const metric = (): number => {
    const { data } = predict(model, inputs, { lengths });
    const wrong = heldOut.filter(({ legal }, row) =>
      legal.some((next, t) => {
        const logits = data.subarray((t * heldOut.length + row) * 7, (t * heldOut.length + row + 1) * 7);
        const least = Math.min(...Array.from(next, (symbol) => logits[symbols.indexOf(symbol)]!));
        return logits.some((logit, id) => !next.includes(symbols[id]!) && logit >= least);
      }),
    );
    return wrong.length / heldOut.length;
  };
  const update = createTrainer(
    model,
    (draws) => batchOf(Array.from({ length: 16 }, () => drawReber(draws))),
    crossEntropy,
    chain(clipByNorm(1), adam(0.01)),
    seed,
  );
  return train(update, { every: 50, metric, solved: (wrong) => wrong === 0 }, 3000, options);
}

export const embeddedReber: Problem = {
  name: 'embedded Reber grammar',
  metric: 'fraction of wrong strings',
  baseline: 1,
  criterion: 'at every step of 256 held-out strings, each legal symbol is likelier than every illegal one',
  networks: {
    LSTM: { expected: true, run: (options) => run(lstm(), options) },
    'tanh RNN': { expected: false, run: (options) => run(simpleRnn(), options) },
  },
  seeds: 5,
};
