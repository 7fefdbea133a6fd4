/** The decoder of an encoder-decoder: from the states of a source and the previous ids to the logits of the next id. */

import { attend } from '../attention/attend';
import { type AttentionMemory, attentionMemory } from '../attention/memory';
import { checkScore, type Score } from '../attention/scores';
import { tanh } from '../autodiff/ops/elementwise';
import { affine } from '../autodiff/ops/linear';
import { concat, gather } from '../autodiff/ops/movement';
import { dropElements } from '../autodiff/ops/random-mask';
import { operand, type Variable } from '../autodiff/tape';
import { outputSize } from '../layers/recurrent';
import { type Cell, type CellInitializers, cellParameters, checkCell, stateSizes } from '../recurrence/cell';
import { step, unroll } from '../recurrence/unroll';
import { normal } from '../tensor/initializers';
import type { ParameterSpec } from '../tensor/parameter-spec';
import type { Random } from '../tensor/random';
import { checkBelowOne, checkCount, checkNames } from '../tensor/shape';
import { full, type IntTensor, type Tensor } from '../tensor/tensor';

/** The options of the decoder of {@link encoderDecoder}. */
export interface DecoderOptions extends CellInitializers {
  /** V, the number of token ids: one more than the largest id. */
  readonly vocabularySize: number;
  /** The embedding dimension. */
  readonly embeddingSize: number;
  /** The cell of every layer. */
  readonly cell: Cell;
  /** H, the size of the hidden state. */
  readonly hiddenSize: number;
  /** The number of stacked layers; 1 by default. */
  readonly layers?: number | undefined;
  /** The score of attention over the encoder's states. By default, the decoder sees only the encoder's final state. */
  readonly attention?: Score | undefined;
  /**
   * Whether the attentional hidden state of a step is an input of the next (Luong, Pham and Manning, 2015, arXiv
   * 1508.04025). False by default; it requires `attention`.
   */
  readonly inputFeeding?: boolean | undefined;
  /** The dropout rate of the embedded ids and of the input of the output layer; 0 by default. */
  readonly dropout?: number | undefined;
}

type Affine<L> = Readonly<Record<'weight' | 'bias', L>>;

/**
 * The parameters of a decoder as a tree of tensors, variables or specifications. A type, since trees have index
 * signatures.
 */
type DecoderTree<L> = {
  readonly embedding: { readonly weight: L };
  /** By layer and state name (`layer1.h`): maps the encoder's final state to the initial one, if their sizes differ. */
  readonly bridge?: Readonly<Record<string, Affine<L>>>;
  /** The parameters of the cell of every layer: `layer1`, `layer2`, … */
  readonly cell: Readonly<Record<string, Readonly<Record<string, L>>>>;
  /** The parameters of the attention score. */
  readonly score?: Readonly<Record<string, L>>;
  /** Maps the attention context and the hidden state to the attentional hidden state. */
  readonly combine?: Affine<L>;
  readonly output: Affine<L>;
};

/** The parameters of a decoder. */
export type DecoderParameters = DecoderTree<Tensor>;

/** The parameters of a decoder as variables. */
export type DecoderVariables = DecoderTree<Variable>;

/** The state of a decoder between two steps. */
export type DecoderState = {
  readonly layers: readonly Readonly<Record<string, Variable>>[];
  /** `[B, H]`, the attentional hidden state of the previous step, with input feeding. */
  readonly attentional: Variable | undefined;
};

/** @throws RangeError if an option is out of range */
export function checkDecoder(options: DecoderOptions): void {
  checkNames('encoderDecoder', 'decoder', options, [
    'vocabularySize',
    'embeddingSize',
    'cell',
    'hiddenSize',
    'layers',
    'attention',
    'inputFeeding',
    'dropout',
    'inputInitializer',
    'recurrentInitializer',
    'biasInitializer',
  ]);
  const { vocabularySize, embeddingSize, cell, hiddenSize, layers = 1, attention, inputFeeding, dropout = 0 } = options;
  checkCell('encoderDecoder', cell);
  if (attention !== undefined) checkScore('encoderDecoder', 'decoder.attention', attention);
  for (const [name, value] of Object.entries({ vocabularySize, embeddingSize, hiddenSize, layers }))
    checkCount('encoderDecoder', `decoder.${name}`, value);
  checkBelowOne('encoderDecoder', 'decoder.dropout', dropout);
  if (inputFeeding && attention === undefined)
    throw new RangeError('encoderDecoder: decoder.inputFeeding requires decoder.attention.');
}

const layerNames = ({ layers = 1 }: DecoderOptions): readonly string[] =>
  Array.from({ length: layers }, (_, i) => `layer${i + 1}`);

/**
 * Returns the parameter specifications of a decoder.
 *
 * @param stateSize the size of the encoder's output per step
 * @param finalSizes the sizes of the encoder's final state, by name
 */
