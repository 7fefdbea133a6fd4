/** Layers one after the other. */

import type { Variable } from '../autodiff/tape';
import type { ParameterSpec } from '../tensor/parameter-spec';
import type { IntTensor } from '../tensor/tensor';
import type { Features, Layer, LayerContext, LayerState } from './layer';

/** A layer under its name in the model. */
export interface NamedLayer {
  readonly name: string;
  readonly layer: Layer;
  /** What comes in, and what goes out. */
  readonly input: Features;
  readonly output: Features;
}

/** Names layers by their stems, a second `lstm` as `lstm2`, and follows what flows through them. @throws RangeError where one cannot follow the one before */
export function chain(layers: readonly Layer[], input: Features): readonly NamedLayer[] {
  let features = input;
  const names = namesOf(layers);
  return layers.map((layer, i) => {
    const [comes, goes] = [features, layer.output(features)];
    features = goes;
    return { name: names[i]!, layer, input: comes, output: goes };
  });
}

/** The names that layers have in a model. */
export function namesOf(layers: readonly Layer[]): readonly string[] {
  return layers.map((layer, i) => {
    const before = layers.slice(0, i).filter(({ name }) => name === layer.name).length;
    return before === 0 ? layer.name : `${layer.name}${before + 1}`;
  });
}

/** The parameters of every layer that has some. */
export function chainParameters(
  layers: readonly NamedLayer[],
): Readonly<Record<string, Readonly<Record<string, ParameterSpec>>>> {
  return Object.fromEntries(
    layers.flatMap(({ name, layer, input }) => {
      const parameters = layer.parameters?.(input) ?? {};
      return Object.keys(parameters).length > 0 ? [[name, parameters]] : [];
    }),
  );
}

/** The output of every layer in order, and by layer the states they would go on from. */
export interface ChainRun {
  readonly outputs: readonly Variable[];
  readonly state: Readonly<Record<string, LayerState<Variable>>>;
}

/** Runs each layer on what goes out of the one before. */
export function runChain(
  layers: readonly NamedLayer[],
  parameters: Readonly<Record<string, Readonly<Record<string, Variable>>>>,
  input: Variable | IntTensor,
  context: Omit<LayerContext, 'state'>,
  states: Readonly<Record<string, LayerContext['state']>> = {},
): ChainRun {
  const outputs: Variable[] = [];
  const state: Record<string, LayerState<Variable>> = {};
  for (const { name, layer } of layers) {
    const answer = layer.run(parameters[name] ?? {}, outputs.at(-1) ?? input, { ...context, state: states[name] });
    if (answer.state !== undefined && Object.keys(answer.state).length > 0) state[name] = answer.state;
    outputs.push(answer.output);
  }
  return { outputs, state };
}
