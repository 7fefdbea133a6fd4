/**
 * Files of trained forecasters: safetensors with the parameters of every network, under its number. The metadata has
 * the description of the networks, as {@link save} writes it, and the options, scaling and names of the forecaster.
 */

import {
  type Bytes,
  type Cell,
  type CustomObjects,
  load,
  readSafetensors,
  type Safetensors,
  save,
  type Tensor,
  writeSafetensors,
} from '../index';
import { lastOf } from '../tensor/arrays';
import { withCaller } from '../tensor/error-context';
import { checkNames, checkObject } from '../tensor/shape';
import { distributionOf } from './distributions';
import { type FeaturePlan, inputSize } from './features';
import { checkFitted, type FittedForecaster } from './fit-forecaster';
import { forecaster } from './forecaster';
import { embeddingSize, embeddingsSize, type Member } from './network';
import { type Description, layout, readDescription } from './saved-description';

/** The options of {@link saveForecaster} and {@link loadForecaster}. */
export interface SavedForecasterOptions {
  /** The custom cells and activations of the forecaster by name, as for `save` and `load`. */
  readonly customObjects?: CustomObjects | undefined;
}

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
export function saveForecaster(fitted: FittedForecaster, options: SavedForecasterOptions = {}): Bytes {
  checkFitted('saveForecaster', fitted);
  checkNames('saveForecaster', 'options', options, ['customObjects']);
  if (options.customObjects !== undefined) checkObject('saveForecaster', 'customObjects', options.customObjects);
  const { forecaster: settings, members, ...parts } = fitted;
  const { cell: _, distribution, ...rest } = settings;
  const description: Description = {
    options: rest,
    distribution: { name: distribution.name, ...(distribution.levels && { levels: distribution.levels }) },
    ...parts,
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
  const read = withCaller(where, () => readSafetensors(file));
  const saved = readDescription(where, read.metadata['bptt.forecaster']);
  const members = Array.from({ length: saved.members }, (_, m) => memberOf(where, read, m, options));
  const { options: rest, distribution, schema, covariates, scalers, calibration, trainedCalibration } = saved;
  const [first] = members[0]!.network.layers;
  // The cell is the first argument of `recurrent`.
  const cell = first?.layer.origin?.[1] as Cell;
  const { name, levels } = distribution;
  const described = fromFile(where, () => forecaster({ ...rest, cell, distribution: distributionOf(name, levels) }));
  const plan = { forecaster: described, schema, covariates };
  for (const member of members) checkMember(where, plan, member);
  return {
    ...plan,
    scalers,
    members,
    calibration,
    trainedCalibration,
    validationLosses: saved.validationLosses.map((loss) => loss ?? NaN),
  };
}

/** Runs `create` on values of a file. @throws RangeError in place of any error of the library */
function fromFile<R>(where: string, create: () => R): R {
  try {
    return create();
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new RangeError(`${where}: in the file, ${error.message.replace(/^\w+: /, '')}`);
  }
}

/** @throws RangeError if the tensors of a network do not have the shapes that the forecaster needs */
function checkMember(where: string, plan: FeaturePlan, { network, parameters }: Member): void {
  const { schema, covariates, forecaster: described } = plan;
  const { horizon, context, linearSkip, distribution } = described;
  const columns = schema.past.length + schema.future.length + schema.numbers.length;
  const embeddings = Object.entries(schema.categories).map(([name, { length }]) => [
    name,
    [length, embeddingSize(length)],
  ]);
  const skip = linearSkip
    ? [
        ['weight', [context, horizon]],
        ['bias', [horizon]],
      ]
    : [];
  const shapes = (tensors: Readonly<Record<string, Tensor>>): unknown[] =>
    Object.entries(tensors).map(([name, { shape }]) => [name, shape]);
  const fits =
    covariates.offset.length === columns &&
    covariates.scale.length === columns &&
    network.input.kind === 'vectors' &&
    network.input.size === inputSize(plan) + embeddingsSize(schema) &&
    network.parameters[lastOf(network.layers)?.name ?? '']?.['bias']?.shape[0] === distribution.size &&
    sameJson(shapes(parameters.embeddings), embeddings) &&
    sameJson(shapes(parameters.skip), skip);
  if (!fits) throw new RangeError(`${where}: the tensors in the file do not fit the options of the forecaster in it.`);
}

const sameJson = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  JSON.stringify([...a].sort()) === JSON.stringify([...b].sort());

/** Network m of a file. */
function memberOf(where: string, read: Safetensors, m: number, options: SavedForecasterOptions): Member {
  const part = (name: string): Record<string, Tensor> => {
    const prefix = `${m}/${name}/`;
    const entries = Object.entries(read.tensors).filter(([path]) => path.startsWith(prefix));
    return Object.fromEntries(entries.map(([path, value]) => [path.slice(prefix.length), value]));
  };
  const { 'bptt.forecaster': _, ...metadata } = read.metadata;
  const { model } = withCaller(where, () => load(writeSafetensors(part('network'), metadata), options));
  return {
    network: model,
    parameters: { network: model.parameters, embeddings: part('embeddings'), skip: part('skip') },
  };
}
