/** Encoder-decoder models, which map one sequence to another. */

import type { AttentionMemory } from '../attention/memory';
import { concat, reshape } from '../autodiff/ops/movement';
import { operand, toTensor, type Variable } from '../autodiff/tape';
import { compute } from '../autodiff/value-and-gradient';
import type { PairBatch } from '../data/pairs';
import { checkLayers, inputFeatures, type NamedLayer, planChain, runChain, stepsThrough } from '../layers/chain';
import {
  type Features,
  inferenceContext,
  type Layer,
  type LayerContext,
  type LayerParameters,
  type LayerState,
} from '../layers/layer';
import { lengthsOf } from '../models/output-lengths';
import type { Fill } from '../models/sequential';
import { lastOf } from '../tensor/arrays';
import { withCaller } from '../tensor/error-context';
import { mapValues } from '../tensor/named-values';
import type { Origin } from '../tensor/origin';
import { initializeParameters } from '../tensor/parameter-spec';
import { modelNotCloneable } from '../tensor/post-instead';
import { type Random, seeded, uniformNumber } from '../tensor/random';
import { checkIds, checkNames, checkNumber, checkShape } from '../tensor/shape';
import { checkEither, checkIntTensor, full, type IntTensor, isIntTensor, type Tensor } from '../tensor/tensor';
import { flattenTree } from '../tensor/tree';
import type { CustomModel, TrainingContext } from '../training/custom-model';
import { crossEntropy } from '../training/losses';
import {
  checkDecoder,
  type DecoderOptions,
  type DecoderParameters,
  type DecoderState,
  type DecoderVariables,
  decodeAll,
  decoderParameters,
  decodeStep,
  initialState,
  memoryOf,
} from './decoder';

/** The options of {@link encoderDecoder}. */
export interface EncoderDecoderOptions {
  /** The layers that encode the source: an embedding first, if the source is token ids, and recurrent layers. */
  readonly encoder: readonly Layer[];
  /** I, the size of the source vectors. Omit it if the source is token ids. */
  readonly inputSize?: number | undefined;
  readonly decoder: DecoderOptions;
  /** The special token id that is the decoder's first input. */
  readonly start: number;
  /** The special token id that ends every target. */
  readonly end: number;
  /**
   * The probability that, in training, an input of the decoder is sampled from its previous logits instead of taken
   * from the target: a number, or a function of the update (scheduled sampling: Bengio, Vinyals, Jaitly and Shazeer,
   * 2015, arXiv 1506.03099). 0 by default, which is teacher forcing.
   */
  readonly scheduledSampling?: number | ((step: number) => number) | undefined;
  /** The seed of the random initialization; 0 by default. */
  readonly seed?: number | undefined;
}

/** The parameters of an encoder-decoder. A type, since interfaces are not assignable to {@link TensorTree}. */
export type EncoderDecoderParameters = {
  readonly encoder: Readonly<Record<string, LayerParameters>>;
  readonly decoder: DecoderParameters;
};

/**
 * An encoder and a decoder with their parameters. Train it with {@link fit} on {@link pairBatches}, and generate with
 * {@link greedySearch} or {@link beamSearch}.
 */
export interface EncoderDecoder extends CustomModel<EncoderDecoderParameters, PairBatch> {
  readonly encoder: readonly NamedLayer[];
  /** The constructor function and its arguments, which {@link save} stores. */
  readonly origin: Origin;
  readonly decoder: DecoderOptions;
  readonly start: number;
  readonly end: number;
}

/** The parameters of an encoder-decoder as variables. */
export type EncoderDecoderVariables = {
  readonly encoder: Readonly<Record<string, Readonly<Record<string, Variable>>>>;
  readonly decoder: DecoderVariables;
};

