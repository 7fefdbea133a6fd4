/** Unsupported ONNX models and malformed files: each throws a clear error, in bounded time and memory. */

import { readdirSync } from 'node:fs';
import {
  compute,
  createRandom,
  full,
  integerNumber,
  layerNormLstm,
  recurrent,
  sequential,
  sum,
  tensor,
  valueAndGradient,
} from 'bptt';
import { exportOnnx, importOnnx, type OnnxNetwork, predictOnnx, runOnnx } from 'bptt/onnx';
import { describe, expect, it } from 'vitest';
import { joinBytes } from '../../src/formats/file-bytes';
import { integerField, messageField, textField, varint } from '../../src/formats/onnx/protobuf';
import { fileOf, floats, folder, int64, modelOf, type PlainNode } from '../golden/onnx';

const X = ['x', 'float'] as const;
const weights = (G: number): ReturnType<typeof floats>[] => [
  floats('W', [1, G * 2, 3], new Array<number>(G * 6).fill(0.1)),
  floats('R', [1, G * 2, 2], new Array<number>(G * 4).fill(0.1)),
];

describe('importOnnx rejects unsupported models with the reason', () => {
  const recurrent = (attributes: NonNullable<PlainNode[3]>, opType = 'LSTM', inputs = 'x W R'): Uint8Array =>
    modelOf([[opType, inputs, '- y', attributes]], [X], 'y', {
      initializers: weights({ LSTM: 4, GRU: 3, RNN: 1 }[opType]!),
    });
  const cases: [string, Uint8Array, string][] = [
    [
      'an unknown activation',
      recurrent({ activations: ['Sigmoid', 'Softmax', 'Tanh'] }),
      'LSTM "y": activations must be among tanh, relu, sigmoid, softplus, softsign, affine, leakyrelu, ' +
        'thresholdedrelu, scaledtanh, hardsigmoid, elu, got softmax',
    ],
    [
      'too many activations',
      recurrent({ activations: ['Tanh', 'Tanh'] }, 'RNN'),
      'RNN "y": activations must have length 1, got 2',
    ],
    [
      'an invalid direction',
      recurrent({ direction: 'sideways' }),
      'LSTM "y": direction must be one of forward, reverse, bidirectional, got sideways',
    ],
    ['an unknown attribute', recurrent({ zoneout: 1 }), 'LSTM "y": the attribute zoneout is not supported'],
    [
      'an attribute of another type',
      recurrent({ hidden_size: 'two' }),
      'LSTM "y": attribute hidden_size must be of type int, got string',
    ],
    [
      'weights of another hidden size',
      recurrent({ hidden_size: 4 }),
      'LSTM "y": W must be [D, G·H, I] = [1, 16, *], got [1, 8, 3]. D is 1, G 4, H 4.',
    ],
    [
      'weights of one direction for two',
      recurrent({ direction: 'bidirectional' }),
      'W must be [D, G·H, I] = [2, 8, *], got [1, 8, 3]',
    ],
    ['missing weights', recurrent({}, 'LSTM', 'x W'), 'LSTM "y": input 2 is missing'],
    [
      'a missing attribute of Slice',
      modelOf([['Slice', 'x', 'y', { starts: [0] }]], [X], 'y', { opset: 9 }),
      'Slice "y": the attributes starts and ends are required',
    ],
    ['float lengths', recurrent({}, 'LSTM', 'x W R - x'), 'LSTM "y": input 4 must be integers, got floats'],
    [
      'several operators, in one error',
      modelOf(
        [
          ['Einsum', 'x x', 'a'],
          ['ai.onnx.ml.Scaler', 'a', 'b'],
          ['constructor', 'b', 'c'],
          ['Add', 'c x', 'y'],
        ],
        [X],
        'y',
      ),
      'the model is not supported (3 problems): Einsum "a": the operator is not supported; ' +
        'ai.onnx.ml.Scaler "b": the operator is not supported; constructor "c": the operator is not supported.',
    ],
    [
      'control flow',
      modelOf([['Loop', 'x', 'y']], [X], 'y'),
      'the model is not supported (1 problem): Loop "y": the operator is not supported.',
    ],
    [
      'the mask of Dropout',
      modelOf([['Dropout', 'x', 'y mask']], [X], 'y mask'),
      'Dropout "y": the output "mask" is not supported',
    ],
    [
      'a sum of floats and integers',
      modelOf([['Add', 'x one', 'y']], [X], 'y', { initializers: [int64('one', 1)] }),
      'Add "y": input 1 must be floats, got integers',
    ],
    [
      'tanh of integers',
      modelOf([['Tanh', 'x', 'y']], [['x', 'int64']], 'y'),
      'Tanh "y": input 0 must be floats, got integers',
    ],
    [
      'an input of bytes',
      modelOf([['Tanh', 'x', 'y']], [['x', 'uint8']], 'y'),
      'input "x": the type uint8 is not supported',
    ],
    [
      'a cast to bytes',
      modelOf([['Cast', 'x', 'y', { to: 2 }]], [X], 'y'),
      'Cast "y": a cast to uint8 is not supported',
    ],
    [
      'a string constant',
      modelOf([['Constant', '', 'y', { value_string: 'a' }]], [X], 'y'),
      'Constant "y": the node must have a value attribute of floats or integers',
    ],
    [
      'too many inputs',
      modelOf([['Tanh', 'x x', 'y']], [X], 'y'),
      'Tanh "y": the node must have at most 1 input, got 2',
    ],
    ['an old opset', modelOf([['Tanh', 'x', 'y']], [X], 'y', { opset: 6 }), 'the opset version must be 7 to 25, got 6'],
    [
      'an opset of the future',
      modelOf([['Tanh', 'x', 'y']], [X], 'y', { opset: 99 }),
      'the opset version must be 7 to 25, got 99',
    ],
    [
      'no opset version',
      modelOf([['Tanh', 'x', 'y']], [X], 'y', { opset: 0 }),
      'the model does not specify its ONNX opset version',
    ],
    [
      'an undefined input of a node',
      modelOf([['Tanh', 'z', 'y']], [X], 'y'),
      'Tanh "y" uses "z", which is neither an input nor computed by a preceding node',
    ],
    [
      'an undefined output of the model',
      modelOf([['Tanh', 'x', 'y']], [X], 'y z'),
      'the model uses "z", which is neither an input nor computed by a preceding node',
    ],
    [
      'a cycle',
      modelOf(
        [
          ['Tanh', 'b', 'a'],
          ['Tanh', 'a', 'b'],
        ],
        [X],
        'b',
      ),
      'Tanh "a" uses "b", which is neither an input nor computed by a preceding node',
    ],
    [
      'two outputs with the same name',
      modelOf(
        [
          ['Tanh', 'x', 'y'],
          ['Relu', 'x', 'y'],
        ],
        [X],
        'y',
      ),
      'Relu "y" has the output "y", but that name is already defined',
    ],
    ['two inputs with the same name', modelOf([['Tanh', 'x', 'y']], [X, X], 'y'), 'two inputs have the name "x"'],
    [
      'two constants with the same name',
      modelOf([['Tanh', 'x', 'y']], [X], 'y', { initializers: [int64('a', 1), int64('a', 1)] }),
      'two initializers have the name "a"',
    ],
    [
      'a constant without a name',
      modelOf([['Tanh', 'x', 'y']], [X], 'y', { initializers: [int64('', 1)] }),
      'an initializer has no name',
    ],
    ['an input without a name', modelOf([['Tanh', 'x', 'y']], [X, ['', 'float']], 'y'), 'an input has no name'],
    ['no output', modelOf([['Tanh', 'x', 'y']], [X], ''), 'the model has no outputs'],
  ];

  it.each(cases)('%s', (_, file, message) => {
    expect(() => importOnnx(file)).toThrow(RangeError);
    expect(() => importOnnx(file)).toThrow('importOnnx: ');
    expect(() => importOnnx(file)).toThrow(message);
  });
});

