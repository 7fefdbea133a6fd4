/** DynamicQuantizeLSTM of onnxruntime, as its quantization tool writes it, by dequantizing the weights. */

import { formatShape } from '../../tensor/shape';
import { isIntTensor, isTensor, type Tensor } from '../../tensor/tensor';
import { checkInputs, type NodeReader, type Operator } from './node-reader';
import { recurrentOperator } from './recurrent';

/**
 * An LSTM with weights of 8 bits, `W [D, I, 4·H]` and `R [D, H, 4·H]`, which are converted to floats. onnxruntime also
 * quantizes inputs and hidden states, so its outputs differ by the quantization error.
 */
export const dynamicQuantizeLstm: Operator = (reader) => {
  checkInputs(reader, [
    ...(['float', 'int', 'int', 'float?', 'int?', 'float?', 'float?', 'float?'] as const),
    ...(['float', 'int?', 'float', 'int?'] as const),
  ]);
  const { node, kinds } = reader;
  const W = dequantized(reader, 1, 8);
  const R = dequantized(reader, 2, 10);
  const prepared = recurrentOperator({
    ...reader,
    node: { ...node, opType: 'LSTM', inputs: node.inputs.slice(0, 8) },
    kinds: kinds.slice(0, 8).map((kind, i) => (i === 1 || i === 2 ? 'float' : kind)),
    exclusiveConstant: (i) => (i === 1 ? W : i === 2 ? R : reader.exclusiveConstant(i)),
  });
  const quantization = node.inputs.slice(8).filter((name) => name !== '');
  return { ...prepared, replaces: [...(prepared.replaces ?? []), ...quantization] };
};

/**
 * Dequantizes and transposes a weight: (q − zero point) · scale, with one scale and zero point per direction or per
 * direction and column.
 */
function dequantized(reader: NodeReader, input: number, scaleInput: number): Tensor {
  const [q, scale, zero] = [input, scaleInput, scaleInput + 1].map(reader.constant);
  if (!isIntTensor(q) || !isTensor(scale)) throw new RangeError(`inputs ${input} and ${scaleInput} must be constants`);
  const [D = 0, rows = 0, columns = 0] = q.shape;
  const indexOf = (direction: number, column: number, length: number): number =>
    length === D ? direction : direction * columns + column;
  for (const parameter of [scale, ...(zero === undefined ? [] : [zero])])
    if (q.shape.length !== 3 || ![D, D * columns].includes(parameter.data.length))
      throw new RangeError(
        `input ${input} must be [D, *, 4·H] with a scale and zero point [D] or [D, 4·H], got ${formatShape(q.shape)} ` +
          `with ${formatShape(parameter.shape)}`,
      );
  const data = new Float32Array(q.data.length);
  for (let i = 0; i < data.length; i++) {
    const column = i % columns;
    const row = Math.floor(i / columns) % rows;
    const d = Math.floor(i / (rows * columns));
    const zeroPoint = zero === undefined ? 0 : zero.data[indexOf(d, column, zero.data.length)]!;
    data[(d * columns + column) * rows + row] =
      (q.data[i]! - zeroPoint) * scale.data[indexOf(d, column, scale.data.length)]!;
  }
  return { shape: [D, columns, rows], data };
}
