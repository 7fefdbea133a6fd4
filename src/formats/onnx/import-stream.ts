/** Streams of ONNX networks with general graphs: convolutions, recurrent layers, and everything around them. */

import { defaultWorkspace, noteUse, type Workspace } from '../../kernels/workspace';
import { viewOf } from '../../recurrence/cell-stream';
import { isArrayOf } from '../../tensor/arrays';
import { withCaller } from '../../tensor/error-context';
import {
  checkNames,
  checkObject,
  checkShape,
  describe,
  formatShape,
  mismatch,
  outOfRange,
  type Shape,
  sameShape,
  sizeOf,
} from '../../tensor/shape';
import { checkTensor, type IntTensor, isIntTensor, isTensor, type Tensor } from '../../tensor/tensor';
import { abbreviate, listed } from '../listing';
import { decodeOnnx } from './decode';
import type { ExternalData, OnnxModel, OnnxValue } from './model';
import { opsetOf } from './opset';
import { withRunLimit } from './run-limit';
import { newView, offsetOf, type Plan } from './streaming/plan';
import { planNetwork } from './streaming/plan-network';
import { constant, type View } from './streaming/view';
import { kindOf } from './values';

/** Options of {@link importOnnxStream}. */
export interface OnnxStreamOptions {
  /**
   * Inputs with the same value at every step, such as the sample rate: `{ sr: 16000 }`. All integer inputs must be here.
   */
  readonly inputs?: Readonly<Record<string, number | Tensor | IntTensor>>;
  /** The shapes of inputs with free lengths, such as the batch size and the length of a frame: `{ input: [1, 512] }`. */
  readonly shapes?: Readonly<Record<string, Shape>>;
  /**
   * The output with the next value of each state, by the name of the input: `{ state: 'stateN' }`. By default, an input
   * `h` is a state if the model has an output `hn`, `hN`, `h_n` or `h_out`.
   */
  readonly state?: Readonly<Record<string, string>>;
  /** The files next to the model that have the data of its tensors, by their names in the model. */
  readonly externalData?: ExternalData;
}

/** A network that runs one step per call and carries its state. */
export interface OnnxStream {
  /** The shapes of the inputs of a step, by name. */
  readonly inputs: Readonly<Record<string, Shape>>;
  /** The shapes of the outputs of a step, by name. States are not among them. */
  readonly outputs: Readonly<Record<string, Shape>>;
  /** The carried state by the names of its inputs; empty if there is none. Reading it returns a copy; assign a state to continue from it. */
  state: Readonly<Record<string, Tensor>>;
  /**
   * Runs one step and updates the state.
   *
   * @param inputs tensors by name, or arrays with as many elements
   * @param into receives the outputs by name, so that the step allocates no memory; by default, new tensors
   * @returns the outputs by name: `into`, if given
   * @throws TypeError if an input is missing or of the wrong kind
   * @throws RangeError if an input or an output has another shape than the stream was created for
   */
  readonly step: (
    inputs: Readonly<Record<string, Tensor | Float32Array>>,
    into?: Readonly<Record<string, Tensor>>,
  ) => Readonly<Record<string, Tensor>>;
  /** Resets the state to zeros. */
  readonly reset: () => void;
  /** Creates another stream of the network, with a state of zeros. The streams share weights and buffers. */
  readonly newStream: () => OnnxStream;
}

/**
 * Imports a network from an ONNX file as a stream: it runs one frame or time step per call, as audio models in the
 * browser do, and carries the state. Unlike {@link importOnnx}, it accepts graphs with convolutions, padding and
 * conditions, such as Silero VAD, and cannot be trained.
 *
 * The shapes of all values are resolved once. Constants are folded, weights are packed for the kernels, and each `If` is
 * decided by shapes, constants and `options.inputs`; a step then allocates no memory. Half precision is converted to
 * single.
 *
 * Supported operators: Conv in any number of dimensions, with groups; Pad (constant, reflect, edge), LSTM, GRU with
 * linear_before_reset, Gemm, MatMul with a matrix, Softmax, LogSoftmax, ReduceSum, ReduceMean, ReduceMax, ReduceMin, Abs,
 * Clip, Elu, Exp, HardSigmoid, LeakyRelu, Log, Neg, Reciprocal, Relu, Sigmoid, Softplus, Sqrt, Tanh, Add, Sub, Mul, Div,
 * Pow, Max, Min, Concat, Split, Slice, Gather with constant indices, Transpose, Reshape, Flatten, Squeeze, Unsqueeze,
 * Expand, Shape, Size, Cast, Constant, ConstantOfShape, Identity, Dropout, If; and comparisons, And, Or and Not of
 * constants.
 *
 * @param file the content of the `.onnx` file; operator set 7 to 25
 * @param options the constant inputs, the shapes of the others, and the states
 * @throws TypeError if `file` is neither a Uint8Array nor an ArrayBuffer, or an option is of the wrong kind
 * @throws RangeError if the file is malformed, a length is not specified, a state changes its shape, the model has an
 *   unsupported operator, or an `If` depends on the inputs of a step; the message names the node and the reason
 * @example
 * const bytes = atob('CAgSABoAQgQKABANOkcKEwoBeAoBdxIBeRoAIgZNYXRNdWwSAWcqFwoCAwEQAUIBd0oMAACAPwAAAEAAAEBAWgkKAXgS' +
 *   'BAoCCAFiCQoBeRIECgIIAQ==');
 * const file = Uint8Array.from(bytes, (character) => character.charCodeAt(0));
 * const running = importOnnxStream(file, { shapes: { x: [1, 3] } });
 * running.step({ x: tensor([[1, 0, 2]]) }).y!.data; // Float32Array [7]
 */
