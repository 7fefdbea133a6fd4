/** Import of ONNX files. Every node is read once; one error lists everything that is not supported. */

import { operand } from '../../autodiff/tape';
import { checkNames, checkObject, counted } from '../../tensor/shape';
import { type IntTensor, isIntTensor, isTensor, type Tensor } from '../../tensor/tensor';
import { abbreviate, listed } from '../listing';
import { decodeOnnx } from './decode';
import type { ExternalData, OnnxGraph, OnnxNode, OnnxValue } from './model';
import { type OnnxNetwork, type OnnxParameters, runSteps, type Step } from './network';
import {
  type Body,
  type Kind,
  labelOf,
  type NodeParameters,
  type NodeReader,
  type Operator,
  operatorName,
  type PreparedNode,
  type Value,
} from './node-reader';
import { allOperators } from './operators';
import { opsetOf } from './opset';
import { spend } from './run-limit';
import { entryOf, type GraphScope, isDefined } from './scope';
import { importTensor, kindOf, sizesOf } from './values';

/** Options of {@link importOnnx}. */
export interface ImportOnnxOptions {
  /**
   * The files next to the model that have the data of its tensors, by their names in the model:
   * `{ 'model.onnx.data': bytes }`. Exporters write them for large models, and PyTorch since 2.9 for all models.
   */
  readonly externalData?: ExternalData | undefined;
}

/**
 * Imports a recurrent network from an ONNX file, as the exporters of PyTorch and Keras write it, for prediction and
 * training.
 *
 * Supported operators: RNN, LSTM (also with peepholes) and GRU in one or both directions, with sequence lengths,
 * initial states and all activations, clip and input_forget; Conv, MaxPool, AveragePool, GlobalMaxPool and
 * GlobalAveragePool over one axis; Gather, MatMul, Gemm, LayerNormalization, BatchNormalization at inference, Softmax,
 * LogSoftmax, Abs, Clip, Elu, Erf, Exp, Gelu, HardSigmoid, LeakyRelu, Log, Neg, Reciprocal, Relu, Sigmoid, Softplus,
 * Sqrt, Tanh, Add, Sub, Mul, Div, Pow, Max, Min, ReduceSum, ReduceMean, ReduceProd, ReduceMax, ReduceMin, ArgMax,
 * ArgMin, Concat, Split, Slice, Transpose, Reshape, Flatten, Squeeze, Unsqueeze, Expand, Shape, Size, Cast, Constant,
 * ConstantOfShape, Identity, Dropout, Pad with pads of 0, and Where; on integers also Equal, Less and Range; and If and
 * Scan, whose graphs can have all of these.
 *
 * DynamicQuantizeLSTM of onnxruntime runs with its weights converted to floats.
 *
 * Every float constant is a trainable parameter, except exponents, running statistics, and those of Constant nodes and
 * of the graphs of If and Scan. Constants that only one recurrent node uses are converted to the parameters of its
 * cell; its two biases are added if their sum is equivalent. Double and half precision are converted to single, and
 * integers are clamped to 32 bits.
 *
 * @param file the content of the `.onnx` file; operator set 7 to 25
 * @param options the files with tensor data next to it, if there are any
 * @returns the network for {@link predictOnnx} and {@link runOnnx}, with its parameters
 * @throws TypeError if `file` or one of the other files is neither a Uint8Array nor an ArrayBuffer
 * @throws RangeError if a file is truncated, malformed or missing, or if the model has unsupported operators,
 *   attributes or types; the message lists the first ones with the reasons
 * @example
 * const bytes = atob('CAgSABoAQgQKABANOkcKEwoBeAoBdxIBeRoAIgZNYXRNdWwSAWcqFwoCAwEQAUIBd0oMAACAPwAAAEAAAEBAWgkKAXgS' +
 *   'BAoCCAFiCQoBeRIECgIIAQ==');
 * const network = importOnnx(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
 * network.parameters.w!.shape; // [3, 1]
 * predictOnnx(network, { x: tensor([[1, 1, 1], [0, 0, 1]]) }).y!.data; // Float32Array [6, 3]
 */
