/** The decoder of an encoder-decoder: from the states of a source, and the ids so far, to the next id. */

import { attend } from '../attention/attend';
import { type AttentionMemory, attentionMemory } from '../attention/memory';
import type { Score } from '../attention/scores';
import { multiply } from '../autodiff/ops/arithmetic';
import { tanh } from '../autodiff/ops/elementwise';
import { affine } from '../autodiff/ops/linear';
import { concat, gather } from '../autodiff/ops/movement';
import { randomMask } from '../autodiff/ops/random-mask';
import { operand, type Variable } from '../autodiff/tape';
import { type Cell, type CellInitializers, cellParameters, stateSizes } from '../recurrence/cell';
import { step, unroll } from '../recurrence/unroll';
import { glorotUniform, normal, zeros } from '../tensor/initializers';
import type { ParameterPlan, ParameterSpec } from '../tensor/parameter-spec';
import type { Random } from '../tensor/random';
import { checkCount, checkNumber } from '../tensor/shape';
import { full, type IntTensor, type Tensor } from '../tensor/tensor';

/** What a decoder is made of. */
export interface DecoderOptions extends CellInitializers {
  /** V, one more than the largest id. */
  readonly vocabularySize: number;
  /** How many numbers stand for an id. */
  readonly embeddingSize: number;
  readonly cell: Cell;
  /** H */
  readonly hiddenSize: number;
  /** How many layers of the cell stand one on the other; 1 by default. */
  readonly layers?: number;
  /** How it looks at the encoder's states at every step; without, it knows the last state of the encoder alone. */
  readonly attention?: Score;
  /** Whether what it saw at a step goes into the next (Luong, Pham and Manning, 2015, arXiv 1508.04025). */
  readonly inputFeeding?: boolean;
  /** The probability of random zeros, in training, in embedded ids and before the output; 0 by default. */
  readonly dropout?: number;
}

type Affine = Readonly<Record<'weight' | 'bias', ParameterSpec>>;

/** The parameters of a decoder. */
export interface DecoderParameters {
  readonly [name: string]: DecoderParameters | Tensor;
}

/** Those parameters as variables. */
export interface DecoderVariables {
  readonly embedding: { readonly weight: Variable };
  /** From the encoder's last state to the first of every layer, by name, where their sizes differ. */
  readonly bridge?: Readonly<Record<string, Readonly<Record<'weight' | 'bias', Variable>>>>;
  /** The parameters of every layer's cell: `layer1`, `layer2`, … */
  readonly cell: Readonly<Record<string, Readonly<Record<string, Variable>>>>;
  readonly score?: Readonly<Record<string, Variable>>;
  readonly combine?: Readonly<Record<'weight' | 'bias', Variable>>;
  readonly output: Readonly<Record<'weight' | 'bias', Variable>>;
}

/** What a decoder knows between two steps. */
export interface DecoderState {
  readonly layers: readonly Readonly<Record<string, Variable>>[];
  /** `[B, H]` what it saw last, with input feeding. */
  readonly seen: Variable | undefined;
}

/** @throws RangeError where an option is out of range */
export function checkDecoder({
  vocabularySize,
  embeddingSize,
  hiddenSize,
  layers = 1,
  attention,
  inputFeeding,
  dropout = 0,
}: DecoderOptions): void {
  for (const [name, value] of Object.entries({ vocabularySize, embeddingSize, hiddenSize, layers }))
    checkCount('encoderDecoder', `decoder.${name}`, value);
  checkNumber('encoderDecoder', 'decoder.dropout', dropout, 0, 1);
  if (dropout === 1)
    throw new RangeError('encoderDecoder: decoder.dropout must be less than 1: nothing would be left.');
  if (inputFeeding && attention === undefined)
    throw new RangeError('encoderDecoder: decoder.inputFeeding needs decoder.attention: there is nothing to feed.');
}

const layerNames = ({ layers = 1 }: DecoderOptions): readonly string[] =>
  Array.from({ length: layers }, (_, i) => `layer${i + 1}`);

/** How many numbers a cell puts out. */
const outputSize = ({ cell, hiddenSize }: DecoderOptions): number => stateSizes(cell, hiddenSize)[cell.state[0]!]!;

/**
 * The parameters of a decoder.
 *
 * @param stateSize how many numbers the encoder gives a step
 * @param summary the sizes of the encoder's last state, by name
 */
export function decoderParameters(
  options: DecoderOptions,
  stateSize: number,
  summary: Readonly<Record<string, number>>,
): Readonly<Record<string, ParameterPlan>> {
  const { vocabularySize, embeddingSize, cell, hiddenSize, attention, inputFeeding } = options;
  const size = outputSize(options);
  const linear = (from: number, to: number): Affine => ({
    weight: { role: 'input', shape: [from, to], blocks: 1, initializer: glorotUniform() },
    bias: { role: 'bias', shape: [to], blocks: 1, initializer: zeros() },
  });
  const bridge = Object.entries(stateSizes(cell, hiddenSize)).flatMap(([name, own]) => {
    const given = summary[name] ?? summary['h'] ?? stateSize;
    return given === own ? [] : layerNames(options).map((layer) => [`${layer}.${name}`, linear(given, own)] as const);
  });
  const fed = inputFeeding ? size : 0;
  return {
    embedding: {
      weight: { role: 'input', shape: [vocabularySize, embeddingSize], blocks: 1, initializer: normal(0, 1) },
    },
    ...(bridge.length > 0 ? { bridge: Object.fromEntries(bridge) } : {}),
    cell: Object.fromEntries(
      layerNames(options).map((name, i) => [
        name,
        cellParameters(cell, { ...options, inputSize: i === 0 ? embeddingSize + fed : size }),
      ]),
    ),
    ...(attention === undefined
      ? {}
      : { score: attention.parameters(size, stateSize), combine: linear(stateSize + size, size) }),
    output: linear(size, vocabularySize),
  };
}

