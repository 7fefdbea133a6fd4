/** Loops over elements: four at a time, then what is left one at a time, by the same body. */

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

/** How a loop's body reaches the elements of one round: all four lanes of a vector, or the first alone. */
export interface Elements {
  /** How many elements a round has. */
  readonly count: number;
  load(address: I32, offset?: number): Vector;
  store(address: I32, value: Vector, offset?: number): Statement;
  /** x, with zeros in the lanes that hold no element. */
  only(x: Vector): Vector;
  /** x, with the first lane's number in the lanes that hold no element. */
  fill(x: Vector): Vector;
}

/** Four lanes. */
export const four: Elements = { count: 4, load, store, only: (x) => x, fill: (x) => x };
const one: Elements = {
  count: 1,
  load: loadOne,
  store: storeOne,
  only: (x) => shuffle(x, vZero(), [0, 4, 4, 4]),
  fill: (x) => shuffle(x, vZero(), [0, 0, 0, 0]),
};

/** Runs the body for `n` elements at each pointer; the pointers end up behind them. */
export function overElements(
  w: Writer,
  n: I32,
  pointers: readonly Local<'i32'>[],
  body: (elements: Elements) => readonly Statement[],
): Statement[] {
  const [end] = w.pointers;
  const first = pointers[0]!;
  const rounds = (elements: Elements, bytes: number): Statement =>
    loopWhile(below(first, end), [
      ...body(elements),
      ...pointers.map((pointer) => set(pointer, add(pointer, number(bytes)))),
    ]);
  return [
    set(end, add(first, shiftLeft(bitAnd(n, number(-4)), 2))),
    rounds(four, 16),
    set(end, add(first, shiftLeft(bitAnd(n, number(3)), 2))),
    rounds(one, 4),
  ];
}

/** {@link overElements} on copies of the pointers, which stay where they are. */
export function alongRow<const P extends readonly Local<'i32'>[]>(
  w: Writer,
  n: I32,
  pointers: P,
  body: (at: { [I in keyof P]: Local<'i32'> }, e: Elements) => Statement[],
): Statement[] {
  const copies = pointers.map(() => w.local('i32')) as { [I in keyof P]: Local<'i32'> };
  return [...copies.map((copy, i) => set(copy, pointers[i]!)), ...overElements(w, n, copies, (e) => body(copies, e))];
}

/** Moves pointers a row of n numbers on. */
export const nextRow = (n: Local<'i32'>, ...pointers: readonly Local<'i32'>[]): Statement[] =>
  pointers.map((pointer) => set(pointer, add(pointer, shiftLeft(n, 2))));

/** Runs the statements `count` times; the count ends at 0. */
export function times(count: Local<'i32'>, statements: readonly Statement[]): Statement {
  return loopWhile(less(number(0), count), [...statements, set(count, subtract(count, number(1)))]);
}

/** Sets a local to one lane combined with the others, in all four lanes. */
function across(x: Local<'v128'>, combine: (a: Vector, b: Vector) => Vector): Vector {
  return combine(tee(x, combine(x, shuffle(x, x, [2, 3, 0, 1]))), shuffle(x, x, [1, 0, 3, 2]));
}

/** The sum of the four numbers of a local, which changes, in every lane. */
export const sumAcross = (x: Local<'v128'>): Vector => across(x, vAdd);
/** The largest of the four numbers of a local, which changes, in every lane. */
export const maxAcross = (x: Local<'v128'>): Vector => across(x, vMax);
