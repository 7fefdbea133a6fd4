/** A model of sequences that writes one. */

import { createRandom } from '../tensor/random';
import { type SamplingOptions, sampler } from '../tensor/sampling';
import { checkCount, checkSome } from '../tensor/shape';
import { intTensor } from '../tensor/tensor';
import type { Sequential } from './sequential';
import { advance, stream } from './stream';

/** What {@link generate} begins with, how much it writes, and how it draws. */
export interface GenerateOptions extends SamplingOptions {
  /** Ids to begin after; at least one. They are not part of the answer. */
  readonly prompt: ArrayLike<number>;
  /** How many ids to write. */
  readonly length: number;
  readonly seed?: number;
}

/**
 * Continues a sequence: the model's scores for the next id, a draw, and the drawn id is its next input.
 *
 * @param model takes ids and answers scores over the same ids at every step
 * @returns `length` ids
 * @throws RangeError where the model is of another kind, the prompt is empty, or an option is out of range
 * @example
 * const model = sequential([embedding({ vocabularySize: 5, size: 4 }), recurrent(gru(), { hiddenSize: 8 }), dense({ size: 5 })]);
 * generate(model, { prompt: [0], length: 3, temperature: 0 }).length; // 3
 */
export function generate(model: Sequential, options: GenerateOptions): Int32Array {
  const { prompt, length, seed = 0 } = options;
  checkCount('generate', 'length', length, 0);
  const draw = sampler('generate', options);
  if (model.input.kind !== 'ids')
    throw new RangeError('generate: the model must take token ids, so that it can read what it writes.');
  checkSome('generate', 'prompt', prompt.length, 'id');
  const random = createRandom(seed);
  const running = stream(model);
  let scores: Float32Array = new Float32Array(0);
  for (let i = 0; i < prompt.length; i++) scores = advance(running, intTensor([prompt[i]!])).data;
  const written = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    const id = draw(scores, random);
    written[i] = id;
    if (i + 1 < length) scores = advance(running, intTensor([id])).data;
  }
  return written;
}
