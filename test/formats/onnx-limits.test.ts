/**
 * Small ONNX models whose results would take gigabytes, or forever: a run rejects them before it allocates the results.
 */

import { compute, full, type IntTensor, type Tensor } from 'bptt';
import { importOnnx, predictOnnx, runOnnx } from 'bptt/onnx';
import { describe, expect, it } from 'vitest';
import { decodeOnnx } from '../../src/formats/onnx/decode';
import { defaultWorkspace } from '../../src/kernels/workspace';
import { floats, type GraphAttribute, int64, modelOf, type PlainNode } from '../golden/onnx';

type Options = Parameters<typeof modelOf>[3];

const predict = (nodes: readonly PlainNode[], options: Options = {}, x: Tensor = full([1], 0)): Tensor =>
  predictOnnx(importOnnx(modelOf(nodes, [['x', 'float']], 'y', options)), { x })['y']!;
const graph = (nodes: readonly PlainNode[], inputs: string, outputs: string, options: Options = {}): GraphAttribute => {
  const declared = inputs.split(' ').flatMap((name) => (name === '' ? [] : [[name, 'float'] as const]));
  return { type: 'graph', value: decodeOnnx('test', modelOf(nodes, declared, outputs, options)).graph };
};
/** A tensor of zeros, whose shape is an initializer. */
const zeros = (shape: string, name: string): PlainNode => ['ConstantOfShape', shape, name];
const large = 2 ** 22;

describe('a run rejects', () => {
  const lstm = [floats('W', [1, 8, 0], []), floats('R', [1, 8, 2], new Array<number>(16).fill(0))];
  const scan = (shape: string, body: GraphAttribute): readonly PlainNode[] => [
    zeros(shape, 'z'),
    ['Scan', 'x z', 'y', { body, num_scan_inputs: 1 }],
  ];
  const initializers = [
    int64('column', large, 1),
    int64('row', 1, large),
    int64('large', large),
    int64('none', 2 ** 31 - 1, 0),
    int64('steps', 2 ** 31 - 1, 1, 0),
    int64('million', 2 ** 20),
    int64('outer', 256, 1, 1, 2 ** 14),
    int64('inner', 1, 256, 2 ** 14, 1),
  ];
  it.each<[string, readonly PlainNode[], Options?]>([
    ['Expand', [['Expand', 'x pair', 'y']], { initializers: [int64('pair', large, large)] }],
    ['Add', [zeros('column', 'a'), zeros('row', 'b'), ['Add', 'a b', 'y']]],
    ['Max', [zeros('column', 'a'), zeros('row', 'b'), ['Max', 'a b', 'y']]],
    ['Where', [zeros('column', 'a'), zeros('row', 'b'), ['Cast', 'a', 'c', { to: 7 }], ['Where', 'c b b', 'y']]],
    ['MatMul', [zeros('column', 'a'), zeros('row', 'b'), ['MatMul', 'a b', 'y']]],
    ['MatMul, in the operands', [zeros('outer', 'a'), zeros('inner', 'b'), ['MatMul', 'a b', 'y']]],
    ['MatMul, of nothing', [zeros('none', 'a'), ['Transpose', 'a', 'b'], ['MatMul', 'a b', 'y']]],
    ['Gemm', [zeros('column', 'a'), zeros('row', 'b'), ['Gemm', 'a b', 'y']]],
    [
      'Gemm, in its third operand',
      [zeros('column', 'a'), zeros('large', 'c'), ['MatMul', 'x x', 's'], ['Gemm', 'a b c', 'y']],
      { initializers: [...initializers, floats('b', [1, 1], [1])] },
    ],
    [
      'Gather',
      [
        zeros('million', 'a'),
        ['Cast', 'a', 'i', { to: 7 }],
        zeros('million', 'b'),
        ['Unsqueeze', 'b axis', 't'],
        ['Gather', 't i', 'y'],
      ],
      { initializers: [...initializers, int64('axis', 0)] },
    ],
    [
      'ReduceSum',
      [zeros('none', 'a'), ['ReduceSum', 'a axis', 'y']],
      { initializers: [...initializers, int64('axis', 1)] },
    ],
    [
      'ReduceProd of integers',
      [
        zeros('none', 'a'),
        ['Cast', 'a', 'i', { to: 7 }],
        ['ReduceProd', 'i', 'p', { axes: [1] }],
        ['Cast', 'p', 'y', { to: 1 }],
      ],
    ],
    ['LSTM', [zeros('steps', 'a'), ['LSTM', 'a W R', 'y']], { initializers: [...initializers, ...lstm] }],
    ['Scan, whose graph computes nothing', scan('none', graph([], 's z', 's'))],
    [
      'Concat, again and again',
      Array.from(
        { length: 40 },
        (_, i): PlainNode => ['Concat', i === 0 ? 'x x' : `v${i} v${i}`, i === 39 ? 'y' : `v${i + 1}`, { axis: 0 }],
      ),
    ],
    [
      'many results',
      [
        zeros('large', 'v0'),
        ...Array.from({ length: 40 }, (_, i): PlainNode => ['Relu', `v${i}`, i === 39 ? 'y' : `v${i + 1}`]),
      ],
    ],
    [
      'many reads',
      [
        zeros('large', 'v'),
        ...Array.from({ length: 1000 }, (_, i): PlainNode => ['ReduceSum', 'v', i === 999 ? 'y' : `s${i}`]),
      ],
    ],
    [
      'constants of the graphs of Scan',
      [
        zeros('million', 'z'),
        [
          'Scan',
          'x z',
          'y',
          {
            num_scan_inputs: 1,
            body: graph(
              [
                ['Cast', 's', 'c', { to: 9 }],
                [
                  'If',
                  'c',
                  'r',
                  {
                    then_branch: graph([['Add', 'w s', 'a']], '', 'a', {
                      initializers: [floats('w', [1000], new Array<number>(1000).fill(0))],
                    }),
                    else_branch: graph([['Identity', 's', 'a']], '', 'a'),
                  },
                ],
                ['ReduceSum', 'r', 'next', { keepdims: 0 }],
              ],
              's z',
              'next',
            ),
          },
        ],
      ],
    ],
  ])('%s', (_, nodes, options = {}) => {
    expect(() => predict(nodes, { opset: 13, initializers, ...options })).toThrow(
      /^predictOnnx: .* "\w+": the results of all nodes must have at most \d+ elements with these inputs and constants, got /,
    );
    // 400 MB. Without the limit, these runs take gigabytes.
    expect(defaultWorkspace().memory.view.length).toBeLessThan(1e8);
  });

  it('Slice with the same axis twice', () => {
    const options = { opset: 9 };
    expect(() => predict([['Slice', 'x', 'y', { starts: [0, 0], ends: [1, 1], axes: [0, -1] }]], options)).toThrow(
      'predictOnnx: Slice "y": axes must be distinct',
    );
  });
});

