/** The layers of a model as other frameworks name them, each with its origin and parameters. */

import { chain, type NamedLayer } from '../layers/chain';
import { type LayerOrigin, layerOriginOf } from '../layers/origins';
import type { Sequential } from '../models/sequential';
import type { Tensor } from '../tensor/tensor';

/** The origin of a layer that contains no other layers. */
export type PartOrigin = Exclude<LayerOrigin, readonly ['residual', ...unknown[]]>;

/** A layer of a model, possibly inside a residual layer. */
export interface Part {
  /** The dotted path of its parameters: `lstm`, `residual.dense`. */
  readonly path: string;
  /** The constructor function of the layer and its arguments; undefined for a custom layer. */
  readonly origin: PartOrigin | undefined;
  readonly named: NamedLayer;
  /** Its parameters by name: views of the model's. */
  readonly parameters: Readonly<Record<string, Tensor>>;
}

/** Lists the layers of a model in order, with every residual layer replaced by the layers inside it. */
export function partsOf({ layers, parameters }: Sequential): readonly Part[] {
  const flat = Object.entries(parameters).flatMap(([layer, tensors]) =>
    Object.entries(tensors).map(([name, tensor]) => [`${layer}.${name}`, tensor] as const),
  );
  const visit = (named: readonly NamedLayer[], prefix: string): readonly Part[] =>
    named.flatMap((layer) => {
      const path = prefix + layer.name;
      const origin = layerOriginOf(layer.layer);
      if (origin?.[0] === 'residual') return visit(chain(origin[1], layer.input), `${path}.`);
      const own = flat.flatMap(([name, tensor]) =>
        name.startsWith(`${path}.`) ? [[name.slice(path.length + 1), tensor] as const] : [],
      );
      return [{ path, origin, named: layer, parameters: Object.fromEntries(own) }];
    });
  return visit(layers, '');
}
