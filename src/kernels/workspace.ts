/**
 * Workspaces: stack allocators over one heap. Allocating advances a pointer and leaving a scope resets it, so that a
 * training run allocates no memory after its first update. Only this file replaces the views of a heap; all other code
 * holds offsets.
 */

import { lastOf } from '../tensor/arrays';
import { checkChoice, checkCount } from '../tensor/shape';
import { type KernelName, type Kernels, type Memory, portableKernels } from './kernel';
import { fill } from './movement';
import { type Implementation, isSupported, relaxed, scratchSize, simd, simdKernels } from './simd/bind';
import { wideImplementation } from './simd/wide';

/** A heap with its kernels and its stack pointer. */
export interface Workspace {
  readonly kernels: Kernels;
  readonly memory: Memory;
  /** Grows the heap to at least `length` elements, which replaces `memory.view`. */
  readonly enlarge: (length: number) => void;
  /** The offset of the first free element. {@link withMemory} restores it. */
  top: number;
  /** The end of the last reserved block. The stack is above it. */
  base: number;
  /** The free ranges below `base`. */
  readonly free: Block[];
  /**
   * If threads share the memory: returns the workspace for an update of `size` parameters with data of `rows` rows, one
   * per time step and sequence. It is one that they do not share, if copying to shared memory takes longer than they
   * save.
   */
  forUpdate?: (rows: number, size: number) => Workspace;
}

/** All offsets are multiples of this number of elements, so that no vector of four spans two cache lines. */
const alignment = 4;
/** The number of elements that kernels may read past the end of an operand. */
const margin = 16;
/** The number of floats in a page of WebAssembly memory. */
const pageSize = 16_384;

/**
 * Creates a workspace in single precision, with the kernels set by {@link useKernels}, or else the fastest ones that
 * the engine supports.
 */
export function createWorkspace(): Workspace {
  return simdWorkspace() ?? portableWorkspace(Float32Array);
}

/** Creates an empty workspace, whose stack begins at `top`. */
const workspaceOf = (kernels: Kernels, memory: Memory, enlarge: Workspace['enlarge'], top: number): Workspace => ({
  kernels,
  memory,
  enlarge,
  top,
  base: top,
  free: [],
});

/** Creates a workspace with portable kernels: in double precision for gradient checks. */
export function portableWorkspace(Heap: typeof Float32Array | typeof Float64Array): Workspace {
  const memory: Memory = { view: new Heap(1 << 12) };
  const enlarge = (length: number): void => {
    const grown = new Heap(length);
    grown.set(memory.view);
    memory.view = grown;
  };
  return workspaceOf(portableKernels(memory), memory, enlarge, 0);
}

/** The kernels set by {@link useKernels}. */
let selected: KernelName | undefined;
/** The wide implementation, once the engine has been probed for it. */
let wide: Implementation | undefined;
/** The kernels of the last computation. */
let used: KernelName | undefined;

/**
 * Creates a workspace over a WebAssembly memory. Returns undefined if portable kernels are selected, or the engine
 * lacks the selected ones or the memory.
 */
function simdWorkspace(): Workspace | undefined {
  try {
    if (selected === 'portable' || simd.supported === false) return undefined;
    // The engine is probed with the memory of the workspace: all workers of a page together have about a hundred.
    const pages = new WebAssembly.Memory({ initial: scratchSize / pageSize + 1 });
    // Relaxed SIMD is probed only if there is SIMD, so that a policy that forbids WebAssembly reports one violation.
    if (!isSupported(simd, pages)) return undefined;
    const known = selected === 'wide' ? [wide!] : [relaxed, simd];
    const implementation = known.find((one) => (selected ?? one.name) === one.name && isSupported(one, pages));
    return implementation && workspaceOver(implementation, pages, simdKernels);
  } catch {
    return undefined;
  }
}

