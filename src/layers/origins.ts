/**
 * The origins of the library's own layers, cells and attention scores, typed by their constructor functions.
 *
 * File formats and diagnostics dispatch on these unions with exhaustive switches and tables. To add a layer, cell or
 * score, add its function here: the compiler then reports every place that must handle it. The imports are types only,
 * so that a bundle contains only the layers and cells that its program uses.
 */

import type { additiveScore, dotScore, generalScore, Score, scaledDotScore } from '../attention/scores';
import type { gru } from '../cells/gru';
import type { gruWith } from '../cells/gru-with';
import type { layerNormGru, layerNormLstm, layerNormRnn } from '../cells/layer-norm-cells';
import type { lstm } from '../cells/lstm';
import type { lstmWith } from '../cells/lstm-with';
import type { projectedLstm } from '../cells/projected-lstm';
import type { simpleRnn } from '../cells/simple-rnn';
import type { Cell } from '../recurrence/cell';
import type { Origin } from '../tensor/origin';
import type { attentionPooling } from './attention-pooling';
import type { batchNorm } from './batch-norm';
import type { bidirectional } from './bidirectional';
import type { conv1d } from './conv1d';
import type { dense } from './dense';
import type { dropout } from './dropout';
import type { embedding } from './embedding';
import type { globalAveragePool, globalMaxPool } from './global-pool';
import type { Layer } from './layer';
import type { layerNorm } from './layer-norm';
import type { averagePool1d, maxPool1d } from './pool1d';
import type { recurrent } from './recurrent';
import type { residual } from './residual';
import type { withoutBias } from './without-bias';

/** The constructor functions of the library's layers by name. */
export interface LayerConstructors {
  readonly attentionPooling: typeof attentionPooling;
  readonly averagePool1d: typeof averagePool1d;
  readonly batchNorm: typeof batchNorm;
  readonly bidirectional: typeof bidirectional;
  readonly conv1d: typeof conv1d;
  readonly dense: typeof dense;
  readonly dropout: typeof dropout;
  readonly embedding: typeof embedding;
  readonly globalAveragePool: typeof globalAveragePool;
  readonly globalMaxPool: typeof globalMaxPool;
  readonly layerNorm: typeof layerNorm;
  readonly maxPool1d: typeof maxPool1d;
  readonly recurrent: typeof recurrent;
  readonly residual: typeof residual;
  readonly withoutBias: typeof withoutBias;
}

/** The constructor functions of the library's cells by name. */
export interface CellConstructors {
  readonly gru: typeof gru;
  readonly gruWith: typeof gruWith;
  readonly layerNormGru: typeof layerNormGru;
  readonly layerNormLstm: typeof layerNormLstm;
  readonly layerNormRnn: typeof layerNormRnn;
  readonly lstm: typeof lstm;
  readonly lstmWith: typeof lstmWith;
  readonly projectedLstm: typeof projectedLstm;
  readonly simpleRnn: typeof simpleRnn;
}

/** The constructor functions of the library's attention scores by name. */
export interface ScoreConstructors {
  readonly additiveScore: typeof additiveScore;
  readonly dotScore: typeof dotScore;
  readonly generalScore: typeof generalScore;
  readonly scaledDotScore: typeof scaledDotScore;
}

/** The origins `[name, ...arguments]` of a table of constructor functions, as a union discriminated by name. */
type OriginsOf<F> = {
  [N in keyof F]: F[N] extends (...args: infer A) => unknown ? readonly [name: N, ...args: A] : never;
}[keyof F];

/** The origin of a layer of the library. */
export type LayerOrigin = OriginsOf<LayerConstructors>;

/** The origin of a cell of the library. */
export type CellOrigin = OriginsOf<CellConstructors>;

/** The origin of an attention score of the library. */
export type ScoreOrigin = OriginsOf<ScoreConstructors>;

const layerNames: Readonly<Record<LayerOrigin[0], true>> = {
  attentionPooling: true,
  averagePool1d: true,
  batchNorm: true,
  bidirectional: true,
  conv1d: true,
  dense: true,
  dropout: true,
  embedding: true,
  globalAveragePool: true,
  globalMaxPool: true,
  layerNorm: true,
  maxPool1d: true,
  recurrent: true,
  residual: true,
  withoutBias: true,
};

const cellNames: Readonly<Record<CellOrigin[0], true>> = {
  gru: true,
  gruWith: true,
  layerNormGru: true,
  layerNormLstm: true,
  layerNormRnn: true,
  lstm: true,
  lstmWith: true,
  projectedLstm: true,
  simpleRnn: true,
};

const scoreNames: Readonly<Record<ScoreOrigin[0], true>> = {
  additiveScore: true,
  dotScore: true,
  generalScore: true,
  scaledDotScore: true,
};

/** Returns the origin of a layer of the library, or undefined for a custom layer. */
export function layerOriginOf({ origin }: Layer): LayerOrigin | undefined {
  return typedOrigin<LayerOrigin>(origin, layerNames);
}

/** Returns the origin of a cell of the library, or undefined for a custom cell. */
export function cellOriginOf({ origin }: Cell): CellOrigin | undefined {
  return typedOrigin<CellOrigin>(origin, cellNames);
}

/** Returns the origin of an attention score of the library, or undefined for a custom score. */
export function scoreOriginOf({ origin }: Score): ScoreOrigin | undefined {
  return typedOrigin<ScoreOrigin>(origin, scoreNames);
}

function typedOrigin<O extends Origin>(origin: Origin | undefined, names: Readonly<Record<O[0], true>>): O | undefined {
  // The cast is safe: the name is that of a constructor of the table, and every constructor records its own arguments.
  return origin !== undefined && Object.hasOwn(names, origin[0]) ? (origin as O) : undefined;
}
