/**
 * A program that uses most of the library and that every engine can run: it needs no global of the host. Each part
 * returns its results, from which {@link report} takes the bits.
 */

import {
  accuracy,
  adam,
  additiveScore,
  advance,
  attentionPooling,
  beamSearch,
  bidirectional,
  bucketBatches,
  bytePairVocabulary,
  type Cell,
  chain,
  characterVocabulary,
  checkGradients,
  clipByNorm,
  compute,
  createRandom,
  crossEntropy,
  crossEntropyWith,
  decode,
  dense,
  dropout,
  embedding,
  encode,
  encoderDecoder,
  evaluate,
  f1Score,
  fit,
  generalScore,
  generate,
  greedySearch,
  gru,
  gruWith,
  initializeCell,
  intTensor,
  type KernelName,
  kernelsInUse,
  kFold,
  type Layer,
  layerNorm,
  layerNormLstm,
  load,
  loadInto,
  lstm,
  lstmWith,
  matmul,
  meanSquaredError,
  measure,
  mixtureNegativeLogLikelihood,
  mixtureSize,
  multiply,
  padSequences,
  pairBatches,
  predict,
  predictStates,
  readSafetensors,
  recurrent,
  relu,
  residual,
  rocAuc,
  runInSegments,
  type Sequential,
  save,
  scaleWith,
  sequential,
  seriesWindows,
  split,
  splitGroups,
  standardScaler,
  stream,
  streamCell,
  sum,
  summary,
  type TrainingState,
  tensor,
  trainOn,
  truncatedBptt,
  useKernels,
  valueAndGradient,
  windows,
  withoutBias,
  wordVocabulary,
  writeSafetensors,
} from 'bptt';
import { importKeras } from 'bptt/keras';
import { exportOnnx, importOnnx, predictOnnx } from 'bptt/onnx';
import { fromPyTorch, inferModel, toPyTorch } from 'bptt/pytorch';

const text = 'Der Wal — “der weiße Wal!” 鯨 🐋 3.14 don’t. '.repeat(12);

const series = tensor(
  Float32Array.from({ length: 120 }, (_, i) => ((i * 37) % 17) / 8 - 1),
  [60, 2],
);

const classifier = (cell: Cell = lstm()): Sequential =>
  sequential(
    [
      embedding({ vocabularySize: 7, size: 4 }),
      recurrent(cell, { hiddenSize: 5 }),
      dense({ size: 7, activation: relu }),
    ],
    { seed: 3 },
  );

const ids = Int32Array.from({ length: 160 }, (_, i) => (i * i + (i >> 2)) % 7);

const trainingOf = (model: Sequential, steps: number, more: object = {}): Promise<unknown> =>
  fit(model, windows(ids, { sequenceLength: 6, batchSize: 4 }), {
    loss: crossEntropy,
    optimizer: chain(clipByNorm(1), adam(0.02)),
    steps,
    ...more,
  }).then((result) => [result, model.data]);

async function generated(vocabulary: ReturnType<typeof characterVocabulary>): Promise<unknown> {
  const model = sequential(
    [
      embedding({ vocabularySize: vocabulary.size, size: 4 }),
      recurrent(gru(), { hiddenSize: 6 }),
      dense({ size: vocabulary.size }),
    ],
    { seed: 5 },
  );
  const data = windows(encode(vocabulary, text), { sequenceLength: 8, batchSize: 3 });
  await fit(model, data, { loss: crossEntropy, optimizer: adam(0.02), steps: 10 });
  const prompt = encode(vocabulary, 'Wal');
  const more = generate(model, { prompt, length: 60, temperature: 1.2, topK: 40, seed: 2 });
  return [vocabulary.tokens, more, decode(vocabulary, more), decode(vocabulary, encode(vocabulary, text))];
}

/** The contents of files that the program reads. */
export interface Files {
  readonly keras: Uint8Array;
  readonly h5: Uint8Array;
  readonly onnx: Uint8Array;
}

