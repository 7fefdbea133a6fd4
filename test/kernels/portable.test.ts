/**
 * The portable kernels: values compared with their formulas, and gradients with finite differences in double precision.
 * The matrix product is tested in gemm.test.ts.
 */

import { createRandom, uniformNumber, useKernels } from 'bptt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Kernels } from '../../src/kernels/kernel';
import * as kernelList from '../../src/kernels/list';
import { allocate, createWorkspace, portableWorkspace } from '../../src/kernels/workspace';

beforeAll(() => useKernels('portable'));
afterAll(() => useKernels(undefined));

const random = createRandom(5);
const draw = (n: number, low = -2, high = 2): number[] =>
  Array.from({ length: n }, () => uniformNumber(random, low, high));
const sizes = [0, 1, 3, 4, 5, 8, 17];
const specials = [0, -0, 1, -1, Infinity, -Infinity, NaN, 100, -100, 1e-30];

/** Copies the arrays into a new heap, passes their offsets to `run`, and returns their contents afterwards. */
function apply(
  precision: 'float32' | 'float64',
  arrays: readonly number[][],
  run: (kernels: Kernels, offsets: number[]) => void,
): number[][] {
  const workspace = precision === 'float64' ? portableWorkspace(Float64Array) : createWorkspace();
  const offsets = arrays.map((values) => allocate(workspace, values.length + 1));
  arrays.forEach((values, i) => workspace.memory.view.set([...values, 12345], offsets[i]!));
  run(workspace.kernels, offsets);
  return arrays.map((values, i) => {
    const end = offsets[i]! + values.length;
    expect(workspace.memory.view[end], `operand ${i} is not written past its end`).toBe(12345);
    return Array.from(workspace.memory.view.subarray(offsets[i]!, end));
  });
}

function expectClose(actual: readonly number[], expected: readonly number[], bound: number, what = ''): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, i) => {
    const target = expected[i]!;
    const close =
      Object.is(value, target) || value === target || Math.abs(value - target) <= bound * Math.max(1, Math.abs(target));
    if (!close) expect.fail(`${what} at ${i}: expected ${target}, got ${value}`);
  });
}

/**
 * Checks that the gradients that a backward kernel adds equal central differences of Σ weights·outputs.
 *
 * @param forward maps inputs to outputs
 * @param backward maps inputs, outputs and the gradients of the outputs to the gradients of the inputs
 */
function expectGradient(
  inputs: readonly number[][],
  forward: (inputs: readonly number[][]) => number[][],
  backward: (inputs: readonly number[][], outputs: readonly number[][], dOutputs: readonly number[][]) => number[][],
): void {
  const outputs = forward(inputs);
  const weights = outputs.map((output) => draw(output.length));
  const project = (point: readonly number[][]): number =>
    forward(point).reduce(
      (sum, output, i) => output.reduce((total, value, j) => total + value * weights[i]![j]!, sum),
      0,
    );
  const gradients = backward(inputs, outputs, weights);
  gradients.forEach((gradient, i) => {
    const numeric = inputs[i]!.map((_, j) => {
      const shifted = (by: number): number[][] =>
        inputs.map((input, k) => (k === i ? input.map((value, l) => value + (l === j ? by : 0)) : [...input]));
      return (project(shifted(1e-5)) - project(shifted(-1e-5))) / 2e-5;
    });
    expectClose(gradient, numeric, 1e-6, `gradient of input ${i}`);
  });
}

type Unary = (kernels: Kernels, y: number, x: number, n: number) => void;
type UnaryBackward = (kernels: Kernels, dx: number, dy: number, saved: number, n: number) => void;

