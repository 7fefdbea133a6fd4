/**
 * The tape of reverse-mode automatic differentiation. Operations run eagerly and record their backward function on it.
 *
 * A scope is one run of user code over a workspace. Its variables are offsets into the workspace and are valid only
 * during the run; results are copied into plain tensors.
 */

import type { Kernels } from '../kernels/kernel';
import { fill } from '../kernels/movement';
import {
  allocate,
  allocateZeros,
  copyInto,
  type MemoryError,
  noteUse,
  type Workspace,
  withMemory,
} from '../kernels/workspace';
import { checkIds, checkRows, isObject, mismatch, type Shape, sizeOf } from '../tensor/shape';
import { checkIntTensor, checkSize, type IntTensor, isTensor, type Tensor } from '../tensor/tensor';
import { version } from '../tensor/version';

/**
 * A tensor inside a running computation. User code reads only its shape; {@link toTensor} copies its values.
 */
export interface Variable {
  readonly shape: Shape;
  readonly size: number;
  /** The index of its first element in the workspace. */
  readonly offset: number;
  /** The allocation that contains it, which views share. */
  readonly storage: Storage;
  /** The offset of the panels of a matrix that is also packed. */
  readonly panels?: number | undefined;
}

/** An allocation and its gradient. */
export interface Storage {
  readonly scope: Scope;
  readonly offset: number;
  readonly size: number;
  /** Whether a gradient is computed for it: it is a parameter, or depends on one. */
  readonly tracked: boolean;
  /** The index of the first element of the gradient, or −1 if no gradient has been allocated yet. */
  gradient: number;
}

/** An argument of an operation: a variable, or a constant (a tensor or a number). */
export type Operand = Variable | Tensor | number;

interface Entry {
  readonly outputs: readonly Storage[];
  readonly backward: () => void;
}

/** One run over a workspace. */
export interface Scope {
  readonly workspace: Workspace;
  readonly kernels: Kernels;
  /** The recorded operations; undefined if no gradient is computed. */
  readonly tape: Entry[] | undefined;
  /**
   * In an update of a model: the offsets and sizes of the parameters that the run has changed itself, such as running
   * statistics. Otherwise they are not changed.
   */
  buffers?: Map<number, number> | undefined;
}

interface Running {
  scope: Scope | undefined;
}

let cached: Running | undefined;

/**
 * The running scope. It is global because a program may load two copies of the library, one by import and one by
 * require: the operations in the layers of one copy run in the scope of the other. Other versions, whose scopes and
 * kernels may differ, do not share it.
 */
function running(): Running {
  if (cached === undefined) {
    const globals = globalThis as typeof globalThis & Record<symbol, Running | undefined>;
    cached = globals[Symbol.for(`bptt ${version}`)] ??= { scope: undefined };
  }
  return cached;
}

/** Runs `body` as a scope of the workspace, and releases its memory even if it throws. */
export function runScope<R>(workspace: Workspace, recording: boolean, body: (scope: Scope) => R): R {
  const shared = running();
  const outer = shared.scope;
  noteUse(workspace);
  const scope: Scope = { workspace, kernels: workspace.kernels, tape: recording ? [] : undefined };
  shared.scope = scope;
  return withMemory(workspace, () => {
    try {
      return body(scope);
    } catch (error) {
      const failure = error as MemoryError | undefined;
      throw failure?.heapLength ? outOfMemory(failure, workspace, recording) : error;
    } finally {
      shared.scope = outer;
    }
  });
}

/**
 * The error to throw instead of that of the engine after an allocation has failed. It names the same function and
 * layer.
 */
function outOfMemory(
  { heapLength, message }: MemoryError,
  { memory: { view } }: Workspace,
  recording: boolean,
): RangeError {
  const [names] = /^(\w+: )?(layer \S+: )*/.exec(message)!;
  const needed = Math.ceil((heapLength * view.BYTES_PER_ELEMENT) / 1e6);
  const remedies = recording
    ? 'Use smaller batches, truncatedBptt, run: runInSegments, or recompute.'
    : 'Use smaller batches or shorter sequences.';
  return new RangeError(
    `${names}the computation needs at least ${needed} MB of memory, which the engine does not have ` +
      `(at most 4294 MB). ${remedies}`,
  );
}

/**
 * Returns the running scope.
 *
 * @throws TypeError if no scope is running
 */
export function currentScope(where: string): Scope {
  const { scope } = running();
  if (scope === undefined) {
    throw new TypeError(`${where}: must be called inside a function passed to valueAndGradient or compute.`);
  }
  return scope;
}

/** Whether a value is a {@link Variable}. */
export function isVariable(value: unknown): value is Variable {
  return isObject(value) && 'storage' in value;
}

/** Creates a variable over existing values at `offset`. */
export function variableAt(scope: Scope, offset: number, shape: Shape, tracked: boolean, gradient = -1): Variable {
  const size = sizeOf(shape);
  return {
    shape,
    size,
    offset,
    storage: { scope, offset, size, tracked: tracked && scope.tape !== undefined, gradient },
  };
}

/**
 * Allocates a variable for the output of an operation, tracked if one of the inputs is. Its values are uninitialized.
 *
 * @param scope needed if there may be no inputs; otherwise theirs
 */
