/** The size of the WebAssembly modules. */

import { afterAll, expect, it, vi } from 'vitest';
import type { Kernel } from '../../src/kernels/kernel';
import { argumentsOf } from './arguments';

afterAll(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

it('every module is smaller than 4,096 bytes, the limit for synchronous compilation in browsers', async () => {
  const sizes: number[] = [];
  const { Module } = WebAssembly;
  vi.stubGlobal(
    'WebAssembly',
    new Proxy(WebAssembly, {
      get: (target, name) =>
        name !== 'Module'
          ? (Reflect.get(target, name) as unknown)
          : new Proxy(Module, {
              construct(target, args: [Uint8Array<ArrayBuffer>]) {
                sizes.push(args[0].length);
                return new target(...args);
              },
            }),
    }),
  );
  // A module is compiled only once, so the kernels are imported again.
  vi.resetModules();
  const kernelList = await import('../../src/kernels/list');
  const { allocate, createWorkspace } = await import('../../src/kernels/workspace');
  const workspace = createWorkspace();
  const { kernels } = workspace;
  for (const [name, kernel] of Object.entries(kernelList)) {
    const bound = kernels.of(kernel as unknown as Kernel) as (...operands: unknown[]) => unknown;
    // The call makes composed kernels bind their functions.
    const args = argumentsOf(
      name as keyof typeof kernelList,
      kernel as unknown as Kernel,
      1,
      (size) => new Float32Array(size),
    );
    bound(
      ...args.map((argument) => (argument instanceof Float32Array ? allocate(workspace, argument.length) : argument)),
    );
  }
  expect(sizes.length).toBeGreaterThan(40);
  expect(Math.max(...sizes)).toBeLessThan(4096);
});
