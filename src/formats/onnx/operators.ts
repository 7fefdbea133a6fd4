/** The supported operators of ONNX. Where versions of the operator set differ, `opset` selects the behavior. */

import { add, divide, multiply, subtract } from '../../autodiff/ops/arithmetic';
import { abs, exp, log, relu, sigmoid, softplus, sqrt, tanh } from '../../autodiff/ops/elementwise';
import { logSoftmax, softmax } from '../../autodiff/ops/reductions';
import { isVariable, operand, toTensor, type Variable } from '../../autodiff/tape';
import { broadcastShapes, resolveAxis } from '../../tensor/shape';
import { full, type IntTensor, isIntTensor, type Tensor } from '../../tensor/tensor';
import { ifOperator, scanOperator } from './control-flow';
import {
  averagePoolOperator,
  convOperator,
  globalAveragePoolOperator,
  globalMaxPoolOperator,
  maxPoolOperator,
} from './convolution-operators';
import {
  clipOperator,
  elementwiseOperator,
  eluOperator,
  extremumOperator,
  geluOperator,
  hardSigmoidOperator,
  leakyReluOperator,
  negOperator,
  pointwiseOperator,
  powOperator,
} from './elementwise-operators';
import { clampedIntTensor, elementsOf, expanded, intTensorOf, pairwise } from './int-tensors';
import { typeName } from './model';
import {
  concatOperator,
  expandOperator,
  flattenOperator,
  gatherOperator,
  matrixShape,
  padOperator,
  reshapeOperator,
  shapeOperator,
  sizeOperator,
  sliceOperator,
  splitOperator,
  squeezeOperator,
  transposeOperator,
  unsqueezeOperator,
} from './movement-operators';
import { checkInputs, consumeAttribute, type NodeReader, type Operator, singleOutput } from './node-reader';
import { batchNormalization, layerNormalization } from './normalization-operators';
import { errorFunction, maximum, minimum } from './pointwise';
import { gemmOperator, matmulOperator } from './products';
import { dynamicQuantizeLstm } from './quantized-lstm';
import { recurrentOperator } from './recurrent';
import {
  argumentOperator,
  extremumReduction,
  meanReduction,
  productReduction,
  reduceOperator,
  sumReduction,
} from './reduction-operators';
import { checkResultShape } from './run-limit';
import { importTensor, kindOf, reshapeValue, selectValue, transposeValue } from './values';

