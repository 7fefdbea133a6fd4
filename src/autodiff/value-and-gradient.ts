/** Running a function of parameters, with or without its gradient. */

import type { Heap } from '../kernels/kernel';
import { fill } from '../kernels/movement';
import { allocate, defaultWorkspace } from '../kernels/workspace';
import { formatShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { leaves, type Mapped, type TensorTree, treeOver, treeSize, visitTree } from '../tensor/tree';
import { backward, isVariable, operand, runScope, type Scope, toTensor, type Variable, variableAt } from './tape';

/** What a computation may hand out besides its value: variables, in objects and arrays; they are copied into tensors. */
export type Results =
  | Variable
  | number
  | string
  | boolean
  | undefined
  | null
  | { readonly [name: string]: Results }
  | readonly Results[];

/** The same with tensors in the place of variables. */
export type AsTensors<R> = R extends Variable ? Tensor : R extends object ? { [K in keyof R]: AsTensors<R[K]> } : R;

/** A scalar, and what else the caller wants to have. */
export interface WithResults<R> {
  readonly value: Variable;
  readonly results: R;
}

/** What {@link valueAndGradient} answers. */
export interface ValueAndGradient<P> {
  /** The value of the function. */
  readonly value: number;
  /** Its gradient: the parameters' tree with new tensors, views of one flat buffer in the order of {@link leaves}. */
  readonly gradient: P;
}

/**
 * The value of a scalar function of parameters, and its gradient by every one of them.
 *
 * Operations run at once: control flow is ordinary code, {@link toTensor} shows a value, a wrong shape throws on its own line.
 *
 * @param parameters a tree of tensors
 * @param loss a function of the same tree of variables that answers a scalar variable (shape `[]`), or `{ value, results }` with such
 * a scalar and variables in any nesting (the final state, for instance), which are returned as tensors
 * @throws TypeError where the answer is not a scalar variable
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
  const workspace = defaultWorkspace();
  return runScope<ValueAndGradient<P> & { readonly results?: AsTensors<R> }>(workspace, true, (scope) => {
    const size = treeSize(parameters);
    const resident = allocate(workspace, size);
    const gradient = allocate(workspace, size);
    load(parameters, workspace.memory.view, resident);
    const run = differentiate(scope, parameters, resident, gradient, size, loss as unknown as (p: never) => unknown);
    const flat = Float32Array.from(workspace.memory.view.subarray(gradient, gradient + size));
    const answer = { value: run.value, gradient: treeOver<P>(parameters, flat).tree };
    return run.results === undefined ? answer : { ...answer, results: copyOut(run.results as Results) as AsTensors<R> };
  });
}

/** Writes the numbers of a tree one behind the other. */
export function load(parameters: TensorTree, view: Heap, offset: number): void {
  for (const { tensor } of leaves(parameters)) {
    view.set(tensor.data, offset);
    offset += tensor.data.length;
  }
}

/**
 * Variables for parameters that stand at `offset`, one behind the other, with their gradients in the same layout at `gradient`: the
 * tree `Mapped<P, Variable>`, typed so that it fits every caller's.
 */
export function variablesOver(scope: Scope, parameters: TensorTree, offset: number, gradient = -1): never {
  let position = 0;
  return visitTree(parameters, ({ shape, data }) => {
    const variable = variableAt(
      scope,
      offset + position,
      shape,
      gradient >= 0,
      gradient < 0 ? -1 : gradient + position,
    );
    position += data.length;
    return variable;
  }) as never;
}

/**
 * Value and gradient over parameters that lie in the workspace already; the gradient is left at `gradient`.
 * The types of the tree are the callers' affair.
 */
export function differentiate(
  scope: Scope,
  parameters: TensorTree,
  offset: number,
  gradient: number,
  size: number,
  loss: (p: never) => unknown,
): { value: number; results: unknown } {
  scope.kernels.of(fill)(gradient, 0, size);
  const answer = loss(variablesOver(scope, parameters, offset, gradient));
  const { value: scalar, results } = isWithResults(answer) ? answer : { value: answer, results: undefined };
  checkScalar(scalar);
  backward(scope, scalar);
  return { value: scope.workspace.memory.view[scalar.offset]!, results };
}

function isWithResults(answer: unknown): answer is WithResults<unknown> {
  return typeof answer === 'object' && answer !== null && 'results' in answer;
}

function checkScalar(loss: unknown): asserts loss is Variable {
  if (!isVariable(loss)) {
    throw new TypeError(
      `valueAndGradient: the function must return a scalar variable (shape []), got ${String(loss)}.`,
    );
  }
  operand('valueAndGradient', loss, 'the function’s value');
  if (loss.shape.length > 0) {
    throw new TypeError(
      `valueAndGradient: the function must return a scalar variable (shape []), got shape ${formatShape(loss.shape)}. Is a sum() or mean() missing?`,
    );
  }
}

/**
 * Runs a computation without a gradient and copies what it answers out of the workspace.
 *
 * @param parameters a tree of tensors
 * @param body a function of the same tree of variables
 * @example
 * compute({ x: tensor([0, 1]) }, ({ x }) => multiply(x, 2)).data; // Float32Array [0, 2]
 */
export function compute<P extends TensorTree, R extends Results>(
  parameters: P,
  body: (p: Mapped<P, Variable>) => R,
): AsTensors<R> {
  const workspace = defaultWorkspace();
  const results: unknown = runScope<unknown>(workspace, false, (scope) => {
    const offset = allocate(workspace, treeSize(parameters));
    load(parameters, workspace.memory.view, offset);
    return copyOut(body(variablesOver(scope, parameters, offset)));
  });
  return results as AsTensors<R>;
}

/** The results with every variable copied into a tensor. */
export function copyOut(results: Results): unknown {
  if (isVariable(results)) return toTensor(results);
  if (Array.isArray(results)) return results.map(copyOut);
  if (typeof results === 'object' && results !== null && !ArrayBuffer.isView(results)) {
    return Object.fromEntries(Object.entries(results).map(([name, part]) => [name, copyOut(part as Results)]));
  }
  return results;
}
