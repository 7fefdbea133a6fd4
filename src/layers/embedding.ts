/** A layer that maps token ids to vectors. */

import { gather } from '../autodiff/ops/movement';
import { isVariable } from '../autodiff/tape';
import { gatherRows } from '../kernels/linear';
import { type Initializer, normal } from '../tensor/initializers';
import { checkCount, checkIds, checkNames, checkRows, mismatch } from '../tensor/shape';
import { type Layer, stateless } from './layer';

/** The options of {@link embedding}. */
export interface EmbeddingOptions {
  /** V, the number of token ids: one more than the largest id. */
  readonly vocabularySize: number;
  /** E, the embedding dimension. */
  readonly size: number;
  /**
   * Standard normal by default, as in PyTorch. With ±0.05, the default of Keras, Moby-Dick trains measurably more
   * slowly.
   */
  readonly initializer?: Initializer | undefined;
}

/**
 * Creates a layer that looks up a vector for every token id: ids `[T, B]` to `[T, B, E]`. Its parameter is
 * `weight [V, E]`.
 *
 * @throws RangeError if a size is not a positive integer or `vocabularySize` exceeds 2²⁴; when it runs, if an id is
 * outside [0, V)
 * @example
 * const model = sequential([embedding({ vocabularySize: 10, size: 4 })], { seed: 1 });
 * predict(model, intTensor([[3, 1], [4, 1]])).shape; // [2, 2, 4]
 */
export function embedding(options: EmbeddingOptions): Layer {
  checkNames('embedding', 'options', options, ['vocabularySize', 'size', 'initializer']);
  const { vocabularySize, size, initializer = normal(0, 1) } = options;
  checkCount('embedding', 'vocabularySize', vocabularySize);
  checkCount('embedding', 'size', size);
  checkRows('embedding', 'vocabularySize', vocabularySize);
  return {
    name: 'embedding',
    origin: ['embedding', { vocabularySize, size }],
    accepts: 'ids',
    causal: true,
    output: () => ({ kind: 'vectors', size, perStep: true }),
    parameters: () => ({ weight: { role: 'input', shape: [vocabularySize, size], blocks: 1, initializer } }),
    run: ({ weight }, input) => {
      if (isVariable(input)) throw mismatch('embedding', 'the input', 'ids, as intTensor returns', 'vectors');
      return { output: gather(weight!, input) };
    },
    stepRunner: ({ workspace, resident, reserve, parameters, input, batchSize }) => {
      const table = resident.place(parameters['weight']!);
      const output = reserve(batchSize * size);
      const gatherRow = workspace.kernels.of(gatherRows);
      return stateless(output, size, () => {
        checkIds('embedding', 'ids', workspace.memory.view, vocabularySize, input, input + batchSize);
        gatherRow(output, table, input, batchSize, size);
      });
    },
  };
}