export function importOnnxStream(file: Uint8Array | ArrayBuffer, options: OnnxStreamOptions = {}): OnnxStream {
  const caller = 'importOnnxStream';
  checkNames(caller, 'options', options, ['inputs', 'shapes', 'state', 'externalData']);
  const { externalData = {} } = options;
  checkObject(caller, 'externalData', externalData);
  const model = decodeOnnx(caller, file, externalData);
  return createStream(withCaller(caller, () => planModel(defaultWorkspace(), model, options)));
}

/** An input, output or state in the memory of a program. */
interface Slot {
  readonly name: string;
  readonly shape: Shape;
  readonly size: number;
  readonly offset: number;
  /** A view of its elements. */
  readonly view: () => ArrayLike<number>;
}

/** What the streams of a network share. */
interface Program {
  readonly plan: Plan;
  readonly inputs: readonly Slot[];
  readonly outputs: readonly Slot[];
  readonly states: readonly { readonly input: Slot; readonly next: Slot }[];
}

function planModel(workspace: Workspace, model: OnnxModel, options: OnnxStreamOptions): Program {
  const { graph } = model;
  const { inputs: fixed = {}, shapes = {} } = options;
  const initialized = new Set(graph.initializers.map(({ name }) => name));
  const declared = graph.inputs.filter(({ name }) => !initialized.has(name));
  const names = declared.map(({ name }) => name);
  for (const [option, given] of Object.entries({ inputs: fixed, shapes, state: options.state ?? {} })) {
    checkObject('importOnnxStream', option, given);
    const unknown = Object.keys(given).find((name) => !names.includes(name));
    if (unknown !== undefined)
      throw new TypeError(`importOnnxStream: ${option} has ${unknown}. The inputs of the model are: ${listed(names)}.`);
  }
  const pairs = statePairs(names, graph.outputs, options.state, fixed);
  const resolved = resolveShapes(declared, pairs, fixed, shapes);
  const slots: Slot[] = [];
  const size = [...resolved.values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
  const constants = modelSize(graph);
  return withRunLimit(size + constants, () => {
    const { plan, outputs } = planNetwork(workspace, graph, opsetOf('importOnnxStream', model), (plan) => {
      const values = new Map<string, View>();
      for (const input of declared) {
        const shape = resolved.get(input.name);
        if (shape === undefined) {
          values.set(input.name, fixedInput(input, fixed[input.name]!));
          continue;
        }
        const view = newView(plan, shape);
        values.set(input.name, view);
        slots.push(slotOf(plan, input.name, view));
      }
      return values;
    });
    const results = outputs.map((view, i) => slotOf(plan, graph.outputs[i]!.name, view));
    const states = slots.flatMap((input) => {
      const next = results.find(({ name }) => name === pairs.get(input.name));
      return next === undefined ? [] : [{ input, next: checkNext(input, next) }];
    });
    return {
      plan,
      inputs: slots.filter(({ name }) => !pairs.has(name)),
      outputs: results.filter(({ name }) => ![...pairs.values()].includes(name)),
      states,
    };
  });
}

/** The number of elements of the constants of a graph and of the graphs in its attributes. */
function modelSize({ initializers, nodes }: OnnxModel['graph']): number {
  let size = initializers.reduce((sum, { data }) => sum + data.length, 0);
  for (const { attributes } of nodes)
    for (const attribute of Object.values(attributes)) {
      if (attribute.type === 'graph') size += modelSize(attribute.value);
      if (attribute.type === 'tensor') size += attribute.value.data.length;
    }
  return size;
}

function slotOf(plan: Plan, name: string, view: View): Slot {
  const offset = withCaller(`output ${JSON.stringify(abbreviate(name))}`, () => {
    if (view.kind !== 'float') throw new RangeError('integer outputs are not supported in streams.');
    return offsetOf(plan, view);
  });
  const size = sizeOf(view.shape);
  return { name, shape: view.shape, size, offset, view: viewOf(plan.memory, offset, size) };
}

function checkNext({ name, shape }: Slot, next: Slot): Slot {
  if (!sameShape(shape, next.shape))
    throw new RangeError(
      `importOnnxStream: the state ${name} has the shape ${formatShape(shape)}, but its next value ${next.name} has ` +
        `${formatShape(next.shape)}. Pass the shape of the state: shapes: { ${name}: [..] }.`,
    );
  return next;
}

/** The suffixes of outputs with the next value of the state of an input. */
const stateSuffixes = ['n', 'N', '_n', '_out'];

/** The name of the output with the next value of each state, by the name of the input. */
function statePairs(
  inputs: readonly string[],
  outputs: readonly OnnxValue[],
  given: OnnxStreamOptions['state'],
  fixed: object,
): ReadonlyMap<string, string> {
  const known = outputs.map(({ name }) => name);
  if (given !== undefined) {
    const missing = Object.values(given).find((name) => !known.includes(name));
    if (missing !== undefined)
      throw new TypeError(
        `importOnnxStream: state has ${describe(missing)}. The outputs of the model are: ${listed(known)}.`,
      );
    return new Map(Object.entries(given));
  }
  return new Map(
    inputs.flatMap((input) => {
      const next = stateSuffixes.map((suffix) => input + suffix).find((name) => known.includes(name));
      return next === undefined || Object.hasOwn(fixed, input) ? [] : [[input, next]];
    }),
  );
}

/** The shapes of the inputs that are not fixed. Free lengths of one name are equal; those of states are 1 by default. */
function resolveShapes(
  inputs: readonly OnnxValue[],
  states: ReadonlyMap<string, string>,
  fixed: object,
  shapes: Readonly<Record<string, Shape>>,
): ReadonlyMap<string, Shape> {
  const lengths = new Map<string, number>();
  const open = inputs.filter(({ name }) => !Object.hasOwn(fixed, name));
  for (const { name, shape = [] } of open)
    if (Object.hasOwn(shapes, name)) {
      const given = shapes[name]!;
      const declared = shape.map((length) => (typeof length === 'number' && length > 0 ? length : undefined));
      if (!Array.isArray(given) || !given.every((length) => Number.isSafeInteger(length) && length > 0))
        throw outOfRange('importOnnxStream', `shapes.${name}`, 'integers of at least 1', given);
      if (shape.length > 0)
        checkShape(
          'importOnnxStream',
          `shapes.${name}`,
          given,
          `[${shape.map((length) => length || '…').join(', ')}]`,
          declared,
        );
      shape.forEach((length, i) => typeof length === 'string' && length !== '' && lengths.set(length, given[i]!));
    }
  return new Map(
    open.map(({ name, type, shape = [] }) => {
      if (kindOf(type) !== 'float')
        throw new TypeError(
          `importOnnxStream: the input ${name} must be in inputs, because it is not floats: inputs: { ${name}: … }.`,
        );
      if (Object.hasOwn(shapes, name)) return [name, shapes[name]!];
      const fallback = states.has(name) ? 1 : undefined;
      const resolved = shape.map((length) =>
        typeof length === 'number' && length > 0 ? length : (lengths.get(String(length)) ?? fallback),
      );
      if (!resolved.every((length) => length !== undefined))
        throw new RangeError(
          `importOnnxStream: the shape of the input ${name} is [${shape.map((length) => length || '…').join(', ')}]. ` +
            `Pass its lengths: shapes: { ${name}: [..] }.`,
        );
      return [name, resolved];
    }),
  );
}

/** The constant of an input with the same value at every step. */
function fixedInput({ name, type, shape = [] }: OnnxValue, value: number | Tensor | IntTensor): View {
  const isInt = kindOf(type) === 'int';
  if (typeof value === 'number') {
    if (isInt && !Number.isSafeInteger(value))
      throw outOfRange('importOnnxStream', `inputs.${name}`, 'an integer', value);
    return constant(
      shape.map(() => 1),
      isInt ? Int32Array.of(value) : Float32Array.of(value),
    );
  }
  if (isInt ? !isIntTensor(value) : !isTensor(value))
    throw mismatch(
      'importOnnxStream',
      `inputs.${name}`,
      isInt ? 'an integer or an int tensor' : 'a number or a tensor',
      value,
    );
  return constant(value.shape, value.data);
}

function createStream(program: Program): OnnxStream {
  const { plan, inputs, outputs, states } = program;
  const { memory, steps, workspace } = plan;
  const state = states.map(({ input }) => new Float32Array(input.size));
  const reset = (): void => state.forEach((values) => values.fill(0));
  return {
    inputs: shapesOf(inputs),
    outputs: shapesOf(outputs),
    get state() {
      return Object.fromEntries(
        states.map(({ input }, i) => [input.name, { shape: input.shape, data: state[i]!.slice() }]),
      );
    },
    set state(values) {
      writeState(states, state, values);
    },
    reset,
    newStream: () => createStream(program),
    step(given, into = newOutputs(outputs)) {
      checkInputs(inputs, given);
      checkOutputs(outputs, into);
      noteUse(workspace);
      for (let i = 0; i < inputs.length; i++) memory.view.set(elementsOf(given[inputs[i]!.name]!), inputs[i]!.offset);
      for (let i = 0; i < states.length; i++) memory.view.set(state[i]!, states[i]!.input.offset);
      for (let i = 0; i < steps.length; i++) steps[i]!();
      for (let i = 0; i < states.length; i++) state[i]!.set(states[i]!.next.view());
      for (let i = 0; i < outputs.length; i++) into[outputs[i]!.name]!.data.set(outputs[i]!.view());
      return into;
    },
  };
}

const shapesOf = (slots: readonly Slot[]): Readonly<Record<string, Shape>> =>
  Object.fromEntries(slots.map(({ name, shape }) => [name, shape]));

const newOutputs = (outputs: readonly Slot[]): Readonly<Record<string, Tensor>> =>
  Object.fromEntries(outputs.map(({ name, shape, size }) => [name, { shape, data: new Float32Array(size) }]));

const elementsOf = (value: Tensor | Float32Array): Float32Array => ('data' in value ? value.data : value);

/** Checks the inputs of a step. It allocates nothing unless one is wrong. */
function checkInputs(slots: readonly Slot[], given: Readonly<Record<string, Tensor | Float32Array>>): void {
  if (typeof given !== 'object' || given === null) throw mismatch('step', 'inputs', 'an object', given);
  for (let i = 0; i < slots.length; i++) {
    const { name, shape, size } = slots[i]!;
    const value = given[name];
    const fits = isTensor(value)
      ? sameShape(value.shape, shape)
      : isArrayOf('Float32Array', value) && value.length === size;
    if (!fits) throw inputError(slots[i]!, value);
  }
  for (const name in given) if (!isNamed(slots, name)) throw unknownInput(slots, name);
}

function isNamed(slots: readonly Slot[], name: string): boolean {
  for (let i = 0; i < slots.length; i++) if (slots[i]!.name === name) return true;
  return false;
}

const unknownInput = (slots: readonly Slot[], name: string): TypeError =>
  new TypeError(
    `step: the stream has no input ${abbreviate(name)}. Its inputs are: ${listed(slots.map((slot) => slot.name))}. ` +
      'States are carried by the stream, and constant inputs are options of importOnnxStream.',
  );

function inputError({ name, shape, size }: Slot, value: unknown): Error {
  const expected = `a tensor ${formatShape(shape)} or a Float32Array of ${size} elements`;
  if (isTensor(value) || isArrayOf('Float32Array', value)) {
    const got = isTensor(value) ? formatShape(value.shape) : `${value.length} elements`;
    return outOfRange('step', `the input ${name}`, expected, got, `The stream was created with this shape.`);
  }
  return mismatch('step', `the input ${name}`, expected, value);
}

function checkOutputs(slots: readonly Slot[], into: Readonly<Record<string, Tensor>>): void {
  for (let i = 0; i < slots.length; i++) {
    const { name, shape } = slots[i]!;
    const tensor = into[name];
    if (isTensor(tensor) && sameShape(tensor.shape, shape)) continue;
    checkTensor('step', `into.${name}`, tensor);
    throw outOfRange('step', `into.${name}`, formatShape(shape), formatShape(tensor.shape));
  }
}

/** Overwrites the carried state; parts that are missing stay. */
function writeState(
  states: Program['states'],
  carried: readonly Float32Array[],
  values: Readonly<Record<string, Tensor>>,
): void {
  const names = states.map(({ input }) => input.name);
  checkNames('importOnnxStream', 'state', values, names);
  states.forEach(({ input }) => {
    const value = values[input.name];
    if (value === undefined) return;
    checkTensor('importOnnxStream', `state.${input.name}`, value);
    if (!sameShape(value.shape, input.shape))
      throw outOfRange('importOnnxStream', `state.${input.name}`, formatShape(input.shape), formatShape(value.shape));
  });
  states.forEach(({ input }, i) => {
    const value = values[input.name];
    if (value !== undefined) carried[i]!.set(value.data);
  });
}