const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
const elementwise: {
  name: string;
  formula: (x: number) => number;
  forward: Unary;
  backward: UnaryBackward;
  saves: 'x' | 'y';
  low?: number;
}[] = [
  {
    name: 'exp',
    formula: Math.exp,
    forward: (k, ...a) => k.of(kernelList.exponential)(...a),
    backward: (k, ...a) => k.of(kernelList.addProduct)(...a),
    saves: 'y',
  },
  {
    name: 'log',
    formula: Math.log,
    forward: (k, ...a) => k.of(kernelList.logarithm)(...a),
    backward: (k, ...a) => k.of(kernelList.addQuotient)(...a),
    saves: 'x',
    low: 0.5,
  },
  {
    name: 'sqrt',
    formula: Math.sqrt,
    forward: (k, ...a) => k.of(kernelList.squareRoot)(...a),
    backward: (k, ...a) => k.of(kernelList.squareRootBackward)(...a),
    saves: 'y',
    low: 0.5,
  },
  {
    name: 'abs',
    formula: Math.abs,
    forward: (k, ...a) => k.of(kernelList.absolute)(...a),
    backward: (k, ...a) => k.of(kernelList.absoluteBackward)(...a),
    saves: 'x',
  },
  {
    name: 'tanh',
    formula: Math.tanh,
    forward: (k, ...a) => k.of(kernelList.hyperbolicTangent)(...a),
    backward: (k, ...a) => k.of(kernelList.hyperbolicTangentBackward)(...a),
    saves: 'y',
  },
  {
    name: 'sigmoid',
    formula: logistic,
    forward: (k, ...a) => k.of(kernelList.sigmoidal)(...a),
    backward: (k, ...a) => k.of(kernelList.sigmoidalBackward)(...a),
    saves: 'y',
  },
  {
    name: 'relu',
    formula: (x) => (x > 0 || Number.isNaN(x) ? x : 0),
    saves: 'x',
    forward: (k, y, x, n) => k.of(kernelList.rectify)(y, x, 0, n),
    backward: (k, dx, dy, x, n) => k.of(kernelList.rectifyBackward)(dx, dy, x, 0, n),
  },
  {
    name: 'leakyRelu',
    formula: (x) => (x > 0 ? x : 0.1 * x),
    saves: 'x',
    forward: (k, y, x, n) => k.of(kernelList.rectify)(y, x, 0.1, n),
    backward: (k, dx, dy, x, n) => k.of(kernelList.rectifyBackward)(dx, dy, x, 0.1, n),
  },
  {
    name: 'softplus',
    formula: (x) => (x > 30 ? x : Math.log1p(Math.exp(x))),
    saves: 'x',
    forward: (k, ...a) => k.of(kernelList.softplusOf)(...a),
    backward: (k, ...a) => k.of(kernelList.softplusBackward)(...a),
  },
  {
    name: 'huber',
    formula: (x) => (Math.abs(x) > 0.7 ? 0.7 * (Math.abs(x) - 0.35) : (x * x) / 2),
    saves: 'x',
    forward: (k, y, x, n) => k.of(kernelList.huberOf)(y, x, 0.7, n),
    backward: (k, dx, dy, x, n) => k.of(kernelList.huberBackward)(dx, dy, x, 0.7, n),
  },
];

describe.each(elementwise)('$name', ({ formula, forward, backward, saves, low }) => {
  it.each<['float32' | 'float64', number]>([
    ['float32', 3e-7],
    ['float64', 1e-14],
  ])('equals its formula in %s within %d, for all sizes and for zeros, infinities and NaN', (precision, bound) => {
    for (const x of [...sizes.map((n) => draw(n, low)), specials]) {
      const stored = Array.from(precision === 'float32' ? new Float32Array(x) : x);
      const [y] = apply(precision, [x.map(() => 7), x], (k, [y, x_]) => forward(k, y!, x_!, x.length));
      const expected = stored.map(formula);
      expectClose(y!, precision === 'float32' ? Array.from(new Float32Array(expected)) : expected, bound);
    }
  });

  it('adds a gradient that equals finite differences within 1e-6', () => {
    for (const n of sizes) {
      expectGradient(
        [draw(n, low)],
        ([x]) => [apply('float64', [x!, x!], (k, [y, from]) => forward(k, y!, from!, n))[0]!],
        ([x], [y], [dy]) => {
          const initial = draw(n);
          const [dx] = apply('float64', [initial, dy!, saves === 'x' ? x! : y!], (k, [dx_, dy_, saved]) =>
            backward(k, dx_!, dy_!, saved!, n),
          );
          return [dx!.map((value, i) => value - initial[i]!)];
        },
      );
    }
  });
});

