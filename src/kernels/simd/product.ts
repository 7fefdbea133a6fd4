/** The matrix product over packed panels: A in panels of four rows, B in panels of eight columns, both going along K. */

import {
  add, addF32, addVector, below, block, defineFunction, fusedMultiplyAdd, less, load, loadSplat, loadVector, loopWhile, multiply,
  multiplyVector, number, select, set, shiftLeft, shuffle, store, storeVector, subtract, when, zero, zeroVector,
  type Code, type Local, type WasmFunction,
} from './assembler';

/** The tile of C that one pass over K makes: eight sums of four numbers and their operands fit the sixteen registers. */
export const tileRows = 4;
export const tileColumns = 8;

/**
 * (to, from, laneStride, depthStride, lanes, depth): lanes are A's rows or B's columns; strides and addresses in bytes. Writes panels of
 * `width` lanes, each [depth, width], the last one filled up with zeros. One of the strides must be 4.
 */
export function packFunction(index: number, name: string, width: 4 | 8): WasmFunction {
  const groups = Array.from({ length: width / 4 }, (_, group) => group);
  return defineFunction(index, name, ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], ([to, from, laneStride, depthStride, lanes, depth], local) => {
    const k = local('i32');
    const source = local('i32');
    const lane = local('i32');
    const rows = [0, 1, 2, 3].map(() => local('v128')) as [Local<'v128'>, Local<'v128'>, Local<'v128'>, Local<'v128'>];
    const halves = [0, 1, 2, 3].map(() => local('v128')) as typeof rows;
    const bytes = 4 * width;

    /** Lanes lie side by side: each step of depth is copied as it stands. */
    const copyAcross = loopWhile(less(number(0), k), [
      ...groups.map((group) => storeVector(to, loadVector(source, 16 * group), 16 * group)),
      set(source, add(source, depthStride)),
      set(to, add(to, number(bytes))),
      set(k, subtract(k, number(1))),
    ]);
    /** Lanes go along depth: four by four numbers are transposed at a time. */
    const transposeGroup = (group: number): Code<'void'>[] => [
      set(lane, group === 0 ? source : add(lane, laneStride)),
      set(rows[0], loadVector(lane)),
      ...[1, 2, 3].flatMap((row) => [set(lane, add(lane, laneStride)), set(rows[row]!, loadVector(lane))]),
      set(halves[0], shuffle(rows[0], rows[1], [0, 4, 1, 5])),
      set(halves[1], shuffle(rows[2], rows[3], [0, 4, 1, 5])),
      set(halves[2], shuffle(rows[0], rows[1], [2, 6, 3, 7])),
      set(halves[3], shuffle(rows[2], rows[3], [2, 6, 3, 7])),
      storeVector(to, shuffle(halves[0], halves[1], [0, 1, 4, 5]), 16 * group),
      storeVector(to, shuffle(halves[0], halves[1], [2, 3, 6, 7]), bytes + 16 * group),
      storeVector(to, shuffle(halves[2], halves[3], [0, 1, 4, 5]), 2 * bytes + 16 * group),
      storeVector(to, shuffle(halves[2], halves[3], [2, 3, 6, 7]), 3 * bytes + 16 * group),
    ];
    const transposeFours = loopWhile(less(number(3), k), [
      ...groups.flatMap(transposeGroup),
      set(source, add(source, number(16))),
      set(to, add(to, number(4 * bytes))),
      set(k, subtract(k, number(4))),
    ]);
    /** Number by number, for what is left of depth, and for the panel that is not full. */
    const gather = loopWhile(less(number(0), k), [
      set(lane, number(0)),
      loopWhile(less(lane, number(width)), [
        store(add(to, shiftLeft(lane, 2)), select(less(lane, lanes), load(select(less(lane, lanes), add(source, multiply(lane, laneStride)), source)), zero())),
        set(lane, add(lane, number(1))),
      ]),
      set(source, add(source, depthStride)),
      set(to, add(to, number(bytes))),
      set(k, subtract(k, number(1))),
    ]);

    return [
      loopWhile(less(number(0), lanes), [
        set(source, from),
        set(k, depth),
        when(less(number(width - 1), lanes), [when(less(laneStride, number(5)), [copyAcross], [transposeFours])]),
        gather,
        set(from, add(from, multiply(laneStride, number(width)))),
        set(lanes, subtract(lanes, number(width))),
      ]),
    ];
  });
}

