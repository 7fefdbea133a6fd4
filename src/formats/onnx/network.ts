/** An imported ONNX model as a function of ops: it predicts, and it can be trained like any other model. */

import { isVariable, operand, type Variable } from '../../autodiff/tape';
import { compute } from '../../autodiff/value-and-gradient';
import { withCaller } from '../../tensor/error-context';
import { checkKind, checkObject, checkShape, mismatch } from '../../tensor/shape';
import { type IntTensor, isIntTensor, isTensor, type Tensor } from '../../tensor/tensor';
import type { Mapped } from '../../tensor/tree';
import { abbreviate, listed } from '../listing';
import type { OnnxValue } from './model';
import type { NodeParameters, PreparedNode, Value } from './node-reader';
import { spend, withRunLimit } from './run-limit';
import { entryOf, type GraphScope } from './scope';
import { kindOf, sizesOf, storageOf } from './values';

/**
 * The trainable parameters: the float constants of the file by name, and the weights of each recurrent node by the name
 * of the node, in the layout of its cell:
 * `{ 'embedding.weight': …, '/rnn/LSTM': { forward: { weightIh, weightHh, bias }, reverse: { … } } }`.
 */
export type OnnxParameters = Readonly<Record<string, Tensor | NodeParameters>>;

/** One node of a network, ready to run. */
export interface Step {
  /** The operator and the name of the node, for error messages. */
  readonly label: string;
  /** The names of the inputs; `''` for an omitted one. */
  readonly inputs: readonly string[];
  /** The names of the outputs; `''` for an unused one. */
  readonly outputs: readonly string[];
  readonly run: PreparedNode['run'];
  /** The key of the node's own parameters; `''` if it has none. */
  readonly parameterKey: string;
}

/** An imported model. */
export interface OnnxNetwork {
  readonly parameters: OnnxParameters;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** The integer constants by name. */
  readonly constants: Readonly<Record<string, IntTensor>>;
  /** The number of elements of all constants of the file, in proportion to which a run may compute elements. */
  readonly constantSize: number;
  /** The nodes in the order in which they run. */
  readonly steps: readonly Step[];
}

/**
 * Runs an imported model inside {@link compute}, {@link valueAndGradient} or the loss of a {@link customModel}.
 *
 * @param network the imported model
 * @param parameters variables of the network's parameters
 * @param inputs tensors or variables by name, in the layout of the file; an int tensor if the file declares integers
 * @returns the outputs by name; integer outputs are converted to floats and have no gradient
 * @throws TypeError if an input or a parameter is missing or of the wrong kind
 * @throws RangeError if a shape does not fit, or the results of all nodes have more than 2²³ elements and 1024 for
 *   every element of the inputs and constants; errors inside the model name the node
 * @example
 * const bytes = atob('CAgSABoAQgQKABANOkcKEwoBeAoBdxIBeRoAIgZNYXRNdWwSAWcqFwoCAwEQAUIBd0oMAACAPwAAAEAAAEBAWgkKAXgS' +
 *   'BAoCCAFiCQoBeRIECgIIAQ==');
 * const network = importOnnx(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
 * const x = tensor([[1, 0, 4]]);
 * const { gradient } = valueAndGradient(network.parameters, (p) => sum(runOnnx(network, p, { x }).y!));
 * gradient.w!.data; // Float32Array [1, 0, 4]
 */
export function runOnnx(
  network: OnnxNetwork,
  parameters: Mapped<OnnxParameters, Variable>,
  inputs: Readonly<Record<string, Tensor | IntTensor | Variable>>,
): Readonly<Record<string, Variable>> {
  checkKind('runOnnx', 'network', network, 'a network, as importOnnx returns', 'constants');
  return runNetwork('runOnnx', network, parameters, inputs);
}

function runNetwork(
  caller: string,
  network: OnnxNetwork,
  parameters: Mapped<OnnxParameters, Variable>,
  inputs: Readonly<Record<string, Tensor | IntTensor | Variable>>,
): Readonly<Record<string, Variable>> {
  checkObject(caller, 'parameters', parameters);
  checkObject(caller, 'inputs', inputs);
  const values = initialValues(caller, network, parameters, inputs);
  const size = network.constantSize + sizesOf(network.inputs.map(({ name }) => values.get(name)));
  withRunLimit(size, () => runSteps(`${caller}: `, network.steps, { own: values }, parameters));
  return Object.fromEntries(
    network.outputs.map(({ name }) => {
      const value = values.get(name)!;
      return [
        name,
        isVariable(value) ? value : operand(caller, { shape: value.shape, data: Float32Array.from(value.data) }),
      ];
    }),
  );
}

/**
 * Runs nodes in order, and adds their outputs to the scope.
 *
 * @param prefix the prefix of error messages
 */
