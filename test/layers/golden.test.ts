/** Layers agree with PyTorch modules in outputs, states and gradients (test/golden/layers.json). */

import {
  add,
  attend,
  attentionMemory,
  bidirectional,
  layerNormalize,
  lstm,
  multiply,
  projectedLstm,
  runModel,
  scaledDotScore,
  sequential,
  sum,
  type Tensor,
  unroll,
  type Variable,
  valueAndGradient,
} from 'bptt';
import { expect, it } from 'vitest';
import { golden, largestError, tensors } from '../golden/read';

type Part = Readonly<Record<string, unknown>>;
const file = golden<Readonly<Record<string, Part>> & { readonly lengths: readonly number[] }>('layers');
const lengths = Int32Array.from(file.lengths);
const of = (part: string, name: string): Tensor => tensors<Tensor>(file[part]![name]);

it('an LSTM with projection and lengths agrees with PyTorch within 1e-6', () => {
  const { parameters, gradients } = file['projected'] as {
    parameters: { forward: Part };
    gradients: { forward: Part };
  };
  const p = tensors<Record<string, Tensor>>(parameters.forward);
  const { gradient, results } = valueAndGradient({ p, xs: of('projected', 'xs') }, ({ p, xs }) => {
    const { outputs, state } = unroll(projectedLstm({ projectionSize: 2 }), p, xs, { lengths });
    return { value: sum(multiply(outputs, of('projected', 'weights'))), results: { outputs, ...state } };
  });
  expect(largestError({ outputs: results.outputs }, file['projected'])).toBeLessThan(1e-6);
  for (const name of ['h', 'c'] as const) {
    results[name].data.forEach((value, i) => expect(value).toBeCloseTo(of('projected', name).data[i]!, 6));
  }
  expect(largestError(gradient.p, gradients.forward)).toBeLessThan(1e-6);
  expect(largestError({ dXs: gradient.xs }, file['projected'])).toBeLessThan(1e-6);
});

it('a bidirectional LSTM with lengths agrees with PyTorch within 1e-6', () => {
  const { parameters, gradients } = file['bidirectional'] as { parameters: Part; gradients: Part };
  const model = sequential([bidirectional(lstm(), { hiddenSize: 4 })], { inputSize: 5 });
  for (const [direction, weights] of Object.entries(parameters)) {
    for (const [name, value] of Object.entries(tensors<Record<string, Tensor>>(weights)))
      model.parameters['bidirectional']![`${direction}.${name}`]!.data.set(value.data);
  }
  const { gradient, results } = valueAndGradient(
    { p: model.parameters, xs: of('bidirectional', 'xs') },
    ({ p, xs }) => {
      const { output, state } = runModel(model, p, xs, { lengths });
      return {
        value: sum(multiply(output, of('bidirectional', 'weights'))),
        results: { output, state: state['bidirectional']! },
      };
    },
  );
  expect(largestError({ outputs: results.output }, file['bidirectional'])).toBeLessThan(1e-6);
  for (const name of ['h', 'c']) {
    const both = [...results.state[`forward.${name}`]!.data, ...results.state[`reverse.${name}`]!.data];
    both.forEach((value, i) => expect(value).toBeCloseTo(of('bidirectional', name).data[i]!, 6));
  }
  for (const [direction, expected] of Object.entries(gradients)) {
    const got = Object.fromEntries(
      Object.keys(expected as Part).map((name) => [name, gradient.p['bidirectional']![`${direction}.${name}`]!]),
    );
    expect(largestError(got, expected)).toBeLessThan(1e-6);
  }
  expect(largestError({ dXs: gradient.xs }, file['bidirectional'])).toBeLessThan(1e-6);
});

it('layer normalization agrees with PyTorch within 2e-6', () => {
  const inputs = {
    gain: of('normalization', 'gain'),
    bias: of('normalization', 'bias'),
    xs: of('normalization', 'xs'),
  };
  const { gradient, results } = valueAndGradient(inputs, ({ gain, bias, xs }) => {
    const outputs = layerNormalize(xs, { gain, bias });
    return { value: sum(multiply(outputs, of('normalization', 'weights'))), results: { outputs } };
  });
  const got = { ...results, dGain: gradient.gain, dBias: gradient.bias, dXs: gradient.xs };
  expect(largestError(got, file['normalization'])).toBeLessThan(2e-6);
});

it('scaled dot-product attention with lengths agrees with PyTorch within 1e-6', () => {
  const { gradient, results } = valueAndGradient(
    { states: of('attention', 'states'), queries: of('attention', 'queries') },
    ({ states, queries }) => {
      const { context, weights }: { context: Variable; weights: Variable } = attend(
        scaledDotScore(),
        attentionMemory(scaledDotScore(), {}, states, { lengths }),
        queries,
      );
      return {
        value: add(sum(multiply(context, of('attention', 'weights'))), 0),
        results: { context, attention: weights },
      };
    },
  );
  expect(
    largestError({ ...results, dStates: gradient.states, dQueries: gradient.queries }, file['attention']),
  ).toBeLessThan(1e-6);
});
