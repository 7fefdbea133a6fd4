/** The operators of ONNX that are known. What changed between versions of the set is told apart by `opset`. */

import { add, divide, multiply, subtract } from '../../autodiff/ops/arithmetic';
import { abs, exp, leakyRelu, log, relu, sigmoid, softplus, sqrt, tanh } from '../../autodiff/ops/elementwise';
import { layerNormalize } from '../../autodiff/ops/normalization';
import { logSoftmax, softmax } from '../../autodiff/ops/reductions';
import { isVariable, operand, toTensor, type Variable } from '../../autodiff/tape';
import { resolveAxis } from '../../tensor/shape';
import { full, type IntTensor, isIntTensor } from '../../tensor/tensor';
import { typeName } from './model';
import {
  concatenation,
  expansion,
  flattening,
  gathering,
  reshaping,
  shapeOf,
  slicing,
  squeezing,
  transposition,
  twoParts,
  unsqueezing,
} from './movement-operators';
import { attribute, type Operator, prepared, takes } from './node-reader';
import { gemm, product } from './products';
import { recurrence } from './recurrent';
import { chosen, constantOf, kindOf, reshapeValue, transposeValue } from './values';
import { checkSize, expanded, numbersOf, pairwise, wholes } from './whole-numbers';

/** The operator of a name, if it is known. */
export function operatorOf(name: string): Operator | undefined {
  const known: Readonly<Record<string, Operator>> = {
    Add: arithmetic(add, (a, b) => a + b),
    Sub: arithmetic(subtract, (a, b) => a - b),
    Mul: arithmetic(multiply, (a, b) => a * b),
    Div: arithmetic(divide, quotient),
    Abs: elementwise(abs),
    Exp: elementwise(exp),
    Log: elementwise(log),
    Relu: elementwise(relu),
    Sigmoid: elementwise(sigmoid),
    Softplus: elementwise(softplus),
    Sqrt: elementwise(sqrt),
    Tanh: elementwise(tanh),
    LeakyRelu: leaking,
    Softmax: overAxis(softmax),
    LogSoftmax: overAxis(logSoftmax),
    LayerNormalization: normalization,
    MatMul: product,
    Gemm: gemm,
    RNN: recurrence,
    LSTM: recurrence,
    GRU: recurrence,
    Gather: gathering,
    Slice: slicing,
    Concat: concatenation,
    Transpose: transposition,
    Expand: expansion,
    Reshape: reshaping,
    Flatten: flattening,
    Squeeze: squeezing,
    Unsqueeze: unsqueezing,
    Shape: shapeOf,
    Constant: constant,
    ConstantOfShape: constantOfShape,
    Cast: cast,
    Identity: identity,
    Dropout: dropout,
    Equal: comparison((a, b) => a === b),
    Less: comparison((a, b) => a < b),
    Range: range,
    Where: choice,
  };
  return Object.hasOwn(known, name) ? known[name] : undefined;
}

function elementwise(f: (x: Variable) => Variable): Operator {
  return (reader) => {
    takes(reader, ['float']);
    return prepared(reader, (x) => f(x as Variable));
  };
}

const leaking: Operator = (reader) => {
  takes(reader, ['float']);
  const slope = attribute(reader, 'alpha', 'float') ?? 0.01;
  return prepared(reader, (x) => leakyRelu(x as Variable, slope));
};

function arithmetic(f: (a: Variable, b: Variable) => Variable, whole: (a: number, b: number) => number): Operator {
  return (reader) => {
    const kind = reader.kinds[0] ?? 'any';
    takes(reader, [kind, kind]);
    return prepared(reader, (a, b) => (isVariable(a) ? f(a, b as Variable) : pairwise(a, b as IntTensor, whole)));
  };
}

function quotient(a: number, b: number): number {
  if (b === 0) throw new RangeError('a whole number is divided by 0');
  return Math.trunc(a / b);
}

/** Softmax over one axis; before version 13 over all from one axis on. */
function overAxis(f: (x: Variable) => Variable): Operator {
  return (reader) => {
    takes(reader, ['float']);
    const each = reader.opset >= 13;
    const axis = attribute(reader, 'axis', 'int') ?? (each ? -1 : 1);
    return prepared(reader, (value) => {
      const [x, { shape }] = [value as Variable, value];
      if (!each) return reshapeValue(f(reshapeValue(x, twoParts(shape, axis)) as Variable), shape);
      const last = shape.length - 1;
      const along = resolveAxis('Softmax', axis, shape.length);
      const order = shape.map((_, i) => (i === along ? last : i === last ? along : i));
      return along === last ? f(x) : transposeValue(f(transposeValue(x, order) as Variable), order);
    });
  };
}

