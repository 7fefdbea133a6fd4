/** The second net: PyTorch's numbers, with unequal weights, and Keras' published ones. */

import {
  adam,
  add,
  affine,
  applyOptimizer,
  type Cell,
  chain,
  clipByNorm,
  compute,
  crossEntropy,
  gru,
  initializeOptimizer,
  intTensor,
  lstm,
  multiply,
  relu,
  simpleRnn,
  sum,
  type Tensor,
  tensor,
  toTimeMajor,
  unroll,
  useKernels,
  valueAndGradient,
} from 'bptt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { golden, largestError, tensors } from '../golden/read';

type Named = Record<string, Tensor>;

interface Run {
  readonly lengths?: readonly number[];
  readonly outputs: unknown;
  readonly finalState: unknown;
  readonly loss: number;
  readonly gradients: { readonly parameters: unknown; readonly xs: unknown; readonly initialState: unknown };
}

interface Golden extends Run {
  readonly parameters: unknown;
  readonly xs: unknown;
  readonly initialState: unknown;
  readonly projection: unknown;
  readonly lengths: Run & readonly number[];
  readonly reversed: { readonly full: Run; readonly lengths: Run };
  readonly training: {
    readonly initialParameters: unknown;
    readonly batches: readonly { readonly xs: unknown; readonly targets: { shape: number[]; data: number[] } }[];
    readonly losses: readonly number[];
    readonly norms: readonly number[];
    readonly finalParameters: unknown;
  };
}

const cells: readonly (readonly [string, () => Cell])[] = [
  ['simple-rnn-tanh', () => simpleRnn()],
  ['simple-rnn-relu', () => simpleRnn({ activation: relu })],
  ['lstm', () => lstm()],
  ['gru', () => gru()],
];

const onKernels = (['portable', undefined] as const).flatMap((kernels) =>
  cells.map(([name, make]) => [name, kernels, make] as const),
);

describe.each(onKernels)('%s against PyTorch, on %s kernels (undefined: the fastest)', (name, kernels, make) => {
  beforeAll(() => useKernels(kernels));
  afterAll(() => useKernels(undefined));
  const file = golden<Golden>(name);
  const projection = tensors<Named>(file.projection);
  const given = {
    parameters: tensors<Named>(file.parameters),
    xs: tensors<Tensor>(file.xs),
    initialState: tensors<Named>(file.initialState),
  };
  const validLengths = Int32Array.from((file.lengths as unknown as { lengths: number[] }).lengths);

  it.each([
    ['whole sequences', file as Run, {}],
    ['unequal lengths', file.lengths as Run, { lengths: validLengths }],
    ['reversed', file.reversed.full, { reverse: true }],
    ['reversed, unequal lengths', file.reversed.lengths, { reverse: true, lengths: validLengths }],
  ])('%s: outputs, final state, loss and every gradient within 1e-6', (_, expected, options) => {
    const { value, gradient, results } = valueAndGradient(given, (v) => {
      const { outputs, state } = unroll(make(), v.parameters, v.xs, { ...options, initialState: v.initialState });
      let loss = sum(multiply(outputs, projection['outputs']!));
      for (const [part, last] of Object.entries(state)) loss = add(loss, sum(multiply(last, projection[part]!)));
      return { value: loss, results: { outputs, finalState: state } };
    });
    expect(largestError(results as unknown as Named, expected)).toBeLessThan(1e-6);
    expect(largestError(gradient, expected.gradients)).toBeLessThan(2e-6);
    expect(Math.abs(value - expected.loss)).toBeLessThan(1e-6 * Math.max(1, Math.abs(expected.loss)) * 5);
  });

  it('twenty updates with Adam and clipping: every loss and norm, and the parameters, within 1e-5', () => {
    const { training } = file;
    const { head, ...cell } = tensors<Named & { head: Named }>(training.initialParameters) as Named & { head: never };
    const parameters = { cell: cell as Named, head: head as unknown as { weight: Tensor; bias: Tensor } };
    const optimizer = chain(clipByNorm(0.5), adam(1e-2));
    const size = [...Object.values(parameters.cell), ...Object.values(parameters.head)].reduce(
      (n, { data }) => n + data.length,
      0,
    );
    const state = initializeOptimizer(optimizer, size);
    training.batches.forEach(({ xs, targets }, update) => {
      const { value, gradient } = valueAndGradient(parameters, (p) => {
        const { outputs } = unroll(make(), p.cell, tensors<Tensor>(xs));
        return crossEntropy(affine(outputs, p.head), intTensor(Int32Array.from(targets.data), targets.shape));
      });
      expect(Math.abs(value / training.losses[update]! - 1)).toBeLessThan(1e-5);
      const { norm } = applyOptimizer(optimizer, state, parameters, gradient);
      expect(Math.abs(norm! / training.norms[update]! - 1)).toBeLessThan(1e-5);
    });
    expect(largestError({ ...parameters.cell, head: parameters.head }, training.finalParameters)).toBeLessThan(1e-5);
  });
});

interface KerasCase {
  readonly layer: string;
  readonly options: Readonly<Record<string, boolean>>;
  readonly units: number;
  readonly xsBatchFirst: unknown;
  readonly initialState: unknown;
  readonly lastOutput: { readonly data: readonly number[] };
}

/** The cell and parameters of a Keras layer whose kernels are all 0.01 and 0.02, and biases 0.03. */
function kerasLayer({ layer, options, units }: KerasCase, inputSize: number): { cell: Cell; parameters: Named } {
  const cell =
    layer === 'LSTM'
      ? lstm()
      : layer === 'GRU'
        ? gru({ reset: options['resetAfter'] ? 'after' : 'before' })
        : simpleRnn();
  const parameters: Named = {};
  for (const [name, { shape }] of Object.entries(cell.parameters(inputSize, units))) {
    const value = name === 'weightIh' ? 0.01 : name === 'weightHh' ? 0.02 : 0.03;
    const data = new Float32Array(shape.reduce((n, length) => n * length, 1)).fill(value);
    // Keras' GRU with reset_after has two rows of biases; ours sums them where they are summed anyway.
    if (layer === 'GRU' && options['resetAfter'] && name === 'bias') data.fill(0.06, 0, 2 * units);
    if (layer === 'LSTM' && options['unitForgetBias'] && name === 'bias') data.fill(1, units, 2 * units);
    parameters[name] = tensor(data, shape);
  }
  return { cell, parameters };
}

describe('Keras’ published values', () => {
  const { cases } = golden<{ cases: readonly KerasCase[] }>('keras');
  it.each(cases)('$layer $options within 1e-6', (published) => {
    const xs = toTimeMajor(tensors<Tensor>(published.xsBatchFirst));
    const { cell, parameters } = kerasLayer(published, xs.shape[2]!);
    const reverse = published.options['goBackwards'] ?? false;
    const initialState = published.initialState === null ? {} : tensors<Named>(published.initialState);
    const last = compute(parameters, (p) => unroll(cell, p, xs, { reverse, initialState }).state['h']!);
    published.lastOutput.data.forEach((value, i) => expect(Math.abs(last.data[i]! - value)).toBeLessThan(1e-6));
  });
});