/**
 * (c, a, b, rows, columns, depth, rowBytes, spare): C's block at `c`, its rows `rowBytes` apart, += the packed panels at `a` times those at
 * `b`. `spare` is room for one tile, through which tiles at the edges go.
 */
export function multiplyFunction(index: number, name: string, fused: boolean): WasmFunction {
  return defineFunction(index, name, ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'], (
    [c, a, b, rows, columns, depth, rowBytes, spare], local,
  ) => {
    const [j, i, panelA, x, y] = [local('i32'), local('i32'), local('i32'), local('i32'), local('i32')];
    const [end, target, row, column] = [local('i32'), local('i32'), local('i32'), local('i32')];
    const left = local('v128');
    const right = local('v128');
    const factor = local('v128');
    const sums = Array.from({ length: tileRows }, () => [local('v128'), local('v128')] as const);
    const accumulate = (sum: Local<'v128'>, value: Local<'v128'>): Code<'void'> =>
      set(sum, fused ? fusedMultiplyAdd(factor, value, sum) : addVector(multiplyVector(factor, value), sum));

    const alongDepth = block([
      ...sums.flat().map((sum) => set(sum, zeroVector())),
      set(x, panelA),
      set(y, b),
      set(end, add(b, shiftLeft(depth, 5))),
      loopWhile(below(y, end), [
        set(left, loadVector(y)),
        set(right, loadVector(y, 16)),
        ...sums.flatMap((pair, r) => [set(factor, loadSplat(x, 4 * r)), accumulate(pair[0], left), accumulate(pair[1], right)]),
        set(x, add(x, number(4 * tileRows))),
        set(y, add(y, number(4 * tileColumns))),
      ]),
    ]);
    const addToC = block([
      set(row, target),
      ...sums.flatMap((pair, r) => [
        ...(r === 0 ? [] : [set(row, add(row, rowBytes))]),
        storeVector(row, addVector(loadVector(row), pair[0])),
        storeVector(row, addVector(loadVector(row, 16), pair[1]), 16),
      ]),
    ]);
    const addEdgeToC = block([
      ...sums.flatMap((pair, r) => pair.map((sum, half) => storeVector(spare, sum, 4 * tileColumns * r + 16 * half))),
      set(x, spare),
      set(row, select(less(i, number(tileRows)), i, number(tileRows))),
      loopWhile(less(number(0), row), [
        set(column, number(0)),
        loopWhile(less(column, select(less(j, number(tileColumns)), j, number(tileColumns))), [
          set(y, add(target, shiftLeft(column, 2))),
          store(y, addF32(load(y), load(add(x, shiftLeft(column, 2))))),
          set(column, add(column, number(1))),
        ]),
        set(x, add(x, number(4 * tileColumns))),
        set(target, add(target, rowBytes)),
        set(row, subtract(row, number(1))),
      ]),
    ]);
    return [
      set(j, columns),
      loopWhile(less(number(0), j), [
        set(i, rows),
        set(panelA, a),
        set(target, c),
        loopWhile(less(number(0), i), [
          alongDepth,
          when(less(number(tileColumns - 1), j), [when(less(number(tileRows - 1), i), [addToC], [addEdgeToC])], [addEdgeToC]),
          set(panelA, add(panelA, shiftLeft(depth, 4))),
          set(i, subtract(i, number(tileRows))),
          set(target, add(c, multiply(subtract(rows, i), rowBytes))),
        ]),
        set(b, add(b, shiftLeft(depth, 5))),
        set(c, add(c, number(4 * tileColumns))),
        set(j, subtract(j, number(tileColumns))),
      ]),
    ];
  });
}
