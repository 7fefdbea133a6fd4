/** Activation functions as ONNX operators. */

import { abs, exp, leakyRelu, relu, sigmoid, softplus, tanh } from '../../autodiff/ops/elementwise';
import { logSoftmax, softmax } from '../../autodiff/ops/reductions';
import { linear } from '../../cells/activations';
import type { Origin } from '../../tensor/origin';
import { isSameFunction } from '../same-function';
import { type Attribute, add, type Builder } from './builder';

/** The operator of an activation, with its attributes. */
type ActivationOperator = readonly [
  opType: string,
  attributes?: Readonly<Record<'alpha', { readonly float: number }> | Record<'axis', number>>,
];

function operatorOf(activation: unknown): ActivationOperator | undefined {
  const operators = new Map<unknown, ActivationOperator>([
    [linear, ['Identity']],
    [tanh, ['Tanh']],
    [relu, ['Relu']],
    [sigmoid, ['Sigmoid']],
    [softplus, ['Softplus']],
    [exp, ['Exp']],
    [abs, ['Abs']],
    [leakyRelu, ['LeakyRelu', { alpha: { float: 0.01 } }]],
    [softmax, ['Softmax', { axis: -1 }]],
    [logSoftmax, ['LogSoftmax', { axis: -1 }]],
  ]);
  const [name, slope] = (activation as { readonly origin?: Origin } | null)?.origin ?? [];
  // The default of beta is 1/2.
  return name === 'hardSigmoid'
    ? ['HardSigmoid', { alpha: { float: Number(slope) } }]
    : [...operators].find(([own]) => isSameFunction(activation, own))?.[1];
}

/** @throws RangeError that names a layer, the part of it that cannot be exported, and the reason */
export function reject(path: string, what: string, reason = 'has no ONNX form'): never {
  throw new RangeError(`exportOnnx: ${path}: ${what} ${reason}.`);
}

/**
 * Adds the node of an activation and returns the name of its output.
 *
 * @throws RangeError if ONNX has no operator for the activation
 */
export function addActivation(path: string, builder: Builder, activation: unknown, x: string): string {
  const [opType, attributes] = operatorOf(activation) ?? reject(path, 'the activation');
  return add(builder, opType, [x], attributes);
}

/** The activation functions of a cell; tanh and sigmoid by default. */
export interface CellActivations {
  readonly activation?: unknown;
  readonly gateActivation?: unknown;
}

/** The activations that the operators RNN, LSTM and GRU have as attributes, among those of this file. */
const recurrentNames: readonly string[] = ['Tanh', 'Relu', 'Sigmoid', 'Softplus', 'LeakyRelu', 'HardSigmoid'];

/**
 * The attributes for the activations of RNN, LSTM or GRU; undefined if these operators do not have one of them.
 *
 * @param activations the functions of all directions in order; none for the defaults
 */
export function activationAttributes(activations: readonly unknown[]): Readonly<Record<string, Attribute>> | undefined {
  const operators = activations.map((activation): ActivationOperator => operatorOf(activation) ?? ['']);
  const names = operators.map(([opType]) => opType);
  if (!names.every((name) => recurrentNames.includes(name))) return undefined;
  const alphas = operators.flatMap(([, attributes]) =>
    attributes && 'alpha' in attributes ? attributes.alpha.float : [],
  );
  return {
    ...(names.length > 0 && { activations: names }),
    ...(alphas.length > 0 && { activation_alpha: { floats: alphas } }),
  };
}
