/** Where training stands, as tensors and JSON of a file. */

import { joinNames, splitNames } from '../layers/nested-names';
import { checkCount } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import type { Draw, TrainingState } from '../training/training-state';
import type { Json } from './description';

const vector = (data: Float32Array): Tensor => ({ shape: [data.length], data });

/** The vectors of a state: moments, losses, the best parameters, and the state that is carried. */
export function trainingTensors({ optimizer, losses, best, carried }: TrainingState): Readonly<Record<string, Tensor>> {
  const inner = {
    ...Object.fromEntries(optimizer.slots.map((slot, i) => [`optimizer.${i}`, vector(slot)])),
    losses: vector(Float32Array.from(losses)),
    ...(best && { best: vector(best.parameters) }),
    ...(carried && joinNames({ carried: joinNames(carried) })),
  };
  return Object.fromEntries(Object.entries(inner).map(([name, tensor]) => [`training/${name}`, tensor]));
}

/** All else: numbers that JSON keeps. */
export function writeTraining(state: TrainingState): Json {
  const { step, epoch, position, optimizer, random, draws, smoothedLoss, validationLosses, best, carried } = state;
  return {
    step,
    epoch,
    position,
    // As text, which keeps NaN and infinities.
    smoothedLoss: String(smoothedLoss),
    validationLosses: validationLosses.map(String),
    optimizerStep: optimizer.step,
    slots: optimizer.slots.length,
    random: [...random],
    draws: draws.map((draw) => ({ position: draw.position, random: [...draw.random] })),
    best: best ? { loss: String(best.loss), epoch: best.epoch } : null,
    carries: carried !== undefined,
  };
}

/** The state again, but for the model's own parameters. @throws RangeError where something is missing or is not what it should be */
export function readTraining(
  where: string,
  json: Json,
  tensors: Readonly<Record<string, Tensor>>,
  size: number,
): TrainingState {
  const told = fields(where, json);
  const count = (name: string, least = 0): number => {
    checkCount(where, `bptt.training.${name}`, told[name] as number, least);
    return told[name] as number;
  };
  const listOf = (name: string, value: unknown): readonly Json[] => {
    if (!Array.isArray(value)) throw new RangeError(`${where}: bptt.training.${name} must be a list.`);
    return value as readonly Json[];
  };
  const numberIn = (name: string, text: unknown): number => {
    if (typeof text !== 'string') throw new RangeError(`${where}: bptt.training.${name} must be a number in text.`);
    return Number(text);
  };
  const words = (name: string, value: unknown): Uint32Array => {
    const list = listOf(name, value);
    list.forEach((each) => checkCount(where, `bptt.training.${name}`, each as number, 0));
    if (list.length !== 4)
      throw new RangeError(`${where}: bptt.training.${name} must be four words, got ${list.length}.`);
    return Uint32Array.from(list as number[]);
  };
  const vectorOf = (name: string, length: number): Float32Array => {
    const path = `training/${name}`;
    const found = Object.hasOwn(tensors, path) ? tensors[path]! : undefined;
    if (found?.data.length !== length)
      throw new RangeError(
        `${where}: ${path} must hold ${length} numbers, the file has ${found?.data.length ?? 'none'}.`,
      );
    return found.data;
  };
  const slots = count('slots');
  if (slots > Object.keys(tensors).length)
    throw new RangeError(`${where}: bptt.training.slots is ${slots}, more than the file has.`);
  const best = told['best'] === null ? undefined : fields(where, told['best']!);
  if (best !== undefined) checkCount(where, 'bptt.training.best.epoch', best['epoch'] as number);
  const step = count('step', 1);
  return {
    step,
    epoch: count('epoch', 1),
    position: count('position', 1),
    parameters: new Float32Array(0),
    optimizer: {
      step: count('optimizerStep'),
      slots: Array.from({ length: slots }, (_, i) => vectorOf(`optimizer.${i}`, size)),
    },
    random: words('random', told['random']),
    draws: listOf('draws', told['draws']).map((each): Draw => {
      const draw = fields(where, each);
      checkCount(where, 'bptt.training.draws.position', draw['position'] as number, 0);
      return { position: draw['position'] as number, random: words('draws', draw['random']) };
    }),
    losses: Array.from(vectorOf('losses', step)),
    smoothedLoss: numberIn('smoothedLoss', told['smoothedLoss']),
    validationLosses: listOf('validationLosses', told['validationLosses']).map((each) =>
      numberIn('validationLosses', each),
    ),
    best: best && {
      loss: numberIn('best.loss', best['loss']),
      epoch: best['epoch'] as number,
      parameters: vectorOf('best', size),
    },
    carried: told['carries'] === true ? carriedIn(tensors) : undefined,
  };
}

function fields(where: string, json: Json): Readonly<Record<string, Json>> {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new RangeError(`${where}: bptt.training in the file is not what it should be.`);
  return json as Readonly<Record<string, Json>>;
}

function carriedIn(tensors: Readonly<Record<string, Tensor>>): TrainingState['carried'] {
  const own = Object.entries(tensors)
    .filter(([name]) => name.startsWith('training/carried.'))
    .map(([name, tensor]) => [name.slice('training/carried.'.length), tensor]);
  return splitNames(Object.fromEntries(own) as Record<string, Tensor>);
}
