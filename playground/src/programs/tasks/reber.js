/**
 * The embedded Reber grammar (Cleeremans et al., 1989; Hochreiter and Schmidhuber, 1997): predict the next symbol of
 * random strings such as BTBTXSETE. The second to last symbol equals the second one, T or P.
 */

import {
  advance,
  crossEntropy,
  dense,
  embedding,
  integerNumber,
  intTensor,
  padSequences,
  sampleFromLogits,
  sequential,
  stream,
} from 'bptt';

const symbols = 'BTPSXVE';

/** The inner grammar: for each node, the symbols that may follow and the nodes to which they lead. */
const arcs = [{ B: 1 }, { T: 2, P: 3 }, { S: 2, X: 4 }, { T: 3, V: 5 }, { X: 3, S: 6 }, { P: 4, V: 6 }, { E: 7 }];

function drawString(random) {
  const outer = 'TP'[integerNumber(random, 2)];
  let inner = '';
  for (let node = 0; node !== 7; ) {
    const choices = Object.entries(arcs[node]);
    const [symbol, next] = choices[integerNumber(random, choices.length)];
    inner += symbol;
    node = next;
  }
  return `B${outer}${inner}${outer}E`;
}

function isLegal(text) {
  if (!/^B[TP].+[TP]E$/.test(text) || text[1] !== text.at(-2)) return false;
  let node = 0;
  for (const symbol of text.slice(2, -2)) node = arcs[node]?.[symbol] ?? -1;
  return node === 7;
}

function batchOf(strings) {
  const ids = strings.map((text) => Int32Array.from(text, (symbol) => symbols.indexOf(symbol)));
  const { inputs, lengths } = padSequences(ids.map((list) => list.subarray(0, -1)));
  return { inputs, lengths, targets: padSequences(ids.map((list) => list.subarray(1))).inputs };
}

/** Draws a batch of strings of unequal lengths. Padding does not change the loss. */
export function draw(random, { batchSize }) {
  return batchOf(Array.from({ length: batchSize }, () => drawString(random)));
}

/** Draws strings of one length, and counts only the symbol that must be remembered: for the gradients. */
export function probe(random, { batchSize }) {
  const strings = [];
  while (strings.length < batchSize) {
    const text = drawString(random);
    if (text.length === 16) strings.push(text);
  }
  const { inputs, targets } = batchOf(strings);
  const mask = Float32Array.from(targets.data, (_, i) => (Math.floor(i / batchSize) === 13 ? 1 : 0));
  return { inputs, targets, mask: { shape: targets.shape, data: mask } };
}

export const loss = crossEntropy;

/**
 * The baseline knows how often each symbol occurs. The best prediction knows the grammar and remembers the second
 * symbol: its loss is the mean of ln 2 for the free choices, and of 0 for all other symbols.
 */
export function references(random) {
  const strings = Array.from({ length: 5000 }, () => drawString(random));
  const text = strings.map((string) => string.slice(1)).join('');
  const shares = [...symbols].map((symbol) => text.split(symbol).length - 1).map((count) => count / text.length);
  const baseline = shares.reduce((sum, share) => sum - (share > 0 ? share * Math.log(share) : 0), 0);
  // The second symbol is a free choice, as is every inner symbol except B and E.
  const free = strings.reduce((sum, string) => sum + 1 + (string.length - 6), 0);
  return { baseline, best: (free * Math.LN2) / text.length };
}

export function createModel(layer, { seed }) {
  return sequential([embedding({ vocabularySize: 7, size: 7 }), layer(), dense({ size: 7 })], { seed });
}

function generateString(model, random, temperature) {
  const running = stream(model);
  let text = 'B';
  while (text.length < 40 && !(text.length > 4 && text.at(-1) === 'E' && /[TP]/.test(text.at(-2)))) {
    const logits = advance(running, intTensor([symbols.indexOf(text.at(-1))]));
    text += symbols[sampleFromLogits(logits.data, random, { temperature })];
  }
  return text;
}

/** Shows strings that the model generates, and the share of legal ones. */
export function show(model, { batch, random, temperature }) {
  const lines = Array.from({ length: 100 }, () => {
    const text = generateString(model, random, temperature);
    return { text, legal: isLegal(text) };
  });
  const legal = lines.filter((line) => line.legal).length / lines.length;
  const [steps, rows] = batch.inputs.shape;
  const labels = Array.from({ length: steps }, (_, t) => symbols[batch.inputs.data[t * rows]]).join('');
  return { kind: 'strings', lines: lines.slice(0, 6), legal, labels };
}
