/** The training state as tensors and JSON of a file. */

import { joinNames, splitNames } from '../layers/nested-names';
import { checkCount, checkNumber, counted } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import type { OptimizerState } from '../training/optimizers';
import type { Draw, TrainingState } from '../training/training-state';
import type { Json } from './description';
import { isJsonObject, type JsonObject } from './json-object';

const vector = (data: Float32Array): Tensor => ({ shape: [data.length], data });

/** The tensors of a training state: optimizer slots, losses, the best parameters and the carried state. */
export function trainingTensors({ optimizer, losses, best, carried }: TrainingState): Readonly<Record<string, Tensor>> {
  const inner = {
    ...Object.fromEntries(optimizer.slots.map((slot, i) => [`optimizer.${i}`, vector(slot)])),
    losses: vector(Float32Array.from(losses)),
    ...(best && { best: vector(best.parameters) }),
    ...(carried && joinNames({ carried: joinNames(carried) })),
  };
  return Object.fromEntries(Object.entries(inner).map(([name, tensor]) => [`training/${name}`, tensor]));
}

/** The rest of a training state as JSON. */
export function writeTraining(state: TrainingState): Json {
  const { step, epoch, position, optimizer, random, draws, smoothedLoss, validationLosses, best, carried } = state;
  return {
    step,
    epoch,
    position,
    // Strings, because JSON has no NaN and no infinities.
    smoothedLoss: String(smoothedLoss),
    validationLosses: validationLosses.map(String),
    // Absent in files of version 0.1.
    ...(optimizer.name === undefined ? {} : { optimizer: optimizer.name }),
    optimizerStep: optimizer.step,
    slots: optimizer.slots.length,
    random: [...random],
    draws: draws.map((draw) => ({ position: draw.position, random: [...draw.random] })),
    best: best ? { loss: String(best.loss), epoch: best.epoch } : null,
    carries: carried !== undefined,
  };
}

type Tensors = Readonly<Record<string, Tensor>>;

/**
 * Reads a training state, except for the parameters of the model.
 *
 * @param size the number of parameters of the model
 * @throws RangeError if something is missing or malformed
 */
export function readTraining(where: string, json: Json, tensors: Tensors, size: number): TrainingState {
  const record = fields(where, json);
  const step = count(where, record, 'step', 1);
  // Every epoch has an update.
  const epoch = count(where, record, 'epoch', 1, step);
  const position = count(where, record, 'position', 1);
  const best = record['best'] === null ? undefined : fields(where, record['best']);
  return {
    step,
    epoch,
    position,
    parameters: new Float32Array(0),
    optimizer: readOptimizer(where, record, tensors, size),
    random: generatorState(where, record),
    draws: list(where, record, 'draws').map((entry): Draw => {
      const draw = fields(where, entry);
      return { position: count(where, draw, 'position', 0, position), random: generatorState(where, draw) };
    }),
    losses: readLosses(where, tensors, step),
    smoothedLoss: loss(where, 'smoothedLoss', record['smoothedLoss']),
    validationLosses: list(where, record, 'validationLosses').map((value) => loss(where, 'validationLosses', value)),
    best: best && {
      loss: loss(where, 'best.loss', best['loss']),
      epoch: count(where, best, 'epoch', 1, epoch),
      parameters: vectorOf(where, tensors, 'best', size),
    },
    carried: record['carries'] === true ? carriedIn(tensors) : undefined,
  };
}

function readOptimizer(where: string, record: JsonObject, tensors: Tensors, size: number): OptimizerState {
  const slots = count(where, record, 'slots', 0);
  if (slots > Object.keys(tensors).length)
    throw new RangeError(`${where}: bptt.training.slots is ${slots}, more than the number of tensors in the file.`);
  const name = record.optimizer;
  if (name !== undefined && typeof name !== 'string')
    throw new RangeError(`${where}: bptt.training.optimizer must be the name of an optimizer.`);
  return {
    name,
    step: count(where, record, 'optimizerStep', 0),
    slots: Array.from({ length: slots }, (_, i) => vectorOf(where, tensors, `optimizer.${i}`, size)),
  };
}

function readLosses(where: string, tensors: Tensors, step: number): readonly number[] {
  const losses = Array.from(vectorOf(where, tensors, 'losses', step));
  if (losses.some(Number.isNaN)) throw new RangeError(`${where}: training/losses must be numbers, got NaN.`);
  return losses;
}

function fields(where: string, json: Json | undefined): JsonObject {
  if (!isJsonObject(json)) throw new RangeError(`${where}: bptt.training and its entries must be objects.`);
  return json;
}

function count(where: string, record: JsonObject, name: string, minimum: number, maximum?: number): number {
  // `checkCount` rejects everything that is not a number.
  const value = record[name] as number;
  checkCount(where, `bptt.training.${name}`, value, minimum);
  checkNumber(where, `bptt.training.${name}`, value, minimum, maximum);
  return value;
}

function list(where: string, record: JsonObject, name: string): readonly Json[] {
  const value = record[name];
  if (!Array.isArray(value)) throw new RangeError(`${where}: bptt.training.${name} must be an array.`);
  return value as readonly Json[];
}

/** A number as {@link writeTraining} writes it, which may be `NaN` or `Infinity`. */
function loss(where: string, name: string, text: Json | undefined): number {
  if (typeof text !== 'string' || String(Number(text)) !== text)
    throw new RangeError(`${where}: bptt.training.${name} must be a string with a number.`);
  return Number(text);
}

/** The state of a random number generator: from a state of zeros, it would draw only zeros. */
function generatorState(where: string, record: JsonObject): Uint32Array {
  const words = list(where, record, 'random');
  const isWord = (word: Json): word is number => typeof word === 'number' && word === word >>> 0;
  if (words.length !== 4 || !words.every(isWord) || words.every((word) => word === 0))
    throw new RangeError(`${where}: bptt.training.random must be four 32-bit unsigned integers that are not all 0.`);
  return Uint32Array.from(words);
}

function vectorOf(where: string, tensors: Tensors, name: string, length: number): Float32Array {
  const path = `training/${name}`;
  const found = Object.hasOwn(tensors, path) ? tensors[path]! : undefined;
  if (found?.data.length !== length)
    throw new RangeError(
      `${where}: ${path} must have ${counted(length, 'element')}, the file has ${found?.data.length ?? 'none'}.`,
    );
  return found.data;
}

/** The carried state, whose tensors are named `training/carried.…`. */
function carriedIn(tensors: Readonly<Record<string, Tensor>>): TrainingState['carried'] {
  const carried = Object.entries(tensors)
    .filter(([name]) => name.startsWith('training/carried.'))
    .map(([name, tensor]) => [name.slice('training/carried.'.length), tensor]);
  return splitNames(Object.fromEntries(carried) as Record<string, Tensor>);
}
