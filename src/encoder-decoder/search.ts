/** Writing with an encoder-decoder: the most likely sequence, as far as a search finds it. */

import type { AttentionMemory } from '../attention/memory';
import { logSoftmax } from '../autodiff/ops/reductions';
import { stepInPlace, type VariableTree } from '../autodiff/recompute';
import { toTensor } from '../autodiff/tape';
import { compute } from '../autodiff/value-and-gradient';
import type { Padded } from '../data/unequal-lengths';
import { checkCount, checkNumber } from '../tensor/shape';
import type { IntTensor, Tensor } from '../tensor/tensor';
import { type DecoderState, decodeStep, takeMemory, takeStates } from './decoder';
import { type EncoderDecoder, type EncoderDecoderVariables, encodeSource } from './encoder-decoder';

/** How far {@link greedySearch} goes. */
export interface SearchOptions {
  /** The most ids that are written, the end mark among them. 100 by default. */
  readonly maxLength?: number;
}

/** How {@link beamSearch} goes. */
export interface BeamOptions extends SearchOptions {
  /** How many sequences are followed side by side. 4 by default. */
  readonly beamSize?: number;
  /** α: the logarithm of the probability is divided by ((5 + length) / 6)^α (Wu et al., 2016, arXiv 1609.08144). 0.6 by default, 0 for none. */
  readonly lengthPenalty?: number;
  /** How many sequences come back for each source; 1 by default, at most `beamSize`. */
  readonly count?: number;
}

/** A sequence that was written. */
export interface Hypothesis {
  /** Without the end mark. */
  readonly ids: Int32Array;
  /** Whether it came to its end mark. */
  readonly ended: boolean;
  readonly logProbability: number;
  /** The logarithm of the probability under the length penalty. */
  readonly score: number;
  /** With attention: for every id, the end mark among them, how far each step of the source was looked at, `[length, S]`. */
  readonly weights: Tensor | undefined;
}

/** A sequence on its way: its last id, and the rest by the one it came of. */
interface Path {
  readonly id: number;
  readonly length: number;
  readonly logProbability: number;
  readonly weights: Float32Array | undefined;
  readonly before: Path | undefined;
}

/**
 * Writes the most likely id at every step.
 *
 * @param source ids `[S, B]`, or vectors `[S, B, I]`, with lengths, as {@link padSequences} gives them
 * @returns for each row of the source what was written
 * @throws RangeError where an option is out of range, or the model's scores are not finite
 * @example
 * const model = encoderDecoder({
 *   encoder: [embedding({ vocabularySize: 5, size: 4 }), recurrent(lstm(), { hiddenSize: 4 })],
 *   decoder: { vocabularySize: 5, embeddingSize: 4, cell: lstm(), hiddenSize: 4 }, start: 0, end: 1,
 * });
 * greedySearch(model, padSequences([Int32Array.of(2, 3), Int32Array.of(4)]), { maxLength: 6 }).length; // 2
 */
export function greedySearch(
  model: EncoderDecoder,
  source: Padded,
  { maxLength = 100 }: SearchOptions = {},
): readonly Hypothesis[] {
  return search('greedySearch', model, source, { maxLength, beamSize: 1, lengthPenalty: 0, count: 1 }).map(
    ([best]) => best!,
  );
}

/**
 * Follows the most likely beginnings side by side, and answers the best sequences that came to their end.
 *
 * @param source as in {@link greedySearch}
 * @returns for each row of the source `count` sequences, the best first
 * @throws RangeError where an option is out of range, or the model's scores are not finite
 * @example
 * const model = encoderDecoder({
 *   encoder: [embedding({ vocabularySize: 5, size: 4 }), recurrent(lstm(), { hiddenSize: 4 })],
 *   decoder: { vocabularySize: 5, embeddingSize: 4, cell: lstm(), hiddenSize: 4 }, start: 0, end: 1,
 * });
 * const [written] = beamSearch(model, padSequences([Int32Array.of(2, 3)]), { beamSize: 3, count: 2, maxLength: 6 });
 * written[0].score >= written[1].score; // true
 */
export function beamSearch(
  model: EncoderDecoder,
  source: Padded,
  options: BeamOptions = {},
): readonly (readonly Hypothesis[])[] {
  const { maxLength = 100, beamSize = 4, lengthPenalty = 0.6, count = 1 } = options;
  return search('beamSearch', model, source, { maxLength, beamSize, lengthPenalty, count });
}

