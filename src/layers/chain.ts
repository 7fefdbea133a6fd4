/** Layers in order, each of which runs on the output of the previous one. */

import { operand, type Variable } from '../autodiff/tape';
import { lastOf } from '../tensor/arrays';
import { withCaller } from '../tensor/error-context';
import type { ParameterSpec } from '../tensor/parameter-spec';
import { checkArray, checkCount, checkFunctions, checkNames, checkSome, outOfRange } from '../tensor/shape';
import type { IntTensor } from '../tensor/tensor';
import type { Features, Layer, LayerContext, LayerResult, LayerState } from './layer';

/** A layer of a model, with its name. */
export interface NamedLayer {
  readonly name: string;
  readonly layer: Layer;
  /** The features of its input. */
  readonly input: Features;
  /** The features of its output. */
  readonly output: Features;
}

/**
 * Names layers by their stems, the second `lstm` as `lstm2`, and computes the features between them.
 *
 * @param outputOf returns the features of the output of a layer: {@link checkedOutput} when a model is created; later,
 * its layers need no check
 */
export function chain(
  layers: readonly Layer[],
  input: Features,
  outputOf = (layer: Layer, features: Features): Features => layer.output(features),
): readonly NamedLayer[] {
  let features = input;
  const names = namesOf(layers);
  return layers.map((layer, i) => {
    const name = names[i]!;
    const layerInput = features;
    features = withCaller(`layer ${name}`, () => outputOf(layer, layerInput));
    return { name, layer, input: layerInput, output: features };
  });
}

/**
 * The features of the output of a layer.
 *
 * @throws RangeError if the layer does not support the input, or returns no features
 */
export function checkedOutput(layer: Layer, input: Features): Features {
  const { accepts = 'vectors' } = layer;
  if ((accepts === 'ids') !== (input.kind === 'ids'))
    throw outOfRange(
      'chain',
      'the input',
      accepts,
      input.kind,
      'Only the first layer of a model without inputSize accepts ids.',
    );
  const output: Features | undefined = layer.output(input);
  if (output?.kind !== 'ids') checkCount('chain', 'the size of the output', output?.size as number);
  return output;
}

/**
 * The features of a model's input: vectors of the given size, or ids.
 *
 * @throws RangeError if the size is not a positive integer, or missing although the first layer does not accept ids
 */
export function inputFeatures(caller: string, [first]: readonly Layer[], inputSize: number | undefined): Features {
  if (inputSize === undefined) {
    if (first!.accepts === 'ids') return { kind: 'ids' };
    throw outOfRange(caller, 'inputSize', `the size of the vectors that layer ${first!.name} accepts`, inputSize);
  }
  checkCount(caller, 'inputSize', inputSize);
  return { kind: 'vectors', size: inputSize, perStep: true };
}

/** @throws RangeError if a layer needs the whole sequence, so that the layers cannot run in the given way */
export function checkCausal(caller: string, layers: readonly NamedLayer[], how: string): void {
  const whole = layers.find(({ layer }) => layer.causal === false);
  if (whole !== undefined)
    throw new RangeError(`${caller}: layer ${whole.name} needs the whole sequence, so it cannot run ${how}.`);
}

/** @throws TypeError if `layers` is not an array of layers; RangeError if it is empty */
export function checkLayers(where: string, argument: string, layers: readonly Layer[]): void {
  checkArray(where, argument, layers);
  checkSome(where, argument, layers.length, 'layer');
  layers.forEach((layer, i) => checkFunctions(where, `${argument}[${i}]`, layer, 'a layer', ['output', 'run']));
}

/** Returns a different name for each layer of a model: its own, followed by a number if a previous layer has that. */
export function namesOf(layers: readonly Layer[]): readonly string[] {
  const names = new Set<string>();
  for (const { name } of layers) {
    let own = name;
    for (let count = 2; names.has(own); count++) own = name + count;
    names.add(own);
  }
  return [...names];
}

/** Returns the parts of layers by layer name, such as their states; layers without parts are absent. */
export function partsByLayer<V>(
  layers: readonly (readonly [name: string, parts: Readonly<Record<string, V>> | undefined])[],
): Readonly<Record<string, Readonly<Record<string, V>>>> {
  const withParts = layers.filter(([, parts]) => Object.keys(parts ?? {}).length > 0);
  return Object.fromEntries(withParts as (readonly [string, Readonly<Record<string, V>>])[]);
}

/** Returns the parameter specifications of the layers that have parameters, by layer name. */
export function chainParameters(
  layers: readonly NamedLayer[],
): Readonly<Record<string, Readonly<Record<string, ParameterSpec>>>> {
  return partsByLayer(
    layers.map(({ name, layer, input }) => [name, withCaller(`layer ${name}`, () => layer.parameters?.(input))]),
  );
}

/** Names layers as {@link chain} does. Returns them with their parameter specifications, `plan`. */
export function planChain(
  layers: readonly Layer[],
  input: Features,
): { readonly named: readonly NamedLayer[]; readonly plan: ReturnType<typeof chainParameters> } {
  const named = chain(layers, input, checkedOutput);
  return { named, plan: chainParameters(named) };
}

/** The output of every layer in order, and the final states by layer name. */
export interface ChainRun {
  readonly outputs: readonly Variable[];
  readonly state: Readonly<Record<string, LayerState<Variable>>>;
  /** The result of every layer by layer name. */
  readonly results: Readonly<Record<string, LayerResult>>;
}

/** Returns the states after every step by layer name, `[T, B, H]` each; layers without state are absent. */
export function statesPerStep(results: ChainRun['results']): Readonly<Record<string, LayerState<Variable>>> {
  return partsByLayer(Object.entries(results).map(([name, { states }]) => [name, states?.()]));
}

/** Returns the number of valid steps of each row after a layer. */
export const lengthsAfter = ({ steps }: Layer, lengths: Int32Array | undefined): Int32Array | undefined =>
  steps && lengths ? lengths.map((n) => steps(n)) : lengths;

/** Returns the number of steps after layers, some of which may change it. */
export const stepsThrough = (layers: readonly Layer[], T: number): number =>
  layers.reduce((count, { steps }) => steps?.(count) ?? count, T);

/** Runs each layer on the output of the previous one. Errors name the layer: `layer lstm: …`. */
export function runChain(
  layers: readonly NamedLayer[],
  parameters: Readonly<Record<string, Readonly<Record<string, Variable>>>>,
  input: Variable | IntTensor,
  context: Omit<LayerContext, 'state'>,
  states: Readonly<Record<string, LayerContext['state']>> = {},
): ChainRun {
  const outputs: Variable[] = [];
  const state: Record<string, LayerState<Variable>> = {};
  const results: Record<string, LayerResult> = {};
  let { lengths } = context;
  for (const { name, layer } of layers) {
    const result = withCaller(`layer ${name}`, () =>
      layer.run(parameters[name] ?? {}, lastOf(outputs) ?? input, { ...context, lengths, state: states?.[name] }),
    );
    outputs.push(operand(`layer ${name}`, result?.output, 'the output'));
    lengths = lengthsAfter(layer, lengths);
    if (result.state && Object.keys(result.state).length > 0) state[name] = result.state;
    results[name] = result;
  }
  checkNames('chain', 'state', states, Object.keys(state));
  return { outputs, state, results };
}