/** The parts of the program by name. */
const parts: Readonly<Record<string, () => unknown>> = {
  tensors: () => [
    compute({ a: series }, ({ a }) => matmul(multiply(a, 2), tensor([[1], [2]]))),
    valueAndGradient({ w: tensor([3, 4]) }, ({ w }) => sum(multiply(w, w))),
    checkGradients({ w: tensor([0.5, 2]) }, ({ w }) => sum(multiply(w, multiply(w, w)))),
  ],
  'fit and predict': async () => {
    const model = classifier();
    return [await trainingOf(model, 12), predict(model, intTensor([[1], [2]])), summary(model)];
  },
  checkpoint: async () => {
    const states: TrainingState[] = [];
    const checkpoint = { every: 4, write: (state: TrainingState) => states.push(state) };
    await trainingOf(classifier(), 8, { checkpoint });
    const { training } = load(save(classifier(), { training: states[0] }));
    return trainingOf(classifier(), 8, { resume: training });
  },
  'an array of batches': async () => {
    const batches = [...windows(ids, { sequenceLength: 6, batchSize: 4 }).batches(createRandom(1))];
    const model = classifier();
    return [await fit(model, batches, { loss: crossEntropy, optimizer: adam(), epochs: 2 }), model.data];
  },
  'segments and validation': async () => {
    const model = classifier(gru({ reset: 'before' }));
    const data = windows(ids, { sequenceLength: 6, batchSize: 4 });
    return [
      await trainingOf(model, 6, { run: runInSegments, validation: data, patience: 3 }),
      evaluate(model, data, { loss: crossEntropy, metrics: { accuracy, f1: f1Score({ average: 'macro' }) } }),
    ];
  },
  layers: async () => {
    const layers: Layer[] = [
      bidirectional(lstmWith({ activation: relu }), { hiddenSize: 3 }),
      residual([recurrent(gruWith({}), { hiddenSize: 6 }), layerNorm()]),
      recurrent(layerNormLstm(), { hiddenSize: 4, zoneout: { h: 0.1 } }),
      dropout(0.2),
      attentionPooling({ score: additiveScore({ size: 3 }) }),
      withoutBias(dense({ size: mixtureSize({ components: 2, size: 2 }) })),
    ];
    const model = sequential(layers, { inputSize: 2, seed: 1 });
    const data = seriesWindows(scaleWith(standardScaler(series), series), { sequenceLength: 5, batchSize: 8 });
    const result = await fit(model, data, { loss: mixtureNegativeLogLikelihood, optimizer: adam(0.01), steps: 5 });
    return [result, model.data];
  },
  streams: () => {
    const model = classifier(lstm());
    const running = stream(model, { batchSize: 2 });
    const cell = streamCell(lstm(), initializeCell(lstm(), { inputSize: 1, hiddenSize: 2, random: 1 }));
    return [
      [1, 2, 3].map((id) => advance(running, intTensor([id, id + 1]))),
      running.state,
      [1, 2].map((x) => advance(cell, tensor([[x]]))),
      predictStates(
        model,
        intTensor([
          [1, 0],
          [4, 2],
        ]),
      ),
    ];
  },
  'online training': () => {
    const model = sequential([recurrent(gru(), { hiddenSize: 4 }), dense({ size: 2 })], { inputSize: 2, seed: 2 });
    const trainer = truncatedBptt(model, { window: 3, stride: 2, loss: meanSquaredError, optimizer: adam(0.01) });
    const steps = tensor(series.data.slice(0, 20), [10, 1, 2]);
    return [trainOn(trainer, { inputs: steps, targets: steps }), model.data];
  },
  'sequences to sequences': async () => {
    const model = encoderDecoder({
      encoder: [embedding({ vocabularySize: 6, size: 4 }), bidirectional(gru(), { hiddenSize: 4 })],
      decoder: { vocabularySize: 6, embeddingSize: 4, cell: gru(), hiddenSize: 6, attention: generalScore() },
      start: 0,
      end: 1,
    });
    const pairs = [
      [2, 3, 4],
      [5, 2],
      [4, 4, 5, 3],
    ].map((source) => ({
      input: Int32Array.from(source),
      target: Int32Array.from([...source.reverse(), 1]),
    }));
    await fit(model, pairBatches(pairs, { batchSize: 2 }), { optimizer: adam(0.02), steps: 10 });
    const sources = padSequences([Int32Array.of(5, 2), Int32Array.of(2, 3, 4)]);
    return [greedySearch(model, sources), beamSearch(model, sources, { beamSize: 3 })];
  },
  losses: () => {
    const logits = tensor([
      [0.5, -2],
      [1, 3],
      [100, -100],
    ]);
    const targets = intTensor([0, 1, 0]);
    const classWeights = [1, 2];
    return [
      compute({ logits }, (p) => crossEntropy(p.logits, targets)),
      compute({ logits }, (p) => crossEntropyWith({ labelSmoothing: 0.1, classWeights })(p.logits, targets)),
      measure(rocAuc(), logits, targets),
    ];
  },
  characters: () => generated(characterVocabulary(text, { marks: ['unknown'] })),
  words: () => generated(wordVocabulary(text)),
  'byte pairs': () => generated(bytePairVocabulary(text, { size: 290 })),
  'malformed bytes': () => {
    const vocabulary = bytePairVocabulary(text, { size: 256 });
    return [
      decode(
        vocabulary,
        [0xf0, 0x9f, 0x41, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0xe2, 0x82, 0xf4, 0x90, 0xff, 0xef, 0xbb, 0xbf],
      ),
      encode(vocabulary, '\ud83d a \udc0b \ufeff'),
    ];
  },
  safetensors: () => {
    const file = writeSafetensors({ 'weiß.🐋': series }, { ключ: '鯨' });
    return [file, readSafetensors(file)];
  },
  'malformed safetensors': () => {
    const file = writeSafetensors({ w: series }, { key: 'ä' });
    file[file.indexOf(0xc3) + 1] = 0x41;
    return messageOf(() => readSafetensors(file));
  },
  'save and load': () => {
    const model = classifier(gru());
    const file = save(model, { extras: { vocabulary: characterVocabulary(text), scaler: standardScaler(series) } });
    const { model: loaded, extras } = load(file);
    const other = classifier(gru());
    loadInto(other, file);
    return [file, loaded.data, extras, other.data, predict(loaded, intTensor([[1], [6]]))];
  },
  PyTorch: () => {
    const model = sequential([recurrent(lstm(), { hiddenSize: 3 }), dense({ size: 2 })], { inputSize: 2, seed: 9 });
    const file = writeSafetensors(toPyTorch(model));
    const copy = sequential([recurrent(lstm(), { hiddenSize: 3 }), dense({ size: 2 })], { inputSize: 2, seed: 8 });
    fromPyTorch(copy, readSafetensors(file).tensors);
    return [file, copy.data, inferModel(readSafetensors(file).tensors)];
  },
  ONNX: () => {
    const model = sequential([recurrent(gru(), { hiddenSize: 3 }), dense({ size: 2, activation: relu })], {
      inputSize: 2,
      seed: 9,
    });
    const file = exportOnnx(model);
    return [file, predictOnnx(importOnnx(file), { inputs: tensor([[[1, 2]], [[3, 4]]]) })];
  },
  'splits and buckets': () => {
    const examples = [[1, 2, 3], [4], [5, 6]].map((ids) => ({ input: Int32Array.from(ids), target: ids.length }));
    return [
      split(series, [0.7, 0.3]),
      split('鯨🐋', [0.5, 0.5]),
      splitGroups(['a', 'b', 'a', 'c'], [0.5, 0.5], { seed: 2 }),
      kFold(['a', 'b', 'a', 'c'], { k: 2 }),
      [...bucketBatches(examples, { batchSize: 2, bucket: 1 }).batches(createRandom(3))],
    ];
  },
  errors: () => [
    messageOf(() => predict(classifier(), tensor([[[1, 2]]]))),
    messageOf(() => tensor([[1], [2, 3]])),
    messageOf(() => encode(characterVocabulary('ab'), 'abc')),
  ],
};

