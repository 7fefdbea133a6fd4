/**
 * Layers, cells and scores as JSON: `{ "$make": ["recurrent", { "$make": ["lstm"] }, { "hiddenSize": 8 }] }`. Functions
 * are stored by name, `{ "$name": "relu" }`. Initializers are omitted, since the file contains the parameters
 * themselves.
 */

import { additiveScore, dotScore, generalScore, scaledDotScore } from '../attention/scores';
import { abs, exp, leakyRelu, relu, sigmoid, softplus, tanh } from '../autodiff/ops/elementwise';
import { logSoftmax, softmax } from '../autodiff/ops/reductions';
import { hardSigmoid, linear } from '../cells/activations';
import { gru } from '../cells/gru';
import { type GruWithOptions, gruWith } from '../cells/gru-with';
import { layerNormGru, layerNormLstm, layerNormRnn } from '../cells/layer-norm-cells';
import { lstm } from '../cells/lstm';
import { lstmWith } from '../cells/lstm-with';
import { projectedLstm } from '../cells/projected-lstm';
import { simpleRnn } from '../cells/simple-rnn';
import { attentionPooling } from '../layers/attention-pooling';
import { batchNorm } from '../layers/batch-norm';
import { bidirectional } from '../layers/bidirectional';
import { conv1d } from '../layers/conv1d';
import { dense } from '../layers/dense';
import { dropout } from '../layers/dropout';
import { embedding } from '../layers/embedding';
import { globalAveragePool, globalMaxPool } from '../layers/global-pool';
import { layerNorm } from '../layers/layer-norm';
import type { CellConstructors, LayerConstructors, ScoreConstructors } from '../layers/origins';
import { averagePool1d, maxPool1d } from '../layers/pool1d';
import { recurrent } from '../layers/recurrent';
import { residual } from '../layers/residual';
import { withoutBias } from '../layers/without-bias';
import type { Complete } from '../tensor/complete';
import type { Origin } from '../tensor/origin';
import { checkString, describe, isObject, mismatch } from '../tensor/shape';
import { abbreviate } from './listing';
import { isSameFunction } from './same-function';

/**
 * Functions and other values that a file refers to by name, in addition to those of the library: constructors of custom
 * layers and cells, activations, schedules.
 */
export type CustomObjects = Readonly<Record<string, unknown>>;

/** JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** The maximum depth of a description: deeper than any model, and far from a stack overflow. */
const deepest = 64;

/** The largest number of layers and cells of a model: each takes far more memory than its description. */
export const maxParts = 2048;

function checkParts(where: string, count: number): void {
  if (count > maxParts) throw new RangeError(`${where}: the model has more than ${maxParts} layers and cells.`);
}

/** A name in a description as text; it may be any JSON, or missing. */
const textOf = (name: unknown): string => JSON.stringify(name) ?? 'undefined';

/** The current name of an option that version 0.1 may have saved under a different name. */
export const currentName = (option: string): string => (option === 'learnedState' ? 'learnInitialState' : option);

/** Every function of the library that a description can name. */
export const known = (): CustomObjects => {
  const activations = {
    abs,
    exp,
    hardSigmoid,
    leakyRelu,
    linear,
    logSoftmax,
    relu,
    sigmoid,
    softmax,
    softplus,
    tanh,
  };
  const cells: CellConstructors = {
    gru,
    gruWith,
    layerNormGru,
    layerNormLstm,
    layerNormRnn,
    lstm,
    lstmWith,
    projectedLstm,
    simpleRnn,
  };
  const scores: ScoreConstructors = { additiveScore, dotScore, generalScore, scaledDotScore };
  const layers: LayerConstructors = {
    attentionPooling,
    averagePool1d,
    batchNorm,
    bidirectional,
    conv1d,
    dense,
    dropout,
    embedding,
    globalAveragePool,
    globalMaxPool,
    layerNorm,
    maxPool1d,
    recurrent,
    residual,
    withoutBias,
  };
  return { ...activations, ...cells, ...earlierCells, ...scores, ...layers };
};

