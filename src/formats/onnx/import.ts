/** Importing of ONNX files: every node is read once, and what cannot be run is refused all at once. */

import { type IntTensor, isIntTensor, isTensor, type Tensor } from '../../tensor/tensor';
import { decodeOnnx } from './decode';
import type { OnnxGraph, OnnxNode } from './model';
import type { OnnxNetwork, OnnxParameters, Step } from './network';
import type { Kind, NodeReader, Prepared } from './node-reader';
import { operatorOf } from './operators';
import { constantOf, kindOf } from './values';

/** The versions of ONNX' operators that are known. */
const oldest = 7;
const newest = 25;

const refuse = (what: string): never => {
  throw new RangeError(`importOnnx: ${what}`);
};

/**
 * Reads a model from an ONNX file as a function of ops: recurrent networks as PyTorch's and Keras' exporters write them. RNN, LSTM (also with peepholes) and GRU in
 * both directions, with lengths and initial states, and Gather, MatMul, Gemm, LayerNormalization, Softmax, LogSoftmax, Abs, Exp, LeakyRelu, Log, Relu, Sigmoid,
 * Softplus, Sqrt, Tanh, Add, Sub, Mul, Div, Concat, Slice, Transpose, Reshape, Flatten, Squeeze, Unsqueeze, Expand, Shape, Cast, Constant, ConstantOfShape,
 * Identity, Dropout, Where and, of whole numbers, Equal, Less and Range.
 *
 * Every constant of floats is a parameter that can be trained; constants that belong to one recurrent node alone are turned into the parameters of its cell, with
 * its two biases added up where they do the same. Double precision becomes single, whole numbers are cut to 32 bits.
 *
 * @param file the bytes of the `.onnx` file, with all its numbers inside; operators of the versions 7 to 25
 * @throws RangeError where the file is cut short or is not what it says, and where something in it cannot be run, naming every operator with the reason
 * @example
 * const bytes = atob('CAgSABoAQgQKABANOkcKEwoBeAoBdxIBeRoAIgZNYXRNdWwSAWcqFwoCAwEQAUIBd0oMAACAPwAAAEAAAEBAWgkKAXgSBAoCCAFiCQoBeRIECgIIAQ==');
 * const network = importOnnx(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
 * network.parameters.w.shape; // [3, 1]
 * predictOnnx(network, { x: tensor([[1, 1, 1], [0, 0, 1]]) }).y.data; // Float32Array [6, 3]
 */
