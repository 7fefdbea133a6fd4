/** Batch normalization between layers. */

import { batchNormalize, normalizeByRunning, writeScale } from '../autodiff/ops/batch-normalization';
import { scaleColumns } from '../kernels/columns';
import { onValidSteps } from '../recurrence/valid-steps';
import { ones, zeros } from '../tensor/initializers';
import { checkNames, checkNumber } from '../tensor/shape';
import { type Layer, stateless, vectorFeatures, vectorSize, vectors } from './layer';

/** The options of {@link batchNorm}. */
export interface BatchNormOptions {
  /** ε, 1e-5 by default as in PyTorch; 1e-3 in Keras. */
  readonly epsilon?: number | undefined;
  /** m, 0.1 by default as in PyTorch. The `momentum` of Keras, 0.99 by default, is 1 − m. */
  readonly momentum?: number | undefined;
}

/**
 * Creates a layer that normalizes every feature, y = gain · (x − mean) / √(variance + ε) + bias: `[…, I]` to `[…, I]`
 * (Ioffe and Szegedy, 2015, arXiv 1502.03167). Padding does not count, and its output is zero.
 *
 * In training, the mean and the variance are those of the batch. Every update of {@link fit} and {@link truncatedBptt}
 * also moves running statistics towards them, running ← (1 − m) · running + m · batch, with the unbiased variance.
 * Predictions use the running statistics, so each step then depends on its own input only.
 *
 * The parameters are `gain [I]` (initially one), `bias [I]` (initially zero), and the running statistics `mean [I]` and
 * `variance [I]`, which have no gradient and which the optimizer does not change. In a custom loop, which does not move
 * them, {@link freeze} them: `freeze(['batchNorm.mean', 'batchNorm.variance'], adamw())`.
 *
 * @throws RangeError if `epsilon` is negative, or `momentum` is not in [0, 1]
 * @example
 * const model = sequential([batchNorm()], { inputSize: 2 });
 * const data = { inputs: tensor([[[1, 30]], [[3, 10]]]), targets: full([2, 1, 2], 0) };
 * await fit(model, data, { loss: meanSquaredError, optimizer: sgd(0), steps: 100 });
 * model.parameters['batchNorm']!['mean']!.data.map(Math.round); // Float32Array [2, 20]
 */
export function batchNorm(options: BatchNormOptions = {}): Layer {
  checkNames('batchNorm', 'options', options, ['epsilon', 'momentum']);
  const { epsilon = 1e-5, momentum = 0.1 } = options;
  checkNumber('batchNorm', 'epsilon', epsilon, 0);
  checkNumber('batchNorm', 'momentum', momentum, 0, 1);
  return {
    name: 'batchNorm',
    origin: ['batchNorm', { epsilon, momentum }],
    causal: true,
    buffers: ['mean', 'variance'],
    output: (input) => vectorFeatures('batchNorm', input),
    parameters: (input) => {
      const shape = [vectorSize('batchNorm', input)];
      return {
        gain: { role: 'gain', shape, blocks: 1, initializer: ones() },
        bias: { role: 'bias', shape, blocks: 1 },
        mean: { role: 'gain', shape, blocks: 1, initializer: zeros() },
        variance: { role: 'gain', shape, blocks: 1, initializer: ones() },
      };
    },
    run: ({ gain, bias, mean, variance }, input, { lengths, training }) => {
      const statistics = { gain: gain!, bias: bias!, mean: mean!, variance: variance!, epsilon, momentum };
      const normalize = training ? batchNormalize : normalizeByRunning;
      const x = vectors('batchNorm', input);
      return { output: onValidSteps('batchNorm', x, lengths, (rows) => normalize(rows, statistics)) };
    },
    stepRunner: ({ workspace, resident, reserve, parameters, input, batchSize, features }) => {
      const size = vectorSize('batchNorm', features);
      const [gain, bias, mean, variance] = (['gain', 'bias', 'mean', 'variance'] as const).map((name) =>
        resident.place(parameters[name]!),
      ) as [number, number, number, number];
      const scale = reserve(size);
      const shift = reserve(size);
      const output = reserve(batchSize * size);
      writeScale(workspace, [scale, shift], [gain, bias, mean, variance], epsilon, size);
      const normalize = workspace.kernels.of(scaleColumns);
      return stateless(output, size, () => normalize(output, input, scale, shift, batchSize, size));
    },
  };
}
