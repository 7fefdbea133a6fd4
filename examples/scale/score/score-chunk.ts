/** Scores the lines of one chunk: the job of a worker. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createPredictor, encode, load, type Predictor, padSequences, type Vocabulary } from 'bptt';
import { readLines } from './chunks';

/** The lines to score, and the model. It determines the result to the last bit. */
export interface ChunkJob {
  readonly kind: 'chunk';
  readonly path: string;
  readonly from: number;
  readonly to: number;
  readonly model: ModelVersion;
}

/** A file written by `save`, with its vocabulary in the extras. */
export interface ModelVersion {
  readonly path: string;
  /** The SHA-256 of the file, so that no worker uses another version of the model. */
  readonly hash: string;
}

/** A model that is ready to score texts. */
interface Scorer {
  readonly predictor: Predictor;
  readonly vocabulary: Vocabulary;
}

export const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/**
 * Loads a model.
 *
 * @throws RangeError if the file has no vocabulary, or the model does not return one value per text
 */
export function scorerOf(path: string, file: Uint8Array): Scorer {
  const { model, extras } = load(file);
  const vocabulary = extras['vocabulary'];
  if (vocabulary === undefined)
    throw new RangeError(`${path} must have a vocabulary in its extras, as trainScorer stores it, got none.`);
  const predictor = createPredictor(model);
  const { shape } = predictor.predict({ shape: [1, 1], data: Int32Array.of(0) });
  if (shape.join() !== '1,1')
    throw new RangeError(`${path} must return one value per text, shape [1, 1], got [${shape.join(', ')}].`);
  // `encode` checks it.
  return { predictor, vocabulary: vocabulary as Vocabulary };
}

/** Returns a function that loads a model, and keeps the last one. */
export function modelCache(): (version: ModelVersion) => Promise<Scorer> {
  let loaded: { readonly hash: string; readonly scorer: Scorer } | undefined;
  return async ({ path, hash }) => {
    if (loaded?.hash === hash) return loaded.scorer;
    const file = await readFile(path);
    if (hashOf(file) !== hash)
      throw new RangeError(`${path} must have the SHA-256 ${hash}, got ${hashOf(file)}. Was it replaced?`);
    loaded = { hash, scorer: scorerOf(path, file) };
    return loaded.scorer;
  };
}

/** The number of rows of a batch. */
const batchSize = 128;

/**
 * Scores every line `{"text": …}` as `{"probability": …}`, or `{"error": …}` if it is not such a line. Batches are of
 * similar length. Neither the batch nor the padding changes a bit of a result.
 */
export async function scoreChunk(job: ChunkJob, modelOf: ReturnType<typeof modelCache>): Promise<Uint8Array> {
  const { predictor, vocabulary } = await modelOf(job.model);
  const lines = await readLines(job);
  const results = new Array<string>(lines.length);
  const rows: { readonly line: number; readonly ids: Int32Array }[] = [];
  lines.forEach((text, line) => {
    const ids = idsOf(text, vocabulary);
    if (typeof ids === 'string') results[line] = JSON.stringify({ error: ids });
    else rows.push({ line, ids });
  });
  rows.sort((a, b) => a.ids.length - b.ids.length);
  for (let start = 0; start < rows.length; start += batchSize) {
    const batch = rows.slice(start, start + batchSize);
    const { inputs, lengths } = padSequences(batch.map(({ ids }) => ids));
    const { data } = predictor.predict(inputs, { lengths });
    batch.forEach(({ line }, row) => {
      results[line] = JSON.stringify({ probability: 1 / (1 + Math.exp(-data[row]!)) });
    });
  }
  return new TextEncoder().encode(`${results.join('\n')}\n`);
}

/** The token ids of a line, or why it has none. */
function idsOf(line: string, vocabulary: Vocabulary): Int32Array | string {
  try {
    const { text } = JSON.parse(line) as { text?: unknown };
    if (typeof text !== 'string') return 'text must be a string';
    const ids = encode(vocabulary, text);
    return ids.length > 0 ? ids : 'text has no tokens';
  } catch (error) {
    return (error as Error).message;
  }
}
