/**
 * The embedded Reber grammar (Cleeremans et al., 1989; Hochreiter and Schmidhuber, 1997, experiment 1): which symbols may come next? The last
 * but one is the second again, T or P, which has to be kept over a whole string of the inner grammar.
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
import { trainerOf } from './training';

export const symbols = 'BTPSXVE';

/** The inner grammar: from each node the arcs that lead on, symbol and node. */
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

/** A string of the grammar, and for every step the symbols that may come next. */
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

/** Whether a string is one of the embedded grammar: the automaton, for tests. */
export function acceptsReber(text: string): boolean {
  if (!/^B[TP].*[TP]E$/.test(text) || text[1] !== text.at(-2)) return false;
  let node = 0;
  for (const symbol of text.slice(2, -2)) {
    const arc = arcs[node]?.find(([own]) => own === symbol);
    if (arc === undefined) return false;
    node = arc[1];
  }
  return node === 7;
}

const idsOf = (text: string): Int32Array => Int32Array.from(text, (symbol) => symbols.indexOf(symbol));

function batchOf(strings: readonly ReberString[]): Batch<IntTensor, IntTensor> & { readonly lengths: Int32Array } {
  const { inputs, lengths } = padSequences(strings.map(({ text }) => idsOf(text.slice(0, -1))));
  return { inputs, lengths, targets: padSequences(strings.map(({ text }) => idsOf(text.slice(1)))).inputs };
}

async function run(cell: Cell, options: RunOptions): Promise<Outcome> {
  const { seed } = options;
  const model = sequential(
    [embedding({ vocabularySize: 7, size: 7 }), recurrent(cell, { hiddenSize: 16 }), dense({ size: 7 })],
    { seed },
  );
  const random = createRandom(seed + 1000);
  const held = Array.from({ length: 256 }, () => drawReber(random));
  const { inputs, lengths } = batchOf(held);
  /** The share of strings at some step of which an illegal symbol is likelier than a legal one. */
  const figure = (): number => {
    const { data } = predict(model, inputs, { lengths });
    const wrong = held.filter(({ legal }, row) =>
      legal.some((next, t) => {
        const scores = data.subarray((t * held.length + row) * 7, (t * held.length + row + 1) * 7);
        const least = Math.min(...Array.from(next, (symbol) => scores[symbols.indexOf(symbol)]!));
        return scores.some((score, id) => !next.includes(symbols[id]!) && score >= least);
      }),
    );
    return wrong.length / held.length;
  };
  const steps = trainerOf(
    model,
    (draws) => batchOf(Array.from({ length: 16 }, () => drawReber(draws))),
    crossEntropy,
    chain(clipByNorm(1), adam(0.01)),
    seed,
  );
  return train(steps, { every: 50, figure, solved: (wrong) => wrong === 0 }, 3000, options);
}

export const embeddedReber: Problem = {
  name: 'embedded Reber grammar',
  figure: 'strings with a wrong prediction',
  baseline: 1,
  criterion: 'at every step of 256 strings never seen, each symbol that may come is likelier than any that may not',
  networks: {
    LSTM: { expected: true, run: (options) => run(lstm(), options) },
    'tanh RNN': { expected: false, run: (options) => run(simpleRnn(), options) },
  },
  seeds: 5,
};
