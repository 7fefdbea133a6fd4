/** How large the modules are that the kernels are compiled from. In a file of its own, since each is compiled once. */

import { afterAll, expect, it, vi } from 'vitest';
import type { Kernel } from '../../src/kernels/kernel';
import * as kernelList from '../../src/kernels/list';
import { allocate, createWorkspace } from '../../src/kernels/workspace';
import { argumentsOf } from './arguments';

afterAll(() => void vi.unstubAllGlobals());

it('every module is under 4,096 bytes: even engines that refuse more on a page’s main thread compile it at once', () => {
  const sizes: number[] = [];
  const { Module } = WebAssembly;
  vi.stubGlobal(
    'WebAssembly',
    new Proxy(WebAssembly, {
      get: (target, name) =>
        name !== 'Module'
          ? (Reflect.get(target, name) as unknown)
          : class {
              constructor(bytes: Uint8Array<ArrayBuffer>) {
                sizes.push(bytes.length);
                return new Module(bytes);
              }
            },
    }),
  );
  const workspace = createWorkspace();
  const { kernels } = workspace;
  for (const [name, kernel] of Object.entries(kernelList)) {
    const bound = kernels.of(kernel as unknown as Kernel) as (...operands: unknown[]) => unknown;
    // Called, so that what is made of several functions binds them.
    const given = argumentsOf(
      name as keyof typeof kernelList,
      kernel as unknown as Kernel,
      1,
      (size) => new Float32Array(size),
    );
    bound(
      ...given.map((argument) => (argument instanceof Float32Array ? allocate(workspace, argument.length) : argument)),
    );
  }
  expect(sizes.length).toBeGreaterThan(40);
  expect(Math.max(...sizes)).toBeLessThan(4096);
});
