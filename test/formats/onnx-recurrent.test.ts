/**
 * Attributes of RNN, LSTM and GRU: activations, clip and input_forget, by the equations of ONNX in double precision.
 */

import { checkGradients, createRandom, normal, sum, type Tensor, tensor } from 'bptt';
import { importOnnx, predictOnnx, runOnnx } from 'bptt/onnx';
import { describe, expect, it } from 'vitest';
import type { OnnxTensor } from '../../src/formats/onnx/model';
import { errorOf, floats, modelOf, type PlainNode } from '../golden/onnx';

const [T, I, H] = [4, 3, 2];
const random = createRandom(3);
const x = normal(0, 1)([T, 1, I], random);

type F = (value: number) => number;
const sigmoid: F = (value) => 1 / (1 + Math.exp(-value));
const functions: Readonly<Record<string, (alpha: number, beta: number) => F>> = {
  Tanh: () => Math.tanh,
  Relu: () => (v) => Math.max(0, v),
  Sigmoid: () => sigmoid,
  Softplus: () => (v) => Math.log(1 + Math.exp(v)),
  Softsign: () => (v) => v / (1 + Math.abs(v)),
  Affine: (alpha, beta) => (v) => alpha * v + beta,
  LeakyRelu: (alpha) => (v) => (v >= 0 ? v : alpha * v),
  ThresholdedRelu: (alpha) => (v) => (v > alpha ? v : 0),
  ScaledTanh: (alpha, beta) => (v) => alpha * Math.tanh(beta * v),
  HardSigmoid: (alpha, beta) => (v) => Math.min(1, Math.max(0, alpha * v + beta)),
  Elu: (alpha) => (v) => (v >= 0 ? v : alpha * (Math.exp(v) - 1)),
};

interface Weights {
  readonly tensors: OnnxTensor[];
  /** X Wᵀ + H Rᵀ + Wb + Rb of a gate and unit, each part apart. */
  readonly input: (t: number, gate: number, unit: number) => number;
  readonly hidden: (h: readonly number[], gate: number, unit: number) => number;
  readonly peephole: (gate: number, unit: number) => number;
}

function weightsOf(G: number): Weights {
  const draw = (...shape: number[]): Float32Array => normal(0, 0.8)(shape, random).data;
  const [W, R, B, P] = [draw(G * H, I), draw(G * H, H), draw(2 * G * H), draw(3 * H)] as const;
  return {
    tensors: [
      floats('W', [1, G * H, I], [...W]),
      floats('R', [1, G * H, H], [...R]),
      floats('B', [1, 2 * G * H], [...B]),
      floats('P', [1, 3 * H], [...P]),
    ],
    input: (t, gate, unit) => {
      const row = gate * H + unit;
      return [0, 1, 2].reduce((total, i) => total + x.data[t * I + i]! * W[row * I + i]!, B[row]!);
    },
    hidden: (h, gate, unit) => {
      const row = gate * H + unit;
      return h.reduce((total, value, i) => total + value * R[row * H + i]!, B[G * H + row]!);
    },
    peephole: (gate, unit) => P[gate * H + unit]!,
  };
}

interface Options {
  readonly clip?: number;
  readonly coupled?: boolean;
  readonly peepholes?: boolean;
  readonly after?: boolean;
}

/**
 * The hidden states of all steps, with the gates in the orders i o f c and z r h of ONNX. Only the gates and the
 * candidate are clipped, not the cell state, as in ONNX Runtime.
 */
function reference(opType: string, w: Weights, all: readonly F[], { clip = Infinity, ...options }: Options): number[] {
  const [f, g] = all.map(
    (apply): F =>
      (v) =>
        apply(Math.max(-clip, Math.min(clip, v))),
  ) as [F, F];
  const last = all[2]!;
  let [h, c] = [new Array<number>(H).fill(0), new Array<number>(H).fill(0)];
  const outputs: number[] = [];
  for (let t = 0; t < T; t++) {
    const gate = (k: number, u: number): number => w.input(t, k, u) + w.hidden(h, k, u);
    const units = [0, 1];
    if (opType === 'RNN') h = units.map((u) => f(gate(0, u)));
    else if (opType === 'GRU') {
      const z = units.map((u) => f(gate(0, u)));
      const r = units.map((u) => f(gate(1, u)));
      const reset = h.map((value, i) => value * r[i]!);
      const candidate = units.map((u) =>
        g(w.input(t, 2, u) + (options.after ? r[u]! * w.hidden(h, 2, u) : w.hidden(reset, 2, u))),
      );
      h = units.map((u) => (1 - z[u]!) * candidate[u]! + z[u]! * h[u]!);
    } else {
      const p = (k: number, u: number, cell: number): number => (options.peepholes ? w.peephole(k, u) * cell : 0);
      const i = units.map((u) => f(gate(0, u) + p(0, u, c[u]!)));
      const forget = units.map((u) => (options.coupled ? 1 - i[u]! : f(gate(2, u) + p(2, u, c[u]!))));
      const next = units.map((u) => forget[u]! * c[u]! + i[u]! * g(gate(3, u)));
      h = units.map((u) => f(gate(1, u) + p(1, u, next[u]!)) * last(next[u]!));
      c = next;
    }
    outputs.push(...h);
  }
  return outputs;
}

