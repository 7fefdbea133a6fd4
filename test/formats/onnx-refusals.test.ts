/** ONNX models that cannot be run, and files that are none: each is refused in words, without much time or memory. */

import { readdirSync } from 'node:fs';
import { compute, createRandom, full, integerNumber, sum, tensor, valueAndGradient } from 'bptt';
import { importOnnx, type OnnxNetwork, predictOnnx, runOnnx } from 'bptt/onnx';
import { describe, expect, it } from 'vitest';
import { joinBytes } from '../../src/formats/file-bytes';
import { integerField, messageField, textField, varint } from '../../src/formats/onnx/protobuf';
import { fileOf, floats, folder, int64, modelOf, type PlainNode } from '../golden/onnx';

const X = ['x', 'float'] as const;
const weights = (G: number): ReturnType<typeof floats>[] => [
  floats('W', [1, G * 2, 3], new Array<number>(G * 6).fill(0.1)),
  floats('R', [1, G * 2, 2], new Array<number>(G * 4).fill(0.1)),
];

describe('what cannot be run is refused at import, with the reason', () => {
  const recurrent = (attributes: NonNullable<PlainNode[3]>, opType = 'LSTM', inputs = 'x W R'): Uint8Array =>
    modelOf([[opType, inputs, '- y', attributes]], [X], 'y', {
      initializers: weights({ LSTM: 4, GRU: 3, RNN: 1 }[opType]!),
    });
  const cases: [string, Uint8Array, string][] = [
    ['clip', recurrent({ clip: 0.5 }), 'LSTM "y" has clip'],
    ['input_forget', recurrent({ input_forget: 1 }), 'LSTM "y" has input_forget, which couples its gates'],
    [
      'other activations of an LSTM',
      recurrent({ activations: ['Sigmoid', 'Relu', 'Tanh'] }),
      'LSTM "y" has the activations sigmoid, relu, tanh; sigmoid, tanh, tanh are known',
    ],
    [
      'other activations of a GRU',
      recurrent({ activations: ['HardSigmoid', 'Relu'] }, 'GRU'),
      'GRU "y" has the activations hardsigmoid, relu',
    ],
    [
      'another hard sigmoid',
      recurrent({ activations: ['HardSigmoid', 'Tanh'], activation_beta: { floats: [0.25] } }, 'GRU'),
      'GRU "y" has a hard sigmoid that is 0.25 at 0; 0.5 is known',
    ],
    [
      'another activation of an RNN',
      recurrent({ activations: ['Affine'] }, 'RNN'),
      'RNN "y" has the activation affine; tanh, relu, sigmoid, softplus are known',
    ],
    [
      'a number of activations',
      recurrent({ activations: ['Tanh', 'Tanh'] }, 'RNN'),
      'RNN "y" needs 1 activations, got 2',
    ],
    [
      'a direction',
      recurrent({ direction: 'sideways' }),
      'LSTM "y" has direction sideways; forward, reverse, bidirectional are known',
    ],
    [
      'an attribute that is not known',
      recurrent({ zoneout: 1 }),
      'LSTM "y" has the attribute zoneout, which is not known',
    ],
    [
      'an attribute of another type',
      recurrent({ hidden_size: 'two' }),
      'LSTM "y" has hidden_size of the type string, which should be int',
    ],
    [
      'weights of another hidden size',
      recurrent({ hidden_size: 4 }),
      'W must be [D, G·H, I] = [1, 16, *], got [1, 8, 3]. D is 1, G 4, H 4.',
    ],
    [
      'weights of one direction for two',
      recurrent({ direction: 'bidirectional' }),
      'W must be [D, G·H, I] = [2, 8, *], got [1, 8, 3]',
    ],
    ['no weights', recurrent({}, 'LSTM', 'x W'), 'LSTM "y" lacks its input 2'],
    [
      'lengths that are floats',
      recurrent({}, 'LSTM', 'x W R - x'),
      'LSTM "y" is known with whole numbers as its input 4, got floats',
    ],
    [
      'all operators at once',
      modelOf(
        [
          ['Conv', 'x x', 'a'],
          ['ai.onnx.ml.Scaler', 'a', 'b'],
          ['constructor', 'b', 'c'],
          ['Add', 'c x', 'y'],
        ],
        [X],
        'y',
      ),
      '3 things in the model cannot be run here: Conv "a" is an operator that is not known; ai.onnx.ml.Scaler "b" is an operator that is not known; constructor "c" is an operator that is not known.',
    ],
    [
      'control flow',
      modelOf([['Loop', 'x', 'y']], [X], 'y'),
      'one thing in the model cannot be run here: Loop "y" is an operator that is not known.',
    ],
    [
      'a mask of dropout',
      modelOf([['Dropout', 'x', 'y mask']], [X], 'y mask'),
      'Dropout "y" answers more than is known: "mask"',
    ],
    [
      'a sum of floats and whole numbers',
      modelOf([['Add', 'x one', 'y']], [X], 'y', { initializers: [int64('one', 1)] }),
      'Add "y" is known with floats as its input 1, got whole numbers',
    ],
    [
      'tanh of whole numbers',
      modelOf([['Tanh', 'x', 'y']], [['x', 'int64']], 'y'),
      'Tanh "y" is known with floats as its input 0, got whole numbers',
    ],
    [
      'an input of half precision',
      modelOf([['Tanh', 'x', 'y']], [['x', 'float16']], 'y'),
      'the input "x" is of float16',
    ],
    ['a cast to half precision', modelOf([['Cast', 'x', 'y', { to: 10 }]], [X], 'y'), 'Cast "y" casts to float16'],
    [
      'a constant of text',
      modelOf([['Constant', '', 'y', { value_string: 'a' }]], [X], 'y'),
      'Constant "y" has no value that is a number',
    ],
    ['more inputs than there are', modelOf([['Tanh', 'x x', 'y']], [X], 'y'), 'Tanh "y" takes at most 1 inputs, got 2'],
    [
      'old operators',
      modelOf([['Tanh', 'x', 'y']], [X], 'y', { opset: 6 }),
      'the model has version 6 of ONNX’ operators; 7 to 25 are known',
    ],
    [
      'operators that are not there yet',
      modelOf([['Tanh', 'x', 'y']], [X], 'y', { opset: 99 }),
      'the model has version 99 of ONNX’ operators',
    ],
    [
      'no version',
      modelOf([['Tanh', 'x', 'y']], [X], 'y', { opset: 0 }),
      'does not say which version of ONNX’ operators it has',
    ],
    [
      'what nobody answers',
      modelOf([['Tanh', 'z', 'y']], [X], 'y'),
      'Tanh "y" needs "z", which nothing before it answers',
    ],
    [
      'an output that nobody answers',
      modelOf([['Tanh', 'x', 'y']], [X], 'y z'),
      'the model needs "z", which nothing before it answers',
    ],
    [
      'a circle',
      modelOf(
        [
          ['Tanh', 'b', 'a'],
          ['Tanh', 'a', 'b'],
        ],
        [X],
        'b',
      ),
      'Tanh "a" needs "b", which nothing before it answers',
    ],
    [
      'two answers of one name',
      modelOf(
        [
          ['Tanh', 'x', 'y'],
          ['Relu', 'x', 'y'],
        ],
        [X],
        'y',
      ),
      'Relu "y" answers "y", which there is already',
    ],
    ['two inputs of one name', modelOf([['Tanh', 'x', 'y']], [X, X], 'y'), 'there are two inputs "x"'],
    [
      'two constants of one name',
      modelOf([['Tanh', 'x', 'y']], [X], 'y', { initializers: [int64('a', 1), int64('a', 1)] }),
      'there are two initializers "a"',
    ],
    [
      'a constant without a name',
      modelOf([['Tanh', 'x', 'y']], [X], 'y', { initializers: [int64('', 1)] }),
      'there is an initializer without a name',
    ],
    [
      'an input without a name',
      modelOf([['Tanh', 'x', 'y']], [X, ['', 'float']], 'y'),
      'there is an input without a name',
    ],
    ['no output', modelOf([['Tanh', 'x', 'y']], [X], ''), 'the model answers nothing'],
  ];

  it.each(cases)('%s', (_, file, message) => {
    expect(() => importOnnx(file)).toThrow(RangeError);
    expect(() => importOnnx(file)).toThrow('importOnnx: ');
    expect(() => importOnnx(file)).toThrow(message);
  });
});