/** Over all from an axis on. */
const normalization: Operator = (reader) => {
  takes(reader, ['float', 'float', 'float?']);
  const [axis, epsilon] = [attribute(reader, 'axis', 'int') ?? -1, attribute(reader, 'epsilon', 'float') ?? 1e-5];
  // In which precision mean and variance are worked out: single is all there is.
  attribute(reader, 'stash_type', 'int');
  return prepared(reader, (x, scale, bias) => {
    const [rows, n] = twoParts(x.shape, axis);
    const [gain, to] = [scale, bias].map((each) => each && (reshapeValue(each, [n!]) as Variable));
    return reshapeValue(
      layerNormalize(reshapeValue(x, [rows!, n!]) as Variable, { gain: gain!, ...(to && { bias: to }), epsilon }),
      x.shape,
    );
  });
};

const constant: Operator = (reader) => {
  takes(reader, []);
  const numbers = attribute(reader, 'value_float', 'float') ?? attribute(reader, 'value_floats', 'floats');
  const integers = attribute(reader, 'value_int', 'int') ?? attribute(reader, 'value_ints', 'ints');
  const given = attribute(reader, 'value', 'tensor');
  const shape = [numbers ?? integers].flatMap((values) => (typeof values === 'object' ? [values.length] : []));
  const value =
    given !== undefined
      ? constantOf(given)
      : numbers !== undefined
        ? { shape, data: Float32Array.from([numbers].flat()) }
        : integers !== undefined
          ? wholes(shape, [integers].flat())
          : undefined;
  if (value === undefined) throw new RangeError('has no value that is a number or a tensor of numbers');
  return prepared(
    reader,
    () => (isIntTensor(value) ? value : operand('Constant', value)),
    isIntTensor(value) ? 'whole' : 'float',
  );
};

const constantOfShape: Operator = (reader) => {
  takes(reader, ['whole']);
  const given = attribute(reader, 'value', 'tensor');
  const value = given === undefined ? full([1], 0) : constantOf(given);
  if (value.data.length !== 1) throw new RangeError(`needs a value of one number, got ${value.data.length}`);
  return prepared(
    reader,
    (wanted) => {
      const shape = checkSize(numbersOf(wanted)!);
      return isIntTensor(value) ? expanded(value, shape) : operand('ConstantOfShape', full(shape, value.data[0]!));
    },
    isIntTensor(value) ? 'whole' : 'float',
  );
};

const cast: Operator = (reader) => {
  takes(reader, ['any']);
  // Saturation is a matter of eight-bit floats, which are not known.
  attribute(reader, 'saturate', 'int');
  const type = typeName(attribute(reader, 'to', 'int') ?? 0);
  const kind = kindOf(type);
  if (kind === undefined) throw new RangeError(`casts to ${type}`);
  const truth = type === 'bool';
  return prepared(
    reader,
    (x) => {
      if (kind === 'float')
        return isVariable(x) ? x : operand('Cast', { shape: x.shape, data: Float32Array.from(x.data) });
      const values = isVariable(x) ? toTensor(x).data : x.data;
      return isVariable(x) || truth
        ? wholes(
            x.shape,
            Array.from(values, (value) => (truth ? Number(value !== 0) : Math.trunc(value))),
          )
        : x;
    },
    kind,
  );
};

const identity: Operator = (reader) => {
  takes(reader, ['any']);
  return prepared(reader, (x) => x);
};

/** Nothing, at prediction. */
const dropout: Operator = (reader) => {
  takes(reader, reader.opset < 12 ? ['float'] : ['float', 'float?', 'whole?']);
  attribute(reader, 'ratio', 'float');
  attribute(reader, 'seed', 'int');
  return prepared(reader, (x, _, training) => {
    if (training !== undefined && (training as IntTensor).data[0] !== 0)
      throw new RangeError('training_mode is on; only prediction is known');
    return x;
  });
};

function comparison(holds: (a: number, b: number) => boolean): Operator {
  return (reader) => {
    takes(reader, ['whole', 'whole']);
    return prepared(reader, (a, b) => pairwise(a as IntTensor, b as IntTensor, (x, y) => Number(holds(x, y))));
  };
}

const range: Operator = (reader) => {
  takes(reader, ['whole', 'whole', 'whole']);
  return prepared(reader, (...values) => {
    const [start, limit, delta] = values.map((value) => numbersOf(value)![0] ?? 0) as [number, number, number];
    if (delta === 0) throw new RangeError('delta must not be 0');
    const shape = checkSize([Math.max(0, Math.ceil((limit - start) / delta))]);
    return wholes(
      shape,
      Array.from({ length: shape[0]! }, (_, i) => start + i * delta),
    );
  });
};

const choice: Operator = (reader) => {
  const kind = reader.kinds[1] ?? 'any';
  takes(reader, ['whole', kind, kind]);
  return prepared(reader, (condition, x, y) => chosen(condition as IntTensor, x, y), reader.kinds[1]);
};
