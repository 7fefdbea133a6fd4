/** Gradient checkpointing: recomputing intermediate results instead of storing them. */

import { addScaled } from '../kernels/arithmetic';
import { copy } from '../kernels/movement';
import { allocate } from '../kernels/workspace';
import { checkRandom, type Random } from '../tensor/random';
import { checkArray, checkFunction, checkNames, isObject, mismatch } from '../tensor/shape';
import {
  currentScope,
  gradientIfTracked,
  gradientOf,
  isVariable,
  operand,
  record,
  result,
  rewind,
  runScope,
  type Scope,
  type Variable,
  variableAt,
} from './tape';

/** A variable, or variables nested in objects and arrays. */
export type VariableTree = Variable | undefined | { readonly [name: string]: VariableTree } | readonly VariableTree[];

/** Options of {@link recompute}. */
export interface RecomputeOptions {
  /** The random number generators that the body uses; their states are restored before the body runs again. */
  readonly random?: readonly Random[] | undefined;
}

/**
 * Computes `body(inputs)` without storing its intermediate results, and computes it again in the backward pass
 * (gradient checkpointing: Chen et al., 2016, arXiv 1604.06174; over time, Gruslys et al., 2016, arXiv 1606.03401).
 * Values and gradients equal those of `body(inputs)`. Only one recomputed body occupies memory at a time.
 *
 * @param inputs all variables that the body uses, nested in objects and arrays
 * @param body receives a tree of the same structure, whose variables it must use instead of those of the caller; it
 * must return the same results for every call with the same inputs
 * @returns the result of the body: variables nested in objects and arrays
 * @throws TypeError if the body uses a variable that is not among the inputs
 * @example
 * const body = (x: Variable) => multiply(x, exp(multiply(x, 0)));
 * valueAndGradient({ x: tensor([1, 2]) }, ({ x }) => sum(recompute(x, body))).gradient.x.data; // Float32Array [1, 1]
 */
export function recompute<P extends VariableTree, R extends VariableTree>(
  inputs: P,
  body: (inputs: P) => R,
  options: RecomputeOptions = {},
): R {
  checkNames('recompute', 'options', options, ['random']);
  const { random = [] } = options;
  checkFunction('recompute', 'body', body);
  checkArray('recompute', 'random', random);
  for (const generator of random) checkRandom('recompute', generator);
  const scope = currentScope('recompute');
  const { workspace, kernels } = scope;
  const sources = variablesIn(inputs).map((input) => operand('recompute', input, 'inputs'));
  const initialStates = random.map(({ state }) => state.slice());
  const { tree, outputs, copies } = runScope(workspace, false, (inner) => {
    const tree = body(rebind(inner, inputs, false));
    const outputs = variablesIn(tree, 'the result of body').map((output) =>
      operand('recompute', output, 'the result of body'),
    );
    // The outputs are copied to the top of the stack, from where they can move down to the start of the inner scope:
    // result() allocates there after the scope has ended.
    return { tree, outputs, copies: copyToTop(inner, outputs) };
  });
  const results = outputs.map(({ shape, size }, i) => {
    const variable = result(shape, sources, scope);
    kernels.of(copy)(variable.offset, copies[i]!, size);
    return variable;
  });
  record(results, () => {
    // Gradients outlive the inner scope, so they must be allocated before it.
    sources.forEach(gradientIfTracked);
    const gradients = results.map((output) => gradientOf(output));
    const currentStates = random.map(({ state }) => state.slice());
    random.forEach(({ state }, i) => state.set(initialStates[i]!));
    runScope(workspace, true, (inner) => {
      inner.buffers = scope.buffers;
      const tree = body(rebind(inner, inputs, true));
      variablesIn(tree).forEach((output, i) => {
        if (output.storage.tracked) kernels.of(addScaled)(gradientOf(output), gradients[i]!, 1, output.size);
      });
      rewind(inner);
    });
    random.forEach(({ state }, i) => state.set(currentStates[i]!));
  });
  let next = 0;
  return mapVariables(tree, () => results[next++]!);
}

/**
 * Computes the next state and overwrites the previous one with it, so that many steps use the memory of one. Only for
 * computations without a gradient.
 *
 * @param state variables that share no memory with other variables
 * @param inputs all other variables that `step` uses
 */
export function stepInPlace<S extends VariableTree, P extends VariableTree>(
  state: S,
  inputs: P,
  step: (state: S, inputs: P) => S,
): void {
  const { workspace, kernels } = currentScope('stepInPlace');
  runScope(workspace, false, (inner) => {
    const next = variablesIn(step(rebind(inner, state, false), rebind(inner, inputs, false)));
    const copies = copyToTop(inner, next);
    variablesIn(state).forEach(({ offset, size }, i) => kernels.of(copy)(offset, copies[i]!, size));
  });
}

/**
 * Copies variables to the top of the workspace and returns the offsets of the copies. The variables themselves may
 * share memory with one another and with the memory to be overwritten.
 */
function copyToTop({ workspace, kernels }: Scope, variables: readonly Variable[]): readonly number[] {
  return variables.map(({ offset, size }) => {
    const top = allocate(workspace, size);
    kernels.of(copy)(top, offset, size);
    return top;
  });
}

/** Rebinds variables to another scope; values and gradients stay at the same offsets. */
function rebind<P extends VariableTree>(scope: Scope, tree: P, tracked: boolean): P {
  return mapVariables(tree, (outer) => {
    const gradient = tracked ? gradientIfTracked(outer) : undefined;
    return variableAt(scope, outer.offset, outer.shape, gradient !== undefined, gradient);
  });
}

/** Lists the variables of a tree, in order. */
function variablesIn(tree: VariableTree, argument = 'inputs', depth = 0): Variable[] {
  if (tree === undefined) return [];
  // An object with more levels may contain itself.
  if (!isObject(tree) || depth > 99)
    throw mismatch('recompute', argument, 'variables nested in objects and arrays', tree);
  if (isVariable(tree)) return [tree];
  const parts: readonly VariableTree[] = Object.values(tree);
  return parts.flatMap((part) => variablesIn(part, argument, depth + 1));
}

/** Returns a tree with every variable replaced by a function of it. */
export function mapVariables<T extends VariableTree>(tree: T, replace: (variable: Variable) => Variable): T {
  const visit = (part: VariableTree): VariableTree => {
    if (part === undefined) return part;
    if (isVariable(part)) return replace(part);
    if (Array.isArray(part)) return part.map(visit);
    return Object.fromEntries(Object.entries(part).map(([name, value]) => [name, visit(value as VariableTree)]));
  };
  return visit(tree) as T;
}
