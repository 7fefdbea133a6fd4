/**
 * Every kernel in WebAssembly equals its portable twin, on what the list says of its operands: sizes around the vector width, each without
 * and with zeros, infinities and NaN among the numbers. What lies behind an operand is never written.
 */

import { createRandom, type KernelName, uniformNumber, useKernels } from 'bptt';
import { afterAll, describe, expect, it } from 'vitest';
import * as arithmetic from '../../src/kernels/arithmetic';
import * as cells from '../../src/kernels/cells';
import { gruCell, lstmCell } from '../../src/kernels/cells';
import * as elementwise from '../../src/kernels/elementwise';
import { hyperbolicTangent, rectify } from '../../src/kernels/elementwise';
import type { Kernel } from '../../src/kernels/kernel';
import * as linear from '../../src/kernels/linear';
import * as kernelList from '../../src/kernels/list';
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

const specials = [0, -0, NaN, 1e-18, -1e-18, Infinity, -Infinity, 9, -9, 50, -100];
/**
 * How many of them the operands of cells have: states and gates are no large numbers, and of an infinite state no more than NaN is
 * promised, since a gate that is shut is 0 in SIMD and may be 1e-44 in its twin.
 */
const ofCells = 5;

/**
 * How far a result may be from its twin's, relative to the larger of 1 and its size. 0 wants the same bits. What multiplies and adds with
 * one rounding differs in the last bit; sums of n numbers in single precision by about √n of them. With special numbers to ±100 among the
 * operands, what cancels leaves eight times as much.
 */
const bounds: Record<Name, number> = {
  gemm: 2e-6,
  affineRows: 2e-6,
  packPanels: 0,
  gemmPacked: 2e-6,
  sumRows: 2e-7,
  gatherRows: 0,
  scatterAddRows: 0,
  fill: 0,
  copy: 0,
  copyStrided: 0,
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
};

/** Runs a kernel on copies of the arguments in a new workspace; answers what it answers and what it leaves in the arrays. */
function run(
  name: KernelName,
  kernel: Kernel,
  given: readonly Argument[],
): { answer: unknown; arrays: Float32Array[] } {
  useKernels(name);
  const workspace = createWorkspace();
  const { kernels, memory } = workspace;
  const offsets = given.map((argument) =>
    argument instanceof Float32Array ? allocate(workspace, argument.length + 4) : -1,
  );
  given.forEach((argument, i) => {
    if (!(argument instanceof Float32Array)) return;
    memory.view.set(argument, offsets[i]!);
    memory.view.fill(77, offsets[i]! + argument.length, offsets[i]! + argument.length + 4);
  });
  const answer: unknown = (kernels.of(kernel) as (...operands: Argument[]) => unknown)(
    ...given.map((argument, i) => (offsets[i]! < 0 ? argument : offsets[i]!)),
  );
  const arrays = given.flatMap((argument, i) =>
    argument instanceof Float32Array
      ? [Float32Array.from(memory.view.subarray(offsets[i]!, offsets[i]! + argument.length + 4))]
      : [],
  );
  return { answer, arrays };
}

function expectClose(got: number, wanted: number, bound: number, what: string): void {
  if (Number.isNaN(got) && Number.isNaN(wanted)) return;
  if (
    bound === 0
      ? Object.is(got, wanted) || got === wanted
      : got === wanted || Math.abs(got - wanted) <= bound * Math.max(1, Math.abs(wanted))
  )
    return;
  expect.fail(`${what}: ${got} for ${wanted}`);
}

const names = Object.keys(kernelList) as Name[];
it.each((['simd', 'relaxed'] as const).filter(engineRuns))(
  '%s: gates at infinities and large numbers open and shut the cells as the portable ones do, within 1e-6',
  (set) => {
    const gates = Float32Array.of(Infinity, -Infinity, 100, -100, 20, NaN);
    const [zeros, state] = [new Float32Array(6), Float32Array.of(0.5, -0.5, 0.25, 1, -1, 2)];
    const four = Float32Array.of(...gates, ...gates, ...gates, ...gates);
    const cases: [Kernel, Argument[]][] = [
      [hyperbolicTangent as unknown as Kernel, [zeros, gates, 6]],
      [rectify as unknown as Kernel, [zeros, gates, 0, 6]],
      [lstmCell as unknown as Kernel, [zeros, zeros, zeros, four, state, 1, 6]],
      [gruCell as unknown as Kernel, [zeros, zeros, four.subarray(6), new Float32Array(18), state, zeros, 1, 6]],
    ];
    for (const [kernel, given] of cases) {
      const [wanted, got] = [run('portable', kernel, given), run(set, kernel, given)];
      wanted.arrays.forEach((values, operand) =>
        values.forEach((value, i) => expectClose(got.arrays[operand]![i]!, value, 1e-6, `array ${operand} at ${i}`)),
      );
    }
  },
);

