/** Evaluating functions of parameters, with or without the gradient. */

import { allocate, allocateZeros, defaultWorkspace, type Workspace } from '../kernels/workspace';
import { mapParts } from '../tensor/named-values';
import { checkFunction, formatShape, isObject, mismatch } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { copyTree, type Mapped, mapTree, type TensorTree, treeOver, treeSize } from '../tensor/tree';
import { backward, copyOf, isVariable, operand, runScope, type Scope, type Variable, variableAt } from './tape';

/** The results of a computation: variables nested in objects and arrays, and plain values. Variables become tensors. */
export type Results =
  | Variable
  | number
  | string
  | boolean
  | undefined
  | null
  | { readonly [name: string]: Results }
  | readonly Results[];

/**
 * The type of results after a computation: every {@link Variable} is replaced by a {@link Tensor}. Arrays of parameters
 * are a {@link MappedArray}, over which a mapped type would also map the methods.
 */
export type AsTensors<R> = R extends Variable
  ? Tensor
  : R extends object
    ? R extends unknown[]
      ? { [K in keyof R]: AsTensors<R[K]> }
      : R extends readonly (infer E)[]
        ? number extends R['length']
          ? readonly AsTensors<E>[]
          : { [K in keyof R]: AsTensors<R[K]> }
        : { [K in keyof R]: AsTensors<R[K]> }
    : R;

/** The loss and further results of a function passed to {@link valueAndGradient}. */
export interface WithResults<R> {
  /** The loss, a scalar (shape `[]`). */
  readonly value: Variable;
  /** Further variables to return as tensors. */
  readonly results: R;
}

/** The result of {@link valueAndGradient}. */
export interface ValueAndGradient<P> {
  /** The value of the function. */
  readonly value: number;
  /**
   * The gradient, a tree of the shape of the parameters. Its tensors are views into one new flat buffer, in the order
   * of {@link leaves}.
   */
  readonly gradient: P;
}

/**
 * Computes the value of a scalar function of parameters, and its gradient with respect to all of them.
 *
 * Operations run eagerly: use ordinary control flow, inspect values with {@link toTensor}, and find the line of a shape
 * error in the stack trace.
 *
 * @param parameters a tree of tensors
 * @param loss a function from the same tree of variables to a scalar variable (shape `[]`), or to `{ value, results }`
 * with such a scalar and nested variables, such as the final state, which are returned as tensors
 * @throws TypeError if the function does not return a scalar variable
 * @example
 * const { value, gradient } = valueAndGradient({ w: tensor([3, 4]) }, (p) => sum(multiply(p.w, p.w)));
 * value; // 25
 * gradient.w.data; // Float32Array [6, 8]
 */
export function valueAndGradient<P extends TensorTree>(
  parameters: P,
  loss: (p: Mapped<P, Variable>) => Variable,
): ValueAndGradient<P>;
export function valueAndGradient<P extends TensorTree, R extends Results>(
  parameters: P,
  loss: (p: Mapped<P, Variable>) => WithResults<R>,
): ValueAndGradient<P> & { readonly results: AsTensors<R> };
export function valueAndGradient<P extends TensorTree, R extends Results>(
  parameters: P,
  loss: (p: Mapped<P, Variable>) => Variable | WithResults<R>,
): ValueAndGradient<P> & { readonly results?: AsTensors<R> } {
  checkFunction('valueAndGradient', 'loss', loss);
  const workspace = defaultWorkspace();
  return runScope<ValueAndGradient<P> & { readonly results?: AsTensors<R> }>(workspace, true, (scope) => {
    const size = treeSize('valueAndGradient', parameters);
    const resident = copyTreeInto('valueAndGradient', workspace, parameters);
    const gradient = allocateZeros(workspace, size);
    const run = differentiate('valueAndGradient', scope, parameters, resident, gradient, loss);
    const flat = Float32Array.from(workspace.memory.view.subarray(gradient, gradient + size));
    return {
      value: run.value,
      gradient: treeOver<P>(parameters, flat).tree,
      ...(run.results !== undefined && { results: copyOut(run.results, 'valueAndGradient') as AsTensors<R> }),
    };
  });
}