describe('arithmetic', () => {
  const binary: [
    string,
    (a: number, b: number) => number,
    (k: Kernels, y: number, a: number, b: number, n: number) => void,
  ][] = [
    ['add', (a, b) => a + b, (k, ...o) => k.of(kernelList.addition)(...o)],
    ['subtract', (a, b) => a - b, (k, ...o) => k.of(kernelList.subtraction)(...o)],
    ['multiply', (a, b) => a * b, (k, ...o) => k.of(kernelList.multiplication)(...o)],
    ['divide', (a, b) => a / b, (k, ...o) => k.of(kernelList.division)(...o)],
  ];
  it.each(binary)('%s: exact for all sizes and for zeros, infinities and NaN', (_, formula, run) => {
    const pairs: [number[], number[]][] = sizes.map((n) => [draw(n), draw(n)]);
    pairs.push([specials.flatMap((a) => specials.map(() => a)), specials.flatMap(() => specials)]);
    for (const [a, b] of pairs) {
      const [y] = apply('float64', [a.map(() => 7), a, b], (k, [y_, a_, b_]) => run(k, y_!, a_!, b_!, a.length));
      expect(y).toEqual(a.map((value, i) => formula(value, b[i]!)));
    }
  });

  it('addQuotient and divisionBackward add the gradients of a quotient within 1e-6', () => {
    for (const n of sizes) {
      expectGradient(
        [draw(n), draw(n, 0.5)],
        ([a, b]) => [a!.map((value, i) => value / b![i]!)],
        ([a, b], [y], [dy]) => {
          const [da, db] = apply(
            'float64',
            [a!.map(() => 1), a!.map(() => 1), dy!, y!, b!],
            (k, [da_, db_, dy_, y_, b_]) => {
              k.of(kernelList.addQuotient)(da_!, dy_!, b_!, n);
              k.of(kernelList.divisionBackward)(db_!, dy_!, y_!, b_!, n);
            },
          );
          return [da!, db!].map((gradient) => gradient.map((value) => value - 1));
        },
      );
    }
  });

  it('scaling (also in place), addScaled, addProduct, sumOf, sumOfSquares and clamp equal their formulas', () => {
    for (const n of sizes) {
      const [x, y, z] = [draw(n), draw(n), draw(n)];
      const [scaled, inPlace, added, product, clamped] = apply(
        'float64',
        [[...x], [...x], [...x], [...x], [...x], y, z],
        (k, o) => {
          k.of(kernelList.scaling)(o[0]!, o[5]!, 3, n);
          k.of(kernelList.scaling)(o[1]!, o[1]!, 3, n);
          k.of(kernelList.addScaled)(o[2]!, o[5]!, 3, n);
          k.of(kernelList.addProduct)(o[3]!, o[5]!, o[6]!, n);
          k.of(kernelList.clamp)(o[4]!, 0.5, n);
          expectClose(
            [k.of(kernelList.sumOf)(o[5]!, n), k.of(kernelList.sumOfSquares)(o[5]!, n)],
            [y.reduce((a, b) => a + b, 0), y.reduce((a, b) => a + b * b, 0)],
            1e-14,
          );
        },
      );
      expect(scaled).toEqual(y.map((value) => 3 * value));
      expect(inPlace).toEqual(x.map((value) => 3 * value));
      expect(added).toEqual(x.map((value, i) => value + 3 * y[i]!));
      expect(product).toEqual(x.map((value, i) => value + y[i]! * z[i]!));
      expect(clamped).toEqual(x.map((value) => Math.max(-0.5, Math.min(0.5, value))));
    }
    const [clamped] = apply('float32', [[NaN, Infinity, -Infinity, 0]], (k, [x]) => k.of(kernelList.clamp)(x!, 2, 4));
    expect(clamped).toEqual([NaN, 2, -2, 0]);
  });
});

