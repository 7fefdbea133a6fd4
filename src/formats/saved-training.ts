/** The training state as tensors and JSON of a file. */

import { joinNames, splitNames } from '../layers/nested-names';
import { checkCount } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import type { Draw, TrainingState } from '../training/training-state';
import type { Json } from './description';

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
    optimizerStep: optimizer.step,
    slots: optimizer.slots.length,
    random: [...random],
    draws: draws.map((draw) => ({ position: draw.position, random: [...draw.random] })),
    best: best ? { loss: String(best.loss), epoch: best.epoch } : null,
    carries: carried !== undefined,
  };
}

/**
 * Reads a training state, except for the parameters of the model.
 *
 * @param size the number of parameters of the model
 * @throws RangeError if something is missing or malformed
 */
export function readTraining(
  where: string,
  json: Json,
  tensors: Readonly<Record<string, Tensor>>,
  size: number,
): TrainingState {
  const record = fields(where, json);
  const count = (name: string, minimum = 0): number => {
    checkCount(where, `bptt.training.${name}`, record[name] as number, minimum);
    return record[name] as number;
  };
  const listOf = (name: string, value: unknown): readonly Json[] => {
    if (!Array.isArray(value)) throw new RangeError(`${where}: bptt.training.${name} must be an array.`);
    return value as readonly Json[];
  };
  const numberIn = (name: string, text: unknown): number => {
    if (typeof text !== 'string')
      throw new RangeError(`${where}: bptt.training.${name} must be a string with a number.`);
    return Number(text);
  };
  const words = (name: string, value: unknown): Uint32Array => {
    const list = listOf(name, value);
    for (const word of list) checkCount(where, `bptt.training.${name}`, word as number, 0);
    if (list.length !== 4)
      throw new RangeError(`${where}: bptt.training.${name} must have four elements, got ${list.length}.`);
    return Uint32Array.from(list as number[]);
  };
  const vectorOf = (name: string, length: number): Float32Array => {
    const path = `training/${name}`;
    const found = Object.hasOwn(tensors, path) ? tensors[path]! : undefined;
    if (found?.data.length !== length)
      throw new RangeError(
        `${where}: ${path} must have ${length} elements, the file has ${found?.data.length ?? 'none'}.`,
      );
    return found.data;
  };
  const slots = count('slots');
  if (slots > Object.keys(tensors).length)
    throw new RangeError(`${where}: bptt.training.slots is ${slots}, more than the number of tensors in the file.`);
  const best = record['best'] === null ? undefined : fields(where, record['best']!);
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
    random: words('random', record['random']),
    draws: listOf('draws', record['draws']).map((entry): Draw => {
      const draw = fields(where, entry);
      checkCount(where, 'bptt.training.draws.position', draw['position'] as number, 0);
      return { position: draw['position'] as number, random: words('draws', draw['random']) };
    }),
    losses: Array.from(vectorOf('losses', step)),
    smoothedLoss: numberIn('smoothedLoss', record['smoothedLoss']),
    validationLosses: listOf('validationLosses', record['validationLosses']).map((loss) =>
      numberIn('validationLosses', loss),
    ),
    best: best && {
      loss: numberIn('best.loss', best['loss']),
      epoch: best['epoch'] as number,
      parameters: vectorOf('best', size),
    },
    carried: record['carries'] === true ? carriedIn(tensors) : undefined,
  };
}

function fields(where: string, json: Json): Readonly<Record<string, Json>> {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new RangeError(`${where}: bptt.training and its entries must be objects.`);
  return json as Readonly<Record<string, Json>>;
}

/** The carried state, whose tensors are named `training/carried.…`. */
function carriedIn(tensors: Readonly<Record<string, Tensor>>): TrainingState['carried'] {
  const carried = Object.entries(tensors)
    .filter(([name]) => name.startsWith('training/carried.'))
    .map(([name, tensor]) => [name.slice('training/carried.'.length), tensor]);
  return splitNames(Object.fromEntries(carried) as Record<string, Tensor>);
}
