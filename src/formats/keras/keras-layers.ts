/** The layers that exist only for imported models. */

import { kerasActivation, kerasBatchNormalization, kerasRelu, kerasScaling } from './elementwise-layers';
import { kerasFlatten, kerasPooling, kerasRepeatVector } from './sequence-layers';

/**
 * Returns the constructors of layers that only models imported from Keras and TensorFlow.js have. Pass them to `load`
 * as `customObjects` for a model with such a layer; the notes of the imported model mention it.
 *
 * @example
 * const options = { customObjects: kerasLayers() };
 * Object.keys(options.customObjects).includes('kerasPooling'); // true
 */
export function kerasLayers(): Readonly<Record<string, unknown>> {
  return {
    kerasActivation,
    kerasBatchNormalization,
    kerasFlatten,
    kerasPooling,
    kerasRelu,
    kerasRepeatVector,
    kerasScaling,
  };
}
