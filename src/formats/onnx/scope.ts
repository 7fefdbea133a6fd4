/** The names that are visible in a graph: its own, and those of the graphs around it. */

/** The entries of a graph by name, with those of the graph around it. */
export interface GraphScope<T> {
  readonly own: Map<string, T>;
  readonly outer?: GraphScope<T> | undefined;
}

/** Returns the innermost scope that defines the name. */
function definitionOf<T>(scope: GraphScope<T>, name: string): GraphScope<T> | undefined {
  let current: GraphScope<T> | undefined = scope;
  while (current !== undefined && !current.own.has(name)) current = current.outer;
  return current;
}

/** Whether the name is defined. Its entry may be undefined. */
export const isDefined = <T>(scope: GraphScope<T>, name: string): boolean => definitionOf(scope, name) !== undefined;

/** The entry of a name. */
export const entryOf = <T>(scope: GraphScope<T>, name: string): T | undefined =>
  definitionOf(scope, name)?.own.get(name);