describe('movement', () => {
  it('fill sets a range, and copy supports overlap in both directions', () => {
    expect(apply('float32', [[1, 2, 3, 4]], (k, [x]) => k.of(kernelList.fill)(x! + 1, 9, 2))).toEqual([[1, 9, 9, 4]]);
    expect(apply('float32', [[1, 2, 3, 4]], (k, [x]) => k.of(kernelList.copy)(x! + 1, x!, 3))).toEqual([[1, 1, 2, 3]]);
    expect(apply('float32', [[1, 2, 3, 4]], (k, [x]) => k.of(kernelList.copy)(x!, x! + 1, 3))).toEqual([[2, 3, 4, 4]]);
  });

  it('copyStrided transposes, repeats and copies scalars; addStrided sums', () => {
    const x = draw(24);
    const at = (i: number, j: number, k: number): number => x[i * 12 + j * 4 + k]!;
    const [transposed] = apply('float64', [draw(24), x], (k, [y, from]) =>
      k.of(kernelList.copyStrided)(y!, [6, 2, 1], from!, [1, 4, 12], [4, 3, 2]),
    );
    transposed!.forEach((value, index) =>
      expect(value).toBe(at(index % 2, Math.floor(index / 2) % 3, Math.floor(index / 6))),
    );
    const [repeated] = apply('float64', [draw(6), [5, 6]], (k, [y, from]) =>
      k.of(kernelList.copyStrided)(y!, [2, 1], from!, [0, 1], [3, 2]),
    );
    expect(repeated).toEqual([5, 6, 5, 6, 5, 6]);
    expect(
      apply('float64', [[1], [2]], (k, [y, from]) => k.of(kernelList.copyStrided)(y!, [], from!, [], []))[0],
    ).toEqual([2]);
    const [summed] = apply(
      'float64',
      [
        [1, 1],
        [1, 2, 3, 4, 5, 6],
      ],
      (k, [dx, dy]) => k.of(kernelList.addStrided)(dx!, [0, 1], dy!, [2, 1], [3, 2]),
    );
    expect(summed).toEqual([1 + 1 + 3 + 5, 1 + 2 + 4 + 6]);
    const [sums] = apply(
      'float64',
      [
        [1, 1, 1],
        [1, 2, 3, 4, 5, 6],
      ],
      (k, [dx, dy]) => k.of(kernelList.addStrided)(dx!, [1, 0], dy!, [2, 1], [3, 2]),
    );
    expect(sums).toEqual([4, 8, 12]);
  });
});