describe.each((['simd', 'relaxed'] as const).filter(engineRuns))('%s', (set) => {
  it.each(names.map((name) => [name, bounds[name]] as const))(
    '%s equals its portable twin within %d',
    (name, bound) => {
      const kernel = kernelList[name] as unknown as Kernel;
      const generator = createRandom(3);
      for (const withSpecials of [false, true])
        for (const n of [0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 300]) {
          if (n === 0 && /^(crossEntropy|normalize)/.test(name)) continue;
          const kinds = name.includes('Cell') ? ofCells : specials.length;
          const draw = (size: number): Float32Array =>
            Float32Array.from({ length: size }, () =>
              withSpecials && uniformNumber(generator) < 0.1
                ? specials[Math.floor(uniformNumber(generator, 0, kinds))]!
                : uniformNumber(generator, -1, 1),
            );
          const given = argumentsOf(name, kernel, n, draw);
          const [wanted, got] = [run('portable', kernel, given), run(set, kernel, given)];
          const allowed = withSpecials ? 8 * bound : bound;
          const what = `n = ${n}${withSpecials ? ', with special numbers' : ''}`;
          if (wanted.answer !== undefined) expectClose(got.answer as number, wanted.answer as number, allowed, what);
          wanted.arrays.forEach((values, operand) =>
            values.forEach((value, i) => {
              expectClose(got.arrays[operand]![i]!, value, allowed, `${what}, array ${operand} at ${i}`);
            }),
          );
        }
    },
  );

  it.each([
    ['exponential', Math.exp, -104, 89, 2.5e-7],
    ['logarithm', Math.log, 1e-40, 1e-37, 2e-7],
    ['logarithm', Math.log, 0, 100, 2e-7],
    ['hyperbolicTangent', Math.tanh, -20, 20, 4e-7],
    ['sigmoidal', (x: number) => 1 / (1 + Math.exp(-x)), -100, 20, 3e-7],
    ['softplusOf', (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), -40, 40, 4e-7],
  ] as const)('%s is %s from %d to %d within %d', (name, formula, low, high, bound) => {
    const n = 100_001;
    const x = Float32Array.from({ length: n }, (_, i) => low + ((high - low) * i) / (n - 1));
    const {
      arrays: [y],
    } = run(set, kernelList[name] as unknown as Kernel, [new Float32Array(n), x, n]);
    const relative = name === 'exponential' || name === 'softplusOf';
    x.forEach((value, i) => {
      const wanted = formula(value);
      const allowed = relative ? bound * Math.abs(wanted) + 1.5e-45 : bound * Math.max(1, Math.abs(wanted));
      const got = y![i]!;
      if (!(got === wanted || got === Math.fround(wanted) || Math.abs(got - wanted) <= allowed))
        expect.fail(`at ${value}: ${got} for ${wanted}`);
    });
  });
});

it.each((['simd', 'relaxed'] as const).filter(engineRuns))(
  '%s: moments of parameters without gradient reach 0 and do not linger below the smallest normal number',
  (set) => {
    const tiny = Float32Array.of(2e-38, -2e-38, 2e-38, 2e-38, 2e-38);
    for (const [name, numbers] of [
      ['adamUpdate', [0.1, 0.5, 0.5, 1e-8, 1, 1]],
      ['rmspropUpdate', [0.1, 0.5, 1e-8]],
      ['momentumUpdate', [0.1, 0.5]],
    ] as const) {
      const flags = name === 'momentumUpdate' ? [false] : [];
      const moments =
        name === 'adamUpdate' ? [tiny, tiny.map(Math.abs)] : [name === 'rmspropUpdate' ? tiny.map(Math.abs) : tiny];
      const { arrays } = run(set, kernelList[name] as unknown as Kernel, [
        new Float32Array(5),
        ...moments,
        ...numbers,
        ...flags,
        5,
      ]);
      for (const moment of arrays.slice(1))
        expect(Array.from(moment.subarray(0, 5), Math.abs)).toEqual([0, 0, 0, 0, 0]);
    }
  },
);

it('names a bound for every kernel, and every kernel of the source files is in the list', () => {
  expect(Object.keys(bounds).sort()).toEqual(names.slice().sort());
  const files: object[] = [
    arithmetic,
    cells,
    elementwise,
    linear,
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
