/**
 * LSTM, and GRU with `linear_before_reset`, in one or both directions: one product for the inputs of all time steps,
 * and one per time step for the hidden state.
 */

import { gru } from '../../../cells/gru';
import { lstm } from '../../../cells/lstm';
import { affinePacked, gemmPacked } from '../../../kernels/product';
import type { PointwiseCell, PointwiseStep } from '../../../recurrence/cell';
import { byName } from '../../../tensor/named-values';
import { formatShape, type Shape, sameShape, sizeOf } from '../../../tensor/shape';
import { consumeAttribute, consumeFlag } from '../node-reader';
import { spend } from '../run-limit';
import { addCopy, newView, offsetOf, type Plan, place, placePanels } from './plan';
import { constantInput, floats, optionalConstant, type PlannedNode, type PlanOperator } from './planner';
import { elementsOf, sliced, type View, withoutAxis } from './view';

/** How an operator maps to a cell. */
interface Form {
  readonly cell: PointwiseCell;
  /** For each gate block of the cell, the index of the block in ONNX. */
  readonly order: readonly number[];
  readonly activations: readonly string[];
  /** The input of each part of the initial state. */
  readonly states: Readonly<Record<string, number>>;
}

const forms = (): Readonly<Record<string, Form>> => ({
  LSTM: {
    cell: lstm(),
    order: [0, 2, 3, 1],
    activations: ['sigmoid', 'tanh', 'tanh'],
    states: { h: 5, c: 6 },
  },
  // With the reset after the product, `gru` is a pointwise cell.
  GRU: { cell: gru() as PointwiseCell, order: [1, 0, 2], activations: ['sigmoid', 'tanh'], states: { h: 5 } },
});

/** The operator for LSTM and GRU. */
export const recurrentOperator: PlanOperator = (node) => {
  const plan = node.plan;
  const form = forms()[node.node.opType]!;
  const x = floats(node, 0);
  const weight = constantInput(node, 1);
  const recurrent = constantInput(node, 2);
  const directions = directionsOf(node);
  rejectVariants(node, form, directions.length);
  const D = directions.length;
  const G = form.order.length;
  const H = recurrent.shape[2] ?? 0;
  if (x.shape.length !== 3)
    throw new RangeError(`the input must have three axes, [T, B, I], got ${formatShape(x.shape)}`);
  const [T, B, I] = x.shape as [number, number, number];
  expectShape('W', weight.shape, [D, G * H, I]);
  expectShape('R', recurrent.shape, [D, G * H, H]);
  const outputs = newView(plan, [T, D, B, H]);
  const finals = Object.keys(form.states).map(() => newView(plan, [D, B, H]));
  spend(1, 0, T * B * D * (G + 2) * H);
  const bias = node.inputs[3];
  if (bias !== undefined) expectShape('B', bias.shape, [D, 2 * G * H]);
  directions.forEach((isReverse, d) => {
    const weights = convertWeights(node, form, d, H);
    const initial = Object.values(form.states).map((i) => initialState(node, i, d, [D, B, H]));
    const sizes = { T, B, H, D, d, isReverse };
    addDirection(plan, form.cell, offsetOf(plan, x), weights, initial, outputs, finals, sizes);
  });
  return [outputs, ...finals];
};

function expectShape(name: string, got: Shape, expected: Shape): void {
  if (!sameShape(got, expected))
    throw new RangeError(`${name} must have the shape ${formatShape(expected)}, got ${formatShape(got)}`);
}

/** Whether each direction is reversed. */
function directionsOf(node: PlannedNode): readonly boolean[] {
  const direction = consumeAttribute(node, 'direction', 'string') ?? 'forward';
  if (direction === 'forward') return [false];
  if (direction === 'reverse') return [true];
  if (direction === 'bidirectional') return [false, true];
  throw new RangeError(`direction must be forward, reverse or bidirectional, got ${direction}`);
}

/** @throws RangeError if the node has options that no cell with kernels has */
function rejectVariants(node: PlannedNode, { activations }: Form, directions: number): void {
  const unsupported = (what: string): never => {
    throw new RangeError(`${what} is not supported in streams. Use importOnnx`);
  };
  consumeAttribute(node, 'hidden_size', 'int');
  const names = consumeAttribute(node, 'activations', 'strings')?.map((name) => name.toLowerCase());
  const expected = Array.from({ length: directions }, () => activations).flat();
  if (names !== undefined && names.join() !== expected.join()) unsupported(`the activations ${names.join(', ')}`);
  if (consumeAttribute(node, 'clip', 'float') !== undefined) unsupported('clip');
  if (node.node.opType === 'LSTM' && consumeFlag(node, 'input_forget')) unsupported('input_forget');
  if (node.node.opType === 'GRU' && !consumeFlag(node, 'linear_before_reset')) unsupported('linear_before_reset = 0');
  if (consumeFlag(node, 'layout')) unsupported('layout = 1');
  if (node.inputs[4] !== undefined) unsupported('sequence_lens');
  if (node.inputs[7] !== undefined) unsupported('a peephole');
}

