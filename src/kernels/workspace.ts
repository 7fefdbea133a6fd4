/**
 * A workspace is a stack of numbers: allocation bumps a pointer, leaving a scope puts it back, so that the second step of a training
 * run allocates nothing. Only this file replaces views of the heap; everyone else holds offsets.
 */

import { type Heap, type KernelName, type Kernels, type Memory, portableKernels } from './kernel';
import { scratchSize, simdKernels } from './simd/bind';

/** Single precision computes, double precision checks. */
export type Precision = 'float32' | 'float64';

export interface Workspace {
  readonly precision: Precision;
  readonly kernels: Kernels;
  readonly memory: Memory;
  /** Gives the heap at least `length` elements; `memory.view` is a new one then. */
  readonly enlarge: (length: number) => void;
  /** The first free element. Save it, allocate, and give it to {@link release}. */
  top: number;
}

/** Offsets are multiples of this many elements, so that vectors of four never straddle two cache lines. */
const alignment = 4;
/** Kernels may read so many numbers behind an operand. */
const margin = 8;
/** The numbers in a page of WebAssembly memory. */
const pageSize = 16_384;

/**
 * A new workspace. Single precision takes the fastest kernels that the engine runs, or those that {@link useKernels} asked for; double
 * precision is portable always.
 */
export function createWorkspace(precision: Precision = 'float32'): Workspace {
  if (precision === 'float32') {
    for (const name of wanted === undefined ? fastestFirst : [wanted]) {
      const workspace = name === 'portable' ? undefined : simdWorkspace(name);
      if (workspace !== undefined) return workspace;
    }
  }
  const heapOf = (length: number): Heap =>
    precision === 'float64' ? new Float64Array(length) : new Float32Array(length);
  const memory: Memory = { view: heapOf(1 << 12) };
  const enlarge = (length: number): void => {
    const grown = heapOf(length);
    grown.set(memory.view);
    memory.view = grown;
  };
  return { precision, kernels: portableKernels(memory), memory, enlarge, top: 0 };
}

const fastestFirst: readonly KernelName[] = ['relaxed', 'simd'];
let wanted: KernelName | undefined;

/** A workspace over a WebAssembly memory; nothing where the engine has no such kernels, or no address space for another memory. */
function simdWorkspace(name: 'simd' | 'relaxed'): Workspace | undefined {
  try {
    const pages = new WebAssembly.Memory({ initial: Math.ceil(scratchSize / pageSize) + 1 });
    const memory: Memory = { view: new Float32Array(pages.buffer) };
    const kernels = simdKernels(name, pages, memory);
    const enlarge = (length: number): void => {
      pages.grow(Math.ceil((length - memory.view.length) / pageSize));
      memory.view = new Float32Array(pages.buffer);
    };
    return kernels && { precision: 'float32', kernels, memory, enlarge, top: scratchSize };
  } catch {
    return undefined;
  }
}

/**
 * Chooses the kernels of all computations that begin from now on: `portable` (plain TypeScript), `simd` (WebAssembly SIMD) or `relaxed`
 * (with fused multiply-add); `undefined` goes back to the fastest that the engine runs, which is the default.
 *
 * @throws RangeError where the engine does not run them
 * @example
 * useKernels('portable');
 * kernelsInUse(); // 'portable'
 * useKernels(undefined);
 */
export function useKernels(name: KernelName | undefined): void {
  if (name !== undefined && !['portable', 'simd', 'relaxed'].includes(name)) {
    throw new RangeError(`useKernels: name must be 'portable', 'simd' or 'relaxed', got ${String(name)}.`);
  }
  const before = wanted;
  wanted = name;
  if (name === undefined || defaultWorkspace().kernels.name === name) return;
  wanted = before;
  throw new RangeError(`useKernels: this engine does not run the kernels '${String(name)}'.`);
}

/**
 * Which kernels computations run on. Where WebAssembly is missing or a content security policy forbids it, that is `portable`.
 *
 * @example
 * ['portable', 'simd', 'relaxed'].includes(kernelsInUse()); // true
 */
export function kernelsInUse(): KernelName {
  return defaultWorkspace().kernels.name;
}

/** Takes `size` elements, whose content is whatever was there, and returns their offset. Growing the heap replaces `memory.view`. */
export function allocate(workspace: Workspace, size: number): number {
  const offset = workspace.top;
  const top = offset + Math.ceil(size / alignment) * alignment;
  const { length } = workspace.memory.view;
  // Half as much again: enough that growing costs constant time per element, without doubling what a large model needs.
  if (top + margin > length) workspace.enlarge(Math.max(top + margin, Math.ceil(length * 1.5)));
  workspace.top = top;
  return offset;
}

/** Gives back everything allocated since `top` was the workspace's top. */
export function release(workspace: Workspace, top: number): void {
  workspace.top = top;
}

const shared = new Map<KernelName | undefined, Workspace>();

/**
 * The default workspace of single precision for the kernels that are wanted, made at first use; all scopes share it, since they are
 * synchronous and nest.
 */
export function defaultWorkspace(): Workspace {
  const workspace = shared.get(wanted) ?? createWorkspace();
  shared.set(wanted, workspace);
  return workspace;
}
