/** Convolution, pooling and batch normalization agree with PyTorch modules (test/golden/convolution.json). */

import {
  averagePool1d,
  batchNorm,
  conv1d,
  fit,
  full,
  type Layer,
  maxPool1d,
  meanSquaredError,
  multiply,
  runModel,
  type Sequential,
  sequential,
  sgd,
  sum,
  type Tensor,
  valueAndGradient,
  withoutBias,
} from 'bptt';
import { fromPyTorch, toPyTorch } from 'bptt/pytorch';
import { expect, it } from 'vitest';
import { golden, largestError, tensors } from '../golden/read';

/** The values of a module. */
interface Run {
  readonly state: object;
  readonly xs: unknown;
  readonly weights: unknown;
  readonly outputs: unknown;
  readonly dXs: unknown;
  readonly gradients: object;
  readonly after: object;
}
interface ConvOptions {
  readonly padding?: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly groups?: number;
  readonly bias?: boolean;
}
const file = golden<{
  readonly conv: readonly (Run & { readonly options: ConvOptions })[];
  readonly depthwise: Run;
  readonly maxPool: Run;
  readonly averagePool: Run;
  readonly batchNorm: Run;
}>('convolution');

/** Compares outputs and gradients of a model that has loaded the weights. Returns the model. */
function compare(layer: Layer, run: Run): Sequential {
  const xs = tensors<Tensor>(run.xs);
  const model = sequential([layer], { inputSize: xs.shape[2]! });
  const weights = tensors<Record<string, Tensor>>(run.state);
  const modules = { [model.layers[0]!.name]: '' };
  const hasWeights = Object.keys(weights).length > 0;
  if (hasWeights) fromPyTorch(model, weights, { modules });
  const random = { state: new Uint32Array(4) };
  const { gradient, results } = valueAndGradient({ p: model.parameters, xs }, ({ p, xs }) => {
    const { output: outputs } = runModel(model, p, xs, { training: true, random });
    return { value: sum(multiply(outputs, tensors<Tensor>(run.weights))), results: { outputs } };
  });
  expect(largestError(results, run)).toBeLessThan(1e-6);
  expect(largestError({ dXs: gradient.xs }, run)).toBeLessThan(2e-6);
  if (hasWeights) {
    const own = { ...model, parameters: gradient.p };
    const { running_mean: _, running_var: __, ...gradients } = toPyTorch(own, { modules });
    expect(largestError(gradients, run.gradients)).toBeLessThan(2e-6);
    for (const [name, { data }] of Object.entries(toPyTorch(model, { modules })))
      expect(data).toEqual(weights[name]!.data);
  }
  return model;
}

it.each(file.conv.map(({ options, ...run }) => [options, run] as const))(
  'nn.Conv1d with %j agrees with PyTorch within 2e-6, and its weights are converted exactly',
  ({ padding = 0, bias = true, ...options }, run) => {
    const [O] = tensors<Record<'weight', Tensor>>(run.state).weight.shape;
    const layer = conv1d({ size: O!, kernelSize: 3, padding: [padding, padding], ...options });
    compare(bias ? layer : withoutBias(layer), run);
  },
);

it('a depthwise nn.Conv1d, nn.MaxPool1d and nn.AvgPool1d agree with PyTorch within 2e-6', () => {
  compare(conv1d({ size: 6, kernelSize: 3, groups: 6, padding: 'same' }), file.depthwise);
  compare(maxPool1d({ windowSize: 3, stride: 2, padding: [1, 1] }), file.maxPool);
  compare(averagePool1d({ windowSize: 3, stride: 2, padding: [1, 1] }), file.averagePool);
});

it('nn.BatchNorm1d agrees with PyTorch in training, and in the running statistics after an update', async () => {
  const model = compare(batchNorm({ epsilon: 1e-3, momentum: 0.25 }), file.batchNorm);
  const inputs = tensors<Tensor>(file.batchNorm.xs);
  await fit(model, { inputs, targets: full(inputs.shape, 0) }, { loss: meanSquaredError, optimizer: sgd(0), steps: 1 });
  const { running_mean, running_var } = toPyTorch(model, { modules: { batchNorm: '' } });
  expect(largestError({ running_mean: running_mean!, running_var: running_var! }, file.batchNorm.after)).toBeLessThan(
    1e-6,
  );
});