export function importOnnx(file: Uint8Array | ArrayBuffer, options: ImportOnnxOptions = {}): OnnxNetwork {
  checkNames('importOnnx', 'options', options, ['externalData']);
  const { externalData = {} } = options;
  checkObject('importOnnx', 'externalData', externalData);
  const model = decodeOnnx('importOnnx', file, externalData);
  const graph = model.graph;
  const opset = opsetOf('importOnnx', model);
  const constants = readConstants(graph);
  const inputs = graph.inputs.filter(({ name }) => !constants.has(name));
  const state: ImportState = {
    opset,
    operators: allOperators(),
    constants,
    uses: countUses(graph),
    kinds: { own: kindsOf(constants) },
    known: { own: new Map(constants) },
    isBody: false,
    parameters: new Map(),
    problems: [],
    constantSize: { total: sizesOf([...constants.values()]) },
  };
  declareInputs(state, inputs);
  const steps = graph.nodes.flatMap((node) => importNode(state, node) ?? []);
  if (graph.outputs.length === 0) reject('the model has no outputs.');
  for (const { name } of graph.outputs) if (!isDefined(state.kinds, name)) rejectUndefined('the model', name);
  const { problems, parameters, uses } = state;
  if (problems.length > 0) {
    reject(`the model is not supported (${counted(problems.length, 'problem')}): ${listed(problems, '; ')}.`);
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
    constantSize: state.constantSize.total,
    steps,
  };
}

/** The state of the import of a graph. `importNode` updates all of it but `opset` and `uses`. */
interface ImportState {
  readonly opset: number;
  readonly operators: ReadonlyMap<string, Operator>;
  /** The constants of the file that are still used as they are. */
  readonly constants: Map<string, Tensor | IntTensor>;
  /** How many times each value is used, by nodes and as an output of the graph. */
  readonly uses: ReadonlyMap<string, number>;
  /** The kinds of all values so far; undefined if the type or the node that computes the value is not supported. */
  readonly kinds: GraphScope<Kind | undefined>;
  /** The values that do not depend on the inputs of the model: the constants of the file and of Constant nodes. */
  readonly known: GraphScope<Tensor | IntTensor>;
  /** Whether the graph is inside an attribute. Its constants are not trainable. */
  readonly isBody: boolean;
  /** The parameters of the recurrent nodes, by {@link Step.parameterKey}. */
  readonly parameters: Map<string, NodeParameters>;
  /** Everything that is not supported. */
  readonly problems: string[];
  /** The number of elements of all constants so far, also of those in the graphs of attributes. */
  readonly constantSize: { total: number };
}

const reject = (message: string): never => {
  throw new RangeError(`importOnnx: ${message}`);
};

const rejectUndefined = (label: string, name: string): never =>
  reject(`${label} uses ${quoted(name)}, which is neither an input nor computed by a preceding node.`);

/** A name for error messages. */
const quoted = (name: string): string => JSON.stringify(abbreviate(name));

function readConstants({ initializers }: OnnxGraph): Map<string, Tensor | IntTensor> {
  const constants = new Map<string, Tensor | IntTensor>();
  for (const tensor of initializers) {
    if (tensor.name === '') reject('an initializer has no name.');
    if (constants.has(tensor.name)) reject(`two initializers have the name ${quoted(tensor.name)}.`);
    constants.set(tensor.name, importTensor(tensor));
  }
  return constants;
}

const kindsOf = (constants: ReadonlyMap<string, Tensor | IntTensor>): Map<string, Kind | undefined> =>
  new Map([...constants].map(([name, constant]) => [name, isIntTensor(constant) ? 'int' : 'float']));

/** Counts the uses in a graph and in the graphs inside its attributes. */
function countUses(graph: OnnxGraph, uses: Map<string, number> = new Map()): Map<string, number> {
  const count = (name: string): unknown => uses.set(name, (uses.get(name) ?? 0) + 1);
  for (const { inputs, attributes } of graph.nodes) {
    inputs.forEach(count);
    for (const attribute of Object.values(attributes)) if (attribute.type === 'graph') countUses(attribute.value, uses);
  }
  for (const { name } of graph.outputs) count(name);
  return uses;
}

/** Adds the kinds of the inputs to the state, and inputs of unsupported types to its problems. */
function declareInputs({ kinds, problems }: ImportState, inputs: readonly OnnxValue[]): void {
  for (const { name, type } of inputs) {
    if (name === '') reject('an input has no name.');
    if (isDefined(kinds, name)) reject(`two inputs have the name ${quoted(name)}.`);
    const kind = kindOf(type);
    kinds.own.set(name, kind);
    if (kind === undefined)
      problems.push(`input ${quoted(name)}: the type ${type === '' ? '(unspecified)' : type} is not supported`);
  }
}

