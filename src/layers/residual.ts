/** Residual connections around layers. */

import { add } from '../autodiff/ops/arithmetic';
import { addition } from '../kernels/arithmetic';
import type { StepRunner, StepRunnerState } from '../recurrence/cell-stream';
import { lastOf } from '../tensor/arrays';
import {
  chain,
  chainParameters,
  checkedOutput,
  checkLayers,
  type NamedLayer,
  namesOf,
  runChain,
  statesPerStep,
} from './chain';
import { chainStepRunner } from './chain-stream';
import { type Features, featuresOf, type Layer, vectorFeatures, vectorSize, vectors } from './layer';
import { joinNames, splitNames } from './nested-names';

/**
 * Creates a layer that adds its input to the output of inner layers, y = x + f(x) (He et al., 2015, arXiv 1512.03385;
 * for stacked LSTMs, Wu et al., 2016, arXiv 1609.08144). The inner layers run in order and preserve the size. The
 * parameters and state are theirs, with dotted names: `lstm.weightIh`.
 *
 * @throws RangeError if `layers` is empty; in a model, if the layers change the size
 * @example
 * const deep = Array.from({ length: 4 }, () => residual([recurrent(lstm(), { hiddenSize: 8 }), dropout(0.1)]));
 * const model = sequential([dense({ size: 8 }), ...deep], { inputSize: 2, seed: 1 });
 * predict(model, full([5, 3, 2], 1)).shape; // [5, 3, 8]
 */
export function residual(layers: readonly Layer[]): Layer {
  checkLayers('residual', 'layers', layers);
  const own = [...layers];
  const named = (input: Features): readonly NamedLayer[] => {
    const { size, perStep } = vectorFeatures('residual', input);
    const inner = chain(own, input, checkedOutput);
    const output = vectorFeatures('residual', lastOf(inner)!.output);
    const shorter = inner.find(({ layer }) => layer.steps !== undefined);
    if (shorter !== undefined)
      throw new RangeError(
        `residual: the inner layers must preserve the number of steps, but ${shorter.name} changes it. ` +
          "Use padding: 'same'.",
      );
    if (output.size === size && output.perStep === perStep) return inner;
    const format = (features: Pick<typeof output, 'size' | 'perStep'>): string =>
      `a vector of size ${features.size} per ${features.perStep ? 'step' : 'sequence'}`;
    throw new RangeError(
      `residual: the output of the inner layers must be ${format({ size, perStep })}, as the input, ` +
        `got ${format(output)}.`,
    );
  };
  return {
    name: 'residual',
    origin: ['residual', own],
    // Stated only if every layer states it.
    causal: own.some(({ causal }) => causal === false) ? false : own.every(({ causal }) => causal) || undefined,
    output: (input) => lastOf(named(input))!.output,
    ...(own.some(({ buffers }) => buffers) && { buffers: buffersOf(own) }),
    parameters: (input) => joinNames(chainParameters(named(input))),
    run: (parameters, input, { state, ...context }) => {
      const x = vectors('residual', input);
      const run = runChain(named(featuresOf(x)), splitNames(parameters), x, context, state && splitNames(state));
      return {
        output: add(x, lastOf(run.outputs)!),
        state: joinNames(run.state),
        states: () => joinNames(statesPerStep(run.results)),
      };
    },
    stepRunner: ({ parameters, features, ...context }) => {
      const { workspace, reserve, input, batchSize } = context;
      const inner = chainStepRunner(named(features), splitNames(parameters), context);
      // The output has the size of the input.
      const size = batchSize * vectorSize('residual', features);
      const output = reserve(size);
      const sum = workspace.kernels.of(addition);
      const runner: StepRunner<StepRunnerState, unknown[]> = {
        ...inner,
        output,
        step(states) {
          inner.step(states);
          sum(output, input, inner.output, size);
        },
        readState: (states) => joinNames(inner.readState(states) ?? {}),
        writeState: (states, values) => inner.writeState(states, values && splitNames(values)),
      };
      return runner;
    },
  };
}

/** The names of the buffers of layers, with the names of the layers. */
const buffersOf = (layers: readonly Layer[]): readonly string[] => {
  const names = namesOf(layers);
  return layers.flatMap(({ buffers = [] }, i) => buffers.map((buffer) => `${names[i]}.${buffer}`));
};
