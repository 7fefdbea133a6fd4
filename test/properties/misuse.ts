/** Misuse of functions: wrong arguments, and a check of the errors that they cause. */

import * as bptt from 'bptt';
import { isVariable } from '../../src/autodiff/tape';
import { type Call, calls, libraries, model, values } from './calls';

type Anything = (...args: readonly unknown[]) => unknown;

/** A wrong argument: its path in the arguments, and its replacement. */
export interface Mutation {
  readonly path: readonly string[];
  readonly name: string;
  readonly apply: (value: unknown) => unknown;
}

/** Marks an argument or property that is left out. */
const removed = Symbol('removed');

const cyclic = (): unknown => {
  const object: Record<string, unknown> = {};
  object['self'] = object;
  return object;
};
const rejected = (): Promise<never> => {
  const promise = Promise.reject(new Error('not awaited'));
  promise.catch(() => undefined);
  return promise;
};
let ended: bptt.Variable | undefined;
/** A variable of a computation that has ended. */
const stale = (): bptt.Variable => {
  if (ended === undefined)
    bptt.compute({ x: bptt.full([2], 1) }, ({ x }) => {
      ended = x;
      return x;
    });
  return ended!;
};

/** Values that users pass by mistake. */
const wrong: Readonly<Record<string, () => unknown>> = {
  nothing: () => removed,
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  'empty string': () => '',
  "'mse'": () => 'mse',
  "'relu'": () => 'relu',
  '-1': () => -1,
  '0': () => 0,
  '0.5': () => 0.5,
  NaN: () => NaN,
  Infinity: () => Infinity,
  '2^53': () => 2 ** 53,
  bigint: () => 3n,
  symbol: () => Symbol('s'),
  'function of nothing': () => () => undefined,
  'async function': () => async () => 1,
  'function of null': () => () => null,
  'identity function': () => (first: unknown) => first,
  'adam not called': () => bptt.adam,
  'lstm not called': () => bptt.lstm,
  'dense not called': () => bptt.dense,
  'zeros not called': () => bptt.zeros,
  'dotScore not called': () => bptt.dotScore,
  'cosineDecay not called': () => bptt.cosineDecay,
  'empty object': () => ({}),
  'empty array': () => [],
  'array of null': () => [null],
  'array of strings': () => ['a', 'b'],
  'array of NaN': () => [NaN, NaN],
  'array of -1': () => [-1, -1],
  'array of 0.5': () => [0.5, 0.5],
  'array of 2^40': () => [2 ** 40, 2 ** 40],
  'ragged array': () => [[1], [2, 3]],
  'sparse array': () => Array(2),
  map: () => new Map(),
  date: () => new Date(0),
  'object without prototype': () => Object.create(null),
  'cyclic object': cyclic,
  promise: () => Promise.resolve(1),
  'rejected promise': rejected,
  tensor: () => bptt.full([2, 2], 0.5),
  'tensor of NaN': () => bptt.full([2], NaN),
  'scalar tensor': () => bptt.full([], 1),
  'empty tensor': () => bptt.full([0, 2], 1),
  'integer tensor': () => bptt.intTensor([[0, 1]]),
  'integer tensor of wrong ids': () => bptt.intTensor([[-1, 99]]),
  'tensor with too little data': () => ({ shape: [2, 2], data: new Float32Array(3) }),
  'integer tensor with too little data': () => ({ shape: [2, 2], data: new Int32Array(3) }),
  'tensor with a negative shape': () => ({ shape: [-2, -2], data: new Float32Array(4) }),
  'tensor with a fractional shape': () => ({ shape: [0.5, 8], data: new Float32Array(4) }),
  'tensor with strings as shape': () => ({ shape: ['2', '2'], data: new Float32Array(4) }),
  'tensor without shape': () => ({ data: new Float32Array(4) }),
  'tensor without data': () => ({ shape: [2, 2] }),
  'tensor with an array as data': () => ({ shape: [2, 2], data: [1, 2, 3, 4] }),
  'tensor with doubles': () => ({ shape: [2, 2], data: new Float64Array(4) }),
  'typed array of floats': () => new Float32Array(2),
  'typed array of integers': () => Int32Array.of(1, 2),
  'typed array of doubles': () => new Float64Array(2),
  'typed array of bytes': () => new Uint8Array(5),
  'typed array of big integers': () => new BigInt64Array(2),
  buffer: () => new ArrayBuffer(4),
  'data view': () => new DataView(new ArrayBuffer(4)),
  cell: () => bptt.lstm(),
  'cell with ops': () => bptt.layerNormGru(),
  layer: () => bptt.dense({ size: 2 }),
  'array of cells': () => [bptt.lstm()],
  'array of layers': () => [bptt.dense({ size: 2 })],
  'array of makers': () => [bptt.dropout, bptt.lstm],
  model,
  'custom model': () => bptt.customModel({ w: bptt.full([2], 1) }, ({ w }) => bptt.sum(w)),
  optimizer: () => bptt.adam(),
  'array of optimizers': () => [bptt.adam()],
  score: () => bptt.dotScore(),
  dataset: () => bptt.batchesOf(bptt.full([3, 2, 2], 1), bptt.full([3, 2, 2], 1), { batchSize: 1 }),
  'array of batches': () => [{ inputs: bptt.full([3, 2, 2], 1) }],
  stream: () => bptt.stream(model()),
  random: () => bptt.createRandom(1),
  'vocabulary without marks': () => ({ kind: 'words', tokens: ['a'], size: 1 }),
  'variable of an ended computation': stale,
};

