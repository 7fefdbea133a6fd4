/**
 * Recurrent cells with layer normalization of their pre-activations.
 *
 *     LN(x; g, b) = g · (x − mean) / √(variance + epsilon) + b        along the last axis
 *
 * The LSTM and the GRU normalize the products of the input and of the hidden state separately, before adding them.
 *
 * Ba, Kiros and Hinton, 2016, arXiv 1607.06450, appendix. epsilon is 1e-5 by default.
 */

import { add, multiply, subtract } from '../autodiff/ops/arithmetic';
import { sigmoid, tanh } from '../autodiff/ops/elementwise';
import { matmul } from '../autodiff/ops/linear';
import { concat, slice } from '../autodiff/ops/movement';
import { layerNormalize } from '../autodiff/ops/normalization';
import type { Variable } from '../autodiff/tape';
import { applyPointwise } from '../recurrence/apply-pointwise';
import type { OpsCell } from '../recurrence/cell';
import { lastOf } from '../tensor/arrays';
import { forgetBias, ones } from '../tensor/initializers';
import type { ParameterSpec } from '../tensor/parameter-spec';
import { checkFunction, checkNames, checkNumber } from '../tensor/shape';
import { gateParameters } from './gate-parameters';
import { lstm } from './lstm';

/** Options for the cells with layer normalization. */
export interface LayerNormCellOptions {
  /** The term added to the variance for numerical stability; 1e-5 by default. */
  readonly epsilon?: number | undefined;
}

const gain = (size: number): ParameterSpec => ({ role: 'gain', shape: [size], blocks: 1, initializer: ones() });
const bias = (size: number): ParameterSpec => ({ role: 'bias', shape: [size], blocks: 1 });

/**
 * Creates a simple recurrent cell with layer normalization.
 *
 *     h_t = f(LN(x_t W + h_{t−1} U; gain, bias))        [B, H]
 *
 * State `{ h [B, H] }`; parameters W = `weightIh [I, H]`, U = `weightHh [H, H]`, `gain [H]` and `bias [H]`.
 *
 * @param options.activation f, a function of ops; tanh by default
 * @param options.epsilon the term added to the variance; 1e-5 by default
 * @throws RangeError if `epsilon` is negative
 * @example
 * const model = sequential([recurrent(layerNormRnn({ activation: relu }), { hiddenSize: 8 })], { inputSize: 2 });
 * predict(model, full([5, 3, 2], 1)).shape; // [5, 3, 8]
 */
export function layerNormRnn(
  options: LayerNormCellOptions & { readonly activation?: ((x: Variable) => Variable) | undefined } = {},
): OpsCell<'h'> {
  checkNames('layerNormRnn', 'options', options, ['epsilon', 'activation']);
  const { activation = tanh, epsilon = 1e-5 } = options;
  checkNumber('layerNormRnn', 'epsilon', epsilon, 0);
  checkFunction('layerNormRnn', 'activation', activation);
  return {
    name: 'layerNormRnn',
    origin: ['layerNormRnn', { activation, epsilon }],
    state: ['h'],
    parameters: (inputSize, hiddenSize) => ({ ...gateParameters(1, inputSize, hiddenSize), gain: gain(hiddenSize) }),
    inputs: ({ weightIh }, x) => matmul(x, weightIh!),
    step: (p, x, { h }, applyDropout) => ({
      h: activation(
        layerNormalize(add(x, matmul(applyDropout(h), p['weightHh']!)), {
          gain: p['gain']!,
          bias: p['bias']!,
          epsilon,
        }),
      ),
    }),
  };
}

/**
 * Creates an LSTM cell with layer normalization, which also normalizes the cell state before the output gate.
 *
 *     i, f, o = σ(LN(x_t W; gainIh, bias) + LN(h_{t−1} U; gainHh))           [B, H] each
 *     g       = tanh(LN(x_t W; gainIh, bias) + LN(h_{t−1} U; gainHh))        [B, H]
 *     c_t     = f · c_{t−1} + i · g                                          [B, H]
 *     h_t     = o · tanh(LN(c_t; gainC, biasC))                              [B, H]
 *
 * State `{ h, c }`, each `[B, H]`; parameters W = `weightIh [I, 4H]`, U = `weightHh [H, 4H]`, `bias [4H]`,
 * `gainIh [4H]`, `gainHh [4H]`, `gainC [H]` and `biasC [H]`. LN runs over all four gate blocks `i f g o` together.
 *
 * @param options.epsilon the term added to the variance; 1e-5 by default
 * @throws RangeError if `epsilon` is negative
 * @example
 * const model = sequential([recurrent(layerNormLstm(), { hiddenSize: 8 })], { inputSize: 2 });
 * predict(model, full([5, 3, 2], 1)).shape; // [5, 3, 8]
 */
