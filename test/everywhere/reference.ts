/** The results of Node.js 24, with which those of other engines are compared. */

import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Results } from './programs/results.ts';
import { build } from './run.ts';

export type Kernels = Results['selected'];

/** Whether the processor has vectors of 256 bits. */
export const hasAvx2: boolean = / avx2 /.test(readFileSync('/proc/cpuinfo', 'utf8'));

export const reference: Results = JSON.parse(readFileSync(`${build}/reference.json`, 'utf8'));

/**
 * Checks that the results are of these kernels and bit-identical to the reference. `selected` are the kernels that the
 * library selects automatically.
 */
export function expectReference(results: Results, selected: Kernels, kernels: readonly Kernels[]): void {
  expect(results.selected).toBe(selected);
  const expected = Object.fromEntries(kernels.map((name) => [name, reference.digests[name]]));
  expect(results.digests).toEqual(expected);
}

/** The kernels of the results, for the report. */
export const kernelsOf = ({ digests }: Results): string => Object.keys(digests).join(', ');