describe('what does not fit is refused while it runs', () => {
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
      'an input that is missing',
      { x: full([4, 2, 3], 1) },
      'runOnnx: the input lengths must be an id tensor { shape, data: Int32Array }, got undefined.',
    ],
    [
      'an input of another kind',
      { x: lengths, lengths },
      'runOnnx: the input x must be a tensor { shape, data: Float32Array }, got an object with shape, data.',
    ],
    [
      'an input of another name',
      { x: full([4, 2, 3], 1), lengths, X: tensor(1) },
      'runOnnx: there is no input X. There are x, lengths.',
    ],
    ['another shape', { x: full([4, 2, 5], 1), lengths }, 'runOnnx: x must be [T, B, 3] = [*, *, 3], got [4, 2, 5].'],
    ['another rank', { x: full([4, 3], 1), lengths }, 'runOnnx: x must be [T, B, 3] = [*, *, 3], got [4, 3].'],
    [
      'lengths that do not fit',
      { x: full([3, 2, 3], 1), lengths },
      'runOnnx: LSTM "all": unroll: lengths[0] must be at most T = 3, got 4.',
    ],
  ])('%s', (_, inputs, message) => expect(() => predictOnnx(network, inputs as never)).toThrow(message));

  it('parameters of another model', () => {
    expect(() => compute({}, () => runOnnx(network, {}, { x: full([4, 2, 3], 1), lengths }))).toThrow(
      'runOnnx: parameters must have all. Are they those of this model?',
    );
  });

  it('dropout in training', () => {
    const wild = importOnnx(
      modelOf([['Dropout', 'x r t', 'y']], [X], 'y', {
        initializers: [floats('r', [], [0.5]), { name: 't', shape: [], type: 'bool', data: Uint8Array.of(1) }],
      }),
    );
    expect(() => predictOnnx(wild, { x: tensor([1]) })).toThrow(
      'runOnnx: Dropout "y": training_mode is on; only prediction is known',
    );
  });
});

