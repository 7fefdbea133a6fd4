/**
 * The ONNX decoder. It skips fields of a file that it does not need, and rejects those that would change the meaning of
 * the model, such as sparse initializers.
 */

import { lastOf } from '../../tensor/arrays';
import { formatShape, sizeOf } from '../../tensor/shape';
import { fileBytes } from '../file-bytes';
import { abbreviate } from '../listing';
import {
  attributeTypes,
  type ExternalData,
  maxAxes,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxTensorData,
  type OnnxValue,
  typeName,
} from './model';
import {
  allBytes,
  allDoubles,
  allFloats,
  allInt32,
  allInt64,
  allMessages,
  allNumbers,
  allTexts,
  has,
  integer,
  lastMessage,
  type Message,
  readMessage,
  text,
} from './protobuf';

const reject = (where: string, reason: string): never => {
  throw new RangeError(`${where} ${reason}`);
};

/** Graphs inside attributes are read to this depth. */
const maxDepth = 8;

/** The largest number of integers or floats in an attribute, other than in a tensor. */
const maxValues = 100_000;

/** How many times the size of the external data all tensors may take together: tied weights share bytes. */
const maxReuse = 3;

/** The context of the decoder besides the message of the graph. */
interface Context {
  readonly caller: string;
  readonly externalData: ExternalData;
  /** The number of graphs around this one. */
  readonly depth: number;
  /** The bytes that tensors may still take from external files. They may share bytes, but not without limit. */
  readonly budget: { remaining: number };
}

/**
 * Decodes an ONNX file. The graphs of attributes are decoded, and errors in them found, when they are used.
 *
 * @param caller the public function, for error messages
 * @param externalData the files next to the model, by name
 * @throws TypeError if an external file is neither a Uint8Array nor an ArrayBuffer
 * @throws RangeError if a file is truncated or malformed, an external file is missing, or a tensor has an unsupported
 *   type
 */
export function decodeOnnx(caller: string, file: Uint8Array | ArrayBuffer, externalData: ExternalData = {}): OnnxModel {
  const model = readMessage(`${caller}: the model`, fileBytes(caller, file));
  const graph = lastMessage(model, 7, 'graph') ?? reject(model.where, 'has no graph. Is this an ONNX file?');
  return {
    irVersion: integer(model, 1, 'ir_version'),
    producer: { name: text(model, 2, 'producer_name'), version: text(model, 3, 'producer_version') },
    opsets: Object.fromEntries(
      allMessages(model, 8, 'opset_import', (opset) => [
        domainOf(text(opset, 1, 'domain')),
        integer(opset, 2, 'version'),
      ]),
    ),
    graph: decodeGraph(
      { ...graph, where: `${caller}: the graph` },
      {
        caller,
        externalData,
        depth: 0,
        budget: { remaining: maxReuse * sizeOfFiles(caller, externalData) },
      },
    ),
  };
}

/** The size of files together, in bytes. @throws TypeError if one is neither a Uint8Array nor an ArrayBuffer */
export const sizeOfFiles = (caller: string, files: ExternalData): number =>
  Object.entries(files).reduce((sum, [name, file]) => sum + externalFile(caller, name, file).length, 0);

/** The bytes of an external file. @throws TypeError if it is neither a Uint8Array nor an ArrayBuffer */
const externalFile = (caller: string, name: string, file: Uint8Array | ArrayBuffer): Uint8Array =>
  fileBytes(`${caller}: externalData ${JSON.stringify(abbreviate(name))}`, file);

const domainOf = (domain: string): string => (domain === 'ai.onnx' ? '' : domain);

function decodeGraph(graph: Message, context: Context): OnnxGraph {
  if (has(graph, 15)) reject(graph.where, 'has sparse initializers, which are not supported.');
  return {
    name: text(graph, 2, 'name'),
    nodes: allMessages(graph, 1, 'node', (node) => decodeNode(node, context)),
    initializers: allMessages(graph, 5, 'initializer', (tensor) => decodeTensor(tensor, context)),
    inputs: allMessages(graph, 11, 'input', decodeValue),
    outputs: allMessages(graph, 12, 'output', decodeValue),
    values: allMessages(graph, 13, 'value_info', decodeValue),
  };
}

