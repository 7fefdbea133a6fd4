/** Comparison of a model with the description in a file. */

import { currentName, isLibraryName, type Json } from './description';
import { isJsonObject } from './json-object';
import { abbreviate } from './listing';

/** Options that have an effect only in training, as a learning rate has; they may differ. */
const trainingOptions = ['dropout', 'inputDropout', 'recurrentDropout', 'scheduledSampling'];

/** The values of options that a description may omit; `h` and `c` are rates of zoneout. */
const defaults: Readonly<Record<string, Json>> = {
  returnSequences: true,
  reverse: false,
  learnInitialState: false,
  merge: 'concat',
  layers: 1,
  inputFeeding: false,
  h: 0,
  c: 0,
};

/** The description of a part of a model that has no name. Any custom function or object of the file may be the same. */
export const unnamed: Json = { $name: null };

/** A value of a description and its path, such as `layer 1 (dense), activation`; null for {@link unnamed}. */
type Value = readonly [path: string, value: string | null];

/** The name of a function; the JSON if a malformed file does not have a name. */
const nameOf = (json: Json | undefined): string => (typeof json === 'string' ? json : (JSON.stringify(json) ?? 'none'));

const under = (path: string, name: string): string => (path === '' ? name : `${path}, ${name}`);

/** The values of a construction, `[name, …arguments]`. */
function* constructionValues([first, ...args]: readonly Json[], path: string): Generator<Value> {
  const name = nameOf(first);
  yield [path, name];
  // The rate of dropout has an effect only in training.
  if (name === 'dropout') return;
  const within = path === '' ? '' : `${path} (${name})`;
  for (const [i, argument] of args.entries()) {
    const isPart = !isJsonObject(argument) ? !Array.isArray(argument) : '$make' in argument || '$name' in argument;
    const label = name === 'recurrent' || name === 'bidirectional' ? 'cell' : `argument ${i}`;
    yield* valuesOf(argument, isPart ? under(within, label) : within);
  }
}

function* valuesOf(json: Json, path: string): Generator<Value> {
  if (Array.isArray(json))
    for (const [i, item] of (json as readonly Json[]).entries())
      yield* valuesOf(item, under(path, `${isJsonObject(item) ? 'layer' : 'element'} ${i}`));
  else if (!isJsonObject(json)) yield [path, JSON.stringify(json)];
  else if (Array.isArray(json['$make'])) yield* constructionValues(json['$make'] as readonly Json[], path);
  else if ('$name' in json) yield [path, json['$name'] === null ? null : nameOf(json['$name'])];
  else
    for (const [key, field] of Object.entries(json)) {
      const option = currentName(key);
      const isDefault = Object.hasOwn(defaults, option) && defaults[option] === field;
      if (!isDefault && !trainingOptions.includes(option)) yield* valuesOf(field, under(path, option));
    }
}

/**
 * Finds the first difference between two models. Options that have an effect only in training may differ.
 *
 * @param expected the description of the existing model
 * @param found the description in the file
 * @returns such as `layer 1 (dense), activation must be relu, the file has tanh`; `undefined` if they are the same
 */
export function differenceOf(expected: readonly Json[], found: Json): string | undefined {
  const ours = new Map(constructionValues(expected, ''));
  const rest = new Map(ours);
  const unnamedPaths = [...ours].filter(([, value]) => value === null).map(([path]) => path);
  // The file is read only up to the first difference, since its paths may be long and many.
  for (const [path, value] of constructionValues(Array.isArray(found) ? (found as readonly Json[]) : [], '')) {
    rest.delete(path);
    const ourValue = ours.get(path);
    const isSame =
      ourValue === null
        ? value === null || !isLibraryName(value)
        : ourValue === value || unnamedPaths.some((outer) => path.startsWith(`${outer} (`));
    if (!isSame) {
      const expected = valueText(path, ourValue);
      const found = valueText(path, value);
      return `${abbreviate(path) || 'the model'} must be ${expected}, the file has ${found}`;
    }
  }
  const [missing] = rest;
  return missing && `${missing[0]} must be ${valueText(...missing)}, the file has ${valueText(missing[0], undefined)}`;
}

/** A value for messages; the default of the option if it is missing. */
function valueText(path: string, value: string | null | undefined): string {
  const option = path.slice(path.lastIndexOf(' ') + 1);
  if (value === null) return 'a custom function';
  return abbreviate(value ?? String(Object.hasOwn(defaults, option) ? defaults[option] : undefined));
}
