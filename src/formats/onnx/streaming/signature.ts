/** The signature of a stream: the shapes of its inputs, the constant ones, and the outputs that are the next states. */

import {
  checkObject,
  checkShape,
  describe,
  isObject,
  mismatch,
  outOfRange,
  type Shape,
  sizeOf,
} from '../../../tensor/shape';
import { type IntTensor, isIntTensor, isTensor, type Tensor } from '../../../tensor/tensor';
import { abbreviate, listed } from '../../listing';
import type { OnnxGraph, OnnxValue } from '../model';
import { kindOf } from '../values';
import { type Constant, constant } from './view';

/** The options that determine the signature. */
export interface SignatureOptions {
  /**
   * Inputs with the same value at every step, such as the sample rate: `{ sr: 16000 }`. All inputs of integers must be
   * here.
   */
  readonly inputs?: Readonly<Record<string, number | Tensor | IntTensor>> | undefined;
  /**
   * The shapes of inputs with free lengths, such as the batch size and the length of a frame: `{ input: [1, 512] }`.
   */
  readonly shapes?: Readonly<Record<string, Shape>> | undefined;
  /**
   * The output with the next value of each state, by the name of the input: `{ state: 'stateN' }`. By default, an input
   * `h` is a state if the model has an output `h.next` (as {@link exportOnnx} writes it), `hn`, `hN`, `h_n` or `h_out`.
   */
  readonly state?: Readonly<Record<string, string>> | undefined;
}

/** The inputs of a network as a stream has them. */
export interface Signature {
  /** The inputs with the same value at every step, by name. */
  readonly constants: ReadonlyMap<string, Constant>;
  /** The shapes of the other inputs, states included, by name. */
  readonly shapes: ReadonlyMap<string, Shape>;
  /** The output with the next value of each state, by the name of its input. */
  readonly states: ReadonlyMap<string, string>;
}

const caller = 'importOnnxStream';

/** The suffixes of outputs with the next value of the state of an input. */
const stateSuffixes = ['.next', 'n', 'N', '_n', '_out'];

/** Reads the signature. @throws TypeError, RangeError if an option does not fit the model or is missing */
export function readSignature({ inputs, outputs, initializers }: OnnxGraph, options: SignatureOptions): Signature {
  const { inputs: fixed = {}, shapes = {}, state } = options;
  const initialized = new Set(initializers.map(({ name }) => name));
  const declared = inputs.filter(({ name }) => !initialized.has(name));
  const names = declared.map(({ name }) => name);
  for (const [option, given] of Object.entries({ inputs: fixed, shapes, state: state === undefined ? {} : state })) {
    checkObject(caller, option, given);
    const unknown = Object.keys(given).find((name) => !names.includes(name));
    if (unknown !== undefined)
      throw new TypeError(`${caller}: ${option} has ${unknown}. The inputs of the model are: ${listed(names)}.`);
  }
  const results = outputs.map(({ name }) => name);
  const missing = Object.values(state ?? {}).find((name) => !results.includes(name));
  if (missing !== undefined)
    throw new TypeError(`${caller}: state has ${describe(missing)}. The outputs of the model are: ${listed(results)}.`);
  const isFixed = ({ name }: OnnxValue): boolean => Object.hasOwn(fixed, name);
  const open = declared.filter((input) => !isFixed(input));
  const states = new Map(state === undefined ? namedStates(open, results) : Object.entries(state));
  return {
    constants: new Map(declared.filter(isFixed).map((input) => [input.name, constantOf(input, fixed[input.name]!)])),
    shapes: resolveShapes(open, states, shapes),
    states,
  };
}

/** The states by the names of inputs and outputs. */
const namedStates = (inputs: readonly OnnxValue[], outputs: readonly string[]): [input: string, output: string][] =>
  inputs.flatMap(({ name }): [string, string][] => {
    const next = stateSuffixes.map((suffix) => name + suffix).find((output) => outputs.includes(output));
    return next === undefined ? [] : [[name, next]];
  });

/** A declared shape for messages. */
const declaredShape = (shape: readonly (number | string)[]): string =>
  `[${shape.map((length) => (length === '' ? '…' : abbreviate(String(length)))).join(', ')}]`;

/** The declared length of an axis; undefined if it is free. Some exporters write −1 or 0 for a free length. */
const staticLength = (length: number | string): number | undefined =>
  typeof length === 'number' && length > 0 ? length : undefined;

/** The shapes of the inputs. Free lengths of one name are equal; those of states are 1 if nothing else is known. */
function resolveShapes(
  inputs: readonly OnnxValue[],
  states: ReadonlyMap<string, string>,
  shapes: Readonly<Record<string, Shape>>,
): ReadonlyMap<string, Shape> {
  const lengths = new Map<string, number>();
  for (const { name, shape } of inputs) {
    if (!Object.hasOwn(shapes, name)) continue;
    const given = shapes[name]!;
    if (!Array.isArray(given) || !given.every((length) => Number.isSafeInteger(length) && length > 0))
      throw outOfRange(caller, `shapes.${name}`, 'an array of integers of at least 1', given);
    if (shape === undefined) continue;
    checkShape(caller, `shapes.${name}`, given, declaredShape(shape), shape.map(staticLength));
    shape.forEach((length, i) => typeof length === 'string' && length !== '' && lengths.set(length, given[i]!));
  }
  return new Map(
    inputs.map(({ name, type, shape }) => {
      if (kindOf(type) !== 'float')
        throw new TypeError(`${caller}: the input ${name} is not of floats. Pass its value: inputs: { ${name}: … }.`);
      if (Object.hasOwn(shapes, name)) return [name, shapes[name]!];
      const fallback = states.has(name) ? 1 : undefined;
      const known = shape?.map((length) => staticLength(length) ?? lengths.get(String(length)) ?? fallback);
      if (known?.every((length) => length !== undefined)) return [name, known];
      const got = shape === undefined ? 'not declared' : declaredShape(shape);
      throw new RangeError(
        `${caller}: the shape of the input ${name} is ${got}. Pass its lengths: shapes: { ${name}: [..] }.`,
      );
    }),
  );
}

/** The constant of an input with the same value at every step. */
function constantOf({ name, type, shape = [] }: OnnxValue, value: number | Tensor | IntTensor): Constant {
  const isInt = kindOf(type) === 'int';
  const argument = `inputs.${name}`;
  if (typeof value === 'number') {
    if (isInt && !Number.isSafeInteger(value)) throw outOfRange(caller, argument, 'an integer', value);
    const lengths = shape.map((length) => staticLength(length) ?? 1);
    const data = isInt ? new Int32Array(sizeOf(lengths)) : new Float32Array(sizeOf(lengths));
    return constant(lengths, data.fill(value));
  }
  if (isInt ? !isIntTensor(value) : !isTensor(value)) {
    // '16000' and 16000n look like numbers in a message.
    const got = isObject(value) ? value : `the ${typeof value} ${String(value)}`;
    throw mismatch(caller, argument, isInt ? 'an integer or an int tensor' : 'a number or a tensor', got);
  }
  checkShape(caller, argument, value.shape, declaredShape(shape), shape.map(staticLength));
  return constant(value.shape, value.data);
}
