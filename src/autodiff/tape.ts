/**
 * The tape: operations run at once and leave their backward on it.
 *
 * A scope is one run of user code over a workspace. Its variables are offsets into the workspace and die with it; what leaves is copied
 * into plain tensors.
 */

import type { Kernels } from '../kernels/kernel';
import { fill } from '../kernels/movement';
import { allocate, release, type Workspace } from '../kernels/workspace';
import { checkIds, describe, formatShape, type Shape, sizeOf } from '../tensor/shape';
import { type IntTensor, isTensor, type Tensor } from '../tensor/tensor';

/** A tensor inside a running computation. Only its shape is of interest outside the library; {@link toTensor} copies its numbers out. */
export interface Variable {
  readonly shape: Shape;
  readonly size: number;
  /** Where its numbers begin in the workspace. */
  readonly offset: number;
  /** The allocation it lies in, which it may share with views of it. */
  readonly storage: Storage;
}

/** One allocation and the gradient that belongs to it. */
export interface Storage {
  readonly scope: Scope;
  readonly offset: number;
  readonly size: number;
  /** Whether a parameter's gradient flows through here. */
  readonly tracked: boolean;
  /** Where the gradient begins, −1 as long as nothing has reached it. */
  gradient: number;
}

/** What operations take: a variable, or a constant. */
export type Operand = Variable | Tensor | number;

interface Entry {
  readonly outputs: readonly Storage[];
  readonly backward: () => void;
}

/** One run over a workspace. */
export interface Scope {
  readonly workspace: Workspace;
  readonly kernels: Kernels;
  /** What backward has to do, or nothing where no gradient is asked for. */
  readonly tape: Entry[] | undefined;
}

let current: Scope | undefined;

/** Runs `body` as a scope of the workspace and gives the memory back, whatever happens. */
export function runScope<R>(workspace: Workspace, recording: boolean, body: (scope: Scope) => R): R {
  const outer = current;
  const top = workspace.top;
  current = { workspace, kernels: workspace.kernels, tape: recording ? [] : undefined };
  try {
    return body(current);
  } finally {
    current = outer;
    release(workspace, top);
  }
}

/** The scope that is running. @throws TypeError outside of one */
export function currentScope(where: string): Scope {
  if (current === undefined) {
    throw new TypeError(
      `${where}: operations work inside the function given to valueAndGradient, compute or checkGradients; none is running.`,
    );
  }
  return current;
}

export function isVariable(value: unknown): value is Variable {
  return typeof value === 'object' && value !== null && 'storage' in value;
}

/** A variable of numbers that stand at `offset` already. */
export function variableAt(scope: Scope, offset: number, shape: Shape, tracked: boolean, gradient = -1): Variable {
  const size = sizeOf(shape);
  return {
    shape,
    size,
    offset,
    storage: { scope, offset, size, tracked: tracked && scope.tape !== undefined, gradient },
  };
}

/** A new variable for the result of an operation: tracked if one of its inputs is. Its numbers are not set yet. */
export function result(scope: Scope, shape: Shape, inputs: readonly Variable[]): Variable {
  const tracked = inputs.some((input) => input.storage.tracked);
  return variableAt(scope, allocate(scope.workspace, sizeOf(shape)), shape, tracked);
}

/** A part of a variable under another shape, without a copy; gradients meet in the same storage. */
export function viewOf(x: Variable, shape: Shape, start = 0): Variable {
  return { shape, size: sizeOf(shape), offset: x.offset + start, storage: x.storage };
}

/** Puts an operation's backward on the tape. It runs only if a gradient has reached one of the outputs. */
export function record(outputs: readonly Variable[], backward: () => void): void {
  const tracked = outputs.filter(({ storage }) => storage.tracked).map(({ storage }) => storage);
  const tape = tracked[0]?.scope.tape;
  if (tape !== undefined) tape.push({ outputs: tracked, backward });
}

/**
 * Where the gradient of a variable is, made of zeros at first use. It outlives the backward function that asks first, so ask before
 * taking scratch memory that is released.
 */
