/** An affine map of every vector. */

import { affine } from '../autodiff/ops/linear';
import type { Variable } from '../autodiff/tape';
import { allocate } from '../kernels/workspace';
import { packedAffine } from '../recurrence/cell-stream';
import { onValidSteps } from '../recurrence/valid-steps';
import { glorotUniform, type Initializer, zeros } from '../tensor/initializers';
import { checkCount } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { type Layer, stateless, vectorFeatures, vectorSize, vectors } from './layer';

/** Size, activation and initializers of {@link dense}. */
export interface DenseOptions {
  /** O, how many numbers go out. */
  readonly size: number;
  /** A function of ops; none by default. */
  readonly activation?: (x: Variable) => Variable;
  readonly weightInitializer?: Initializer;
  readonly biasInitializer?: Initializer;
}

/**
 * y = f(x W + b) on every step: `[..., I]` gives `[..., size]`; zeros in the padding of sequences of unequal length. Parameters
 * `weight [I, size]` (Glorot uniform) and `bias [size]` (zero).
 *
 * @throws RangeError where the size is not a whole number of at least 1
 * @example
 * const model = sequential([dense({ size: 3, activation: relu })], { inputSize: 2, seed: 1 });
 * predict(model, full([5, 1, 2], 0)).shape; // [5, 1, 3]
 */
export function dense(options: DenseOptions): Layer {
  const { size, activation, weightInitializer = glorotUniform(), biasInitializer = zeros() } = options;
  checkCount('dense', 'size', size);
  return {
    name: 'dense',
    origin: ['dense', options],
    output: (input) => ({ ...vectorFeatures('dense', input), size }),
    parameters: (input) => ({
      weight: { role: 'input', shape: [vectorSize('dense', input), size], blocks: 1, initializer: weightInitializer },
      bias: { role: 'bias', shape: [size], blocks: 1, initializer: biasInitializer },
    }),
    run: ({ weight, bias }, input, { lengths }) => ({
      output: onValidSteps('dense', vectors('dense', input), lengths, (x) => {
        const y = affine(x, { weight: weight!, bias: bias! });
        return activation === undefined ? y : activation(y);
      }),
    }),
    ...(activation === undefined
      ? {
          stepRunner: ({ workspace, parameters, input, batchSize }) => {
            const { weight, bias } = parameters as Record<'weight' | 'bias', Tensor>;
            const apply = packedAffine(workspace, weight, bias);
            const output = allocate(workspace, batchSize * size);
            return { ...stateless, output, size, step: () => apply(output, input, batchSize) };
          },
        }
      : {}),
  };
}
