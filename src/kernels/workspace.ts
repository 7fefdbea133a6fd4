/**
 * A workspace is a stack of numbers: allocation bumps a pointer, leaving a scope puts it back, so that the second step of a training
 * run allocates nothing. Only this file replaces views of the heap; everyone else holds offsets.
 */

import type { Heap, Kernels, Memory } from './kernels';
import { portableKernels } from './portable/portable';

/** Single precision computes, double precision checks. */
export type Precision = 'float32' | 'float64';

export interface Workspace {
  readonly precision: Precision;
  readonly kernels: Kernels;
  readonly memory: Memory;
  /** The first free element. Save it, allocate, and give it to {@link release}. */
  top: number;
}

/** Offsets are multiples of this many elements, so that vectors of four never straddle two cache lines. */
const alignment = 4;

export function createWorkspace(precision: Precision = 'float32'): Workspace {
  const memory: Memory = { view: heapOf(precision, 1 << 12) };
  return { precision, kernels: portableKernels(memory), memory, top: 0 };
}

function heapOf(precision: Precision, size: number): Heap {
  return precision === 'float64' ? new Float64Array(size) : new Float32Array(size);
}

/** Takes `size` elements, whose content is whatever was there, and returns their offset. Growing the heap replaces `memory.view`. */
export function allocate(workspace: Workspace, size: number): number {
  const offset = workspace.top;
  const top = offset + Math.ceil(size / alignment) * alignment;
  if (top > workspace.memory.view.length) grow(workspace, top);
  workspace.top = top;
  return offset;
}

/** Gives back everything allocated since `top` was the workspace's top. */
export function release(workspace: Workspace, top: number): void {
  workspace.top = top;
}

function grow(workspace: Workspace, least: number): void {
  const { memory, precision } = workspace;
  // Half as much again: enough that growing costs constant time per element, without doubling what a large model needs.
  const grown = heapOf(precision, Math.max(least, Math.ceil(memory.view.length * 1.5)));
  grown.set(memory.view.subarray(0, workspace.top));
  memory.view = grown;
}

let shared: Workspace | undefined;

/** The default workspace of single precision, made at first use; all scopes share it, since they are synchronous and nest. */
export function defaultWorkspace(): Workspace {
  return (shared ??= createWorkspace());
}
