/** Activation functions as ONNX operators. */

import { abs, exp, leakyRelu, relu, sigmoid, softplus, tanh } from '../../autodiff/ops/elementwise';
import { logSoftmax, softmax } from '../../autodiff/ops/reductions';
import { type Attribute, add, type Builder } from './builder';

interface ActivationOperator {
  readonly activation: unknown;
  readonly opType: string;
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

const operatorOf = (activation: unknown): ActivationOperator | undefined => {
  const operators: readonly ActivationOperator[] = [
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
  return operators.find((operator) => operator.activation === activation);
};

/**
 * Adds the node of an activation and returns the name of its output.
 *
 * @throws RangeError if ONNX has no operator for the activation
 */
export function addActivation(caller: string, path: string, builder: Builder, activation: unknown, x: string): string {
  const operator = operatorOf(activation);
  if (operator === undefined) throw new RangeError(`${caller}: ${path}: the activation has no ONNX operator.`);
  return add(builder, operator.opType, [x], operator.attributes);
}

/** The name of an activation as an attribute of the operator RNN; undefined if RNN does not have it. */
export function rnnActivation(activation: unknown): string | undefined {
  const name = operatorOf(activation)?.opType;
  return name !== undefined && ['Tanh', 'Relu', 'Sigmoid', 'Softplus'].includes(name) ? name : undefined;
}