/** The offsets of the converted weights of one direction. */
interface Weights {
  readonly I: number;
  readonly panelsIh: number;
  readonly panelsHh: number;
  readonly bias: number;
  readonly vectors: Readonly<Record<string, number>>;
}

/** Converts the weights of a direction: transposed, with the gates in the order of the cell. */
function convertWeights(node: PlannedNode, { order, cell }: Form, d: number, H: number): Weights {
  const plan = node.plan;
  const G = order.length;
  const matrix = (i: number): Float32Array => {
    const source = constantInput(node, i);
    const rows = elementsOf(withoutAxis(sliced(source, 0, d, 1), 0));
    const K = source.shape[2]!;
    const data = new Float32Array(rows.length);
    for (let column = 0; column < G * H; column++) {
      const row = order[Math.floor(column / H)]! * H + (column % H);
      for (let k = 0; k < K; k++) data[k * G * H + column] = rows[row * K + k]!;
    }
    return data;
  };
  const biases = optionalConstant(node, 3);
  const all = biases === undefined ? new Float32Array(2 * G * H) : elementsOf(biases).slice(d * 2 * G * H);
  const blocks = (from: number): number[] =>
    order.flatMap((block) => [...all.slice(from + block * H, from + block * H + H)]);
  const input = blocks(0);
  const hidden = blocks(G * H);
  // The recurrent bias of the last block stays separate if the product does: biasHn of a GRU.
  const joint = cell.separateProducts ? (G - 1) * H : G * H;
  const weightIh = matrix(1);
  return {
    I: weightIh.length / (G * H),
    panelsIh: placePanels(plan, weightIh, weightIh.length / (G * H)),
    panelsHh: placePanels(plan, matrix(2), H),
    bias: place(
      plan,
      input.map((value, i) => (i < joint ? value + hidden[i]! : value)),
    ),
    vectors: byName(cell.vectorParameters, () => place(plan, hidden.slice(joint))),
  };
}

/** The offset of a part of the initial state of one direction, `[B, H]`. */
function initialState(
  { plan, inputs }: PlannedNode,
  i: number,
  d: number,
  shape: readonly [number, number, number],
): number {
  const state = inputs[i];
  if (state === undefined) return place(plan, new Float32Array(sizeOf(shape.slice(1))));
  expectShape(`the initial state (input ${i})`, state.shape, shape);
  return offsetOf(plan, withoutAxis(sliced(state, 0, d, 1), 0));
}

interface DirectionSizes {
  readonly T: number;
  readonly B: number;
  readonly H: number;
  readonly D: number;
  readonly d: number;
  readonly isReverse: boolean;
}

/** Adds the steps of one direction. The hidden state is in the output; the other parts alternate between buffers. */
function addDirection(
  plan: Plan,
  cell: PointwiseCell,
  x: number,
  { I, panelsIh, panelsHh, bias, vectors }: Weights,
  initial: readonly number[],
  outputs: View,
  finals: readonly View[],
  { T, B, H, D, d, isReverse }: DirectionSizes,
): void {
  const { kernels, steps } = plan;
  const GH = cell.gates * H;
  const size = B * H;
  const buffer = (length: number): number => newView(plan, [length]).offset;
  const gates = buffer(T * B * GH);
  const product = cell.separateProducts ? buffer(B * GH) : undefined;
  const saved = buffer(cell.savedBlocks * size);
  const spare = finals.map(() => [buffer(size), buffer(size)] as const);
  const affine = kernels.of(affinePacked);
  const multiply = kernels.of(gemmPacked);
  steps.push(() => affine(gates, x, panelsIh, bias, T * B, GH, I));
  let previous = initial;
  for (let s = 0; s < T; s++) {
    const t = isReverse ? T - 1 - s : s;
    const next = finals.map(({ offset }, i) =>
      i === 0 ? outputs.offset + (t * D + d) * size : s === T - 1 ? offset + d * size : spare[i]![s % 2]!,
    );
    const own = gates + t * B * GH;
    const named = (offsets: readonly number[]): Record<string, number> =>
      byName(cell.state, (name) => offsets[cell.state.indexOf(name)]!);
    const step: PointwiseStep<string> = {
      rows: B,
      hiddenSize: H,
      gates: own,
      product: product ?? own,
      saved,
      previous: named(previous),
      next: named(next),
      vectors,
    };
    const h = previous[0]!;
    steps.push(() => {
      multiply(step.product, h, panelsHh, B, GH, H, !cell.separateProducts);
      cell.forward(kernels, step);
    });
    previous = next;
  }
  const last = previous[0]!;
  const final = finals[0]!.offset + d * size;
  const copyOf = (offset: number): View => ({ kind: 'float', shape: [size], strides: [1], offset });
  addCopy(plan, copyOf(final), copyOf(last));
}
