/**
 * Masks of Keras, which may exclude any steps of a sequence: padding in front, the default of Keras' `pad_sequences`,
 * and gaps. A masked step leaves the state of recurrent layers unchanged, so moving the valid steps of every row to the
 * front and running them with lengths gives the same states, outputs and gradients.
 */

import { slice } from '../../autodiff/ops/movement';
import { isVariable, operand, toTensor, type Variable, viewOf } from '../../autodiff/tape';
import { compute } from '../../autodiff/value-and-gradient';
import type { Padded } from '../../data/unequal-lengths';
import { bidirectional, merges } from '../../layers/bidirectional';
import type { NamedLayer } from '../../layers/chain';
import type { Features, Layer, LayerContext, LayerResult } from '../../layers/layer';
import { layerOriginOf } from '../../layers/origins';
import { outputSize } from '../../layers/recurrent';
import { withoutBias } from '../../layers/without-bias';
import {
  checkModel,
  type ModelRun,
  type PredictOptions,
  type RunOptions,
  runModel,
  type Sequential,
} from '../../models/sequential';
import { rowsAt } from '../../recurrence/valid-steps';
import { withCaller } from '../../tensor/error-context';
import { checkNames, checkShape, mismatch, sizeOf } from '../../tensor/shape';
import { checkEither, checkTensor, type IntTensor, isIntTensor, type Tensor } from '../../tensor/tensor';

/**
 * The mask of `Embedding(mask_zero=True)` for ids, and of `Masking(mask_value)` for vectors.
 *
 * @param inputs ids `[T, B]`, or vectors `[T, B, I]`
 * @param maskValue the id of masked steps, or the value of all elements of masked vectors; 0 by default
 * @returns `[T, B]` 0 at masked steps, 1 elsewhere
 * @throws RangeError if the inputs have fewer than two axes
 * @example
 * stepMask(intTensor([[0, 3], [5, 0], [7, 2]])).data; // Float32Array [0, 1, 1, 0, 1, 1]
 */
export function stepMask(inputs: IntTensor | Tensor, maskValue = 0): Tensor {
  checkEither('stepMask', 'inputs', inputs);
  if (typeof maskValue !== 'number') throw mismatch('stepMask', 'maskValue', 'a number', maskValue);
  const { shape, data } = inputs;
  if (shape.length < 2)
    throw new RangeError(`stepMask: inputs must be [T, B] or [T, B, I], got [${shape.join(', ')}].`);
  const axes = shape.slice(0, 2);
  const mask = new Float32Array(sizeOf(axes));
  const width = data.length / mask.length;
  data.forEach((value: number, i: number) => {
    if (value !== maskValue) mask[Math.floor(i / width)] = 1;
  });
  return { shape: axes, data: mask };
}

/** The positions of the steps of a batch `[T, B]` before and after a move. Indices are t·B + b. */
interface Moves {
  readonly lengths: Int32Array;
  /** `[T·B]` the step that moves to each position, −1 after the valid steps of a row. */
  readonly source: Int32Array;
  /**
   * `[T·B]` the new position of the last valid step up to each step, −1 before the first. If masked steps are zero, −1
   * at all of them.
   */
  readonly previous: Int32Array;
  /** `[T·B]` the same of the first valid step from each step on, −1 after the last. */
  readonly next: Int32Array;
}

/**
 * @param isZero whether outputs of masked steps are zero
 * @throws RangeError if the mask is not `[T, B]`
 */
function movesOf(where: string, shape: readonly number[], mask: Tensor, isZero = false): Moves {
  checkTensor(where, 'mask', mask);
  checkShape(where, 'mask', mask.shape, '[T, B]', shape.slice(0, 2));
  const [T, B] = mask.shape as [number, number];
  const lengths = new Int32Array(B);
  const [source, previous, next] = [0, 1, 2].map(() => new Int32Array(T * B).fill(-1)) as [
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      const step = t * B + b;
      const isValid = mask.data[step] !== 0;
      if (isValid) source[B * lengths[b]!++ + b] = step;
      if (isValid || (lengths[b]! > 0 && !isZero)) previous[step] = (lengths[b]! - 1) * B + b;
    }
    for (let t = T - 1, left = lengths[b]!; t >= 0; t--) {
      const step = t * B + b;
      const isValid = mask.data[step] !== 0;
      if (isValid) left--;
      if (isValid || (left < lengths[b]! && !isZero)) next[step] = left * B + b;
    }
  }
  return { lengths, source, previous, next };
}

