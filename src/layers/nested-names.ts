/** Layers inside of layers: what they own goes under joined names, `forward.weightIh`. */

/** `{ forward: { weightIh } }` becomes `{ 'forward.weightIh' }`. */
export function joinNames<L>(
  nested: Readonly<Record<string, Readonly<Record<string, L>>>>,
): Readonly<Record<string, L>> {
  return Object.fromEntries(
    Object.entries(nested).flatMap(([outer, parts]) =>
      Object.entries(parts).map(([inner, part]) => [`${outer}.${inner}`, part]),
    ),
  );
}

/** The other way round, by the first point in each name; names without stay away. */
export function splitNames<L>(
  flat: Readonly<Record<string, L>>,
): Readonly<Record<string, Readonly<Record<string, L>>>> {
  const nested: Record<string, Record<string, L>> = {};
  for (const [name, part] of Object.entries(flat)) {
    const point = name.indexOf('.');
    if (point > 0) (nested[name.slice(0, point)] ??= {})[name.slice(point + 1)] = part;
  }
  return nested;
}
