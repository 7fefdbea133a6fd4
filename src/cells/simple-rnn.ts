/**
 * Simple recurrent cell, with f = tanh by default.
 *
 *     h_t = f(x_t W + h_{t−1} U + b)        [B, H]
 *
 * x_t `[B, I]`, W = weightIh `[I, H]`, U = weightHh `[H, H]`, b = bias `[H]`.
 *
 * Elman, 1990. With f = relu and U initialized to the identity: IRNN (Le, Jaitly and Hinton, 2015, arXiv 1504.00941).
 */

import { add } from '../autodiff/ops/arithmetic';
import { relu, tanh } from '../autodiff/ops/elementwise';
import { matmul } from '../autodiff/ops/linear';
import { hyperbolicTangent, hyperbolicTangentBackward, rectify, rectifyBackward } from '../kernels/elementwise';
import type { Kernels } from '../kernels/kernel';
import { fill } from '../kernels/movement';
import type { Cell, OpsCell, PointwiseCell } from '../recurrence/cell';
import { checkFunctions, checkNames } from '../tensor/shape';
import type { Activation, ActivationFunction, ActivationPair } from './activations';
import { gateParameters, inputTerm } from './gate-parameters';

/** Options for {@link simpleRnn}. */
export interface SimpleRnnOptions {
  /** f: `tanh` (default), `relu`, any other element-wise function of ops, or an {@link ActivationPair}. */
  readonly activation?: Activation | undefined;
}

/**
 * Creates a simple recurrent cell. State `{ h [B, H] }`; parameters `weightIh [I, H]`, `weightHh [H, H]` and
 * `bias [H]`.
 *
 * @example
 * const model = sequential([recurrent(simpleRnn({ activation: relu }), { hiddenSize: 8 })], { inputSize: 2 });
 * predict(model, full([5, 3, 2], 1)).shape; // [5, 3, 8]
 */
export function simpleRnn(options: SimpleRnnOptions = {}): Cell<'h'> {
  checkNames('simpleRnn', 'options', options, ['activation']);
  const { activation = tanh } = options;
  if (typeof activation !== 'function')
    checkFunctions('simpleRnn', 'activation', activation, 'a function, or { name, forward, derivative }', [
      'forward',
      'derivative',
    ]);
  return {
    name: 'simpleRnn',
    origin: ['simpleRnn', { activation }],
    state: ['h'],
    parameters: (inputSize, hiddenSize) => gateParameters(1, inputSize, hiddenSize),
    ...stepFor(activation),
  };
}

type Common = 'name' | 'state' | 'parameters';
type PointwiseStepOf = Omit<PointwiseCell<'h'>, Common>;

/** Everything in which the cells for different activations differ. */
function stepFor(activation: Activation): PointwiseStepOf | Omit<OpsCell<'h'>, Common> {
  if (activation === tanh) {
    return kernelCell(
      (k, y, x, n) => k.of(hyperbolicTangent)(y, x, n),
      (k, dx, dy, y, n) => k.of(hyperbolicTangentBackward)(dx, dy, y, n),
    );
  }
  if (activation === relu) {
    return kernelCell(
      (k, y, x, n) => k.of(rectify)(y, x, 0, n),
      (k, dx, dy, y, n) => k.of(rectifyBackward)(dx, dy, y, 0, n),
    );
  }
  return typeof activation === 'function' ? opsCell(activation) : pairCell(activation);
}

/** The step of a cell from the kernels of its activation: y = f(x), and dx += dy · f′, from y. */
function kernelCell(
  forward: (k: Kernels, y: number, x: number, n: number) => void,
  backward: (k: Kernels, dx: number, dy: number, y: number, n: number) => void,
): PointwiseStepOf {
  return pointwiseCell(
    true,
    (k, { next, gates, rows, hiddenSize }) => forward(k, next.h, gates, rows * hiddenSize),
    (k, { gates, dNext, next, rows, hiddenSize }) => {
      k.of(fill)(gates, 0, rows * hiddenSize);
      backward(k, gates, dNext.h, next.h, rows * hiddenSize);
    },
  );
}

function pointwiseCell(
  callsOnlyKernels: boolean,
  forward: PointwiseCell<'h'>['forward'],
  backward: PointwiseCell<'h'>['backward'],
): PointwiseStepOf {
  return {
    gates: 1,
    savedBlocks: 0,
    vectorParameters: [],
    separateProducts: false,
    forward,
    backward,
    callsOnlyKernels,
  };
}

function opsCell(activation: ActivationFunction): Omit<OpsCell<'h'>, Common> {
  return {
    inputs: inputTerm,
    step: ({ weightHh }, x, { h }, applyDropout) => ({ h: activation(add(x, matmul(applyDropout(h), weightHh!))) }),
  };
}

function pairCell({ forward, derivative }: ActivationPair): PointwiseStepOf {
  return pointwiseCell(
    false,
    ({ memory: { view: m } }, { next, gates, rows, hiddenSize }) => {
      for (let i = 0; i < rows * hiddenSize; i++) m[next.h + i] = forward(m[gates + i]!);
    },
    ({ memory: { view: m } }, { gates, dNext, next, rows, hiddenSize }) => {
      for (let i = 0; i < rows * hiddenSize; i++) m[gates + i] = m[dNext.h + i]! * derivative(m[next.h + i]!);
    },
  );
}
