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
import { affine, matmul } from '../autodiff/ops/linear';
import type { Variable } from '../autodiff/tape';
import { hyperbolicTangent, hyperbolicTangentBackward, rectify, rectifyBackward } from '../kernels/elementwise';
import { fill } from '../kernels/movement';
import type { Cell, OpsCell, PointwiseCell } from '../recurrence/cell';
import { checkKind, checkNames } from '../tensor/shape';
import type { Activation, ActivationPair } from './activations';
import { gateParameters } from './gate-parameters';

/** Options for {@link simpleRnn}. */
export interface SimpleRnnOptions {
  /** f: `tanh` (default), `relu`, any other element-wise function of ops, or an {@link ActivationPair}. */
  readonly activation?: Activation;
}

/**
 * Creates a simple recurrent cell. State `{ h [B, H] }`; parameters `weightIh [I, H]`, `weightHh [H, H]` and
 * `bias [H]`.
 *
 * @example
 * simpleRnn({ activation: relu }).name; // 'simpleRnn'
 */
export function simpleRnn(options: SimpleRnnOptions = {}): Cell<'h'> {
  checkNames('simpleRnn', 'options', options, ['activation']);
  const { activation = tanh } = options;
  if (typeof activation !== 'function')
    checkKind(
      'simpleRnn',
      'activation',
      activation,
      'a function, or a pair { name, forward, derivative }',
      'derivative',
    );
  return { ...cellFor(activation), origin: ['simpleRnn', { activation }] };
}

function cellFor(activation: Activation): Cell<'h'> {
  if (activation === tanh) {
    return pointwiseCell(
      (k, { next, gates, rows, hiddenSize }) => k.of(hyperbolicTangent)(next.h, gates, rows * hiddenSize),
      (k, { gates, dNext, next, rows, hiddenSize }) => {
        k.of(fill)(gates, 0, rows * hiddenSize);
        k.of(hyperbolicTangentBackward)(gates, dNext.h, next.h, rows * hiddenSize);
      },
    );
  }
  if (activation === relu) {
    return pointwiseCell(
      (k, { next, gates, rows, hiddenSize }) => k.of(rectify)(next.h, gates, 0, rows * hiddenSize),
      (k, { gates, dNext, next, rows, hiddenSize }) => {
        k.of(fill)(gates, 0, rows * hiddenSize);
        k.of(rectifyBackward)(gates, dNext.h, next.h, 0, rows * hiddenSize);
      },
    );
  }
  return typeof activation === 'function' ? opsCell(activation) : pairCell(activation);
}

const parameters: PointwiseCell['parameters'] = (inputSize, hiddenSize) => gateParameters(1, inputSize, hiddenSize);

function pointwiseCell(
  forward: PointwiseCell<'h'>['forward'],
  backward: PointwiseCell<'h'>['backward'],
): PointwiseCell<'h'> {
  return {
    name: 'simpleRnn',
    state: ['h'],
    gates: 1,
    savedBlocks: 0,
    vectorParameters: [],
    separateProducts: false,
    parameters,
    forward,
    backward,
  };
}

function opsCell(activation: (x: Variable) => Variable): OpsCell<'h'> {
  return {
    name: 'simpleRnn',
    state: ['h'],
    parameters,
    inputs: ({ weightIh, bias }, x) => affine(x, { weight: weightIh!, bias: bias! }),
    step: ({ weightHh }, x, { h }, applyDropout) => ({ h: activation(add(x, matmul(applyDropout(h), weightHh!))) }),
  };
}

function pairCell({ forward, derivative }: ActivationPair): PointwiseCell<'h'> {
  return pointwiseCell(
    ({ memory: { view: m } }, { next, gates, rows, hiddenSize }) => {
      for (let i = 0; i < rows * hiddenSize; i++) m[next.h + i] = forward(m[gates + i]!);
    },
    ({ memory: { view: m } }, { gates, dNext, next, rows, hiddenSize }) => {
      for (let i = 0; i < rows * hiddenSize; i++) m[gates + i] = m[dNext.h + i]! * derivative(m[next.h + i]!);
    },
  );
}
