/** Numbers on the command line. */

/**
 * Reads an option that is an integer.
 *
 * @throws RangeError if it is another text, or less than `least`
 */
export function countOf<K extends string>(values: Readonly<Record<K, string>>, name: K, least = 1): number {
  const value = Number(values[name]);
  if (!/^\d+$/.test(values[name]) || value < least)
    throw new RangeError(`--${name} must be an integer of at least ${least}, got ${values[name]}.`);
  return value;
}

/**
 * Reads an option that is a number, or `Infinity`.
 *
 * @throws RangeError if it is another text, or not positive
 */
export function positiveOf<K extends string>(values: Readonly<Record<K, string>>, name: K): number {
  const value = Number(values[name]);
  if (!(value > 0)) throw new RangeError(`--${name} must be a positive number, got ${values[name]}.`);
  return value;
}
