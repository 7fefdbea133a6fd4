/** Objects of named values, such as the parameters of a layer and the parts of a state. */

/**
 * Creates an object with a value for each name.
 */
export function byName<N extends string, R>(names: readonly N[], create: (name: N) => R): Record<N, R> {
  return Object.fromEntries(names.map((name) => [name, create(name)])) as Record<N, R>;
}

/**
 * Replaces every value of an object.
 */
export function mapValues<N extends string, V, R>(
  values: Readonly<Record<N, V>>,
  replace: (value: V, name: N) => R,
): Record<N, R> {
  return byName(Object.keys(values) as N[], (name) => replace(values[name], name));
}

/** Replaces every element of an array, or every value of an object. */
export function mapParts(whole: object, replace: (part: unknown, name: string) => unknown): unknown {
  // All objects have names and values; those of an array are its indices and elements.
  const parts = mapValues(whole as Readonly<Record<string, unknown>>, replace);
  return Array.isArray(whole) ? Object.values(parts) : parts;
}
