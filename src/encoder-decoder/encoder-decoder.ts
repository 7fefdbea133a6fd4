/** From one sequence to another: an encoder reads the first, a decoder writes the second. */

import type { AttentionMemory } from '../attention/memory';
import { concat, reshape } from '../autodiff/ops/movement';
import { operand, toTensor, type Variable } from '../autodiff/tape';
import { compute } from '../autodiff/value-and-gradient';
import type { PairBatch } from '../data/pairs';
import { chain, chainParameters, type NamedLayer, runChain } from '../layers/chain';
import {
  type Features,
  inferenceContext,
  type Layer,
  type LayerContext,
  type LayerParameters,
  type LayerState,
} from '../layers/layer';
import type { Fill } from '../models/sequential';
import type { Origin } from '../tensor/origin';
import { initializeParameters } from '../tensor/parameter-spec';
import { createRandom, type Random, uniformNumber } from '../tensor/random';
import { checkCount, checkIds, checkNumber, checkSome, formatShape } from '../tensor/shape';
import { full, type IntTensor, intTensor, isIntTensor, type Tensor } from '../tensor/tensor';
import { flattenTree } from '../tensor/tree';
import { crossEntropy } from '../training/losses';
import type { CustomModel, TrainingContext } from '../training/custom-model';
import {
  checkDecoder,
  type DecoderOptions,
  type DecoderParameters,
  type DecoderState,
  type DecoderVariables,
  decodeAll,
  decoderParameters,
  decodeStep,
  firstState,
  memoryOf,
} from './decoder';

/** What {@link encoderDecoder} is made of. */
export interface EncoderDecoderOptions {
  /** Layers that read the source: an embedding first, if it is ids, and recurrent layers of any direction. */
  readonly encoder: readonly Layer[];
  /** I, where the first layer takes vectors. */
  readonly inputSize?: number;
  readonly decoder: DecoderOptions;
  /** The id that goes into the decoder first. */
  readonly start: number;
  /** The id at which a target ends. */
  readonly end: number;
  /**
   * The probability that, in training, what the decoder drew at a step goes into the next instead of what should have come: a number, or a
   * function of the update (scheduled sampling: Bengio, Vinyals, Jaitly and Shazeer, 2015, arXiv 1506.03099). 0 by default: teacher forcing.
   */
  readonly scheduledSampling?: number | ((step: number) => number);
  /** Of the generator that initializes the parameters. */
  readonly seed?: number;
}

/** The parameters of an encoder-decoder. */
export interface EncoderDecoderParameters {
  readonly encoder: Readonly<Record<string, LayerParameters>>;
  readonly decoder: DecoderParameters;
  readonly [name: string]: Readonly<Record<string, LayerParameters>> | DecoderParameters;
}

/** An encoder and a decoder with their parameters: {@link fit} trains it on batches of pairs, {@link beamSearch} writes with it. */
export interface EncoderDecoder extends CustomModel<EncoderDecoderParameters, PairBatch> {
  readonly encoder: readonly NamedLayer[];
  /** How to make it again. */
  readonly origin: Origin;
  readonly decoder: DecoderOptions;
  readonly start: number;
  readonly end: number;
}

/** Its parameters as variables. */
export interface EncoderDecoderVariables {
  readonly encoder: Readonly<Record<string, Readonly<Record<string, Variable>>>>;
  readonly decoder: DecoderVariables;
}

/**
 * Builds an encoder-decoder (Sutskever, Vinyals and Le, 2014, arXiv 1409.3215; with attention, Bahdanau, Cho and Bengio, 2014, arXiv 1409.0473, in
 * the form of Luong, Pham and Manning, 2015, arXiv 1508.04025) and initializes its parameters.
 *
 *     states [S, B, M], last = encoder(source)                   lengths of the source respected
 *     s_0   = last, through tanh(affine) where sizes differ      both directions side by side
 *     h_t, s_t = cell(embed(y_{t−1}), s_{t−1})                   with input feeding: [embed(y_{t−1}); o_{t−1}]
 *     o_t   = tanh([attend(states, h_t); h_t] W + b)             without attention: h_t
 *     y_t  ~ softmax(o_t V + b)
 *
 * Without input feeding and scheduled sampling all steps of the decoder are run at once in training. The loss is the mean cross-entropy over
 * the valid steps of the targets, their end mark among them.
 *
 * @throws RangeError where sizes, rates or marks are out of range, the encoder does not give a vector a step, or has no recurrent layer
 * @example
 * const model = encoderDecoder({
 *   encoder: [embedding({ vocabularySize: 6, size: 8 }), bidirectional(gru(), { hiddenSize: 8 })],
 *   decoder: { vocabularySize: 6, embeddingSize: 8, cell: gru(), hiddenSize: 16, attention: generalScore() },
 *   start: 0, end: 1, seed: 3,
 * });
 * const pairs = [[2, 3, 4], [5, 2], [4, 4, 5, 3]].map((word) => ({ input: Int32Array.from(word), target: Int32Array.from([...word.reverse(), 1]) }));
 * await fit(model, pairBatches(pairs, { batchSize: 3 }), { optimizer: adam(0.02), steps: 100 });
 * greedySearch(model, padSequences([Int32Array.of(5, 2)]))[0].ids; // Int32Array [2, 5]
 */
