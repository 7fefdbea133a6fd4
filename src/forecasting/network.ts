/** The networks of a forecaster: a sequential model, embeddings of categories, and the linear skip. */

import {
  add,
  broadcastTo,
  type CustomModel,
  concat,
  createRandom,
  customModel,
  dense,
  dropout,
  full,
  gather,
  type IntTensor,
  type Mapped,
  matmul,
  multiply,
  normalNumber,
  type Random,
  recurrent,
  reshape,
  runModel,
  type Sequential,
  scale,
  sequential,
  sum,
  type Tensor,
  transpose,
  type Variable,
} from '../index';
import { shiftLocation } from './distributions';
import { type FeaturePlan, inputSize } from './features';
import type { Forecaster } from './forecaster';
import type { Schema } from './series';

/** The parameters of one network. */
export interface MemberParameters
  extends Readonly<Record<string, Tensor | Sequential['parameters'] | Record<string, Tensor>>> {
  readonly network: Sequential['parameters'];
  /** A table `[categories, size]` per categorical feature. */
  readonly embeddings: Readonly<Record<string, Tensor>>;
  /** `[context, horizon]` and `[horizon]`; nothing without linear skip. */
  readonly skip: Readonly<Record<string, Tensor>>;
}

/** A network of a forecaster. */
export interface Member {
  readonly network: Sequential;
  readonly parameters: MemberParameters;
}

/** A batch of windows with C + horizon steps, T in total. */
export interface Windows {
  /** `[T, B, F]` */
  readonly inputs: Tensor;
  /** `[B]` per categorical feature, in the order of the schema. */
  readonly ids: readonly IntTensor[];
  /** `[T, B]`, 1 at the first step of a series. */
  readonly resets: IntTensor;
  /** `[T, B]`, scaled. */
  readonly targets: Tensor;
  readonly weights: Tensor;
  readonly bases: Tensor;
  readonly scales: Tensor;
  /** `[B, C]` */
  readonly recent: Tensor;
}

/** The size of the embedding of a feature with this number of categories. */
export const embeddingSize = (categories: number): number => Math.min(16, Math.ceil(1.6 * categories ** 0.5));

/** The size of all embeddings together. */
export const embeddingsSize = ({ categories }: Schema): number =>
  Object.values(categories).reduce((size, names) => size + embeddingSize(names.length), 0);

/** Creates a network with initial parameters. */
export function createMember(plan: FeaturePlan, seed: number): Member {
  const { forecaster, schema } = plan;
  const { cell, hiddenSize, layers, distribution, linearSkip, context, horizon } = forecaster;
  const stack = Array.from({ length: layers }, () => recurrent(cell, { hiddenSize }));
  const network = sequential([...stack, dropout(forecaster.dropout), dense({ size: distribution.size })], {
    inputSize: inputSize(plan) + embeddingsSize(schema),
    seed,
  });
  const random = createRandom(seed + 0.5);
  const embeddings = Object.entries(schema.categories).map(([name, { length }]): [string, Tensor] => {
    const size = embeddingSize(length);
    const data = Float32Array.from({ length: length * size }, () => normalNumber(random, 0, 0.3));
    return [name, { shape: [length, size], data }];
  });
  const skip = { weight: full([context, horizon], 0), bias: full([horizon], 0) };
  return {
    network,
    parameters: {
      network: network.parameters,
      embeddings: Object.fromEntries(embeddings),
      skip: linearSkip ? skip : {},
    },
  };
}

/** The model that `fit` trains: the weighted mean loss of the targets of a batch of windows. */
export function trainable(member: Member, forecaster: Forecaster): CustomModel<MemberParameters, Windows> {
  const { distribution } = forecaster;
  return customModel<MemberParameters, Windows>(member.parameters, (p, batch, { training, random }) => {
    const outputs = outputsOf(member, forecaster, p, batch, training ? random : undefined);
    const losses = distribution.loss(outputs, flat(batch.targets), flat(batch.scales));
    const total = batch.weights.data.reduce((all, weight) => all + weight, 0);
    return scale(sum(multiply(losses, flat(batch.weights))), total && 1 / total);
  });
}

const flat = ({ data }: Tensor): Tensor => ({ shape: [data.length], data });

function outputsOf(
  { network }: Member,
  { distribution }: Forecaster,
  p: Parameters,
  batch: Windows,
  random: Random | undefined,
): Variable {
  const run = random === undefined ? {} : { training: true, random };
  const { output } = runModel(network, p.network, withEmbeddings(p, batch), { ...run, resets: batch.resets });
  const rows = batch.targets.data.length;
  const shifts = reshape(add(batch.bases, skipOf(p, batch)), [rows]);
  return shiftLocation(reshape(output, [rows, distribution.size]), shifts);
}

type Parameters = Mapped<MemberParameters, Variable>;

function withEmbeddings(p: Parameters, { inputs, ids }: Windows): Variable | Tensor {
  if (ids.length === 0) return inputs;
  const [T, B] = inputs.shape as [number, number];
  const tables = Object.values(p.embeddings);
  return concat([inputs, ...tables.map((table, i) => broadcastTo(gather(table, ids[i]!), [T, B, table.shape[1]!]))], 2);
}

/** The output of the linear skip, `[T, B]`: zero before the horizon. */
function skipOf({ skip }: Parameters, { recent, targets }: Windows): Variable | number {
  const { weight, bias } = skip;
  if (weight === undefined || bias === undefined) return 0;
  const [T = 0, B = 0] = targets.shape;
  const added = transpose(add(matmul(recent, weight), bias));
  return concat([full([T - added.shape[0]!, B], 0), added], 0);
}
