/** Streams of several layers: one time step through every layer in order. */

import { operand, runScope, variableAt } from '../autodiff/tape';
import { copyOut } from '../autodiff/value-and-gradient';
import { copy } from '../kernels/movement';
import type { StepRunner } from '../recurrence/cell-stream';
import { lastOf } from '../tensor/arrays';
import { attributed, withCaller } from '../tensor/error-context';
import { checkNames, checkShape } from '../tensor/shape';
import { checkTensor, copyTensor } from '../tensor/tensor';
import { mapTree } from '../tensor/tree';
import { checkCausal, type NamedLayer, partsByLayer } from './chain';
import { inferenceContext, type LayerParameters, type LayerState, type LayerStepContext } from './layer';

/** The states of layers by layer name; stateless layers are absent. */
type ChainState = Readonly<Record<string, LayerState>>;

/**
 * Creates a step runner for layers in order. Each layer reads its input from the output buffer of the previous one.
 *
 * @throws RangeError if a layer is not causal
 */
export function chainStepRunner(
  layers: readonly NamedLayer[],
  parameters: Readonly<Record<string, LayerParameters>>,
  start: Omit<LayerStepContext, 'parameters' | 'features'>,
): StepRunner<ChainState, unknown[]> {
  checkCausal('stream', layers, 'step by step');
  const runners: { readonly name: string; readonly runner: StepRunner }[] = [];
  for (const named of layers) {
    const { name, layer, input: features } = named;
    const context = {
      ...start,
      features,
      parameters: parameters[name] ?? {},
      input: lastOf(runners)?.runner.output ?? start.input,
    };
    runners.push({
      name,
      runner: withCaller(`layer ${name}`, () => layer.stepRunner?.(context) ?? scopedStepRunner(named, context)),
    });
  }
  const { output, size } = lastOf(runners)!.runner;
  /** States that are written, then exchanged: an error in a later layer leaves those of the stream unchanged. */
  let spare: unknown[] = [];
  return {
    output,
    size,
    start: () => runners.map(({ runner }) => runner.start()),
    step(states) {
      // No closure, so that a step does not allocate.
      let i = 0;
      try {
        for (; i < runners.length; i++) runners[i]!.runner.step(states[i]);
      } catch (error) {
        throw attributed(error, `layer ${runners[i]!.name}`);
      }
    },
    readState: (states) => partsByLayer(runners.map(({ name, runner }, i) => [name, runner.readState(states[i])])),
    writeState(states, values = {}) {
      checkNames(
        'stream',
        'state',
        values,
        runners.map(({ name }) => name),
      );
      runners.forEach(({ name, runner }, i) => {
        spare[i] ??= runner.start();
        withCaller(`layer ${name}`, () => runner.writeState(spare[i], values[name]));
      });
      spare = states.splice(0, spare.length, ...spare);
    },
  };
}

/**
 * Creates a step runner for a layer without {@link Layer.stepRunner}: each step runs the layer with T = 1 in a scope.
 */
function scopedStepRunner(
  { layer, output: outputFeatures }: NamedLayer,
  { workspace, resident, reserve, parameters, input, batchSize, features }: LayerStepContext,
): StepRunner<LayerState, { values: LayerState | undefined }> {
  const { memory, kernels } = workspace;
  const size = outputFeatures.kind === 'ids' ? 1 : outputFeatures.size;
  const output = reserve(batchSize * size);
  /** The state after one step, which has the names and shapes of all parts. */
  let parts: LayerState | undefined;
  const runner: StepRunner<LayerState, { values: LayerState | undefined }> = {
    output,
    size,
    start: () => ({ values: undefined }),
    step(state) {
      runScope(workspace, false, (scope) => {
        const p = mapTree(parameters, (tensor) => variableAt(scope, resident.place(tensor), tensor.shape, false));
        const x =
          features.kind === 'ids'
            ? { shape: [1, batchSize], data: Int32Array.from(memory.view.subarray(input, input + batchSize)) }
            : variableAt(
                scope,
                input,
                features.perStep ? [1, batchSize, features.size] : [batchSize, features.size],
                false,
              );
        const result = layer.run(p, x, { ...inferenceContext(), state: state.values });
        kernels.of(copy)(output, operand('stream', result?.output, 'the output').offset, batchSize * size);
        state.values = result.state && (copyOut(result.state, 'advance') as LayerState);
      });
    },
    readState: ({ values }) => values && mapTree(values, copyTensor),
    writeState(state, values) {
      if (values !== undefined) {
        if (parts === undefined) {
          const first = runner.start();
          // Ids must be valid; vectors may have any values.
          memory.view.fill(0, input, input + batchSize);
          runner.step(first);
          parts = first.values ?? {};
        }
        checkNames('stream', 'state', values, Object.keys(parts));
        for (const [name, part] of Object.entries(values)) {
          checkTensor('stream', `state.${name}`, part);
          checkShape('stream', `state.${name}`, part.shape, '[B, H]', parts[name]!.shape);
        }
      }
      state.values = values && mapTree(values, copyTensor);
    },
  };
  return runner;
}