export function layerNormLstm(options: LayerNormCellOptions = {}): OpsCell<'h' | 'c'> {
  checkNames('layerNormLstm', 'options', options, ['epsilon']);
  const { epsilon = 1e-5 } = options;
  checkNumber('layerNormLstm', 'epsilon', epsilon, 0);
  const standard = lstm();
  return {
    name: 'layerNormLstm',
    origin: ['layerNormLstm', { epsilon }],
    state: ['h', 'c'],
    parameters: (inputSize, hiddenSize) => ({
      ...gateParameters(4, inputSize, hiddenSize, forgetBias(1)),
      gainIh: gain(4 * hiddenSize),
      gainHh: gain(4 * hiddenSize),
      gainC: gain(hiddenSize),
      biasC: bias(hiddenSize),
    }),
    inputs: (p, x) => layerNormalize(matmul(x, p['weightIh']!), { gain: p['gainIh']!, bias: p['bias']!, epsilon }),
    step: (p, x, { h, c: previous }, applyDropout) => {
      const H = h.shape[1]!;
      const gates = add(x, layerNormalize(matmul(applyDropout(h), p['weightHh']!), { gain: p['gainHh']!, epsilon }));
      const { c } = applyPointwise(standard, gates, { c: previous });
      const o = sigmoid(slice(gates, 3 * H, 4 * H, 1));
      return { h: multiply(o, tanh(layerNormalize(c, { gain: p['gainC']!, bias: p['biasC']!, epsilon }))), c };
    },
  };
}

/**
 * Creates a GRU cell with layer normalization: over the gates r and z together, over the candidate n separately.
 *
 *     r, z = σ(LN(x_t W; gainIh, bias) + LN(h_{t−1} U; gainHh))                        [B, H] each
 *     n    = tanh(LN(x_t W; gainIh, bias) + r · LN(h_{t−1} U; gainHh, biasHn))         [B, H]
 *     h_t  = (1 − z) · n + z · h_{t−1}                                                 [B, H]
 *
 * State `{ h [B, H] }`; parameters W = `weightIh [I, 3H]`, U = `weightHh [H, 3H]`, `bias [3H]`, `gainIh [3H]`,
 * `gainHh [3H]` and `biasHn [H]`; gate blocks `r z n`.
 *
 * @param options.epsilon the term added to the variance; 1e-5 by default
 * @throws RangeError if `epsilon` is negative
 * @example
 * const model = sequential([recurrent(layerNormGru(), { hiddenSize: 8 })], { inputSize: 2 });
 * predict(model, full([5, 3, 2], 1)).shape; // [5, 3, 8]
 */
export function layerNormGru(options: LayerNormCellOptions = {}): OpsCell<'h'> {
  checkNames('layerNormGru', 'options', options, ['epsilon']);
  const { epsilon = 1e-5 } = options;
  checkNumber('layerNormGru', 'epsilon', epsilon, 0);
  const gatesOf = (x: Variable): Variable => slice(x, 0, (2 * lastOf(x.shape)!) / 3, -1);
  const candidateOf = (x: Variable): Variable => slice(x, (2 * lastOf(x.shape)!) / 3, undefined, -1);
  return {
    name: 'layerNormGru',
    origin: ['layerNormGru', { epsilon }],
    state: ['h'],
    parameters: (inputSize, hiddenSize) => ({
      ...gateParameters(3, inputSize, hiddenSize),
      gainIh: gain(3 * hiddenSize),
      gainHh: gain(3 * hiddenSize),
      biasHn: bias(hiddenSize),
    }),
    prepare: (p) => ({ ...p, gainGates: gatesOf(p['gainHh']!), gainCandidate: candidateOf(p['gainHh']!) }),
    inputs: (p, x) => {
      const product = matmul(x, p['weightIh']!);
      return concat(
        [gatesOf, candidateOf].map((part) =>
          layerNormalize(part(product), { gain: part(p['gainIh']!), bias: part(p['bias']!), epsilon }),
        ),
        1,
      );
    },
    step: (p, x, { h }, applyDropout) => {
      const H = h.shape[1]!;
      const product = matmul(applyDropout(h), p['weightHh']!);
      const gates = sigmoid(add(gatesOf(x), layerNormalize(gatesOf(product), { gain: p['gainGates']!, epsilon })));
      const recurrent = layerNormalize(candidateOf(product), {
        gain: p['gainCandidate']!,
        bias: p['biasHn']!,
        epsilon,
      });
      const n = tanh(add(candidateOf(x), multiply(slice(gates, 0, H, 1), recurrent)));
      return { h: add(n, multiply(slice(gates, H, 2 * H, 1), subtract(h, n))) };
    },
  };
}