/**
 * Moves the steps with a mask other than 0 to the front of every row, so that `lengths` can replace the mask. A model
 * trained on the result equals one trained by Keras on masked inputs. Targets per step move in the same way.
 *
 * @param x ids `[T, B]`, or vectors `[T, B, …]`
 * @param mask `[T, B]` 0 at the steps to skip
 * @returns the steps, followed by zeros, and the number of valid steps of each row
 * @throws RangeError if the mask does not fit
 * @example
 * const ids = intTensor([[0, 3], [5, 0], [7, 2]]);
 * const { inputs, lengths } = packMasked(ids, stepMask(ids));
 * inputs.data; // Int32Array [5, 3, 7, 2, 0, 0]
 * lengths; // Int32Array [2, 2]
 */
export function packMasked<X extends IntTensor | Tensor>(x: X, mask: Tensor): Padded<X> {
  checkEither('packMasked', 'x', x);
  const { lengths, source } = movesOf('packMasked', x.shape, mask);
  return { inputs: moved(x, source), lengths };
}

function moved<X extends IntTensor | Tensor>(x: X, source: Int32Array): X {
  const width = x.data.length / source.length;
  const data = x.data.map((_: number, i: number) => {
    const step = source[Math.floor(i / width)]!;
    return step < 0 ? 0 : x.data[step * width + (i % width)]!;
  });
  return { ...x, data };
}

/** The options of {@link runMasked}. */
export interface MaskedRunOptions extends Omit<RunOptions, 'lengths' | 'resets'> {
  /** `[T, B]` 0 at the steps to skip. By default {@link stepMask} of the inputs. */
  readonly mask?: Tensor | undefined;
  /**
   * Whether the outputs of the last recurrent layer are zero at masked steps, instead of repeating the previous ones.
   * By default, it is true only for `bidirectional`, as in Keras. Set it to `true` for a layer with
   * `zero_output_for_mask=True`, and to `false` for the results of TensorFlow.js, whose Bidirectional repeats outputs.
   */
  readonly zeroOutputForMask?: boolean | undefined;
}

/**
 * Runs a model as Keras does with a mask: where the mask is 0, recurrent layers keep their state, and their output
 * repeats that of the previous valid step in the direction of the layer; it is zero before the first one. The output of
 * bidirectional layers is zero at masked steps. Inputs of masked steps have no effect. Use it in {@link customModel} to
 * train on padding in front or gaps, or {@link packMasked} to prepare batches for {@link fit}.
 *
 * @param parameters variables of `model.parameters`
 * @param input ids `[T, B]`, or vectors `[T, B, I]`
 * @returns the output in the order of the input, the final state, and the output of every layer; before the last
 * recurrent layer, outputs have the valid steps first
 * @throws RangeError if the mask, the input or the state does not fit; the message names the layer
 * @example
 * const model = sequential([recurrent(lstm(), { hiddenSize: 4 })], { inputSize: 2 });
 * const mask = tensor([[0], [1], [0]]);
 * compute(model.parameters, (p) => runMasked(model, p, full([3, 1, 2], 1), { mask }).output).shape; // [3, 1, 4]
 */
export function runMasked(
  model: Sequential,
  parameters: Parameters<typeof runModel>[1],
  input: IntTensor | Tensor | Variable,
  allOptions: MaskedRunOptions = {},
): ModelRun {
  checkModel('runMasked', model);
  checkNames('runMasked', 'options', allOptions, [
    'training',
    'random',
    'sequenceRandom',
    'step',
    'state',
    'mask',
    'zeroOutputForMask',
  ]);
  const { mask, zeroOutputForMask, ...options } = allOptions;
  const steps = mask ?? withCaller('runMasked', () => stepMask(isVariable(input) ? toTensor(input) : input));
  const x = isIntTensor(input) ? input : operand('runMasked', input, 'inputs');
  const pooling = model.layers.findIndex(({ output }) => !isPerStep(output));
  const perStep = pooling < 0 ? model.layers : model.layers.slice(0, pooling);
  const last =
    pooling >= 0 && !readsMaskedSteps(model.layers[pooling]!.layer)
      ? pooling
      : perStep.reduce((found, { layer }, i) => (mixesSteps(layer) ? i : found), -1);
  const isZero = zeroOutputForMask ?? kindOf(model.layers[last]?.layer) === 'bidirectional';
  const moves = movesOf('runMasked', x.shape, steps, isZero);
  const layers = model.layers.map((named, i) => ({
    ...named,
    layer: { ...named.layer, run: i > last ? onAllSteps(named.layer) : onValid(named, moves, i === 0, i === last) },
  }));
  return withCaller('runMasked', () =>
    runModel({ ...model, layers }, parameters, input, { ...options, lengths: moves.lengths }),
  );
}

const isPerStep = (features: Features): boolean => features.kind === 'ids' || features.perStep;

/** The name of the constructor function of a layer; that of the inner layer for {@link withoutBias}. */
function kindOf(layer: Layer | undefined): string | undefined {
  const origin = layer && layerOriginOf(layer);
  return origin?.[0] === 'withoutBias' ? kindOf(origin[1]) : origin?.[0];
}