/** The state before the first step: the encoder's last, through an affine map and tanh where sizes differ. */
export function firstState(
  options: DecoderOptions,
  p: DecoderVariables,
  summary: Readonly<Record<string, Variable>>,
  batchSize: number,
): DecoderState {
  const { cell, hiddenSize, inputFeeding } = options;
  const layers = layerNames(options).map((layer) =>
    Object.fromEntries(
      Object.keys(stateSizes(cell, hiddenSize)).map((name) => {
        const given = summary[name] ?? summary['h']!;
        const own = p.bridge?.[`${layer}.${name}`];
        return [name, own === undefined ? given : tanh(affine(given, own))];
      }),
    ),
  );
  return {
    layers,
    seen: inputFeeding ? operand('encoderDecoder', full([batchSize, outputSize(options)], 0)) : undefined,
  };
}

/** What the decoder looks at, if it does. */
export function memoryOf(
  { attention }: DecoderOptions,
  p: DecoderVariables,
  states: Variable,
  lengths: Int32Array | undefined,
): AttentionMemory | undefined {
  return attention && attentionMemory(attention, p.score ?? {}, states, { lengths });
}

/** What a decoder answers. */
export interface Decoded {
  /** `[…, B, V]` */
  readonly logits: Variable;
  readonly state: DecoderState;
  /** `[…, B, S]` with attention. */
  readonly weights: Variable | undefined;
}

/** Random zeros, in training. */
function dropped(x: Variable, rate: number | undefined, random: Random | undefined): Variable {
  return random === undefined || !rate
    ? x
    : multiply(x, randomMask(x.storage.scope, x.shape, rate, 1 / (1 - rate), random));
}

/** From the cells' output to logits, by way of what attention sees. */
function answer(
  { attention, dropout }: DecoderOptions,
  p: DecoderVariables,
  h: Variable,
  memory: AttentionMemory | undefined,
  random: Random | undefined,
): Omit<Decoded, 'state'> & { readonly seen: Variable } {
  if (attention === undefined || memory === undefined)
    return { logits: affine(dropped(h, dropout, random), p.output), weights: undefined, seen: h };
  const { context, weights } = attend(attention, memory, h);
  const seen = tanh(affine(concat([context, h], -1), p.combine!));
  return { logits: affine(dropped(seen, dropout, random), p.output), weights, seen };
}

/** Runs all steps at once over the ids that go in, `[T, B]`. */
export function decodeAll(
  options: DecoderOptions,
  p: DecoderVariables,
  ids: IntTensor,
  state: DecoderState,
  memory: AttentionMemory | undefined,
  lengths: Int32Array | undefined,
  random: Random | undefined,
): Decoded {
  let x = dropped(gather(p.embedding.weight, ids), options.dropout, random);
  const layers = layerNames(options).map((name, i) => {
    const run = unroll(options.cell, p.cell[name]!, x, { initialState: state.layers[i]!, lengths });
    x = run.outputs;
    return run.state;
  });
  const { logits, weights } = answer(options, p, x, memory, random);
  return { logits, weights, state: { layers, seen: undefined } };
}

/** Runs one step over the ids that go in, `[B]`. */
export function decodeStep(
  options: DecoderOptions,
  p: DecoderVariables,
  ids: IntTensor,
  state: DecoderState,
  memory: AttentionMemory | undefined,
  random: Random | undefined,
): Decoded {
  const embedded = dropped(gather(p.embedding.weight, ids), options.dropout, random);
  let x = state.seen === undefined ? embedded : concat([embedded, state.seen], 1);
  const layers = layerNames(options).map((name, i) => {
    const run = step(options.cell, p.cell[name]!, x, state.layers[i]!);
    x = run.output;
    return run.state;
  });
  const { logits, weights, seen } = answer(options, p, x, memory, random);
  return { logits, weights, state: { layers, seen: options.inputFeeding ? seen : undefined } };
}

/** A batch of several copies of every row: row r of the result is row `rows[r]`. */
export function takeStates(state: DecoderState, rows: IntTensor): DecoderState {
  const take = (x: Variable): Variable => gather(x, rows);
  const layers = state.layers.map((parts) =>
    Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, take(part)])),
  );
  return { layers, seen: state.seen && take(state.seen) };
}

/** The same for what is looked at. */
export function takeMemory(memory: AttentionMemory, rows: IntTensor): AttentionMemory {
  const take = (x: Variable): Variable => gather(x, rows);
  const { values, keys, penalties, valid } = memory;
  return {
    ...memory,
    values: take(values),
    keys: take(keys),
    penalties: penalties && take(penalties),
    valid: valid && take(valid),
  };
}
