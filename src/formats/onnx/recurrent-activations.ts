/** The activation functions of the operators RNN, LSTM and GRU. */

import { scale } from '../../autodiff/ops/arithmetic';
import { leakyRelu, relu, sigmoid, softplus, tanh } from '../../autodiff/ops/elementwise';
import type { Variable } from '../../autodiff/tape';
import { abbreviate } from '../listing';
import { consumeAttribute, type NodeReader } from './node-reader';
import { affinely, elu, hardSigmoid, pointwise, softsign, thresholded } from './pointwise';

/** An activation of a node. */
export interface NodeActivation {
  readonly name: string;
  readonly apply: (x: Variable) => Variable;
}

/** An activation function with the default values of the parameters that it has. */
interface ActivationForm {
  readonly alpha?: number;
  readonly beta?: number;
  readonly create: (alpha: number, beta: number) => (x: Variable) => Variable;
}

const forms: Readonly<Record<string, ActivationForm>> = {
  tanh: { create: () => tanh },
  relu: { create: () => relu },
  sigmoid: { create: () => sigmoid },
  softplus: { create: () => softplus },
  softsign: { create: () => (x) => pointwise('Softsign', softsign, x) },
  affine: { alpha: 1, beta: 0, create: (alpha, beta) => (x) => pointwise('Affine', affinely(alpha, beta), x) },
  leakyrelu: { alpha: 0.01, create: (alpha) => (x) => leakyRelu(x, alpha) },
  thresholdedrelu: { alpha: 1, create: (alpha) => (x) => pointwise('ThresholdedRelu', thresholded(alpha), x) },
  scaledtanh: { alpha: 1, beta: 1, create: (alpha, beta) => (x) => scale(tanh(scale(x, beta)), alpha) },
  hardsigmoid: {
    alpha: 0.2,
    beta: 0.5,
    create: (alpha, beta) => (x) => pointwise('HardSigmoid', hardSigmoid(alpha, beta), x),
  },
  elu: { alpha: 1, create: (alpha) => (x) => pointwise('Elu', elu(alpha), x) },
};

/**
 * Reads the activations of a node, `count` in all. The attributes `activation_alpha` and `activation_beta` have one
 * value per activation that has the parameter, in order.
 *
 * @throws RangeError if the number of activations is another one, or an activation is not known
 */
export function readActivations(
  reader: NodeReader,
  defaults: readonly string[],
  count: number,
): readonly NodeActivation[] {
  const names = consumeAttribute(reader, 'activations', 'strings')?.map((name) => name.toLowerCase());
  if (names !== undefined && names.length !== count)
    throw new RangeError(`activations must have length ${count}, got ${names.length}`);
  const alphas = [...(consumeAttribute(reader, 'activation_alpha', 'floats') ?? [])];
  const betas = [...(consumeAttribute(reader, 'activation_beta', 'floats') ?? [])];
  return Array.from({ length: count }, (_, i) => {
    const name = names?.[i] ?? defaults[i % defaults.length]!;
    const form = Object.hasOwn(forms, name) ? forms[name] : undefined;
    if (form === undefined)
      throw new RangeError(`activations must be among ${Object.keys(forms).join(', ')}, got ${abbreviate(name)}`);
    const alpha = form.alpha === undefined ? 0 : (alphas.shift() ?? form.alpha);
    const beta = form.beta === undefined ? 0 : (betas.shift() ?? form.beta);
    return { name, apply: form.create(alpha, beta) };
  });
}
