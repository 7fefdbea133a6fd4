/** Streams of causal convolutions: one step from the last inputs, which the state keeps. */

import type { Window } from '../autodiff/ops/windows';
import { runScope, type Variable, variableAt } from '../autodiff/tape';
import { multiplyTaps } from '../kernels/columns';
import { copy } from '../kernels/movement';
import { affinePacked, gemmPacked } from '../kernels/product';
import type { Resident } from '../kernels/resident';
import { memoryView, type StepRunner } from '../recurrence/cell-stream';
import { memoize } from '../tensor/memoize';
import { checkNames, checkShape } from '../tensor/shape';
import { checkTensor, full, type Tensor } from '../tensor/tensor';
import { activate, type Layer, type LayerState, type LayerStepContext, stateless, stepSize } from './layer';

/** The last inputs as a ring of steps, `[B, I]` each. */
interface Ring {
  readonly steps: readonly Float32Array[];
  /** The index of the oldest step, which the next input replaces. */
  next: number;
}

/** Creates a runner of the products of one window: of `taps [k − 1, B, I]`, and of the input of the step. */
type WindowRunner = (context: LayerStepContext, taps: number) => StepRunner;

/** Returns a function that creates step runners of a causal convolution. */
export function createConvolutionRunner(
  window: Window,
  groups: number,
  activation: ((x: Variable) => Variable) | undefined,
): NonNullable<Layer['stepRunner']> {
  // Once for all streams that share the weights of a model. Training changes them in place, for later streams.
  const matricesIn = memoize((_: Resident) => memoize((weight: Tensor) => tapMatrices(weight, groups)));
  const createProducts: WindowRunner = (context, taps) =>
    groups > 1 && groups === context.parameters['weight']!.shape[2] && groups === stepSize('conv1d', context.features)
      ? depthwiseRunner(window.k, context, taps)
      : productRunner(matricesIn(context.resident)(context.parameters['weight']!), context, taps);
  const createWindow: WindowRunner = (context, taps) => {
    const products = createProducts(context, taps);
    return activation === undefined ? products : activated(activation, context, products);
  };
  return (context) => {
    const size = context.batchSize * stepSize('conv1d', context.features);
    const taps = context.reserve((window.k - 1) * size);
    const runner = createWindow(context, taps);
    return window.k === 1 ? runner : ringRunner(window, context, taps, runner);
  };
}

/** Keeps the last inputs in the state, and copies those that the window reads into `taps`. */
function ringRunner(
  { k, dilation }: Window,
  { workspace: { memory }, input, batchSize, features }: LayerStepContext,
  taps: number,
  { output, size: O, step: multiply }: StepRunner,
): StepRunner<LayerState, Ring> {
  const I = stepSize('conv1d', features);
  const past = (k - 1) * dilation;
  const size = batchSize * I;
  const newest = memoryView(memory, input, size);
  const shape = [batchSize, past * I];
  /** The position of a value of a step in the state by name. */
  const positionOf = (p: number, i: number): number => (Math.floor(i / I) * past + p) * I + (i % I);
  return {
    output,
    size: O,
    start: () => ({ steps: Array.from({ length: past }, () => new Float32Array(size)), next: 0 }),
    step(ring) {
      const { steps, next } = ring;
      for (let j = 0; j < k - 1; j++) memory.view.set(steps[(next + j * dilation) % past]!, taps + j * size);
      multiply(undefined);
      steps[next]!.set(newest());
      ring.next = (next + 1) % past;
    },
    readState({ steps, next }) {
      const inputs = full(shape, 0);
      for (let p = 0; p < past; p++)
        steps[(next + p) % past]!.forEach((value, i) => {
          inputs.data[positionOf(p, i)] = value;
        });
      return { inputs };
    },
    writeState(ring, values = {}) {
      checkNames('stream', 'state', values, ['inputs']);
      const { inputs = full(shape, 0) } = values;
      checkTensor('stream', 'state.inputs', inputs);
      checkShape('stream', 'state.inputs', inputs.shape, '[B, (k − 1)·dilation·I]', shape);
      ring.next = 0;
      ring.steps.forEach((step, p) => {
        for (let i = 0; i < size; i++) step[i] = inputs.data[positionOf(p, i)]!;
      });
    },
  };
}

/** Returns the matrix `[I, O]` of each tap. Those of several groups are zero outside of the groups. */
function tapMatrices({ shape, data }: Tensor, groups: number): readonly Tensor[] {
  const [k, inputs, O] = shape as [number, number, number];
  const columns = O / groups;
  return Array.from({ length: k }, (_, j) => {
    const matrix = full([inputs * groups, O], 0);
    for (let group = 0; group < groups; group++)
      for (let i = 0; i < inputs; i++) {
        const from = (j * inputs + i) * O + group * columns;
        matrix.data.set(data.subarray(from, from + columns), (group * inputs + i) * O + group * columns);
      }
    return matrix;
  });
}

/** One product per tap, so that the input of the step is not copied. The sums may round differently than in a run. */
function productRunner(
  matrices: readonly Tensor[],
  { workspace: { kernels }, resident, reserve, parameters, input, batchSize }: LayerStepContext,
  taps: number,
): StepRunner {
  const [I, O] = matrices[0]!.shape as [number, number];
  const panels = matrices.map(resident.pack);
  const bias = resident.place(parameters['bias']!);
  const output = reserve(batchSize * O);
  const start = kernels.of(affinePacked);
  const add = kernels.of(gemmPacked);
  const last = panels.length - 1;
  return stateless(output, O, () => {
    start(output, last === 0 ? input : taps, panels[0]!, bias, batchSize, O, I);
    for (let j = 1; j <= last; j++)
      add(output, j === last ? input : taps + j * batchSize * I, panels[j]!, batchSize, O, I, true);
  });
}

function depthwiseRunner(
  k: number,
  { workspace: { kernels }, resident, reserve, parameters, input, batchSize }: LayerStepContext,
  taps: number,
): StepRunner {
  const weight = resident.place(parameters['weight']!);
  const bias = resident.place(parameters['bias']!);
  const I = parameters['bias']!.data.length;
  const size = batchSize * I;
  const output = reserve(size);
  const copyRow = kernels.of(copy);
  const multiply = kernels.of(multiplyTaps);
  return stateless(output, I, () => {
    for (let row = 0; row < batchSize; row++) copyRow(output + row * I, bias, I);
    if (k > 1) multiply(output, taps, weight, batchSize, k - 1, size, I);
    multiply(output, input, weight + (k - 1) * I, batchSize, 1, 0, I);
  });
}

/** Applies the activation function to the result of a runner. */
function activated(
  activation: (x: Variable) => Variable,
  { workspace, reserve, batchSize }: LayerStepContext,
  { output: linear, size, step: multiply }: StepRunner,
): StepRunner {
  const output = reserve(batchSize * size);
  return stateless(output, size, () => {
    multiply(undefined);
    runScope(workspace, false, (scope) => {
      const x = variableAt(scope, linear, [1, batchSize, size], false);
      const y = activate('conv1d', activation, x);
      workspace.kernels.of(copy)(output, y.offset, batchSize * size);
    });
  });
}
