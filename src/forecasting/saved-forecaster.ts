/**
 * Files of trained forecasters: safetensors with the parameters of every network, under its number. The metadata has
 * the description of the networks, as {@link save} writes it, and the options, scaling and names of the forecaster.
 */

import {
  type Cell,
  type CustomObjects,
  load,
  readSafetensors,
  type Safetensors,
  save,
  type Tensor,
  writeSafetensors,
} from '../index';
import { checkKind, checkNames, isObject } from '../tensor/shape';
import { type Distribution, distributionOf } from './distributions';
import type { FittedForecaster } from './fit-forecaster';
import { type Forecaster, forecaster } from './forecaster';
import type { Member } from './network';

/** The options of {@link saveForecaster} and {@link loadForecaster}. */
export interface SavedForecasterOptions {
  /** The custom cells and activations of the forecaster by name, as for `save` and `load`. */
  readonly customObjects?: CustomObjects;
}

/** The parts of a forecaster in the metadata. */
interface Description extends Omit<FittedForecaster, 'forecaster' | 'members'> {
  readonly options: Omit<Forecaster, 'cell' | 'distribution'>;
  readonly distribution: Pick<Distribution, 'name' | 'levels'>;
}

/** The version of the layout. */
const layout = 1;

/**
 * Saves a trained forecaster: the networks, the scaling of every series, the calendar and the names of the covariates.
 *
 * @returns the bytes of a safetensors file
 * @throws TypeError if the cell is a custom one that is not in `customObjects`
 * @example
 * const values = Float64Array.from({ length: 60 }, (_, t) => 10 + (t % 4));
 * const fitted = await fitForecaster(forecaster({ horizon: 2 }), [{ name: 'a', values }], { steps: 5 });
 * const loaded = loadForecaster(saveForecaster(fitted));
 * forecast(loaded, [{ name: 'a', values }])[0]!.median[1] === forecast(fitted, [{ name: 'a', values }])[0]!.median[1];
 * // true
 */
export function saveForecaster(fitted: FittedForecaster, options: SavedForecasterOptions = {}): Uint8Array {
  checkKind('saveForecaster', 'fitted', fitted, 'a trained forecaster, as fitForecaster returns', 'members');
  checkNames('saveForecaster', 'options', options, ['customObjects']);
  const {
    forecaster: settings,
    members,
    schema,
    covariates,
    scalers,
    calibration,
    trainedCalibration,
    validationLosses,
  } = fitted;
  const { cell: _, distribution, ...rest } = settings;
  const description: Description = {
    options: rest,
    distribution: { name: distribution.name, ...(distribution.levels && { levels: distribution.levels }) },
    schema,
    covariates,
    scalers,
    calibration,
    trainedCalibration,
    validationLosses,
  };
  const files = members.map(({ network }) => readSafetensors(save(network, options)));
  const tensors = members.flatMap(({ parameters }, m) => [
    ...named(`${m}/network/`, files[m]!.tensors),
    ...named(`${m}/embeddings/`, parameters.embeddings),
    ...named(`${m}/skip/`, parameters.skip),
  ]);
  return writeSafetensors(Object.fromEntries(tensors), {
    ...files[0]!.metadata,
    'bptt.forecaster': JSON.stringify({ layout, members: members.length, ...description }),
  });
}

const named = (prefix: string, tensors: Readonly<Record<string, Tensor>>): [string, Tensor][] =>
  Object.entries(tensors).map(([name, value]) => [prefix + name, value]);

/**
 * Loads a forecaster from a file of {@link saveForecaster}. Its forecasts have the same bits.
 *
 * @throws TypeError if `file` is neither a Uint8Array nor an ArrayBuffer
 * @throws RangeError if the file is malformed or not that of a forecaster, or needs `customObjects` that are missing
 * @example
 * const values = Float64Array.from({ length: 60 }, (_, t) => 10 + (t % 4));
 * const fitted = await fitForecaster(forecaster({ horizon: 2 }), [{ name: 'a', values }], { steps: 5 });
 * loadForecaster(saveForecaster(fitted)).forecaster.horizon; // 2
 */
export function loadForecaster(file: Uint8Array | ArrayBuffer, options: SavedForecasterOptions = {}): FittedForecaster {
  const where = 'loadForecaster';
  checkNames(where, 'options', options, ['customObjects']);
  const read = readSafetensors(file);
  const saved = descriptionOf(where, read.metadata['bptt.forecaster']);
  const members = Array.from({ length: saved.members }, (_, m) => memberOf(read, m, options));
  const {
    options: rest,
    distribution,
    schema,
    covariates,
    scalers,
    calibration,
    trainedCalibration,
    validationLosses,
  } = saved;
  const cell = members[0]!.network.layers[0]!.layer.origin![1] as Cell;
  return {
    forecaster: forecaster({ ...rest, cell, distribution: distributionOf(distribution.name, distribution.levels) }),
    schema,
    covariates,
    scalers,
    members,
    calibration,
    trainedCalibration,
    validationLosses: validationLosses.map((loss) => loss ?? NaN),
  };
}

type Saved = Description & { readonly members: number };

/** @throws RangeError if the text is not the description of a forecaster */
function descriptionOf(where: string, text: string | undefined): Saved {
  if (text === undefined)
    throw new RangeError(`${where}: the file must be one of saveForecaster. Use load for a model.`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new RangeError(`${where}: bptt.forecaster in the file is not JSON.`);
  }
  const saved = parsed as Partial<Saved & { readonly layout: number }>;
  const parts = ['options', 'distribution', 'schema', 'covariates', 'scalers', 'validationLosses'] as const;
  if (!isObject(parsed) || typeof saved.layout !== 'number' || parts.some((name) => !isObject(saved[name])))
    throw new RangeError(`${where}: bptt.forecaster in the file must have ${parts.join(', ')}.`);
  if (saved.layout > layout)
    throw new RangeError(
      `${where}: the file has layout ${saved.layout}, this version supports layouts up to ${layout}.`,
    );
  if (!(Number.isInteger(saved.members) && saved.members! >= 1 && saved.members! <= 1000))
    throw new RangeError(`${where}: members in the file must be an integer from 1 to 1000, got ${saved.members}.`);
  return saved as Saved;
}

/** Network m of a file. */
function memberOf(read: Safetensors, m: number, options: SavedForecasterOptions): Member {
  const part = (name: string): Record<string, Tensor> => {
    const prefix = `${m}/${name}/`;
    const entries = Object.entries(read.tensors).filter(([path]) => path.startsWith(prefix));
    return Object.fromEntries(entries.map(([path, value]) => [path.slice(prefix.length), value]));
  };
  const { 'bptt.forecaster': _, ...metadata } = read.metadata;
  const { model } = load(writeSafetensors(part('network'), metadata), options);
  return {
    network: model,
    parameters: { network: model.parameters, embeddings: part('embeddings'), skip: part('skip') },
  };
}
