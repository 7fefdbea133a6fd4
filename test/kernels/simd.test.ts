/**
 * Every WebAssembly kernel equals its portable counterpart, for sizes around the vector width, with and without zeros,
 * infinities and NaN among the values, and does not write past its operands.
 */

import { createRandom, type KernelName, uniformNumber, useKernels } from 'bptt';
import { afterAll, describe, expect, it } from 'vitest';
import * as arithmetic from '../../src/kernels/arithmetic';
import * as cells from '../../src/kernels/cells';
import * as columns from '../../src/kernels/columns';
import * as elementwise from '../../src/kernels/elementwise';
import type { Kernel } from '../../src/kernels/kernel';
import * as linear from '../../src/kernels/linear';
import * as kernelList from '../../src/kernels/list';
import * as moments from '../../src/kernels/moments';
import * as movement from '../../src/kernels/movement';
import * as normalization from '../../src/kernels/normalization';
import * as optimizers from '../../src/kernels/optimizers';
import * as penalties from '../../src/kernels/penalties';
import * as product from '../../src/kernels/product';
import * as random from '../../src/kernels/random';
import * as rows from '../../src/kernels/rows';
import { allocate, createWorkspace } from '../../src/kernels/workspace';
import { type Argument, argumentsOf } from './arguments';
import { engineRuns } from './engine';

afterAll(() => useKernels(undefined));

type Name = keyof typeof kernelList;

/** All kernels by name, without the types of their operands: argumentsOf creates matching arguments. */
const kernels = new Map<string, Kernel>(Object.entries(kernelList as unknown as Record<Name, Kernel>));

const specials = [0, -0, NaN, 1e-18, -1e-18, Infinity, -Infinity, 9, -9, 50, -100];
/**
 * The number of special values for cells. States and gates are not large, and the result for an infinite state is
 * unspecified: a closed gate is 0 in SIMD, but may be 1e-44 in the portable kernel.
 */
const specialsForCells = 5;

/**
 * The tolerance per kernel, relative to the larger of 1 and the absolute value; 0 requires equal values. Fused
 * multiply-add differs in the last bit, and sums of n values in single precision by about √n of them. With special
 * values up to ±100, cancellation multiplies the error by eight.
 */
const bounds: Record<Name, number> = {
  gemm: 2e-6,
  affinePacked: 2e-6,
  affineRows: 2e-6,
  packPanels: 0,
  gemmPacked: 2e-6,
  sumRows: 2e-7,
  gatherRows: 0,
  scatterAddRows: 0,
  fill: 0,
  copy: 0,
  copyStrided: 0,
  differing: 0,
  addStrided: 2e-7,
  addition: 0,
  subtraction: 0,
  multiplication: 0,
  division: 0,
  addProduct: 4e-7,
  addQuotient: 4e-7,
  divisionBackward: 4e-7,
  scaling: 4e-7,
  addScaled: 4e-7,
  addSigns: 0,
  limitColumns: 2e-6,
  interpolate: 8e-7,
  interpolateBackward: 8e-7,
  clamp: 0,
  sumOf: 1e-12,
  sumOfSquares: 1e-12,
  exponential: 2e-7,
  logarithm: 2e-7,
  squareRoot: 0,
  squareRootBackward: 4e-7,
  absolute: 0,
  absoluteBackward: 0,
  hyperbolicTangent: 4e-7,
  hyperbolicTangentBackward: 8e-7,
  sigmoidal: 3e-7,
  sigmoidalBackward: 8e-7,
  rectify: 4e-7,
  rectifyBackward: 4e-7,
  softplusOf: 4e-7,
  softplusBackward: 1e-6,
  huberOf: 4e-7,
  huberBackward: 4e-7,
  softmaxRows: 1e-6,
  softmaxRowsBackward: 4e-6,
  logSoftmaxRows: 1e-6,
  logSoftmaxRowsBackward: 4e-6,
  crossEntropyRows: 1e-6,
  crossEntropyRowsBackward: 4e-7,
  normalizeRows: 4e-6,
  normalizeRowsBackward: 8e-6,
  lstmCell: 2e-6,
  lstmCellBackward: 2e-6,
  gruCell: 2e-6,
  gruCellBackward: 4e-6,
  dropoutMask: 0,
  momentumUpdate: 8e-7,
  rmspropUpdate: 2e-6,
  adagradUpdate: 2e-6,
  adamUpdate: 2e-6,
  momentsUpdate: 8e-7,
  changeByMoments: 2e-6,
  combineColumns: 4e-7,
  foldWindows: 0,
  moveWhereEqual: 0,
  multiplyTaps: 4e-7,
  scaleColumns: 4e-7,
  sumProducts: 4e-7,
  takeLarger: 0,
  unfoldWindows: 0,
};

