/** Import of ONNX files. Every node is read once; one error lists everything that is not supported. */

import { type IntTensor, isIntTensor, isTensor, type Tensor } from '../../tensor/tensor';
import { abbreviate, listed } from '../listing';
import { decodeOnnx } from './decode';
import type { OnnxGraph, OnnxModel, OnnxNode, OnnxValue } from './model';
import type { OnnxNetwork, OnnxParameters, Step } from './network';
import type { Kind, NodeParameters, NodeReader, PreparedNode } from './node-reader';
import { operatorOf } from './operators';
import { constantOf, kindOf } from './values';

/** The supported versions of the ONNX operator set. */
const oldestOpset = 7;
const newestOpset = 25;

/**
 * Imports a recurrent network from an ONNX file, as the exporters of PyTorch and Keras write it, for prediction and
 * training.
 *
 * Supported operators: RNN, LSTM (also with peepholes) and GRU in one or both directions, with sequence lengths and
 * initial states; Gather, MatMul, Gemm, LayerNormalization, Softmax, LogSoftmax, Abs, Exp, LeakyRelu, Log, Relu,
 * Sigmoid, Softplus, Sqrt, Tanh, Add, Sub, Mul, Div, Concat, Slice, Transpose, Reshape, Flatten, Squeeze, Unsqueeze,
 * Expand, Shape, Cast, Constant, ConstantOfShape, Identity, Dropout and Where; on integers also Equal, Less and Range.
 *
 * Every float constant is a trainable parameter. Constants that only one recurrent node uses are converted to the
 * parameters of its cell; its two biases are added if their sum is equivalent. Double precision is converted to single,
 * and integers are clamped to 32 bits.
 *
 * @param file the content of the `.onnx` file, with all tensor data inside; operator set 7 to 25
 * @returns the network for {@link predictOnnx} and {@link runOnnx}, with its parameters
 * @throws TypeError if `file` is neither a Uint8Array nor an ArrayBuffer
 * @throws RangeError if the file is truncated or malformed, or if the model has unsupported operators, attributes or
 *   types; the message lists each of them with the reason
 * @example
 * const bytes = atob('CAgSABoAQgQKABANOkcKEwoBeAoBdxIBeRoAIgZNYXRNdWwSAWcqFwoCAwEQAUIBd0oMAACAPwAAAEAAAEBAWgkKAXgS' +
 *   'BAoCCAFiCQoBeRIECgIIAQ==');
 * const network = importOnnx(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
 * network.parameters.w!.shape; // [3, 1]
 * predictOnnx(network, { x: tensor([[1, 1, 1], [0, 0, 1]]) }).y!.data; // Float32Array [6, 3]
 */
export function importOnnx(file: Uint8Array | ArrayBuffer): OnnxNetwork {
  const { graph, opsets } = decodeOnnx('importOnnx', file);
  const opset = opsetOf(opsets);
  const constants = readConstants(graph);
  const inputs = graph.inputs.filter(({ name }) => !constants.has(name));
  const state: ImportState = {
    opset,
    constants,
    uses: countUses(graph),
    kinds: new Map([...constants].map(([name, constant]) => [name, isIntTensor(constant) ? 'int' : 'float'])),
    parameters: new Map(),
    problems: [],
  };
  declareInputs(state, inputs);
  const steps = graph.nodes.flatMap((node) => importNode(state, node) ?? []);
  if (graph.outputs.length === 0) reject('the model has no outputs.');
  for (const { name } of graph.outputs) if (!state.kinds.has(name)) rejectUndefined('the model', name);
  const { problems, parameters, uses } = state;
  if (problems.length > 0) {
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    reject(`the model is not supported (${count}): ${listed(problems, '; ')}.`);
  }
  const used = [...constants].filter(([name]) => uses.has(name));
  return {
    // The filters separate the two kinds of constants, which the types do not show.
    parameters: Object.fromEntries([
      ...used.filter(([, constant]) => isTensor(constant)),
      ...parameters,
    ]) as OnnxParameters,
    inputs,
    outputs: graph.outputs,
    constants: Object.fromEntries(used.filter(([, constant]) => isIntTensor(constant))) as Readonly<
      Record<string, IntTensor>
    >,
    steps,
  };
}

/** The state of an import. `importNode` updates all of it but `opset` and `uses`. */
interface ImportState {
  readonly opset: number;
  /** The constants of the file that are still used as they are. */
  readonly constants: Map<string, Tensor | IntTensor>;
  /** How many times each value is used, by nodes and as an output of the graph. */
  readonly uses: ReadonlyMap<string, number>;
  /** The kinds of all values so far; undefined if the type or the node that computes the value is not supported. */
  readonly kinds: Map<string, Kind | undefined>;
  /** The parameters of the recurrent nodes, by {@link Step.parameterKey}. */
  readonly parameters: Map<string, NodeParameters>;
  /** Everything that is not supported. */
  readonly problems: string[];
}

const reject = (message: string): never => {
  throw new RangeError(`importOnnx: ${message}`);
};

const rejectUndefined = (label: string, name: string): never =>
  reject(`${label} uses ${quoted(name)}, which is neither an input nor computed by a preceding node.`);

