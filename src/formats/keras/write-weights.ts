/** Conversion of the weights of a model to those of Keras. */

import { directionsOf, type LayerDirection } from '../../layers/directions';
import { splitNames } from '../../layers/nested-names';
import { checkModel, type Sequential } from '../../models/sequential';
import { full, type Tensor } from '../../tensor/tensor';
import { joined, reordered } from '../matrix';
import type { Part } from '../parts';
import { isDepthwise, type KerasNames, namedParts } from './load-weights';
import { cellInKeras, checkCellOptions, fail } from './weights';

/** The weights of a layer in the order of Keras, by the folder of a `.weights.h5` file that contains them. */
type Folders = Readonly<Record<string, readonly (Tensor | undefined)[]>>;

/**
 * Returns the weights of a model as those of a Keras 3 model with the same layers, by their paths in its `.weights.h5`
 * file, such as `layers/lstm/cell/vars/0`. Write them with `writeSafetensors`; the guide shows how Python copies them
 * into the file. The weights of a layer are in the order of `layer.get_weights()`.
 *
 * @param model its layers are SimpleRNN, LSTM, GRU, Bidirectional, Embedding, Dense, Conv1D, DepthwiseConv1D,
 * BatchNormalization and LayerNormalization, those without weights, and residual connections of them
 * @returns copies of the weights by their paths; layers without bias have none, as with `use_bias=False`
 * @throws RangeError if a layer has no equivalent in Keras, or two layers have the same name in `options.layers`
 * @example
 * const model = sequential([recurrent(gru(), { hiddenSize: 3 }), dense({ size: 1 })], { inputSize: 2 });
 * const weights = toKeras(model, { layers: { dense: 'head' } });
 * Object.keys(weights).slice(2); // ['layers/gru/cell/vars/2', 'layers/head/vars/0', 'layers/head/vars/1']
 * weights['layers/gru/cell/vars/2']!.shape; // [2, 9]
 */
export function toKeras(model: Sequential, options: KerasNames = {}): Readonly<Record<string, Tensor>> {
  const where = 'toKeras';
  checkModel(where, model);
  const weights: Record<string, Tensor> = {};
  for (const { part, name } of namedParts(where, model, options)) {
    for (const [folder, tensors] of Object.entries(foldersOf(where, part))) {
      const defined = tensors.filter((tensor) => tensor !== undefined);
      defined.forEach(({ shape, data }, i) => {
        const path = `layers/${name}/${folder}vars/${i}`;
        if (Object.hasOwn(weights, path)) fail(where, `layers has two layers with the name ${name}`);
        weights[path] = { shape, data: data.slice() };
      });
    }
  }
  return weights;
}

/** The weights of a layer that has some. @throws RangeError if Keras cannot express the layer */
function foldersOf(where: string, { origin, path, parameters }: Part): Folders {
  const { weight, gain, bias, mean, variance } = parameters;
  const cellOf = ({ cell, options }: Pick<LayerDirection, 'cell' | 'options'>, own: Part['parameters']) => {
    checkCellOptions(where, path, options);
    return cellInKeras(where, path, cell).gates === 3
      ? gruWeights(own)
      : [own['weightIh'], own['weightHh'], own['bias']];
  };
  switch (origin?.[0]) {
    case 'recurrent':
      return { 'cell/': cellOf({ cell: origin[1], options: origin[2] }, parameters) };
    case 'bidirectional': {
      const [forward, reverse] = directionsOf(origin[1], origin[2]);
      const own = splitNames(parameters);
      return {
        'forward_layer/cell/': cellOf(forward, own['forward']!),
        'backward_layer/cell/': cellOf(reverse, own['reverse']!),
      };
    }
    case 'conv1d':
      return { '': [isDepthwise(weight!, origin[1]) ? depthwiseKernel(weight!, origin[1].groups!) : weight, bias] };
    default:
      return { '': [weight, gain, bias, mean, variance] };
  }
}

/** The kernel `[k, I, multiplier]` of a depthwise convolution, from the weight `[k, 1, I·multiplier]`. */
const depthwiseKernel = ({ shape: [k = 0, , outputs = 0], data }: Tensor, inputs: number): Tensor => ({
  shape: [k, inputs, outputs / inputs],
  data,
});

/**
 * The weights of a GRU: the order of the gates is z r h instead of r z n. With `reset_after=True`, the bias has a row
 * for the input and one for the state, in which only the part of the candidate is not zero.
 */
function gruWeights({ weightIh, weightHh, bias, biasHn }: Part['parameters']): readonly (Tensor | undefined)[] {
  const inOrder = (tensor: Tensor): Tensor => reordered(tensor, [1, 0, 2]);
  const matrices = [weightIh!, weightHh!].map(inOrder);
  if (bias === undefined) return matrices;
  if (biasHn === undefined) return [...matrices, inOrder(bias)];
  const rows = joined(inOrder(bias), full([2 * biasHn.shape[0]!], 0), biasHn);
  return [...matrices, { shape: [2, bias.shape[0]!], data: rows.data }];
}
