/** Streams of ONNX networks with general graphs: convolutions, recurrent layers, and everything around them. */

import { localWorkspace, type Workspace } from '../../kernels/workspace';
import { memoryView } from '../../recurrence/cell-stream';
import { withCaller } from '../../tensor/error-context';
import { checkNames, checkObject, formatShape, sameShape, sizeOf } from '../../tensor/shape';
import { abbreviate, listed } from '../listing';
import { decodeOnnx, sizeOfFiles } from './decode';
import type { ExternalData, OnnxModel } from './model';
import { opsetOf } from './opset';
import { withRunLimit } from './run-limit';
import { newView, offsetOf, type Plan } from './streaming/plan';
import { planNetwork } from './streaming/plan-network';
import { readSignature, type Signature, type SignatureOptions } from './streaming/signature';
import { createStream, type OnnxStream, type Program, type Slot } from './streaming/stream';
import type { View } from './streaming/view';

/** Options of {@link importOnnxStream}. */
export interface OnnxStreamOptions extends SignatureOptions {
  /** The files next to the model that have the data of its tensors, by their names in the model. */
  readonly externalData?: ExternalData | undefined;
}

/**
 * Imports a network from an ONNX file as a stream: it runs one frame or time step per call, as audio models in the
 * browser do, and carries the state. Unlike {@link importOnnx}, it accepts graphs with `Pad` nodes that add elements
 * and convolutions over several axes, such as Silero VAD, and the network cannot be trained.
 *
 * The shapes of all values are resolved once. Constants are folded, weights are packed for the kernels, and shapes,
 * constants and `options.inputs` decide each `If`, whose other branch is not decoded; a step then allocates only its
 * outputs. Half precision is converted to single.
 *
 * Supported operators: Conv and MaxPool in any number of dimensions; Pad (constant, reflect, edge); LSTM, GRU with
 * linear_before_reset; Gemm, MatMul with a matrix, Softmax, LogSoftmax, ReduceSum, ReduceMean, ReduceMax, ReduceMin,
 * Abs, Clip, Elu, Exp, HardSigmoid, LeakyRelu, Log, Neg, Reciprocal, Relu, Sigmoid, Softplus, Sqrt, Tanh, Add, Sub,
 * Mul, Div, Pow, Max, Min, Concat, Split, Slice, Gather with constant indices, Transpose, Reshape, Flatten, Squeeze,
 * Unsqueeze, Expand, Shape, Size, Cast, Constant, ConstantOfShape, Identity, Dropout, If; and comparisons, And, Or and
 * Not of constants.
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
  // The constants are counted as floats that fill the files, since most graphs of attributes are not decoded.
  const sizeOfConstants = (file.byteLength + sizeOfFiles(caller, externalData)) / 4;
  return createStream(withCaller(caller, () => planModel(localWorkspace(), model, sizeOfConstants, options)));
}

/**
 * Plans a model, with slots for its inputs, outputs and states.
 *
 * @param sizeOfConstants the number of elements of its constants
 */
function planModel(
  workspace: Workspace,
  model: OnnxModel,
  sizeOfConstants: number,
  options: SignatureOptions,
): Program {
  const graph = model.graph;
  const opset = opsetOf('importOnnxStream', model);
  const signature = readSignature(graph, options);
  const { constants, shapes, states } = signature;
  const size = [...shapes.values()].reduce((sum, shape) => sum + sizeOf(shape), sizeOfConstants);
  return withRunLimit(size, () => {
    const inputs: Slot[] = [];
    const { plan, outputs } = withSignature(signature, () =>
      planNetwork(workspace, graph, opset, (plan) => {
        const views = [...shapes].map(([name, shape]): [string, View] => [name, newView(plan, shape)]);
        inputs.push(...views.map(([name, view]) => slotOf(plan, name, view)));
        return new Map<string, View>([...constants, ...views]);
      }),
    );
    const results = outputs.map((view, i) => outputSlot(plan, graph.outputs[i]!.name, view));
    return {
      plan,
      inputs: inputs.filter(({ name }) => !states.has(name)),
      outputs: results.filter(({ name }) => ![...states.values()].includes(name)),
      states: inputs.flatMap((input) => {
        const next = results.find(({ name }) => name === states.get(input.name));
        return next === undefined ? [] : [{ input, next: checkNext(input, next) }];
      }),
    };
  });
}

/**
 * Adds the shapes and constants of the inputs to the message of an error, since a wrong one may have caused it, unless
 * something is not supported.
 */
function withSignature<R>({ shapes, constants }: Signature, body: () => R): R {
  try {
    return body();
  } catch (error) {
    const inputs = [
      ...[...shapes].map(([name, shape]) => `${abbreviate(name)} ${formatShape(shape)}`),
      ...[...constants].map(([name, { shape, data }]) => {
        const value = data.length === 1 ? data[0] : `a constant ${formatShape(shape)}`;
        return `${abbreviate(name)} = ${value}`;
      }),
    ];
    if (error instanceof RangeError && !error.message.includes('not supported'))
      error.message = `${error.message.replace(/\.$/, '')}. The inputs of the stream are: ${listed(inputs)}.`;
    throw error;
  }
}

function slotOf({ memory }: Plan, name: string, { shape, offset }: View): Slot {
  const size = sizeOf(shape);
  return { name, shape, size, offset, elements: memoryView(memory, offset, size) };
}

/** The slot of an output, in row-major order. */
function outputSlot(plan: Plan, name: string, view: View): Slot {
  if (view.kind !== 'float')
    throw new RangeError(`importOnnxStream: the output ${abbreviate(name)} is not of floats, which is not supported.`);
  return slotOf(plan, name, { ...view, offset: offsetOf(plan, view) });
}

function checkNext({ name, shape }: Slot, next: Slot): Slot {
  if (sameShape(shape, next.shape)) return next;
  throw new RangeError(
    `importOnnxStream: the state ${name} has the shape ${formatShape(shape)}, but its next value ${next.name} has ` +
      `${formatShape(next.shape)}. Pass the shape of the state: shapes: { ${name}: [..] }.`,
  );
}