export function result(shape: Shape, inputs: readonly Variable[], scope: Scope = inputs[0]!.storage.scope): Variable {
  const tracked = inputs.some((input) => input.storage.tracked);
  return variableAt(scope, allocate(scope.workspace, sizeOf(shape)), shape, tracked);
}

/** Creates a constant with equal elements. */
export function filled(scope: Scope, shape: Shape, value: number): Variable {
  const constant = result(shape, [], scope);
  scope.kernels.of(fill)(constant.offset, value, constant.size);
  return constant;
}

/** Creates a view of part of a variable with another shape. It shares the values and the gradient. */
export function viewOf(x: Variable, shape: Shape, start = 0): Variable {
  return { shape, size: sizeOf(shape), offset: x.offset + start, storage: x.storage };
}

/** Records the backward function of an operation. It runs only if one of the outputs has received a gradient. */
export function record(outputs: readonly Variable[], backward: () => void): void {
  const tracked = outputs.map(({ storage }) => storage).filter((storage) => storage.tracked);
  tracked[0]?.scope.tape?.push({ outputs: tracked, backward });
}

/**
 * Returns the offset of the gradient of a variable. The first call allocates it, filled with zeros. The gradient must
 * outlive the backward function that allocates it, so call this before allocating scratch memory that is released.
 */
export function gradientOf(x: Variable): number {
  const storage = x.storage;
  if (storage.gradient < 0) {
    storage.gradient = allocateZeros(storage.scope.workspace, storage.size);
  }
  return storage.gradient + x.offset - storage.offset;
}

/** Like {@link gradientOf}, but undefined if no gradient is computed for the variable. */
export function gradientIfTracked(x: Variable | undefined): number | undefined {
  return x?.storage.tracked ? gradientOf(x) : undefined;
}

/** Releases what `use` allocates afterwards. */
export function withScratch({ workspace }: Scope, use: () => void): void {
  withMemory(workspace, use);
}

/** Computes the gradient of a scalar with respect to every tracked variable by running the tape backward. */
export function backward(scope: Scope, loss: Variable): void {
  if (!loss.storage.tracked) return;
  scope.kernels.of(fill)(gradientOf(loss), 1, 1);
  rewind(scope);
}

/** Runs the tape backward from the gradients set so far. */
export function rewind({ tape = [] }: Scope): void {
  for (let i = tape.length - 1; i >= 0; i--) {
    const entry = tape[i]!;
    if (entry.outputs.some(({ gradient }) => gradient >= 0)) entry.backward();
  }
}

/**
 * Converts an operand to a variable of the running scope; tensors and numbers become constants.
 *
 * @throws TypeError if it is not an operand, or a variable of another scope
 * @throws RangeError if it is a tensor whose shape does not match its data
 */
export function operand(where: string, x: Operand, argument = 'x'): Variable {
  const scope = currentScope(where);
  if (isVariable(x)) {
    if (x.storage.scope === scope) return x;
    const expected = 'a variable of the running computation, a copy by toTensor(), or an input of recompute';
    throw mismatch(where, argument, expected, 'a variable of another');
  }
  if (typeof x === 'number') return constantOf(scope, [], [x]);
  if (!isTensor(x))
    throw mismatch(where, argument, 'a variable, a tensor { shape, data: Float32Array } or a number', x);
  checkSize(where, argument, x.shape, x.data.length);
  return constantOf(scope, x.shape, x.data);
}

/**
 * Copies ids into the running scope, as floats.
 *
 * @throws TypeError if `ids` is not an {@link IntTensor}
 * @throws RangeError if its shape does not match its data, an id is not in [0, count), or count exceeds 2²⁴
 */
export function idOperand(where: string, ids: IntTensor, count: number, argument: string): Variable {
  const scope = currentScope(where);
  checkIntTensor(where, argument, ids);
  checkRows(where, 'the number of rows', count);
  checkIds(where, argument, ids.data, count);
  return constantOf(scope, ids.shape, ids.data);
}

/** Creates a constant with these values. */
export function constantOf(scope: Scope, shape: Shape, data: ArrayLike<number>): Variable {
  return variableAt(scope, copyInto(scope.workspace, data), shape, false);
}

/**
 * Copies the values of a variable into a tensor, to inspect them during the computation.
 *
 * @throws TypeError if the computation of the variable has ended
 * @example
 * compute({ x: tensor([1, 2]) }, ({ x }) => {
 *   toTensor(x).data; // Float32Array [1, 2]
 *   return x;
 * });
 */
export function toTensor(x: Variable): Tensor {
  return copyOf('toTensor', x);
}

/** Copies the values of a variable as {@link toTensor} does, for the public function `where`. */
export function copyOf(where: string, x: Variable): Tensor {
  const variable = operand(where, x);
  return { shape: variable.shape, data: Float32Array.from(valuesOf(where, variable)) };
}

/**
 * Returns a view of the values of a variable, which is valid until memory is allocated.
 *
 * @throws as {@link toTensor}
 */
export function valuesOf(where: string, x: Variable): Float32Array | Float64Array {
  const { offset, size, storage } = operand(where, x);
  return storage.scope.workspace.memory.view.subarray(offset, offset + size);
}
