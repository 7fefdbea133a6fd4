/** A table of the layers of a model. */

import { chain, type NamedLayer } from '../layers/chain';
import { directionsOf } from '../layers/directions';
import type { Features, LayerParameters } from '../layers/layer';
import { splitNames } from '../layers/nested-names';
import { layerOriginOf } from '../layers/origins';
import { mismatch } from '../tensor/shape';
import { isTensor } from '../tensor/tensor';
import { type TensorTree, treeSize } from '../tensor/tree';

/** A model for {@link summary}: sequential, encoder-decoder or custom. */
export interface Summarizable {
  readonly parameters: TensorTree;
  /** The layers of a {@link sequential} model. */
  readonly layers?: readonly NamedLayer[];
  /** The layers of the encoder of an {@link encoderDecoder}. */
  readonly encoder?: readonly NamedLayer[];
}

/** A line of the table. */
type Row = readonly [name: string, output: string, parameters: string];

/**
 * Returns a table of the layers of a model with the shapes of their outputs and their numbers of parameters. Layers
 * inside layers, and the directions of a bidirectional layer, are indented; their parameters are part of those of the
 * outer layer. For a custom model and a decoder, the table lists the groups of the parameter tree.
 *
 * @throws TypeError if `model` is not a model
 * @example
 * const layers = [bidirectional(lstm(), { hiddenSize: 16 }), dropout(0.5), dense({ size: 3 })];
 * const lines = summary(sequential(layers, { inputSize: 64 })).split('\n');
 * lines[0]; // 'layer             output      parameters'
 * lines[1]; // 'input             [T, B, 64]'
 * lines[2]; // 'bidirectional     [T, B, 32]      10,368'
 * lines[3]; // '  forward (lstm)                   5,184'
 * lines[4]; // '  reverse (lstm)                   5,184'
 * lines[5]; // 'dropout           [T, B, 32]           0'
 * lines[6]; // 'dense             [T, B, 3]           99'
 * lines[7]; // 'total                             10,467'
 */
export function summary(model: Summarizable): string {
  if (typeof model !== 'object' || model === null || typeof model.parameters !== 'object')
    throw mismatch('summary', 'model', 'a model', model);
  const { parameters, layers, encoder } = model;
  const rows: readonly Row[] = [
    ['layer', 'output', 'parameters'],
    ...(layers === undefined ? groupRows(parameters, encoder) : chainRows(layers, parameters)),
    ['total', '', format(treeSize('summary', parameters))],
  ];
  const [names, outputs, counts] = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length))) as [
    number,
    number,
    number,
  ];
  return rows
    .map(([name, output, count]) =>
      `${name.padEnd(names)}  ${output.padEnd(outputs)}  ${count.padStart(counts)}`.trimEnd(),
    )
    .join('\n');
}

/** The rows of layers in order, after a row for the input. */
function chainRows(layers: readonly NamedLayer[], parameters: TensorTree): Row[] {
  return [['input', shapeOf(layers[0]!.input), ''], ...layers.flatMap((named) => layerRows(named, parameters))];
}

/** The row of a layer, followed by those of its parts. */
function layerRows({ name, layer, input, output }: NamedLayer, all: TensorTree): Row[] {
  // Layers without parameters are not in the tree.
  const parameters = ((all as Readonly<Record<string, TensorTree>>)[name] ?? {}) as LayerParameters;
  const row: Row = [name, shapeOf(output), format(treeSize('summary', parameters))];
  const origin = layerOriginOf(layer);
  if (origin?.[0] === 'withoutBias') return layerRows({ name, layer: origin[1], input, output }, all);
  const parts = splitNames(parameters);
  if (origin?.[0] === 'residual')
    return [
      row,
      ...chain(origin[1], input)
        .flatMap((inner) => layerRows(inner, parts))
        .map(indented),
    ];
  // The parameters of a layer that consists of parts have dotted names.
  if (Object.values(parts).some((part) => '' in part)) return [row];
  const directions = origin?.[0] === 'bidirectional' ? directionsOf(origin[1], origin[2]) : [];
  return [
    row,
    ...Object.entries(parts).map(([part, own]) => {
      const cell = directions.find((direction) => direction.name === part)?.cell;
      return indented([cell ? `${part} (${cell.name})` : part, '', format(treeSize('summary', own))]);
    }),
  ];
}

/** The rows of the groups in a tree of parameters. Those of an encoder are its layers. */
function groupRows(tree: TensorTree, encoder?: readonly NamedLayer[]): Row[] {
  if (isTensor(tree)) return [];
  return Object.entries(tree as Readonly<Record<string, TensorTree>>).flatMap(([name, group]): Row[] => {
    const row: Row = [name, '', format(treeSize('summary', group))];
    if (isTensor(group)) return [row];
    const inner = name === 'encoder' && encoder ? chainRows(encoder, group) : groupRows(group);
    return [row, ...(Object.values(group).every(isTensor) ? [] : inner.map(indented))];
  });
}

const indented = ([name, output, count]: Row): Row => [`  ${name}`, output, count];

/** The shape of values between layers. */
function shapeOf(features: Features): string {
  if (features.kind === 'ids') return '[T, B]';
  const batch = features.perStep ? 'T, B' : 'B';
  return `[${features.kind === 'directions' ? '2, ' : ''}${batch}, ${features.size}]`;
}

/** A number with commas between thousands. */
const format = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ',');
