/** Models as ONNX files. */

import type { AttentionPoolingOptions } from '../../layers/attention-pooling';
import type { Merge } from '../../layers/bidirectional';
import type { Features } from '../../layers/layer';
import { splitNames } from '../../layers/nested-names';
import { type ScoreOrigin, scoreOriginOf } from '../../layers/origins';
import type { Sequential } from '../../models/sequential';
import { type Part, partsOf } from '../parts';
import { version } from '../version';
import { add, type Builder, constant, createBuilder, graphOf, integers, rename } from './builder';
import { encodeOnnx } from './encode';
import { type Direction, type ExportContext, exportRecurrence } from './export-recurrent';
import { activationNode } from './functions';
import type { OnnxValue } from './model';

/** What goes in and out of the file beside the inputs and the output. */
export interface ExportOnnxOptions {
  /** Whether rows have lengths of their own: an input `lengths [B]` of int32. */
  readonly lengths?: boolean;
  /** Whether states go in, `lstm.h [B, H]`, and out again, `lstm.h.next`: for streams, and for sequences in pieces. */
  readonly state?: boolean;
}

/** The set of operators that files are written in, and the layout of the file. */
const opset = 17;
const irVersion = 8;

/**
 * A model as an ONNX file (opset 17) for prediction in any runtime: inputs `inputs`, ids `[T, B]` of int64 or vectors `[T, B, I]`, and `outputs`, `[T, B, O]` or `[B, O]`, with
 * T and B free. LSTM, GRU (both resets) and the simple cell are the operators of these names; cells that ONNX has no operator for, and zoneout, are a Scan over their
 * steps. Dropout does nothing and is left out.
 *
 * @throws RangeError where a layer, cell or activation of one's own has no operator
 * @example
 * const model = sequential([embedding({ vocabularySize: 9, size: 4 }), recurrent(lstm(), { hiddenSize: 8 }), dense({ size: 9 })]);
 * exportOnnx(model, { lengths: true }) instanceof Uint8Array; // true
 */
export function exportOnnx(
  model: Sequential,
  { lengths = false, state: carries = false }: ExportOnnxOptions = {},
): Uint8Array {
  const where = 'exportOnnx';
  const builder = createBuilder();
  const shape = add(builder, 'Shape', ['inputs']);
  const batch = add(builder, 'Slice', [shape, integers(builder, 1), integers(builder, 2)]);
  const valid = lengths ? validSteps(builder, shape) : undefined;
  const context: ExportContext = {
    where,
    builder,
    batch,
    lengths: lengths ? 'lengths' : undefined,
    valid,
    carries,
    states: [],
  };
  const parts = partsOf(model);
  let value = 'inputs';
  // What goes around each residual, and where it ends.
  const around: { readonly prefix: string; readonly value: string }[] = [];
  const close = (path: string): void => {
    while (around.length > 0 && !path.startsWith(around.at(-1)!.prefix))
      value = add(builder, 'Add', [around.pop()!.value, value]);
  };
  for (const own of parts) {
    close(own.path);
    own.path
      .split('.')
      .slice(0, -1)
      .forEach((_, i, names) => {
        const prefix = `${names.slice(0, i + 1).join('.')}.`;
        if (!around.some((each) => each.prefix === prefix)) around.push({ prefix, value });
      });
    value = exportPart(context, own, value);
  }
  close('');
  rename(builder, value, 'outputs');

  const float = (name: string, ...lengthsOf: readonly (number | string)[]): OnnxValue => ({
    name,
    type: 'float',
    shape: lengthsOf,
  });
  const { states } = context;
  const input: OnnxValue =
    model.input.kind === 'ids'
      ? { name: 'inputs', type: 'int64', shape: ['T', 'B'] }
      : float('inputs', 'T', 'B', model.input.size);
  const given = [
    input,
    ...(lengths ? [{ name: 'lengths', type: 'int32', shape: ['B'] }] : []),
    ...states.map(({ name, size }) => float(name, 'B', size)),
  ];
  const answers = [
    float('outputs', ...shapeOf(model.output)),
    ...states.map(({ name, size, output }) => float(rename(builder, output, `${name}.next`), 'B', size)),
  ];
  return encodeOnnx({
    irVersion,
    producer: { name: 'bptt', version },
    opsets: { '': opset },
    graph: graphOf(builder, 'bptt', given, answers, [...builder.constants.values()]),
  });
}

const shapeOf = (output: Features): readonly (number | string)[] =>
  output.kind === 'ids'
    ? ['T', 'B']
    : [...(output.kind === 'directions' ? [2] : []), ...(output.perStep ? ['T'] : []), 'B', output.size];

/** `[T, B, 1]` whether a step is within the length of its row. */
function validSteps(b: Builder, shape: string): string {
  const steps = add(b, 'Squeeze', [add(b, 'Slice', [shape, integers(b, 0), integers(b, 1)]), integers(b, 0)]);
  const scalar = (value: number): string => {
    const name = `integer(${value})`;
    b.constants.set(name, { name, shape: [], type: 'int64', data: BigInt64Array.of(BigInt(value)) });
    return name;
  };
  const times = add(b, 'Unsqueeze', [add(b, 'Range', [scalar(0), steps, scalar(1)]), integers(b, 1)]);
  const within = add(b, 'Less', [times, add(b, 'Cast', ['lengths'], { to: 7 })]);
  return add(b, 'Unsqueeze', [within, integers(b, 2)]);
}

