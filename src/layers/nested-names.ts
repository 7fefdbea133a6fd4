/** Dotted names for the parameters and states of layers inside layers: `forward.weightIh`. */

/** Flattens one level of nesting: `{ forward: { weightIh } }` becomes `{ 'forward.weightIh' }`. */
export function joinNames<L>(
  nested: Readonly<Record<string, Readonly<Record<string, L>>>>,
): Readonly<Record<string, L>> {
  return Object.fromEntries(
    Object.entries(nested).flatMap(([outer, values]) =>
      Object.entries(values).map(([inner, value]) => [inner === '' ? outer : `${outer}.${inner}`, value]),
    ),
  );
}

/**
 * The inverse of {@link joinNames}: splits at the first dot of each name. A name without a dot has the inner name ''.
 */
export function splitNames<L>(
  flat: Readonly<Record<string, L>>,
): Readonly<Record<string, Readonly<Record<string, L>>>> {
  // Without a prototype: a name from a file may be that of a property of all objects, such as __proto__.
  const nested = Object.create(null) as Record<string, Record<string, L>>;
  for (const [name, value] of Object.entries(flat)) {
    const [outer = '', ...inner] = name.split('.');
    const values = nested[outer] ?? {};
    values[inner.join('.')] = value;
    nested[outer] = values;
  }
  return nested;
}
