/** Parameters before they have values: shape, role and initializer. */

import type { Initializer } from './initializers';
import type { Random } from './random';
import type { Shape } from './shape';
import { full, type Tensor } from './tensor';

/** What a parameter does, which decides the initializer that is chosen for it; a gain begins as its cell says. */
export type ParameterRole = 'input' | 'recurrent' | 'bias' | 'gain';

/** A parameter of a cell or layer: its shape, how many gate blocks stand side by side along its last axis, and how it begins by default. */
export interface ParameterSpec {
  readonly role: ParameterRole;
  readonly shape: Shape;
  readonly blocks: number;
  readonly initializer: Initializer;
}

/** Parameters by name, of parts of a model by name. */
export type ParameterPlan = ParameterSpec | { readonly [name: string]: ParameterPlan };

/** A plan with tensors in the place of its parameters. */
export type Planned<P> = P extends ParameterSpec ? Tensor : { readonly [K in keyof P]: Planned<P[K]> };

/** The first values of planned parameters, drawn in order. */
export function initializeParameters<P extends ParameterPlan>(plan: P, random: Random): Planned<P> {
  return mapPlan(plan, (parameter) => initializeParameter(parameter, random));
}

/** Puts `make(parameter, path)` in the place of every parameter of a plan. */
export function mapPlan<P extends ParameterPlan>(
  plan: P,
  make: (parameter: ParameterSpec, path: string) => Tensor,
  path: string = '',
): Planned<P> {
  const made = isParameter(plan)
    ? make(plan, path)
    : Object.fromEntries(
        Object.entries(plan).map(([name, part]) => [name, mapPlan(part, make, path === '' ? name : `${path}.${name}`)]),
      );
  return made as Planned<P>;
}

const isParameter = (plan: ParameterPlan): plan is ParameterSpec => typeof plan['initializer'] === 'function';

function initializeParameter({ role, shape, blocks, initializer }: ParameterSpec, random: Random): Tensor {
  const [rows, columns] = shape as [number, number];
  if (role === 'bias' || role === 'gain' || blocks === 1) return initializer(shape, random, blocks);
  const result = full(shape, 0);
  const width = columns / blocks;
  for (let block = 0; block < blocks; block++) {
    const { data } = initializer([rows, width], random);
    for (let row = 0; row < rows; row++) {
      result.data.set(data.subarray(row * width, (row + 1) * width), row * columns + block * width);
    }
  }
  return result;
}
