/** The lengths of the output of a model. */

import { lengthsAfter, type NamedLayer } from '../layers/chain';
import { checkLengths } from '../recurrence/packing';
import { checkModel, type Sequential } from './sequential';

/**
 * Returns the number of valid steps of each row of the output of a model. It differs from that of the input after
 * convolutions and pooling: {@link fit} and {@link evaluate} use it for the loss and the metrics, so the targets of a
 * model have one step per step of its output.
 *
 * @param lengths `[B]`, the number of valid steps of each row of the input
 * @throws TypeError if `model` is not a model
 * @example
 * const layers = [conv1d({ size: 4, kernelSize: 3, stride: 2 }), recurrent(gru(), { hiddenSize: 8 })];
 * outputLengths(sequential(layers, { inputSize: 2 }), Int32Array.of(20, 9)); // Int32Array [9, 4]
 */
export function outputLengths(model: Sequential, lengths: Int32Array): Int32Array {
  checkModel('outputLengths', model);
  checkLengths('outputLengths', lengths, 2 ** 31 - 1, lengths?.length);
  return lengthsOf(model.layers, lengths.slice())!;
}

/** Returns the number of valid steps of each row after layers in order. */
export const lengthsOf = (layers: readonly NamedLayer[], lengths: Int32Array | undefined): Int32Array | undefined =>
  layers.reduce<Int32Array | undefined>((current, { layer }) => lengthsAfter(layer, current), lengths);
