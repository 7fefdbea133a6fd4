/** Export of models to ONNX. */

import type { AttentionPoolingOptions } from '../../layers/attention-pooling';
import type { Merge } from '../../layers/bidirectional';
import { chain } from '../../layers/chain';
import { directionsOf } from '../../layers/directions';
import type { Features } from '../../layers/layer';
import { splitNames } from '../../layers/nested-names';
import { layerOriginOf, scoreOriginOf } from '../../layers/origins';
import { checkModel, type Sequential } from '../../models/sequential';
import { checkNames } from '../../tensor/shape';
import { checkTensor, full } from '../../tensor/tensor';
import { version } from '../../tensor/version';
import type { Bytes } from '../file-bytes';
import type { Part } from '../parts';
import { addActivation, reject } from './activations';
import { add, addAlias, addConstant, addIntegers, type Builder, createBuilder, graphOf } from './builder';
import { encodeOnnx } from './encode';
import { addConvolution, swapBatch } from './export-convolution';
import { addBatchNormalization, addGlobalPooling, addPooling } from './export-pooling';
import { type Direction, type ExportContext, exportRecurrence, stackDirections } from './export-recurrent';
import { addMask, filled } from './mask';
import type { OnnxValue } from './model';

/** Options of {@link exportOnnx}: additional inputs and outputs of the file. */
export interface ExportOnnxOptions {
  /** Whether the file has an input `lengths [B]` of int32 with the sequence lengths. Default: false. */
  readonly lengths?: boolean | undefined;
  /**
   * Whether the recurrent states are inputs, `lstm.h [B, H]`, and outputs, `lstm.h.next`, for streaming and for
   * sequences that are processed in chunks. The file then does not have learned initial states: the first run needs
   * them as inputs, and `stream(model).state` has them. Default: false.
   */
  readonly state?: boolean | undefined;
}

/** The operator set and the file format of exported files. */
const opset = 17;
const irVersion = 8;

/**
 * Exports a model to an ONNX file (opset 17) for inference in any runtime.
 *
 * The input `inputs` has token ids `[T, B]` of int64 or vectors `[T, B, I]`; the output `outputs` is `[T, B, O]`, or
 * `[B, O]` without a time axis. T and B are free. LSTM, GRU (both reset variants) and the simple RNN become the ONNX
 * operators; other cells, and cells with zoneout, become a Scan over the time steps. Dropout is left out.
 *
 * @param model the model to export
 * @param options additional inputs and outputs
 * @returns the bytes of the `.onnx` file
 * @throws RangeError if the model has a custom layer, cell, activation or attention score, or windows that have no ONNX
 *   form or cannot have lengths, or a parameter does not have the size of its shape; the message names the layer
 * @example
 * const layers = [embedding({ vocabularySize: 9, size: 4 }), recurrent(lstm(), { hiddenSize: 8 }), dense({ size: 9 })];
 * exportOnnx(sequential(layers), { lengths: true }) instanceof Uint8Array; // true
 */
export function exportOnnx(model: Sequential, options: ExportOnnxOptions = {}): Bytes {
  checkModel('exportOnnx', model);
  checkNames('exportOnnx', 'options', options, ['lengths', 'state']);
  // Shapes that do not fit the data would give wrong weights, or a loop without end.
  for (const [layer, parameters] of Object.entries(model.parameters))
    for (const [name, parameter] of Object.entries(parameters))
      checkTensor('exportOnnx', `${layer}.${name}`, parameter);
  const { lengths = false, state: carriesState = false } = options;
  const builder = createBuilder();
  const shape = add(builder, 'Shape', ['inputs']);
  const context: ExportContext = {
    builder,
    batch: add(builder, 'Slice', [shape, addIntegers(builder, 1), addIntegers(builder, 2)]),
    lengths: lengths ? 'lengths' : undefined,
    valid: lengths ? addMask(builder, 'inputs', 'lengths') : undefined,
    carriesState,
    states: [],
  };
  addAlias(builder, addLayers(context, model, 'inputs'), 'outputs');

  const float = (name: string, ...lengthsOf: readonly (number | string)[]): OnnxValue => ({
    name,
    type: 'float',
    shape: lengthsOf,
  });
  const inputs = [
    model.input.kind === 'ids'
      ? { name: 'inputs', type: 'int64', shape: ['T', 'B'] }
      : float('inputs', 'T', 'B', model.input.size),
    ...(lengths ? [{ name: 'lengths', type: 'int32', shape: ['B'] }] : []),
    ...context.states.map(({ name, size }) => float(name, 'B', size)),
  ];
  const outputs = [
    float('outputs', ...shapeOf(model.output)),
    ...context.states.map(({ name, size, output }) => float(addAlias(builder, output, `${name}.next`), 'B', size)),
  ];
  return encodeOnnx({
    irVersion,
    producer: { name: 'bptt', version },
    opsets: { '': opset },
    graph: graphOf(builder, 'bptt', inputs, outputs, [...builder.constants.values()]),
  });
}