/** Whether the output of a step depends on other steps. */
const mixesSteps = (layer: Layer): boolean =>
  ['recurrent', 'bidirectional', 'residual', 'conv1d', 'maxPool1d', 'averagePool1d'].includes(kindOf(layer) ?? '');

/** Whether Keras gives the outputs of masked steps to a layer without a step axis, too. */
const readsMaskedSteps = ({ origin }: Layer): boolean =>
  origin?.[0] === 'kerasFlatten' ||
  origin?.[0] === 'globalMaxPool' ||
  (origin?.[0] === 'kerasPooling' && isMaximum(origin[1]));

const isMaximum = (options: unknown): boolean => (options as { readonly kind?: string } | undefined)?.kind === 'max';

/** Runs a layer on all steps, as Keras runs a layer such as Dense on the outputs of masked steps. */
function onAllSteps(layer: Layer): Layer['run'] {
  return (parameters, input, context) => layer.run(parameters, input, { ...context, lengths: undefined });
}

/**
 * Runs a layer on valid steps.
 *
 * @param packs whether to move the valid steps of the input to the front; they already are otherwise
 * @param expands whether to move the steps of the output back
 */
function onValid({ layer, output }: NamedLayer, moves: Moves, packs: boolean, expands: boolean): Layer['run'] {
  return (parameters, input, context) => {
    const x = !packs ? input : isVariable(input) ? rowsOf(input, moves.source) : moved(input, moves.source);
    if (!expands || !isPerStep(output)) return layer.run(parameters, x, context);
    return expanded(layer, parameters, x, context, moves);
  };
}

/** Runs a layer on valid steps, and moves its outputs back, with repeated ones or zeros at masked steps. */
function expanded(
  layer: Layer,
  parameters: Parameters<Layer['run']>[0],
  x: Variable | IntTensor,
  context: LayerContext,
  moves: Moves,
): LayerResult {
  const { previous, next } = moves;
  const origin = layerOriginOf(layer);
  if (origin?.[0] === 'withoutBias') {
    const [, inner] = origin;
    const run: Layer['run'] = (...args) => expanded(inner, ...args, moves);
    return withoutBias({ ...inner, run }).run(parameters, x, context);
  }
  if (origin?.[0] === 'bidirectional') {
    const [, cell, options] = origin;
    const { output, state } = bidirectional(cell, { ...options, merge: 'concat' }).run(parameters, x, context);
    const size = outputSize(cell, options);
    const forward = slice(output, 0, size, -1);
    const reverse = slice(output, size, undefined, -1);
    const merge = merges[options.merge ?? 'concat'];
    return { output: merge(rowsOf(forward, previous), rowsOf(reverse, next)), ...(state && { state }) };
  }
  const { output, state } = layer.run(parameters, x, context);
  return {
    output: rowsOf(output, origin?.[0] === 'recurrent' && origin[2].reverse ? next : previous),
    ...(state && { state }),
  };
}

/** Rows of `[T, B, …]` by their index t·B + b, in the same shape; zeros for −1. */
function rowsOf(x: Variable, indices: Int32Array): Variable {
  return rowsAt(viewOf(x, [indices.length, ...x.shape.slice(2)]), indices, x.shape);
}

/** The options of {@link predictMasked}. */
export interface MaskedPredictOptions
  extends Pick<PredictOptions, 'state'>,
    Pick<MaskedRunOptions, 'mask' | 'zeroOutputForMask'> {}

/**
 * Computes the output of a model as Keras' `predict` does with a mask, such as that of `Embedding(mask_zero=True)`: see
 * {@link runMasked}.
 *
 * @param inputs ids `[T, B]`, or vectors `[T, B, I]`
 * @returns `[T, B, O]`, or `[B, O]` if the model has one output per sequence
 * @throws RangeError if the mask, the inputs or the state does not fit; the message names the layer
 * @example
 * const model = sequential([
 *   embedding({ vocabularySize: 9, size: 4 }), recurrent(gru(), { hiddenSize: 4, returnSequences: false }),
 * ]);
 * const padded = predictMasked(model, intTensor([[0], [0], [5], [7]])).data;
 * predict(model, intTensor([[5], [7]])).data.every((value, i) => value === padded[i]); // true
 */
export function predictMasked(
  model: Sequential,
  inputs: IntTensor | Tensor,
  options: MaskedPredictOptions = {},
): Tensor {
  checkModel('predictMasked', model);
  checkNames('predictMasked', 'options', options, ['state', 'mask', 'zeroOutputForMask']);
  return withCaller('predictMasked', () =>
    compute(model.parameters, (p) => runMasked(model, p, inputs, options).output),
  );
}
