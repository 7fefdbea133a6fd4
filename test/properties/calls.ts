/** Valid calls of all exported functions, from which the misuse fuzzer starts. */

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as bptt from 'bptt';
import * as forecasting from 'bptt/forecasting';
import * as keras from 'bptt/keras';
import * as node from 'bptt/node';
import * as onnx from 'bptt/onnx';
import * as pytorch from 'bptt/pytorch';
import * as worker from 'bptt/worker';
import { forecastingCalls } from './forecasting-calls';

/** A valid call. The arguments are new in every call, since functions may change them. */
export interface Call {
  readonly args: (p: Variables) => readonly unknown[];
  /** Whether it is an operation, which runs inside `valueAndGradient`. */
  readonly isOperation?: boolean;
  /** What users do with the result. */
  readonly use?: (result: never) => unknown;
  /** Names, besides that of the function, that errors of `use` may have. */
  readonly names?: readonly string[];
  /** Paths of arguments that are not changed to strings: file names. */
  readonly files?: readonly string[];
}

/** The variables of the parameters {@link values}. */
export type Variables = bptt.Mapped<Values, bptt.Variable>;

/** The parameters over which operations run. */
export interface Values extends Readonly<Record<string, bptt.TensorTree>> {
  readonly sequence: bptt.Tensor;
  readonly matrix: bptt.Tensor;
  readonly vector: bptt.Tensor;
  readonly rnn: Readonly<Record<string, bptt.Tensor>>;
  readonly model: bptt.Sequential['parameters'];
  readonly onnx: onnx.OnnxParameters;
}

let created: Values | undefined;
/** The parameters, created once: computations copy them. */
export function values(): Values {
  created ??= {
    sequence: bptt.full([3, 2, 2], 0.5),
    matrix: bptt.full([2, 2], 0.25),
    vector: bptt.full([2], 0.75),
    rnn: bptt.initializeCell(bptt.lstm(), { inputSize: 2, hiddenSize: 2, random: 1 }),
    model: model().parameters,
    onnx: network().parameters,
  };
  return created;
}

const op = (args: Call['args']): Call => ({ args, isOperation: true });
const plain = (...args: readonly unknown[]): Call => ({ args: () => structuredCloneOf(args) });
const call = (args: Call['args'], use?: Call['use'], ...names: readonly string[]): Call => ({
  args,
  ...(use && { use }),
  names,
});

/** Copies arrays, plain objects and typed arrays; functions are shared. */
function structuredCloneOf<V>(value: V): V {
  if (Array.isArray(value)) return value.map(structuredCloneOf) as V;
  if (ArrayBuffer.isView(value)) return structuredClone(value);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, structuredCloneOf(part)])) as V;
  return value;
}

let port: MessagePort | undefined;
/** A port to `serveTraining` in this thread. */
function servingPort(): MessagePort {
  if (port === undefined) {
    const { port1, port2 } = new MessageChannel();
    worker.serveTraining({ port: port2 as worker.WorkerLike });
    port = port1;
  }
  return port;
}

/** Reports an update, as `fit` does. */
const reportProgress = ((report: (progress: bptt.Progress) => unknown) =>
  report({
    step: 1,
    steps: 2,
    epoch: 1,
    loss: 1,
    smoothedLoss: 1,
    gradientNorm: 1,
    learningRate: 0.1,
    targetsPerSecond: 1,
    secondsLeft: 1,
    done: true,
  })) as Call['use'] & {};

const x = (): bptt.Tensor => bptt.full([3, 2, 2], 0.5);
const ids = (): bptt.IntTensor => bptt.intTensor([1, 0, 1, 1, 0, 1], [3, 2]);
const lengths = (): Int32Array => Int32Array.of(3, 2);
const mask = (): bptt.Tensor => bptt.full([3, 2], 1);
const resets = (): bptt.IntTensor => bptt.intTensor([0, 0, 1, 0, 0, 0], [3, 2]);
const random = (): bptt.Random => bptt.createRandom(1);
/** A model on vectors, with an output per step. */
export const model = (): bptt.Sequential =>
  bptt.sequential([bptt.recurrent(bptt.lstm(), { hiddenSize: 2 }), bptt.dense({ size: 2 })], {
    inputSize: 2,
    seed: 1,
  });
const network = (): onnx.OnnxNetwork => onnx.importOnnx(onnx.exportOnnx(model()));
const tagger = (): bptt.Sequential =>
  bptt.sequential([
    bptt.embedding({ vocabularySize: 9, size: 4 }),
    bptt.bidirectional(bptt.lstm(), { hiddenSize: 3 }),
    bptt.layerNorm({ epsilon: 1e-3 }),
    bptt.recurrent(bptt.gru(), { hiddenSize: 4 }),
    bptt.dense({ size: 2, activation: bptt.softmax }),
  ]);
const writer = (): bptt.Sequential =>
  bptt.sequential([bptt.embedding({ vocabularySize: 2, size: 2 }), bptt.dense({ size: 2 })]);
const batch = (): bptt.Batch<bptt.Tensor> => ({
  inputs: x(),
  targets: x(),
  mask: mask(),
  lengths: lengths(),
  resets: resets(),
});
const batches = (): bptt.Dataset<bptt.Batch<bptt.Tensor, bptt.Tensor>> => bptt.batchesOf(x(), x(), { batchSize: 1 });
const custom = (): bptt.CustomModel<{ w: bptt.Tensor }, { x: bptt.Tensor }> =>
  bptt.customModel({ w: bptt.full([2], 1) }, ({ w }, data?: { x: bptt.Tensor }) =>
    bptt.sum(bptt.multiply(w, data?.x as never)),
  );
