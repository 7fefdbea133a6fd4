/** Loops over elements: four at a time, then the remaining ones one at a time, with the same body. */

import {
  add,
  below,
  bitAnd,
  type I32,
  type Local,
  less,
  load,
  loadOne,
  loopWhile,
  number,
  type Statement,
  set,
  shiftLeft,
  shuffle,
  store,
  storeOne,
  subtract,
  tee,
  type Vector,
  vAdd,
  vMax,
  vZero,
  type Writer,
} from './assembler';

/** The elements of one iteration of a loop: all four lanes of a vector, or only the first one. */
export interface Elements {
  /** The number of elements per iteration. */
  readonly count: number;
  load(address: I32, offset?: number): Vector;
  store(address: I32, value: Vector, offset?: number): Statement;
  /** Sets the unused lanes of x to 0. */
  only(x: Vector): Vector;
  /** Sets the unused lanes of x to the value of the first lane. */
  fill(x: Vector): Vector;
}

/** Iterations of four elements. */
export const four: Elements = { count: 4, load, store, only: (x) => x, fill: (x) => x };
/** Iterations of one element, in the first lane. */
const one: Elements = {
  count: 1,
  load: loadOne,
  store: storeOne,
  only: (x) => shuffle(x, vZero(), [0, 4, 4, 4]),
  fill: (x) => shuffle(x, vZero(), [0, 0, 0, 0]),
};

/** Runs the body for `n` elements at each pointer, and advances the pointers past them. */
export function overElements(
  w: Writer,
  n: I32,
  pointers: readonly Local<'i32'>[],
  body: (elements: Elements) => readonly Statement[],
): Statement[] {
  const [end] = w.pointers;
  const first = pointers[0]!;
  const loop = (elements: Elements, bytes: number): Statement =>
    loopWhile(below(first, end), [
      ...body(elements),
      ...pointers.map((pointer) => set(pointer, add(pointer, number(bytes)))),
    ]);
  return [
    set(end, add(first, shiftLeft(bitAnd(n, number(-4)), 2))),
    loop(four, 16),
    set(end, add(first, shiftLeft(bitAnd(n, number(3)), 2))),
    loop(one, 4),
  ];
}

/** {@link overElements} on copies of the pointers, so that the pointers do not change. */
export function alongRow<const P extends readonly Local<'i32'>[]>(
  w: Writer,
  n: I32,
  pointers: P,
  body: (at: { [I in keyof P]: Local<'i32'> }, e: Elements) => Statement[],
): Statement[] {
  const copies = pointers.map(() => w.local('i32')) as { [I in keyof P]: Local<'i32'> };
  return [...copies.map((copy, i) => set(copy, pointers[i]!)), ...overElements(w, n, copies, (e) => body(copies, e))];
}

/** Advances pointers by a row of n elements. */
export const nextRow = (n: Local<'i32'>, ...pointers: readonly Local<'i32'>[]): Statement[] =>
  pointers.map((pointer) => set(pointer, add(pointer, shiftLeft(n, 2))));

/** Runs the statements `count` times; leaves `count` at 0. */
export function times(count: Local<'i32'>, statements: readonly Statement[]): Statement {
  return loopWhile(less(number(0), count), [...statements, set(count, subtract(count, number(1)))]);
}

/** Combines the four lanes of a local; the result is in every lane. Changes the local. */
function across(x: Local<'v128'>, combine: (a: Vector, b: Vector) => Vector): Vector {
  return combine(tee(x, combine(x, shuffle(x, x, [2, 3, 0, 1]))), shuffle(x, x, [1, 0, 3, 2]));
}

/** The sum of the four lanes of a local, in every lane. Changes the local. */
export const sumAcross = (x: Local<'v128'>): Vector => across(x, vAdd);
/** The maximum of the four lanes of a local, in every lane. Changes the local. */
export const maxAcross = (x: Local<'v128'>): Vector => across(x, vMax);