const gateCounts: Readonly<Record<string, number>> = { RNN: 1, GRU: 3, LSTM: 4 };
type Named = readonly [name: string, alpha?: number, beta?: number];
const cases: [string, string, readonly Named[], Options][] = [
  ...Object.keys(functions).map((name): (typeof cases)[number] => [
    `RNN with ${name}`,
    'RNN',
    [name === 'Affine' || name === 'ScaledTanh' || name === 'HardSigmoid' ? [name, 0.7, 0.3] : [name]],
    {},
  ]),
  ['RNN with clip', 'RNN', [['Tanh']], { clip: 0.4 }],
  ['LSTM with relu, as in Keras', 'LSTM', [['Sigmoid'], ['Relu'], ['Relu']], {}],
  ['LSTM with hard sigmoid', 'LSTM', [['HardSigmoid', 0.3, 0.4], ['Tanh'], ['Tanh']], {}],
  [
    'LSTM with three activations of parameters',
    'LSTM',
    [
      ['HardSigmoid', 0.3, 0.45],
      ['LeakyRelu', 0.2],
      ['ScaledTanh', 1.2, 0.6],
    ],
    {},
  ],
  ['LSTM with clip', 'LSTM', [['Sigmoid'], ['Tanh'], ['Tanh']], { clip: 0.3 }],
  ['LSTM with input_forget', 'LSTM', [['Sigmoid'], ['Tanh'], ['Tanh']], { coupled: true }],
  [
    'LSTM with peepholes, input_forget and softsign',
    'LSTM',
    [['Sigmoid'], ['Softsign'], ['Tanh']],
    { coupled: true, peepholes: true },
  ],
  [
    'GRU with other activations',
    'GRU',
    [
      ['HardSigmoid', 0.3, 0.4],
      ['Elu', 0.6],
    ],
    {},
  ],
  ['GRU with clip, reset after', 'GRU', [['Sigmoid'], ['Tanh']], { clip: 0.3, after: true }],
  ['GRU with clip, reset before', 'GRU', [['Sigmoid'], ['Softsign']], { clip: 0.5 }],
];

describe('attributes of recurrent operators', () => {
  it.each(cases)('%s', (_, opType, named, options) => {
    const w = weightsOf(gateCounts[opType]!);
    const withAlpha = named.filter(([, alpha]) => alpha !== undefined);
    const attributes: NonNullable<PlainNode[3]> = {
      hidden_size: H,
      activations: named.map(([name]) => name),
      activation_alpha: { floats: withAlpha.map(([, alpha]) => alpha!) },
      activation_beta: { floats: withAlpha.flatMap(([, , beta]) => (beta === undefined ? [] : [beta])) },
      ...(options.clip !== undefined && { clip: options.clip }),
      ...(options.coupled && { input_forget: 1 }),
      ...(options.after && { linear_before_reset: 1 }),
    };
    const inputs = `x W R B${options.peepholes ? ' - - - P' : ''}`;
    const network = importOnnx(
      modelOf([[opType, inputs, 'y', attributes]], [['x', 'float']], 'y', { initializers: w.tensors }),
    );
    const defaults: Readonly<Record<string, number>> = { Elu: 1, LeakyRelu: 0.01, ThresholdedRelu: 1 };
    const all = named.map(([name, alpha = defaults[name] ?? 0, beta = 0]) => functions[name]!(alpha, beta));
    const expected = reference(opType, w, all, options);
    expect(errorOf(predictOnnx(network, { x })['y']!, [T, 1, 1, H], expected)).toBeLessThan(1e-6);
    if (options.clip !== undefined)
      expect(Math.max(...expected.map((v, i) => Math.abs(v - reference(opType, w, all, {})[i]!)))).toBeGreaterThan(
        0.01,
      );
    const { error } = checkGradients(network.parameters, (p) => sum(runOnnx(network, p, { x })['y']!));
    expect(error).toBeLessThan(1e-6);
  });
});

