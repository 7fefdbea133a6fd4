/** The layers of a model as other frameworks name them, each with its origin and parameters. */

import { chain, type NamedLayer } from '../layers/chain';
import { splitNames } from '../layers/nested-names';
import { type LayerOrigin, layerOriginOf } from '../layers/origins';
import type { Sequential } from '../models/sequential';
import type { Tensor } from '../tensor/tensor';

/** The origin of a layer that contains no other layers. */
export type PartOrigin = Exclude<LayerOrigin, readonly ['residual' | 'withoutBias', ...unknown[]]>;

/** A layer of a model, possibly inside a residual layer. */
export interface Part {
  /** The dotted path of its parameters: `lstm`, `residual.dense`. */
  readonly path: string;
  /** The constructor function of the layer and its arguments; undefined for a custom layer. */
  readonly origin: PartOrigin | undefined;
  readonly named: NamedLayer;
  /** Its parameters by name: views of the model's. Biases are missing if the layer has none. */
  readonly parameters: Readonly<Record<string, Tensor>>;
}

/**
 * Lists the layers of a model in order, with every residual layer replaced by the layers inside it, and layers without
 * bias by those with bias.
 */
export function partsOf(
  { layers, parameters }: Pick<Sequential, 'layers' | 'parameters'>,
  prefix = '',
): readonly Part[] {
  return layers.flatMap((named) => {
    const path = prefix + named.name;
    const origin = layerOriginOf(named.layer);
    const own = parameters[named.name] ?? {};
    if (origin?.[0] === 'withoutBias') return partsOf({ layers: [{ ...named, layer: origin[1] }], parameters }, prefix);
    if (origin?.[0] !== 'residual') return [{ path, origin, named, parameters: own }];
    return partsOf({ layers: chain(origin[1], named.input), parameters: splitNames(own) }, `${path}.`);
  });
}
