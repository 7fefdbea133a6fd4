/** A model of sequences that writes one. */

import { createRandom, uniformNumber, type Random } from '../tensor/random';
import { checkCount, checkNumber, checkSome } from '../tensor/shape';
import { ids } from '../tensor/tensor';
import type { Sequential } from './sequential';
import { advance, stream } from './stream';

/** How an id is drawn from scores. */
export interface SampleIdOptions {
  /** Divides the scores: below 1 bolder, above 1 wilder, 0 always the most likely id. 1 by default. */
  readonly temperature?: number;
  /** Draw among the k most likely ids only. */
  readonly topK?: number;
  /** Draw among the fewest ids that have this probability together (nucleus sampling: Holtzman et al., 2019, arXiv 1904.09751). */
  readonly topP?: number;
}

/** What {@link generate} begins with, how much it writes, and how it draws. */
export interface GenerateOptions extends SampleIdOptions {
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
  const draw = drawer('generate', options);
  if (model.input.kind !== 'ids') throw new RangeError('generate: the model must take token ids, so that it can read what it writes.');
  checkSome('generate', 'prompt', prompt.length, 'id');
  const random = createRandom(seed);
  const running = stream(model);
  let scores: Float32Array = new Float32Array(0);
  for (let i = 0; i < prompt.length; i++) scores = advance(running, ids([prompt[i]!])).data;
  const written = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    const id = draw(scores, random);
    written[i] = id;
    if (i + 1 < length) scores = advance(running, ids([id])).data;
  }
  return written;
}

/**
 * An id drawn by its score, with probability softmax(scores / temperature): what {@link generate} does at every step, for models of any other form.
 *
 * @param scores `[V]`, as `advance` or `predict` answer them for one row; what has −∞ is not drawn
 * @param random moved on by one number; at temperature 0 not at all
 * @throws RangeError where there is no score, one is NaN or the largest is infinite, or an option is out of range
 * @example
 * sampleId([0.1, 3, -2], createRandom(1), { temperature: 0 }); // 1
 * sampleId([0, 0, -1e9], createRandom(1)) < 2; // true
 */
export function sampleId(scores: ArrayLike<number>, random: Random, options: SampleIdOptions = {}): number {
  checkSome('sampleId', 'scores', scores.length, 'score');
  return drawer('sampleId', options)(scores, random);
}

/** Checks how to draw, once for many draws. */
function drawer(where: string, { temperature = 1, topK = Infinity, topP = 1 }: SampleIdOptions): (scores: ArrayLike<number>, random: Random) => number {
  checkNumber(where, 'temperature', temperature, 0);
  checkNumber(where, 'topP', topP, 0, 1);
  if (topK !== Infinity) checkCount(where, 'topK', topK);
  return (scores, random) => {
    const order = Array.from(scores, (_, id) => id).sort((a, b) => scores[b]! - scores[a]! || a - b);
    const best = scores[order[0]!]!;
    const wrong = Number.isFinite(best) ? order.findIndex((id) => Number.isNaN(scores[id])) : 0;
    if (wrong >= 0) throw new RangeError(`${where}: the scores are not finite (${scores[order[wrong]!]}).`);
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
  };
}