describe('the limit', () => {
  it('grows with the inputs and the constants', () => {
    const outer: readonly PlainNode[] = [
      ['Transpose', 'x', 't'],
      ['MatMul', 'x t', 'y'],
    ];
    const column = (rows: number): Tensor => full([rows, 1], 1);
    expect(predict(outer, {}, column(3000)).shape).toEqual([3000, 3000]);
    // 2²³ + 1024 n elements are fewer than n².
    expect(() => predict(outer, {}, column(4000))).toThrow('got one of shape [4000, 4000]. Run fewer steps or rows');
    const unused = (size: number): Options => ({
      initializers: [floats('w', [size], new Array<number>(size).fill(0))],
    });
    const used: readonly PlainNode[] = [
      ...outer.slice(0, 1),
      ['MatMul', 'x t', 'm'],
      ['ReduceSum', 'w', 's'],
      ['Add', 'm s', 'y'],
    ];
    expect(predict(used, unused(30_000), column(4000)).shape).toEqual([4000, 4000]);
  });

  it('does not count views, and starts again with every run', () => {
    const views = Array.from(
      { length: 2000 },
      (_, i): PlainNode => ['Identity', i === 0 ? 'x' : `v${i}`, i === 1999 ? 'y' : `v${i + 1}`],
    );
    const network = importOnnx(modelOf(views, [['x', 'float']], 'y'));
    const x = full([100_000], 1);
    for (let run = 0; run < 10; run++) expect(predictOnnx(network, { x })['y']!.shape).toEqual([100_000]);
  });

  it('holds for runOnnx inside another computation', () => {
    const network = importOnnx(
      modelOf(
        [['Expand', 'x s', 'y']],
        [
          ['x', 'float'],
          ['s', 'int64'],
        ],
        'y',
      ),
    );
    const s: IntTensor = { shape: [2], data: Int32Array.of(large, large) };
    expect(() => compute({}, () => runOnnx(network, {}, { x: full([1], 0), s }))).toThrow(
      /^runOnnx: Expand "y": the results/,
    );
  });
});
