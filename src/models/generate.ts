/** A model of sequences that writes one. */

import { createRandom, uniformNumber, type Random } from '../tensor/random';
import { checkCount, checkNumber, checkSome } from '../tensor/shape';
import { ids } from '../tensor/tensor';
import type { Sequential } from './sequential';
import { advance, stream } from './stream';

/** What {@link generate} begins with, how much it writes, and how it draws. */
export interface GenerateOptions {
  /** Ids to begin after; at least one. They are not part of the answer. */
  readonly prompt: ArrayLike<number>;
  /** How many ids to write. */
  readonly length: number;
  /** Divides the scores: below 1 bolder, above 1 wilder, 0 always the most likely id. 1 by default. */
  readonly temperature?: number;
  /** Draw among the k most likely ids only. */
  readonly topK?: number;
  /** Draw among the fewest ids that have this probability together (nucleus sampling: Holtzman et al., 2019, arXiv 1904.09751). */
  readonly topP?: number;
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
  const { prompt, length, temperature = 1, topK, topP = 1, seed = 0 } = options;
  checkCount('generate', 'length', length, 0);
  checkNumber('generate', 'temperature', temperature, 0);
  checkNumber('generate', 'topP', topP, 0, 1);
  if (topK !== undefined) checkCount('generate', 'topK', topK);
  if (model.input.kind !== 'ids') throw new RangeError('generate: the model must take token ids, so that it can read what it writes.');
  checkSome('generate', 'prompt', prompt.length, 'id');
  const random = createRandom(seed);
  const running = stream(model);
  let scores: Float32Array = new Float32Array(0);
  for (let i = 0; i < prompt.length; i++) scores = advance(running, ids([prompt[i]!])).data;
  const written = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    const id = drawId(scores, random, { temperature, topK: topK ?? scores.length, topP });
    written[i] = id;
    if (i + 1 < length) scores = advance(running, ids([id])).data;
  }
  return written;
}

/** An id drawn by its score. */
function drawId(
  scores: Float32Array,
  random: Random,
  { temperature, topK, topP }: { readonly temperature: number; readonly topK: number; readonly topP: number },
): number {
  if (scores.some(Number.isNaN)) throw new RangeError("generate: the model's scores are not finite (NaN).");
  const order = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const best = scores[order[0]!]!;
  if (!Number.isFinite(best)) throw new RangeError(`generate: the model's scores are not finite (${best}).`);
  if (temperature === 0) return order[0]!;
  const weights = order.slice(0, topK).map((id) => Math.exp((scores[id]! - best) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let count = 0;
  let mass = 0;
  while (count < weights.length && (count === 0 || mass < topP * total)) mass += weights[count++]!;
  let place = uniformNumber(random) * mass;
  for (let i = 0; i < count; i++) {
    place -= weights[i]!;
    if (place < 0) return order[i]!;
  }
  return order[count - 1]!;
}
