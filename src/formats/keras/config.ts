/** Reading of the configuration of a Keras layer. */

import { exp, relu, sigmoid, softplus, tanh } from '../../autodiff/ops/elementwise';
import { softmax } from '../../autodiff/ops/reductions';
import { type ActivationFunction, hardSigmoid, linear } from '../../cells/activations';
import { outOfRange } from '../../tensor/shape';
import type { Json } from '../description';
import { isJsonObject } from '../json-object';
import { abbreviate, shown } from '../listing';

/** A layer of a Keras configuration. */
export interface KerasLayer {
  readonly className: string;
  readonly name: string;
  readonly config: Readonly<Record<string, Json>>;
}

/** The layer in a JSON value; `undefined` if it is not a layer. */
export function layerIn(json: Json | undefined): KerasLayer | undefined {
  if (!isJsonObject(json)) return undefined;
  const { class_name: builtIn, config, registered_name: registered, module } = json;
  if (typeof builtIn !== 'string' || !isJsonObject(config)) return undefined;
  // A custom class can have the name of one of Keras. Internal classes of Keras are registered as well.
  const isKeras = typeof module === 'string' && /^(tf_)?keras\./.test(module);
  const isCustom = typeof registered === 'string' && !isKeras;
  const className = isCustom ? `${registered} (custom)` : builtIn;
  return { className, name: typeof config['name'] === 'string' ? config['name'] : className, config };
}

/** The name of a serialized function; for a layer, the name of its class in lower case, unless it has options. */
function nameOf(value: Json): string {
  const layer = layerIn(value);
  if (layer === undefined) return typeof value === 'string' ? value : JSON.stringify(value);
  // Without the defaults of ReLU and Softmax.
  const options = Object.entries(layer.config).filter(
    ([key, option]) =>
      !['name', 'trainable', 'dtype'].includes(key) && option !== null && option !== 0 && option !== -1,
  );
  if (options.length === 0) return layer.className.toLowerCase();
  return `${layer.className} with ${shown(Object.fromEntries(options))}`;
}

/**
 * The activation function of a layer.
 *
 * @param slope the slope of hard_sigmoid; `undefined` if the version of Keras, on which it depends, is not known
 * @throws RangeError if it is not supported
 */
export function activationOf(
  where: string,
  { name, config }: KerasLayer,
  key: string,
  byDefault: string,
  slope: number | undefined,
): ActivationFunction {
  const named = nameOf(config[key] ?? byDefault);
  if (named === 'hard_sigmoid') {
    if (slope !== undefined) return hardSigmoid(slope);
    throw new RangeError(
      `${where}: ${name} has ${key} hard_sigmoid, which is not the same in Keras 2 and Keras 3, and the file has no ` +
        'keras_version.',
    );
  }
  const supported: Readonly<Record<string, ActivationFunction>> = {
    linear,
    tanh,
    relu,
    sigmoid,
    softmax,
    softplus,
    exponential: exp,
  };
  if (Object.hasOwn(supported, named)) return supported[named]!;
  throw new RangeError(
    `${where}: ${name} has ${key} ${abbreviate(named)}; ` +
      `only ${Object.keys(supported).join(', ')} and hard_sigmoid are supported.`,
  );
}

/** An option that must be an integer of at least 1. @throws RangeError if it is not */
export function countOf(where: string, layer: string, config: KerasLayer['config'], key: string): number {
  const value = config[key];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value;
  throw outOfRange(where, `${key} of ${layer}`, 'an integer of at least 1', shown(value));
}

/** @throws RangeError unless the features are the last axis */
export function checkChannelsLast(where: string, { name, config }: KerasLayer): void {
  const format = config['data_format'] ?? 'channels_last';
  if (format !== 'channels_last')
    throw new RangeError(`${where}: ${name} has data_format ${shown(format)}; only channels_last is supported.`);
}

/** A count of a layer over time: an integer of at least 1, or a list of one. @throws RangeError if it is not */
export function stepsIn(where: string, { name, config }: KerasLayer, key: string, byDefault?: number): number {
  const given = config[key] ?? byDefault ?? null;
  const value = Array.isArray(given) && given.length === 1 ? (given[0] as Json) : given;
  return countOf(where, name, { [key]: value }, key);
}

/** A numeric option. @throws RangeError if it is neither a number nor missing */
export function numberOf(where: string, { name, config }: KerasLayer, key: string, byDefault: number): number {
  const value = config[key] ?? byDefault;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw outOfRange(where, `${key} of ${name}`, 'a finite number', shown(value));
}

/** The axis of a layer as a number, or a list of numbers. */
export function axisOf({ config }: KerasLayer): Json | undefined {
  const axis = config.axis;
  return Array.isArray(axis) && axis.length === 1 ? (axis[0] as Json) : axis;
}

/** @throws RangeError unless the layer normalizes over the last axis */
export function checkLastAxis(where: string, layer: KerasLayer): void {
  const axis = axisOf(layer);
  if (axis !== undefined && axis !== -1 && axis !== 2)
    throw new RangeError(
      `${where}: ${layer.name} normalizes over axis ${shown(axis)}; only the last axis is supported.`,
    );
}
