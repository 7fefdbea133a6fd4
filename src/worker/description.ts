/**
 * Models, optimizers and losses as data that can be posted to a worker: `{ $make: ['adam', 0.01] }`. Functions are
 * described by name, `{ $name: 'crossEntropy' }`. Unlike the descriptions in files, they may contain typed arrays and
 * numbers that are not finite, and both sides have the same version of the library.
 */

import { abs, exp, leakyRelu, relu, sigmoid, softplus, tanh } from '../autodiff/ops/elementwise';
import { logSoftmax, softmax } from '../autodiff/ops/reductions';
import { linear } from '../cells/activations';
import { type CustomObjects, isInitializer, isPlain } from '../formats/description';
import { isSameFunction } from '../formats/same-function';
import { runInSegments } from '../models/segments';
import { runModel } from '../models/sequential';
import { mapValues } from '../tensor/named-values';
import type { Origin } from '../tensor/origin';
import { describe, isObject, outOfRange } from '../tensor/shape';
import { binaryCrossEntropy, crossEntropy, huber, meanAbsoluteError, meanSquaredError } from '../training/losses';
import { mixtureNegativeLogLikelihood } from '../training/mixture-density';
import { copyArray } from './post';

/**
 * The functions of the library that options contain as they are: activations, losses, and functions that run models.
 */
export const plainFunctions = (): CustomObjects => ({
  abs,
  binaryCrossEntropy,
  crossEntropy,
  exp,
  huber,
  leakyRelu,
  linear,
  logSoftmax,
  meanAbsoluteError,
  meanSquaredError,
  mixtureNegativeLogLikelihood,
  relu,
  runInSegments,
  runModel,
  sigmoid,
  softmax,
  softplus,
  tanh,
});

/**
 * Describes the value of an option.
 *
 * @param customObjects the objects and functions that the worker has as well, by name
 * @throws TypeError if it contains a function or an object that is neither custom nor created by the library
 */
export function describeValue(where: string, option: string, value: unknown, customObjects: CustomObjects): unknown {
  const custom = Object.entries(customObjects);
  const plain = Object.entries(plainFunctions());
  const nameOf = (part: unknown): string | undefined =>
    (custom.find(([, each]) => each === part) ?? plain.find(([, each]) => isSameFunction(part, each)))?.[0];
  const visit = (part: unknown, path: string): unknown => {
    if (!isObject(part) && typeof part !== 'function') return part;
    const name = nameOf(part);
    if (name !== undefined) return { $name: name };
    const { origin } = part as { readonly origin?: Origin };
    if (origin) {
      const [name, ...args] = origin;
      return {
        $make: [name, ...args.map((arg, i) => visit(arg, `${path}: argument ${i + 1} of ${name}`))],
      };
    }
    if (ArrayBuffer.isView(part) && 'length' in part) return copyArray(part);
    if (Array.isArray(part)) return part.map((each, i) => visit(each, `${path}[${i}]`));
    // An object with a longer path may contain itself.
    if (isPlain(part) && !isCustom(part) && path.length < 999)
      // The parameters are posted, so that initializers have no use.
      return mapValues(part, (field, key) => (isInitializer(key, field) ? undefined : visit(field, `${path}.${key}`)));
    const what = typeof part === 'function' && part.name === '' ? 'a function' : describe(part);
    throw new TypeError(
      `${where}: ${path} is ${what}, which cannot be posted. Export it from a module that the worker ` +
        'imports as well, and pass it to fitInWorker and serveTraining as customObjects: { name: … }.',
    );
  };
  return visit(value, option);
}

/** Whether a plain object is a custom model, layer, cell or optimizer: an object with functions and a name or data. */
const isCustom = (value: Readonly<Record<string, unknown>>): boolean =>
  ('name' in value || 'data' in value) && Object.values(value).some((field) => typeof field === 'function');

/**
 * Creates the value that {@link describeValue} described.
 *
 * @param names the functions and objects by name
 * @throws RangeError if a name is not known
 */
export function createValue(description: unknown, names: CustomObjects): unknown {
  const where = 'serveTraining';
  const named = (name: string): unknown => {
    if (Object.hasOwn(names, name)) return names[name];
    throw new RangeError(`${where}: there is no ${name}. Pass it to serveTraining as customObjects: { ${name} }.`);
  };
  const visit = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.map(visit);
    if (typeof part !== 'object' || part === null || ArrayBuffer.isView(part)) return part;
    if ('$name' in part) return named(part.$name as string);
    if ('$make' in part) {
      const [name, ...args] = part.$make as [string, ...unknown[]];
      const create = named(name);
      if (typeof create !== 'function') throw outOfRange(where, name, 'a function', create);
      return create(...args.map(visit)) as unknown;
    }
    return Object.fromEntries(Object.entries(part).map(([key, field]) => [key, visit(field)]));
  };
  return visit(description);
}