/** Copies the tensors of a tree into the workspace, contiguous and in order. Returns the offset of the first one. */
export function copyTreeInto(where: string, workspace: Workspace, tree: TensorTree): number {
  const offset = allocate(workspace, treeSize(where, tree));
  copyTree(tree, workspace.memory.view, offset);
  return offset;
}

/**
 * Creates variables over parameters that are contiguous at `offset`. Their gradients have the same layout at
 * `gradient`; without it, and if they are frozen, the variables are constants.
 */
export function variablesOver<P extends TensorTree>(
  scope: Scope,
  parameters: P,
  offset: number,
  gradient = -1,
  isFrozen?: (path: string) => boolean,
): Mapped<P, Variable> {
  return mapTree(parameters, ({ shape }, path, start) => {
    const tracked = gradient >= 0 && !isFrozen?.(path);
    return variableAt(scope, offset + start, shape, tracked, tracked ? gradient + start : -1);
  });
}

/**
 * Computes value and gradient over parameters that are already in the workspace.
 *
 * @param offset the offset of the parameters, contiguous and in order
 * @param gradient the offset of a buffer of the same layout, to which the gradient is added
 * @param isFrozen whether the parameter at a path is a constant
 * @throws TypeError if the function does not return a scalar variable
 */
export function differentiate<P extends TensorTree, R>(
  where: string,
  scope: Scope,
  parameters: P,
  offset: number,
  gradient: number,
  loss: (p: Mapped<P, Variable>) => Variable | WithResults<R>,
  isFrozen?: (path: string) => boolean,
): { value: number; results: R | undefined } {
  const output = loss(variablesOver(scope, parameters, offset, gradient, isFrozen));
  const { value: scalar, results } = isWithResults(output) ? output : { value: output, results: undefined };
  checkScalar(where, theResult, scalar);
  operand(where, scalar, theResult);
  backward(scope, scalar);
  return { value: scope.workspace.memory.view[scalar.offset]!, results };
}

function isWithResults<R>(output: Variable | WithResults<R>): output is WithResults<R> {
  return isObject(output) && 'results' in output;
}

/** @throws TypeError if the value is not a scalar variable */
export function checkScalar(where: string, argument: string, value: unknown): asserts value is Variable {
  if (isVariable(value) && value.shape.length === 0) return;
  const got = isVariable(value) ? `shape ${formatShape(value.shape)}` : value;
  throw mismatch(where, argument, 'a scalar variable, as mean() returns', got);
}

/**
 * Runs a computation without a gradient.
 *
 * @param parameters a tree of tensors
 * @param body a function of the same tree of variables; it returns variables nested in objects and arrays
 * @returns the results of `body`, with every variable as a tensor
 * @example
 * compute({ x: tensor([0, 1]) }, ({ x }) => multiply(x, 2)).data; // Float32Array [0, 2]
 */
export function compute<P extends TensorTree, R extends Results>(
  parameters: P,
  body: (p: Mapped<P, Variable>) => R,
): AsTensors<R> {
  checkFunction('compute', 'body', body);
  const workspace = defaultWorkspace();
  const results: unknown = runScope<unknown>(workspace, false, (scope) => {
    const offset = copyTreeInto('compute', workspace, parameters);
    return copyOut(body(variablesOver(scope, parameters, offset)), 'compute');
  });
  return results as AsTensors<R>;
}

/** The name of the result of a function in messages. */
export const theResult = 'the result of the function';

/** Copies every variable of the results into a tensor. */
export function copyOut(results: unknown, where: string, depth = 0): unknown {
  // A promise has no results yet, and an object with more levels may contain itself.
  if (typeof (results as { readonly then?: unknown } | null | undefined)?.then === 'function' || depth > 99)
    throw mismatch(where, theResult, 'variables nested in objects and arrays', results);
  if (isVariable(results)) return copyOf(where, results);
  if (!isObject(results) || ArrayBuffer.isView(results)) return results;
  return mapParts(results, (part) => copyOut(part, where, depth + 1));
}
