/** Layers of Keras that add or remove the time axis: RepeatVector, global pooling and Flatten. */

import { broadcastTo } from '../../autodiff/ops/arithmetic';
import { reshape, transpose } from '../../autodiff/ops/movement';
import { globalAveragePool, globalMaxPool } from '../../layers/global-pool';
import { type Layer, vectorFeatures, vectors } from '../../layers/layer';
import { checkCount, counted, outOfRange } from '../../tensor/shape';

/** Creates a layer that repeats the vector of each sequence `count` times, `[B, I]` to `[count, B, I]`. */
export function kerasRepeatVector(options: { readonly count: number }): Layer {
  const count = options.count;
  const name = 'repeatVector';
  checkCount('kerasRepeatVector', 'count', count);
  return {
    name,
    origin: ['kerasRepeatVector', options],
    causal: false,
    output(input) {
      const features = vectorFeatures(name, input);
      if (features.perStep) throw outOfRange(name, 'the input', 'a vector per sequence', 'one per step');
      return { ...features, perStep: true };
    },
    run(_, input, { lengths }) {
      rejectLengths(name, lengths);
      const x = vectors(name, input);
      return { output: broadcastTo(x, [count, ...x.shape]) };
    },
  };
}

/** The steps of such layers do not correspond to those of the input. */
function rejectLengths(name: string, lengths: Int32Array | undefined): void {
  if (lengths !== undefined) throw new RangeError(`${name}: lengths are not supported by models with this layer.`);
}

/** The global pooling of models that were imported and saved by earlier versions, with the same names. */
export function kerasPooling(options: { readonly kind: 'mean' | 'max' }): Layer {
  const [name, layer] =
    options.kind === 'mean'
      ? (['globalAveragePooling', globalAveragePool()] as const)
      : (['globalMaxPooling', globalMaxPool()] as const);
  return { ...layer, name, origin: ['kerasPooling', options] };
}

/**
 * Creates a layer that joins the vectors of all steps, `[T, B, I]` to `[B, T · I]`. It returns vectors per sequence
 * `[B, I]` unchanged.
 *
 * @param options `sequenceLength`: T, which must be known if there is a vector per step; `channelsFirst`: whether the
 * result is `[B, I · T]`, the steps of each feature after each other
 */
export function kerasFlatten(
  options: { readonly sequenceLength?: number; readonly channelsFirst?: boolean } = {},
): Layer {
  const { sequenceLength, channelsFirst = false } = options;
  const name = 'flatten';
  if (sequenceLength !== undefined) checkCount('kerasFlatten', 'sequenceLength', sequenceLength);
  return {
    name,
    origin: ['kerasFlatten', options],
    causal: false,
    output(input) {
      const features = vectorFeatures(name, input);
      if (!features.perStep) return features;
      if (sequenceLength === undefined)
        throw new RangeError(`${name}: the sequence length must be known to flatten a vector per step.`);
      return { kind: 'vectors', size: sequenceLength * features.size, perStep: false };
    },
    run(_, input, { lengths }) {
      const x = vectors(name, input);
      if (x.shape.length < 3) return { output: x };
      rejectLengths(name, lengths);
      const [T, B, I] = x.shape as [number, number, number];
      if (T !== sequenceLength)
        throw new RangeError(`${name}: expected sequences of ${counted(sequenceLength!, 'step')}, got ${T}.`);
      return { output: reshape(transpose(x, channelsFirst ? [1, 2, 0] : [1, 0, 2]), [B, T * I]) };
    },
  };
}