/** The declared shape of the output. */
const shapeOf = (output: Features): readonly (number | string)[] =>
  output.kind === 'ids'
    ? ['T', 'B']
    : [...(output.kind === 'directions' ? [2] : []), ...(output.perStep ? ['T'] : []), 'B', output.size];

/** Adds layers in order. Returns the name of the output of the last one. */
function addLayers(
  context: ExportContext,
  { layers, parameters }: Pick<Sequential, 'layers' | 'parameters'>,
  x: string,
  prefix = '',
): string {
  return layers.reduce((value, named) => {
    const path = prefix + named.name;
    const origin = layerOriginOf(named.layer);
    const own = parameters[named.name] ?? {};
    if (origin?.[0] === 'withoutBias') {
      // Only the biases are missing. In the file they are zeros.
      const specs = Object.entries(origin[1].parameters!(named.input));
      const all = Object.fromEntries(specs.map(([name, { shape }]) => [name, own[name] ?? full(shape, 0)]));
      const inner = { layers: [{ ...named, layer: origin[1] }], parameters: { [named.name]: all } };
      return addLayers(context, inner, value, prefix);
    }
    if (origin?.[0] !== 'residual') return addLayer(context, { path, origin, named, parameters: own }, value);
    const inner = { layers: chain(origin[1], named.input), parameters: splitNames(own) };
    return add(context.builder, 'Add', [value, addLayers(context, inner, value, `${path}.`)]);
  }, x);
}

/** Adds one layer. Returns the name of its output. */
function addLayer(context: ExportContext, part: Part, x: string): string {
  const b = context.builder;
  const { path, origin, named, parameters } = part;
  const addParameter = (name: string): string => addConstant(b, `${path}.${name}`, parameters[name]!);
  const perStep = named.input.kind === 'vectors' && named.input.perStep;
  /** Sets padded steps to zero, as the layer does. */
  const masked = (y: string): string => (perStep ? filled(context, y, 0) : y);
  switch (origin?.[0]) {
    case 'embedding':
      return add(b, 'Gather', [addParameter('weight'), x]);
    case 'dropout':
      return x;
    case 'averagePool1d':
      return addPooling(context, path, 'AveragePool', origin[1], x);
    case 'maxPool1d':
      return addPooling(context, path, 'MaxPool', origin[1], x);
    case 'globalAveragePool':
      return addGlobalPooling(context, 'average', x);
    case 'globalMaxPool':
      return addGlobalPooling(context, 'max', x);
    case 'batchNorm':
      return masked(addBatchNormalization(b, path, origin[1] ?? {}, parameters, x));
    case 'conv1d': {
      const [, options] = origin;
      const y = addConvolution(context, path, options, parameters, x);
      return masked(options.activation === undefined ? y : addActivation(path, b, options.activation, y));
    }
    case 'dense': {
      const [, { activation }] = origin;
      const y = add(b, 'Add', [add(b, 'MatMul', [x, addParameter('weight')]), addParameter('bias')]);
      return masked(activation === undefined ? y : addActivation(path, b, activation, y));
    }
    case 'layerNorm': {
      const { epsilon = 1e-5 } = origin[1] ?? {};
      const attributes = { axis: -1, epsilon: { float: epsilon } };
      return masked(add(b, 'LayerNormalization', [x, addParameter('gain'), addParameter('bias')], attributes));
    }
    case 'recurrent': {
      const [, cell, options] = origin;
      const { reverse = false, returnSequences = true } = options;
      const direction: Direction = { cell, options, prefix: `${path}.`, reverse, parameters };
      const [result] = exportRecurrence(context, path, [direction], x);
      return returnSequences ? result!.outputs : Object.values(result!.state)[0]!;
    }
    case 'bidirectional': {
      const [, cell, options] = origin;
      const { merge = 'concat', returnSequences = true } = options;
      const byDirection = splitNames(parameters);
      const directions = directionsOf(cell, options).map(
        (own): Direction => ({
          ...own,
          prefix: `${path}.${own.name}.`,
          reverse: own.name === 'reverse',
          parameters: byDirection[own.name]!,
        }),
      );
      // Equal directions are one node.
      const results = (options.reverse ? directions.map((own) => [own]) : [directions]).flatMap((group) =>
        exportRecurrence(context, path, group, x),
      );
      const outputs = results.map(({ outputs: all, state }) => (returnSequences ? all : Object.values(state)[0]!));
      return addMerge(b, merge, outputs);
    }
    case 'attentionPooling':
      return addAttentionPooling(context, part, origin[1] ?? {}, x);
    case undefined:
      return reject(path, 'a custom layer');
    default:
      return origin satisfies never;
  }
}

