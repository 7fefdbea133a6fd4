/** Greedy search and beam search for the most likely output of an encoder-decoder. */

import type { AttentionMemory } from '../attention/memory';
import { gather } from '../autodiff/ops/movement';
import { logSoftmax } from '../autodiff/ops/reductions';
import { mapVariables, stepInPlace, type VariableTree } from '../autodiff/recompute';
import { toTensor } from '../autodiff/tape';
import { compute } from '../autodiff/value-and-gradient';
import type { Padded } from '../data/unequal-lengths';
import { lastOf } from '../tensor/arrays';
import type { Complete } from '../tensor/complete';
import { withCaller } from '../tensor/error-context';
import { checkCount, checkKind, checkNames, checkNumber, outOfRange } from '../tensor/shape';
import { checkEither, type IntTensor, type Tensor } from '../tensor/tensor';
import { decodeStep } from './decoder';
import { type EncoderDecoder, type EncoderDecoderVariables, encodeSource } from './encoder-decoder';

/** The options of {@link greedySearch}. */
export interface SearchOptions {
  /** The maximum number of generated ids, including the end token; 100 by default. */
  readonly maxLength?: number | undefined;
}

/** The options of {@link beamSearch}. */
export interface BeamOptions extends SearchOptions {
  /** The number of hypotheses that are extended in parallel; 4 by default. */
  readonly beamSize?: number | undefined;
  /**
   * α: the score is the log probability divided by ((5 + length) / 6)^α (Wu et al., 2016, arXiv 1609.08144). 0.6 by
   * default; 0 disables the penalty.
   */
  readonly lengthPenalty?: number | undefined;
  /** The number of hypotheses to return for each source, at most `beamSize`; 1 by default. */
  readonly count?: number | undefined;
}

/** A generated sequence with its probability. */
export interface Hypothesis {
  /** The token ids, without the end token. */
  readonly ids: Int32Array;
  /** Whether the sequence reached the end token before `maxLength`. */
  readonly ended: boolean;
  /** The natural logarithm of the probability of the sequence. */
  readonly logProbability: number;
  /** The log probability with the length penalty, by which hypotheses are ranked. */
  readonly score: number;
  /**
   * `[length, S]`, the attention weights of every generated id, including the end token, over the steps of the source;
   * undefined without attention.
   */
  readonly weights: Tensor | undefined;
}

/** A hypothesis as a linked list from its last id to its first. */
interface Node {
  readonly id: number;
  readonly length: number;
  readonly logProbability: number;
  /** `[S]` */
  readonly weights: Float32Array | undefined;
  readonly previous: Node | undefined;
}

/**
 * Generates a sequence for each source by choosing the most likely id at every step.
 *
 * @param source ids `[S, B]`, or vectors `[S, B, I]`, with lengths, as returned by {@link padSequences}
 * @returns one hypothesis per row of the source
 * @throws RangeError if an option is out of range, or the model's logits are NaN
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
  options: SearchOptions = {},
): readonly Hypothesis[] {
  checkNames('greedySearch', 'options', options, ['maxLength']);
  const { maxLength = 100 } = options;
  const greedy = { maxLength, beamSize: 1, lengthPenalty: 0, count: 1 };
  return withCaller('greedySearch', () => search(model, source, greedy)).map(([best]) => best!);
}

/**
 * Generates sequences for each source by beam search: extends the `beamSize` most likely hypotheses at every step.
 * Ended hypotheses are preferred to those cut off at `maxLength`.
 *
 * @param source as for {@link greedySearch}
 * @returns `count` hypotheses per row of the source, the best first; fewer if there are fewer sequences of up to
 * `maxLength` ids
 * @throws RangeError if an option is out of range, or the model's logits are NaN
 * @example
 * const model = encoderDecoder({
 *   encoder: [embedding({ vocabularySize: 5, size: 4 }), recurrent(lstm(), { hiddenSize: 4 })],
 *   decoder: { vocabularySize: 5, embeddingSize: 4, cell: lstm(), hiddenSize: 4 }, start: 0, end: 1,
 * });
 * const [best] = beamSearch(model, padSequences([Int32Array.of(2, 3)]), { beamSize: 3, count: 2, maxLength: 6 });
 * best![0]!.score >= best![1]!.score; // true
 */
export function beamSearch(
  model: EncoderDecoder,
  source: Padded,
  options: BeamOptions = {},
): readonly (readonly Hypothesis[])[] {
  checkNames('beamSearch', 'options', options, ['beamSize', 'lengthPenalty', 'count', 'maxLength']);
  const { maxLength = 100, beamSize = 4, lengthPenalty = 0.6, count = 1 } = options;
  return withCaller('beamSearch', () => search(model, source, { maxLength, beamSize, lengthPenalty, count }));
}

