/** Encodes a recurrent layer as an ONNX model (opset 14) in the protobuf wire format. */

const varint = (value) => {
  const bytes = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) + 128);
  }
};
const integer = (field, value) => Buffer.from([...varint(field * 8), ...varint(value)]);
const bytes = (field, content) =>
  Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(content.length)]), content]);
const text = (field, value) => bytes(field, Buffer.from(value));
const message = (...parts) => Buffer.concat(parts);

const attribute = (name, value) =>
  Array.isArray(value)
    ? message(text(1, name), ...value.map((item) => integer(8, item)), integer(20, 7))
    : message(text(1, name), integer(3, value), integer(20, 2));
const node = (type, inputs, outputs, attributes = {}) =>
  message(
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, type),
    ...Object.entries(attributes).map(([name, value]) => bytes(5, attribute(name, value))),
  );
const tensor = (name, dims, data, type = 1) =>
  message(...dims.map((dim) => integer(1, dim)), integer(2, type), text(8, name), bytes(9, Buffer.from(data.buffer)));
const value = (name, dims) =>
  message(
    text(1, name),
    bytes(2, bytes(1, message(integer(1, 1), bytes(2, message(...dims.map((dim) => bytes(1, integer(1, dim)))))))),
  );

const operators = { rnn: ['RNN', 1], lstm: ['LSTM', 4], gru: ['GRU', 3] };

/**
 * Creates a model with random weights.
 *
 * @param classes size of the dense output layer. If omitted, the model has the state as input and output instead
 */
export function onnxModel(cell, { T, B, I, H }, classes) {
  const [type, gates] = operators[cell];
  const random = (size) => Float32Array.from({ length: size }, () => (Math.random() - 0.5) / Math.sqrt(H));
  const states = cell === 'lstm' ? ['h', 'c'] : ['h'];
  const streaming = classes === undefined;
  const inputs = ['x', 'w', 'r', 'b', '', ...(streaming ? states.map((name) => `${name}0`) : [])];
  const outputs = [streaming ? 'y' : 'y4', ...(streaming ? states.map((name) => `${name}1`) : [])];
  const nodes = [
    node(type, inputs, outputs, { hidden_size: H, ...(cell === 'gru' ? { linear_before_reset: 1 } : {}) }),
  ];
  const weights = [
    tensor('w', [1, gates * H, I], random(gates * H * I)),
    tensor('r', [1, gates * H, H], random(gates * H * H)),
    tensor('b', [1, 2 * gates * H], random(2 * gates * H)),
  ];
  if (!streaming) {
    nodes.push(
      node('Squeeze', ['y4', 'axes'], ['y3']),
      node('MatMul', ['y3', 'v'], ['products']),
      node('Add', ['products', 'vb'], ['logits']),
    );
    weights.push(
      tensor('axes', [1], new BigInt64Array([1n]), 7),
      tensor('v', [H, classes], random(H * classes)),
      tensor('vb', [classes], random(classes)),
    );
  }
  const graph = message(
    ...nodes.map((item) => bytes(1, item)),
    text(2, 'bench'),
    ...weights.map((item) => bytes(5, item)),
    bytes(11, value('x', [T, B, I])),
    ...(streaming ? states.map((name) => bytes(11, value(`${name}0`, [1, B, H]))) : []),
    ...(streaming
      ? [bytes(12, value('y', [T, 1, B, H])), ...states.map((name) => bytes(12, value(`${name}1`, [1, B, H])))]
      : [bytes(12, value('logits', [T, B, classes]))]),
  );
  return new Uint8Array(message(integer(1, 8), bytes(8, integer(2, 14)), bytes(7, graph)));
}
