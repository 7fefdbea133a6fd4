/** Specifications of parameters: shape, role and initializer. */

import { withCaller } from './error-context';
import { glorotUniform, type Initializer, orthogonal, zeros } from './initializers';
import { mapValues } from './named-values';
import type { Random } from './random';
import { checkFunction, checkObject, checkShape, type Shape } from './shape';
import { checkTensor, full, type Tensor } from './tensor';
import { join } from './tree';

/** The role of a parameter, which selects its initializer. */
export type ParameterRole = 'input' | 'recurrent' | 'bias' | 'gain';

/** A parameter of a cell or layer. */
export interface ParameterSpec {
  readonly role: ParameterRole;
  readonly shape: Shape;
  /** The number of gate blocks along the last axis. */
  readonly blocks: number;
  /**
   * By default, that of the role: {@link glorotUniform}, {@link orthogonal} or {@link zeros}. A gain has no default.
   */
  readonly initializer?: Initializer | undefined;
}

/** A tree of named parameter specifications. */
export type ParameterPlan = ParameterSpec | { readonly [name: string]: ParameterPlan };

/** The type of a plan with every specification replaced by a tensor. */
export type Planned<P> = P extends ParameterSpec ? Tensor : { readonly [K in keyof P]: Planned<P[K]> };

/** Initializes the parameters of a plan, in order. @throws TypeError if an initializer does not return a tensor */
export function initializeParameters<P extends ParameterPlan>(where: string, plan: P, random: Random): Planned<P> {
  return mapPlan(plan, (parameter, path) =>
    withCaller(`${where}: ${path}`, () => initializeParameter(parameter, random)),
  );
}

/** Replaces every parameter of a plan by `create(parameter, path)`. @throws TypeError if a part is not an object */
export function mapPlan<P extends ParameterPlan>(
  plan: P,
  create: (parameter: ParameterSpec, path: string) => Tensor,
  path: string = '',
): Planned<P> {
  checkObject('sequential', path, plan);
  // A parameter can be named shape.
  const result = Array.isArray(plan['shape'])
    ? create(plan as ParameterSpec, path)
    : mapValues(plan as Readonly<Record<string, ParameterPlan>>, (part, name) =>
        mapPlan(part, create, join(path, name)),
      );
  return result as Planned<P>;
}

/** Cells do not refer to these initializers, so that a program that only streams does not contain them. */
const defaults = { input: glorotUniform, recurrent: orthogonal, bias: zeros, gain: undefined } as const;

function initializeParameter(
  { role, shape, blocks, initializer = defaults[role]?.() }: ParameterSpec,
  random: Random,
): Tensor {
  checkFunction('parameter', 'the initializer', initializer);
  const create = (part: Shape): Tensor => {
    const value = initializer!(part, random, blocks);
    checkTensor('parameter', 'the initial value', value);
    checkShape('parameter', 'the initial value', value.shape, 'of the parameter', part);
    return value;
  };
  const [rows, columns] = shape as [number, number];
  if (role === 'bias' || role === 'gain' || blocks === 1) return create(shape);
  const result = full(shape, 0);
  const width = columns / blocks;
  for (let block = 0; block < blocks; block++) {
    const { data } = create([rows, width]);
    for (let row = 0; row < rows; row++) {
      result.data.set(data.subarray(row * width, (row + 1) * width), row * columns + block * width);
    }
  }
  return result;
}