function messageOf(body: () => unknown): string {
  try {
    body();
    return 'no error';
  } catch (error) {
    return String(error);
  }
}

/** The bits of every number and the text of every string in a value, hashed (FNV-1a). */
function digest(value: unknown): string {
  let hash = 0x811c9dc5;
  const mix = (word: number): void => {
    for (let shift = 0; shift < 32; shift += 8) hash = Math.imul(hash ^ ((word >>> shift) & 255), 0x01000193);
  };
  const visit = (part: unknown): void => {
    if (typeof part === 'number') new Uint32Array(Float64Array.of(part).buffer).forEach(mix);
    else if (typeof part === 'string') for (let i = 0; i < part.length; i++) mix(part.charCodeAt(i));
    else if (ArrayBuffer.isView(part)) {
      new Uint8Array(part.buffer, part.byteOffset, part.byteLength).forEach(mix);
    } else if (typeof part === 'object' && part !== null) {
      for (const [name, inner] of Object.entries(part)) {
        visit(name);
        visit(inner);
      }
    } else mix(typeof part === 'function' ? 1 : part === undefined ? 2 : part === null ? 3 : part === true ? 4 : 5);
  };
  visit(value);
  return (hash >>> 0).toString(16);
}

const filesOf = ({ keras, h5, onnx }: Files): typeof parts => ({
  'a file of Keras': () => importKeras(keras).model.data,
  'a file of Keras 2': () => importKeras(h5).model.data,
  'a file of ONNX': () => importOnnx(onnx).parameters,
});

/** Runs all parts on these kernels. Returns the digest of each part, or its error. */
export async function report(files: Files, kernels: KernelName = 'portable'): Promise<Record<string, string>> {
  useKernels(kernels);
  const results: Record<string, string> = {};
  for (const [name, run] of Object.entries({ ...parts, ...filesOf(files) })) {
    try {
      results[name] = digest(await run());
    } catch (error) {
      results[name] = `error: ${String(error)}`;
    }
  }
  results['kernels'] = kernelsInUse();
  useKernels(undefined);
  return results;
}
