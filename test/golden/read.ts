/** Reading of golden files. */

import { readFileSync } from 'node:fs';
import { leaves, tensor, type TensorTree } from 'bptt';

/** A tensor in JSON. */
interface Stored {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** Reads a golden file. The caller states its type. */
export function golden<F>(name: string): F {
  return JSON.parse(readFileSync(new URL(`./${name}.json`, import.meta.url), 'utf8')) as F;
}

/** Converts every stored tensor of a tree to a tensor. */
export function tensors<P extends TensorTree>(stored: unknown): P {
  const visit = (part: unknown): unknown => {
    if (typeof part !== 'object' || part === null) throw new TypeError(`expected a tensor, got ${String(part)}`);
    if ('data' in part) return tensor(Float32Array.from((part as Stored).data), (part as Stored).shape);
    return Object.fromEntries(Object.entries(part).map(([name, inner]) => [name, visit(inner)]));
  };
  return visit(stored) as P;
}

/** The largest |got − expected| / max(1, |expected|) over all tensors of two trees with the same names. */
export function largestError(got: TensorTree, expected: unknown): number {
  const stored = (path: string): Stored =>
    path
      .split('.')
      .reduce<unknown>(
        (part, name) => (name === '' ? part : (part as Record<string, unknown>)[name]),
        expected,
      ) as Stored;
  let error = 0;
  for (const { path, tensor: values } of leaves(got)) {
    const { shape, data } = stored(path);
    if (shape.join() !== values.shape.join())
      throw new RangeError(`${path}: expected [${shape.join()}], got [${values.shape.join()}]`);
    data.forEach((value, i) => {
      error = Math.max(error, Math.abs(values.data[i]! - value) / Math.max(1, Math.abs(value)) || 0);
    });
    if (values.data.some(Number.isNaN)) return NaN;
  }
  return error;
}