it('clip does not apply to the cell state of an LSTM', () => {
  // Without weights, all gates are 1/2, and the candidate is 0.
  const initializers = [floats('W', [1, 4, 1], [0, 0, 0, 0]), floats('R', [1, 4, 1], [0, 0, 0, 0])];
  const node: PlainNode = ['LSTM', 'x W R - - - c', 'y - cn', { hidden_size: 1, clip: 0.3 }];
  const inputs = [
    ['x', 'float'],
    ['c', 'float'],
  ] as const;
  const network = importOnnx(modelOf([node], inputs, 'y cn', { initializers }));
  const { y, cn } = predictOnnx(network, { x: tensor([[[1]]]), c: tensor([[[2]]]) });
  expect(cn!.data[0]).toBe(1);
  expect(y!.data[0]).toBeCloseTo(Math.tanh(1) / 2, 6);
});

describe('the directions of one node are two nodes', () => {
  const B = 2;
  const xs = normal(0, 1)([T, B, I], random);
  const [W, R, bias] = [
    [2, 4 * H, I],
    [2, 4 * H, H],
    [2, 8 * H],
  ].map((shape) => normal(0, 0.8)(shape, random)) as [Tensor, Tensor, Tensor];
  const activations = [
    ['HardSigmoid', 'Tanh', 'Softsign'],
    ['Sigmoid', 'Relu', 'Tanh'],
  ];
  const node = (direction: string, layout: number, names: readonly string[]): PlainNode => [
    'LSTM',
    'x W R B',
    'y h c',
    { direction, layout, activations: names, hidden_size: H },
  ];
  const runNode = (plain: PlainNode, x: Tensor, parts: readonly number[]): Readonly<Record<string, Tensor>> => {
    const initializers = Object.entries({ W, R, B: bias }).map(([name, { shape, data }]) => {
      const size = data.length / 2;
      const own = parts.flatMap((d) => [...data.subarray(d * size, (d + 1) * size)]);
      return floats(name, [parts.length, ...shape.slice(1)], own);
    });
    return predictOnnx(importOnnx(modelOf([plain], [['x', 'float']], 'y h c', { initializers })), { x });
  };
  const alone = ['forward', 'reverse'].map((direction, d) => runNode(node(direction, 0, activations[d]!), xs, [d]));

  it('steps first', () => {
    const both = runNode(node('bidirectional', 0, activations.flat()), xs, [0, 1]);
    // [T, D, B, H]
    const expected = Array.from({ length: T }, (_, t) =>
      alone.flatMap(({ y }) => [...y!.data.subarray(t * B * H, (t + 1) * B * H)]),
    ).flat();
    expect(errorOf(both['y']!, [T, 2, B, H], expected)).toBeLessThan(1e-6);
    for (const name of ['h', 'c']) {
      const states = alone.flatMap((each) => [...each[name]!.data]);
      expect(errorOf(both[name]!, [2, B, H], states)).toBeLessThan(1e-6);
    }
  });

  it('sequences first: layout 1', () => {
    const x = tensor(
      [0, 1].map((b) =>
        Array.from({ length: T }, (_, t) => [...xs.data.subarray((t * B + b) * I, (t * B + b + 1) * I)]),
      ),
    );
    const both = runNode(node('bidirectional', 1, activations.flat()), x, [0, 1]);
    const vector = (values: Tensor, row: number): number[] => [...values.data.subarray(row * H, (row + 1) * H)];
    // [B, T, D, H] and [B, D, H]
    const outputs = [0, 1].flatMap((b) =>
      Array.from({ length: T }, (_, t) => alone.flatMap(({ y }) => vector(y!, t * B + b))).flat(),
    );
    expect(errorOf(both['y']!, [B, T, 2, H], outputs)).toBeLessThan(1e-6);
    for (const name of ['h', 'c']) {
      const states = [0, 1].flatMap((b) => alone.flatMap((each) => vector(each[name]!, b)));
      expect(errorOf(both[name]!, [B, 2, H], states)).toBeLessThan(1e-6);
    }
  });
});
