/** Activation functions as ONNX operators. */

import { abs, exp, leakyRelu, relu, sigmoid, softplus, tanh } from '../../autodiff/ops/elementwise';
import { logSoftmax, softmax } from '../../autodiff/ops/reductions';
import { linear } from '../../cells/activations';
import type { Origin } from '../../tensor/origin';
import { type Attribute, add, type Builder } from './builder';

interface ActivationOperator {
  readonly activation: unknown;
  readonly opType: string;
  readonly attributes?: Readonly<Record<string, number | { readonly float: number }>>;
}

const operatorOf = (activation: unknown): ActivationOperator | undefined => {
  const operators: readonly ActivationOperator[] = [
    { activation: linear, opType: 'Identity' },
    { activation: tanh, opType: 'Tanh' },
    { activation: relu, opType: 'Relu' },
    { activation: sigmoid, opType: 'Sigmoid' },
    { activation: softplus, opType: 'Softplus' },
    { activation: exp, opType: 'Exp' },
    { activation: abs, opType: 'Abs' },
    { activation: leakyRelu, opType: 'LeakyRelu', attributes: { alpha: { float: 0.01 } } },
    { activation: softmax, opType: 'Softmax', attributes: { axis: -1 } },
    { activation: logSoftmax, opType: 'LogSoftmax', attributes: { axis: -1 } },
  ];
  const [name, slope] = (activation as { readonly origin?: Origin } | null)?.origin ?? [];
  if (name === 'hardSigmoid' && typeof slope === 'number')
    // The default of beta is 1/2.
    return { activation, opType: 'HardSigmoid', attributes: { alpha: { float: slope } } };
  return operators.find((operator) => operator.activation === activation);
};

/** @throws RangeError that names a layer and the part of it that cannot be exported */
export function reject(path: string, what: string): never {
  throw new RangeError(`exportOnnx: ${path}: ${what} has no ONNX form.`);
}

/**
 * Adds the node of an activation and returns the name of its output.
 *
 * @throws RangeError if ONNX has no operator for the activation
 */
export function addActivation(path: string, builder: Builder, activation: unknown, x: string): string {
  const { opType, attributes } = operatorOf(activation) ?? reject(path, 'the activation');
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
  const operators = activations.map(operatorOf);
  const names = operators.map((operator) => operator?.opType ?? '');
  if (!names.every((name) => recurrentNames.includes(name))) return undefined;
  const alphas = operators.flatMap((operator) => {
    const alpha = operator?.attributes?.['alpha'];
    return typeof alpha === 'object' ? alpha.float : [];
  });
  return {
    ...(names.length > 0 && { activations: names }),
    ...(alphas.length > 0 && { activation_alpha: { floats: alphas } }),
  };
}