/** Changes of a value of a certain kind. */
function changesOf(value: unknown): Readonly<Record<string, (value: never) => unknown>> {
  if (typeof value === 'number')
    return { negated: (x: number) => -x - 1, 'plus a half': (x: number) => x + 0.5, 'as a string': String };
  if (Array.isArray(value))
    return {
      'with an additional element': (list: unknown[]) => [...list, list.at(-1)],
      'with one element fewer': (list: unknown[]) => list.slice(0, -1),
      'as an object': (list: unknown[]) => ({ ...list }),
    };
  if (bptt.isTensor(value) || bptt.isIntTensor(value))
    return {
      'with another size': ({ shape }: bptt.Tensor) =>
        bptt.full(
          shape.map((length) => length + 1),
          1,
        ),
      'with an additional axis': ({ shape, data }: bptt.Tensor) => ({ shape: [...shape, 1], data }),
      'without axes': ({ data }: bptt.Tensor) => ({ shape: [], data }),
      'with NaN': ({ shape, data }: bptt.Tensor) => ({ shape, data: data.slice().fill(NaN) }),
      'with negative values': ({ shape, data }: bptt.Tensor) => ({ shape, data: data.slice().fill(-7) }),
      'of the other kind': ({ shape, data }: bptt.Tensor) => ({
        shape,
        data: data instanceof Int32Array ? new Float32Array(data) : Int32Array.from(data),
      }),
      'as nested arrays': ({ data }: bptt.Tensor) => [Array.from(data)],
    };
  if (ArrayBuffer.isView(value))
    return {
      'with an additional element': (data: Float32Array) => Float32Array.of(...data, 1),
      'with one element fewer': (data: Float32Array) => data.subarray(0, -1),
      'with huge values': (data: Float32Array) => data.slice().fill(2 ** 31 - 1),
      'as an array': (data: Float32Array) => Array.from(data),
    };
  if (isPlain(value)) return { 'with an unknown name': (object: object) => ({ ...object, unknownName: 1 }) };
  return {};
}

/** Properties of objects that the library makes. */
const made = [
  ...[
    'origin',
    'forward',
    'update',
    'batches',
    'feed',
    'draws',
    'tokens',
    'waiting',
    'penalties',
    'constants',
    'scores',
  ],
  ...['causal', 'outputSize', 'calibration', 'networks', 'quantile', 'overall'],
];

/**
 * Whether a value is an object whose properties are changed one by one: options, batches, examples. Models, cells and
 * other objects with functions or parameters are only replaced as a whole.
 */
function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype &&
    !isVariable(value) &&
    !bptt.isTensor(value) &&
    !bptt.isIntTensor(value) &&
    !made.some((name) => name in value) &&
    !('data' in value && 'parameters' in value) &&
    !('cell' in value && 'members' in value)
  );
}

/** The paths of a value, and of the properties of plain objects and the first elements of arrays in it. */
function pathsOf(value: unknown, path: readonly string[], depth: number): readonly (readonly string[])[] {
  const inner =
    depth > 0 && (isPlain(value) || Array.isArray(value))
      ? Object.entries(value)
          .slice(0, Array.isArray(value) ? 2 : 16)
          .flatMap(([name, part]) => pathsOf(part, [...path, name], depth - 1))
      : [];
  return [path, ...inner];
}

const valueAt = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((part, name) => (part as Record<string, unknown> | null | undefined)?.[name], value);

/** All mutations of the arguments of a call. */
export function mutationsOf(args: readonly unknown[], files: readonly string[] = []): readonly Mutation[] {
  const paths = args.flatMap((value, i) => pathsOf(value, [String(i)], 2));
  return paths.flatMap((path) => [
    ...Object.entries(wrong)
      .filter(([, create]) => !(files.includes(path.join('.')) && typeof create() === 'string'))
      .map(([name, create]) => ({ path, name, apply: () => create() })),
    ...Object.entries(changesOf(valueAt(args, path))).map(([name, change]) => ({
      path,
      name,
      apply: change as (value: unknown) => unknown,
    })),
  ]);
}