export function decoderParameters(
  options: DecoderOptions,
  stateSize: number,
  finalSizes: Readonly<Record<string, number>>,
): DecoderTree<ParameterSpec> {
  const { vocabularySize, embeddingSize, cell, hiddenSize, attention, inputFeeding } = options;
  const size = outputSize(cell, options);
  const linear = (from: number, to: number): Affine<ParameterSpec> => ({
    weight: { role: 'input', shape: [from, to], blocks: 1 },
    bias: { role: 'bias', shape: [to], blocks: 1 },
  });
  const bridge = Object.entries(stateSizes(cell, hiddenSize)).flatMap(([name, to]) => {
    const from = finalSizes[name] ?? finalSizes['h']!;
    return from === to ? [] : layerNames(options).map((layer) => [`${layer}.${name}`, linear(from, to)] as const);
  });
  const feedingSize = inputFeeding ? size : 0;
  return {
    embedding: {
      weight: { role: 'input', shape: [vocabularySize, embeddingSize], blocks: 1, initializer: normal(0, 1) },
    },
    ...(bridge.length > 0 ? { bridge: Object.fromEntries(bridge) } : {}),
    cell: Object.fromEntries(
      layerNames(options).map((name, i) => [
        name,
        cellParameters(cell, { ...options, inputSize: i === 0 ? embeddingSize + feedingSize : size }),
      ]),
    ),
    ...(attention === undefined
      ? {}
      : { score: attention.parameters(size, stateSize), combine: linear(stateSize + size, size) }),
    output: linear(size, vocabularySize),
  };
}

/** Returns the initial state: the encoder's final state, mapped by tanh(affine) if the sizes differ. */
export function initialState(
  options: DecoderOptions,
  p: DecoderVariables,
  finalState: Readonly<Record<string, Variable>>,
  batchSize: number,
): DecoderState {
  const { cell, hiddenSize, inputFeeding } = options;
  const layers = layerNames(options).map((layer) =>
    Object.fromEntries(
      Object.keys(stateSizes(cell, hiddenSize)).map((name) => {
        const encoded = finalState[name] ?? finalState['h']!;
        const bridge = p.bridge?.[`${layer}.${name}`];
        return [name, bridge === undefined ? encoded : tanh(affine(encoded, bridge))];
      }),
    ),
  );
  return {
    layers,
    attentional: inputFeeding ? operand('encoderDecoder', full([batchSize, outputSize(cell, options)], 0)) : undefined,
  };
}

/** Returns the attention memory of the encoder's states, or undefined without attention. */
export function memoryOf(
  { attention }: DecoderOptions,
  p: DecoderVariables,
  states: Variable,
  lengths: Int32Array | undefined,
): AttentionMemory | undefined {
  return attention && attentionMemory(attention, p.score ?? {}, states, { lengths });
}

/** The result of a step of the decoder. */
export interface Decoded {
  /** `[B, V]` */
  readonly logits: Variable;
  readonly state: DecoderState;
  /** `[B, S]`, the attention weights, if the decoder has attention. */
  readonly weights: Variable | undefined;
}

/** Applies dropout, if there is a random generator. */
function dropout(x: Variable, rate: number | undefined, random: Random | undefined): Variable {
  return random === undefined || !rate ? x : dropElements(x, rate, random);
}

/** Computes the logits from the output of the last layer. */
function outputLayer(
  { attention, dropout: rate }: DecoderOptions,
  p: DecoderVariables,
  h: Variable,
  memory: AttentionMemory | undefined,
  random: Random | undefined,
): Omit<Decoded, 'state'> & { readonly attentional: Variable } {
  if (attention === undefined || memory === undefined)
    return { logits: affine(dropout(h, rate, random), p.output), weights: undefined, attentional: h };
  const { context, weights } = attend(attention, memory, h);
  const attentional = tanh(affine(concat([context, h], -1), p.combine!));
  return { logits: affine(dropout(attentional, rate, random), p.output), weights, attentional };
}

/** Runs all steps at once on the input ids `[T, B]`. Returns the logits `[T, B, V]`. */
export function decodeAll(
  options: DecoderOptions,
  p: DecoderVariables,
  ids: IntTensor,
  state: DecoderState,
  memory: AttentionMemory | undefined,
  lengths: Int32Array | undefined,
  random: Random | undefined,
): Variable {
  let x = dropout(gather(p.embedding.weight, ids), options.dropout, random);
  layerNames(options).forEach((name, i) => {
    x = unroll(options.cell, p.cell[name]!, x, { initialState: state.layers[i]!, lengths }).outputs;
  });
  return outputLayer(options, p, x, memory, random).logits;
}

/** Runs one step on the input ids `[B]`. */
export function decodeStep(
  options: DecoderOptions,
  p: DecoderVariables,
  ids: IntTensor,
  state: DecoderState,
  memory: AttentionMemory | undefined,
  random: Random | undefined,
): Decoded {
  const embedded = dropout(gather(p.embedding.weight, ids), options.dropout, random);
  let x = state.attentional === undefined ? embedded : concat([embedded, state.attentional], 1);
  const layers = layerNames(options).map((name, i) => {
    const run = step(options.cell, p.cell[name]!, x, state.layers[i]!);
    x = run.output;
    return run.state;
  });
  const { logits, weights, attentional } = outputLayer(options, p, x, memory, random);
  return { logits, weights, state: { layers, attentional: options.inputFeeding ? attentional : undefined } };
}
