/** Dotted names for the parameters and states of layers inside layers: `forward.weightIh`. */

/** Flattens one level of nesting: `{ forward: { weightIh } }` becomes `{ 'forward.weightIh' }`. */
export function joinNames<L>(
  nested: Readonly<Record<string, Readonly<Record<string, L>>>>,
): Readonly<Record<string, L>> {
  return Object.fromEntries(
    Object.entries(nested).flatMap(([outer, values]) =>
      Object.entries(values).map(([inner, value]) => [`${outer}.${inner}`, value]),
    ),
  );
}

/** The inverse of {@link joinNames}: splits at the first dot of each name and omits names without a dot. */
export function splitNames<L>(
  flat: Readonly<Record<string, L>>,
): Readonly<Record<string, Readonly<Record<string, L>>>> {
  const nested: Record<string, Record<string, L>> = {};
  for (const [name, value] of Object.entries(flat)) {
    const dot = name.indexOf('.');
    if (dot <= 0) continue;
    const outer = name.slice(0, dot);
    const values = nested[outer] ?? {};
    values[name.slice(dot + 1)] = value;
    nested[outer] = values;
  }
  return nested;
}