function decodeNode(node: Message, context: Context): OnnxNode {
  const decoded = {
    opType: text(node, 4, 'op_type'),
    domain: domainOf(text(node, 7, 'domain')),
    name: text(node, 3, 'name'),
    inputs: allTexts(node, 1, 'input'),
    outputs: allTexts(node, 2, 'output'),
    attributes: Object.fromEntries(
      allMessages(node, 5, 'attribute', (attribute) => [
        text(attribute, 1, 'name'),
        decodeAttribute(attribute, context),
      ]),
    ),
  };
  return decoded.opType === '' ? reject(node.where, 'has no op_type.') : decoded;
}

function decodeAttribute(attribute: Message, context: Context): OnnxAttribute {
  // Files of IR version 1 do not have the type field: the type follows from the field that has the value.
  const code = integer(attribute, 20, 'type') || attributeTypes.findIndex(([, field]) => has(attribute, field));
  const type = attributeTypes[code]?.[0];
  switch (type) {
    case 'float':
      return { type, value: lastOf(allFloats(attribute, 2, 'f')) ?? 0 };
    case 'int':
      return { type, value: integer(attribute, 3, 'i') };
    case 'string':
      return { type, value: text(attribute, 4, 's') };
    case 'tensor':
      return {
        type,
        value: decodeTensor(
          lastMessage(attribute, 5, 't') ?? reject(attribute.where, 'must have a tensor as its value.'),
          context,
        ),
      };
    case 'graph': {
      if (context.depth === maxDepth) reject(attribute.where, `exceeds the limit of ${maxDepth} nested graphs.`);
      const graph = lastMessage(attribute, 6, 'g') ?? reject(attribute.where, 'must have a graph as its value.');
      return graphAttribute(() => decodeGraph(graph, { ...context, depth: context.depth + 1 }));
    }
    case 'floats':
      return { type, value: floatsOf(attribute) };
    case 'ints':
      return { type, value: allNumbers(attribute, 8, 'ints', maxValues) };
    case 'strings':
      return { type, value: allTexts(attribute, 9, 'strings') };
    default:
      return { type: 'other' };
  }
}

/** An attribute whose graph is decoded at its first use, since a condition often selects one of several graphs. */
function graphAttribute(decode: () => OnnxGraph): OnnxAttribute {
  let graph: OnnxGraph | undefined;
  return {
    type: 'graph',
    get value() {
      graph ??= decode();
      return graph;
    },
  };
}

function floatsOf(attribute: Message): readonly number[] {
  const floats = allFloats(attribute, 7, 'floats');
  return floats.length <= maxValues
    ? [...floats]
    : reject(attribute.where, `must have at most ${maxValues} floats, got ${floats.length}.`);
}

function decodeTensor(tensor: Message, context: Context): OnnxTensor {
  const name = text(tensor, 8, 'name');
  const where = name === '' ? tensor.where : `${tensor.where} ${JSON.stringify(abbreviate(name))}`;
  if (has(tensor, 3)) reject(where, 'is stored in segments, which are not supported.');
  const named = { ...tensor, where };
  const shape = allNumbers(named, 1, 'axes', maxAxes);
  const isExternal = has(tensor, 13) || integer(tensor, 14, 'data_location') !== 0;
  const raw = isExternal ? externalBytes(named, context) : lastOf(allBytes(tensor, 9, 'raw_data'));
  const content = tensorData(named, raw);
  if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0) || sizeOf(shape) !== content.data.length) {
    reject(where, `has the shape ${formatShape(shape)}, but ${content.data.length} elements. Is the file truncated?`);
  }
  return { name, shape, ...content };
}

