/** A model of the next note, which predicts one attribute after the other. */

import {
  add,
  advance,
  type CustomModel,
  compute,
  concat,
  createRandom,
  crossEntropy,
  customModel,
  dense,
  dropout,
  gather,
  type IntTensor,
  intTensor,
  lstm,
  type Mapped,
  normal,
  predict,
  type RunOptions,
  recurrent,
  runModel,
  type Sequential,
  sampleFromLogits,
  sequential,
  sliceRows,
  stream,
  type Tensor,
  tanh,
  toTimeMajor,
  type Variable,
  withParameters,
} from 'bptt';
import { type Attribute, attributes, type NoteIds, nextPosition, positions, recordOf, sizes } from './notes';

/** A batch of notes: ids `[T + 1, B]` of every attribute. Each note is predicted from those before it. */
export type Notes = Readonly<Record<Attribute | 'position', IntTensor>>;

/** Creates a batch from rows of equal length. */
export function notesBatch(rows: readonly (readonly NoteIds[])[]): Notes {
  return recordOf([...attributes, 'position'] as const, (name) =>
    toTimeMajor(intTensor(rows.map((notes) => notes.map((note) => note[name])))),
  );
}

/** Embedding dimensions. */
const widths: Readonly<Record<Attribute | 'position', number>> = {
  shift: 12,
  hand: 4,
  pitch: 32,
  duration: 12,
  position: 16,
};
const widthOf = (names: readonly (Attribute | 'position')[]): number =>
  names.reduce((sum, name) => sum + widths[name], 0);

type Weights = Sequential['parameters'];
export type MusicParameters = {
  /** Embedding tables, `[ids, dimension]`. */
  readonly tables: Readonly<Record<Attribute | 'position', Tensor>>;
  readonly trunk: Weights;
  readonly heads: Readonly<Record<Attribute, Weights>>;
};
type Variables = Mapped<MusicParameters, Variable>;

/** A model of the next note. */
export interface MusicModel {
  readonly model: CustomModel<MusicParameters, Notes>;
  /** Computes the mean of −log p of every attribute over all notes except the first. */
  readonly losses: (notes: Notes) => Readonly<Record<Attribute, number>>;
  /** Samples `count` notes that continue the prompt. */
  readonly compose: (
    prompt: readonly NoteIds[],
    count: number,
    options: { readonly temperature: number; readonly seed: number },
  ) => readonly NoteIds[];
}

/** Creates the model: embeddings, an LSTM, and a head per attribute. */
export function musicModel({ hiddenSize, seed }: { readonly hiddenSize: number; readonly seed: number }): MusicModel {
  const random = createRandom(seed);
  const inputNames = [...attributes, 'position'] as const;
  const tables = recordOf(inputNames, (name) =>
    normal(0, 0.3)([name === 'position' ? positions : sizes[name], widths[name]], random),
  );
  const trunk = sequential([dropout(0.3), recurrent(lstm(), { hiddenSize, recurrentDropout: 0.2 }), dropout(0.5)], {
    inputSize: widthOf(inputNames),
    seed,
  });
  // The input of a head is the output of the trunk and the attributes that are predicted before its own.
  const heads = recordOf(attributes, (name, i) =>
    sequential([dense({ size: 96, activation: tanh }), dense({ size: sizes[name] })], {
      inputSize: hiddenSize + widthOf(attributes.slice(0, i)),
      seed: seed + 1 + i,
    }),
  );

  /** Computes the cross-entropy of each attribute, with teacher forcing. */
  const lossesOf = (p: Variables, notes: Notes, options?: RunOptions): Readonly<Record<Attribute, Variable>> => {
    const { output } = runModel(
      trunk,
      p.trunk,
      concat(
        inputNames.map((name) => gather(p.tables[name], sliceRows(notes[name], 0, -1))),
        2,
      ),
      options,
    );
    const inputs = [output];
    return recordOf(attributes, (name) => {
      const next = sliceRows(notes[name], 1);
      const loss = crossEntropy(runModel(heads[name], p.heads[name], concat(inputs, 2), options).output, next);
      inputs.push(gather(p.tables[name], next));
      return loss;
    });
  };
  const model = customModel<MusicParameters, Notes>(
    {
      tables,
      trunk: trunk.parameters,
      heads: recordOf(attributes, (name) => heads[name].parameters),
    },
    (p, notes, { training, random: draws }) =>
      Object.values(lossesOf(p, notes, { training, random: draws })).reduce(add),
  );

  return {
    model,
    losses: (notes) => {
      const losses = compute(model.parameters, (p) => ({ ...lossesOf(p, notes) }));
      return recordOf(attributes, (name) => losses[name].data[0]!);
    },
    compose(prompt, count, { temperature, seed: sampleSeed }) {
      const random = createRandom(sampleSeed);
      const running = stream(withParameters(trunk, model.parameters.trunk));
      const trainedHeads = recordOf(attributes, (name) => withParameters(heads[name], model.parameters.heads[name]));
      const row = (name: Attribute | 'position', id: number): Float32Array =>
        model.parameters.tables[name].data.subarray(id * widths[name], (id + 1) * widths[name]);
      const vector = (parts: readonly Float32Array[]): Float32Array =>
        Float32Array.from(parts.flatMap((part) => [...part]));
      const read = (note: NoteIds): Float32Array =>
        advance(running, {
          shape: [1, widthOf(inputNames)],
          data: vector(inputNames.map((name) => row(name, note[name]))),
        }).data;
      let output: Float32Array = new Float32Array(0);
      for (const note of prompt) output = read(note);
      let last = prompt.at(-1)!;
      return Array.from({ length: count }, () => {
        const inputs = [output];
        const note = recordOf(attributes, (name) => {
          const x = vector(inputs);
          const { data } = predict(trainedHeads[name], { shape: [1, 1, x.length], data: x });
          const id = sampleFromLogits(data, random, { temperature });
          inputs.push(row(name, id));
          return id;
        });
        last = { ...note, position: nextPosition(last.position, note.shift) };
        output = read(last);
        return last;
      });
    },
  };
}