/** Creates an empty workspace over a WebAssembly memory, which begins with the scratch memory of the kernels. */
export function workspaceOver(
  implementation: Implementation,
  pages: WebAssembly.Memory,
  kernelsOver: typeof simdKernels,
): Workspace {
  const memory: Memory = { view: new Float32Array(pages.buffer) };
  const enlarge = (length: number): void => {
    pages.grow(Math.ceil((length - memory.view.length) / pageSize));
    memory.view = new Float32Array(pages.buffer);
  };
  return workspaceOf(kernelsOver(implementation, pages, memory), memory, enlarge, scratchSize);
}

/**
 * Sets the kernels of all later computations.
 *
 * @param name `portable` (plain TypeScript), `simd` (WebAssembly SIMD), `relaxed` (SIMD with fused multiply-add) or
 * `wide` (the same in 256 bits, for V8 with the flag `--experimental-wasm-revectorize`, which takes a tenth of a second
 * to check once); `undefined`, the default, selects the fastest of the first three that the engine supports
 * @throws RangeError if the engine does not support them, with the reason; the kernels in use stay
 * @example
 * useKernels('portable');
 * kernelsInUse(); // 'portable'
 * useKernels(undefined);
 */
export function useKernels(name: KernelName | undefined): void {
  if (name !== undefined) checkChoice('useKernels', 'name', name, ['portable', 'simd', 'relaxed', 'wide']);
  const previous = selected;
  let reason = '';
  try {
    if (name === 'wide') wide ??= wideImplementation();
    selected = name;
    if (name === undefined || defaultWorkspace().kernels.name === name) {
      used = undefined;
      return;
    }
  } catch (error) {
    reason = `: ${(error as Error).message}`;
  }
  selected = previous;
  throw new RangeError(`useKernels: this engine does not support the kernels '${String(name)}'${reason}.`);
}

/**
 * Returns the name of the kernels that the last computation used; before the first one, and after {@link useKernels},
 * of those that the next one will use. They are `portable` if WebAssembly SIMD is missing, a content security policy
 * forbids WebAssembly, or there was no memory for it.
 *
 * @example
 * ['portable', 'simd', 'relaxed'].includes(kernelsInUse()); // true
 */
export function kernelsInUse(): KernelName {
  return used ?? defaultWorkspace().kernels.name;
}

/** Notes the kernels of a computation, for {@link kernelsInUse}. */
export function noteUse({ kernels }: Workspace): void {
  used = kernels.name;
}

/** The error of an engine that could not provide a heap of this length. */
export interface MemoryError extends Error {
  heapLength: number;
}

/**
 * Allocates `size` uninitialized elements and returns their offset. May grow the heap, which replaces `memory.view`.
 *
 * @throws MemoryError
 */
export function allocate(workspace: Workspace, size: number): number {
  // NaN would make the workspace useless for all later computations.
  checkCount('memory', 'memory', size, 0);
  const offset = workspace.top;
  const top = offset + rounded(size);
  const length = workspace.memory.view.length;
  const needed = top + margin;
  if (needed > length) {
    try {
      // Growing by half keeps the cost per element constant without doubling the memory of a large model.
      workspace.enlarge(Math.max(needed, length * 1.5));
    } catch {
      try {
        // The engine may still have the memory that is needed.
        workspace.enlarge(needed);
      } catch (error) {
        (error as MemoryError).heapLength = needed;
        throw error;
      }
    }
  }
  workspace.top = top;
  return offset;
}

/** Allocates zeros. @throws MemoryError */
export function allocateZeros(workspace: Workspace, size: number): number {
  const offset = allocate(workspace, size);
  workspace.kernels.of(fill)(offset, 0, size);
  return offset;
}

/** The number of elements of a block for `size` elements. */
const rounded = (size: number): number => Math.ceil(size / alignment) * alignment;

/** A range of the heap, from `start` up to, but not including, `end`. */
interface Block {
  start: number;
  end: number;
}

/** Returns the result of `body`, and releases its allocations, except for reserved blocks, even if it throws. */
export function withMemory<R>(workspace: Workspace, body: () => R): R {
  const top = workspace.top;
  try {
    return body();
  } finally {
    workspace.top = Math.max(top, workspace.base);
  }
}

