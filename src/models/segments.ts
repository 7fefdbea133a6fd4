/** Long sequences in segments that are computed anew for backward. */

import { concat, slice } from '../autodiff/ops/movement';
import { recompute } from '../autodiff/recompute';
import { operand, type Variable } from '../autodiff/tape';
import { createRandom, randomBits } from '../tensor/random';
import { checkCount } from '../tensor/shape';
import { sliceSteps } from '../tensor/step-ranges';
import { type IntTensor, isIntTensor, type Tensor } from '../tensor/tensor';
import { type ModelRun, type ModelState, type RunOptions, runModel, type Sequential } from './sequential';

/**
 * {@link runModel} that stores outputs and the states between segments alone: each segment is computed anew when backward comes to it. With
 * segments of √T steps the memory grows with √T, for about a third more time (Gruslys et al., 2016, arXiv 1606.03401).
 *
 * In training, `fit(model, data, { run: runInSegments, … })`, or `run: (...given) => runInSegments(...given, 200)` for segments of 200 steps.
 *
 * @param segment how many steps are stored at a time; ⌈√T⌉ by default
 * @throws RangeError where a layer needs the whole sequence at once
 * @example
 * const model = sequential([recurrent(lstm(), { hiddenSize: 4 }), dense({ size: 1 })], { inputSize: 2 });
 * const long = full([100, 1, 2], 0.1);
 * valueAndGradient(model.parameters, (p) => mean(runInSegments(model, p, long).output)).gradient.dense.bias.data; // Float32Array [1]
 */
export function runInSegments(
  model: Sequential,
  parameters: Readonly<Record<string, Readonly<Record<string, Variable>>>>,
  input: IntTensor | Tensor | Variable,
  { state, ...options }: RunOptions = {},
  segment?: number,
): ModelRun {
  const whole = model.layers.find(({ layer }) => layer.causal === false);
  if (whole !== undefined)
    throw new RangeError(
      `runInSegments: the layer ${whole.name} needs the whole sequence and cannot be run in segments.`,
    );
  if (segment !== undefined) checkCount('runInSegments', 'segment', segment);
  const [T = 0, B = 0] = input.shape;
  const length = segment ?? Math.ceil(Math.sqrt(T));
  if (T <= length) return runModel(model, parameters, input, { ...options, state });

  const x = isIntTensor(input) ? input : operand('runInSegments', input, 'inputs');
  const { random, sequenceRandom = random, lengths, resets } = options;
  const seed = sequenceRandom && randomBits(sequenceRandom);
  const outputs: Variable[] = [];
  let states = state && mapStates(state, (each) => operand('runInSegments', each, 'state'));
  for (let from = 0; from < T; from += length) {
    const to = Math.min(T, from + length);
    const given = { parameters, states, x: isIntTensor(x) ? undefined : slice(x, from, to) };
    const run = recompute(
      given,
      (own) => {
        const { output, state: next } = runModel(model, own.parameters, own.x ?? sliceSteps(x as IntTensor, from, to), {
          ...options,
          state: own.states,
          ...(seed === undefined ? {} : { sequenceRandom: createRandom(seed) }),
          lengths: lengths && lengthsIn(lengths, from, to, B),
          resets: resets && sliceSteps(resets, from, to),
        });
        return { output, next };
      },
      { random: random === undefined ? [] : [random] },
    );
    outputs.push(run.output);
    states = run.next;
  }
  const perStep = model.output.kind !== 'ids' && model.output.perStep;
  const output = perStep ? concat(outputs) : outputs.at(-1)!;
  return { output, state: states!, outputs: [output] };
}

/** How many of the valid steps lie in a segment. @throws as {@link unroll} where there are not B lengths */
function lengthsIn(lengths: Int32Array, from: number, to: number, batchSize: number): Int32Array {
  return lengths.length === batchSize ? lengths.map((length) => Math.max(0, Math.min(length, to) - from)) : lengths;
}

function mapStates(
  state: ModelState<Tensor | Variable>,
  change: (each: Tensor | Variable) => Variable,
): ModelState<Variable> {
  return Object.fromEntries(
    Object.entries(state).map(([layer, parts]) => [
      layer,
      Object.fromEntries(Object.entries(parts).map(([name, each]) => [name, change(each)])),
    ]),
  );
}