/** Creates the supported operators, by name. */
export function allOperators(): ReadonlyMap<string, Operator> {
  const operators: Readonly<Record<string, Operator>> = {
    Add: arithmetic(add, (a, b) => a + b),
    Sub: arithmetic(subtract, (a, b) => a - b),
    Mul: arithmetic(multiply, (a, b) => a * b),
    Div: arithmetic(divide, integerQuotient),
    Abs: elementwise(abs),
    Exp: elementwise(exp),
    Log: elementwise(log),
    Relu: elementwise(relu),
    Sigmoid: elementwise(sigmoid),
    Softplus: elementwise(softplus),
    Sqrt: elementwise(sqrt),
    Tanh: elementwise(tanh),
    LeakyRelu: leakyReluOperator,
    Elu: eluOperator,
    Erf: pointwiseOperator(() => errorFunction),
    Gelu: geluOperator,
    'com.microsoft.Gelu': geluOperator,
    HardSigmoid: hardSigmoidOperator,
    Reciprocal: elementwise((x) => divide(1, x)),
    Neg: negOperator,
    Pow: powOperator,
    Max: extremumOperator(maximum),
    Min: extremumOperator(minimum),
    Clip: clipOperator,
    ReduceSum: reduceOperator(sumReduction),
    ReduceMean: reduceOperator(meanReduction),
    ReduceProd: reduceOperator(productReduction),
    ReduceMax: reduceOperator(extremumReduction((a, b) => a > b)),
    ReduceMin: reduceOperator(extremumReduction((a, b) => a < b)),
    ArgMax: argumentOperator((a, b) => a > b),
    ArgMin: argumentOperator((a, b) => a < b),
    Conv: convOperator,
    MaxPool: maxPoolOperator,
    AveragePool: averagePoolOperator,
    GlobalMaxPool: globalMaxPoolOperator,
    GlobalAveragePool: globalAveragePoolOperator,
    BatchNormalization: batchNormalization,
    Softmax: overAxis(softmax),
    LogSoftmax: overAxis(logSoftmax),
    LayerNormalization: layerNormalization,
    MatMul: matmulOperator,
    Gemm: gemmOperator,
    RNN: recurrentOperator,
    LSTM: recurrentOperator,
    GRU: recurrentOperator,
    'com.microsoft.DynamicQuantizeLSTM': dynamicQuantizeLstm,
    Gather: gatherOperator,
    Pad: padOperator,
    Slice: sliceOperator,
    Concat: concatOperator,
    Transpose: transposeOperator,
    Expand: expandOperator,
    Reshape: reshapeOperator,
    Flatten: flattenOperator,
    Squeeze: squeezeOperator,
    Unsqueeze: unsqueezeOperator,
    Shape: shapeOperator,
    Size: sizeOperator,
    Constant: constant,
    ConstantOfShape: constantOfShape,
    Cast: cast,
    Identity: identity,
    Dropout: dropout,
    Equal: comparison((a, b) => a === b),
    Less: comparison((a, b) => a < b),
    Range: range,
    If: ifOperator,
    Scan: scanOperator,
    Split: splitOperator,
    Where: where,
  };
  return new Map(Object.entries(operators));
}

const elementwise = (f: (x: Variable) => Variable): Operator => elementwiseOperator(() => f);

function arithmetic(
  floatOp: (a: Variable, b: Variable) => Variable,
  intOp: (a: number, b: number) => number,
): Operator {
  return (reader) => {
    const kind = reader.kinds[0] ?? 'any';
    checkInputs(reader, [kind, kind]);
    return singleOutput(reader, (a, b) => {
      checkResultShape(broadcastShapes(reader.node.opType, a.shape, b.shape));
      return isVariable(a) ? floatOp(a, b as Variable) : pairwise(a, b as IntTensor, intOp);
    });
  };
}

function integerQuotient(a: number, b: number): number {
  if (b === 0) throw new RangeError('integer division by 0');
  return Math.trunc(a / b);
}

/** Softmax over one axis; before opset 13 over all axes from `axis` on, taken together. */
function overAxis(f: (x: Variable) => Variable): Operator {
  return (reader) => {
    checkInputs(reader, ['float']);
    const isSingleAxis = reader.opset >= 13;
    const axis = consumeAttribute(reader, 'axis', 'int') ?? (isSingleAxis ? -1 : 1);
    return singleOutput(reader, (value) => {
      const [x, { shape }] = [value as Variable, value];
      if (!isSingleAxis) return reshapeValue(f(reshapeValue(x, matrixShape(shape, axis)) as Variable), shape);
      const last = shape.length - 1;
      const along = resolveAxis('Softmax', axis, shape.length);
      const order = shape.map((_, i) => (i === along ? last : i === last ? along : i));
      return along === last ? f(x) : transposeValue(f(transposeValue(x, order) as Variable), order);
    });
  };
}

const constant: Operator = (reader) => {
  checkInputs(reader, []);
  const value = constantValue(reader);
  if (value === undefined) throw new RangeError('the node must have a value attribute of floats or integers');
  const [kind, run] = isIntTensor(value)
    ? (['int', () => value] as const)
    : (['float', () => operand('Constant', value)] as const);
  return { ...singleOutput(reader, run, kind), constant: value };
};

