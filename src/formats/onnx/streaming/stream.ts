/** Streams of a planned network: they check the tensors of a step, run it and carry the state. */

import { noteUse } from '../../../kernels/workspace';
import { isArrayOf } from '../../../tensor/arrays';
import { checkNames, counted, formatShape, mismatch, outOfRange, type Shape, sameShape } from '../../../tensor/shape';
import { checkTensor, isTensor, type Tensor } from '../../../tensor/tensor';
import { abbreviate, listed } from '../../listing';
import type { Plan } from './plan';

/** A network that runs one step per call and carries its state. */
export interface OnnxStream {
  /** The shapes of the inputs of a step, by name. */
  readonly inputs: Readonly<Record<string, Shape>>;
  /** The shapes of the outputs of a step, by name. States are not among them. */
  readonly outputs: Readonly<Record<string, Shape>>;
  /**
   * The carried state by the names of its inputs; empty if the network has no states. Reading it returns a copy;
   * assign a state to continue from it.
   */
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

/** An input, output or state in the memory of a program. */
export interface Slot {
  readonly name: string;
  readonly shape: Shape;
  readonly size: number;
  readonly offset: number;
  /** Returns a view of its elements. */
  readonly elements: () => ArrayLike<number>;
}

/** The shared parts of the streams of a network. */
export interface Program {
  readonly plan: Plan;
  readonly inputs: readonly Slot[];
  readonly outputs: readonly Slot[];
  readonly states: readonly { readonly input: Slot; readonly next: Slot }[];
}

/** Creates a stream with a state of zeros. */
export function createStream(program: Program): OnnxStream {
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
      for (let i = 0; i < states.length; i++) state[i]!.set(states[i]!.next.elements());
      for (let i = 0; i < outputs.length; i++) into[outputs[i]!.name]!.data.set(outputs[i]!.elements());
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
  const expected = `a tensor ${formatShape(shape)} or a Float32Array of ${counted(size, 'element')}`;
  if (isTensor(value) || isArrayOf('Float32Array', value)) {
    const got = isTensor(value) ? formatShape(value.shape) : counted(value.length, 'element');
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
