/** Layers of Keras that add or remove the time axis: RepeatVector, global pooling and Flatten. */

import { broadcastTo, multiply } from '../../autodiff/ops/arithmetic';
import { reshape, transpose } from '../../autodiff/ops/movement';
import { sum } from '../../autodiff/ops/reductions';
import { constantOf, currentScope, type Variable } from '../../autodiff/tape';
import { type Layer, stepSize, vectorFeatures, vectors } from '../../layers/layer';
import { onValidSteps } from '../../recurrence/valid-steps';
import { checkCount, outOfRange } from '../../tensor/shape';

/** Creates a layer that repeats the vector of each sequence `count` times, `[B, I]` to `[count, B, I]`. */
export function kerasRepeatVector(options: { readonly count: number }): Layer {
  const { count } = options;
  const name = 'repeatVector';
  checkCount('kerasRepeatVector', 'count', count);
  return {
    name,
    origin: ['kerasRepeatVector', options],
    causal: false,
    output(input) {
      const features = vectorFeatures(name, input);
      if (features.perStep) throw outOfRange(name, 'the input', 'a vector per sequence', 'one per step');
      return { ...features, perStep: true };
    },
    run(_, input, { lengths }) {
      rejectLengths(name, lengths);
      const x = vectors(name, input);
      return { output: broadcastTo(x, [count, ...x.shape]) };
    },
  };
}

/** The steps of such layers do not correspond to those of the input. */
function rejectLengths(name: string, lengths: Int32Array | undefined): void {
  if (lengths !== undefined) throw new RangeError(`${name}: lengths are not supported by models with this layer.`);
}

/**
 * Creates a layer that averages the steps of each sequence, or takes their maximum: `[T, B, I]` to `[B, I]`. Only valid
 * steps count; the result for a sequence without steps is zero.
 */
export function kerasPooling(options: { readonly kind: 'mean' | 'max' }): Layer {
  const name = options.kind === 'mean' ? 'globalAveragePooling' : 'globalMaxPooling';
  return {
    name,
    origin: ['kerasPooling', options],
    causal: false,
    output: (input) => ({ kind: 'vectors', size: stepSize(name, input), perStep: false }),
    run(_, input, { lengths }) {
      const x = onValidSteps(name, vectors(name, input), lengths, (rows) => rows);
      const [T, B] = x.shape as [number, number, number];
      const counts = lengths ?? new Int32Array(B).fill(T);
      if (options.kind === 'max') return { output: sum(multiply(x, largest(x, counts)), 0) };
      const factors = constantOf(
        currentScope(name),
        [B, 1],
        Array.from(counts, (count) => 1 / Math.max(1, count)),
      );
      return { output: multiply(sum(x, 0), factors) };
    },
  };
}

/** `[T, B, I]`, 1 at the first valid step with the largest value of each feature, otherwise 0. */
function largest(x: Variable, counts: Int32Array): Variable {
  const scope = currentScope('globalMaxPooling');
  const { view } = scope.workspace.memory;
  const [T, B, I] = x.shape as [number, number, number];
  const selected = new Float32Array(T * B * I);
  for (let b = 0; b < B; b++) {
    for (let i = 0; i < I; i++) {
      const at = (t: number): number => (t * B + b) * I + i;
      let best = 0;
      for (let t = 1; t < counts[b]!; t++) if (view[x.offset + at(t)]! > view[x.offset + at(best)]!) best = t;
      if (counts[b]! > 0) selected[at(best)] = 1;
    }
  }
  return constantOf(scope, x.shape, selected);
}

/**
 * Creates a layer that joins the vectors of all steps, `[T, B, I]` to `[B, T · I]`. It returns vectors per sequence
 * `[B, I]` unchanged.
 *
 * @param options `sequenceLength`: T, which must be known if there is a vector per step
 */
export function kerasFlatten(options: { readonly sequenceLength?: number } = {}): Layer {
  const { sequenceLength } = options;
  const name = 'flatten';
  if (sequenceLength !== undefined) checkCount('kerasFlatten', 'sequenceLength', sequenceLength);
  return {
    name,
    origin: ['kerasFlatten', options],
    causal: false,
    output(input) {
      const features = vectorFeatures(name, input);
      if (!features.perStep) return features;
      if (sequenceLength === undefined)
        throw new RangeError(`${name}: the sequence length must be known to flatten a vector per step.`);
      return { kind: 'vectors', size: sequenceLength * features.size, perStep: false };
    },
    run(_, input, { lengths }) {
      const x = vectors(name, input);
      if (x.shape.length < 3) return { output: x };
      rejectLengths(name, lengths);
      const [T, B, I] = x.shape as [number, number, number];
      if (T !== sequenceLength)
        throw new RangeError(`${name}: expected sequences of ${sequenceLength} steps, got ${T}.`);
      return { output: reshape(transpose(x, [1, 0, 2]), [B, T * I]) };
    },
  };
}
