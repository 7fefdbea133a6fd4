/** Recomputing instead of storing. */

import { addScaled } from '../kernels/arithmetic';
import { copy } from '../kernels/movement';
import { allocate } from '../kernels/workspace';
import type { Random } from '../tensor/random';
import {
  currentScope,
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

/** Variables in objects and arrays. */
export type VariableTree = Variable | undefined | { readonly [name: string]: VariableTree } | readonly VariableTree[];

/** What {@link recompute} has to put back before it computes again. */
export interface RecomputeOptions {
  /** The generators that the body draws from. */
  readonly random?: readonly Random[];
}

/**
 * Computes `body(inputs)` and forgets everything on the way but what comes out; where backward needs it, it is computed once more. The
 * values and gradients are those of `body(inputs)` itself, the memory that of one piece at a time (Chen et al., 2016, arXiv 1604.06174;
 * over time, Gruslys et al., 2016, arXiv 1606.03401).
 *
 * @param inputs every variable that the body uses, in objects and arrays
 * @param body a function of the same tree, which gives the same results every time it is called with the same inputs
 * @returns what the body answers: variables in objects and arrays
 * @throws TypeError where the body uses a variable that is not among the inputs
 * @example
 * valueAndGradient({ x: tensor([1, 2]) }, ({ x }) => sum(recompute(x, (x) => multiply(x, exp(multiply(x, 0)))))).gradient.x.data; // Float32Array [1, 1]
 */
export function recompute<P extends VariableTree, R extends VariableTree>(
  inputs: P,
  body: (inputs: P) => R,
  { random = [] }: RecomputeOptions = {},
): R {
  const scope = currentScope('checkpoint');
  const { workspace, kernels } = scope;
  const given = variablesIn(inputs).map((input) => operand('recompute', input, 'inputs'));
  const before = random.map(({ state }) => state.slice());
  const { outputs, replace } = runScope(workspace, false, (inner) => {
    const answer = body(stand(inner, inputs, false));
    const inside = variablesIn(answer).map((output) => operand('recompute', output, 'what body answers'));
    // They are put together behind everything else and then moved down to where the scope began.
    const [shapes, sizes] = [inside.map(({ shape }) => shape), inside.map(({ size }) => size)];
    const places = copiesBehind(inner, inside);
    return {
      outputs: { shapes, sizes, places },
      replace: (variables: readonly Variable[]) => replaceIn(answer, variables) as R,
    };
  });
  const kept = outputs.shapes.map((shape, i) => {
    const variable = result(scope, shape, given);
    kernels.of(copy)(variable.offset, outputs.places[i]!, outputs.sizes[i]!);
    return variable;
  });
  record(kept, () => {
    for (const input of given) if (input.storage.tracked) gradientOf(input);
    const gradients = kept.map((output) => gradientOf(output));
    const after = random.map(({ state }) => state.slice());
    random.forEach(({ state }, i) => state.set(before[i]!));
    runScope(workspace, true, (inner) => {
      const answer = body(stand(inner, inputs, true));
      variablesIn(answer).forEach((output, i) => {
        if (output.storage.tracked) kernels.of(addScaled)(gradientOf(output), gradients[i]!, 1, output.size);
      });
      rewind(inner);
    });
    random.forEach(({ state }, i) => state.set(after[i]!));
  });
  return replace(kept);
}

/**
 * Takes a step from one state to the next and writes the next over the one before, so that the memory of many steps is that of one:
 * for computations without gradient.
 *
 * @param state variables that nothing else lies in
 * @param inputs every other variable that the step uses
 */
export function stepInPlace<S extends VariableTree, P extends VariableTree>(
  state: S,
  inputs: P,
  step: (state: S, inputs: P) => S,
): void {
  const { workspace, kernels } = currentScope('stepInPlace');
  runScope(workspace, false, (inner) => {
    const next = variablesIn(step(stand(inner, state, false), stand(inner, inputs, false)));
    const places = copiesBehind(inner, next);
    variablesIn(state).forEach(({ offset, size }, i) => kernels.of(copy)(offset, places[i]!, size));
  });
}

/** Where copies of variables stand behind everything else: they themselves may lie in one another, and in what is to be written over. */
function copiesBehind({ workspace, kernels }: Scope, variables: readonly Variable[]): readonly number[] {
  return variables.map(({ offset, size }) => {
    const place = allocate(workspace, size);
    kernels.of(copy)(place, offset, size);
    return place;
  });
}

/** The same numbers as variables of another scope, their gradients in the same places. */
function stand<P extends VariableTree>(scope: Scope, tree: P, tracked: boolean): P {
  return replaceIn(
    tree,
    variablesIn(tree).map((outer) => {
      const follows = tracked && outer.storage.tracked;
      return variableAt(scope, outer.offset, outer.shape, follows, follows ? gradientOf(outer) : -1);
    }),
  ) as P;
}

function variablesIn(tree: VariableTree): Variable[] {
  if (tree === undefined) return [];
  return isVariable(tree) ? [tree] : Object.values(tree as Readonly<Record<string, VariableTree>>).flatMap(variablesIn);
}

/** The tree with other variables in their places, in order. */
function replaceIn(tree: VariableTree, variables: readonly Variable[]): VariableTree {
  let next = 0;
  const visit = (part: VariableTree): VariableTree => {
    if (part === undefined) return part;
    if (isVariable(part)) return variables[next++]!;
    if (Array.isArray(part)) return part.map(visit);
    return Object.fromEntries(Object.entries(part).map(([name, each]) => [name, visit(each as VariableTree)]));
  };
  return visit(tree);
}
