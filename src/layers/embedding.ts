/** Token ids become vectors. */

import { gather } from '../autodiff/ops/movement';
import { gatherRows } from '../kernels/linear';
import { allocate } from '../kernels/workspace';
import { copyInto } from '../recurrence/cell-stream';
import { type Initializer, normal } from '../tensor/initializers';
import { checkCount, checkIds } from '../tensor/shape';
import { type Layer, stateless } from './layer';

/** Sizes and initializer of {@link embedding}. */
export interface EmbeddingOptions {
  /** V, one more than the largest id. */
  readonly vocabularySize: number;
  /** How many numbers stand for an id. */
  readonly size: number;
  /** By default normal with deviation 1, as in PyTorch: Keras' ±0.05 learns Moby-Dick measurably more slowly. */
  readonly initializer?: Initializer;
}

/**
 * A table of one row for each id: `[T, B]` ids give `[T, B, size]`. Parameter `weight [V, size]`.
 *
 * @throws RangeError where a size is not a whole number of at least 1 or there are more than 2²⁴ ids; when it runs, for an id outside [0, V)
 * @example
 * const model = sequential([embedding({ vocabularySize: 10, size: 4 })], { seed: 1 });
 * predict(model, intTensor([[3, 1], [4, 1]])).shape; // [2, 2, 4]
 */
export function embedding({ vocabularySize, size, initializer = normal(0, 1) }: EmbeddingOptions): Layer {
  checkCount('embedding', 'vocabularySize', vocabularySize);
  checkCount('embedding', 'size', size);
  if (vocabularySize > 2 ** 24)
    throw new RangeError(`embedding: vocabularySize must be at most 2^24, got ${vocabularySize}.`);
  return {
    name: 'embedding',
    origin: ['embedding', { vocabularySize, size }],
    output: (input) => {
      if (input.kind !== 'ids')
        throw new RangeError('embedding: expected token ids, got vectors. An embedding comes first.');
      return { kind: 'vectors', size, perStep: true };
    },
    parameters: () => ({ weight: { role: 'input', shape: [vocabularySize, size], blocks: 1, initializer } }),
    run: ({ weight }, input) => {
      if ('storage' in input)
        throw new TypeError('embedding: expected token ids, got vectors. Make ids by intTensor([...]).');
      return { output: gather(weight!, input) };
    },
    stepRunner: ({ workspace, parameters, input, batchSize }) => {
      const table = copyInto(workspace, parameters['weight']!.data);
      const output = allocate(workspace, batchSize * size);
      const gatherRow = workspace.kernels.of(gatherRows);
      const step = (): void => {
        checkIds('embedding', 'ids', workspace.memory.view, vocabularySize, '', input, input + batchSize);
        gatherRow(output, table, input, batchSize, size);
      };
      return { ...stateless, output, size, step };
    },
  };
}
