/** The typed table of the library's layers, cells and attention scores. */

import {
  additiveScore,
  attentionPooling,
  averagePool1d,
  batchNorm,
  bidirectional,
  type Cell,
  conv1d,
  dense,
  dotScore,
  dropout,
  embedding,
  generalScore,
  globalAveragePool,
  globalMaxPool,
  gru,
  gruWith,
  type Layer,
  layerNorm,
  layerNormGru,
  layerNormLstm,
  layerNormRnn,
  lstm,
  lstmWith,
  maxPool1d,
  projectedLstm,
  recurrent,
  relu,
  residual,
  type Score,
  scaledDotScore,
  simpleRnn,
  withoutBias,
} from 'bptt';
import { describe, expect, it } from 'vitest';
import {
  type CellOrigin,
  cellOriginOf,
  type LayerOrigin,
  layerOriginOf,
  type ScoreOrigin,
  scoreOriginOf,
} from '../../src/layers/origins';

const layers: Readonly<Record<LayerOrigin[0], Layer>> = {
  attentionPooling: attentionPooling(),
  averagePool1d: averagePool1d({ windowSize: 2 }),
  batchNorm: batchNorm(),
  bidirectional: bidirectional(lstm(), { hiddenSize: 2 }),
  conv1d: conv1d({ size: 2, kernelSize: 3 }),
  dense: dense({ size: 2 }),
  dropout: dropout(0.5),
  embedding: embedding({ vocabularySize: 3, size: 2 }),
  globalAveragePool: globalAveragePool(),
  globalMaxPool: globalMaxPool(),
  layerNorm: layerNorm(),
  maxPool1d: maxPool1d({ windowSize: 2 }),
  recurrent: recurrent(lstm(), { hiddenSize: 2 }),
  residual: residual([dropout(0.5)]),
  withoutBias: withoutBias(dense({ size: 2 })),
};

const cells: Readonly<Record<CellOrigin[0], Cell>> = {
  gru: gru(),
  gruWith: gruWith({ activation: relu }),
  layerNormGru: layerNormGru(),
  layerNormLstm: layerNormLstm(),
  layerNormRnn: layerNormRnn(),
  lstm: lstm(),
  lstmWith: lstmWith({ activation: relu }),
  projectedLstm: projectedLstm({ projectionSize: 1 }),
  simpleRnn: simpleRnn(),
};

const scores: Readonly<Record<ScoreOrigin[0], Score>> = {
  additiveScore: additiveScore({ size: 2 }),
  dotScore: dotScore(),
  generalScore: generalScore(),
  scaledDotScore: scaledDotScore(),
};

describe('origins', () => {
  it.each(Object.entries(layers))('the layer %s records its constructor', (name, layer) => {
    expect(layerOriginOf(layer)?.[0]).toBe(name);
  });

  it.each(Object.entries(cells))('the cell %s records its constructor', (name, cell) => {
    expect(cellOriginOf(cell)?.[0]).toBe(name);
  });

  it.each(Object.entries(scores))('the score %s records its constructor', (name, score) => {
    expect(scoreOriginOf(score)?.[0]).toBe(name);
  });

  it('both reset variants of the GRU are gru', () => {
    expect(cellOriginOf(gru({ reset: 'before' }))).toEqual(['gru', { reset: 'before' }]);
  });

  it.each([undefined, ['custom', 1], ['toString']] as const)('parts with the origin %j are custom', (origin) => {
    const { origin: _layer, ...layer } = dense({ size: 1 });
    const { origin: _cell, ...cell } = lstm();
    const { origin: _score, ...score } = dotScore();
    expect(layerOriginOf({ ...layer, ...(origin && { origin }) })).toBeUndefined();
    expect(cellOriginOf({ ...cell, ...(origin && { origin }) })).toBeUndefined();
    expect(scoreOriginOf({ ...score, ...(origin && { origin }) })).toBeUndefined();
  });
});
