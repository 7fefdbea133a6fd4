/** Plans the graph of a network: every node once, with constants folded and one branch of every If. */

import { reservationOf, type Workspace } from '../../../kernels/workspace';
import { withCaller } from '../../../tensor/error-context';
import { abbreviate } from '../../listing';
import type { OnnxGraph, OnnxNode } from '../model';
import { consumeAttribute, labelOf } from '../node-reader';
import { spend } from '../run-limit';
import { entryOf, type GraphScope, isDefined } from '../scope';
import { importTensor, sizesOf } from '../values';
import { convolution } from './convolution';
import { elementwiseOperators } from './elementwise';
import { movementOperators } from './movement';
import { pad } from './padding';
import type { Plan } from './plan';
import { type PlannedNode, type PlanOperator, required } from './planner';
import { maxPool } from './pooling';
import { gemmOperator, matmulOperator } from './products';
import { recurrentOperator } from './recurrent';
import { reductionOperators } from './reductions';
import { constant, elementsOf, isConstant, type View } from './view';

/** A graph that is ready to run. */
export interface PlannedNetwork {
  readonly plan: Plan;
  readonly outputs: readonly View[];
}

interface Context {
  readonly plan: Plan;
  readonly opset: number;
  readonly operators: Readonly<Record<string, PlanOperator>>;
}

const allOperators = (): Readonly<Record<string, PlanOperator>> => ({
  ...elementwiseOperators(),
  ...movementOperators(),
  ...reductionOperators(),
  Conv: convolution,
  MaxPool: maxPool,
  Pad: pad,
  Gemm: gemmOperator,
  MatMul: matmulOperator,
  LSTM: recurrentOperator,
  GRU: recurrentOperator,
  If: ifOperator,
});

/** Plans a graph. `inputs` has the values of its inputs by name. */
export function planNetwork(
  workspace: Workspace,
  graph: OnnxGraph,
  opset: number,
  declareInputs: (plan: Plan) => ReadonlyMap<string, View>,
): PlannedNetwork {
  const { kernels, memory } = workspace;
  const plan: Plan = { workspace, kernels, memory, reservation: reservationOf(workspace), steps: [] };
  const scope = { own: new Map(declareInputs(plan)) };
  return { plan, outputs: planGraph({ plan, opset, operators: allOperators() }, graph, scope) };
}

/** Plans a graph inside the scope of the graphs around it, and returns its outputs. */
function planGraph(context: Context, graph: OnnxGraph, scope: GraphScope<View>): readonly View[] {
  // Constants are converted when a node uses them, so that the weights of other branches cost nothing.
  for (const initializer of graph.initializers) {
    if (scope.own.has(initializer.name)) continue;
    const { shape, data } = importTensor(initializer);
    scope.own.set(initializer.name, constant(shape, data));
  }
  for (const node of graph.nodes) {
    const outputs = withCaller(labelOf(node), () => planNode(context, node, scope));
    node.outputs.forEach((name, i) => {
      if (name !== '' && outputs[i] !== undefined) scope.own.set(name, outputs[i]);
    });
  }
  return graph.outputs.map(({ name }) => defined(scope, name));
}

function planNode({ plan, opset, operators }: Context, node: OnnxNode, scope: GraphScope<View>): readonly View[] {
  const operator = node.domain === '' && Object.hasOwn(operators, node.opType) ? operators[node.opType] : undefined;
  if (operator === undefined) throw new RangeError('the operator is not supported in streams');
  const inputs = node.inputs.map((name) => (name === '' ? undefined : defined(scope, name)));
  const consumed = new Set<string>();
  const planBody = (graph: OnnxGraph): readonly View[] =>
    planGraph({ plan, opset, operators }, graph, { own: new Map(), outer: scope });
  const planned: PlannedNode = { node, opset, plan, inputs, consumed, planBody };
  const undecided = inputs.find((x) => x?.dependsOn !== undefined)?.dependsOn;
  if (undecided !== undefined && !['If', 'Cast', 'Not', 'And', 'Or', 'Identity'].includes(node.opType))
    throw new RangeError(`integers that depend on the inputs of a step, as those of ${undecided}, are not supported`);
  const outputs = operator(planned);
  const unknown = Object.keys(node.attributes).find((name) => !consumed.has(name));
  if (unknown !== undefined) throw new RangeError(`the attribute ${abbreviate(unknown)} is not supported`);
  spend(1, 0, sizesOf(outputs.filter((output) => !inputs.includes(output))));
  return outputs;
}

function defined(scope: GraphScope<View>, name: string): View {
  const value = isDefined(scope, name) ? entryOf(scope, name) : undefined;
  if (value === undefined)
    throw new RangeError(`${JSON.stringify(abbreviate(name))} is neither an input nor computed by a preceding node`);
  return value;
}

/** Plans the branch that a constant condition selects. */
function ifOperator(node: PlannedNode): readonly View[] {
  const condition = required(node, 0);
  const names = ['else_branch', 'then_branch'];
  // Reading the other branch would decode it.
  for (const name of names) node.consumed.add(name);
  if (!isConstant(condition)) {
    throw new RangeError(
      `the condition, which ${condition.dependsOn ?? 'a node'} computes, depends on the inputs of a step. A stream ` +
        'runs the same nodes at every step: shapes, constants and the option inputs must decide every If',
    );
  }
  const elements = elementsOf(condition);
  if (elements.length !== 1) throw new RangeError(`the condition must have 1 element, got ${elements.length}`);
  const branch = consumeAttribute(node, names[Number(elements[0] !== 0)]!, 'graph');
  if (branch === undefined) throw new RangeError('a branch is missing');
  return node.planBody(branch);
}