export function encoderDecoder({ seed = 0, ...options }: EncoderDecoderOptions): EncoderDecoder {
  const random = createRandom(seed);
  return buildEncoderDecoder(options, (plan) => initializeParameters(plan, random));
}

/** Builds an encoder-decoder with parameters from somewhere. @throws as {@link encoderDecoder} */
export function buildEncoderDecoder(options: EncoderDecoderOptions, fill: Fill): EncoderDecoder {
  const { encoder: layers, inputSize, decoder, start, end, scheduledSampling = 0 } = options;
  checkSome('encoderDecoder', 'encoder', layers.length, 'layer');
  if (inputSize !== undefined) checkCount('encoderDecoder', 'inputSize', inputSize);
  checkDecoder(decoder);
  checkIds('encoderDecoder', 'start and end', [start, end], decoder.vocabularySize);
  const encoder = chain(
    layers,
    inputSize === undefined ? { kind: 'ids' } : { kind: 'vectors', size: inputSize, perStep: true },
  );
  const own = fill(chainParameters(encoder), 'encoder');
  const { stateSize, summary } = probe(encoder, own);
  const { tree, data } = flattenTree({
    encoder: own,
    decoder: fill(decoderParameters(decoder, stateSize, summary), 'decoder') as DecoderParameters,
  });
  const model: Omit<EncoderDecoder, 'loss'> = {
    encoder,
    origin: ['encoderDecoder', options],
    decoder,
    start,
    end,
    parameters: tree as EncoderDecoderParameters,
    data,
  };
  const loss = (p: unknown, batch: PairBatch, context: TrainingContext): Variable => {
    const probability = typeof scheduledSampling === 'function' ? scheduledSampling(context.step) : scheduledSampling;
    checkNumber('encoderDecoder', 'scheduledSampling', probability, 0, 1);
    return lossOf(model, p as EncoderDecoderVariables, batch, context, context.training ? probability : 0);
  };
  return { ...model, loss };
}

/** How many numbers the encoder gives a step, and what its last state holds, seen by running it over one step. */
function probe(
  encoder: readonly NamedLayer[],
  parameters: Readonly<Record<string, LayerParameters>>,
): { readonly stateSize: number; readonly summary: Readonly<Record<string, number>> } {
  const { output, input } = { output: encoder.at(-1)!.output, input: encoder[0]!.input };
  if (output.kind !== 'vectors' || !output.perStep)
    throw new RangeError(
      'encoderDecoder: the encoder must give a vector a step; its last layer must return sequences.',
    );
  const found = compute(parameters, (p) => encode(encoder, p, oneStep(input), undefined, inferenceContext()).summary);
  return {
    stateSize: output.size,
    summary: Object.fromEntries(Object.entries(found).map(([name, { shape }]) => [name, shape[1]!])),
  };
}

const oneStep = (input: Features): Tensor | IntTensor =>
  input.kind === 'ids' ? intTensor([[0]]) : full([1, 1, input.size], 0);

/** The encoder's states, and its last state by name, both directions side by side. */
function encode(
  encoder: readonly NamedLayer[],
  p: EncoderDecoderVariables['encoder'],
  source: Tensor | IntTensor,
  lengths: Int32Array | undefined,
  context: Omit<LayerContext, 'state' | 'lengths' | 'resets'>,
): { readonly states: Variable; readonly summary: Readonly<Record<string, Variable>> } {
  const x = isIntTensor(source) ? source : operand('encoderDecoder', source, 'inputs');
  const { outputs, state } = runChain(encoder, p, x, { ...context, lengths, resets: undefined });
  const last: LayerState<Variable> | undefined = Object.values(state).at(-1);
  if (last === undefined)
    throw new RangeError(
      'encoderDecoder: the encoder must have a recurrent layer, whose last state begins the decoder.',
    );
  const parts: Record<string, Variable[]> = {};
  for (const [name, part] of Object.entries(last)) (parts[name.slice(name.lastIndexOf('.') + 1)] ??= []).push(part);
  return {
    states: outputs.at(-1)!,
    summary: Object.fromEntries(Object.entries(parts).map(([name, each]) => [name, concat(each, 1)])),
  };
}

