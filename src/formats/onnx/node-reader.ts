/** The interface between the importer and its operators: a node to read, and the prepared node an operator returns. */

import { operand, type Variable } from '../../autodiff/tape';
import { counted } from '../../tensor/shape';
import { type IntTensor, isTensor, type Tensor } from '../../tensor/tensor';
import { abbreviate } from '../listing';
import type { OnnxAttribute, OnnxGraph, OnnxNode } from './model';
import type { GraphScope } from './scope';

/** The kind of a value: floats, which are on the tape, or integers (shapes, indices, lengths, masks), which are not. */
export type Kind = 'float' | 'int';

/** A value that flows between nodes. */
export type Value = Variable | IntTensor;

/** The inputs or outputs of a node; an omitted optional one is undefined. */
export type Values = readonly (Value | undefined)[];

/** The parameters of a recurrent node in the layout of its cell, by direction and name. */
export type NodeParameters<L = Tensor> = Readonly<Record<string, Readonly<Record<string, L>>>>;

/** A node that is ready to run. */
export interface PreparedNode {
  /** The kind of every output. */
  readonly kind: Kind;
  /** The kind of each output, if they can differ. */
  readonly kinds?: readonly Kind[];
  /** The number of outputs that `run` computes. Default: 1. */
  readonly outputs?: number;
  /** `scope` has all values computed so far, for the graphs in the attributes of the node. */
  readonly run: (values: Values, parameters: NodeParameters<Variable>, scope: GraphScope<Value>) => Values;
  /** The value of the output, if it is the same in every run. */
  readonly constant?: Tensor | IntTensor;
  /** The node's own parameters, if it converts constants of the file to another layout. */
  readonly parameters?: NodeParameters;
  /** The names of the constants that `run` does not need, unless another node uses them. */
  readonly replaces?: readonly string[];
}

/** A graph in an attribute of a node. */
export interface Body {
  /** The kinds of its outputs; undefined if one is not known because something is not supported. */
  readonly kinds: readonly (Kind | undefined)[];
  /** Prepares the constants of the graph inside a scope. Returns the function that runs it. */
  readonly start: (scope: GraphScope<Value>) => (inputs: Values) => Values;
}

/** A node as its operator sees it during import. */
export interface NodeReader {
  readonly node: OnnxNode;
  /** The version of the ONNX operator set. */
  readonly opset: number;
  /**
   * The kind of every input; undefined if it is omitted or its kind is not known because something is not supported.
   */
  readonly kinds: readonly (Kind | undefined)[];
  /** The float constant at an input, if no other node and no output of the graph uses it. */
  readonly exclusiveConstant: (input: number) => Tensor | undefined;
  /** The constant at an input; undefined if it is computed at run time. */
  readonly constant: (input: number) => Tensor | IntTensor | undefined;
  /** Imports the graph of an attribute. @throws RangeError if it has something that is not supported */
  readonly importBody: (attribute: string, graph: OnnxGraph, inputKinds: readonly (Kind | undefined)[]) => Body;
  /** The names of the attributes consumed so far. The importer rejects a node that has others. */
  readonly consumed: Set<string>;
}

/** The operator of a node, with its domain unless that is ONNX itself. */
export const operatorName = ({ opType, domain }: OnnxNode): string => (domain === '' ? opType : `${domain}.${opType}`);

/** The operator of a node, and its name or that of its first output, for error messages. */
export function labelOf(node: OnnxNode): string {
  const name = [node.name, ...node.outputs].find((each) => each !== '') ?? '';
  return `${abbreviate(operatorName(node))} ${JSON.stringify(abbreviate(name))}`;
}

/** Reads a node. @throws RangeError with the reason if the node is not supported */
export type Operator = (reader: NodeReader) => PreparedNode;

/** The expected kind of an input; `?` marks an optional one. */
type InputSpec = Kind | 'any' | `${Kind}?` | 'any?';

/** Checks the number of inputs and their kinds. @throws RangeError if they do not match `specs` */
export function checkInputs({ node: { inputs }, kinds }: NodeReader, specs: readonly InputSpec[]): void {
  if (inputs.slice(specs.length).some((name) => name !== '')) {
    throw new RangeError(`the node must have at most ${counted(specs.length, 'input')}, got ${inputs.length}`);
  }
  specs.forEach((spec, i) => {
    const missing = (inputs[i] ?? '') === '';
    if (missing && !spec.endsWith('?')) throw new RangeError(`input ${i} is missing`);
    const kind = kinds[i];
    if (kind !== undefined && !spec.startsWith('any') && !spec.startsWith(kind)) {
      const [expected, got] = spec.startsWith('float') ? ['floats', 'integers'] : ['integers', 'floats'];
      throw new RangeError(`input ${i} must be ${expected}, got ${got}`);
    }
  });
}

/** Checks that there is at least one input, and that all are of one kind. Returns the kind, if it is known. */
export function checkAlike(reader: NodeReader): Kind | undefined {
  const { node, kinds } = reader;
  const kind = kinds.find((each) => each !== undefined);
  checkInputs(reader, new Array<InputSpec>(Math.max(1, node.inputs.length)).fill(kind ?? 'any'));
  return kind;
}

/** Prepares a node with one output. By default the output is of the kind of the first input. */
export function singleOutput(
  { kinds }: NodeReader,
  run: (...values: Value[]) => Value,
  kind: Kind | undefined = kinds[0],
): PreparedNode {
  // The kind is undefined only if something before this node is not supported; then the import fails anyway. The values
  // that an operator requires are defined: `checkInputs` has seen them.
  return { kind: kind!, run: (values: Values) => [run(...(values as Value[]))] };
}

/**
 * Excludes constants from training, such as exponents and running statistics: the inputs with these indices keep the
 * values of the file if they are constants.
 */
export function withFixedConstants(
  reader: NodeReader,
  indices: readonly number[],
  { run, ...prepared }: PreparedNode,
): PreparedNode {
  const { inputs, opType } = reader.node;
  const fixed = new Map(
    indices.flatMap((i) => {
      const constant = reader.constant(i);
      return isTensor(constant) ? [[i, constant] as const] : [];
    }),
  );
  return {
    ...prepared,
    replaces: [...fixed.keys()].map((i) => inputs[i]!),
    run: (values, parameters, scope) =>
      run(
        values.map((value, i) => (fixed.has(i) ? operand(opType, fixed.get(i)!) : value)),
        parameters,
        scope,
      ),
  };
}

/**
 * Reads an attribute and marks it as consumed.
 *
 * @returns the value; undefined if the node does not have the attribute
 * @throws RangeError if the attribute is of another type
 */
export function consumeAttribute<K extends OnnxAttribute['type']>(
  { node, consumed }: Pick<NodeReader, 'node' | 'consumed'>,
  name: string,
  type: K,
): Extract<OnnxAttribute, { type: K; value: unknown }>['value'] | undefined {
  consumed.add(name);
  const attribute = Object.hasOwn(node.attributes, name) ? node.attributes[name] : undefined;
  if (attribute !== undefined && attribute.type !== type)
    throw new RangeError(`attribute ${name} must be of type ${type}, got ${attribute.type}`);
  // The check above has narrowed the attribute to the member of the union with this type.
  return (attribute as { value?: never } | undefined)?.value;
}

/** Reads an attribute that is a flag: an integer, of which 0 is false. @throws as {@link consumeAttribute} */
export const consumeFlag = (
  reader: Pick<NodeReader, 'node' | 'consumed'>,
  name: string,
  byDefault: boolean = false,
): boolean => (consumeAttribute(reader, name, 'int') ?? Number(byDefault)) !== 0;