/** Runs a kernel on copies of the arguments in a new workspace. Returns its result and the contents of the arrays. */
function run(name: KernelName, kernel: Kernel, args: readonly Argument[]): { result: unknown; arrays: Float32Array[] } {
  useKernels(name);
  const workspace = createWorkspace();
  const { kernels, memory } = workspace;
  const offsets = args.map((argument) =>
    argument instanceof Float32Array ? allocate(workspace, argument.length + 4) : -1,
  );
  args.forEach((argument, i) => {
    if (!(argument instanceof Float32Array)) return;
    memory.view.set(argument, offsets[i]!);
    memory.view.fill(77, offsets[i]! + argument.length, offsets[i]! + argument.length + 4);
  });
  const result: unknown = (kernels.of(kernel) as (...operands: Argument[]) => unknown)(
    ...args.map((argument, i) => (offsets[i]! < 0 ? argument : offsets[i]!)),
  );
  const arrays = args.flatMap((argument, i) =>
    argument instanceof Float32Array
      ? [Float32Array.from(memory.view.subarray(offsets[i]!, offsets[i]! + argument.length + 4))]
      : [],
  );
  return { result, arrays };
}

function expectClose(actual: number, expected: number, bound: number, what: string): void {
  if (Number.isNaN(actual) && Number.isNaN(expected)) return;
  if (
    bound === 0
      ? Object.is(actual, expected) || actual === expected
      : actual === expected || Math.abs(actual - expected) <= bound * Math.max(1, Math.abs(expected))
  )
    return;
  expect.fail(`${what}: expected ${expected}, got ${actual}`);
}

const names = Object.keys(kernelList) as Name[];
it.each((['simd', 'relaxed', 'wide'] as const).filter(engineRuns))(
  '%s: infinite and large preactivations saturate the gates like the portable kernels, within 1e-6',
  (set) => {
    const gates = Float32Array.of(Infinity, -Infinity, 100, -100, 20, NaN);
    const [zeros, state] = [new Float32Array(6), Float32Array.of(0.5, -0.5, 0.25, 1, -1, 2)];
    const four = Float32Array.of(...gates, ...gates, ...gates, ...gates);
    const cases: [Kernel, Argument[]][] = [
      [kernels.get('hyperbolicTangent')!, [zeros, gates, 6]],
      [kernels.get('rectify')!, [zeros, gates, 0, 6]],
      [kernels.get('lstmCell')!, [zeros, zeros, zeros, four, state, 1, 6]],
      [kernels.get('gruCell')!, [zeros, zeros, four.subarray(6), new Float32Array(18), state, zeros, 1, 6]],
    ];
    for (const [kernel, args] of cases) {
      const [expected, actual] = [run('portable', kernel, args), run(set, kernel, args)];
      expected.arrays.forEach((values, operand) =>
        values.forEach((value, i) => expectClose(actual.arrays[operand]![i]!, value, 1e-6, `array ${operand} at ${i}`)),
      );
    }
  },
);

