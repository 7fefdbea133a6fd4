/** The interface between the planner and its operators. */

import type { OnnxGraph, OnnxNode } from '../model';
import type { Plan } from './plan';
import { type Constant, elementsOf, isConstant, type View } from './view';

/** A node as its operator sees it. */
export interface PlannedNode {
  readonly node: OnnxNode;
  readonly opset: number;
  readonly plan: Plan;
  /** The inputs; undefined if omitted. */
  readonly inputs: readonly (View | undefined)[];
  /** The names of the attributes consumed so far. The planner rejects a node that has others. */
  readonly consumed: Set<string>;
  /** Plans the graph of an attribute, and returns its outputs. */
  readonly planBody: (graph: OnnxGraph) => readonly View[];
}

/**
 * Plans a node: adds the steps that compute its outputs to the plan. Outputs that do not depend on the inputs of the
 * network become constants.
 *
 * @throws RangeError with the reason if the node is not supported
 */
export type PlanOperator = (node: PlannedNode) => readonly View[];

/** An input that the operator requires. */
export function required({ inputs }: PlannedNode, i: number): View {
  const x = inputs[i];
  if (x === undefined) throw new RangeError(`input ${i} is missing`);
  return x;
}

/** A required input of floats. */
export function floats(node: PlannedNode, i: number): View {
  const x = required(node, i);
  if (x.kind !== 'float') throw new RangeError(`input ${i} must be floats, got integers`);
  return x;
}

/** An input that must be a constant, such as weights and axes; undefined if it is omitted. */
export function optionalConstant({ inputs }: PlannedNode, i: number): Constant | undefined {
  const x = inputs[i];
  if (x === undefined || isConstant(x)) return x;
  throw new RangeError(`input ${i} must not depend on the inputs of a step`);
}

/** A required input that must be a constant. */
export function constantInput(node: PlannedNode, i: number): Constant {
  required(node, i);
  return optionalConstant(node, i)!;
}

/** The numbers of a constant input; undefined if it is omitted. */
export function numbersOf(node: PlannedNode, i: number): readonly number[] | undefined {
  const x = optionalConstant(node, i);
  return x && [...elementsOf(x)];
}
