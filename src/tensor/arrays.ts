/** Arrays of any engine and realm. */

/** The last element, as `at(-1)` returns it, which Hermes lacks. */
export function lastOf<T>(items: ArrayLike<T>): T | undefined {
  return items[items.length - 1];
}

interface ArrayKinds {
  readonly ArrayBuffer: ArrayBuffer;
  readonly Float32Array: Float32Array;
  readonly Float64Array: Float64Array;
  readonly Int32Array: Int32Array;
  readonly Uint32Array: Uint32Array;
  readonly Uint8Array: Uint8Array;
}

/**
 * Whether a value is a typed array or a buffer of this kind. Unlike `instanceof`, it recognizes those of another realm:
 * of a frame, or of Node in a test environment with a DOM.
 */
export function isArrayOf<K extends keyof ArrayKinds>(kind: K, value: unknown): value is ArrayKinds[K] {
  return (value as Tagged)?.[Symbol.toStringTag] === kind;
}

/** Whether a value is an array, or a typed array of any kind. */
export function isAnyArray(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) || /Array$/.test((value as Tagged)?.[Symbol.toStringTag] as string);
}

/** Typed arrays and buffers have the name of their kind as the tag; few other values have one. */
type Tagged = { readonly [Symbol.toStringTag]?: string } | null | undefined;