it('a weight of two nodes is one parameter, and learns from both', () => {
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

it('an answer without a name goes nowhere: what is not given later stays so', () => {
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
  const answer = (first: string): unknown =>
    predictOnnx(importOnnx(modelOf(nodes(first), [X], 'y', { initializers: constants })), {
      x: tensor([[[1, 2, 3]], [[0, 1, 1]]]),
    })['y'];
  expect(answer('a -')).toEqual(answer('a'));
});

it('names of the prototype are names like any other', () => {
  const network = importOnnx(
    modelOf([['Add', 'constructor __proto__', 'toString']], [['constructor', 'float']], 'toString', {
      initializers: [floats('__proto__', [1], [2])],
    }),
  );
  expect(predictOnnx(network, { constructor: tensor([1]) } as never)['toString'] as unknown).toEqual(tensor([3]));
});

describe('files that are none', () => {
  const tensorFile = (...fields: Uint8Array[]): Uint8Array =>
    messageField(7, [messageField(5, [textField(8, 'w'), ...fields])]);
  const floatType = integerField(2, 1);
  const cases: [string, Uint8Array, string][] = [
    ['nothing', new Uint8Array(0), 'the model has no graph. Is this an ONNX file?'],
    ['text', new TextEncoder().encode('hello, world'), 'which cannot be'],
    ['cut short', fileOf('tagger.onnx').slice(0, -1), 'Was the file cut short?'],
    [
      'a length of exabytes',
      joinBytes([varint(7 * 8 + 2), varint(2n ** 62n)]),
      'the model needs 4611686018427388000 bytes at byte 10, but 0 follow',
    ],
    ['a number without end', new Uint8Array(64).fill(0xff), 'the model has a number of more than ten bytes'],
    [
      'fields of two bytes, millions of them',
      new Uint8Array(4e6).map((_, i) => (i % 2 === 0 ? 8 : 1)),
      'a file of more than 500000 fields is not read',
    ],
    [
      'millions of nodes of nothing',
      messageField(7, [new Uint8Array(4e6).map((_, i) => (i % 2 === 0 ? 10 : 0))]),
      'a file of more than 500000 fields is not read',
    ],
    ['a group', Uint8Array.of(7 * 8 + 3), 'the model has the wire type 3 at byte 0'],
    ['a graph that is a number', integerField(7, 1), 'the model has graph of the wrong wire type'],
    [
      'names that are not UTF-8',
      messageField(7, [joinBytes([varint(2 * 8 + 2), varint(1), Uint8Array.of(0xff)])]),
      'the graph has name that is not text in UTF-8',
    ],
    [
      'numbers in another file',
      tensorFile(floatType, messageField(13, [textField(1, 'location')]), integerField(14, 1)),
      'the graph initializer 0 "w" lies in another file (external data)',
    ],
    [
      'numbers that are missing',
      tensorFile(floatType, integerField(1, 3)),
      'the graph initializer 0 "w" is to have the shape [3], but 0 numbers follow',
    ],
    [
      'a shape beyond all numbers',
      tensorFile(floatType, integerField(1, 2 ** 40), integerField(1, 2 ** 40)),
      'is to have the shape [1099511627776, 1099511627776]',
    ],
    ['a negative length', tensorFile(floatType, integerField(1, -1)), 'is to have the shape [-1]'],
    ['axes without end', tensorFile(floatType, messageField(1, [new Uint8Array(1e6)])), 'has 1000000 axes'],
    [
      'half a number',
      tensorFile(floatType, integerField(1, 1), messageField(9, [new Uint8Array(3)])),
      'has 3 bytes, which is no multiple of 4',
    ],
    [
      'half a number in a field',
      tensorFile(floatType, integerField(1, 1), messageField(4, [new Uint8Array(3)])),
      'has float_data of 3 bytes, which is no multiple of 4',
    ],
    [
      'a type that is not read',
      tensorFile(integerField(2, 10), integerField(1, 0)),
      'has numbers of float16; float, double, int32, int64 and bool are read',
    ],
    ['a type that there is not', tensorFile(integerField(2, 77)), 'has numbers of type 77'],
    ['segments', tensorFile(floatType, messageField(3, [])), 'is given in segments'],
    ['sparse initializers', messageField(7, [messageField(15, [])]), 'the graph has sparse initializers'],
  ];

  it.each(cases)('%s', (_, file, message) => {
    expect(() => importOnnx(file)).toThrow(RangeError);
    expect(() => importOnnx(file)).toThrow('importOnnx: ');
    expect(() => importOnnx(file)).toThrow(message);
  });

  it('text instead of bytes is a TypeError', () =>
    expect(() => importOnnx('text' as never)).toThrow(
      'importOnnx: file must be a Uint8Array or an ArrayBuffer, got text.',
    ));

  it.each(readdirSync(folder).filter((name) => name.endsWith('.onnx')))(
    'whatever bytes of %s are changed, it is imported and runs, or is refused by a RangeError of this function',
    (name) => {
      const random = createRandom(name.length);
      const file = fileOf(name);
      let [refused, ran, failed] = [0, 0, 0];
      for (let i = 0; i < 600; i++) {
        const wrong = file.slice(0, integerNumber(random, 10) === 0 ? integerNumber(random, file.length) : file.length);
        for (let k = integerNumber(random, 3); k >= 0 && wrong.length > 0; k--)
          wrong[integerNumber(random, wrong.length)] = integerNumber(random, 256);
        let network: OnnxNetwork;
        try {
          network = importOnnx(wrong);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          expect((error as Error).message).toMatch(/^importOnnx: /);
          refused++;
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
                    : { shape: lengths, data: new Int32Array(lengths.reduce((n, each) => n * each, 1)).fill(1) },
                ];
              }),
            ),
          );
          ran++;
        } catch (error) {
          expect(error instanceof RangeError || error instanceof TypeError, String(error)).toBe(true);
          expect((error as Error).message).toMatch(/^runOnnx: /);
          failed++;
        }
      }
      expect(refused).toBeGreaterThan(20);
      expect(ran + failed).toBeGreaterThan(20);
    },
  );
});