export function gradientOf(x: Variable): number {
  const { storage } = x;
  if (storage.gradient < 0) {
    const { workspace, kernels } = storage.scope;
    storage.gradient = allocate(workspace, storage.size);
    kernels.of(fill)(storage.gradient, 0, storage.size);
  }
  return storage.gradient + x.offset - storage.offset;
}

/** Scratch memory for the time of `use`. */
export function withScratch(scope: Scope, size: number, use: (offset: number) => void): void {
  const { workspace } = scope;
  const top = workspace.top;
  use(allocate(workspace, size));
  release(workspace, top);
}

/** Runs the tape backwards from a scalar: every tracked variable's gradient is that of the loss. */
export function backward(scope: Scope, loss: Variable): void {
  if (!loss.storage.tracked) return;
  scope.kernels.of(fill)(gradientOf(loss), 1, 1);
  rewind(scope);
}

/** Runs the tape backwards from the gradients that are there. */
export function rewind({ tape = [] }: Scope): void {
  for (let i = tape.length - 1; i >= 0; i--) {
    const entry = tape[i]!;
    if (entry.outputs.some(({ gradient }) => gradient >= 0)) entry.backward();
  }
}

/**
 * An operand as a variable of the running scope; tensors and numbers are copied in as constants.
 *
 * @throws TypeError where it is something else, or a variable of a scope that is not the running one
 */
export function operand(where: string, x: Operand, argument = 'x'): Variable {
  const scope = currentScope(where);
  if (isVariable(x)) {
    if (x.storage.scope === scope) return x;
    throw new TypeError(
      `${where}: ${argument} is a variable of another valueAndGradient, compute or checkpoint call. Variables live as long as their call; ` +
        'take numbers out with toTensor(), hand variables into checkpoint as inputs.',
    );
  }
  if (typeof x === 'number') {
    const constant = variableAt(scope, allocate(scope.workspace, 1), [], false);
    scope.kernels.of(fill)(constant.offset, x, 1);
    return constant;
  }
  if (!isTensor(x)) {
    throw new TypeError(
      `${where}: ${argument} must be a variable, a tensor { shape, data: Float32Array } or a number, got ${describe(x)}.`,
    );
  }
  if (sizeOf(x.shape) !== x.data.length) {
    throw new RangeError(`${where}: ${argument} has shape ${formatShape(x.shape)} but ${x.data.length} numbers.`);
  }
  return constantOf(scope, x.shape, x.data);
}

/**
 * Ids copied into the running scope, as numbers.
 *
 * @throws TypeError where they are no id tensor, RangeError where one is outside [0, count)
 */
export function idOperand(where: string, ids: IntTensor, count: number, argument: string, cause: string): Variable {
  const scope = currentScope(where);
  if (!(ids?.data instanceof Int32Array) || !Array.isArray(ids.shape)) {
    throw new TypeError(
      `${where}: ${argument} must be an id tensor { shape, data: Int32Array }, got ${describe(ids)}. Make one by intTensor([...]).`,
    );
  }
  if (sizeOf(ids.shape) !== ids.data.length) {
    throw new RangeError(`${where}: ${argument} has shape ${formatShape(ids.shape)} but ${ids.data.length} ids.`);
  }
  checkIds(where, argument, ids.data, count, cause);
  return constantOf(scope, ids.shape, ids.data);
}

/** A constant with the given numbers. */
export function constantOf(scope: Scope, shape: Shape, data: ArrayLike<number>): Variable {
  const constant = variableAt(scope, allocate(scope.workspace, data.length), shape, false);
  scope.workspace.memory.view.set(data, constant.offset);
  return constant;
}

/**
 * Copies the numbers of a variable out, to look at them while the computation runs.
 *
 * @throws TypeError where the variable's scope has ended
 * @example
 * compute({ x: tensor([1, 2]) }, ({ x }) => {
 *   toTensor(x).data; // Float32Array [1, 2]
 *   return x;
 * });
 */
export function toTensor(x: Variable): Tensor {
  const { offset, size, shape } = operand('toTensor', x);
  return { shape, data: Float32Array.from(x.storage.scope.workspace.memory.view.subarray(offset, offset + size)) };
}
