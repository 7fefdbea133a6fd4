/** The fully connected layer. */

import { affine } from '../autodiff/ops/linear';
import type { Variable } from '../autodiff/tape';
import { packedAffine } from '../recurrence/cell-stream';
import { onValidSteps } from '../recurrence/valid-steps';
import type { Initializer } from '../tensor/initializers';
import { checkCount, checkFunction, checkNames } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { activate, type Layer, stateless, vectorFeatures, vectorSize, vectors } from './layer';

/** The options of {@link dense}. */
export interface DenseOptions {
  /** O, the size of the output. */
  readonly size: number;
  /** A function of variables that preserves the shape, such as `relu`; none by default. */
  readonly activation?: ((x: Variable) => Variable) | undefined;
  /** Glorot uniform by default. */
  readonly weightInitializer?: Initializer | undefined;
  /** Zeros by default. */
  readonly biasInitializer?: Initializer | undefined;
}

/**
 * Creates a fully connected layer, y = f(x W + b) for every step: `[…, I]` to `[…, O]`. Its output is zero in the
 * padding of sequences of unequal length. Its parameters are `weight [I, O]` and `bias [O]`.
 *
 * @throws RangeError if `size` is not a positive integer
 * @example
 * const model = sequential([dense({ size: 3, activation: relu })], { inputSize: 2, seed: 1 });
 * predict(model, full([5, 1, 2], 0)).shape; // [5, 1, 3]
 */
export function dense(options: DenseOptions): Layer {
  checkNames('dense', 'options', options, ['size', 'activation', 'weightInitializer', 'biasInitializer']);
  const { size, activation, weightInitializer, biasInitializer } = options;
  checkCount('dense', 'size', size);
  if (activation !== undefined) checkFunction('dense', 'activation', activation);
  return {
    name: 'dense',
    origin: ['dense', { ...options }],
    causal: true,
    output: (input) => ({ ...vectorFeatures('dense', input), size }),
    parameters: (input) => ({
      weight: { role: 'input', shape: [vectorSize('dense', input), size], blocks: 1, initializer: weightInitializer },
      bias: { role: 'bias', shape: [size], blocks: 1, initializer: biasInitializer },
    }),
    run: ({ weight, bias }, input, { lengths }) => ({
      output: onValidSteps('dense', vectors('dense', input), lengths, (x) =>
        activate('dense', activation, affine(x, { weight: weight!, bias: bias! })),
      ),
    }),
    ...(!activation && {
      stepRunner: ({ resident, reserve, parameters, input, batchSize }) => {
        const { weight, bias } = parameters as Record<'weight' | 'bias', Tensor>;
        const apply = packedAffine(resident, weight, bias);
        const output = reserve(batchSize * size);
        return stateless(output, size, () => apply(output, input, batchSize));
      },
    }),
  };
}