const translator = (): bptt.EncoderDecoder =>
  bptt.encoderDecoder({
    encoder: [bptt.embedding({ vocabularySize: 3, size: 2 }), bptt.recurrent(bptt.lstm(), { hiddenSize: 2 })],
    decoder: {
      vocabularySize: 3,
      embeddingSize: 2,
      cell: bptt.lstm(),
      hiddenSize: 2,
      attention: bptt.dotScore(),
    },
    start: 0,
    end: 1,
  });
const source = (): bptt.Padded => ({ inputs: bptt.intTensor([[1], [2]]), lengths: Int32Array.of(2) });
const vocabulary = (): bptt.Vocabulary => bptt.characterVocabulary('hello', { marks: ['unknown', 'start', 'end'] });
const series = (): bptt.Tensor => bptt.tensor([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [6, 2]);
const sequences = (): Int32Array[] => [Int32Array.of(1, 2, 3), Int32Array.of(1)];
const mixture = (): bptt.Tensor => bptt.full([3, 2, 6], 0.1);
const trainingState = (): bptt.TrainingState => ({
  step: 1,
  epoch: 1,
  position: 1,
  parameters: model().data.slice(),
  optimizer: bptt.initializeOptimizer(bptt.adam(), model().data.length),
  random: Uint32Array.of(1, 2, 3, 4),
  draws: [],
  losses: [1],
  smoothedLoss: 1,
  validationLosses: [],
  best: undefined,
  carried: undefined,
});

/** A metric; the result is not used, since it has no targets yet. */
const metric = (...args: readonly unknown[]): Call => call(() => structuredCloneOf(args));
const unrollOnce = ((cell: bptt.Cell) => {
  const rnn = bptt.initializeCell(cell, { inputSize: 2, hiddenSize: 2, random: 1 });
  return bptt.compute(rnn, (p) => bptt.unroll(cell, p, x()).outputs);
}) as Call['use'] & {};

const trainOnce = (optimizer: bptt.Optimizer): unknown => {
  const parameters = { w: bptt.full([2], 1) };
  const state = bptt.initializeOptimizer(optimizer, 2);
  return bptt.applyOptimizer(optimizer, state, parameters, { w: bptt.full([2], 0.5) });
};
const optimizer = (...args: readonly unknown[]): Call => ({
  args: () => structuredCloneOf(args),
  use: trainOnce as Call['use'] & {},
  names: ['applyOptimizer', 'initializeOptimizer'],
});
const runLayer = (layer: bptt.Layer): unknown => {
  const net = layer.accepts === 'ids' ? bptt.sequential([layer]) : bptt.sequential([layer], { inputSize: 2, seed: 1 });
  const inputs = layer.accepts === 'ids' ? ids() : x();
  if (layer.causal !== false) {
    const step = layer.accepts === 'ids' ? bptt.intTensor([1]) : bptt.full([1, 2], 1);
    bptt.advance(bptt.stream(net), step);
  }
  bptt.valueAndGradient(net.parameters, (p) =>
    bptt.mean(bptt.runModel(net, p, inputs, { lengths: lengths(), training: true, random: random() }).output),
  );
  return bptt.predict(net, inputs, { lengths: lengths() });
};
const layer = (args: () => readonly unknown[]): Call =>
  call(args, runLayer as Call['use'] & {}, 'sequential', 'predict', 'stream', 'advance', 'runModel');
const runCell = (cell: bptt.Cell): unknown => runLayer(bptt.recurrent(cell, { hiddenSize: 2 }));
/** Calls with copies of their arguments, of a function whose result is used in a model. */
const inModel =
  (use: Call['use'] & {}, ...others: readonly string[]) =>
  (...args: readonly unknown[]): Call =>
    call(() => structuredCloneOf(args), use, 'sequential', 'predict', 'runModel', ...others);
const cell = inModel(runCell as Call['use'] & {}, 'stream', 'advance', 'recurrent');
const runScore = (score: bptt.Score): unknown => runLayer(bptt.attentionPooling({ score }));
const score = inModel(runScore as Call['use'] & {}, 'attentionPooling');
const initializer = (...args: readonly unknown[]): Call =>
  call(() => args, ((initialize: bptt.Initializer) => initialize([2, 2], random(), 1)) as Call['use'] & {});
const schedule = (...args: readonly unknown[]): Call =>
  call(() => structuredCloneOf(args), ((rate: (step: number) => number) => [rate(1), rate(3)]) as Call['use'] & {});
const dataset = (args: () => readonly unknown[]): Call =>
  call(args, ((data: bptt.Dataset) => [...data.batches(random())]) as Call['use'] & {});
const pointwise = (name: string): Readonly<Record<string, readonly Call[]>> => ({
  [name]: [op((p) => [p.vector]), op(() => [x()])],
});
const binary = (name: string): Readonly<Record<string, readonly Call[]>> => ({
  [name]: [op((p) => [p.matrix, p.vector]), op(() => [x(), 2])],
});
const loss = (name: string): Readonly<Record<string, readonly Call[]>> => ({
  [name]: [
    op((p) => [p.sequence, x(), { mask: mask(), lengths: lengths(), reduction: 'sum' }]),
    op((p) => [p.sequence, x()]),
  ],
});

const golden = (path: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../golden/${path}`, import.meta.url)));
const tfjs = (): { json: object; files: Readonly<Record<string, Uint8Array>> } => {
  const { json, files } = JSON.parse(new TextDecoder().decode(golden('tfjs/embedding.json'))) as {
    json: object;
    files: Record<string, string>;
  };
  const bytes = Object.entries(files).map(([path, text]) => [
    path,
    Uint8Array.from(atob(text), (character) => character.charCodeAt(0)),
  ]);
  return { json, files: Object.fromEntries(bytes) as Record<string, Uint8Array> };
};
let temporary: string | undefined;
/** A folder for the files of these calls. */
export const folder = (): string => (temporary ??= mkdtempSync(join(tmpdir(), 'bptt-misuse-')));
const checkpoint = (): string => {
  const path = join(folder(), 'c');
  writeFileSync(path, bptt.save(model(), { training: trainingState() }));
  return path;
};

export const libraries: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  bptt,
  pytorch,
  keras,
  onnx,
  forecasting,
  worker,
  node,
};

/** The valid calls by the name of the function. A function that is not in the table fails the test. */
export const calls: Readonly<Record<string, readonly Call[]>> = {
  ...forecastingCalls,
  // Attention
  attend: [
    op((p) => [
      bptt.dotScore(),
      bptt.attentionMemory(bptt.dotScore(), {}, p.sequence, { lengths: lengths() }),
      p.matrix,
    ]),
  ],
  attentionMemory: [
    op((p) => [bptt.dotScore(), {}, p.sequence, { lengths: lengths() }]),
    op((p) => [
      bptt.additiveScore({ size: 2 }),
      bptt.initializeScore(bptt.additiveScore({ size: 2 }), { querySize: 2, stateSize: 2, random: 1 }),
      p.sequence,
    ]),
  ],
  additiveScore: [score({ size: 2 })],
  dotScore: [score()],
  generalScore: [score()],
  scaledDotScore: [score()],
  initializeScore: [
    call(() => [bptt.generalScore(), { querySize: 2, stateSize: 2, random: random() }]),
    call(() => [bptt.generalScore(), { querySize: 2, stateSize: 2, random: 3 }]),
  ],
  // Automatic differentiation
  checkGradients: [
    call(
      () => [{ w: bptt.tensor([3, 4]) }, (p: { w: bptt.Variable }) => bptt.sum(bptt.tanh(p.w)), { step: 1e-5 }],
      undefined,
      'tanh',
    ),
  ],
  compute: [
    call(
      () => [{ w: bptt.tensor([3, 4]) }, (p: { w: bptt.Variable }) => ({ y: bptt.sum(p.w), n: 1 })],
      undefined,
      'sum',
    ),
  ],
  valueAndGradient: [
    call(() => [{ w: bptt.tensor([3, 4]) }, (p: { w: bptt.Variable }) => bptt.sum(p.w)], undefined, 'sum'),
    call(
      () => [[bptt.tensor([3, 4])], (p: [bptt.Variable]) => ({ value: bptt.sum(p[0]), results: { w: p[0] } })],
      undefined,
      'sum',
    ),
  ],
  recompute: [
    {
      ...op((p) => [
        { a: p.vector, b: [p.vector] },
        (given?: { a: bptt.Variable; b?: [bptt.Variable] }) => bptt.multiply(given?.a as never, given?.b?.[0] as never),
        { random: [random()] },
      ]),
      names: ['multiply'],
    },
  ],
  toTensor: [op((p) => [p.vector])],
  ...binary('add'),
  ...binary('subtract'),
  ...binary('multiply'),
  ...binary('divide'),
  scale: [op((p) => [p.vector, 2])],
  broadcastTo: [op((p) => [p.vector, [3, 2]])],
  ...pointwise('abs'),
  ...pointwise('exp'),
  ...pointwise('log'),
  ...pointwise('relu'),
  ...pointwise('sigmoid'),
  ...pointwise('softplus'),
  ...pointwise('sqrt'),
  ...pointwise('tanh'),
  ...pointwise('softmax'),
  ...pointwise('logSoftmax'),
  ...pointwise('stopGradient'),
  leakyRelu: [op((p) => [p.vector, 0.1])],
  huberize: [op((p) => [p.vector, 0.1])],
  affine: [op((p) => [p.sequence, { weight: p.matrix, bias: p.vector }])],
  matmul: [op((p) => [p.matrix, p.matrix])],
  batchedMatmul: [op((p) => [p.sequence, p.sequence, { transposeB: true }])],
  concat: [op((p) => [[p.matrix, p.matrix], 1])],
  stack: [op((p) => [[p.matrix, p.matrix], 1])],
  gather: [op((p) => [p.matrix, ids()])],
  reshape: [op((p) => [p.matrix, [4]])],
  slice: [op((p) => [p.sequence, 1, 2, 0])],
  transpose: [op((p) => [p.sequence, [1, 0, 2]]), op((p) => [p.matrix])],
  layerNormalize: [op((p) => [p.sequence, { gain: p.vector, bias: p.vector, epsilon: 1e-5 }])],
  mask: [op((p) => [p.sequence, mask()])],
  mean: [op((p) => [p.sequence, [0, 1]]), op((p) => [p.sequence, 1])],
  sum: [op((p) => [p.sequence, [0, 1]]), op((p) => [p.sequence, 1])],
  convolve: [
    op((p) => [
      p.sequence,
      { weight: bptt.full([2, 1, 2], 1), bias: p.vector },
      { stride: 1, dilation: 1, groups: 2, padding: 'same' },
    ]),
  ],
  // Cells
  gateParameters: [plain(3, 2, 2, bptt.zeros())],
  gru: [cell({ reset: 'before' })],
  lstm: [cell()],
  layerNormGru: [cell({ epsilon: 1e-3 })],
  layerNormLstm: [cell({ epsilon: 1e-3 })],
  layerNormRnn: [cell({ epsilon: 1e-3, activation: bptt.relu })],
  projectedLstm: [cell({ projectionSize: 1 })],
  simpleRnn: [
    cell({ activation: bptt.relu }),
    cell({
      activation: { name: 'clip', forward: (v: number) => Math.min(1, v), derivative: (y: number) => (y < 1 ? 1 : 0) },
    }),
  ],
  initializeCell: [
    call(() => [
      bptt.lstm(),
      {
        inputSize: 2,
        hiddenSize: 2,
        random: random(),
        inputInitializer: bptt.zeros(),
        recurrentInitializer: bptt.identity(),
        biasInitializer: bptt.zeros(),
      },
    ]),
  ],
  applyPointwise: [op((p) => [bptt.lstm(), bptt.full([2, 8], 0.5), { h: p.matrix, c: p.matrix }])],
  step: [op((p) => [bptt.lstm(), p.rnn, p.matrix, { h: p.matrix, c: p.matrix }])],
  unroll: [
    op((p) => [
      bptt.lstm(),
      p.rnn,
      p.sequence,
      {
        initialState: { h: p.matrix, c: p.matrix },
        lengths: lengths(),
        reverse: true,
        resets: resets(),
        resetState: { h: bptt.full([1, 2], 0) },
        recurrentMask: p.matrix,
        zoneout: { rates: { h: 0.5 }, random: random() },
      },
    ]),
    op((p) => [
      (_: unknown, input: bptt.Variable, { h }: { h: bptt.Variable }) => ({ h: bptt.add(input, h) }),
      {},
      p.sequence,
      { initialState: { h: p.matrix } },
    ]),
  ],
  // Data
  bucketBatches: [
    dataset(() => [
      sequences().map((input) => ({ input, target: 1 })),
      { batchSize: 1, shuffle: true, bucket: 1, padding: 0 },
    ]),
    dataset(() => [
      [x(), x()].map(() => ({ input: bptt.full([3, 2], 0), target: bptt.full([3, 1], 0) })),
      { batchSize: 2 },
    ]),
  ],
  batchesOf: [dataset(() => [x(), x(), { batchSize: 1, shuffle: true, targetAxis: 1 }])],
  kFold: [plain(4, { k: 2, seed: 1 }), plain(['a', 'b', 'a'], { k: 2 })],
  splitGroups: [plain(['a', 'b', 'a'], [0.5, 0.5], { seed: 1 })],
  bytePairVocabulary: [plain('hello hello', { size: 260, marks: ['unknown'] }), plain(['hello'], { size: 260 })],
  characterVocabulary: [plain('hello', { marks: ['unknown'], maxSize: 3, minCount: 1 })],
  wordVocabulary: [plain('hello world', { marks: ['unknown'], maxSize: 3, minCount: 1, lowercase: true })],
  pairBatches: [
    dataset(() => [
      sequences().map((input) => ({ input, target: Int32Array.of(2, 1) })),
      { batchSize: 1, shuffle: true, bucket: 1, padding: 0 },
    ]),
  ],
  minMaxScaler: [call(() => [series(), { from: 0, to: 1 }])],
  standardScaler: [call(() => [series()])],
  scaleWith: [call(() => [{ offset: [0, 1], scale: [1, 2] }, series(), [1, 0]])],
  unscaleWith: [call(() => [{ offset: [0, 1], scale: [1, 2] }, series(), [1, 0]])],
  seriesWindows: [
    dataset(() => [series(), { sequenceLength: 2, horizon: 1, targets: [1], batchSize: 2, stride: 1, shuffle: true }]),
  ],
  split: [plain([1, 2, 3, 4], [0.5, 0.5]), call(() => [x(), [0.5, 0.5]]), plain('hello', [0.5])],
  padSequences: [
    call(() => [sequences(), { sequenceLength: 3, padding: 0, keep: 'first' }]),
    call(() => [[bptt.full([3, 2], 0), bptt.full([1, 2], 0)]]),
  ],
  encode: [
    call(() => [vocabulary(), 'hello', { start: true, end: true }]),
    call(() => [bptt.bytePairVocabulary('hello hello', { size: 260 }), 'hello']),
    call(() => [bptt.wordVocabulary('hello hello'), 'hello']),
  ],
  decode: [
    call(() => [vocabulary(), [3, 4]]),
    call(() => [bptt.bytePairVocabulary('hello hello', { size: 260 }), Int32Array.of(100)]),
    call(() => [bptt.wordVocabulary('hello hello'), [1]]),
  ],
  windows: [
    dataset(() => [Int32Array.from({ length: 12 }, (_, i) => i), { sequenceLength: 2, batchSize: 2, shuffle: true }]),
  ],
  // Encoder-decoder models
  encoderDecoder: [
    call(
      () => [
        {
          encoder: [bptt.embedding({ vocabularySize: 3, size: 2 }), bptt.recurrent(bptt.lstm(), { hiddenSize: 2 })],
          decoder: {
            vocabularySize: 3,
            embeddingSize: 2,
            cell: bptt.lstm(),
            hiddenSize: 2,
            layers: 1,
            attention: bptt.dotScore(),
            inputFeeding: true,
            dropout: 0.1,
          },
          start: 0,
          end: 1,
          scheduledSampling: 0.1,
          seed: 1,
        },
      ],
      ((net: bptt.EncoderDecoder) => [
        bptt.greedySearch(net, source(), { maxLength: 3 }),
        bptt.evaluate(
          net,
          bptt.pairBatches([{ input: Int32Array.of(1, 2), target: Int32Array.of(2, 1) }], { batchSize: 1 }),
        ),
      ]) as Call['use'] & {},
      'greedySearch',
      'evaluate',
    ),
  ],
  greedySearch: [call(() => [translator(), source(), { maxLength: 3 }])],
  beamSearch: [call(() => [translator(), source(), { maxLength: 3, beamSize: 2, lengthPenalty: 0.5, count: 1 }])],
  // Layers
  attentionPooling: [layer(() => [{ querySize: 2, score: bptt.dotScore() }])],
  bidirectional: [
    layer(() => [
      bptt.gru(),
      {
        hiddenSize: 2,
        inputDropout: 0.1,
        recurrentDropout: 0.1,
        zoneout: { h: 0.1 },
        learnInitialState: true,
        merge: 'sum',
        returnSequences: false,
        inputInitializer: bptt.zeros(),
      },
    ]),
  ],
  recurrent: [
    layer(() => [
      bptt.lstm(),
      {
        hiddenSize: 2,
        inputDropout: 0.1,
        recurrentDropout: 0.1,
        zoneout: { h: 0.1 },
        learnInitialState: true,
        returnSequences: true,
        reverse: false,
        inputInitializer: bptt.zeros(),
        recurrentInitializer: bptt.zeros(),
        biasInitializer: bptt.zeros(),
      },
    ]),
  ],
  dense: [
    layer(() => [{ size: 2, activation: bptt.tanh, weightInitializer: bptt.zeros(), biasInitializer: bptt.zeros() }]),
  ],
  conv1d: [
    layer(() => [
      {
        size: 2,
        kernelSize: 2,
        stride: 1,
        dilation: 1,
        groups: 2,
        padding: 'causal',
        activation: bptt.tanh,
        weightInitializer: bptt.zeros(),
        biasInitializer: bptt.zeros(),
      },
    ]),
  ],
  maxPool1d: [layer(() => [{ windowSize: 2, stride: 1, padding: 'same' }])],
  averagePool1d: [layer(() => [{ windowSize: 2, stride: 1, padding: 'same' }])],
  globalMaxPool: [layer(() => [])],
  globalAveragePool: [layer(() => [])],
  batchNorm: [layer(() => [{ epsilon: 1e-3, momentum: 0.1 }])],
  outputLengths: [call(() => [model(), lengths()])],
  dropout: [layer(() => [0.5])],
  embedding: [layer(() => [{ vocabularySize: 2, size: 2, initializer: bptt.zeros() }])],
  layerNorm: [layer(() => [{ epsilon: 1e-3 }])],
  residual: [layer(() => [[bptt.layerNorm(), bptt.dense({ size: 2 })]])],
  withoutBias: [layer(() => [bptt.dense({ size: 2 })])],
  // Models
  sequential: [
    call(
      () => [[bptt.recurrent(bptt.lstm(), { hiddenSize: 2 }), bptt.dense({ size: 2 })], { inputSize: 2, seed: 1 }],
      ((net: bptt.Sequential) => bptt.predict(net, x())) as Call['use'] & {},
      'predict',
    ),
  ],
  predict: [
    call(() => [
      model(),
      x(),
      { lengths: lengths(), resets: resets(), state: { lstm: { h: bptt.full([2, 2], 0), c: bptt.full([2, 2], 0) } } },
    ]),
    call(() => [writer(), ids()]),
  ],
  predictWithState: [call(() => [model(), x(), { lengths: lengths(), resets: resets() }])],
  runModel: [
    op((p) => [
      model(),
      p.model,
      x(),
      {
        training: true,
        random: random(),
        sequenceRandom: random(),
        step: 1,
        lengths: lengths(),
        resets: resets(),
        state: { lstm: { h: bptt.full([2, 2], 0), c: bptt.full([2, 2], 0) } },
      },
    ]),
    op((p) => [model(), p.model, p.sequence]),
  ],
  runInSegments: [
    op((p) => [
      model(),
      p.model,
      x(),
      { training: true, random: random(), lengths: lengths(), resets: resets(), state: {} },
      2,
    ]),
  ],
  withParameters: [call(() => [model(), model().parameters])],
  generate: [call(() => [writer(), { prompt: [0], length: 3, seed: 1, temperature: 1, topK: 2, topP: 0.9 }])],
  joinStates: [call(() => [[bptt.predictWithState(model(), x()).state, bptt.predictWithState(model(), x()).state]])],
  splitState: [call(() => [bptt.predictWithState(model(), x()).state])],
  stream: [
    call(
      () => [model(), { batchSize: 2 }],
      ((running: bptt.Stream) => bptt.advance(running, bptt.full([2, 2], 1))) as Call['use'] & {},
      'advance',
    ),
  ],
  streamCell: [
    call(
      () => [
        bptt.lstm(),
        bptt.initializeCell(bptt.lstm(), { inputSize: 2, hiddenSize: 2, random: 1 }),
        { batchSize: 2 },
      ],
      ((running: bptt.Stream) => bptt.advance(running, bptt.full([2, 2], 1))) as Call['use'] & {},
      'advance',
    ),
  ],
  advance: [call(() => [bptt.stream(model()), bptt.full([1, 2], 1), bptt.full([1, 2], 1)])],
  // Files
  readSafetensors: [call(() => [bptt.writeSafetensors({ a: x() })])],
  writeSafetensors: [call(() => [{ a: x() }, { note: 'x' }])],
  save: [call(() => [model(), { extras: { a: [1] }, training: trainingState(), customObjects: { a: 1 } }])],
  load: [call(() => [bptt.save(model()), { customObjects: { a: 1 } }])],
  loadEncoderDecoder: [call(() => [bptt.save(translator()), { customObjects: { a: 1 } }])],
  loadInto: [call(() => [model(), bptt.save(model())])],
  fromPyTorch: [call(() => [model(), pytorch.toPyTorch(model()), { modules: {} }])],
  toPyTorch: [call(() => [model(), { modules: {}, cells: [], withoutBias: [] }])],
  inferModel: [
    call(() => [
      pytorch.toPyTorch(model()),
      { order: ['lstm', 'dense'], nonlinearity: 'tanh', activations: {}, convolutions: {}, returnSequences: true },
    ]),
  ],
  exportOnnx: [call(() => [model(), { lengths: true, state: true }])],
  importOnnx: [call(() => [onnx.exportOnnx(model()), { externalData: {} }])],
  importOnnxStream: [
    call(() => [
      onnx.exportOnnx(model(), { state: true }),
      { shapes: { inputs: [1, 2, 2] }, inputs: {}, state: { 'lstm.h': 'lstm.h.next' }, externalData: {} },
    ]),
  ],
  predictOnnx: [call(() => [network(), { inputs: x() }])],
  runOnnx: [op((p) => [network(), p.onnx, { inputs: p.sequence }])],
  toKeras: [call(() => [model(), { layers: {} }])],
  fromKeras: [
    call(() => [
      tagger(),
      keras.readHdf5(golden('keras/tagger.weights.h5')).tensors,
      { layers: { dense: 'time_distributed' } },
    ]),
  ],
  importKeras: [call(() => [golden('keras/tagger.keras'), { lengths: true }])],
  importTensorFlowJs: [call(() => [JSON.stringify(tfjs().json), tfjs().files, {}])],
  kerasLayers: [call(() => [])],
  packMasked: [call(() => [x(), mask()])],
  predictMasked: [call(() => [model(), x(), { mask: mask() }])],
  runMasked: [op((p) => [model(), p.model, x(), { mask: mask() }])],
  stepMask: [call(() => [ids(), 0]), call(() => [x()])],
  readHdf5: [call(() => [golden('keras/tagger.weights.h5')])],
  readZip: [call(() => [golden('keras/tagger.keras')])],
  // Node
  writeAtomically: [{ args: () => [join(folder(), 'a'), Uint8Array.of(1)], files: ['0'] }],
  checkpointFile: [
    {
      args: () => [join(folder(), 'b'), model(), { every: 1, extras: {} }],
      use: ((checkpoint: bptt.FitCheckpoint) => checkpoint.write(trainingState())) as Call['use'] & {},
      files: ['0'],
    },
  ],
  resumeFrom: [call(() => [checkpoint(), model()])],
  terminalProgress: [
    call(() => [{ output: { write: () => true, isTTY: true, columns: 80 }, unit: 'characters' }], reportProgress),
  ],
  csvLogger: [call(() => [{ write: () => true }, { every: 2 }], reportProgress)],
  jsonLinesLogger: [call(() => [{ write: () => true }, { every: 2 }], reportProgress)],
  pageProgress: [call(() => [{ innerHTML: '' }, { title: 'x', width: 200, height: 100 }], reportProgress)],
  lossPlot: [
    call(() => [
      {
        a: [1, 2],
        b: Float32Array.of(1),
        c: [
          [1, 2],
          [3, 4],
        ],
      },
      { title: 'x', width: 200, height: 100 },
    ]),
  ],
  fileOutput: [
    {
      args: () => [join(folder(), 'c')],
      use: ((output: bptt.LogOutput) => output.write('x')) as Call['use'] & {},
      files: ['0'],
    },
  ],
  // Workers
  fitInWorker: [
    call(
      () => [
        servingPort(),
        model(),
        batches(),
        {
          loss: bptt.meanSquaredError,
          optimizer: bptt.adam(),
          epochs: 1,
          steps: 2,
          seed: 1,
          validation: batches(),
          patience: 1,
          optimizerState: bptt.initializeOptimizer(bptt.adam(), model().data.length),
          onProgress: () => undefined,
          checkpoint: { every: 1, write: () => undefined },
          signal: { aborted: false },
          carryState: true,
          run: bptt.runModel,
          customObjects: { a: () => 1 },
          timeout: 9,
        },
      ],
      undefined,
      'fit',
      'serveTraining',
    ),
  ],
  serveTraining: [call(() => [{ port: new MessageChannel().port1, customObjects: { a: 1 } }])],
  // Kernels
  enableWideKernels: [plain()],
  kernelsInUse: [plain()],
  threadsInUse: [plain()],
  threadsReady: [plain()],
  useThreads: [plain(1)],
  useKernels: [plain('portable')],
  // Tensors
  chronoBias: [call(() => [10], ((f: bptt.Initializer) => f([8], random(), 4)) as Call['use'] & {})],
  constant: [initializer(0.5)],
  forgetBias: [call(() => [1], ((f: bptt.Initializer) => f([8], random(), 4)) as Call['use'] & {})],
  glorotNormal: [initializer(1)],
  glorotUniform: [initializer(1)],
  heNormal: [initializer(1)],
  heUniform: [initializer(1)],
  identity: [initializer(1)],
  lecunNormal: [initializer(1)],
  lecunUniform: [initializer(1)],
  normal: [initializer(0, 1)],
  ones: [initializer()],
  orthogonal: [initializer(1)],
  truncatedNormal: [initializer(0, 1)],
  uniform: [initializer(0, 1)],
  zeros: [initializer()],
  createRandom: [plain(1)],
  integerNumber: [call(() => [random(), 3])],
  normalNumber: [call(() => [random(), 0, 1])],
  randomBits: [call(() => [random()])],
  shuffle: [call(() => [random(), [1, 2, 3]])],
  uniformNumber: [call(() => [random(), 0, 1])],
  sampleFromLogits: [call(() => [[0.1, 3, -2], random(), { temperature: 1, topK: 2, topP: 0.9 }])],
  formatShape: [plain([2, 3])],
  sizeOf: [plain([2, 3])],
  stridesOf: [plain([2, 3])],
  full: [plain([2, 3], 0.5)],
  intTensor: [
    plain(
      [
        [1, 2],
        [3, 4],
      ],
      [2, 2],
    ),
    plain(Int32Array.of(1, 2), [2]),
  ],
  tensor: [
    plain(
      [
        [1, 2],
        [3, 4],
      ],
      [2, 2],
    ),
    plain(Float32Array.of(1, 2), [2]),
  ],
  isIntTensor: [call(() => [ids()])],
  isTensor: [call(() => [x()])],
  sliceRows: [call(() => [x(), 1, 2])],
  toBatchMajor: [call(() => [x()])],
  toTimeMajor: [call(() => [x()])],
  view: [plain(new Float32Array(4), 1, [1, 2])],
  flattenTree: [call(() => [{ a: x(), b: [x()] }])],
  leaves: [call(() => [{ a: x(), b: [x()] }])],
  mapTree: [call(() => [{ a: x(), b: [x()] }, (t: bptt.Tensor) => t.shape])],
  treeOver: [call(() => [{ a: bptt.full([2], 0) }, new Float32Array(2)])],
  // Training
  customModel: [
    call(
      () => [
        { w: bptt.full([2], 1) },
        ({ w }: { w: bptt.Variable }, data: { x: bptt.Tensor }) => bptt.sum(bptt.multiply(w, data.x)),
      ],
      ((net: bptt.CustomModel) => bptt.evaluate(net, [{ x: bptt.full([2], 1) } as never])) as Call['use'] & {},
      'evaluate',
    ),
  ],
  evaluate: [
    call(() => [
      model(),
      batches(),
      { loss: bptt.meanSquaredError, metrics: { mae: bptt.meanAbsoluteError }, carryState: true },
    ]),
    call(() => [model(), [batch()], { loss: bptt.meanSquaredError }]),
    call(() => [custom(), [{ x: bptt.full([2], 1) }]]),
  ],
  fit: [
    call(() => [
      model(),
      batches(),
      {
        loss: bptt.meanSquaredError,
        optimizer: bptt.adam(),
        epochs: 1,
        steps: 2,
        seed: 1,
        validation: batches(),
        patience: 1,
        optimizerState: bptt.initializeOptimizer(bptt.adam(), model().data.length),
        onProgress: () => undefined,
        checkpoint: { every: 1, write: () => undefined },
        signal: { aborted: false },
        carryState: true,
        run: bptt.runModel,
      },
    ]),
    call(() => [
      model(),
      [batch()],
      { loss: bptt.meanSquaredError, optimizer: bptt.adam(), resume: trainingState(), steps: 2 },
    ]),
    call(() => [custom(), [{ x: bptt.full([2], 1) }], { optimizer: bptt.adam() }]),
  ],
  gradientFlow: [
    call(() => [
      model(),
      { inputs: x(), targets: x(), mask: mask(), lengths: lengths() },
      { loss: bptt.meanSquaredError },
    ]),
  ],
  ...loss('binaryCrossEntropy'),
  ...loss('huber'),
  ...loss('meanAbsoluteError'),
  ...loss('meanSquaredError'),
  crossEntropy: [
    op((p) => [p.sequence, ids(), { mask: mask(), lengths: lengths(), reduction: 'mean' }]),
    op((p) => [p.sequence, ids()]),
  ],
  accuracy: [call(() => [x(), ids(), { mask: mask(), lengths: lengths() }])],
  bitsPerCharacter: [plain(1)],
  perplexity: [plain(1)],
  mixtureMean: [call(() => [mixture(), 1])],
  mixtureNegativeLogLikelihood: [
    op(() => [mixture(), bptt.full([3, 2, 1], 0), { mask: mask(), lengths: lengths(), reduction: 'sum' }]),
  ],
  mixtureParameters: [call(() => [mixture(), 1])],
  mixtureSize: [plain({ components: 2, size: 1 })],
  sampleMixture: [call(() => [mixture(), { size: 1, random: random(), temperature: 1 }])],
  amsgrad: [optimizer(0.01, { beta1: 0.9, beta2: 0.99, epsilon: 1e-8 })],
  nadam: [optimizer(0.01, { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, momentumDecay: 0.01 })],
  centeredRmsprop: [optimizer(0.01, { rho: 0.9, epsilon: 1e-8, momentum: 0.5 })],
  averageWeights: [optimizer({ decay: 0.9, start: 1, every: 2 })],
  averagedModel: [
    call(() => {
      const averaged = bptt.chain(bptt.adam(), bptt.averageWeights());
      return [model(), averaged, { ...bptt.initializeOptimizer(averaged, model().data.length), step: 1 }];
    }),
  ],
  freeze: [
    call(
      () => [['w'], bptt.chain(bptt.clipByNorm(1), bptt.adam())],
      trainOnce as Call['use'] & {},
      'applyOptimizer',
      'initializeOptimizer',
    ),
  ],
  reduceOnPlateau: [
    call(() => [0.1, { factor: 0.5, patience: 1, threshold: 0.1, cooldown: 1, minRate: 0 }], ((
      rate: ReturnType<typeof bptt.reduceOnPlateau>,
    ) => rate(3, [2, 1])) as Call['use'] & {}),
  ],
  crossEntropyWith: [
    call(() => [{ classWeights: [1, 2], labelSmoothing: 0.1 }], ((weighted: bptt.Loss<bptt.IntTensor>) =>
      bptt.compute({ x: x() }, (p) => weighted(p.x, ids(), { mask: mask() }))) as Call['use'] & {}),
  ],
  binaryCrossEntropyWith: [
    call(() => [{ positiveWeight: [1, 2] }], ((weighted: bptt.Loss<bptt.Tensor>) =>
      bptt.compute({ x: x() }, (p) => weighted(p.x, x(), { mask: mask() }))) as Call['use'] & {}),
  ],
  measure: [
    call(
      () => [bptt.f1Score({ average: 'macro' }), x(), ids(), { mask: mask(), lengths: lengths() }],
      undefined,
      'f1Score',
    ),
    call(() => [bptt.r2Score(), x(), x(), { mask: mask() }], undefined, 'r2Score'),
  ],
  f1Score: [metric({ average: 'macro', threshold: 0 })],
  confusionMatrix: [metric({ threshold: 0 })],
  rocAuc: [metric()],
  r2Score: [metric()],
  rootMeanSquaredError: [metric()],
  topKAccuracy: [call(() => [1], ((top: ReturnType<typeof bptt.topKAccuracy>) => top(x(), ids())) as Call['use'] & {})],
  lstmWith: [
    call(
      () => [{ activation: bptt.relu, gateActivation: bptt.hardSigmoid(0.2) }, 'own'],
      unrollOnce,
      'multiply',
      'add',
    ),
  ],
  gruWith: [
    call(
      () => [{ activation: bptt.relu, gateActivation: bptt.hardSigmoid(0.2), reset: 'before' }, 'own'],
      unrollOnce,
      'multiply',
      'add',
      'subtract',
    ),
  ],
  hardSigmoid: [
    call(() => [0.2], ((f: bptt.ActivationFunction) => bptt.compute({ x: x() }, (p) => f(p.x))) as Call['use'] & {}),
  ],
  linear: [call(() => [x()])],
  summary: [call(() => [model()]), call(() => [translator()]), call(() => [custom()])],
  createPredictor: [call(() => [model()])],
  createStreamPool: [call(() => [model()])],
  predictStates: [call(() => [model(), x(), { lengths: lengths(), resets: resets() }])],
  adagrad: [optimizer(0.01, { epsilon: 1e-8, initialAccumulator: 0.1 })],
  adam: [optimizer(0.01, { beta1: 0.9, beta2: 0.99, epsilon: 1e-8 })],
  adamw: [optimizer(0.01, { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 })],
  rmsprop: [optimizer(0.01, { rho: 0.9, epsilon: 1e-8, momentum: 0.5 })],
  sgd: [optimizer(0.01, { momentum: 0.9, nesterov: true })],
  chain: [
    call(
      () => [bptt.clipByNorm(1), bptt.adam()],
      trainOnce as Call['use'] & {},
      'applyOptimizer',
      'initializeOptimizer',
    ),
  ],
  clipByNorm: [optimizer(1)],
  clipByValue: [optimizer(1)],
  l1: [optimizer(0.1, { only: () => true })],
  maxNorm: [optimizer(1, { only: () => true })],
  weightDecay: [optimizer(0.1, { only: () => true })],
  applyOptimizer: [
    call(() => [
      bptt.adam(),
      bptt.initializeOptimizer(bptt.adam(), 2),
      { w: bptt.full([2], 1) },
      { w: bptt.full([2], 1) },
    ]),
  ],
  initializeOptimizer: [call(() => [bptt.adam(), 2])],
  sampledCrossEntropy: [
    op((p) => [
      p.sequence,
      { weight: p.matrix, bias: p.vector },
      ids(),
      { samples: 1, random: random(), mask: mask(), lengths: lengths(), reduction: 'sum' },
    ]),
  ],
  cosineDecay: [schedule(0.1, { steps: 10, minRate: 0 })],
  exponentialDecay: [schedule(0.1, { every: 2, factor: 0.5 })],
  stepDecay: [schedule(0.1, { every: 2, factor: 0.5 })],
  warmup: [schedule(0.1, { steps: 3 })],
  truncatedBptt: [
    call(
      () => [
        model(),
        {
          window: 3,
          stride: 3,
          loss: bptt.meanSquaredError,
          optimizer: bptt.adam(),
          batchSize: 2,
          seed: 1,
          optimizerState: bptt.initializeOptimizer(bptt.adam(), model().data.length),
          memory: { before: undefined, state: undefined, kept: undefined, waiting: undefined },
        },
      ],
      ((trainer: bptt.StreamTrainer) => bptt.trainOn(trainer, { inputs: x(), targets: x() })) as Call['use'] & {},
      'trainOn',
    ),
  ],
  trainOn: [
    call(() => [
      bptt.truncatedBptt(model(), { window: 3, loss: bptt.meanSquaredError, optimizer: bptt.adam(), batchSize: 2 }),
      { inputs: x(), targets: x(), mask: mask(), resets: resets() },
    ]),
  ],
};