/** Blocks of memory that stay when scopes end, until the reservation is garbage collected. */
export interface Reservation {
  readonly held: Held;
  /**
   * An array per block, of its length. Engines count these arrays, but not the blocks, and collect garbage in time. The
   * arrays are never used, so that no page of them is in memory.
   */
  readonly spare: Float32Array[];
}

interface Held {
  readonly workspace: Workspace;
  readonly blocks: Block[];
}

/** Frees the blocks of reservations that were collected. Engines without this class keep them. */
let registry: FinalizationRegistry<Held> | undefined;

/** Creates an empty reservation. */
export function reservationOf(workspace: Workspace): Reservation {
  const held = { workspace, blocks: [] };
  const reservation = { held, spare: [] };
  if (typeof FinalizationRegistry === 'function') {
    registry ??= new FinalizationRegistry(freeBlocks);
    registry.register(reservation, held);
  }
  return reservation;
}

/**
 * Reserves `size` elements and returns their offset: in the first free range that is large enough, or else at the top
 * of the stack. A block that is reserved inside of a scope includes the range of its stack, which it takes over.
 */
export function reserve({ held: { workspace, blocks }, spare }: Reservation, size: number): number {
  const length = rounded(size);
  spare.push(new Float32Array(length));
  const range = workspace.free.find(({ start, end }) => end - start >= length);
  const start = range ? range.start : workspace.base;
  const offset = range ? start : allocate(workspace, length);
  const end = offset + length;
  if (range) range.start = end;
  else workspace.base = end;
  blocks.push({ start, end });
  return offset;
}

/** Copies data into a block that it reserves, and returns its offset. */
export function reserveCopy(reservation: Reservation, data: ArrayLike<number>): number {
  const offset = reserve(reservation, data.length);
  reservation.held.workspace.memory.view.set(data, offset);
  return offset;
}

/** Frees the blocks of a reservation. */
export function freeBlocks({ workspace, blocks }: Held): void {
  const { free, base, top } = workspace;
  free.push(...blocks.splice(0));
  free.sort((a, b) => a.start - b.start);
  for (let i = free.length - 1; i > 0; i--) {
    if (free[i - 1]!.end < free[i]!.start) continue;
    free[i - 1]!.end = free[i]!.end;
    free.splice(i, 1);
  }
  // Outside of scopes, the stack moves down to the last block in use.
  if (lastOf(free)?.end === base && top === base) workspace.base = workspace.top = free.pop()!.start;
}

/** Copies data into the workspace and returns its offset. */
export function copyInto(workspace: Workspace, data: ArrayLike<number>): number {
  const offset = allocate(workspace, data.length);
  workspace.memory.view.set(data, offset);
  return offset;
}

/** Returns the implementation in WebAssembly of a workspace, or undefined if its kernels are portable. */
export const implementationOf = ({ kernels: { name } }: Workspace): Implementation | undefined =>
  [wide, relaxed, simd].find((one) => one?.name === name);

const shared = new Map<KernelName | undefined, Workspace>();
/** Returns a workspace to use instead of the shared ones, if it is set. */
let replacement: (() => Workspace | undefined) | undefined;

/** Sets a function that returns a workspace to use instead of the shared ones, or undefined to use those. */
export function replaceWorkspaces(replace: typeof replacement): void {
  replacement = replace;
}

/**
 * Returns the single-precision workspace of the selected kernels, which is created at first use. All scopes share it,
 * because they are synchronous and nested.
 */
export function defaultWorkspace(): Workspace {
  return replacement?.() ?? localWorkspace();
}

/**
 * Like {@link defaultWorkspace}, but never one that threads share: for streams, whose steps are too small to be
 * divided.
 */
export function localWorkspace(): Workspace {
  const existing = shared.get(selected);
  if (existing && (existing.kernels.name !== 'portable' || selected === 'portable')) return existing;
  // Portable kernels that were chosen because memory was short are replaced as soon as there is memory.
  const workspace = simdWorkspace() ?? existing ?? portableWorkspace(Float32Array);
  shared.set(selected, workspace);
  return workspace;
}
