/** The operators of ONNX that are known. What changed between versions of the set is told apart by `opset`. */

import { add, divide, multiply, subtract } from '../../bptt/ops/arithmetic';
import { relu, sigmoid, tanh } from '../../bptt/ops/elementwise';
import { logSoftmax, softmax } from '../../bptt/ops/reductions';
import { isVariable, operand, read, type Variable } from '../../bptt/tape';
import { broadcastShapes, resolveAxis, sizeOf, type Shape } from '../../tensor/shape';
import { full, isIdTensor, type IdTensor } from '../../tensor/tensor';
import { typeName } from './model';
import { attribute, takes, type Kind, type NodeReader, type Operator, type Prepared, type Value, type Values } from './node-reader';
import { gemm, product } from './products';
import { recurrence } from './recurrent';
import { concatValues, constantOf, expandValue, gatherValue, kindOf, reshapeValue, sliceValue, transposeValue } from './values';
import { checkSize, expanded, pairwise, wholes } from './whole-numbers';

/** The operator of a name, if it is known. */
export function operatorOf(name: string): Operator | undefined {
  const known: Readonly<Record<string, Operator>> = {
    Add: arithmetic(add, (a, b) => a + b), Sub: arithmetic(subtract, (a, b) => a - b), Mul: arithmetic(multiply, (a, b) => a * b), Div: arithmetic(divide, quotient),
    Tanh: elementwise(tanh), Sigmoid: elementwise(sigmoid), Relu: elementwise(relu), Softmax: overAxis(softmax), LogSoftmax: overAxis(logSoftmax),
    MatMul: product, Gemm: gemm, RNN: recurrence, LSTM: recurrence, GRU: recurrence,
    Gather: gathering, Slice: slicing, Concat: concatenation, Transpose: transposition, Expand: expansion,
    Reshape: reshaping, Flatten: flattening, Squeeze: squeezing, Unsqueeze: unsqueezing, Shape: shapeOf,
    Constant: constant, ConstantOfShape: constantOfShape, Cast: cast, Identity: identity, Dropout: dropout, Equal: equality, Where: choice,
  };
  return Object.hasOwn(known, name) ? known[name] : undefined;
}

/** One value for one or more, of the kind of the first. */
function prepared({ kinds }: NodeReader, run: (...values: Value[]) => Value, kind: Kind | undefined = kinds[0]): Prepared {
  return { kind: kind!, run: (values: Values) => [run(...(values as Value[]))] };
}

const numbersOf = (value: Value | undefined): readonly number[] | undefined => (value === undefined ? undefined : Array.from((value as IdTensor).data));

function elementwise(f: (x: Variable) => Variable): Operator {
  return (reader) => {
    takes(reader, ['float']);
    return prepared(reader, (x) => f(x as Variable));
  };
}

