/** Properties of Keras models that depend on the version of Keras. */

import type { Json } from '../description';

/**
 * Returns the slope of `hard_sigmoid`, min(1, max(0, slope · x + 1/2)): 1/5 in Keras 1 and 2 and in TensorFlow.js, 1/6
 * in Keras 3.
 *
 * @param version `keras_version` of the file: `'2.15.0'`, `'3.6.0'`, `'tfjs-layers 4.22.0'`
 * @returns `undefined` if the version is missing or unknown
 */
export function hardSigmoidSlope(version: Json | undefined): number | undefined {
  if (typeof version !== 'string') return undefined;
  if (version.startsWith('tfjs')) return 1 / 5;
  const major = Number.parseInt(version, 10);
  return major >= 3 ? 1 / 6 : major >= 1 ? 1 / 5 : undefined;
}