function search(
  model: EncoderDecoder,
  source: Padded,
  options: Complete<BeamOptions>,
): readonly (readonly Hypothesis[])[] {
  checkKind('search', 'model', model, 'a model, as encoderDecoder returns', 'decoder');
  checkNames('search', 'source', source, ['inputs', 'lengths']);
  const { inputs, lengths } = source;
  checkEither('search', 'inputs', inputs);
  const { maxLength, beamSize, lengthPenalty, count } = options;
  checkCount('search', 'maxLength', maxLength);
  checkCount('search', 'beamSize', beamSize);
  checkNumber('search', 'lengthPenalty', lengthPenalty, 0);
  checkCount('search', 'count', count);
  if (count > beamSize) throw outOfRange('search', 'count', `at most beamSize = ${beamSize}`, count);
  const penalized = ({ logProbability, length }: Node): number => logProbability / ((5 + length) / 6) ** lengthPenalty;
  const sources = inputs.shape[1]!;
  const root: Node = { id: model.start, length: 0, logProbability: 0, weights: undefined, previous: undefined };
  const beams = Array.from({ length: sources }, () => ({ active: [root], ended: [] as Node[], done: false }));

  compute(model.parameters, (variables: EncoderDecoderVariables) => {
    const copies = rowIndices(beams.flatMap((_, source) => new Array<number>(beamSize).fill(source)));
    const encoded = encodeSource(model, variables, inputs, lengths);
    const attentionMemory = encoded.memory && takeMemory(encoded.memory, copies);
    const current = pickRows(encoded.state, copies);
    for (let length = 1; length <= maxLength && beams.some(({ done }) => !done); length++) {
      // Every source has beamSize rows. The rows past the active hypotheses of a beam are computed but not read.
      const last = rowIndices(
        beams.flatMap(({ active }) => Array.from({ length: beamSize }, (_, k) => active[k]?.id ?? model.end)),
      );
      stepInPlace(current, { p: variables.decoder, memory: attentionMemory }, (state, { p, memory }) => {
        const run = decodeStep(model.decoder, p, last, state, memory, undefined);
        const logProbabilities = toTensor(logSoftmax(run.logits));
        const weights = run.weights && toTensor(run.weights);
        const rows = beams.flatMap((beam, source) => {
          const firstRow = source * beamSize;
          if (beam.done) return new Array<number>(beamSize).fill(firstRow);
          const candidates = extend(beam.active, logProbabilities, weights, firstRow, beamSize);
          const active = candidates.filter(({ node }) => node.id !== model.end).slice(0, beamSize);
          const ended = candidates.slice(0, beamSize).filter(({ node }) => node.id === model.end);
          beam.ended.push(...ended.map(({ node }) => node));
          beam.ended.sort((a, b) => penalized(b) - penalized(a)).splice(beamSize);
          beam.active = active.map(({ node }) => node);
          // Log probabilities only decrease, so no extension scores better than the node does at the maximum length.
          const bound = Math.max(-Infinity, ...beam.active.map((node) => penalized({ ...node, length: maxLength })));
          beam.done =
            beam.active.length === 0 || (beam.ended.length === beamSize && bound <= penalized(lastOf(beam.ended)!));
          return Array.from({ length: beamSize }, (_, k) => firstRow + (active[k]?.parent ?? 0));
        });
        return pickRows(run.state, rowIndices(rows));
      });
    }
    return [];
  });

  const S = inputs.shape[0]!;
  return beams.map(({ active, ended }) => {
    // The active hypotheses have one length, and the most likely one first.
    const nodes = [...ended, ...active];
    return nodes.slice(0, count).map((node) => hypothesisOf(node, penalized(node), model.end, S));
  });
}

/** Selects rows of the batch, possibly repeated: row r of the result is row `rows[r]` of the tree's variables. */
const pickRows = <T extends VariableTree>(tree: T, rows: IntTensor): T => mapVariables(tree, (x) => gather(x, rows));

function takeMemory({ parameters, ...rest }: AttentionMemory, rows: IntTensor): Fields<AttentionMemory> {
  return { parameters, ...pickRows(rest, rows) };
}

/** The fields of an interface as an anonymous type, which is assignable to a type with an index signature. */
type Fields<T> = { readonly [K in keyof T]: T[K] };

const rowIndices = (rows: readonly number[]): IntTensor => ({ shape: [rows.length], data: Int32Array.from(rows) });

/**
 * Returns the 2 · beamSize most likely extensions, best first, each with the index of the hypothesis it extends. At
 * most beamSize of them end, one per hypothesis, so that beamSize others remain.
 */
function extend(
  active: readonly Node[],
  logProbabilities: Tensor,
  attention: Tensor | undefined,
  firstRow: number,
  beamSize: number,
): readonly { readonly node: Node; readonly parent: number }[] {
  const V = logProbabilities.shape[1]!;
  const best: { parent: number; id: number; logProbability: number }[] = [];
  active.forEach((node, parent) => {
    for (let id = 0; id < V; id++) {
      const logProbability = node.logProbability + logProbabilities.data[(firstRow + parent) * V + id]!;
      if (Number.isNaN(logProbability))
        throw outOfRange('search', 'logits', 'numbers', NaN, "Are the model's parameters finite?");
      if (best.length === 2 * beamSize && !(logProbability > lastOf(best)!.logProbability)) continue;
      let index = best.length;
      while (index > 0 && logProbability > best[index - 1]!.logProbability) index--;
      best.splice(index, 0, { parent, id, logProbability });
      best.length = Math.min(best.length, 2 * beamSize);
    }
  });
  return best.map(({ parent, id, logProbability }) => {
    const previous = active[parent]!;
    const S = attention?.shape[1] ?? 0;
    const weights = attention?.data.slice((firstRow + parent) * S, (firstRow + parent + 1) * S);
    return { parent, node: { id, length: previous.length + 1, logProbability, weights, previous } };
  });
}

function hypothesisOf(last: Node, score: number, end: number, S: number): Hypothesis {
  const steps: Node[] = [];
  for (let node: Node | undefined = last; node?.previous !== undefined; node = node.previous) steps.unshift(node);
  const ended = last.id === end;
  const weights = steps[0]?.weights === undefined ? undefined : new Float32Array(steps.length * S);
  if (weights !== undefined) steps.forEach((step, i) => weights.set(step.weights!, i * S));
  return {
    ids: Int32Array.from(ended ? steps.slice(0, -1) : steps, ({ id }) => id),
    ended,
    logProbability: last.logProbability,
    score,
    weights: weights && { shape: [steps.length, S], data: weights },
  };
}