function arithmetic(f: (a: Variable, b: Variable) => Variable, whole: (a: number, b: number) => number): Operator {
  return (reader) => {
    const kind = reader.kinds[0] ?? 'any';
    takes(reader, [kind, kind]);
    return prepared(reader, (a, b) => (isVariable(a) ? f(a, b as Variable) : pairwise(a, b as IdTensor, whole)));
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

/** A shape cut in two at an axis. */
function twoParts(shape: Shape, axis: number): Shape {
  const at = axis === shape.length ? axis : resolveAxis('Flatten', axis, shape.length);
  return [sizeOf(shape.slice(0, at)), sizeOf(shape.slice(at))];
}

const flattening: Operator = (reader) => {
  takes(reader, ['any']);
  const axis = attribute(reader, 'axis', 'int') ?? 1;
  return prepared(reader, (x) => reshapeValue(x, twoParts(x.shape, axis)));
};

const gathering: Operator = (reader) => {
  takes(reader, ['any', 'whole']);
  const axis = attribute(reader, 'axis', 'int') ?? 0;
  return prepared(reader, (x, indices) => gatherValue(x, indices as IdTensor, axis));
};

const slicing: Operator = (reader) => {
  const byInputs = reader.opset >= 10;
  takes(reader, byInputs ? ['any', 'whole', 'whole', 'whole?', 'whole?'] : ['any']);
  const [starts, ends, axes] = byInputs ? [] : ['starts', 'ends', 'axes'].map((name) => attribute(reader, name, 'ints'));
  return prepared(reader, (x, ...given) => {
    const bounds = byInputs ? given.map(numbersOf) : [starts, ends, axes];
    const [from, to, along = from!.map((_, i) => i), steps = from!.map(() => 1)] = bounds;
    if ([to!, along, steps].some(({ length }) => length !== from!.length)) throw new RangeError('starts, ends, axes and steps must be as many');
    return from!.reduce((part, start, i) => sliceValue(part, along[i]!, start, to![i]!, steps[i]!), x);
  });
};

const concatenation: Operator = (reader) => {
  const kind = reader.kinds.find((each) => each !== undefined) ?? 'any';
  takes(reader, reader.node.inputs.length === 0 ? ['any'] : reader.node.inputs.map(() => kind));
  const axis = attribute(reader, 'axis', 'int');
  if (axis === undefined) throw new RangeError('lacks its axis');
  return prepared(reader, (...parts) => concatValues(parts, axis), kind === 'any' ? undefined : kind);
};

const transposition: Operator = (reader) => {
  takes(reader, ['any']);
  const order = attribute(reader, 'perm', 'ints');
  return prepared(reader, (x) => transposeValue(x, order ?? x.shape.map((_, axis) => axis).reverse()));
};

const expansion: Operator = (reader) => {
  takes(reader, ['any', 'whole']);
  return prepared(reader, (x, shape) => expandValue(x, numbersOf(shape)!));
};

/** Lengths of 0 are those of x, unless `allowzero`; one of −1 is worked out. */
const reshaping: Operator = (reader) => {
  takes(reader, ['any', 'whole']);
  const zeros = (attribute(reader, 'allowzero', 'int') ?? 0) !== 0;
  return prepared(reader, (x, wanted) => {
    const lengths = numbersOf(wanted)!.map((length, i) => (length === 0 && !zeros ? (x.shape[i] ?? 0) : length));
    const rest = sizeOf(x.shape) / sizeOf(lengths.filter((length) => length !== -1));
    return reshapeValue(x, checkSize(lengths.map((length) => (length === -1 ? rest : length))));
  });
};

/** The axes of Squeeze and Unsqueeze: an attribute before version 13, an input since. */
function axesOf(reader: NodeReader, needed: boolean): (given: Value | undefined) => readonly number[] | undefined {
  takes(reader, reader.opset < 13 ? ['any'] : ['any', needed ? 'whole' : 'whole?']);
  const axes = reader.opset < 13 ? attribute(reader, 'axes', 'ints') : undefined;
  if (reader.opset < 13 && needed && axes === undefined) throw new RangeError('lacks its axes');
  return (given) => axes ?? numbersOf(given);
}

const squeezing: Operator = (reader) => {
  const given = axesOf(reader, false);
  return prepared(reader, (x, input) => {
    const axes = given(input)?.map((axis) => resolveAxis('Squeeze', axis, x.shape.length));
    const dropped = axes?.find((axis) => x.shape[axis] !== 1);
    if (dropped !== undefined) throw new RangeError(`axis ${dropped} has the length ${x.shape[dropped]}, not 1`);
    return reshapeValue(x, x.shape.filter((length, axis) => (axes === undefined ? length !== 1 : !axes.includes(axis))));
  });
};

const unsqueezing: Operator = (reader) => {
  const given = axesOf(reader, true);
  return prepared(reader, (x, input) => {
    const rank = x.shape.length + given(input)!.length;
    const axes = given(input)!.map((axis) => resolveAxis('Unsqueeze', axis, rank));
    if (new Set(axes).size !== axes.length) throw new RangeError('axes must be different');
    const lengths = [...x.shape];
    return reshapeValue(x, Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : lengths.shift()!)));
  });
};