/** Reads a node and updates the state. Returns the step that runs the node; undefined if it is not supported. */
function importNode(state: ImportState, { inputs, ...rest }: OnnxNode): Step | undefined {
  const node = { ...rest, inputs: withoutOmitted(inputs) };
  const { constants, uses, kinds, known, parameters, problems } = state;
  const label = labelOf(node);
  const inputKinds = node.inputs.map((name) =>
    name === '' || isDefined(kinds, name) ? entryOf(kinds, name) : rejectUndefined(label, name),
  );
  const reader: NodeReader = {
    node,
    opset: state.opset,
    kinds: inputKinds,
    exclusiveConstant(i) {
      const value = constants.get(node.inputs[i] ?? '');
      return !state.isBody && isTensor(value) && uses.get(node.inputs[i]!) === 1 ? value : undefined;
    },
    constant: (i) => entryOf(known, node.inputs[i] ?? ''),
    importBody: (...body) => importBody(state, ...body),
    consumed: new Set(),
  };
  const result = prepareNode(reader, state);
  node.outputs.forEach((name, i) => {
    if (name === '') return;
    if (kinds.own.has(name)) reject(`${label} has the output ${quoted(name)}, but that name is already defined.`);
    kinds.own.set(name, typeof result === 'string' ? undefined : (result.kinds?.[i] ?? result.kind));
  });
  if (typeof result === 'string') {
    problems.push(`${label}: ${result}`);
    return undefined;
  }
  if (result.constant !== undefined) {
    known.own.set(node.outputs[0]!, result.constant);
    state.constantSize.total += sizesOf([result.constant]);
  }
  for (const name of result.replaces ?? []) if (uses.get(name) === 1) constants.delete(name);
  let parameterKey = '';
  if (result.parameters !== undefined) {
    parameterKey = unusedName(node, (name) => parameters.has(name) || constants.has(name));
    parameters.set(parameterKey, result.parameters);
  }
  return { label, inputs: node.inputs, outputs: node.outputs, run: result.run, parameterKey };
}

/** The inputs of a node without the omitted ones at the end. */
function withoutOmitted(inputs: readonly string[]): readonly string[] {
  let count = inputs.length;
  while (count > 0 && inputs[count - 1] === '') count--;
  return inputs.slice(0, count);
}

/** Imports a graph inside an attribute, which can use the values of the graphs around it. */
function importBody(
  outer: ImportState,
  attribute: string,
  graph: OnnxGraph,
  inputKinds: readonly (Kind | undefined)[],
): Body {
  const { inputs, outputs, nodes } = graph;
  if (inputs.length !== inputKinds.length)
    throw new RangeError(`${attribute} must have the number of inputs ${inputKinds.length}, got ${inputs.length}`);
  const constants = readConstants(graph);
  outer.constantSize.total += sizesOf([...constants.values()]);
  const kinds = { own: kindsOf(constants), outer: outer.kinds };
  inputs.forEach(({ name }, i) => kinds.own.set(name, inputKinds[i]));
  const known = { own: new Map(constants), outer: outer.known };
  const state = { ...outer, constants, uses: countUses(graph), kinds, known, isBody: true, problems: [] as string[] };
  const steps = nodes.flatMap((node) => importNode(state, node) ?? []);
  for (const { name } of outputs) if (!isDefined(kinds, name)) rejectUndefined(attribute, name);
  if (state.problems.length > 0) throw new RangeError(`in ${attribute}: ${listed(state.problems, '; ')}`);
  return {
    kinds: outputs.map(({ name }) => entryOf(kinds, name)),
    start: starterOf(
      inputs.map(({ name }) => name),
      outputs.map(({ name }) => name),
      steps,
      [...constants],
    ),
  };
}

/** The function that starts a graph. It is not inside {@link importBody}, whose state it would keep in memory. */
function starterOf(
  inputs: readonly string[],
  outputs: readonly string[],
  steps: readonly Step[],
  constants: readonly (readonly [name: string, constant: Tensor | IntTensor])[],
): Body['start'] {
  return (scope) => {
    spend(1, 0, sizesOf(constants.map(([, constant]) => constant)));
    const prepared = constants.map(([name, constant]): [string, Value] => [
      name,
      isIntTensor(constant) ? constant : operand('runOnnx', constant),
    ]);
    return (values) => {
      const own = new Map(prepared);
      // `checkInputs` has checked that a node with a graph omits none of its inputs.
      inputs.forEach((name, i) => own.set(name, values[i]!));
      const inner = { own, outer: scope };
      runSteps('', steps, inner, {});
      return outputs.map((name) => entryOf(inner, name));
    };
  };
}

/** Returns the prepared node, or the reason why it is not supported. */
function prepareNode(reader: NodeReader, { operators, uses, isBody }: ImportState): PreparedNode | string {
  const node = reader.node;
  const operator = operators.get(operatorName(node));
  if (operator === undefined) return 'the operator is not supported';
  try {
    const result = operator(reader);
    if (result.parameters !== undefined && isBody) return 'the operator is not supported inside another';
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
