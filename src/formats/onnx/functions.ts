/** Functions of ops as operators of ONNX. */

import { abs, exp, leakyRelu, relu, sigmoid, softplus, tanh } from '../../autodiff/ops/elementwise';
import { logSoftmax, softmax } from '../../autodiff/ops/reductions';
import { add, type Builder } from './builder';

const operators = (): readonly (readonly [
  unknown,
  string,
  Readonly<Record<string, number | { readonly float: number }>>,
])[] => [
  [tanh, 'Tanh', {}],
  [relu, 'Relu', {}],
  [sigmoid, 'Sigmoid', {}],
  [softplus, 'Softplus', {}],
  [exp, 'Exp', {}],
  [abs, 'Abs', {}],
  [leakyRelu, 'LeakyRelu', { alpha: { float: 0.01 } }],
  [softmax, 'Softmax', { axis: -1 }],
  [logSoftmax, 'LogSoftmax', { axis: -1 }],
];

/** Adds a function of ops. @throws RangeError where it is none that ONNX knows */
export function activationNode(where: string, path: string, builder: Builder, activation: unknown, x: string): string {
  const found = operators().find(([f]) => f === activation);
  if (found === undefined) throw new RangeError(`${where}: ${path} has an activation that has no operator in ONNX.`);
  return add(builder, found[1], [x], found[2]);
}

/** The name under which the operator RNN knows an activation, if it does. */
export function rnnActivation(activation: unknown): string | undefined {
  const name = operators().find(([f]) => f === activation)?.[1];
  return name !== undefined && ['Tanh', 'Relu', 'Sigmoid', 'Softplus'].includes(name) ? name : undefined;
}