const shapeOf: Operator = (reader) => {
  takes(reader, ['any']);
  const [start, end] = [attribute(reader, 'start', 'int'), attribute(reader, 'end', 'int')];
  return prepared(reader, ({ shape }) => {
    const part = shape.slice(start, end);
    return wholes([part.length], part);
  }, 'whole');
};

const constant: Operator = (reader) => {
  takes(reader, []);
  const numbers = attribute(reader, 'value_float', 'float') ?? attribute(reader, 'value_floats', 'floats');
  const integers = attribute(reader, 'value_int', 'int') ?? attribute(reader, 'value_ints', 'ints');
  const given = attribute(reader, 'value', 'tensor');
  const shape = [numbers ?? integers].flatMap((values) => (typeof values === 'object' ? [values.length] : []));
  const value = given !== undefined ? constantOf(given)
    : numbers !== undefined ? { shape, data: Float32Array.of(...[numbers].flat()) }
      : integers !== undefined ? wholes(shape, [integers].flat()) : undefined;
  if (value === undefined) throw new RangeError('has no value that is a number or a tensor of numbers');
  return prepared(reader, () => (isIdTensor(value) ? value : operand('Constant', value)), isIdTensor(value) ? 'whole' : 'float');
};

const constantOfShape: Operator = (reader) => {
  takes(reader, ['whole']);
  const given = attribute(reader, 'value', 'tensor');
  const value = given === undefined ? full([1], 0) : constantOf(given);
  if (value.data.length !== 1) throw new RangeError(`needs a value of one number, got ${value.data.length}`);
  return prepared(reader, (wanted) => {
    const shape = checkSize(numbersOf(wanted)!);
    return isIdTensor(value) ? expanded(value, shape) : operand('ConstantOfShape', full(shape, value.data[0]!));
  }, isIdTensor(value) ? 'whole' : 'float');
};

const cast: Operator = (reader) => {
  takes(reader, ['any']);
  // Saturation is a matter of eight-bit floats, which are not known.
  attribute(reader, 'saturate', 'int');
  const type = typeName(attribute(reader, 'to', 'int') ?? 0);
  const kind = kindOf(type);
  if (kind === undefined) throw new RangeError(`casts to ${type}`);
  const truth = type === 'bool';
  return prepared(reader, (x) => {
    if (kind === 'float') return isVariable(x) ? x : operand('Cast', { shape: x.shape, data: Float32Array.from(x.data) });
    const values = isVariable(x) ? read(x).data : x.data;
    return isVariable(x) || truth ? wholes(x.shape, Array.from(values, (value) => (truth ? Number(value !== 0) : Math.trunc(value)))) : x;
  }, kind);
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
    if (training !== undefined && (training as IdTensor).data[0] !== 0) throw new RangeError('training_mode is on; only prediction is known');
    return x;
  });
};

const equality: Operator = (reader) => {
  takes(reader, ['whole', 'whole']);
  return prepared(reader, (a, b) => pairwise(a as IdTensor, b as IdTensor, (x, y) => Number(x === y)));
};

const choice: Operator = (reader) => {
  takes(reader, ['whole', 'whole', 'whole']);
  return prepared(reader, (...values) => {
    const [condition, x, y] = values as [IdTensor, IdTensor, IdTensor];
    const shape = broadcastShapes('Where', condition.shape, broadcastShapes('Where', x.shape, y.shape));
    const [chosen, one, other] = [condition, x, y].map((each) => expanded(each, shape).data) as [Int32Array, Int32Array, Int32Array];
    return { shape, data: chosen.map((each, i) => (each !== 0 ? one : other)[i]!) };
  });
};
