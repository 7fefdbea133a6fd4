/** The ONNX encoder. */

import { type Bytes, joinBytes } from '../file-bytes';
import {
  attributeTypes,
  dataTypes,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
} from './model';
import { bytesField, floatField, floatsField, integerField, integersField, messageField, textField } from './protobuf';

/** Encodes a model as an ONNX file, from which `decodeOnnx` reads an equal model. */
export function encodeOnnx({ irVersion, producer, opsets, graph }: OnnxModel): Bytes {
  return joinBytes([
    integerField(1, irVersion),
    textField(2, producer.name),
    textField(3, producer.version),
    ...Object.entries(opsets).map(([domain, version]) =>
      messageField(8, [textField(1, domain), integerField(2, version)]),
    ),
    messageField(7, encodeGraph(graph)),
  ]);
}

function encodeGraph({ name, nodes, initializers, inputs, outputs, values }: OnnxGraph): readonly Uint8Array[] {
  return [
    ...nodes.map((node) => messageField(1, encodeNode(node))),
    textField(2, name),
    ...initializers.map((tensor) => messageField(5, encodeTensor(tensor))),
    ...inputs.map((input) => messageField(11, encodeValue(input))),
    ...outputs.map((output) => messageField(12, encodeValue(output))),
    ...values.map((value) => messageField(13, encodeValue(value))),
  ];
}

function encodeNode({ opType, domain, name, inputs, outputs, attributes }: OnnxNode): readonly Uint8Array[] {
  return [
    ...inputs.map((input) => textField(1, input)),
    ...outputs.map((output) => textField(2, output)),
    textField(3, name),
    textField(4, opType),
    ...Object.entries(attributes).map(([key, attribute]) =>
      messageField(5, [textField(1, key), ...encodeAttribute(key, attribute)]),
    ),
    ...(domain === '' ? [] : [textField(7, domain)]),
  ];
}

/** @throws TypeError for a type that ONNX does not have */
function reject(name: string, type: string): never {
  throw new TypeError(`encodeOnnx: ${name} must have a type of ONNX, got ${type}.`);
}

function encodeAttribute(name: string, attribute: OnnxAttribute): readonly Uint8Array[] {
  const type = integerField(
    20,
    attributeTypes.findIndex(([typeOfCode]) => typeOfCode === attribute.type),
  );
  switch (attribute.type) {
    case 'float':
      return [floatField(2, attribute.value), type];
    case 'int':
      return [integerField(3, attribute.value), type];
    case 'string':
      return [textField(4, attribute.value), type];
    case 'tensor':
      return [messageField(5, encodeTensor(attribute.value)), type];
    case 'graph':
      return [messageField(6, encodeGraph(attribute.value)), type];
    case 'floats':
      return [floatsField(7, attribute.value), type];
    case 'ints':
      return [integersField(8, attribute.value), type];
    case 'strings':
      return [...attribute.value.map((value) => textField(9, value)), type];
    case 'other':
      return reject(name, attribute.type);
  }
}

function encodeTensor({ name, shape, type, data }: OnnxTensor): readonly Uint8Array[] {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [integersField(1, shape), integerField(2, dataTypes.indexOf(type)), textField(8, name), bytesField(9, bytes)];
}

function encodeValue({ name, type, shape }: OnnxValue): readonly Uint8Array[] {
  const code = dataTypes.indexOf(type);
  if (code < 0) reject(name, type);
  const lengths = shape?.map((length) =>
    messageField(
      1,
      typeof length === 'number' ? [integerField(1, length)] : length === '' ? [] : [textField(2, length)],
    ),
  );
  return [
    textField(1, name),
    messageField(2, [
      messageField(1, [integerField(1, code), ...(lengths === undefined ? [] : [messageField(2, lengths)])]),
    ]),
  ];
}