describe('rows', () => {
  it('affineRows, sumRows, gatherRows and scatterAddRows; the id −1 reads zeros and writes nothing', () => {
    const affine = apply('float32', [draw(4), [1, 2, 3, 4], [1, 2, 0, 1], [10, 20]], (k, [y, x, w, b]) =>
      k.of(kernelList.affineRows)(y!, x!, w!, b!, 2, 2, 2),
    );
    expect(affine[0]).toEqual([11, 24, 13, 30]);
    expect(
      apply(
        'float32',
        [
          [1, 1],
          [1, 2, 3, 4],
        ],
        (k, [dv, dy]) => k.of(kernelList.sumRows)(dv!, dy!, 2, 2),
      )[0],
    ).toEqual([5, 7]);
    const table = [1, 2, 3, 4, 5, 6];
    expect(
      apply('float32', [draw(6), table, [2, -1, 0]], (k, [y, t, ids]) =>
        k.of(kernelList.gatherRows)(y!, t!, ids!, 3, 2),
      )[0],
    ).toEqual([5, 6, 0, 0, 1, 2]);
    const scattered = apply('float32', [[1, 1, 1, 1, 1, 1], table, [2, -1, 2]], (k, [dt, dy, ids]) =>
      k.of(kernelList.scatterAddRows)(dt!, dy!, ids!, 3, 2),
    );
    expect(scattered[0]).toEqual([1, 1, 1, 1, 7, 9]);
  });

  it('sumRows sums in double precision: 100,000 times 0.1 is rounded only once', () => {
    const [total] = apply('float32', [[0], new Array<number>(100_000).fill(0.1)], (k, [dv, dy]) =>
      k.of(kernelList.sumRows)(dv!, dy!, 100_000, 1),
    );
    expect(total).toEqual([Math.fround(100_000 * Math.fround(0.1))]);
  });

  const softmax = (x: readonly number[]): number[] => {
    const total = x.reduce((sum, value) => sum + Math.exp(value), 0);
    return x.map((value) => Math.exp(value) / total);
  };
  const byRow = (x: readonly number[], n: number, f: (row: number[]) => number[]): number[] =>
    Array.from({ length: n === 0 ? 0 : x.length / n }, (_, r) => f(x.slice(r * n, (r + 1) * n))).flat();

  const { softmaxRows, softmaxRowsBackward, logSoftmaxRows, logSoftmaxRowsBackward } = kernelList;
  it.each([
    { name: 'softmax', formula: softmax, kernel: softmaxRows, backward: softmaxRowsBackward },
    {
      name: 'logSoftmax',
      formula: (row: readonly number[]) => softmax(row).map(Math.log),
      kernel: logSoftmaxRows,
      backward: logSoftmaxRowsBackward,
    },
  ])(
    '$name: formula within 1e-14, gradients within 1e-6, no overflow, −∞ has probability 0, NaN stays in its row',
    ({ formula, kernel, backward }) => {
      for (const n of sizes) {
        expectGradient(
          [draw(3 * n)],
          ([x]) => {
            const y = apply('float64', [x!.map(() => 7), x!], (k, [y_, x_]) => k.of(kernel)(y_!, x_!, 3, n))[0]!;
            expectClose(y, byRow(x!, n, formula), 1e-14);
            return [y];
          },
          ([x], [y], [dy]) => [
            apply('float64', [x!.map(() => 1), dy!, y!], (k, [dx, d, saved]) =>
              k.of(backward)(dx!, d!, saved!, 3, n),
            )[0]!.map((value) => value - 1),
          ],
        );
      }
      const [y] = apply('float32', [draw(6), [1000, -Infinity, 1000, NaN, 0, 0]], (k, [to, x]) =>
        k.of(kernel)(to!, x!, 2, 3),
      );
      expectClose(
        y!,
        kernel === softmaxRows ? [0.5, 0, 0.5, NaN, NaN, NaN] : [-Math.LN2, -Infinity, -Math.LN2, NaN, NaN, NaN],
        1e-6,
      );
    },
  );

  it('crossEntropyRows equals −log softmax at the target within 1e-14, and its gradient within 1e-6', () => {
    for (const V of sizes.filter((n) => n > 0)) {
      const targets = [0, V - 1, Math.floor(V / 2)];
      const run = (logits: readonly number[]): number[][] =>
        apply('float64', [draw(3), draw(3 * V), [...logits], targets], (k, [loss, p, x, t]) =>
          k.of(kernelList.crossEntropyRows)(loss!, p!, x!, t!, 3, V),
        );
      expectGradient(
        [draw(3 * V)],
        ([logits]) => {
          const [loss, probabilities] = run(logits!);
          const expected = byRow(logits!, V, softmax);
          expectClose(probabilities!, expected, 1e-14);
          expectClose(
            loss!,
            targets.map((target, r) => -Math.log(expected[r * V + target]!)),
            1e-14,
          );
          return [loss!];
        },
        ([logits], _, [dloss]) => [
          apply('float64', [logits!.map(() => 1), dloss!, run(logits!)[1]!, targets], (k, [dx, d, p, t]) =>
            k.of(kernelList.crossEntropyRowsBackward)(dx!, d!, p!, t!, 3, V),
          )[0]!.map((value) => value - 1),
        ],
      );
    }
  });
});

