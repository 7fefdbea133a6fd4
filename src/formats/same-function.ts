/** Recognition of functions of the library. */

/**
 * Whether `value` is the function `own` of the library, or that of another copy of the library: a program may load one
 * by import and one by require. Their names and sources are the same, unless the engine does not keep the source
 * (`[bytecode]`).
 */
export function isSameFunction(value: unknown, own: unknown): boolean {
  if (value === own) return true;
  if (typeof value !== 'function' || typeof own !== 'function') return false;
  const source = String(own);
  return value.name === own.name && String(value) === source && !/\[[a-z ]+\]/.test(source);
}
