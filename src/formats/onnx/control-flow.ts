/** If and Scan: operators that run the graphs in their attributes. */

import { resolveAxis } from '../../tensor/shape';
import type { IntTensor } from '../../tensor/tensor';
import { listed } from '../listing';
import { checkInputs, consumeAttribute, type Kind, type NodeReader, type Operator, type Value } from './node-reader';
import { spend } from './run-limit';
import { concatValues, reshapeValue, sizesOf, sliceValue } from './values';

/** A graph of an attribute, which is required. */
function graphOf(reader: NodeReader, name: string): NonNullable<ReturnType<typeof consumeAttribute<'graph'>>> {
  const graph = consumeAttribute(reader, name, 'graph');
  if (graph === undefined) throw new RangeError(`attribute ${name} is missing`);
  return graph;
}

/** The kinds of the outputs of a graph. If one is not known, the import fails because of the node that computes it. */
const definedKinds = (kinds: readonly (Kind | undefined)[]): readonly Kind[] => kinds as readonly Kind[];

/** Runs one of two graphs. If the condition is a constant, the other one may have unsupported operators. */
export const ifOperator: Operator = (reader) => {
  checkInputs(reader, ['int']);
  const constant = reader.constant(0);
  const [otherwise, then] = (['else_branch', 'then_branch'] as const).map((name, i) => {
    const graph = graphOf(reader, name);
    const isUnreachable = constant !== undefined && Number(constant.data[0] !== 0) !== i;
    return isUnreachable ? undefined : reader.importBody(name, graph, []);
  });
  const kinds = definedKinds((then ?? otherwise)!.kinds);
  if (then !== undefined && otherwise !== undefined && then.kinds.join() !== otherwise.kinds.join())
    throw new RangeError('the outputs of then_branch and else_branch must have the same number and types');
  return {
    kind: 'float',
    kinds,
    outputs: kinds.length,
    run([condition], _, scope) {
      const { data } = condition as IntTensor;
      if (data.length !== 1) throw new RangeError(`the condition must have 1 element, got ${data.length}`);
      return (data[0] !== 0 ? then : otherwise)!.start(scope)([]);
    },
  };
};

/**
 * Runs a graph for every index along an axis of the scanned inputs. Its inputs are N states and the slices of the
 * scanned inputs; its outputs are the next states and slices of the scanned outputs, which are stacked.
 */
export const scanOperator: Operator = (reader) => {
  if (reader.opset < 9) throw new RangeError('the form of the operator before opset 9 is not supported');
  const inputs = reader.node.inputs;
  const scanCount = consumeAttribute(reader, 'num_scan_inputs', 'int') ?? 0;
  const stateCount = inputs.length - scanCount;
  if (!(scanCount >= 1 && stateCount >= 0))
    throw new RangeError(`num_scan_inputs must be from 1 to ${inputs.length}, got ${scanCount}`);
  checkInputs(
    reader,
    inputs.map(() => 'any'),
  );
  const body = reader.importBody('body', graphOf(reader, 'body'), reader.kinds);
  const kinds = definedKinds(body.kinds);
  const outputCount = kinds.length - stateCount;
  if (outputCount < 0) throw new RangeError(`body must have at least ${stateCount} outputs, got ${kinds.length}`);
  const listOf = (name: string, count: number): readonly number[] => {
    const list = consumeAttribute(reader, name, 'ints') ?? new Array<number>(count).fill(0);
    if (list.length !== count) throw new RangeError(`${name} must have length ${count}, got ${list.length}`);
    return list;
  };
  const [inputAxes, inputDirections] = ['scan_input_axes', 'scan_input_directions'].map((name) =>
    listOf(name, scanCount),
  ) as [readonly number[], readonly number[]];
  const [outputAxes, outputDirections] = ['scan_output_axes', 'scan_output_directions'].map((name) =>
    listOf(name, outputCount),
  ) as [readonly number[], readonly number[]];
  return {
    kind: 'float',
    kinds,
    outputs: kinds.length,
    run(values, _, scope) {
      const scanned = values.slice(stateCount).map((value, i): ScannedInput => {
        const axis = resolveAxis('Scan', inputAxes[i]!, value!.shape.length);
        return { value: value!, axis, isReversed: inputDirections[i] !== 0 };
      });
      const step = body.start(scope);
      const slices: Value[][] = outputAxes.map(() => []);
      let states = values.slice(0, stateCount);
      const count = stepCount(scanned);
      spend(count, 0, sizesOf(scanned.map(({ value }) => value)));
      for (let t = 0; t < count; t++) {
        const results = step([...states, ...scanned.map((input) => sliceAt(input, t))]);
        states = results.slice(0, stateCount);
        slices.forEach((list, i) => list.push(results[stateCount + i]!));
      }
      return [
        ...states,
        ...slices.map((list, i) => stackValues(outputDirections[i] !== 0 ? list.reverse() : list, outputAxes[i]!)),
      ];
    },
  };
};

interface ScannedInput {
  readonly value: Value;
  readonly axis: number;
  readonly isReversed: boolean;
}

/** The number of steps. @throws RangeError if the scanned inputs have different lengths or are empty */
function stepCount(inputs: readonly ScannedInput[]): number {
  const [count, ...others] = inputs.map(({ value, axis }) => value.shape[axis]!) as [number, ...number[]];
  if (others.some((length) => length !== count))
    throw new RangeError(`the scanned inputs must have equal lengths, got ${listed([count, ...others].map(String))}`);
  if (count === 0) throw new RangeError('the scanned inputs must have at least one step');
  return count;
}

function sliceAt({ value, axis, isReversed }: ScannedInput, t: number): Value {
  const index = isReversed ? value.shape[axis]! - 1 - t : t;
  return reshapeValue(
    sliceValue(value, axis, index, index + 1, 1),
    value.shape.filter((_, i) => i !== axis),
  );
}

/** Stacks values of equal shape along a new axis. */
function stackValues(values: readonly Value[], axis: number): Value {
  const shape = values[0]!.shape;
  const along = resolveAxis('Scan', axis, shape.length + 1);
  return concatValues(
    values.map((value) => reshapeValue(value, [...value.shape.slice(0, along), 1, ...value.shape.slice(along)])),
    along,
  );
}
