/** The selection of kernels: defaults, useKernels, and engines without WebAssembly. */

import { compute, kernelsInUse, matmul, tensor, useKernels } from 'bptt';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

const engine = WebAssembly;

// Other test files may have computed with other kernels.
beforeEach(() => useKernels(undefined));
afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
  useKernels(undefined);
});

it('selects the fastest kernels by default, and any kernels by name', () => {
  useKernels(undefined);
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
    'useKernels: name must be one of portable, simd, relaxed, wide, got cuda.',
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
  // All computations share one memory.
  const { defaultWorkspace } = await import('../../src/kernels/workspace');
  expect(defaultWorkspace()).toBe(defaultWorkspace());
});

/** Counts the modules that are compiled; the policy forbids them after `allowed` modules. */
function withPolicy(allowed: number): { readonly stub: object; readonly compiled: () => number } {
  let count = 0;
  function Module(code: Uint8Array<ArrayBuffer>): WebAssembly.Module {
    if (++count > allowed) throw new EvalError('unsafe-eval');
    return new engine.Module(code);
  }
  return { stub: { ...engine, Memory: engine.Memory, Instance: engine.Instance, Module }, compiled: () => count };
}

it('a content security policy reports one violation, however many streams, predictions and trainings run', async () => {
  vi.resetModules();
  const { stub, compiled } = withPolicy(0);
  vi.stubGlobal('WebAssembly', stub);
  const fresh = await import('../../src/index');
  const x = fresh.full([2, 1, 1], 1);
  for (let i = 0; i < 50; i++) {
    const model = fresh.sequential([fresh.recurrent(fresh.lstm(), { hiddenSize: 1 })], { inputSize: 1 });
    fresh.stream(model);
    fresh.predict(model, x);
    const optimizer = fresh.adam();
    await fresh.fit(model, { inputs: x, targets: x }, { loss: fresh.meanSquaredError, optimizer, steps: 1 });
    expect(() => fresh.useKernels((['simd', 'relaxed', 'wide'] as const)[i % 3])).toThrow('does not support');
  }
  expect(fresh.kernelsInUse()).toBe('portable');
  expect(compiled()).toBe(1);
});

it('probes the engine, trains, predicts and streams with one memory', async () => {
  vi.resetModules();
  let count = 0;
  class Memory extends engine.Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      count++;
      super(descriptor);
    }
  }
  vi.stubGlobal('WebAssembly', { ...engine, Module: engine.Module, Instance: engine.Instance, Memory });
  const fresh = await import('../../src/index');
  expect(fresh.kernelsInUse()).not.toBe('portable');
  const model = fresh.sequential([fresh.recurrent(fresh.lstm(), { hiddenSize: 1 })], { inputSize: 1 });
  const x = fresh.full([2, 1, 1], 1);
  fresh.advance(fresh.stream(model), fresh.full([1, 1], 1));
  fresh.predict(model, x);
  await fresh.fit(
    model,
    { inputs: x, targets: x },
    { loss: fresh.meanSquaredError, optimizer: fresh.adam(), steps: 1 },
  );
  expect(count).toBe(1);
});

it('uses SIMD kernels as soon as there is memory', async () => {
  vi.resetModules();
  let isShort = true;
  class Memory extends engine.Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      if (isShort) throw new RangeError('could not allocate memory');
      super(descriptor);
    }
  }
  vi.stubGlobal('WebAssembly', { ...engine, Module: engine.Module, Instance: engine.Instance, Memory });
  const fresh = await import('../../src/index');
  const square = (): number => fresh.compute({ a: fresh.tensor([[3]]) }, ({ a }) => fresh.matmul(a, a)).data[0]!;
  expect(square()).toBe(9);
  expect(fresh.kernelsInUse()).toBe('portable');
  isShort = false;
  expect(square()).toBe(9);
  expect(fresh.kernelsInUse()).not.toBe('portable');
});

it('reports the kernels that the last computation used, streams included', async () => {
  vi.resetModules();
  const fresh = await import('../../src/index');
  const model = fresh.sequential([fresh.dense({ size: 1 })], { inputSize: 1 });
  const running = fresh.stream(model);
  const fastest = fresh.kernelsInUse();
  fresh.useKernels('portable');
  expect(fresh.kernelsInUse()).toBe('portable');
  fresh.advance(running, fresh.tensor([[1]]));
  expect(fresh.kernelsInUse()).toBe(fastest);
  fresh.predict(model, fresh.full([1, 1, 1], 1));
  expect(fresh.kernelsInUse()).toBe('portable');
  fresh.useKernels(undefined);
  expect(fresh.kernelsInUse()).toBe(fastest);
});

it('does not use relaxed kernels on an engine that rounds twice in fused multiply-add', async () => {
  vi.resetModules();
  // Modules with the instruction are replaced by an empty one, whose instance returns the result of two roundings.
  const fused = new WeakSet<WebAssembly.Module>();
  const fusedMultiplyAdd = [0xfd, 0x85, 0x02].join();
  function Module(code: Uint8Array<ArrayBuffer>): WebAssembly.Module {
    const isFused = code.join().includes(fusedMultiplyAdd);
    const module = new engine.Module(isFused ? Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0) : code);
    if (isFused) fused.add(module);
    return module;
  }
  function Instance(module: WebAssembly.Module, imports: WebAssembly.Imports): object {
    return fused.has(module) ? { exports: { run: () => 0 } } : new engine.Instance(module, imports);
  }
  vi.stubGlobal('WebAssembly', { ...engine, Memory: engine.Memory, Module, Instance });
  const fresh = await import('../../src/index');
  expect(fresh.kernelsInUse()).toBe('simd');
  fresh.useKernels('simd');
  expect(() => fresh.useKernels('relaxed')).toThrow("this engine does not support the kernels 'relaxed'");
  expect(fresh.kernelsInUse()).toBe('simd');
});
