/** Which kernels run: asked for, forced, refused, and what happens where WebAssembly is missing. */

import { compute, kernelsInUse, matmul, tensor, useKernels } from 'bptt';
import { afterEach, expect, it, vi } from 'vitest';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
  useKernels(undefined);
});

it('the fastest by default, any by name, and back', () => {
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

it('refuses a name it does not know, and keeps what was in use', () => {
  useKernels('portable');
  expect(() => useKernels('cuda' as never)).toThrow(
    "useKernels: name must be 'portable', 'simd' or 'relaxed', got cuda.",
  );
  expect(kernelsInUse()).toBe('portable');
});

it.each([
  ['there is no WebAssembly', undefined],
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
    'no address space is left',
    {
      ...WebAssembly,
      Memory: class {
        constructor() {
          throw new RangeError('could not allocate memory');
        }
      },
    },
  ],
])('falls back to portable where %s', async (_, stub) => {
  vi.resetModules();
  vi.stubGlobal('WebAssembly', stub);
  const fresh = await import('../../src/index');
  expect(fresh.kernelsInUse()).toBe('portable');
  expect(() => fresh.useKernels('simd')).toThrow("useKernels: this engine does not run the kernels 'simd'.");
  expect(fresh.compute({ a: fresh.tensor([[2]]) }, ({ a }) => fresh.matmul(a, a)).data).toEqual(Float32Array.of(4));
});