describe('predictOnnx and runOnnx reject invalid inputs', () => {
  const network = importOnnx(
    modelOf(
      [
        ['LSTM', 'x W R - lengths', 'all y'],
        ['Tanh', 'all', 'z'],
      ],
      [
        ['x', 'float', ['T', 'B', 3]],
        ['lengths', 'int32', ['B']],
      ],
      'y',
      { initializers: weights(4) },
    ),
  );
  const lengths = { shape: [2], data: Int32Array.of(4, 2) };

  it.each([
    [
      'a missing input',
      { x: full([4, 2, 3], 1) },
      'predictOnnx: the input lengths must be an int tensor { shape, data: Int32Array }, got undefined.',
    ],
    [
      'an input of another kind',
      { x: lengths, lengths },
      'predictOnnx: the input x must be a tensor { shape, data: Float32Array }, got { shape, data: an instance of Int32Array }.',
    ],
    [
      'an unknown input',
      { x: full([4, 2, 3], 1), lengths, X: tensor(1) },
      'predictOnnx: the model has no input X. Its inputs are: x, lengths.',
    ],
    [
      'another shape',
      { x: full([4, 2, 5], 1), lengths },
      'predictOnnx: x must be [T, B, 3] = [*, *, 3], got [4, 2, 5].',
    ],
    ['another rank', { x: full([4, 3], 1), lengths }, 'predictOnnx: x must be [T, B, 3] = [*, *, 3], got [4, 3].'],
    [
      'lengths that exceed T',
      { x: full([3, 2, 3], 1), lengths },
      'predictOnnx: LSTM "all": lengths must be integers from 0 to 3, got 4 at index 0.',
    ],
  ])('%s', (_, inputs, message) =>
    expect(() => predictOnnx(network, inputs as Parameters<typeof predictOnnx>[1])).toThrow(message),
  );

  it('parameters of another model', () => {
    expect(() => compute({}, () => runOnnx(network, {}, { x: full([4, 2, 3], 1), lengths }))).toThrow(
      'runOnnx: parameters must have all. Do they belong to this network?',
    );
  });

  it('dropout in training mode', () => {
    const training = importOnnx(
      modelOf([['Dropout', 'x r t', 'y']], [X], 'y', {
        initializers: [floats('r', [], [0.5]), { name: 't', shape: [], type: 'bool', data: Uint8Array.of(1) }],
      }),
    );
    expect(() => predictOnnx(training, { x: tensor([1]) })).toThrow(
      'predictOnnx: Dropout "y": training_mode must be false. Export the model for inference',
    );
  });
});