export function runSteps(
  prefix: string,
  steps: readonly Step[],
  scope: GraphScope<Value>,
  parameters: Mapped<OnnxParameters, Variable>,
): void {
  for (const { label, inputs, outputs, run, parameterKey } of steps) {
    const results = withCaller(prefix + label, () => {
      const values = inputs.map((name) => entryOf(scope, name));
      // `initialValues` has checked that the key exists; its value has the structure of the network's parameters.
      const own = (parameterKey === '' ? {} : parameters[parameterKey]) as NodeParameters<Variable>;
      const computed = run(values, own, scope);
      const given = new Set(values.map(storageOf));
      spend(1, sizesOf(values), sizesOf(computed.filter((value) => !given.has(storageOf(value)))));
      return computed;
    });
    outputs.forEach((name, i) => {
      // The name '' also marks an omitted input, which must stay undefined.
      if (name !== '' && results[i] !== undefined) scope.own.set(name, results[i]);
    });
  }
}

/** @throws TypeError if `given` does not have a variable for every tensor of `own` */
function checkVariables(caller: string, path: string, own: unknown, given: unknown): void {
  if (isTensor(own)) {
    if (!isVariable(given)) throw mismatch(caller, `parameters: ${path}`, 'a variable', given);
    return;
  }
  checkObject(caller, `parameters: ${path}`, given);
  const parts = given as Readonly<Record<string, unknown>>;
  for (const [name, part] of Object.entries(own as object))
    checkVariables(caller, `${path}.${name}`, part, parts[name]);
}

/** The values by name before the first node runs: constants, parameters and inputs. */
function initialValues(
  caller: string,
  network: OnnxNetwork,
  parameters: Mapped<OnnxParameters, Variable>,
  inputs: Readonly<Record<string, Tensor | IntTensor | Variable>>,
): Map<string, Value> {
  const values = new Map<string, Value>(Object.entries(network.constants));
  for (const [name, own] of Object.entries(network.parameters)) {
    if (!Object.hasOwn(parameters, name))
      throw new TypeError(`${caller}: parameters must have ${abbreviate(name)}. Do they belong to this network?`);
    if (isTensor(own)) values.set(name, operand(caller, parameters[name] as Variable, name));
    else checkVariables(caller, name, own, parameters[name]);
  }
  for (const input of network.inputs) values.set(input.name, inputValue(caller, input, inputs));
  const known = new Set(network.inputs.map(({ name }) => name));
  const unknown = Object.keys(inputs).find((name) => !known.has(name));
  if (unknown !== undefined) {
    const names = listed([...known]) || 'none';
    throw new TypeError(`${caller}: the model has no input ${unknown}. Its inputs are: ${names}.`);
  }
  return values;
}

function inputValue(
  caller: string,
  { name, type, shape }: OnnxValue,
  inputs: Readonly<Record<string, Tensor | IntTensor | Variable>>,
): Value {
  const value = Object.hasOwn(inputs, name) ? inputs[name] : undefined;
  const isInt = kindOf(type) === 'int';
  if (isInt ? !isIntTensor(value) : !isVariable(value) && !isTensor(value)) {
    const expected = isInt ? 'an int tensor { shape, data: Int32Array }' : 'a tensor { shape, data: Float32Array }';
    throw mismatch(caller, `the input ${abbreviate(name)}`, expected, value);
  }
  if (shape !== undefined) {
    // Some exporters write a length that is not known as −1 or 0.
    const lengths = shape.map((length) => (typeof length === 'number' && length > 0 ? length : undefined));
    const letters = shape.map(
      (length, i) => lengths[i] ?? (typeof length === 'string' && length !== '' ? abbreviate(length) : '…'),
    );
    checkShape(caller, abbreviate(name), value!.shape, `[${letters.join(', ')}]`, lengths);
  }
  return isInt ? (value as IntTensor) : operand(caller, value as Tensor | Variable, name);
}

/**
 * Computes the outputs of an imported model.
 *
 * @param network the imported model
 * @param inputs tensors by name, in the layout of the file; an int tensor if the file declares integers
 * @param parameters Default: the parameters of the file.
 * @returns the outputs by name; integer outputs are converted to floats
 * @throws TypeError if an input or a parameter is missing or of the wrong kind
 * @throws RangeError if a shape does not fit, or the results of all nodes have more than 2²³ elements and 1024 for
 *   every element of the inputs and constants; errors inside the model name the node
 * @example
 * const bytes = atob('CAgSABoAQgQKABANOkcKEwoBeAoBdxIBeRoAIgZNYXRNdWwSAWcqFwoCAwEQAUIBd0oMAACAPwAAAEAAAEBAWgkKAXgS' +
 *   'BAoCCAFiCQoBeRIECgIIAQ==');
 * const network = importOnnx(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
 * predictOnnx(network, { x: full([2, 3], 1) }).y!.shape; // [2, 1]
 */
export function predictOnnx(
  network: OnnxNetwork,
  inputs: Readonly<Record<string, Tensor | IntTensor>>,
  parameters?: OnnxParameters,
): Readonly<Record<string, Tensor>> {
  checkKind('predictOnnx', 'network', network, 'a network, as importOnnx returns', 'constants');
  return withCaller('predictOnnx', () =>
    compute(parameters ?? network.parameters, (p) => runNetwork('predictOnnx', network, p, inputs)),
  );
}
