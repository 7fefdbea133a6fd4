/** The mask of the valid steps of sequences of unequal length. */

import { add, addConstant, addIntegers, type Builder } from './builder';
import type { ExportContext } from './export-recurrent';

/** Adds the mask `[T, B, 1]` of the steps of `x [T, B, …]` that are within the lengths `[B]` of their sequences. */
export function addMask(b: Builder, x: string, lengths: string): string {
  const scalar = (value: number): string => {
    const name = `integer(${value})`;
    b.constants.set(name, { name, shape: [], type: 'int64', data: BigInt64Array.of(BigInt(value)) });
    return name;
  };
  const T = add(b, 'Gather', [add(b, 'Shape', [x]), scalar(0)]);
  const times = add(b, 'Unsqueeze', [add(b, 'Range', [scalar(0), T, scalar(1)]), addIntegers(b, 1)]);
  const isValid = add(b, 'Less', [times, add(b, 'Cast', [lengths], { to: 7 })]);
  return add(b, 'Unsqueeze', [isValid, addIntegers(b, 2)]);
}

/** Adds the lengths as floats (type 1), or which of them are not 0 (type 9, booleans), `[B, 1]`. */
export const castLengths = (b: Builder, lengths: string, to: 1 | 9): string =>
  add(b, 'Cast', [add(b, 'Unsqueeze', [lengths, addIntegers(b, 1)])], { to });

/** Sets the steps after the end of their sequence to a value, if the file has lengths. */
export const filled = (
  { builder: b, valid }: Pick<ExportContext, 'builder' | 'valid'>,
  x: string,
  value: number,
): string =>
  valid === undefined ? x : add(b, 'Where', [valid, x, addConstant(b, value === 0 ? 'zero' : 'padding', value)]);