it('a weight shared by two nodes is one parameter and gets both gradients', () => {
  const nodes: PlainNode[] = [
    ['RNN', 'x W R', '- a'],
    ['RNN', 'x W R', '- b', { direction: 'reverse' }],
    ['Add', 'a b', 'y'],
  ];
  const tied = importOnnx(modelOf(nodes, [X], 'y', { initializers: weights(1) }));
  expect(Object.keys(tied.parameters)).toEqual(['W', 'R']);
  const gradient = (name: 'a' | 'b' | 'y'): Float32Array => {
    const network: OnnxNetwork = { ...tied, outputs: [{ name, type: 'float' }] };
    return (
      valueAndGradient(network.parameters, (p) =>
        sum(runOnnx(network, p, { x: tensor([[[1, 2, 3]], [[0, 1, 1]]]) })[name]!),
      ).gradient['W'] as { data: Float32Array }
    ).data;
  };
  const [a, b] = [gradient('a'), gradient('b')];
  gradient('y').forEach((value, i) => expect(value).toBeCloseTo(a[i]! + b[i]!, 5));
  expect(a).not.toEqual(b);
});

it('an output without a name does not become the value of an omitted input', () => {
  const constants = [
    ...weights(1),
    floats('V', [1, 2, 2], [0.3, -0.2, 0.1, 0.4]),
    floats('S', [1, 2, 2], [0.1, 0.2, 0.3, 0.4]),
    int64('axes', 1),
  ];
  const nodes = (first: string): PlainNode[] => [
    ['RNN', 'x W R', first],
    ['Squeeze', 'a axes', 's'],
    ['RNN', 's V S - - -', '- y'],
  ];
  const output = (first: string): unknown =>
    predictOnnx(importOnnx(modelOf(nodes(first), [X], 'y', { initializers: constants })), {
      x: tensor([[[1, 2, 3]], [[0, 1, 1]]]),
    })['y'];
  expect(output('a -')).toEqual(output('a'));
});

