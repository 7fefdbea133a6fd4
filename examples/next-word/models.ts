/** Models of the next word. They share the embedding and the output layer, and differ in how they read the context. */

import {
  affine,
  type Cell,
  type CustomModel,
  compute,
  concat,
  createRandom,
  crossEntropy,
  customModel,
  dense,
  dropout,
  full,
  gather,
  gru,
  type IntTensor,
  type Layer,
  logSoftmax,
  lstm,
  type Mapped,
  matmul,
  normal,
  type RunOptions,
  recurrent,
  reshape,
  runModel,
  type Sequential,
  sampledCrossEntropy,
  sequential,
  simpleRnn,
  slice,
  type Tensor,
  tanh,
  transpose,
  type Variable,
} from 'bptt';

/** How a model reads the context. */
export interface ContextReader {
  /** Computes, from word embeddings `[T, B, E]`, the features of the context at every step, `[T, B, F]`. */
  readonly features: (words: Variable) => Variable;
  /** F / E */
  readonly width: number;
  /** Creates the hidden layer. */
  readonly layer: (hiddenSize: number) => Layer;
}

/** Concatenates the embeddings of the last `count` words, latest first; zeros before the first word. */
const windowOf =
  (count: number) =>
  (words: Variable): Variable => {
    const [T, B, E] = words.shape as [number, number, number];
    return concat(
      Array.from({ length: count }, (_, offset) => {
        const shift = Math.min(offset, T);
        return shift === 0 ? words : concat([full([shift, B, E], 0), slice(words, 0, T - shift)]);
      }),
      2,
    );
  };

/**
 * Averages the embeddings of the last `count` words, regardless of their order, with zeros before the first word: the
 * product of a band matrix `[T, T]` and the words.
 */
const bagOf =
  (count: number) =>
  (words: Variable): Variable => {
    const [T, B, E] = words.shape as [number, number, number];
    const band = Float32Array.from({ length: T * T }, (_, i) => {
      const offset = Math.floor(i / T) - (i % T);
      return offset >= 0 && offset < count ? 1 / count : 0;
    });
    return reshape(matmul({ shape: [T, T], data: band }, reshape(words, [T, B * E])), [T, B, E]);
  };

const feedForward = (features: ContextReader['features'], width: number): ContextReader => ({
  features,
  width,
  layer: (size) => dense({ size, activation: tanh }),
});
const recurrence = (cell: Cell): ContextReader => ({
  features: (words) => words,
  width: 1,
  layer: (hiddenSize) => recurrent(cell, { hiddenSize }),
});

/** The context readers by name. A fixed window is the model of Bengio, Ducharme, Vincent and Jauvin (2003). */
export const readers: Readonly<Record<string, ContextReader>> = {
  'bag of 20': feedForward(bagOf(20), 1),
  'window of 2': feedForward(windowOf(2), 2),
  'window of 10': feedForward(windowOf(10), 10),
  RNN: recurrence(simpleRnn()),
  GRU: recurrence(gru()),
  LSTM: recurrence(lstm()),
};

/** The sizes of a model. */
export interface Sizes {
  readonly vocabularySize: number;
  /** E, the embedding dimension. */
  readonly embeddingSize: number;
  readonly hiddenSize: number;
}

/**
 * The parameters of the hidden layers, and the word embeddings, which are also the weights of the output layer (tied
 * weights: Press and Wolf, 2017, arXiv 1608.05859).
 */
export type WordParameters = {
  readonly body: Sequential['parameters'];
  /** `weight` is `[V, E]`, `bias` is `[V]`. */
  readonly words: { readonly weight: Tensor; readonly bias: Tensor };
};

/** A language model over words. */
export interface WordModel {
  readonly model: CustomModel<WordParameters>;
  /** Computes log p of every next word for ids `[T, B]`: `[T, B, V]`. */
  readonly logProbabilities: (ids: IntTensor) => Tensor;
}

/** Creates a model: embedding, context reader, hidden layer, tied output layer. */
export function wordModel(
  { features, width, layer }: ContextReader,
  { vocabularySize, embeddingSize, hiddenSize }: Sizes,
  seed: number,
): WordModel {
  const body = sequential([dropout(0.3), layer(hiddenSize), dropout(0.3), dense({ size: embeddingSize })], {
    inputSize: width * embeddingSize,
    seed,
  });
  const words = {
    weight: normal(0, 0.1)([vocabularySize, embeddingSize], createRandom(seed)),
    bias: full([vocabularySize], 0),
  };
  type Variables = Mapped<WordParameters, Variable>;
  const hidden = (p: Variables, ids: IntTensor, options?: RunOptions): Variable =>
    runModel(body, p.body, features(gather(p.words.weight, ids)), options).output;
  const logits = (p: Variables, ids: IntTensor): Variable =>
    affine(hidden(p, ids), { weight: transpose(p.words.weight), bias: p.words.bias });
  const model = customModel<WordParameters>({ body: body.parameters, words }, (p, batch, { training, random }) => {
    const [inputs, targets] = [batch.inputs as IntTensor, batch.targets as IntTensor];
    // Sampled softmax trains in a third of the time; validation and test use the full softmax.
    return training
      ? sampledCrossEntropy(hidden(p, inputs, { training, random }), p.words, targets, { samples: 200, random })
      : crossEntropy(logits(p, inputs), targets);
  });
  return { model, logProbabilities: (ids) => compute(model.parameters, (p) => logSoftmax(logits(p, ids))) };
}