/** The bytes of a tensor in another file: `length` bytes at `offset`, or all from there on. */
function externalBytes(tensor: Message, { caller, externalData, budget }: Context): Uint8Array {
  const where = tensor.where;
  const entries = new Map(
    allMessages(tensor, 13, 'external_data', (entry) => [text(entry, 1, 'key'), text(entry, 2, 'value')] as const),
  );
  const location = entries.get('location') ?? reject(where, 'has external data without a location.');
  const name = JSON.stringify(abbreviate(location));
  if (!Object.hasOwn(externalData, location))
    reject(where, `is in the file ${name}, which is missing. Pass its bytes: externalData: { ${name}: bytes }.`);
  const file = externalFile(caller, location, externalData[location]!);
  const offset = Number(entries.get('offset') ?? 0);
  const length = Number(entries.get('length') ?? file.length - offset);
  if (![offset, length].every((value) => Number.isSafeInteger(value) && value >= 0) || offset + length > file.length)
    reject(where, `needs ${length} bytes at byte ${offset} of ${name}, which has ${file.length}. Is it truncated?`);
  budget.remaining -= length;
  if (budget.remaining < 0)
    reject(where, `and the tensors before it take more than ${maxReuse} times the external data.`);
  return file.subarray(offset, offset + length);
}

/** Reads the elements from `raw`, or from the field of their type, where types of up to 32 bits are varints. */
function tensorData(tensor: Message, raw: Uint8Array | undefined): OnnxTensorData {
  const type = typeName(integer(tensor, 2, 'data_type'));
  const aligned = (width: number): ArrayBuffer => {
    if (raw!.length % width !== 0)
      reject(tensor.where, `must have raw_data of a multiple of ${width} bytes, got ${raw!.length}.`);
    return raw!.slice().buffer as ArrayBuffer;
  };
  const varints = (): Int32Array => allInt32(tensor, 5, 'int32_data');
  switch (type) {
    case 'float':
      return { type, data: raw ? new Float32Array(aligned(4)) : allFloats(tensor, 4, 'float_data') };
    case 'double':
      return { type, data: raw ? new Float64Array(aligned(8)) : allDoubles(tensor, 10, 'double_data') };
    case 'int64':
      return { type, data: raw ? new BigInt64Array(aligned(8)) : allInt64(tensor, 7, 'int64_data') };
    case 'int32':
      return { type, data: raw ? new Int32Array(aligned(4)) : varints() };
    case 'float16':
    case 'bfloat16':
      return { type, data: raw ? new Uint16Array(aligned(2)) : Uint16Array.from(varints()) };
    case 'int8':
      return { type, data: raw ? new Int8Array(aligned(1)) : Int8Array.from(varints()) };
    case 'uint8':
    case 'bool':
      return { type, data: raw ? raw.slice() : Uint8Array.from(varints()) };
    default:
      return reject(
        tensor.where,
        'must be of type float, double, float16, bfloat16, int8, uint8, int32, int64 or bool, ' +
          `got ${type || 'no type'}.`,
      );
  }
}

function decodeValue(value: Message): OnnxValue {
  const name = text(value, 1, 'name');
  const type = lastMessage(value, 2, 'type');
  const tensor = type && lastMessage(type, 1, 'tensor_type');
  if (tensor === undefined) return { name, type: type === undefined ? '' : 'non-tensor' };
  const shape = lastMessage(tensor, 2, 'shape');
  const lengths =
    shape &&
    allMessages(shape, 1, 'dim', (dim) => (has(dim, 1) ? integer(dim, 1, 'dim_value') : text(dim, 2, 'dim_param')));
  if (lengths !== undefined && lengths.length > maxAxes)
    reject(value.where, `must have at most ${maxAxes} axes, got ${lengths.length}.`);
  return {
    name,
    type: typeName(integer(tensor, 1, 'elem_type')),
    ...(lengths === undefined ? {} : { shape: lengths }),
  };
}