describe.each((['simd', 'relaxed', 'wide'] as const).filter(engineRuns))('%s', (set) => {
  // The panels of the wide kernels have another width; test/kernels/wide.test.ts has their products.
  const compared = set === 'wide' ? names.filter((name) => !/packed/i.test(name) && name !== 'packPanels') : names;
  it.each(compared.map((name) => [name, bounds[name]] as const))(
    '%s equals its portable counterpart within %d',
    (name, bound) => {
      const kernel = kernels.get(name)!;
      const generator = createRandom(3);
      for (const withSpecials of [false, true])
        for (const n of [0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 300]) {
          if (n === 0 && /^(crossEntropy|normalize)/.test(name)) continue;
          const kinds = name.includes('Cell') ? specialsForCells : specials.length;
          const draw = (size: number): Float32Array =>
            Float32Array.from({ length: size }, () =>
              withSpecials && uniformNumber(generator) < 0.1
                ? specials[Math.floor(uniformNumber(generator, 0, kinds))]!
                : uniformNumber(generator, -1, 1),
            );
          const args = argumentsOf(name, kernel, n, draw);
          const [expected, actual] = [run('portable', kernel, args), run(set, kernel, args)];
          const tolerance = withSpecials ? 8 * bound : bound;
          const what = `n = ${n}${withSpecials ? ', with special values' : ''}`;
          if (expected.result !== undefined) {
            expectClose(actual.result as number, expected.result as number, tolerance, what);
          }
          expected.arrays.forEach((values, operand) =>
            values.forEach((value, i) => {
              expectClose(actual.arrays[operand]![i]!, value, tolerance, `${what}, array ${operand} at ${i}`);
            }),
          );
        }
    },
  );
});

it.each((['simd', 'relaxed', 'wide'] as const).filter(engineRuns))(
  '%s: the moments of parameters without a gradient decay to 0, not to subnormal values',
  (set) => {
    const tiny = Float32Array.of(2e-38, -2e-38, 2e-38, 2e-38, 2e-38);
    for (const [name, numbers] of [
      ['adamUpdate', [0.1, 0.5, 0.5, 1e-8, 1, 1]],
      ['momentsUpdate', [0.5, 0.5]],
      ['rmspropUpdate', [0.1, 0.5, 1e-8]],
      ['momentumUpdate', [0.1, 0.5]],
    ] as const) {
      const flags = name === 'momentumUpdate' ? [false] : [];
      const moments =
        name === 'adamUpdate' || name === 'momentsUpdate'
          ? [tiny, tiny.map(Math.abs)]
          : [name === 'rmspropUpdate' ? tiny.map(Math.abs) : tiny];
      const { arrays } = run(set, kernels.get(name)!, [new Float32Array(5), ...moments, ...numbers, ...flags, 5]);
      for (const moment of arrays.slice(1))
        expect(Array.from(moment.subarray(0, 5), Math.abs)).toEqual([0, 0, 0, 0, 0]);
    }
  },
);

it.each((['portable', 'simd', 'relaxed', 'wide'] as const).filter((set) => set === 'portable' || engineRuns(set)))(
  '%s: differing finds one changed bit at any position, and no difference in equal NaN',
  (set) => {
    const compare = (x: Float32Array, y: Float32Array) => run(set, kernels.get('differing')!, [x, y, x.length]).result;
    for (const n of [0, 1, 3, 4, 7, 8, 21]) {
      const x = Float32Array.from({ length: n }, (_, i) => [0, NaN, 1e-45, -2][i % 4]!);
      expect(compare(x, x.slice())).toBe(0);
      for (let i = 0; i < n; i++) {
        const y = x.slice();
        // The sign of 0, NaN into a number, a subnormal number into 0, and the last bit of a number.
        y[i] = [-0, 1, 0, -2 + 2 ** -22][i % 4]!;
        expect(compare(x, y)).toBe(1);
      }
    }
  },
);

it('every kernel has a tolerance, and the list contains every kernel of the source files', () => {
  expect(Object.keys(bounds).sort()).toEqual(names.slice().sort());
  const files: object[] = [
    arithmetic,
    cells,
    columns,
    elementwise,
    linear,
    moments,
    movement,
    normalization,
    optimizers,
    penalties,
    product,
    random,
    rows,
  ];
  const exported = files
    .flatMap((file) => Object.entries(file))
    .filter(([, value]: [string, unknown]) => typeof value === 'object' && value !== null && 'portable' in value);
  expect(exported.map(([name]) => name).sort()).toEqual(names.slice().sort());
});