/** A name for error messages. */
const quoted = (name: string): string => JSON.stringify(abbreviate(name));

function opsetOf(opsets: OnnxModel['opsets']): number {
  const opset = Object.hasOwn(opsets, '') ? opsets['']! : undefined;
  if (opset === undefined) return reject('the model does not specify its ONNX opset version. Is this an ONNX file?');
  if (!(opset >= oldestOpset && opset <= newestOpset))
    reject(
      `the opset version must be ${oldestOpset} to ${newestOpset}, got ${opset}. Export with another opset_version.`,
    );
  return opset;
}

function readConstants({ initializers }: OnnxGraph): Map<string, Tensor | IntTensor> {
  const constants = new Map<string, Tensor | IntTensor>();
  for (const tensor of initializers) {
    if (tensor.name === '') reject('an initializer has no name.');
    if (constants.has(tensor.name)) reject(`two initializers have the name ${quoted(tensor.name)}.`);
    constants.set(tensor.name, constantOf(tensor));
  }
  return constants;
}

function countUses(graph: OnnxGraph): Map<string, number> {
  const uses = new Map<string, number>();
  for (const name of [...graph.nodes.flatMap((node) => node.inputs), ...graph.outputs.map((output) => output.name)])
    uses.set(name, (uses.get(name) ?? 0) + 1);
  return uses;
}

/** Adds the kinds of the inputs to the state, and inputs of unsupported types to its problems. */
function declareInputs({ kinds, problems }: ImportState, inputs: readonly OnnxValue[]): void {
  for (const { name, type } of inputs) {
    if (name === '') reject('an input has no name.');
    if (kinds.has(name)) reject(`two inputs have the name ${quoted(name)}.`);
    const kind = kindOf(type);
    kinds.set(name, kind);
    if (kind === undefined)
      problems.push(`input ${quoted(name)}: the type ${type === '' ? '(unspecified)' : type} is not supported`);
  }
}

/** Reads a node and updates the state. Returns the step that runs the node; undefined if it is not supported. */
function importNode(state: ImportState, node: OnnxNode): Step | undefined {
  const { constants, uses, kinds, parameters, problems } = state;
  const firstName = [node.name, ...node.outputs].find((name) => name !== '') ?? '';
  const operator = node.domain === '' ? node.opType : `${node.domain}.${node.opType}`;
  const label = `${abbreviate(operator)} ${quoted(firstName)}`;
  const inputKinds = node.inputs.map((name) =>
    name === '' || kinds.has(name) ? kinds.get(name) : rejectUndefined(label, name),
  );
  const exclusiveConstant = (i: number): Tensor | undefined => {
    const value = constants.get(node.inputs[i] ?? '');
    return isTensor(value) && uses.get(node.inputs[i]!) === 1 ? value : undefined;
  };
  const result = prepareNode({ node, opset: state.opset, kinds: inputKinds, exclusiveConstant }, uses);
  for (const name of node.outputs) {
    if (name === '') continue;
    if (kinds.has(name)) reject(`${label} has the output ${quoted(name)}, but that name is already defined.`);
    kinds.set(name, typeof result === 'string' ? undefined : result.kind);
  }
  if (typeof result === 'string') {
    problems.push(`${label}: ${result}`);
    return undefined;
  }
  for (const name of result.replaces ?? []) constants.delete(name);
  let parameterKey = '';
  if (result.parameters !== undefined) {
    parameterKey = unusedName(node, (name) => parameters.has(name) || constants.has(name));
    parameters.set(parameterKey, result.parameters);
  }
  return { label, inputs: node.inputs, outputs: node.outputs, run: result.run, parameterKey };
}

/** Returns the prepared node, or the reason why it is not supported. */
function prepareNode(inputs: Omit<NodeReader, 'consumed'>, uses: ReadonlyMap<string, number>): PreparedNode | string {
  const { node } = inputs;
  const operator = node.domain === '' ? operatorOf(node.opType) : undefined;
  if (operator === undefined) return 'the operator is not supported';
  const reader: NodeReader = { ...inputs, consumed: new Set() };
  try {
    const result = operator(reader);
    const unknown = Object.keys(node.attributes).find((name) => !reader.consumed.has(name));
    if (unknown !== undefined) return `the attribute ${abbreviate(unknown)} is not supported`;
    const extra = node.outputs.find((name, i) => name !== '' && uses.has(name) && i >= (result.outputs ?? 1));
    return extra === undefined ? result : `the output ${quoted(extra)} is not supported`;
  } catch (error) {
    // Drop the name of the function that raised the error: the caller names the node instead.
    if (error instanceof RangeError) return error.message.replace(/^\w+: /, '').replace(/\.$/, '');
    throw error;
  }
}

/** The name under which the parameters of a node are stored: the node's name, or that of one of its outputs. */
function unusedName({ name, outputs }: OnnxNode, isTaken: (name: string) => boolean): string {
  return (
    [name, ...outputs].find((candidate) => candidate !== '' && !isTaken(candidate)) ??
    reject(`node ${quoted(name)} and its outputs have no name that is unique.`)
  );
}