/** The cells with hard sigmoid gates of version 0.1. */
const earlierCells = {
  hardSigmoidLstm: ({ slope }: { readonly slope: number }) =>
    lstmWith({ gateActivation: hardSigmoid(slope) }, 'hardSigmoidLstm'),
  hardSigmoidGru: ({ slope, reset }: { readonly slope: number } & Complete<Pick<GruWithOptions, 'reset'>>) =>
    gruWith({ gateActivation: hardSigmoid(slope), reset }, 'hardSigmoidGru'),
};

/** Whether a name of a file is that of a function of the library. */
export const isLibraryName = (name: string): boolean => Object.hasOwn(known(), name);

/** The maximum depth of JSON, of which a level of a model uses up to three. */
const deepestJson = 256;

/**
 * @throws RangeError if JSON is nested more deeply than any model, so that later recursion cannot overflow the stack
 */
export function checkDepth(where: string, what: string, json: Json, depth: number = 0): void {
  if (depth > deepestJson) throw new RangeError(`${where}: ${what} is more than ${deepestJson} levels deep.`);
  if (typeof json === 'object' && json !== null)
    for (const each of Object.values(json) as Json[]) checkDepth(where, what, each, depth + 1);
}

/** Whether an option is an initializer. Only a new model needs initializers, not one whose parameters are given. */
export const isInitializer = (key: string, value: unknown): boolean =>
  typeof value === 'function' && /initializer$/i.test(key);

/**
 * Returns the description of an origin.
 *
 * @param unnamed describes a value without a name; by default, such a value is an error
 * @throws TypeError if a value in it has no name, or a number is not finite
 * @throws RangeError if it has more layers or levels than {@link undescribeOrigin} accepts
 */
export function describeOrigin(
  where: string,
  [constructorName, ...args]: Origin,
  customObjects: CustomObjects = {},
  unnamed?: Json,
): readonly Json[] {
  const all = Object.entries({ ...known(), ...customObjects });
  let parts = 0;
  const visit = (value: unknown, path: string, depth: number): Json => {
    if (depth > deepest) throw new RangeError(`${where}: ${path} is more than ${deepest} levels deep.`);
    const visitItem = (item: unknown, i: number): Json => visit(item, `${path}[${i}]`, depth + 1);
    const [name] =
      all.find(([, candidate]) => candidate === value) ??
      all.find(([each, candidate]) => !Object.hasOwn(customObjects, each) && isSameFunction(value, candidate)) ??
      [];
    if (name !== undefined) return { $name: name };
    const origin = (value as { readonly origin?: Origin } | null | undefined)?.origin;
    if (origin !== undefined) {
      checkString(where, `${path}.origin[0]`, origin[0]);
      checkParts(where, ++parts);
      const [name, ...args] = origin;
      return {
        $make: [name, ...args.map((arg, i) => visit(arg, argumentPath(`${path} (${name})`, arg, i), depth + 1))],
      };
    }
    if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    if (Array.isArray(value)) return value.map(visitItem);
    if (isPlain(value)) {
      const fields = Object.entries(value).filter(([key, field]) => field !== undefined && !isInitializer(key, field));
      return Object.fromEntries(fields.map(([key, field]) => [key, visit(field, `${path}.${key}`, depth + 1)]));
    }
    if (unnamed !== undefined) return unnamed;
    if (typeof value === 'number') throw mismatch(where, path, 'a finite number to be saved', value);
    const what = typeof value === 'function' ? 'a function' : describe(value);
    throw new TypeError(
      `${where}: ${path} is ${what} without a name. Name it in customObjects: { myName: … }, here and when loading; ` +
        "a custom cell or layer needs an origin: ['myName', …arguments].",
    );
  };
  return [constructorName, ...args.map((value, i) => visit(value, argumentPath(constructorName, value, i), 0))];
}

/** The path of an argument, such as `sequential[0] (dense).activation`: those of options and lists have no index. */
const argumentPath = (path: string, value: unknown, i: number): string =>
  Array.isArray(value) || isPlain(value) ? path : `${path}[${i}]`;

/**
 * Reads the description of an origin: the name of the constructor and its arguments, which are constructed.
 *
 * @throws RangeError if the JSON is not a description, or contains an unknown name
 */