export function importOnnx(file: Uint8Array | ArrayBuffer): OnnxNetwork {
  const { graph, opsets } = decodeOnnx('importOnnx', file);
  const opset = Object.hasOwn(opsets, '')
    ? opsets['']!
    : refuse('the model does not say which version of ONNX’ operators it has. Is this an ONNX file?');
  if (!(opset >= oldest && opset <= newest))
    refuse(
      `the model has version ${opset} of ONNX’ operators; ${oldest} to ${newest} are known. Export it with another opset_version.`,
    );
  const constants = constantsOf(graph);
  const inputs = graph.inputs.filter(({ name }) => !constants.has(name));
  const uses = [...graph.nodes.flatMap((node) => node.inputs), ...graph.outputs.map(({ name }) => name)].reduce(
    (counts, name) => counts.set(name, (counts.get(name) ?? 0) + 1),
    new Map<string, number>(),
  );
  const wrong: string[] = [];
  const kinds = new Map<string, Kind | undefined>(
    [...constants].map(([name, constant]) => [name, isIntTensor(constant) ? 'whole' : 'float']),
  );
  for (const { name, type } of inputs) {
    if (name === '') refuse('there is an input without a name.');
    if (kinds.has(name)) refuse(`there are two inputs ${JSON.stringify(name)}.`);
    kinds.set(name, kindOf(type));
    if (kindOf(type) === undefined)
      wrong.push(`the input ${JSON.stringify(name)} is of ${type === '' ? 'no type that is said' : type}`);
  }

  const own = new Map<string, Tensor | NonNullable<Prepared['own']>>();
  const steps = graph.nodes.flatMap((node): readonly Step[] => {
    const named = [node.name, ...node.outputs].find((name) => name !== '') ?? '';
    const label = `${node.domain === '' ? '' : `${node.domain}.`}${node.opType} ${JSON.stringify(named)}`;
    const taken: string[] = [];
    const constant = (i: number): Tensor | undefined => {
      const value = constants.get(node.inputs[i] ?? '');
      if (!isTensor(value) || uses.get(node.inputs[i]!) !== 1) return undefined;
      taken.push(node.inputs[i]!);
      return value;
    };
    const result = prepare(
      node,
      opset,
      node.inputs.map((name) => (name === '' || kinds.has(name) ? kinds.get(name) : missing(label, name))),
      constant,
      uses,
    );
    for (const name of node.outputs) {
      if (name !== '' && kinds.has(name)) refuse(`${label} answers ${JSON.stringify(name)}, which there is already.`);
      if (name !== '') kinds.set(name, typeof result === 'string' ? undefined : result.kind);
    }
    if (typeof result === 'string') {
      wrong.push(`${label} ${result}`);
      return [];
    }
    if (result.own !== undefined) for (const name of taken) constants.delete(name);
    const key = result.own === undefined ? '' : keyOf(node, (name) => own.has(name) || constants.has(name));
    if (result.own !== undefined) own.set(key, result.own);
    return [{ label, inputs: node.inputs, outputs: node.outputs, run: result.run, own: key }];
  });
  for (const { name } of graph.outputs) if (!kinds.has(name)) missing('the model', name);
  if (graph.outputs.length === 0) refuse('the model answers nothing.');
  if (wrong.length > 0)
    refuse(
      `${wrong.length === 1 ? 'one thing' : `${wrong.length} things`} in the model cannot be run here: ${wrong.join('; ')}.`,
    );
  const used = [...constants].filter(([name]) => uses.has(name));
  return {
    parameters: Object.fromEntries([...used.filter(([, constant]) => isTensor(constant)), ...own]) as OnnxParameters,
    inputs,
    outputs: graph.outputs,
    constants: Object.fromEntries(used.filter(([, constant]) => isIntTensor(constant))) as Readonly<
      Record<string, IntTensor>
    >,
    steps,
  };
}

function constantsOf({ initializers }: OnnxGraph): Map<string, Tensor | IntTensor> {
  const constants = new Map<string, Tensor | IntTensor>();
  for (const tensor of initializers) {
    if (tensor.name === '') refuse('there is an initializer without a name.');
    if (constants.has(tensor.name)) refuse(`there are two initializers ${JSON.stringify(tensor.name)}.`);
    constants.set(tensor.name, constantOf(tensor));
  }
  return constants;
}

function missing(label: string, name: string): never {
  return refuse(`${label} needs ${JSON.stringify(name)}, which nothing before it answers.`);
}

/** A node ready to run, or the reason why it cannot be. */
function prepare(
  node: OnnxNode,
  opset: number,
  kinds: readonly (Kind | undefined)[],
  constant: NodeReader['constant'],
  uses: ReadonlyMap<string, number>,
): Prepared | string {
  const operator = node.domain === '' ? operatorOf(node.opType) : undefined;
  if (operator === undefined) return 'is an operator that is not known';
  const seen = new Set<string>();
  try {
    const result = operator({ node, opset, kinds, constant, seen });
    const strange = Object.keys(node.attributes).find((name) => !seen.has(name));
    if (strange !== undefined) return `has the attribute ${strange}, which is not known`;
    const more = node.outputs.findIndex((name, i) => name !== '' && uses.has(name) && i >= (result.outputs ?? 1));
    return more < 0 ? result : `answers more than is known: ${JSON.stringify(node.outputs[more])}`;
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

/** A name for the parameters of a node: its own, or that of something that it answers. */
function keyOf({ name, outputs }: OnnxNode, isTaken: (name: string) => boolean): string {
  return (
    [name, ...outputs].find((each) => each !== '' && !isTaken(each)) ??
    refuse(`a node has no name that is its own: ${JSON.stringify(name)}.`)
  );
}
