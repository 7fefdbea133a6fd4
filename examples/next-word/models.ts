/** Ways to look back at the words so far, and what all of them share: what words are, and how the next one is guessed. */

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

/** How a model looks back: of words `[T, B, E]` it makes, at every step, what of them it sees, `[T, B, F]`; its layers do the rest. */
export interface Reader {
  readonly look: (words: Variable) => Variable;
  /** F / E. */
  readonly width: number;
  readonly layer: (hiddenSize: number) => Layer;
}

/** The last `count` words side by side, the latest first; zeros before the first. */
const windowOf =
  (count: number) =>
  (words: Variable): Variable => {
    const [T, B, E] = words.shape as [number, number, number];
    return concat(
      Array.from({ length: count }, (_, back) => {
        const gone = Math.min(back, T);
        return gone === 0 ? words : concat([full([gone, B, E], 0), slice(words, 0, T - gone)]);
      }),
      2,
    );
  };

/** The sum of the last `count` words divided by `count`, whatever their order, zeros before the first: a band of ones, times the words. */
const bagOf =
  (count: number) =>
  (words: Variable): Variable => {
    const [T, B, E] = words.shape as [number, number, number];
    const band = Float32Array.from({ length: T * T }, (_, i) => {
      const back = Math.floor(i / T) - (i % T);
      return back >= 0 && back < count ? 1 / count : 0;
    });
    return reshape(matmul({ shape: [T, T], data: band }, reshape(words, [T, B * E])), [T, B, E]);
  };

const feedForward = (look: Reader['look'], width: number): Reader => ({
  look,
  width,
  layer: (size) => dense({ size, activation: tanh }),
});
const recurrence = (cell: Cell): Reader => ({
  look: (words) => words,
  width: 1,
  layer: (hiddenSize) => recurrent(cell, { hiddenSize }),
});

/** By name; a fixed window is the model of Bengio, Ducharme, Vincent and Jauvin (2003). */
export const readers: Readonly<Record<string, Reader>> = {
  'bag of 20': feedForward(bagOf(20), 1),
  'window of 2': feedForward(windowOf(2), 2),
  'window of 10': feedForward(windowOf(10), 10),
  RNN: recurrence(simpleRnn()),
  GRU: recurrence(gru()),
  LSTM: recurrence(lstm()),
};

/** How large a model is. */
export interface Sizes {
  readonly vocabularySize: number;
  /** E, the numbers that stand for a word. */
  readonly embeddingSize: number;
  readonly hiddenSize: number;
}

/** The parameters of what looks back, and the numbers of each word, which serve where it is read and where it is guessed (Press and Wolf, 2017, arXiv 1608.05859). */
export type WordParameters = {
  readonly body: Sequential['parameters'];
  readonly words: { readonly weight: Tensor; readonly bias: Tensor };
};

/** A model of the next word. */
export interface WordModel {
  readonly model: CustomModel<WordParameters>;
  /** log p of every word after ids `[T, B]`: `[T, B, V]`. */
  readonly logProbabilities: (ids: IntTensor) => Tensor;
}

export function wordModel(
  { look, width, layer }: Reader,
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
  const hidden = (p: Variables, ids: IntTensor, how?: RunOptions): Variable =>
    runModel(body, p.body, look(gather(p.words.weight, ids)), how).output;
  const logits = (p: Variables, ids: IntTensor): Variable =>
    affine(hidden(p, ids), { weight: transpose(p.words.weight), bias: p.words.bias });
  const model = customModel<WordParameters>({ body: body.parameters, words }, (p, batch, { training, random }) => {
    const [inputs, targets] = [batch.inputs as IntTensor, batch.targets as IntTensor];
    // Against all words only where it counts: a sample of them does for learning, in a third of the time.
    return training
      ? sampledCrossEntropy(hidden(p, inputs, { training, random }), p.words, targets, { samples: 200, random })
      : crossEntropy(logits(p, inputs), targets);
  });
  return { model, logProbabilities: (ids) => compute(model.parameters, (p) => logSoftmax(logits(p, ids))) };
}