/** The arguments with a mutation applied. */
export function mutated(args: readonly unknown[], { path, apply }: Mutation): readonly unknown[] {
  const replace = (value: unknown, [name, ...rest]: readonly string[]): unknown => {
    if (name === undefined) return apply(value);
    if (typeof value !== 'object' || value === null || isVariable(value)) return value;
    const part = replace((value as Record<string, unknown>)[name], rest);
    if (Array.isArray(value)) {
      const copy = [...value];
      if (part === removed) copy.splice(Number(name));
      else copy[Number(name)] = part;
      return copy;
    }
    const copy: Record<string, unknown> = { ...value, [name]: part };
    if (part === removed) delete copy[name];
    return copy;
  };
  return replace(args, path) as readonly unknown[];
}

/** The errors that code constructs, as opposed to those of the engine, which does not use the global constructors. */
const constructed = new WeakSet<object>();

/** Runs a function while the errors that are constructed are recorded. */
export async function recording<R>(run: () => Promise<R>): Promise<R> {
  const globals = globalThis as unknown as Record<'Error' | 'TypeError' | 'RangeError', ErrorConstructor>;
  const originals = { Error, TypeError, RangeError };
  for (const [name, Original] of Object.entries(originals))
    globals[name as keyof typeof originals] = new Proxy(Original as ErrorConstructor, {
      construct(target, args, newTarget) {
        const error = Reflect.construct(target, args, newTarget) as object;
        constructed.add(error);
        return error;
      },
    });
  try {
    return await run();
  } finally {
    Object.assign(globals, originals);
  }
}

const exported: Readonly<Record<string, unknown>> = Object.assign({}, ...Object.values(libraries)) as Readonly<
  Record<string, unknown>
>;
const names = Object.keys(exported).filter((name) => typeof exported[name] === 'function');
/** The names of all exported functions. */
export const functionNames: readonly string[] = names;

/** The sum of the variables in a result, as a loss. */
function lossOf(result: unknown): bptt.Variable | undefined {
  if (isVariable(result)) return bptt.sum(result);
  if (typeof result !== 'object' || result === null) return undefined;
  return Object.values(result)
    .slice(0, 3)
    .map(lossOf)
    .find((loss) => loss !== undefined);
}

/** Calls a function with arguments, possibly mutated, and uses the result. */
async function run(name: string, { args, isOperation, use }: Call, mutation: Mutation | undefined): Promise<unknown> {
  const f = exported[name] as Anything;
  const change = (given: readonly unknown[]): readonly unknown[] => (mutation ? mutated(given, mutation) : given);
  if (isOperation)
    return bptt.valueAndGradient(values(), (p) => {
      const result = f(...change(args(p)));
      return { value: lossOf(result) ?? bptt.sum(p.vector), results: {} };
    });
  const result = await f(...change(args(undefined as never)));
  return use === undefined ? result : await (use as Anything)(result);
}

/** A call that threw something else than an error of the library. */
export interface Fault {
  readonly name: string;
  readonly call: number;
  readonly mutation: string;
  readonly error: unknown;
}

/** Whether the library constructed an error. */
export const isConstructed = (error: unknown): boolean => error instanceof Error && constructed.has(error);

/** Checks the error of a call: the library must have constructed it, and it must start with the name of a function. */
export function isExpected(error: unknown, name: string, { names: others = [] }: Call, mutation: Mutation): boolean {
  const uncalled = / not called$/.test(mutation.name) ? [mutation.name.split(' ')[0]!] : [];
  // A promise that users pass as a batch rejects with their error.
  if (error instanceof Error && error.message === 'not awaited') return true;
  return (
    error instanceof Error &&
    constructed.has(error) &&
    [name, ...others, ...uncalled].some((allowed) => error.message.startsWith(`${allowed}: `))
  );
}

/** Calls a function with every mutation of every valid call that `choose` selects. */
export async function misuse(
  name: string,
  choose: (mutations: readonly Mutation[]) => readonly Mutation[],
): Promise<{ readonly tried: number; readonly faults: readonly Fault[] }> {
  const faults: Fault[] = [];
  let tried = 0;
  for (const [index, call] of calls[name]!.entries()) {
    await run(name, call, undefined);
    let mutations: readonly Mutation[] = [];
    if (call.isOperation)
      bptt.valueAndGradient(values(), (p) => {
        mutations = mutationsOf(call.args(p), call.files);
        return bptt.sum(p.vector);
      });
    else mutations = mutationsOf(call.args(undefined as never), call.files);
    for (const mutation of choose(mutations)) {
      tried++;
      try {
        await run(name, call, mutation);
      } catch (error) {
        if (!isExpected(error, name, call, mutation))
          faults.push({ name, call: index, mutation: `${mutation.path.join('.')}: ${mutation.name}`, error });
      }
      bptt.useKernels(undefined);
    }
  }
  return { tried, faults };
}