it('names of Object.prototype are ordinary names', () => {
  const network = importOnnx(
    modelOf([['Add', 'constructor __proto__', 'toString']], [['constructor', 'float']], 'toString', {
      initializers: [floats('__proto__', [1], [2])],
    }),
  );
  expect(predictOnnx(network, Object.fromEntries([['constructor', tensor([1])]]))['toString']).toEqual(tensor([3]));
});

describe('importOnnx rejects malformed files', () => {
  const tensorFile = (...fields: Uint8Array[]): Uint8Array =>
    messageField(7, [messageField(5, [textField(8, 'w'), ...fields])]);
  const floatType = integerField(2, 1);
  const cases: [string, Uint8Array, string][] = [
    ['an empty file', new Uint8Array(0), 'the model has no graph. Is this an ONNX file?'],
    ['text', new TextEncoder().encode('hello, world'), 'has the invalid wire type'],
    ['a truncated file', fileOf('tagger.onnx').slice(0, -1), 'Is the file truncated?'],
    [
      'a length of exabytes',
      joinBytes([varint(7 * 8 + 2), varint(2n ** 62n)]),
      'the model needs 4611686018427388000 bytes at byte 10, but only 0 are left',
    ],
    ['an endless varint', new Uint8Array(64).fill(0xff), 'the model has a varint of more than 10 bytes'],
    [
      'millions of fields of two bytes',
      new Uint8Array(4e6).map((_, i) => (i % 2 === 0 ? 8 : 1)),
      'has more fields than any model of the size of this file',
    ],
    [
      'millions of empty nodes',
      messageField(7, [new Uint8Array(4e6).map((_, i) => (i % 2 === 0 ? 10 : 0))]),
      'has more fields than any model of the size of this file',
    ],
    ['a group', Uint8Array.of(7 * 8 + 3), 'the model has the invalid wire type 3 at byte 0'],
    ['an integer as the graph', integerField(7, 1), 'the model has a field graph of the wrong wire type'],
    [
      'names that are not UTF-8',
      messageField(7, [joinBytes([varint(2 * 8 + 2), varint(1), Uint8Array.of(0xff)])]),
      'the graph has a field name that is not valid UTF-8',
    ],
    [
      'external data without a location',
      tensorFile(floatType, messageField(13, [textField(1, 'offset'), textField(2, '0')]), integerField(14, 1)),
      'the graph initializer 0 "w" has external data without a location',
    ],
    [
      'graphs nested a thousand times',
      Uint8Array.of(
        ...messageField(8, [integerField(2, 17)]),
        ...messageField(7, [
          Array.from({ length: 1000 }).reduce<Uint8Array>(
            (graph) =>
              messageField(1, [textField(4, 'If'), messageField(5, [integerField(20, 5), messageField(6, [graph])])]),
            new Uint8Array(0),
          ),
        ]),
      ),
      'exceeds the limit of 8 nested graphs',
    ],
    [
      'missing elements',
      tensorFile(floatType, integerField(1, 3)),
      'the graph initializer 0 "w" has the shape [3], but 0 elements',
    ],
    [
      'a huge shape',
      tensorFile(floatType, integerField(1, 2 ** 40), integerField(1, 2 ** 40)),
      'has the shape [1099511627776, 1099511627776], but 0 elements',
    ],
    ['a negative length', tensorFile(floatType, integerField(1, -1)), 'has the shape [-1], but 0 elements'],
    [
      'a million axes',
      tensorFile(floatType, messageField(1, [new Uint8Array(1e6)])),
      'must have at most 64 axes, got 1000000',
    ],
    [
      'a partial element in raw_data',
      tensorFile(floatType, integerField(1, 1), messageField(9, [new Uint8Array(3)])),
      'must have raw_data of a multiple of 4 bytes, got 3',
    ],
    [
      'a partial element in float_data',
      tensorFile(floatType, integerField(1, 1), messageField(4, [new Uint8Array(3)])),
      'must have float_data of a multiple of 4 bytes, got 3',
    ],
    [
      'an unsupported type',
      tensorFile(integerField(2, 8), integerField(1, 0)),
      'must be of type float, double, float16, bfloat16, int8, uint8, int32, int64 or bool, got string',
    ],
    [
      'an unknown type',
      tensorFile(integerField(2, 77)),
      'must be of type float, double, float16, bfloat16, int8, uint8, int32, int64 or bool, got type 77',
    ],
    ['segments', tensorFile(floatType, messageField(3, [])), 'is stored in segments, which are not supported'],
    ['sparse initializers', messageField(7, [messageField(15, [])]), 'the graph has sparse initializers'],
  ];

  it.each(cases)('%s', (_, file, message) => {
    expect(() => importOnnx(file)).toThrow(RangeError);
    expect(() => importOnnx(file)).toThrow('importOnnx: ');
    expect(() => importOnnx(file)).toThrow(message);
  });

  it('a string instead of bytes throws a TypeError', () =>
    // @ts-expect-error A string is not a valid argument.
    expect(() => importOnnx('text')).toThrow(
      'importOnnx: file must be a Uint8Array or an ArrayBuffer, got a string. Read the file without an encoding.',
    ));

  const scan = sequential([recurrent(layerNormLstm(), { hiddenSize: 2 })], { inputSize: 2 });
  it.each<[string, Uint8Array]>([
    ...readdirSync(folder).flatMap((name): [string, Uint8Array][] =>
      name.endsWith('.onnx') ? [[name, fileOf(name)]] : [],
    ),
    ['a Scan', exportOnnx(scan, { lengths: true, state: true })],
  ])('%s with random changes: importOnnx either works or throws a RangeError that names it', (name, file) => {
    const random = createRandom(name.length);
    let [rejected, ran, failed] = [0, 0, 0];
    // The properties change files many more times.
    for (let i = 0; i < 150; i++) {
      const changed = file.slice(0, integerNumber(random, 10) === 0 ? integerNumber(random, file.length) : file.length);
      for (let k = integerNumber(random, 3); k >= 0 && changed.length > 0; k--)
        changed[integerNumber(random, changed.length)] = integerNumber(random, 256);
      let network: OnnxNetwork;
      try {
        network = importOnnx(changed);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
        expect((error as Error).message).toMatch(/^importOnnx: /);
        rejected++;
        continue;
      }
      try {
        predictOnnx(
          network,
          Object.fromEntries(
            network.inputs.map(({ name: input, type, shape = [] }) => {
              const lengths = shape.map((length) =>
                typeof length === 'number' ? Math.max(0, Math.min(length, 8)) : 3,
              );
              return [
                input,
                type === 'float'
                  ? full(lengths, 0.5)
                  : { shape: lengths, data: new Int32Array(lengths.reduce((n, length) => n * length, 1)).fill(1) },
              ];
            }),
          ),
        );
        ran++;
      } catch (error) {
        expect(error instanceof RangeError || error instanceof TypeError, String(error)).toBe(true);
        expect((error as Error).message).toMatch(/^predictOnnx: /);
        failed++;
      }
    }
    expect(rejected).toBeGreaterThan(5);
    expect(ran + failed).toBeGreaterThan(5);
  });
});
