/** Gradient checkpointing over time: long sequences in segments that are recomputed in the backward pass. */

import { concat, slice } from '../autodiff/ops/movement';
import { recompute } from '../autodiff/recompute';
import { operand, type Variable } from '../autodiff/tape';
import { checkCausal } from '../layers/chain';
import { checkLengths, checkResets } from '../recurrence/packing';
import { lastOf } from '../tensor/arrays';
import { withCaller } from '../tensor/error-context';
import { createRandom, randomBits } from '../tensor/random';
import { checkCount, checkObject } from '../tensor/shape';
import { lengthsIn } from '../tensor/step-ranges';
import { type IntTensor, isIntTensor, sliceSteps, type Tensor } from '../tensor/tensor';
import {
  checkModel,
  checkRunOptions,
  type ModelRun,
  mapStates,
  outputsPerStep,
  type RunOptions,
  runModel,
  type Sequential,
} from './sequential';

/**
 * Runs a model like {@link runModel}, but stores only the outputs and the states between segments; `results` is empty.
 * The backward pass recomputes each segment. With segments of √T steps, memory grows with √T and a run takes about a
 * third longer (Gruslys et al., 2016, arXiv 1606.03401).
 *
 * For training: `fit(model, data, { run: runInSegments, … })`, or `run: (...args) => runInSegments(...args, 200)` for
 * segments of 200 steps.
 *
 * @param segment the number of steps per segment; ⌈√T⌉ by default
 * @throws RangeError if a layer is not causal, or needs all steps in training, as {@link batchNorm} does, or `lengths`
 *   or `resets` do not match the input
 * @example
 * const model = sequential([recurrent(lstm(), { hiddenSize: 4 }), dense({ size: 1 })], { inputSize: 2 });
 * const long = full([100, 1, 2], 0.1);
 * const { gradient } = valueAndGradient(model.parameters, (p) => mean(runInSegments(model, p, long).output));
 * gradient['dense']!['bias']!.data; // Float32Array [1]
 */
export function runInSegments(
  model: Sequential,
  parameters: Readonly<Record<string, Readonly<Record<string, Variable>>>>,
  input: IntTensor | Tensor | Variable,
  allOptions: RunOptions = {},
  segment?: number,
): ModelRun {
  checkModel('runInSegments', model);
  checkRunOptions('runInSegments', allOptions);
  checkObject('runInSegments', 'parameters', parameters);
  const { state, ...options } = allOptions;
  checkCausal('runInSegments', model.layers, 'in segments');
  const ofBatch = allOptions.training && model.layers.find(({ layer }) => layer.buffers !== undefined);
  if (ofBatch)
    throw new RangeError(
      `runInSegments: layer ${ofBatch.name} needs the statistics of all steps in training, ` +
        'so it cannot run in segments.',
    );
  if (segment !== undefined) checkCount('runInSegments', 'segment', segment);
  const x = isIntTensor(input) ? input : operand('runInSegments', input, 'inputs');
  const [T = 0, B = 0] = x.shape;
  const length = segment ?? Math.ceil(Math.sqrt(T));
  const runSegment: typeof runModel = (...args) => withCaller('runInSegments', () => runModel(...args));
  if (T <= length) return runSegment(model, parameters, input, { ...options, state });

  const { random, sequenceRandom = random, lengths, resets } = options;
  if (lengths !== undefined) checkLengths('runInSegments', lengths, T, B);
  checkResets('runInSegments', resets, T, B);
  const seed = sequenceRandom && withCaller('runInSegments', () => randomBits(sequenceRandom));
  const outputs: Variable[] = [];
  for (const [layer, parts] of Object.entries(state ?? {})) checkObject('runInSegments', `state.${layer}`, parts);
  let states = state && mapStates(state, (value) => operand('runInSegments', value, 'state'));
  for (let from = 0; from < T; from += length) {
    const to = Math.min(T, from + length);
    const inputs = { parameters, states, x: isIntTensor(x) ? undefined : slice(x, from, to) };
    const run = withCaller('runInSegments', () =>
      recompute(
        inputs,
        (p) => {
          const segmentInput = isIntTensor(x) ? sliceSteps(x, from, to) : p.x!;
          const { output, state: next } = runSegment(model, p.parameters, segmentInput, {
            ...options,
            state: p.states,
            ...(seed !== undefined && { sequenceRandom: createRandom(seed) }),
            lengths: lengths && lengthsIn(lengths, from, to),
            resets: resets && sliceSteps(resets, from, to),
          });
          return { output, next };
        },
        { random: random === undefined ? [] : [random] },
      ),
    );
    outputs.push(run.output);
    states = run.next;
  }
  const output = outputsPerStep(model) ? concat(outputs) : lastOf(outputs)!;
  return { output, state: states!, outputs: [output], results: {} };
}
