/** Autoregressive generation with a sequence model. */

import { residents } from '../kernels/resident';
import { localWorkspace } from '../kernels/workspace';
import { withCaller } from '../tensor/error-context';
import { seeded } from '../tensor/random';
import { type SamplingOptions, sampler } from '../tensor/sampling';
import { checkCount, checkIds, checkNames, checkSome, lengthOf, outOfRange } from '../tensor/shape';
import { checkModel, type Sequential } from './sequential';
import { advance, stream } from './stream';

/** The options of {@link generate}. */
export interface GenerateOptions extends SamplingOptions {
  /** The token ids to continue, at least one. They are not part of the result. */
  readonly prompt: ArrayLike<number>;
  /** The number of token ids to generate. */
  readonly length: number;
  /** The seed of sampling; 0 by default. */
  readonly seed?: number | undefined;
}

/**
 * Continues a sequence of token ids: samples each id from the logits of the model and feeds it back as the next input.
 *
 * @param model maps ids `[T, B]` to logits `[T, B, V]` of the next id
 * @returns `length` ids
 * @throws RangeError if the model does not accept ids, a layer is not causal, the prompt is empty or contains an id
 * outside [0, V), a logit is NaN, or an option is out of range
 * @example
 * const layers = [embedding({ vocabularySize: 5, size: 4 }), recurrent(gru(), { hiddenSize: 8 }), dense({ size: 5 })];
 * generate(sequential(layers), { prompt: [0], length: 3, temperature: 0 }).length; // 3
 */
export function generate(model: Sequential, options: GenerateOptions): Int32Array {
  checkNames('generate', 'options', options, ['prompt', 'length', 'temperature', 'topK', 'topP', 'seed']);
  const { prompt, length, seed = 0 } = options;
  checkCount('generate', 'length', length, 0);
  const sample = sampler('generate', options);
  checkModel('generate', model);
  if (model.input.kind !== 'ids') throw outOfRange('generate', 'model', 'a model of token ids', 'one of vectors');
  checkSome('generate', 'prompt', lengthOf('generate', 'prompt', prompt), 'id');
  checkIds('generate', 'prompt', prompt, 2 ** 31);
  const random = seeded('generate', seed);
  return withCaller('generate', () => {
    const earlier = residents.get(model.parameters);
    const free = earlier?.free;
    const { top, base } = localWorkspace();
    const running = stream(model);
    // No other stream uses new weights. Inside of a computation, their memory includes its stack and must not be freed.
    const resident = residents.get(model.parameters)!;
    resident.free = resident === earlier ? free : top === base;
    const logitsAfter = (id: number): Float32Array => advance(running, { shape: [1], data: Int32Array.of(id) }).data;
    let logits!: Float32Array;
    for (let i = 0; i < prompt.length; i++) logits = logitsAfter(prompt[i]!);
    const generated = new Int32Array(length);
    for (let i = 0; i < length; i++) {
      generated[i] = sample(logits, random);
      if (i + 1 < length) logits = logitsAfter(generated[i]!);
    }
    return generated;
  });
}
