/** What the page shows of the inside of a model: gradient flow, states and gates. */

import {
  add,
  affine,
  type Batch,
  compute,
  concat,
  full,
  gradientFlow,
  type IntTensor,
  isIntTensor,
  type Loss,
  matmul,
  multiply,
  runModel,
  type Sequential,
  sigmoid,
  slice,
  type Tensor,
  tanh,
  type Variable,
} from 'bptt';
import type { HeatMapData } from './protocol';

/**
 * Measures ‖∂L/∂s‖ of the first recurrent layer for the loss at the last step that counts.
 *
 * @returns the norms by state and by distance from the loss: `[0]` is at the step of the loss
 */
export function flowOf(model: Sequential, batch: Batch, loss: Loss): Readonly<Record<string, readonly number[]>> {
  const { single, step } = atOneStep(batch);
  const { norms } = gradientFlow(model, single, { loss });
  const [states = {}] = Object.values(norms);
  return Object.fromEntries(
    Object.entries(states).map(([name, values]) => [name, Array.from(values.subarray(0, step + 1)).reverse()]),
  );
}

/** The batch with a loss at its last step only, and this step. */
function atOneStep(batch: Batch): { single: Batch; step: number } {
  const [T = 0, B = 0] = batch.inputs.shape;
  const { targets, mask } = batch;
  const perStep = targets.shape.length >= 2 && targets.shape[0] === T && targets.shape[1] === B;
  if (!perStep) return { single: batch, step: T - 1 };
  const counts = (t: number): boolean =>
    mask === undefined || mask.data.subarray(t * B, (t + 1) * B).some((w) => w > 0);
  let step = T - 1;
  while (step > 0 && !counts(step)) step--;
  const data = new Float32Array(T * B);
  for (let row = 0; row < B; row++) data[step * B + row] = mask?.data[step * B + row] ?? 1;
  return { single: { ...batch, mask: { shape: [T, B], data } }, step };
}

/** Computes the states and gates of the first recurrent layer for the first row of a batch, `[T, H]` each. */
export function mapsOf(model: Sequential, batch: Batch): HeatMapData[] {
  const at = model.layers.findIndex(({ layer }) => layer.origin?.[0] === 'recurrent');
  const name = model.layers[at]?.name;
  if (name === undefined) return [];
  const inputs = firstRow(batch.inputs);
  const T = inputs.shape[0]!;
  const values = compute({ model: model.parameters }, ({ model: p }) => {
    const run = runModel(model, p, inputs);
    const states = run.results[name]?.states?.() ?? {};
    const x = at === 0 ? inputs : run.outputs[at - 1]!;
    const gates = isIntTensor(x) ? {} : gatesOf(p[name]!, x, states);
    return { ...states, ...gates };
  });
  return Object.entries(values).map(([map, { shape, data }]) => ({
    name: map,
    steps: T,
    units: shape[2]!,
    data: data.slice(),
  }));
}

/** The gates of all steps, computed from the input and the states: `i f g o` of an LSTM, `r z n` of a GRU. */
function gatesOf(
  p: Readonly<Record<string, Variable>>,
  x: Tensor | Variable,
  states: Readonly<Record<string, Variable>>,
): Record<string, Variable> {
  const { weightIh, weightHh, bias, biasHn } = p;
  const { h } = states;
  if (h === undefined || weightIh === undefined || weightHh === undefined || bias === undefined) return {};
  const H = weightHh.shape[0]!;
  const T = h.shape[0]!;
  const block = (values: Variable, index: number): Variable => slice(values, index * H, (index + 1) * H, 2);
  // h of the step before, zeros at the first step.
  const previous = concat([full([1, 1, H], 0), slice(h, 0, T - 1)]);
  const input = affine(x, { weight: weightIh, bias });
  const product = matmul(previous, weightHh);
  if ('c' in states && weightHh.shape[1] === 4 * H) {
    const sum = add(input, product);
    const gate = (index: number): Variable => sigmoid(block(sum, index));
    return { i: gate(0), f: gate(1), g: tanh(block(sum, 2)), o: gate(3) };
  }
  if (biasHn !== undefined && weightHh.shape[1] === 3 * H) {
    const sum = add(input, product);
    const r = sigmoid(block(sum, 0));
    const candidate = add(block(input, 2), multiply(r, add(block(product, 2), biasHn)));
    return { r, z: sigmoid(block(sum, 1)), n: tanh(candidate) };
  }
  return {};
}

/** `[T, 1, …]` the first row of `[T, B, …]`. */
function firstRow(batch: Tensor | IntTensor): Tensor | IntTensor {
  const [T = 0, B = 1, ...rest] = batch.shape;
  const size = rest.reduce((product, length) => product * length, 1);
  const shape = [T, 1, ...rest];
  const at = (i: number): number => Math.floor(i / size) * B * size + (i % size);
  return isIntTensor(batch)
    ? { shape, data: Int32Array.from({ length: T * size }, (_, i) => batch.data[at(i)]!) }
    : { shape, data: Float32Array.from({ length: T * size }, (_, i) => batch.data[at(i)]!) };
}