describe('cells', () => {
  const shapes: [number, number][] = [
    [1, 1],
    [2, 3],
    [3, 4],
    [2, 5],
    [0, 4],
  ];

  it('lstmCell: the equations within 1e-14, gradients of gates and cell within 1e-6', () => {
    for (const [rows, H] of shapes) {
      const n = rows * H;
      const run = ([gates, cPrevious]: readonly number[][]): number[][] =>
        apply('float64', [draw(n), draw(n), draw(n), gates!, cPrevious!], (k, [h, c, tanhC, a, previous]) =>
          k.of(kernelList.lstmCell)(h!, c!, tanhC!, a!, previous!, rows, H),
        );
      expectGradient(
        [draw(4 * n), draw(n)],
        (inputs) => {
          const [h, c] = run(inputs);
          const [gates, cPrevious] = inputs as [number[], number[]];
          for (let s = 0; s < n; s++) {
            const [i, f, g, o] = [0, 1, 2, 3].map((block) => {
              const at = Math.floor(s / H) * 4 * H + block * H + (s % H);
              return (block === 2 ? Math.tanh : logistic)(gates[at]!);
            }) as [number, number, number, number];
            expectClose([c![s]!, h![s]!], [f * cPrevious[s]! + i * g, o * Math.tanh(f * cPrevious[s]! + i * g)], 1e-14);
          }
          return [h!, c!];
        },
        (inputs, _, [dh, dc]) => {
          const [, , tanhC, gates] = run(inputs);
          const [dGates, dcPrevious] = apply(
            'float64',
            [gates!, inputs[1]!.map(() => 1), dh!, dc!, tanhC!, inputs[1]!],
            (k, [a, d, dh_, dc_, tanh, previous]) =>
              k.of(kernelList.lstmCellBackward)(a!, d!, dh_!, dc_!, tanh!, previous!, rows, H),
          );
          return [dGates!, dcPrevious!.map((value) => value - 1)];
        },
      );
    }
  });

  it('gruCell: the equations within 1e-14, gradients of gates, product, state and bias within 1e-6', () => {
    for (const [rows, H] of shapes) {
      const n = rows * H;
      const run = ([gates, product, hPrevious, bias]: readonly number[][]): number[][] =>
        apply(
          'float64',
          [draw(n), draw(n), gates!, product!, hPrevious!, bias!],
          (k, [h, kept, a, b, previous, bias_]) =>
            k.of(kernelList.gruCell)(h!, kept!, a!, b!, previous!, bias_!, rows, H),
        );
      expectGradient(
        [draw(3 * n), draw(3 * n), draw(n), draw(H)],
        (inputs) => {
          const [h] = run(inputs);
          const [gates, product, hPrevious, bias] = inputs as [number[], number[], number[], number[]];
          for (let s = 0; s < n; s++) {
            const at = Math.floor(s / H) * 3 * H + (s % H);
            const [r, z] = [at, at + H].map((index) => logistic(gates[index]! + product[index]!)) as [number, number];
            const candidate = Math.tanh(gates[at + 2 * H]! + r * (product[at + 2 * H]! + bias[s % H]!));
            expectClose([h![s]!], [(1 - z) * candidate + z * hPrevious[s]!], 1e-14);
          }
          return [h!];
        },
        (inputs, _, [dh]) => {
          const [, kept, gates] = run(inputs);
          const ones = (size: number): number[] => new Array<number>(size).fill(1);
          const [dGates, dProduct, dhPrevious, , dBias] = apply(
            'float64',
            [gates!, draw(3 * n), ones(n), kept!, ones(H), dh!, inputs[2]!],
            (k, [a, b, d, kept_, bias, dh_, previous]) => {
              k.of(kernelList.gruCellBackward)(a!, b!, d!, kept_!, dh_!, previous!, rows, H);
              k.of(kernelList.sumRows)(bias!, kept_!, rows, H);
            },
          );
          return [dGates!, dProduct!, ...[dhPrevious!, dBias!].map((gradient) => gradient.map((value) => value - 1))];
        },
      );
    }
  });
});