/** A source that is read: what a decoder begins with, and looks at. */
export interface Encoded {
  readonly state: DecoderState;
  readonly memory: AttentionMemory | undefined;
}

/** Reads sources. */
export function encodeSource(
  { encoder, decoder }: Pick<EncoderDecoder, 'encoder' | 'decoder'>,
  p: EncoderDecoderVariables,
  source: Tensor | IntTensor,
  lengths: Int32Array | undefined,
  context: Omit<LayerContext, 'state' | 'lengths' | 'resets'> = inferenceContext(),
): Encoded {
  const { states, summary } = encode(encoder, p.encoder, source, lengths, context);
  return {
    state: firstState(decoder, p.decoder, summary, states.shape[1]!),
    memory: memoryOf(decoder, p.decoder, states, lengths),
  };
}

function lossOf(
  model: Omit<EncoderDecoder, 'loss'>,
  p: EncoderDecoderVariables,
  batch: PairBatch,
  { training, random }: TrainingContext,
  sampling: number,
): Variable {
  const { inputs, lengths, targets, targetLengths } = batch;
  if (targets.shape.length !== 2 || inputs.shape[1] !== targets.shape[1]) {
    throw new RangeError(
      `encoderDecoder: targets must be [T, B] = [*, ${inputs.shape[1]}], got ${formatShape(targets.shape)}.`,
    );
  }
  const { state, memory } = encodeSource(model, p, inputs, lengths, { training, random, sequenceRandom: random });
  const drops = training ? random : undefined;
  const logits =
    model.decoder.inputFeeding || sampling > 0
      ? decodeSteps(model, p.decoder, targets, state, memory, random, sampling, drops)
      : decodeAll(model.decoder, p.decoder, shifted(targets, model.start), state, memory, targetLengths, drops).logits;
  return crossEntropy(logits, targets, { lengths: targetLengths });
}

/** What goes in to get the targets out: each one step later, the start mark first. */
function shifted({ shape, data }: IntTensor, start: number): IntTensor {
  const B = shape[1]!;
  const later = new Int32Array(data.length).fill(start, 0, B);
  later.set(data.subarray(0, data.length - B), B);
  return { shape, data: later };
}

/** Step by step, with what was drawn in the place of some targets. */
function decodeSteps(
  { decoder, start }: Omit<EncoderDecoder, 'loss'>,
  p: DecoderVariables,
  targets: IntTensor,
  first: DecoderState,
  memory: AttentionMemory | undefined,
  random: Random,
  sampling: number,
  drops: Random | undefined,
): Variable {
  const [T, B] = targets.shape as [number, number];
  const steps: Variable[] = [];
  let state = first;
  for (let t = 0; t < T; t++) {
    const data = t === 0 ? new Int32Array(B).fill(start) : targets.data.slice((t - 1) * B, t * B);
    if (t > 0 && sampling > 0) replaceSome(data, toTensor(steps.at(-1)!), random, sampling);
    const run = decodeStep(decoder, p, { shape: [B], data }, state, memory, drops);
    steps.push(run.logits);
    state = run.state;
  }
  return reshape(concat(steps), [T, B, decoder.vocabularySize]);
}

/** Puts draws from logits `[B, V]` in the place of ids, each with the given probability. */
function replaceSome(chosen: Int32Array, { shape, data }: Tensor, random: Random, probability: number): void {
  const V = shape[1]!;
  chosen.forEach((_, row) => {
    if (uniformNumber(random) >= probability) return;
    // The largest of logits with Gumbel noise is a draw from their softmax (Gumbel, 1954).
    let best = -Infinity;
    for (let id = 0; id < V; id++) {
      const value = data[row * V + id]! - Math.log(-Math.log(uniformNumber(random) + 1e-12) + 1e-12);
      if (value > best) {
        best = value;
        chosen[row] = id;
      }
    }
  });
}
