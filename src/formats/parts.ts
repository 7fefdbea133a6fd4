/** A model's layers as other frameworks know them: what each is made of, with its parameters. */

import type { BidirectionalOptions } from '../layers/bidirectional';
import { chain, type NamedLayer } from '../layers/chain';
import type { DenseOptions } from '../layers/dense';
import type { EmbeddingOptions } from '../layers/embedding';
import type { Layer } from '../layers/layer';
import type { RecurrentOptions } from '../layers/recurrent';
import type { Sequential } from '../models/sequential';
import type { Cell } from '../recurrence/cell';
import type { Tensor } from '../tensor/tensor';

/** What a layer was made by and with. */
export type Kind =
  | { readonly maker: 'recurrent'; readonly cell: Cell; readonly options: RecurrentOptions }
  | { readonly maker: 'bidirectional'; readonly cell: Cell; readonly options: BidirectionalOptions }
  | { readonly maker: 'dense'; readonly options: DenseOptions }
  | { readonly maker: 'embedding'; readonly options: EmbeddingOptions }
  | { readonly maker: 'layerNorm'; readonly options: { readonly epsilon: number } }
  | { readonly maker: 'dropout' | 'attentionPooling' | 'other' };

/** One layer of a model, those inside of others among them. */
export interface Part {
  /** The dotted path of its parameters: `lstm`, `residual.dense`. */
  readonly path: string;
  readonly kind: Kind;
  readonly named: NamedLayer;
  /** Views of the model's. */
  readonly parameters: Readonly<Record<string, Tensor>>;
}

/** The layers of a model in order; in the place of a residual, those inside of it. */
export function partsOf({ layers, parameters }: Sequential): readonly Part[] {
  const visit = (
    named: readonly NamedLayer[],
    above: string,
    owned: Readonly<Record<string, Tensor>>,
  ): readonly Part[] =>
    named.flatMap((each) => {
      const path = above + each.name;
      const { origin } = each.layer;
      if (origin?.[0] === 'residual') return visit(chain(origin[1] as readonly Layer[], each.input), `${path}.`, owned);
      const own = Object.entries(owned).flatMap(([name, tensor]) =>
        name.startsWith(`${path}.`) ? [[name.slice(path.length + 1), tensor] as const] : [],
      );
      return [{ path, kind: kindOf(each.layer), named: each, parameters: Object.fromEntries(own) }];
    });
  const flat = Object.entries(parameters).flatMap(([layer, own]) =>
    Object.entries(own).map(([name, tensor]) => [`${layer}.${name}`, tensor] as const),
  );
  return visit(layers, '', Object.fromEntries(flat));
}

function kindOf({ origin }: Layer): Kind {
  const [maker, ...given] = origin ?? ['other'];
  if (maker === 'recurrent' || maker === 'bidirectional') return { maker, cell: given[0], options: given[1] } as Kind;
  if (maker === 'dense' || maker === 'embedding' || maker === 'layerNorm') return { maker, options: given[0] } as Kind;
  return { maker: maker === 'dropout' || maker === 'attentionPooling' ? maker : 'other' };
}