/**
 * Creates an encoder-decoder and initializes its parameters (Sutskever, Vinyals and Le, 2014, arXiv 1409.3215; with
 * attention, Bahdanau, Cho and Bengio, 2014, arXiv 1409.0473, in the form of Luong, Pham and Manning, 2015, arXiv
 * 1508.04025).
 *
 *     states [S, B, M], final = encoder(source)                  respecting the lengths of the source
 *     s_0   = final, or tanh(affine(final)) if sizes differ      both directions concatenated
 *     h_t, s_t = cell(embed(y_{t−1}), s_{t−1})                   with input feeding: [embed(y_{t−1}); o_{t−1}]
 *     o_t   = tanh([attend(states, h_t); h_t] W + b)             without attention: h_t
 *     y_t  ~ softmax(o_t V + b)
 *
 * Training runs all steps of the decoder at once, except with input feeding or scheduled sampling. The loss is the mean
 * cross-entropy over the valid steps of the targets, including the end token.
 *
 * @throws RangeError if a size, a rate or a special token is out of range, or the encoder has no recurrent layer or
 * does not return a vector per step
 * @example
 * const model = encoderDecoder({
 *   encoder: [embedding({ vocabularySize: 6, size: 8 }), bidirectional(gru(), { hiddenSize: 8 })],
 *   decoder: { vocabularySize: 6, embeddingSize: 8, cell: gru(), hiddenSize: 16, attention: generalScore() },
 *   start: 0, end: 1, seed: 3,
 * });
 * const pairs = [[2, 3, 4], [5, 2], [4, 4, 5, 3]].map((ids) => (
 *   { input: Int32Array.from(ids), target: Int32Array.from([...ids.reverse(), 1]) }));
 * await fit(model, pairBatches(pairs, { batchSize: 3 }), { optimizer: adam(0.02), steps: 100 });
 * greedySearch(model, padSequences([Int32Array.of(5, 2)]))[0]!.ids; // Int32Array [2, 5]
 */
export function encoderDecoder(options: EncoderDecoderOptions): EncoderDecoder {
  checkNames('encoderDecoder', 'options', options, [
    'encoder',
    'inputSize',
    'decoder',
    'start',
    'end',
    'scheduledSampling',
    'seed',
  ]);
  const { seed = 0, ...rest } = options;
  const random = seeded('encoderDecoder', seed);
  return buildEncoderDecoder(rest, (plan) => initializeParameters('encoderDecoder', plan, random));
}

/** Builds an encoder-decoder with the parameters of `fill`. @throws as {@link encoderDecoder} */
export function buildEncoderDecoder(options: EncoderDecoderOptions, fill: Fill): EncoderDecoder {
  const { encoder: layers, inputSize, start, end, scheduledSampling = 0 } = options;
  checkLayers('encoderDecoder', 'encoder', layers);
  checkDecoder(options.decoder);
  const decoder = { ...options.decoder };
  checkIds('encoderDecoder', 'start and end', [start, end], decoder.vocabularySize);
  const input = inputFeatures('encoderDecoder', layers, inputSize);
  const { named: encoder, plan } = withCaller('encoderDecoder', () =>
    withCaller('layer encoder', () => planChain(layers, input)),
  );
  const encoderParameters = fill(plan, 'encoder');
  const { stateSize, finalSizes } = probe(encoder, encoderParameters, decoder);
  if (typeof scheduledSampling !== 'function')
    checkNumber('encoderDecoder', 'scheduledSampling', scheduledSampling, 0, 1);
  const decoderPlan = withCaller('encoderDecoder', () => decoderParameters(decoder, stateSize, finalSizes));
  const { tree, data } = flattenTree<EncoderDecoderParameters>({
    encoder: encoderParameters,
    decoder: fill(decoderPlan, 'decoder'),
  });
  const model: Omit<EncoderDecoder, 'loss'> = {
    ...modelNotCloneable,
    encoder,
    origin: ['encoderDecoder', { ...options, encoder: [...layers], decoder }],
    decoder,
    start,
    end,
    parameters: tree,
    data,
  };
  const loss = (p: EncoderDecoderVariables, batch: PairBatch, context: TrainingContext): Variable => {
    // In evaluation there is no update, for which a function could return the probability.
    const sampling = context.training ? scheduledSampling : 0;
    const probability = typeof sampling === 'function' ? sampling(context.step) : sampling;
    checkNumber('encoderDecoder', 'scheduledSampling', probability, 0, 1);
    return lossOf(model, p, batch, context, probability);
  };
  return { ...model, loss };
}