describe('optimizers equal their published updates, computed per element', () => {
  const n = 5;
  const expectNear = (actual: readonly number[], expected: readonly number[]): void =>
    expectClose(actual, expected, 1e-14);

  it('momentum, with and without Nesterov', () => {
    const [g, v] = [draw(n), draw(n)];
    for (const nesterov of [false, true]) {
      const [step, velocity] = apply('float64', [g, v], (k, [g_, v_]) =>
        k.of(kernelList.momentumUpdate)(g_!, v_!, 0.1, 0.9, nesterov, n),
      );
      const speed = v.map((value, i) => 0.9 * value + g[i]!);
      expectNear(velocity!, speed);
      expectNear(
        step!,
        speed.map((value, i) => -0.1 * (nesterov ? g[i]! + 0.9 * value : value)),
      );
    }
  });

  it('rmsprop and adagrad follow their formulas', () => {
    const [g, initial] = [draw(n), draw(n, 0, 1)];
    const [step, square] = apply('float64', [g, initial], (k, [g_, s]) =>
      k.of(kernelList.rmspropUpdate)(g_!, s!, 0.1, 0.9, 1e-3, n),
    );
    const mean = initial.map((value, i) => 0.9 * value + 0.1 * g[i]! ** 2);
    expectNear(square!, mean);
    expectNear(
      step!,
      mean.map((value, i) => (-0.1 * g[i]!) / (Math.sqrt(value) + 1e-3)),
    );
    const [adagradStep, total] = apply('float64', [g, initial], (k, [g_, t]) =>
      k.of(kernelList.adagradUpdate)(g_!, t!, 0.1, 1e-3, n),
    );
    expectNear(
      total!,
      initial.map((value, i) => value + g[i]! ** 2),
    );
    expectNear(
      adagradStep!,
      total!.map((value, i) => (-0.1 * g[i]!) / (Math.sqrt(value) + 1e-3)),
    );
  });

  it('moments, the larger values, and the change that follows from moments', () => {
    const [g, mean, square] = [draw(n), draw(n), [0, ...draw(n - 1, 0, 1)]];
    const [, first, second] = apply('float64', [g, mean, square], (k, [g_, m, s]) =>
      k.of(kernelList.momentsUpdate)(g_!, m!, s!, 0.9, 0.99, n),
    );
    expectNear(
      first!,
      mean.map((value, i) => 0.9 * value + 0.1 * g[i]!),
    );
    expectNear(
      second!,
      square.map((value, i) => 0.99 * value + 0.01 * g[i]! ** 2),
    );
    const [larger] = apply(
      'float64',
      [
        [...g, NaN, 1],
        [...mean, 1, NaN],
      ],
      (k, [y, x]) => k.of(kernelList.takeLarger)(y!, x!, n + 2),
    );
    expectNear(larger!, [...g.map((value, i) => Math.max(value, mean[i]!)), NaN, NaN]);
    const [step] = apply('float64', [g, mean, square], (k, [g_, m, s]) =>
      k.of(kernelList.changeByMoments)(g_!, m!, s!, 0.5, -0.25, 2, 0.75, 1e-3, n),
    );
    const variance = square.map((value, i) => Math.max(0, value - 0.75 * mean[i]! ** 2));
    expectNear(
      step!,
      variance.map((value, i) => (0.5 * g[i]! - 0.25 * mean[i]!) / (Math.sqrt(2 * value) + 1e-3)),
    );
  });

  it('adam, with bias correction', () => {
    const [g, mean, square] = [draw(n), draw(n), draw(n, 0, 1)];
    const [step, first, second] = apply('float64', [g, mean, square], (k, [g_, m, s]) =>
      k.of(kernelList.adamUpdate)(g_!, m!, s!, 0.1, 0.9, 0.99, 1e-3, 0.19, 0.0199, n),
    );
    expectNear(
      first!,
      mean.map((value, i) => 0.9 * value + 0.1 * g[i]!),
    );
    expectNear(
      second!,
      square.map((value, i) => 0.99 * value + 0.01 * g[i]! ** 2),
    );
    expectNear(
      step!,
      first!.map((value, i) => (-0.1 * (value / 0.19)) / (Math.sqrt(second![i]! / 0.0199) + 1e-3)),
    );
  });
});

it('dropoutMask: the fraction of zeros is within four standard deviations; seeds and neighbors are independent', () => {
  const n = 100_000;
  const mask = (seed: number, rate: number): number[] =>
    apply('float32', [new Array<number>(n).fill(7)], (k, [y]) =>
      k.of(kernelList.dropoutMask)(y!, rate, 1 / (1 - rate), seed, 3_000_000_000 + seed, n),
    )[0]!;
  for (const rate of [0, 0.1, 0.5, 0.9]) {
    const values = mask(1, rate);
    const zeros = values.filter((value) => value === 0).length;
    expect(Math.abs(zeros - rate * n)).toBeLessThanOrEqual(4 * Math.sqrt(n * rate * (1 - rate)));
    expect(new Set(values).size).toBe(rate === 0 ? 1 : 2);
    if (rate === 0) continue;
    const pairs = values.filter((value, i) => i > 0 && value === 0 && values[i - 1] === 0).length;
    expect(Math.abs(pairs - rate * rate * n)).toBeLessThanOrEqual(6 * Math.sqrt(n * rate * rate * (1 - rate * rate)));
  }
  const [one, other] = [mask(1, 0.5), mask(2, 0.5)];
  const same = one.filter((value, i) => value === other[i]).length;
  // With the first seed alone, the next seed would give the same mask shifted by one; the second seed prevents that.
  const shifted = one.filter((value, i) => i > 0 && value === other[i - 1]).length;
  expect(Math.abs(same - n / 2)).toBeLessThan(4 * Math.sqrt(n / 4));
  expect(Math.abs(shifted - n / 2)).toBeLessThan(4 * Math.sqrt(n / 4));
});
