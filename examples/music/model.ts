/** A network that guesses the next note, one attribute after the other. */

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
import { type Attribute, attributes, type NoteIds, placeAfter, places, sizes } from './notes';

/** Notes side by side, `[T + 1, B]` of every attribute: each is guessed from those before it. */
export type Notes = Readonly<Record<Attribute | 'place', IntTensor>>;

/** Rows of notes that are equally long. */
export function notesBatch(rows: readonly (readonly NoteIds[])[]): Notes {
  return Object.fromEntries(
    ([...attributes, 'place'] as const).map((name) => [
      name,
      toTimeMajor(intTensor(rows.map((notes) => notes.map((note) => note[name])))),
    ]),
  ) as unknown as Notes;
}

const widths: Readonly<Record<Attribute | 'place', number>> = {
  shift: 12,
  hand: 4,
  pitch: 32,
  duration: 12,
  place: 16,
};
const widthOf = (names: readonly (Attribute | 'place')[]): number => names.reduce((sum, name) => sum + widths[name], 0);

type Weights = Sequential['parameters'];
export type MusicParameters = {
  readonly tables: Readonly<Record<Attribute | 'place', Tensor>>;
  readonly memory: Weights;
  readonly heads: Readonly<Record<Attribute, Weights>>;
};
type Variables = Mapped<MusicParameters, Variable>;

/** A network over notes. */
export interface MusicModel {
  readonly model: CustomModel<MusicParameters, Notes>;
  /** The mean of −log p of every attribute over all notes but the first. */
  readonly losses: (notes: Notes) => Readonly<Record<Attribute, number>>;
  /** So many notes that follow others. */
  readonly compose: (
    prompt: readonly NoteIds[],
    count: number,
    options: { readonly temperature: number; readonly seed: number },
  ) => readonly NoteIds[];
}

export function musicModel({ hiddenSize, seed }: { readonly hiddenSize: number; readonly seed: number }): MusicModel {
  const random = createRandom(seed);
  const seen = [...attributes, 'place'] as const;
  const tables = Object.fromEntries(
    seen.map((name) => [name, normal(0, 0.3)([name === 'place' ? places : sizes[name], widths[name]], random)]),
  ) as unknown as MusicParameters['tables'];
  const memory = sequential([dropout(0.3), recurrent(lstm(), { hiddenSize, recurrentDropout: 0.2 }), dropout(0.5)], {
    inputSize: widthOf(seen),
    seed,
  });
  // A head knows the state and what has been guessed of the note before its turn.
  const heads = Object.fromEntries(
    attributes.map((name, i) => [
      name,
      sequential([dense({ size: 96, activation: tanh }), dense({ size: sizes[name] })], {
        inputSize: hiddenSize + widthOf(attributes.slice(0, i)),
        seed: seed + 1 + i,
      }),
    ]),
  ) as Record<Attribute, Sequential>;

  /** The loss of each attribute. */
  const lossesOf = (p: Variables, notes: Notes, how?: RunOptions): Readonly<Record<Attribute, Variable>> => {
    const { output } = runModel(
      memory,
      p.memory,
      concat(
        seen.map((name) => gather(p.tables[name], sliceRows(notes[name], 0, -1))),
        2,
      ),
      how,
    );
    const known = [output];
    return Object.fromEntries(
      attributes.map((name) => {
        const next = sliceRows(notes[name], 1);
        const loss = crossEntropy(runModel(heads[name], p.heads[name], concat(known, 2), how).output, next);
        known.push(gather(p.tables[name], next));
        return [name, loss];
      }),
    ) as unknown as Readonly<Record<Attribute, Variable>>;
  };
  const model = customModel<MusicParameters, Notes>(
    {
      tables,
      memory: memory.parameters,
      heads: Object.fromEntries(
        attributes.map((name) => [name, heads[name].parameters]),
      ) as unknown as MusicParameters['heads'],
    },
    (p, notes, { training, random: draws }) =>
      Object.values(lossesOf(p, notes, { training, random: draws })).reduce(add),
  );

  return {
    model,
    losses: (notes) => {
      const losses = compute(model.parameters, (p) => ({ ...lossesOf(p, notes) }));
      return Object.fromEntries(attributes.map((name) => [name, losses[name].data[0]!])) as Record<Attribute, number>;
    },
    compose(prompt, count, { temperature, seed: luck }) {
      const random = createRandom(luck);
      const running = stream(withParameters(memory, model.parameters.memory));
      const guesses = attributes.map((name) => ({
        name,
        head: withParameters(heads[name], model.parameters.heads[name]),
      }));
      const row = (name: Attribute | 'place', id: number): Float32Array =>
        model.parameters.tables[name].data.subarray(id * widths[name], (id + 1) * widths[name]);
      const vector = (parts: readonly Float32Array[]): Float32Array =>
        Float32Array.from(parts.flatMap((part) => [...part]));
      const hear = (note: NoteIds): Float32Array =>
        advance(running, { shape: [1, widthOf(seen)], data: vector(seen.map((name) => row(name, note[name]))) }).data;
      let state: Float32Array = new Float32Array(0);
      for (const note of prompt) state = hear(note);
      let last = prompt.at(-1)!;
      return Array.from({ length: count }, () => {
        const note: Record<string, number> = {};
        const known = [state];
        for (const { name, head } of guesses) {
          const x = vector(known);
          const { data } = predict(head, { shape: [1, 1, x.length], data: x });
          note[name] = sampleFromLogits(data, random, { temperature });
          known.push(row(name, note[name]!));
        }
        last = { ...note, place: placeAfter(last.place, note['shift']!) } as unknown as NoteIds;
        state = hear(last);
        return last;
      });
    },
  };
}