function search(
  where: string,
  model: EncoderDecoder,
  { inputs, lengths }: Padded,
  options: Required<BeamOptions>,
): readonly (readonly Hypothesis[])[] {
  const { maxLength, beamSize, lengthPenalty, count } = options;
  checkCount(where, 'maxLength', maxLength);
  checkCount(where, 'beamSize', beamSize);
  checkNumber(where, 'lengthPenalty', lengthPenalty, 0);
  checkCount(where, 'count', count);
  if (count > beamSize) throw new RangeError(`${where}: count must be at most beamSize = ${beamSize}, got ${count}.`);
  const penalized = ({ logProbability, length }: Path): number => logProbability / ((5 + length) / 6) ** lengthPenalty;
  const sources = inputs.shape[1]!;
  const root: Path = { id: model.start, length: 0, logProbability: 0, weights: undefined, before: undefined };
  const beams = Array.from({ length: sources }, () => ({ alive: [root], ended: [] as Path[], done: false }));

  compute(model.parameters as never, (p: EncoderDecoderVariables) => {
    const copies = idsOf(beams.flatMap((_, source) => new Array<number>(beamSize).fill(source)));
    const first = encodeSource(model, p, inputs, lengths);
    const memory = first.memory && takeMemory(first.memory, copies);
    const state = takeStates(first.state, copies);
    for (let length = 1; length <= maxLength && beams.some(({ done }) => !done); length++) {
      // A beam of fewer paths has rows that nobody asks for.
      const last = idsOf(
        beams.flatMap(({ alive }) => Array.from({ length: beamSize }, (_, k) => alive[k]?.id ?? model.end)),
      );
      stepInPlace(state as unknown as VariableTree, { p, memory } as unknown as VariableTree, (now, given) => {
        const own = given as unknown as { p: EncoderDecoderVariables; memory: AttentionMemory | undefined };
        const run = decodeStep(
          model.decoder,
          own.p.decoder,
          last,
          now as unknown as DecoderState,
          own.memory,
          undefined,
        );
        const [likely, seen] = [toTensor(logSoftmax(run.logits)), run.weights && toTensor(run.weights)];
        const rows = beams.flatMap((beam, source) => {
          if (beam.done) return new Array<number>(beamSize).fill(source * beamSize);
          const ways = extend(where, beam.alive, likely, seen, source * beamSize, beamSize);
          const alive = ways.filter(({ path }) => path.id !== model.end).slice(0, beamSize);
          beam.ended.push(...ways.slice(0, beamSize).flatMap(({ path }) => (path.id === model.end ? [path] : [])));
          beam.ended.sort((a, b) => penalized(b) - penalized(a)).splice(beamSize);
          beam.alive = alive.map(({ path }) => path);
          // No path can become better than its own probability under the penalty of the longest.
          const hope = Math.max(-Infinity, ...beam.alive.map((path) => penalized({ ...path, length: maxLength })));
          beam.done =
            beam.alive.length === 0 || (beam.ended.length === beamSize && hope <= penalized(beam.ended.at(-1)!));
          return Array.from({ length: beamSize }, (_, k) => source * beamSize + (alive[k]?.parent ?? 0));
        });
        return takeStates(run.state, idsOf(rows)) as unknown as VariableTree;
      });
    }
    return [];
  });

  const S = inputs.shape[0]!;
  return beams.map(({ alive, ended }) => {
    const paths = ended.length < count ? [...ended, ...alive.sort((a, b) => penalized(b) - penalized(a))] : ended;
    return paths.slice(0, count).map((path) => written(path, penalized(path), model.end, S));
  });
}

const idsOf = (rows: readonly number[]): IntTensor => ({ shape: [rows.length], data: Int32Array.from(rows) });

/** The 2 · beamSize most likely ways to go on, so that enough are left when those that end are gone, and the places of what they go on from. */
function extend(
  where: string,
  alive: readonly Path[],
  likely: Tensor,
  seen: Tensor | undefined,
  firstRow: number,
  beamSize: number,
): readonly { readonly path: Path; readonly parent: number }[] {
  const V = likely.shape[1]!;
  const best: { parent: number; id: number; logProbability: number }[] = [];
  alive.forEach((path, parent) => {
    for (let id = 0; id < V; id++) {
      const logProbability = path.logProbability + likely.data[(firstRow + parent) * V + id]!;
      if (Number.isNaN(logProbability)) throw new RangeError(`${where}: the model's scores are not finite (NaN).`);
      if (best.length === 2 * beamSize && !(logProbability > best.at(-1)!.logProbability)) continue;
      let place = best.length;
      while (place > 0 && logProbability > best[place - 1]!.logProbability) place--;
      best.splice(place, 0, { parent, id, logProbability });
      best.length = Math.min(best.length, 2 * beamSize);
    }
  });
  return best.map(({ parent, id, logProbability }) => {
    const before = alive[parent]!;
    const S = seen?.shape[1] ?? 0;
    const weights = seen?.data.slice((firstRow + parent) * S, (firstRow + parent + 1) * S);
    return { parent, path: { id, length: before.length + 1, logProbability, weights, before } };
  });
}

function written(path: Path, score: number, end: number, S: number): Hypothesis {
  const steps: Path[] = [];
  for (let at: Path | undefined = path; at?.before !== undefined; at = at.before) steps.unshift(at);
  const ended = path.id === end && steps.length > 0;
  const weights = steps[0]?.weights === undefined ? undefined : new Float32Array(steps.length * S);
  if (weights !== undefined) steps.forEach((each, i) => weights.set(each.weights!, i * S));
  return {
    ids: Int32Array.from(ended ? steps.slice(0, -1) : steps, ({ id }) => id),
    ended,
    logProbability: path.logProbability,
    score,
    weights: weights && { shape: [steps.length, S], data: weights },
  };
}
