/** Arguments for any kernel, derived from its operands, for tests and benchmarks. */

import type { Kernel } from '../../src/kernels/kernel';
import type * as kernelList from '../../src/kernels/list';
import { panelsSize } from '../../src/kernels/product';

/** An argument of a kernel; arrays are copied into a workspace and replaced by their offsets. */
export type Argument = Float32Array | number | boolean | readonly number[];
type Name = keyof typeof kernelList;

/** Arguments for size n of kernels whose operands do not determine them. */
const special: Partial<Record<Name, (n: number, draw: (size: number) => Float32Array) => Argument[]>> = {
  gemmPacked: (n, draw) => [draw(3 * n), draw(3 * 7), draw(panelsSize(7, n)), 3, n, 7, true],
  affinePacked: (n, draw) => [draw(3 * n), draw(3 * 7), draw(panelsSize(7, n)), draw(n), 3, n, 7],
  packPanels: (n, draw) => [draw(panelsSize(n, 9)), draw(9 * n), n, 9, true],
  gatherRows: (n, draw) => [draw(3 * n), draw(4 * n), Float32Array.of(3, -1, 0), 3, n],
  scatterAddRows: (n, draw) => [draw(4 * n), draw(3 * n), Float32Array.of(3, -1, 3), 3, n],
  gemm: (n, draw) => [draw(3 * n), draw(3 * 7), draw(7 * n), 3, n, 7, false, true, true],
  rmspropUpdate: (n, draw) => [draw(n), draw(n).map(Math.abs), 0.25, 0.9, 0.25, n],
  adagradUpdate: (n, draw) => [draw(n), draw(n).map(Math.abs), 0.25, 0.25, n],
  adamUpdate: (n, draw) => [draw(n), draw(n), draw(n).map(Math.abs), 0.25, 0.9, 0.99, 0.25, 0.19, 0.0199, n],
  momentsUpdate: (n, draw) => [draw(n), draw(n), draw(n).map(Math.abs), 0.9, 0.99, n],
  changeByMoments: (n, draw) => [draw(n), draw(n), draw(n).map(Math.abs), 0.25, -0.5, 1.5, 0.25, 0.25, n],
  copyStrided: (n, draw) => [draw(6 * n), [2 * n, 1, n], draw(6 * n), [1, 3, 0], [3, n, 2]],
  addStrided: (n, draw) => [draw(3 * n), [n, 0, 1], draw(6 * n), [2 * n, n, 1], [3, 2, n]],
  multiplyTaps: (n, draw) => [draw(3 * n), draw(7 * n), draw(3 * n), 3, 3, 2 * n, n],
  unfoldWindows: (n, draw) => [draw(9 * n), draw(9 * n), 3, 3, n, 2 * n, n],
  foldWindows: (n, draw) => [draw(9 * n), draw(9 * n), 3, 3, n, 2 * n, n],
  crossEntropyRows: (n, draw) => [draw(3), draw(3 * n), draw(3 * n), Float32Array.of(0, n - 1, n >> 1), 3, n],
  crossEntropyRowsBackward: (n, draw) => [
    draw(3 * n),
    Float32Array.of(0.5, 0, -2),
    draw(3 * n),
    Float32Array.of(0, n - 1, n >> 1),
    3,
    n,
  ],
};

/** Creates arguments for size n: the last length of a kernel is n, and all others are 3. */
export function argumentsOf(
  kernel: Name,
  { operands }: Kernel,
  n: number,
  draw: (size: number) => Float32Array,
): Argument[] {
  const create = special[kernel];
  if (create !== undefined) return create(n, draw);
  const lengths = operands.filter((operand) => !/^(read|write|update|number|flag|list)/.test(operand));
  const lengthOf = (name: string): number => Number(name) || (name === lengths.at(-1) ? n : 3);
  return operands.map((operand) => {
    if (lengths.includes(operand)) return lengthOf(operand);
    if (operand === 'number') return 0.25;
    if (operand === 'flag') return true;
    return draw(
      operand
        .split(' ')
        .slice(1)
        .reduce((size, part) => size * lengthOf(part), 1),
    );
  });
}