/** The value of a Constant node: a tensor attribute, or floats or integers as a scalar or a list. */
function constantValue(reader: NodeReader): Tensor | IntTensor | undefined {
  const floats = consumeAttribute(reader, 'value_float', 'float') ?? consumeAttribute(reader, 'value_floats', 'floats');
  const ints = consumeAttribute(reader, 'value_int', 'int') ?? consumeAttribute(reader, 'value_ints', 'ints');
  const tensor = consumeAttribute(reader, 'value', 'tensor');
  if (tensor !== undefined) return importTensor(tensor);
  const shapeOf = (values: number | readonly number[]): readonly number[] =>
    typeof values === 'number' ? [] : [values.length];
  if (floats !== undefined) return { shape: shapeOf(floats), data: Float32Array.from([floats].flat()) };
  return ints === undefined ? undefined : clampedIntTensor(shapeOf(ints), [ints].flat());
}

const constantOfShape: Operator = (reader) => {
  checkInputs(reader, ['int']);
  const attribute = consumeAttribute(reader, 'value', 'tensor');
  const value = attribute === undefined ? full([1], 0) : importTensor(attribute);
  if (value.data.length !== 1) throw new RangeError(`value must have 1 element, got ${value.data.length}`);
  return singleOutput(
    reader,
    (lengths) => {
      const shape = checkResultShape(elementsOf(lengths)!);
      return isIntTensor(value) ? expanded(value, shape) : operand('ConstantOfShape', full(shape, value.data[0]!));
    },
    isIntTensor(value) ? 'int' : 'float',
  );
};

const cast: Operator = (reader) => {
  checkInputs(reader, ['any']);
  // Saturation applies only to 8-bit floats, which are not supported.
  consumeAttribute(reader, 'saturate', 'int');
  const type = typeName(consumeAttribute(reader, 'to', 'int') ?? 0);
  const kind = kindOf(type);
  if (kind === undefined) throw new RangeError(`a cast to ${type === '' ? 'no type' : type} is not supported`);
  const isBool = type === 'bool';
  return singleOutput(
    reader,
    (x) => {
      if (kind === 'float')
        return isVariable(x) ? x : operand('Cast', { shape: x.shape, data: Float32Array.from(x.data) });
      if (!isVariable(x) && !isBool) return x;
      const elements = isVariable(x) ? toTensor(x).data : x.data;
      return intTensorOf(x.shape, (i) => (isBool ? Number(elements[i] !== 0) : Math.trunc(elements[i]!)));
    },
    kind,
  );
};

const identity: Operator = (reader) => {
  checkInputs(reader, ['any']);
  return singleOutput(reader, (x) => x);
};

/** Dropout at inference: the identity. */
const dropout: Operator = (reader) => {
  checkInputs(reader, reader.opset < 12 ? ['float'] : ['float', 'float?', 'int?']);
  consumeAttribute(reader, 'ratio', 'float');
  consumeAttribute(reader, 'seed', 'int');
  return singleOutput(reader, (x, _, trainingMode) => {
    if (trainingMode !== undefined && (trainingMode as IntTensor).data[0] !== 0)
      throw new RangeError('training_mode must be false. Export the model for inference');
    return x;
  });
};

function comparison(holds: (a: number, b: number) => boolean): Operator {
  return (reader) => {
    checkInputs(reader, ['int', 'int']);
    return singleOutput(reader, (a, b) => pairwise(a as IntTensor, b as IntTensor, (x, y) => Number(holds(x, y))));
  };
}

const range: Operator = (reader) => {
  checkInputs(reader, ['int', 'int', 'int']);
  return singleOutput(reader, (...values) => {
    const [start, limit, delta] = values.map((value) => elementsOf(value)![0] ?? 0) as [number, number, number];
    if (delta === 0) throw new RangeError('delta must not be 0');
    const shape = checkResultShape([Math.max(0, Math.ceil((limit - start) / delta))]);
    return intTensorOf(shape, (i) => start + i * delta);
  });
};

const where: Operator = (reader) => {
  const kind = reader.kinds[1] ?? 'any';
  checkInputs(reader, ['int', kind, kind]);
  return singleOutput(reader, (condition, x, y) => selectValue(condition as IntTensor, x, y), reader.kinds[1]);
};
