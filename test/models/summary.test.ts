/** The table of the layers of a model. */

import {
  attentionPooling,
  bidirectional,
  customModel,
  dense,
  dotScore,
  dropout,
  embedding,
  encoderDecoder,
  full,
  gru,
  lstm,
  recurrent,
  residual,
  type Summarizable,
  sequential,
  sum,
  summary,
} from 'bptt';
import { expect, it } from 'vitest';

const table = (...lines: readonly string[]): string => lines.join('\n');

it('lists layers, shapes and numbers of parameters, with nested layers indented', () => {
  const model = sequential([
    embedding({ vocabularySize: 1000, size: 6 }),
    residual([
      bidirectional(lstm(), { hiddenSize: 3 }),
      dropout(0.5),
      residual([recurrent(gru(), { hiddenSize: 6, learnInitialState: true })]),
    ]),
    recurrent(gru(), { hiddenSize: 4 }),
    recurrent(gru(), { hiddenSize: 4, returnSequences: false, learnInitialState: true }),
    dense({ size: 2 }),
  ]);
  // LSTM, I = 6, H = 3: 4 · 3 · (6 + 3 + 1). GRU: 3 · H · (I + H + 1) + H.
  expect(summary(model)).toBe(
    table(
      'layer               output     parameters',
      'input               [T, B]',
      'embedding           [T, B, 6]       6,000',
      'residual            [T, B, 6]         486',
      '  bidirectional     [T, B, 6]         240',
      '    forward (lstm)                    120',
      '    reverse (lstm)                    120',
      '  dropout           [T, B, 6]           0',
      '  residual          [T, B, 6]         246',
      '    gru             [T, B, 6]         246',
      'gru                 [T, B, 4]         136',
      'gru2                [B, 4]            116',
      'dense               [B, 2]             10',
      'total                               6,748',
    ),
  );
  expect(model.data).toHaveLength(6748);
});

it('shows separate directions, and vectors as inputs', () => {
  const both = sequential([bidirectional(gru(), { hiddenSize: 2, merge: 'both', returnSequences: false })], {
    inputSize: 1,
  });
  expect(summary(both).split('\n').slice(1, 3)).toEqual([
    'input            [T, B, 1]',
    'bidirectional    [2, B, 2]          52',
  ]);
  const pooled = sequential([attentionPooling()], { inputSize: 3 });
  expect(summary(pooled).split('\n')[2]).toMatch(/^attentionPooling +\[B, 3\] +\d+$/);
});

it('lists the encoder and the parameter groups of the decoder', () => {
  const model = encoderDecoder({
    encoder: [embedding({ vocabularySize: 5, size: 2 }), bidirectional(gru(), { hiddenSize: 2 })],
    decoder: { vocabularySize: 5, embeddingSize: 2, cell: gru(), hiddenSize: 4, layers: 2, attention: dotScore() },
    start: 0,
    end: 1,
  });
  const lines = summary(model).split('\n');
  const names = lines.map((line) => line.slice(0, lines[0]!.indexOf('output')).trimEnd());
  expect(names.slice(0, 6)).toEqual([
    'layer',
    'encoder',
    '  input',
    '  embedding',
    '  bidirectional',
    '    forward (gru)',
  ]);
  for (const name of ['decoder', '  embedding', '  cell', '    layer1', '    layer2', '  output'])
    expect(names).toContain(name);
  const counts = lines.filter((line) => /^\S/.test(line)).map((line) => Number(line.split(' ').at(-1)));
  expect(counts[1]! + counts[2]!).toBe(counts[3]);
  expect(counts[3]).toBe(model.data.length);
});

it('lists the parameter groups of a custom model', () => {
  const tree = { gain: full([3], 1), layers: [{ weight: full([2, 2], 0), bias: full([2], 0) }] };
  expect(summary(customModel(tree, (p) => sum(p.gain)))).toBe(
    table(
      'layer   output  parameters',
      'gain                     3',
      'layers                   6',
      '  0                      6',
      'total                    9',
    ),
  );
});

it('rejects other values', () => {
  // The cast gives a wrong type that JavaScript allows.
  expect(() => summary([dense({ size: 1 })] as unknown as Summarizable)).toThrow('summary: model must be a model, got');
});
