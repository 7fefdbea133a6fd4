/** Cells compared with golden values of PyTorch, with random weights, and with published values of Keras. */

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

interface Expected {
  readonly outputs: unknown;
  readonly finalState: unknown;
  readonly loss: number;
  readonly gradients: { readonly parameters: unknown; readonly xs: unknown; readonly initialState: unknown };
}

interface ExpectedWithLengths extends Expected {
  readonly lengths: readonly number[];
}

interface Golden extends Expected {
  readonly parameters: unknown;
  readonly xs: unknown;
  readonly initialState: unknown;
  readonly projection: unknown;
  readonly lengths: ExpectedWithLengths;
  readonly reversed: { readonly full: Expected; readonly lengths: ExpectedWithLengths };
  readonly training: {
    readonly initialParameters: { readonly head: unknown };
    readonly batches: readonly { readonly xs: unknown; readonly targets: { shape: number[]; data: number[] } }[];
    readonly losses: readonly number[];
    readonly norms: readonly number[];
    readonly finalParameters: unknown;
  };
}

const cells: readonly (readonly [file: string, create: () => Cell])[] = [
  ['simple-rnn-tanh', () => simpleRnn()],
  ['simple-rnn-relu', () => simpleRnn({ activation: relu })],
  ['lstm', () => lstm()],
  ['gru', () => gru()],
];

const onKernels = (['portable', undefined] as const).flatMap((kernels) =>
  cells.map(([name, create]) => [name, kernels, create] as const),
);

describe.each(onKernels)('%s matches PyTorch, on %s kernels (undefined: the fastest)', (name, kernels, create) => {
  beforeAll(() => useKernels(kernels));
  afterAll(() => useKernels(undefined));
  const file = golden<Golden>(name);
  const projection = tensors<Named>(file.projection);
  const values = {
    parameters: tensors<Named>(file.parameters),
    xs: tensors<Tensor>(file.xs),
    initialState: tensors<Named>(file.initialState),
  };
  const lengths = Int32Array.from(file.lengths.lengths);

  it.each([
    ['full length', file, {}],
    ['unequal lengths', file.lengths, { lengths }],
    ['reversed', file.reversed.full, { reverse: true }],
    ['reversed, unequal lengths', file.reversed.lengths, { reverse: true, lengths }],
  ])('%s: outputs, final state, loss and gradients within 1e-6 or 2e-6', (_, expected, options) => {
    const { value, gradient, results } = valueAndGradient(values, (v) => {
      const { outputs, state } = unroll(create(), v.parameters, v.xs, { ...options, initialState: v.initialState });
      let loss = sum(multiply(outputs, projection['outputs']!));
      for (const [part, last] of Object.entries(state)) loss = add(loss, sum(multiply(last, projection[part]!)));
      return { value: loss, results: { outputs, finalState: state } };
    });
    expect(largestError(results, expected)).toBeLessThan(1e-6);
    expect(largestError(gradient, expected.gradients)).toBeLessThan(2e-6);
    expect(Math.abs(value - expected.loss)).toBeLessThan(1e-6 * Math.max(1, Math.abs(expected.loss)) * 5);
  });

  it('20 updates with Adam and gradient clipping: losses, gradient norms and final parameters within 1e-5', () => {
    const { training } = file;
    const { head, ...cell } = training.initialParameters;
    const parameters = { cell: tensors<Named>(cell), head: tensors<{ weight: Tensor; bias: Tensor }>(head) };
    const optimizer = chain(clipByNorm(0.5), adam(1e-2));
    const size = [...Object.values(parameters.cell), ...Object.values(parameters.head)].reduce(
      (n, { data }) => n + data.length,
      0,
    );
    const state = initializeOptimizer(optimizer, size);
    training.batches.forEach(({ xs, targets }, update) => {
      const { value, gradient } = valueAndGradient(parameters, (p) => {
        const { outputs } = unroll(create(), p.cell, tensors<Tensor>(xs));
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

/** The cell and the parameters of a Keras layer with kernel 0.01, recurrent kernel 0.02 and bias 0.03 everywhere. */
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
    // The GRU of Keras with reset_after has two biases. For r and z, both are added, so `bias` holds their sum.
    if (layer === 'GRU' && options['resetAfter'] && name === 'bias') data.fill(0.06, 0, 2 * units);
    if (layer === 'LSTM' && options['unitForgetBias'] && name === 'bias') data.fill(1, units, 2 * units);
    parameters[name] = tensor(data, shape);
  }
  return { cell, parameters };
}

describe('published values of Keras', () => {
  const { cases } = golden<{ cases: readonly KerasCase[] }>('keras');
  it.each(cases)('$layer $options: last output within 1e-6', (published) => {
    const xs = toTimeMajor(tensors<Tensor>(published.xsBatchFirst));
    const { cell, parameters } = kerasLayer(published, xs.shape[2]!);
    const reverse = published.options['goBackwards'] ?? false;
    const initialState = published.initialState === null ? {} : tensors<Named>(published.initialState);
    const last = compute(parameters, (p) => unroll(cell, p, xs, { reverse, initialState }).state['h']!);
    published.lastOutput.data.forEach((value, i) => expect(Math.abs(last.data[i]! - value)).toBeLessThan(1e-6));
  });
});