/** Returns the sizes of the encoder's output and of its final state, found by running it on a short sequence. */
function probe(
  encoder: readonly NamedLayer[],
  parameters: Readonly<Record<string, LayerParameters>>,
  decoder: DecoderOptions,
): { readonly stateSize: number; readonly finalSizes: Readonly<Record<string, number>> } {
  const [{ input }, { output }] = [encoder[0]!, lastOf(encoder)!];
  if (output.kind !== 'vectors' || !output.perStep)
    throw new RangeError(
      'encoderDecoder: encoder must return a vector per step. Does its last layer need returnSequences: true?',
    );
  const finalState = withCaller('encoderDecoder', () =>
    compute(
      parameters,
      (p) => encode({ encoder, decoder }, p, shortSequence(encoder, input), undefined, inferenceContext()).finalState,
    ),
  );
  return {
    stateSize: output.size,
    finalSizes: mapValues(finalState, ({ shape }) => shape[1]!),
  };
}

/** The shortest input, among those of a power of 2 steps, of which convolutions and pooling leave a step. */
function shortSequence(encoder: readonly NamedLayer[], input: Features): Tensor | IntTensor {
  const layers = encoder.map(({ layer }) => layer);
  let T = 1;
  // The limit is for layers that leave no step of any input. Running them throws an error that says why.
  while (stepsThrough(layers, T) === 0 && T < 2 ** 16) T *= 2;
  return input.kind === 'ids' ? { shape: [T, 1], data: new Int32Array(T) } : full([T, 1, input.size], 0);
}

/**
 * Runs the encoder. Returns its output per step and the final state of its last recurrent layer by name, both
 * directions concatenated.
 */
function encode(
  { encoder, decoder }: Pick<EncoderDecoder, 'encoder' | 'decoder'>,
  p: EncoderDecoderVariables['encoder'],
  source: Tensor | IntTensor,
  lengths: Int32Array | undefined,
  context: Omit<LayerContext, 'state' | 'lengths' | 'resets'>,
): { readonly states: Variable; readonly finalState: Readonly<Record<string, Variable>> } {
  const x = isIntTensor(source) ? source : operand('encoderDecoder', source, 'inputs');
  const { outputs, state } = withCaller('layer encoder', () =>
    runChain(encoder, p, x, { ...context, lengths, resets: undefined }),
  );
  const last = lastOf(
    Object.values(state)
      .map(byDirection)
      // Others have a state of another kind, such as the last inputs of a convolution.
      .filter((parts) => decoder.cell.state.every((name) => parts[name] ?? parts['h'])),
  );
  if (last === undefined)
    throw new RangeError(
      'encoderDecoder: encoder must have a recurrent layer, whose final state is the initial state of the decoder.',
    );
  return { states: lastOf(outputs)!, finalState: mapValues(last, (values) => concat(values, 1)) };
}

/** Returns the parts of a state by name, of both directions. */
function byDirection(state: LayerState<Variable>): Readonly<Record<string, readonly Variable[]>> {
  const parts: Record<string, readonly Variable[]> = {};
  for (const [path, value] of Object.entries(state)) {
    const name = path.slice(path.lastIndexOf('.') + 1);
    parts[name] = [...(parts[name] ?? []), value];
  }
  return parts;
}

/** An encoded source: the initial state of the decoder, and its attention memory. */
export interface Encoded {
  readonly state: DecoderState;
  readonly memory: AttentionMemory | undefined;
}

