/** A model from an ONNX file as a function of ops: it predicts, and it is trained like any other. */

import { isVariable, operand, type Variable } from '../../autodiff/tape';
import { compute } from '../../autodiff/value-and-gradient';
import { checkShape, describe } from '../../tensor/shape';
import { type IntTensor, isIntTensor, isTensor, type Tensor } from '../../tensor/tensor';
import type { Mapped } from '../../tensor/tree';
import type { OnnxValue } from './model';
import type { OwnParameters, Prepared, Value } from './node-reader';
import { kindOf } from './values';

/**
 * What would be trained: the constants of a file by their names, and the weights of each recurrent node by the node's name, in the layout of its cell:
 * `{ 'embedding.weight': …, '/rnn/LSTM': { forward: { weightIh, weightHh, bias }, reverse: { … } } }`.
 */
export type OnnxParameters = Readonly<Record<string, Tensor | OwnParameters>>;

/** One node, ready to run. */
export interface Step {
  /** For messages. */
  readonly label: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly run: Prepared['run'];
  /** Where its own parameters stand; `''` where it has none. */
  readonly own: string;
}

/** A model that was imported. */
export interface OnnxNetwork {
  readonly parameters: OnnxParameters;
  /** What goes in and what comes out. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** Whole numbers that are the same at every run, by name. */
  readonly constants: Readonly<Record<string, IntTensor>>;
  readonly steps: readonly Step[];
}

/**
 * Runs an imported model inside {@link compute}, {@link valueAndGradient} or the loss of a {@link customModel}.
 *
 * @param parameters variables of the model's parameters
 * @param inputs by name, in the layout of the file: tensors or variables; ids where the file has whole numbers
 * @returns the outputs by name; whole numbers among them as numbers without gradient
 * @throws TypeError where an input or a parameter is missing or of the wrong kind, RangeError where a shape does not fit, naming the node
 * @example
 * const bytes = atob('CAgSABoAQgQKABANOkcKEwoBeAoBdxIBeRoAIgZNYXRNdWwSAWcqFwoCAwEQAUIBd0oMAACAPwAAAEAAAEBAWgkKAXgSBAoCCAFiCQoBeRIECgIIAQ==');
 * const network = importOnnx(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
 * valueAndGradient(network.parameters, (p) => sum(runOnnx(network, p, { x: tensor([[1, 0, 4]]) }).y)).gradient.w.data; // Float32Array [1, 0, 4]
 */
export function runOnnx(
  network: OnnxNetwork,
  parameters: Mapped<OnnxParameters, Variable>,
  inputs: Readonly<Record<string, Tensor | IntTensor | Variable>>,
): Readonly<Record<string, Variable>> {
  const values = new Map<string, Value>(Object.entries(network.constants));
  for (const name of Object.keys(network.parameters)) {
    if (!Object.hasOwn(parameters, name))
      throw new TypeError(`runOnnx: parameters must have ${name}. Are they those of this model?`);
    if (isVariable(parameters[name])) values.set(name, operand('runOnnx', parameters[name], name));
  }
  for (const port of network.inputs) values.set(port.name, inputValue(port, inputs));
  const stray = Object.keys(inputs).find((name) => !network.inputs.some((port) => port.name === name));
  if (stray !== undefined)
    throw new TypeError(
      `runOnnx: there is no input ${stray}. There are ${network.inputs.map(({ name }) => name).join(', ') || 'none'}.`,
    );
  for (const { label, inputs: from, outputs, run, own } of network.steps) {
    try {
      const results = run(
        from.map((name) => values.get(name)),
        (own === '' ? {} : parameters[own]) as OwnParameters<Variable>,
      );
      outputs.forEach((name, i) => {
        // No name is what stands where nothing is given: it must stay nothing.
        if (name !== '' && results[i] !== undefined) values.set(name, results[i]);
      });
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
      throw new RangeError(`runOnnx: ${label}: ${error.message}`, { cause: error });
    }
  }
  return Object.fromEntries(
    network.outputs.map(({ name }) => {
      const value = values.get(name)!;
      return [
        name,
        isVariable(value) ? value : operand('runOnnx', { shape: value.shape, data: Float32Array.from(value.data) }),
      ];
    }),
  );
}

function inputValue(
  { name, type, shape }: OnnxValue,
  inputs: Readonly<Record<string, Tensor | IntTensor | Variable>>,
): Value {
  const value = Object.hasOwn(inputs, name) ? inputs[name] : undefined;
  const whole = kindOf(type) === 'whole';
  if (whole ? !isIntTensor(value) : !isVariable(value) && !isTensor(value)) {
    throw new TypeError(
      `runOnnx: the input ${name} must be ${whole ? 'an id tensor { shape, data: Int32Array }' : 'a tensor { shape, data: Float32Array }'}, got ${describe(value)}.`,
    );
  }
  if (shape !== undefined) {
    const letters = `[${shape.map((length) => (length === '' ? '…' : length)).join(', ')}]`;
    checkShape('runOnnx', name, value!.shape, {
      letters,
      lengths: shape.map((length) => (typeof length === 'number' ? length : undefined)),
    });
  }
  return whole ? (value as IntTensor) : operand('runOnnx', value as Tensor | Variable, name);
}

/**
 * What an imported model answers.
 *
 * @param inputs by name, in the layout of the file
 * @param parameters those of the file by default
 * @returns the outputs by name
 * @throws as {@link runOnnx}
 * @example
 * const bytes = atob('CAgSABoAQgQKABANOkcKEwoBeAoBdxIBeRoAIgZNYXRNdWwSAWcqFwoCAwEQAUIBd0oMAACAPwAAAEAAAEBAWgkKAXgSBAoCCAFiCQoBeRIECgIIAQ==');
 * const network = importOnnx(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
 * predictOnnx(network, { x: full([2, 3], 1) }).y.shape; // [2, 1]
 */
export function predictOnnx(
  network: OnnxNetwork,
  inputs: Readonly<Record<string, Tensor | IntTensor>>,
  parameters: OnnxParameters = network.parameters,
): Readonly<Record<string, Tensor>> {
  return compute(parameters, (p) => runOnnx(network, p, inputs));
}
