/** Layers one after the other, step by step. */

import { runScope, type Variable, variableAt } from '../autodiff/tape';
import { copyOut, load, variablesOver } from '../autodiff/value-and-gradient';
import { copy } from '../kernels/movement';
import { allocate } from '../kernels/workspace';
import type { StepRunner } from '../recurrence/cell-stream';
import { treeSize } from '../tensor/tree';
import type { NamedLayer } from './chain';
import { inferenceContext, type LayerParameters, type LayerState, type LayerStepContext } from './layer';
import { joinNames, splitNames } from './nested-names';

/**
 * The steps of layers, each reading where the one before leaves its output. Their states go under joined names, `lstm.h`.
 *
 * @throws RangeError where a layer needs the whole sequence
 */
export function chainStepRunner(
  layers: readonly NamedLayer[],
  parameters: Readonly<Record<string, LayerParameters>>,
  start: Omit<LayerStepContext, 'parameters' | 'features'>,
): StepRunner {
  const parts: { readonly name: string; readonly steps: StepRunner }[] = [];
  for (const named of layers) {
    const { name, layer, input: features } = named;
    if (layer.causal === false)
      throw new RangeError(`stream: the layer ${name} needs the whole sequence and cannot go step by step.`);
    const context = {
      ...start,
      features,
      parameters: parameters[name] ?? {},
      input: parts.at(-1)?.steps.output ?? start.input,
    };
    parts.push({ name, steps: layer.stepRunner?.(context) ?? stepsByRunning(named, context) });
  }
  const { output, size } = parts.at(-1)!.steps;
  return {
    output,
    size,
    step() {
      for (const { steps } of parts) steps.step();
    },
    readState: () =>
      joinNames(
        Object.fromEntries(
          parts.flatMap(({ name, steps }) => {
            const state = steps.readState();
            return state === undefined ? [] : [[name, state]];
          }),
        ),
      ),
    writeState(state) {
      const nested = splitNames(state ?? {});
      for (const { name, steps } of parts) steps.writeState(nested[name]);
    },
  };
}

/** The steps of a layer that has none of its own: its run over one step, in a scope. */
function stepsByRunning({ layer, output: features }: NamedLayer, start: LayerStepContext): StepRunner {
  const { workspace, parameters, input, batchSize, features: given } = start;
  const { memory, kernels } = workspace;
  const size = features.kind === 'ids' ? 1 : features.size;
  const output = allocate(workspace, batchSize * size);
  const resident = allocate(workspace, treeSize(parameters));
  load(parameters, memory.view, resident);
  let state: LayerState | undefined;
  return {
    output,
    size,
    step() {
      runScope(workspace, false, (scope) => {
        const p = variablesOver(scope, parameters, resident) as Readonly<Record<string, Variable>>;
        const x =
          given.kind === 'ids'
            ? { shape: [1, batchSize], data: Int32Array.from(memory.view.subarray(input, input + batchSize)) }
            : variableAt(scope, input, given.perStep ? [1, batchSize, given.size] : [batchSize, given.size], false);
        const answer = layer.run(p, x, { ...inferenceContext(), state });
        kernels.of(copy)(output, answer.output.offset, batchSize * size);
        state = answer.state && (copyOut(answer.state) as LayerState);
      });
    },
    readState: () => state,
    writeState(next) {
      state = next;
    },
  };
}