export function undescribeOrigin(
  where: string,
  json: Json,
  customObjects: CustomObjects = {},
): { readonly constructorName: string; readonly args: readonly unknown[] } {
  const all: CustomObjects = { ...known(), ...customObjects };
  let parts = 0;
  const named = (name: unknown): unknown => {
    if (typeof name === 'string' && Object.hasOwn(all, name)) return all[name];
    throw new RangeError(
      `${where}: the file contains the unknown name ${abbreviate(textOf(name))}. ` +
        'If it is custom, pass it in customObjects: { … }.',
    );
  };
  const visit = (value: Json, depth: number): unknown => {
    if (depth > deepest) throw new RangeError(`${where}: the model is described more than ${deepest} levels deep.`);
    if (Array.isArray(value)) return value.map((item) => visit(item as Json, depth + 1));
    if (typeof value !== 'object' || value === null) return value;
    const record = value as Readonly<Record<string, Json>>;
    if (Object.hasOwn(record, '$name')) return named(record['$name']);
    if (Object.hasOwn(record, '$make')) {
      const [name, ...args] = Array.isArray(record['$make']) ? (record['$make'] as Json[]) : [null];
      const construct = named(name);
      checkParts(where, ++parts);
      if (typeof construct !== 'function')
        throw new RangeError(`${where}: ${abbreviate(textOf(name))} is not a constructor of a part of a model.`);
      const values = args.map((arg) => visit(arg, depth + 1));
      try {
        return (construct as (...values: unknown[]) => unknown)(...values);
      } catch (error) {
        const { message } = error as Error;
        const reason = isFromLibrary(message) ? message : `${name as string} does not accept its arguments.`;
        throw new RangeError(`${where}: the file has a part that cannot be constructed: ${reason}`);
      }
    }
    return Object.fromEntries(
      Object.entries(record).map(([key, field]) => [currentName(key), visit(field, depth + 1)]),
    );
  };
  const [constructorName, ...args] = Array.isArray(json) ? (json as readonly Json[]) : [];
  if (typeof constructorName !== 'string') throw new RangeError(`${where}: the file does not describe a model.`);
  return { constructorName, args: args.map((arg) => visit(arg, 0)) };
}

/**
 * Whether an error is from the library and not from the engine: only messages of the library are sentences that start
 * with the name of a function. A caller may have been put in front of a message of the engine, `Cannot destructure …`.
 */
const isFromLibrary = (message: string): boolean => /^\w+: .*[.?]$/s.test(message) && !message.includes(': Cannot ');

/**
 * Builds a model or layer from the contents of a file.
 *
 * @throws RangeError if `build` throws; its message starts with `where`
 */
export function buildFromFile<R>(where: string, build: () => R): R {
  try {
    return build();
  } catch (error) {
    const { message } = error as Error;
    if (message.startsWith(where)) throw error;
    const reason = isFromLibrary(message) ? message : 'a part of its description is not of the expected kind.';
    throw new RangeError(`${where}: cannot build the model of the file: ${reason}`);
  }
}

/**
 * Returns plain data as JSON.
 *
 * @throws TypeError if it contains a value that JSON cannot represent: a typed array, NaN, a function
 */
export function checkPlain(where: string, value: unknown, path: string, depth: number = 0): Json {
  if (depth > deepest) throw new RangeError(`${where}: ${path} is more than ${deepest} levels deep.`);
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (Array.isArray(value)) return value.map((item, i) => checkPlain(where, item, `${path}[${i}]`, depth + 1));
  if (isPlain(value)) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    return Object.fromEntries(
      fields.map(([key, field]) => [key, checkPlain(where, field, `${path}.${key}`, depth + 1)]),
    );
  }
  const what = ArrayBuffer.isView(value) ? `a ${value.constructor.name}` : describe(value);
  throw new TypeError(
    `${where}: ${path} must be plain data (numbers, text, arrays, objects), got ${what}, which JSON cannot represent.`,
  );
}

export function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (!isObject(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Object.prototype, also that of another realm, has no prototype.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
