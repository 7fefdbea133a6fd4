/** Imported convolutions of Keras, compared with their definition in double precision. */

import { load, predict, save, tensor, toTimeMajor } from 'bptt';
import { importKeras, kerasLayers } from 'bptt/keras';
import { describe, expect, it } from 'vitest';
import { kerasFile, sequentialConfig, type Weight, weight } from './keras-files';

type Rows = number[][];

/** Two sequences of seven steps of four features. */
const [T, I] = [7, 4];
const inputs: Rows[] = [0, 1].map((b) =>
  Array.from({ length: T }, (_, t) =>
    Array.from({ length: I }, (_, i) => Math.sin(1 + 3 * b + 1.3 * t + 2.1 * i ** 2)),
  ),
);

/** The configuration of a convolution in Keras. */
interface Config {
  readonly kernel_size: number;
  readonly strides: number;
  readonly dilation_rate: number;
  readonly padding: 'valid' | 'same' | 'causal';
  readonly groups: number;
}

/** The steps of the input of tap 0 of every output, as TensorFlow pads. */
function startsOf({ kernel_size: k, strides, dilation_rate, padding }: Config): number[] {
  const extent = (k - 1) * dilation_rate + 1;
  const count = padding === 'valid' ? Math.floor((T - extent) / strides) + 1 : Math.ceil(T / strides);
  const missing = Math.max(0, (count - 1) * strides + extent - T);
  const before = { valid: 0, same: Math.floor(missing / 2), causal: extent - 1 }[padding];
  return Array.from({ length: count }, (_, t) => t * strides - before);
}

/** Conv1D: the sum over taps j and inputs i of the group, with the kernel `[k, I / groups, O]`. */
function convolve(rows: Rows, { shape, data }: Weight, bias: readonly number[], config: Config): Rows {
  const [k, size, O] = shape as [number, number, number];
  return startsOf(config).map((start) =>
    Array.from({ length: O }, (_, o) => {
      const first = Math.floor((o * config.groups) / O) * size;
      let total = bias[o] ?? 0;
      for (let j = 0; j < k; j++)
        for (let i = 0; i < size; i++)
          total += (rows[start + j * config.dilation_rate]?.[first + i] ?? 0) * data[(j * size + i) * O + o]!;
      return total;
    }),
  );
}

/** DepthwiseConv1D: output i · multiplier + m is input i, convolved with the kernel `[k, I, multiplier]`. */
function convolveDepthwise(rows: Rows, { shape, data }: Weight, bias: readonly number[], config: Config): Rows {
  const [k, , multiplier] = shape as [number, number, number];
  return startsOf(config).map((start) =>
    Array.from({ length: I * multiplier }, (_, o) => {
      const [i, m] = [Math.floor(o / multiplier), o % multiplier];
      let total = bias[o] ?? 0;
      for (let j = 0; j < k; j++)
        total += (rows[start + j * config.dilation_rate]?.[i] ?? 0) * data[(j * I + i) * multiplier + m]!;
      return total;
    }),
  );
}

/** Imports a layer with weights, and compares it with the rows of its definition, also after save and load. */
function expectLayer(className: string, config: object, weights: readonly Weight[], of: (rows: Rows) => Rows): void {
  const snake = className === 'Conv1D' ? 'conv1d' : 'depthwise_conv1d';
  const file = kerasFile({
    config: sequentialConfig([T, I], [className, config]),
    version: '3.6.0',
    weights: Object.fromEntries(weights.map((each, i) => [`layers\\${snake}\\vars\\${i}`, each])),
  });
  const { model } = importKeras(file);
  const expected = inputs.map(of);
  for (const each of [model, load(save(model), { customObjects: kerasLayers() }).model]) {
    const { shape, data } = predict(each, toTimeMajor(tensor(inputs)));
    const [steps, B, O] = [expected[0]!.length, inputs.length, expected[0]![0]!.length];
    expect(shape).toEqual([steps, B, O]);
    expected.forEach((rows, b) => {
      rows.forEach((row, t) => {
        row.forEach((value, o) => {
          const found = data[(t * B + b) * O + o]!;
          expect(Math.abs(found - value), `${b} ${t} ${o}`).toBeLessThan(2e-6 * Math.max(1, Math.abs(value)));
        });
      });
    });
  }
}