/** Encodes sources. */
export function encodeSource(
  { encoder, decoder }: Pick<EncoderDecoder, 'encoder' | 'decoder'>,
  p: EncoderDecoderVariables,
  source: Tensor | IntTensor,
  lengths: Int32Array | undefined,
  context: Omit<LayerContext, 'state' | 'lengths' | 'resets'> = inferenceContext(),
): Encoded {
  const { states, finalState } = encode({ encoder, decoder }, p.encoder, source, lengths, context);
  return {
    state: initialState(decoder, p.decoder, finalState, states.shape[1]!),
    memory: memoryOf(decoder, p.decoder, states, lengthsOf(encoder, lengths)),
  };
}

function lossOf(
  model: Omit<EncoderDecoder, 'loss'>,
  p: EncoderDecoderVariables,
  batch: PairBatch,
  { training, random }: TrainingContext,
  sampling: number,
): Variable {
  checkNames('encoderDecoder', 'a batch', batch, ['inputs', 'targets', 'lengths', 'targetLengths']);
  const { inputs, lengths, targets, targetLengths } = batch;
  checkEither('encoderDecoder', 'inputs', inputs);
  checkIntTensor('encoderDecoder', 'targets', targets);
  checkShape('encoderDecoder', 'targets', targets.shape, '[T, B]', [undefined, inputs.shape[1]]);
  // Those in the padding, too: all but the last step are inputs of the decoder.
  checkIds('encoderDecoder', 'targets', targets.data, model.decoder.vocabularySize);
  const { state, memory } = encodeSource(model, p, inputs, lengths, { training, random, sequenceRandom: random });
  const dropoutRandom = training ? random : undefined;
  const logits =
    model.decoder.inputFeeding || sampling > 0
      ? decodeSteps(model, p.decoder, targets, state, memory, random, sampling, dropoutRandom)
      : decodeAll(model.decoder, p.decoder, shifted(targets, model.start), state, memory, targetLengths, dropoutRandom);
  return crossEntropy(logits, targets, { lengths: targetLengths });
}

/** Returns the decoder inputs of teacher forcing: the start token, followed by the targets without the last step. */
function shifted({ shape, data }: IntTensor, start: number): IntTensor {
  const B = shape[1]!;
  return { shape, data: data.map((_, i) => (i < B ? start : data[i - B]!)) };
}

/** Runs the decoder step by step, with some inputs sampled instead of taken from the targets. */
function decodeSteps(
  { decoder, start }: Omit<EncoderDecoder, 'loss'>,
  p: DecoderVariables,
  targets: IntTensor,
  initial: DecoderState,
  memory: AttentionMemory | undefined,
  random: Random,
  sampling: number,
  dropoutRandom: Random | undefined,
): Variable {
  const [T, B] = targets.shape as [number, number];
  const steps: Variable[] = [];
  let state = initial;
  for (let t = 0; t < T; t++) {
    const data = t === 0 ? new Int32Array(B).fill(start) : targets.data.slice((t - 1) * B, t * B);
    if (t > 0 && sampling > 0) replaceSome(data, toTensor(lastOf(steps)!), random, sampling);
    const run = decodeStep(decoder, p, { shape: [B], data }, state, memory, dropoutRandom);
    steps.push(run.logits);
    state = run.state;
  }
  return reshape(concat(steps), [T, B, decoder.vocabularySize]);
}

/** Replaces each id, with the given probability, by a sample from its logits `[B, V]`. */
function replaceSome(ids: Int32Array, { shape, data }: Tensor, random: Random, probability: number): void {
  const V = shape[1]!;
  ids.forEach((_, row) => {
    if (uniformNumber(random) >= probability) return;
    // The argmax of logits plus Gumbel noise is a sample from their softmax (Gumbel, 1954).
    let best = -Infinity;
    for (let id = 0; id < V; id++) {
      const value = data[row * V + id]! - Math.log(-Math.log(uniformNumber(random) + 1e-12) + 1e-12);
      if (value > best) {
        best = value;
        ids[row] = id;
      }
    }
  });
}
