/** DynamicQuantizeLSTM: the LSTM of the dequantized weights. */

import { createRandom, integerNumber, normal, type Tensor } from 'bptt';
import { importOnnx, predictOnnx } from 'bptt/onnx';
import { describe, expect, it } from 'vitest';
import type { OnnxTensor } from '../../src/formats/onnx/model';
import { errorOf, floats, modelOf, type PlainNode } from '../golden/onnx';

const [T, B, I, H] = [4, 2, 3, 2];
const random = createRandom(7);
const x = normal(0, 1)([T, B, I], random);
const bytes = (length: number, low: number): number[] => Array.from({ length }, () => low + integerNumber(random, 256));
const tensorOf = (
  name: string,
  type: 'int8' | 'uint8',
  shape: readonly number[],
  data: readonly number[],
): OnnxTensor =>
  type === 'int8'
    ? { name, shape, type, data: Int8Array.from(data) }
    : { name, shape, type, data: Uint8Array.from(data) };

/** Quantized weights of D directions, and the weights of the equivalent LSTM. */
function weights(
  D: number,
  type: 'int8' | 'uint8',
  perColumn: boolean,
): { quantized: OnnxTensor[]; plain: OnnxTensor[] } {
  const columns = 4 * H;
  const convert = (name: 'W' | 'R', rows: number): { quantized: OnnxTensor[]; plain: OnnxTensor } => {
    const q = bytes(D * rows * columns, type === 'int8' ? -128 : 0);
    const parameters = perColumn ? [D, columns] : [D];
    const count = parameters.reduce((product, length) => product * length);
    const scale = Array.from({ length: count }, () => Math.fround(0.004 + 0.0001 * integerNumber(random, 40)));
    const zero = Array.from({ length: count }, () => (type === 'int8' ? -3 : 128) + integerNumber(random, 5));
    const at = (d: number, column: number): number => (perColumn ? d * columns + column : d);
    const plain: number[] = [];
    for (let d = 0; d < D; d++)
      for (let column = 0; column < columns; column++)
        for (let row = 0; row < rows; row++)
          plain.push((q[(d * rows + row) * columns + column]! - zero[at(d, column)]!) * scale[at(d, column)]!);
    return {
      quantized: [
        tensorOf(name, type, [D, rows, columns], q),
        floats(`${name}_scale`, parameters, scale),
        tensorOf(`${name}_zero`, type, parameters, zero),
      ],
      plain: floats(name, [D, columns, rows], plain),
    };
  };
  const [W, R] = [convert('W', I), convert('R', H)];
  const bias = floats('B', [D, 2 * columns], [...normal(0, 0.3)([D * 2 * columns], random).data]);
  return { quantized: [...W.quantized, ...R.quantized, bias], plain: [W.plain, R.plain, bias] };
}

const node = (attributes: NonNullable<PlainNode[3]>): PlainNode => [
  'com.microsoft.DynamicQuantizeLSTM',
  'x W R B - - - - W_scale W_zero R_scale R_zero',
  'y h c',
  { hidden_size: H, ...attributes },
];

describe('DynamicQuantizeLSTM equals an LSTM with the dequantized weights', () => {
  it.each([
    [1, 'int8', false, 'reverse'],
    [1, 'uint8', true, 'forward'],
    [2, 'int8', true, 'bidirectional'],
    [2, 'uint8', false, 'bidirectional'],
  ] as const)('%i directions, %s, scales per column: %s', (D, type, perColumn, direction) => {
    const { quantized, plain } = weights(D, type, perColumn);
    const run = (plainNode: PlainNode, initializers: OnnxTensor[]): Readonly<Record<string, Tensor>> => {
      const network = importOnnx(modelOf([plainNode], [['x', 'float']], 'y h c', { initializers }));
      expect(Object.keys(network.parameters)).toEqual(['y']);
      expect(network.constants).toEqual({});
      return predictOnnx(network, { x });
    };
    const got = run(node({ direction }), quantized);
    const expected = run(['LSTM', 'x W R B', 'y h c', { hidden_size: H, direction }], plain);
    for (const name of ['y', 'h', 'c'])
      expect(errorOf(got[name]!, expected[name]!.shape, expected[name]!.data), name).toBeLessThan(1e-6);
  });

  it('weights that are not constants, and scales of another size, are rejected', () => {
    const { quantized } = weights(1, 'int8', false);
    expect(() =>
      importOnnx(
        modelOf(
          [node({})],
          [
            ['x', 'float'],
            ['W', 'int64'],
          ],
          'y',
          { initializers: quantized.slice(1) },
        ),
      ),
    ).toThrow('com.microsoft.DynamicQuantizeLSTM "y": inputs 1 and 8 must be constants');
    const wrong = quantized.map((tensor) => (tensor.name === 'R_scale' ? floats('R_scale', [3], [1, 1, 1]) : tensor));
    expect(() => importOnnx(modelOf([node({})], [['x', 'float']], 'y', { initializers: wrong }))).toThrow(
      'input 2 must be [D, *, 4·H] with a scale and zero point [D] or [D, 4·H], got [1, 2, 8] with [3]',
    );
  });
});
