/** Loops over elements: four at a time, then the remaining ones one at a time, with the same body. */

import {
  add,
  below,
  bitAnd,
  type Elements,
  type I32,
  inBytes,
  increase,
  type Local,
  less,
  load,
  loadOne,
  loopWhile,
  number,
  pairAdd,
  pairOf,
  pairSum,
  pairZero,
  type Statement,
  select,
  set,
  shuffle,
  splat,
  store,
  storeOne,
  tee,
  type Vector,
  vAdd,
  vMax,
  vZero,
  type Writer,
} from './assembler';

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
  /** Runs the loop for the elements that the mask leaves of n. */
  const loop = (mask: number, statements: readonly Statement[], bytes: number): Statement[] => [
    set(end, add(first, inBytes(bitAnd(n, number(mask))))),
    loopWhile(below(first, end), [...statements, ...pointers.map((pointer) => increase(pointer, bytes))]),
  ];
  return [
    ...(w.pair ? loop(-8, w.pair(w, body), 32) : []),
    ...loop(w.pair ? 4 : -4, body(four), 16),
    ...loop(3, body(one), 4),
  ];
}

/**
 * Runs the body for the columns of matrices with n columns, sixteen at a time and then as {@link overElements} does.
 * The body gets the number of adjacent vectors that it handles, so that one loop over the rows serves all of them.
 */
export function overColumns(
  w: Writer,
  n: I32,
  pointers: readonly Local<'i32'>[],
  body: (vectors: number, elements: Elements) => readonly Statement[],
): Statement[] {
  const [left] = w.pointers;
  return [
    set(left, n),
    loopWhile(less(number(15), left), [
      ...body(4, four),
      ...pointers.map((pointer) => increase(pointer, 64)),
      increase(left, -16),
    ]),
    ...overElements(w, left, pointers, (e) => body(1, e)),
  ];
}

/**
 * {@link overElements} on copies of the pointers, so that the pointers do not change.
 *
 * @param sums locals to which the body adds, set to the sum of their lanes; sums of 1,024 elements are added in double
 * precision
 */
export function alongRow<const P extends readonly Local<'i32'>[]>(
  w: Writer,
  n: I32,
  pointers: P,
  body: (at: { [I in keyof P]: Local<'i32'> }, e: Elements) => Statement[],
  sums: readonly Local<'v128'>[] = [],
): Statement[] {
  const [left] = w.pointers;
  const copies = pointers.map(() => w.local('i32')) as { [I in keyof P]: Local<'i32'> };
  const totals = sums.map((sum) => [sum, w.local('v128')] as const);
  return [
    ...copies.map((copy, i) => set(copy, pointers[i]!)),
    ...totals.map(([, total]) => set(total, pairZero())),
    set(left, n),
    loopWhile(less(number(0), left), [
      ...sums.map((sum) => set(sum, vZero())),
      ...overElements(w, atMost(left, 1024), copies, (e) => body(copies, e)),
      ...totals.flatMap(([sum, total]) => [
        set(sum, vAdd(sum, shuffle(sum, sum, [2, 3, 2, 3]))),
        set(total, pairAdd(total, pairOf(sum))),
      ]),
      increase(left, -1024),
    ]),
    ...totals.map(([sum, total]) => set(sum, splat(pairSum(total)))),
  ];
}

/** The minimum of a count and a constant. */
export const atMost = (count: I32, most: number): I32 => select(less(count, number(most)), count, number(most));

/** Advances pointers by a row of n elements. */
export const nextRow = (n: Local<'i32'>, ...pointers: readonly Local<'i32'>[]): Statement[] =>
  pointers.map((pointer) => increase(pointer, inBytes(n)));

/** Runs the statements `count` times; leaves `count` at 0. */
export function times(count: Local<'i32'>, statements: readonly Statement[]): Statement {
  return loopWhile(less(number(0), count), [...statements, increase(count, -1)]);
}

/** The maximum of the four lanes of a local, in every lane. Changes the local. */
export const maxAcross = (x: Local<'v128'>): Vector =>
  vMax(tee(x, vMax(x, shuffle(x, x, [2, 3, 0, 1]))), shuffle(x, x, [1, 0, 3, 2]));