function exportPart(context: ExportContext, { path, origin, named, parameters }: Part, x: string): string {
  const { builder: b, where, valid } = context;
  const own = (name: string): string => constant(b, `${path}.${name}`, parameters[name]!);
  const perStep = named.input.kind === 'vectors' && named.input.perStep;
  /** Zeros in the padding, as the layer leaves them. */
  const onValid = (value: string): string =>
    valid !== undefined && perStep ? add(b, 'Where', [valid, value, constant(b, 'zero', 0)]) : value;
  switch (origin?.[0]) {
    case 'embedding':
      return add(b, 'Gather', [own('weight'), x]);
    case 'dropout':
      return x;
    case 'dense': {
      const [, { activation }] = origin;
      const y = add(b, 'Add', [add(b, 'MatMul', [x, own('weight')]), own('bias')]);
      return onValid(activation === undefined ? y : activationNode(where, path, b, activation, y));
    }
    case 'layerNorm': {
      const { epsilon = 1e-5 } = origin[1] ?? {};
      return onValid(
        add(b, 'LayerNormalization', [x, own('gain'), own('bias')], {
          axis: -1,
          epsilon: { float: epsilon },
        }),
      );
    }
    case 'recurrent': {
      const [, cell, options] = origin;
      const { reverse = false, returnSequences = true } = options;
      const [run] = exportRecurrence(context, path, cell, options, [{ prefix: `${path}.`, reverse, parameters }], x);
      return returnSequences ? run!.outputs : run!.state[cell.state[0]!]!;
    }
    case 'bidirectional': {
      const [, cell, options] = origin;
      const { merge = 'concat', returnSequences = true } = options;
      const directions = (['forward', 'reverse'] as const).map(
        (name): Direction => ({
          prefix: `${path}.${name}.`,
          reverse: name === 'reverse',
          parameters: splitNames(parameters)[name]!,
        }),
      );
      const runs = exportRecurrence(context, path, cell, options, directions, x);
      return merged(
        b,
        merge,
        runs.map(({ outputs, state }) => (returnSequences ? outputs : state[cell.state[0]!]!)) as [string, string],
      );
    }
    case 'attentionPooling':
      return pooled(context, path, origin[1] ?? {}, parameters, x);
    case undefined:
      throw new RangeError(`${where}: ${path} is a layer of your own, which has no form in ONNX.`);
    default:
      return origin satisfies never;
  }
}

function merged(b: Builder, merge: Merge, both: readonly [string, string]): string {
  if (merge === 'concat') return add(b, 'Concat', both, { axis: -1 });
  if (merge === 'both')
    return add(
      b,
      'Concat',
      both.map((each) => add(b, 'Unsqueeze', [each, integers(b, 0)])),
      { axis: 0 },
    );
  if (merge === 'product') return add(b, 'Mul', both);
  const sum = add(b, 'Add', both);
  return merge === 'sum' ? sum : add(b, 'Mul', [sum, constant(b, 'half', 0.5)]);
}

/** Attention with one query that is learned, over `[T, B, H]`. */
function pooled(
  { where, builder: b, valid }: ExportContext,
  path: string,
  { score }: AttentionPoolingOptions,
  parameters: Part['parameters'],
  x: string,
): string {
  const own = (name: string): string => constant(b, `${path}.${name}`, parameters[name]!);
  const kept = valid === undefined ? x : add(b, 'Where', [valid, x, constant(b, 'zero', 0)]);
  const states = add(b, 'Transpose', [kept], { perm: [1, 0, 2] });
  const inside = valid && add(b, 'Transpose', [valid], { perm: [1, 2, 0] });
  const scores = scoresOf(where, path, b, score && scoreOriginOf(score), parameters, own, states);
  const masked = inside === undefined ? scores : add(b, 'Where', [inside, scores, constant(b, 'outside', -1e30)]);
  const weights = add(b, 'Softmax', [masked], { axis: -1 });
  const counted = inside === undefined ? weights : add(b, 'Where', [inside, weights, constant(b, 'zero', 0)]);
  return add(b, 'Squeeze', [add(b, 'MatMul', [counted, states]), integers(b, 1)]);
}

/** `[B, 1, T]`, of states `[B, T, H]`. */
function scoresOf(
  where: string,
  path: string,
  b: Builder,
  origin: ScoreOrigin | undefined,
  parameters: Part['parameters'],
  own: (name: string) => string,
  states: string,
): string {
  const turned = (keys: string): string => add(b, 'Transpose', [keys], { perm: [0, 2, 1] });
  const query = own('query');
  switch (origin?.[0]) {
    case 'dotScore':
      return add(b, 'MatMul', [query, turned(states)]);
    case 'scaledDotScore':
      return add(b, 'MatMul', [
        query,
        turned(add(b, 'Mul', [states, constant(b, 'scale', 1 / Math.sqrt(parameters['query']!.shape[1]!))])),
      ]);
    case 'generalScore':
      return add(b, 'MatMul', [query, turned(add(b, 'MatMul', [states, own('weight')]))]);
    case 'additiveScore': {
      const keys = add(b, 'Add', [add(b, 'MatMul', [states, own('stateWeight')]), own('bias')]);
      return turned(
        add(b, 'MatMul', [
          add(b, 'Tanh', [add(b, 'Add', [keys, add(b, 'MatMul', [query, own('queryWeight')])])]),
          own('vector'),
        ]),
      );
    }
    case undefined:
      throw new RangeError(`${where}: ${path} has a score of your own, which has no form in ONNX.`);
    default:
      return origin satisfies never;
  }
}