/** Merges the outputs of both directions. */
function addMerge(b: Builder, merge: Merge, directions: readonly string[]): string {
  if (merge === 'concat') return add(b, 'Concat', directions, { axis: -1 });
  if (merge === 'both') return stackDirections(b, directions);
  if (merge === 'product') return add(b, 'Mul', directions);
  const sum = add(b, 'Add', directions);
  return merge === 'sum' ? sum : add(b, 'Mul', [sum, addConstant(b, 'half', 0.5)]);
}

/** Adds attention pooling with one learned query over `[T, B, H]`. */
function addAttentionPooling(
  context: ExportContext,
  part: Part,
  { score }: AttentionPoolingOptions,
  x: string,
): string {
  const { builder: b, valid } = context;
  const states = swapBatch(b, filled(context, x, 0));
  const mask = valid && add(b, 'Transpose', [valid], { perm: [1, 2, 0] });
  const scores = addScores(context, part, score, states);
  const maskedScores = mask === undefined ? scores : add(b, 'Where', [mask, scores, addConstant(b, 'masked', -1e30)]);
  const softmax = add(b, 'Softmax', [maskedScores], { axis: -1 });
  // A sequence of length 0 has no valid step: softmax gives equal weights, which must become zeros.
  const weights = mask === undefined ? softmax : add(b, 'Where', [mask, softmax, addConstant(b, 'zero', 0)]);
  return add(b, 'Squeeze', [add(b, 'MatMul', [weights, states]), addIntegers(b, 1)]);
}

/** Adds the attention scores `[B, 1, T]` of the states `[B, T, H]`. */
function addScores(
  { builder: b }: ExportContext,
  { path, parameters }: Part,
  score: AttentionPoolingOptions['score'],
  states: string,
): string {
  const addParameter = (name: string): string => addConstant(b, `${path}.${name}`, parameters[name]!);
  const swapLastAxes = (x: string): string => add(b, 'Transpose', [x], { perm: [0, 2, 1] });
  const query = addParameter('query');
  const products = (keys: string): string => add(b, 'MatMul', [query, swapLastAxes(keys)]);
  const origin = score && scoreOriginOf(score);
  switch (origin?.[0]) {
    case 'dotScore':
      return products(states);
    case 'scaledDotScore': {
      const scale = addConstant(b, 'scale', 1 / Math.sqrt(parameters['query']!.shape[1]!));
      return products(add(b, 'Mul', [states, scale]));
    }
    case 'generalScore':
      return products(add(b, 'MatMul', [states, addParameter('weight')]));
    case 'additiveScore': {
      const keys = add(b, 'Add', [add(b, 'MatMul', [states, addParameter('stateWeight')]), addParameter('bias')]);
      const sum = add(b, 'Add', [keys, add(b, 'MatMul', [query, addParameter('queryWeight')])]);
      return swapLastAxes(add(b, 'MatMul', [add(b, 'Tanh', [sum]), addParameter('vector')]));
    }
    case undefined:
      return reject(path, 'a custom score');
    default:
      return origin satisfies never;
  }
}
