/** Element-wise operators with attributes or several operands. */

import { scale } from '../../autodiff/ops/arithmetic';
import { leakyRelu } from '../../autodiff/ops/elementwise';
import { operand, toTensor, type Variable } from '../../autodiff/tape';
import { isIntTensor } from '../../tensor/tensor';
import { intTensorOf, pairwise } from './int-tensors';
import {
  checkAlike,
  checkInputs,
  consumeAttribute,
  type NodeReader,
  type Operator,
  singleOutput,
  type Value,
  withFixedConstants,
} from './node-reader';
import {
  clamp,
  elu,
  gelu,
  geluTanh,
  hardSigmoid,
  maximum,
  minimum,
  type Pointwise,
  pointwise,
  power,
} from './pointwise';

/** An operator on one value. `prepare` reads the attributes. */
export function elementwiseOperator(prepare: (reader: NodeReader) => (x: Variable) => Variable): Operator {
  return (reader) => {
    checkInputs(reader, ['float']);
    const f = prepare(reader);
    return singleOutput(reader, (x) => f(x as Variable));
  };
}

/** An operator on one value whose function has no kernel. */
export const pointwiseOperator = (prepare: (reader: NodeReader) => Pointwise): Operator =>
  elementwiseOperator((reader) => {
    const f = prepare(reader);
    return (x) => pointwise(reader.node.opType, f, x);
  });

const float = (reader: NodeReader, name: string, fallback: number): number =>
  consumeAttribute(reader, name, 'float') ?? fallback;

export const leakyReluOperator: Operator = /* @__PURE__ */ elementwiseOperator((reader) => {
  const slope = float(reader, 'alpha', 0.01);
  return (x) => leakyRelu(x, slope);
});

export const eluOperator: Operator = /* @__PURE__ */ pointwiseOperator((reader) => elu(float(reader, 'alpha', 1)));

export const hardSigmoidOperator: Operator = /* @__PURE__ */ pointwiseOperator((reader) =>
  hardSigmoid(float(reader, 'alpha', 0.2), float(reader, 'beta', 0.5)),
);

export const geluOperator: Operator = /* @__PURE__ */ pointwiseOperator((reader) => {
  const approximate = consumeAttribute(reader, 'approximate', 'string') ?? 'none';
  if (approximate !== 'none' && approximate !== 'tanh')
    throw new RangeError(`approximate must be tanh or none, got ${approximate}`);
  return approximate === 'tanh' ? geluTanh : gelu;
});

export const negOperator: Operator = (reader) => {
  checkInputs(reader, ['any']);
  return singleOutput(reader, (x) =>
    isIntTensor(x) ? intTensorOf(x.shape, (i) => -x.data[i]!) : scale(x as Variable, -1),
  );
};

const apply = (f: Pointwise, a: Value, b: Value): Value =>
  isIntTensor(a) && isIntTensor(b) ? pairwise(a, b, f.f) : pointwise('pointwise', f, a as Variable, b as Variable);

/** The largest or smallest of the inputs, which are broadcast to each other. */
export const extremumOperator =
  (f: Pointwise): Operator =>
  (reader) => {
    checkAlike(reader);
    return singleOutput(reader, (first, ...others) => others.reduce((a, b) => apply(f, a, b), first!));
  };

/** min(max, max(min, x)). The bounds are attributes before opset 11, optional inputs since. */
export const clipOperator: Operator = (reader) => {
  if (reader.opset < 11) {
    checkInputs(reader, ['float']);
    const bounds = clamp(float(reader, 'min', -Infinity), float(reader, 'max', Infinity));
    return singleOutput(reader, (x) => pointwise('Clip', bounds, x as Variable));
  }
  const kind = reader.kinds[0] ?? 'any';
  checkInputs(reader, [kind, `${kind}?`, `${kind}?`]);
  return singleOutput(reader, (x, min, max) => {
    const raised = min === undefined ? x : apply(maximum, x, min);
    return max === undefined ? raised : apply(minimum, raised, max);
  });
};

/**
 * The base and the exponent may be of different kinds; the power is of the kind of the base. A constant exponent is not
 * trained: for another exponent than an integer, the powers of negative bases are NaN.
 */
export const powOperator: Operator = (reader) => {
  checkInputs(reader, ['any', 'any']);
  const prepared = singleOutput(reader, (base, exponent) => {
    if (isIntTensor(base) && isIntTensor(exponent)) return pairwise(base, exponent, (a, b) => Math.trunc(a ** b));
    const [a, b] = [base, exponent!].map((x) =>
      isIntTensor(x) ? operand('Pow', { shape: x.shape, data: Float32Array.from(x.data) }) : (x as Variable),
    ) as [Variable, Variable];
    const y = pointwise('Pow', power, a, b);
    if (!isIntTensor(base)) return y;
    const { data } = toTensor(y);
    return intTensorOf(y.shape, (i) => Math.trunc(data[i]!));
  });
  return withFixedConstants(reader, [1], prepared);
};