const settings = (['valid', 'same', 'causal'] as const).flatMap((padding) =>
  [
    [3, 1, 1],
    [2, 1, 3],
    [4, 2, 1],
    [1, 3, 1],
  ].map(([kernel_size, strides, dilation_rate]): [string, Omit<Config, 'groups'>] => [
    `${padding}, kernel ${kernel_size}, strides ${strides}, dilation ${dilation_rate}`,
    { kernel_size: kernel_size!, strides: strides!, dilation_rate: dilation_rate!, padding },
  ]),
);

/** The configuration as Keras writes it: sizes are lists of one number. */
const written = ({ kernel_size, strides, dilation_rate, ...rest }: Partial<Config>): object => ({
  ...rest,
  kernel_size: [kernel_size],
  strides: [strides],
  dilation_rate: [dilation_rate],
  data_format: 'channels_last',
});

describe.each(settings)('%s', (_, setting) => {
  it.each([1, 2])('Conv1D with %d groups', (groups) => {
    const [kernel, bias] = [weight(setting.kernel_size, I / groups, 6), weight(6)];
    expectLayer('Conv1D', { ...written(setting), groups, filters: 6 }, [kernel, bias], (rows) =>
      convolve(rows, kernel, bias.data, { ...setting, groups }),
    );
  });

  it.each([1, 3])('DepthwiseConv1D with the multiplier %d', (depth_multiplier) => {
    const [kernel, bias] = [weight(setting.kernel_size, I, depth_multiplier), weight(I * depth_multiplier)];
    expectLayer('DepthwiseConv1D', { ...written(setting), depth_multiplier }, [kernel, bias], (rows) =>
      convolveDepthwise(rows, kernel, bias.data, { ...setting, groups: I }),
    );
  });
});

const simple = { kernel_size: 2, strides: 1, dilation_rate: 1, padding: 'valid', groups: 1 } as const;

it('Conv1D and DepthwiseConv1D without bias, and with an activation', () => {
  const [kernel, depthwise] = [weight(2, I, 3), weight(2, I, 1)];
  const relu = (rows: Rows): Rows => rows.map((row) => row.map((value) => Math.max(0, value)));
  const config = { ...written(simple), use_bias: false, activation: 'relu' };
  expectLayer('Conv1D', { ...config, filters: 3 }, [kernel], (rows) => relu(convolve(rows, kernel, [], simple)));
  expectLayer('DepthwiseConv1D', { ...config, groups: 1 }, [depthwise], (rows) =>
    relu(convolveDepthwise(rows, depthwise, [], simple)),
  );
});

describe('rejects, with the reason', () => {
  const imported = (className: string, config: object, weights: Readonly<Record<string, Weight>> = {}) =>
    importKeras(kerasFile({ config: sequentialConfig([T, I], [className, config]), version: '3.6.0', weights }));
  const kernel = { 'layers\\conv1d\\vars\\0': weight(2, I, 3) };

  it.each<[string, () => unknown, string]>([
    ['SeparableConv1D', () => imported('SeparableConv1D', { ...written(simple), filters: 3 }), 'SeparableConv1D'],
    ['Conv1DTranspose', () => imported('Conv1DTranspose', { ...written(simple), filters: 3 }), 'Conv1DTranspose'],
    [
      'another padding',
      () => imported('Conv1D', { ...written(simple), padding: 'full', filters: 3 }),
      'layer0 has padding "full"; only valid, same and causal are supported',
    ],
    [
      'channels first',
      () => imported('Conv1D', { ...written(simple), data_format: 'channels_first', filters: 3 }, kernel),
      'layer0',
    ],
    [
      'a missing bias',
      () => imported('Conv1D', { ...written(simple), filters: 3 }, kernel),
      'the file has no bias of layer0, although the layer has use_bias=True',
    ],
    [
      'a kernel of another size',
      () => imported('Conv1D', { ...written(simple), kernel_size: [3], use_bias: false, filters: 3 }, kernel),
      '[3, 4, 3]',
    ],
  ])('%s', (_, run, message) => expect(run).toThrow(message));
});
