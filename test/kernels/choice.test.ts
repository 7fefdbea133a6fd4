/** The selection of kernels: defaults, useKernels, and engines without WebAssembly. */

import { compute, kernelsInUse, matmul, tensor, useKernels } from 'bptt';
import { afterEach, expect, it, vi } from 'vitest';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
  useKernels(undefined);
});

it('selects the fastest kernels by default, and any kernels by name', () => {
  const fastest = kernelsInUse();
  expect(fastest).not.toBe('portable');
  for (const name of ['portable', 'simd'] as const) {
    useKernels(name);
    expect(kernelsInUse()).toBe(name);
    expect(
      compute(
        {
          a: tensor([
            [1, 2],
            [3, 4],
          ]),
        },
        ({ a }) => matmul(a, a),
      ).data,
    ).toEqual(Float32Array.of(7, 10, 15, 22));
  }
  useKernels(undefined);
  expect(kernelsInUse()).toBe(fastest);
});

it('useKernels rejects an unknown name and keeps the kernels in use', () => {
  useKernels('portable');
  expect(() => useKernels('cuda' as never)).toThrow(
    "useKernels: name must be 'portable', 'simd' or 'relaxed', got cuda.",
  );
  expect(kernelsInUse()).toBe('portable');
});

it.each([
  ['WebAssembly is missing', undefined],
  [
    'a content security policy forbids it',
    {
      ...WebAssembly,
      Memory: WebAssembly.Memory,
      validate: () => true,
      Module: class {
        constructor() {
          throw new EvalError('unsafe-eval');
        }
      },
    },
  ],
  [
    'the address space is exhausted',
    {
      ...WebAssembly,
      Memory: class {
        constructor() {
          throw new RangeError('could not allocate memory');
        }
      },
    },
  ],
])('falls back to the portable kernels if %s', async (_, stub) => {
  vi.resetModules();
  vi.stubGlobal('WebAssembly', stub);
  const fresh = await import('../../src/index');
  expect(fresh.kernelsInUse()).toBe('portable');
  expect(() => fresh.useKernels('simd')).toThrow("useKernels: this engine does not support the kernels 'simd'.");
  expect(fresh.compute({ a: fresh.tensor([[2]]) }, ({ a }) => fresh.matmul(a, a)).data).toEqual(Float32Array.of(4));
});
