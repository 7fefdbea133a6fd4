/**
 * The matrix product over packed panels: A in panels of four or six rows, and B in panels of eight columns, each stored
 * along K.
 */

import type { LocalsOf, WasmFunction } from '../kernel';
import {
  add,
  below,
  block,
  type I32,
  type Local,
  less,
  load,
  loadOne,
  loadSplat,
  loadTwo,
  loopWhile,
  multiply,
  number,
  type Statement,
  set,
  shiftLeft,
  shuffle,
  store,
  storeOne,
  storeTwo,
  subtract,
  tee,
  vAdd,
  vZero,
  type Writer,
  when,
} from './assembler';
import { limited, times } from './loops';
import { multiplyAdd } from './math';

/** The number of columns of a tile of C, which one pass over K computes. */
const tileColumns = 8;

const packed = ['write', 'read', 'laneStride', 'depthStride', 'lanes', 'depth'] as const;

/**
 * Packs rows of A (the lanes) into panels [depth, 4]; the last panel is padded with zeros. `laneStride` or
 * `depthStride` must be 1.
 */
const packFours: WasmFunction<typeof packed> = { operands: packed, simd: (o, w) => packPanels(w, o, 4) };
/** Packs rows of A into panels [depth, 6], likewise. */
const packSixes: WasmFunction<typeof packed> = { operands: packed, simd: (o, w) => packPanels(w, o, 6) };

/** Packs columns of B (the lanes) into panels [depth, 8], likewise. */
export const packColumns: WasmFunction<typeof packed> = { operands: packed, simd: (o, w) => packPanels(w, o, 8) };

/** Packs `lanes` lanes of `depth` elements into panels [depth, width]. */
function packPanels(
  w: Writer,
  [to, from, laneStride, depthStride, lanes, depth]: LocalsOf<typeof packed>,
  width: 4 | 6 | 8,
): Statement[] {
  const [k, source, lane] = w.pointers;
  const [row0, row1, row2, row3, low, high, low2, high2] = w.vectors;
  const bytes = 4 * width;

  /** If the lanes are adjacent: copies one index of depth at a time. */
  const copyAcross = times(k, [
    store(to, load(source)),
    ...(width === 6
      ? [storeTwo(to, loadTwo(source, 16), 0, 16)]
      : width === 8
        ? [store(to, load(source, 16), 16)]
        : []),
    set(source, add(source, depthStride)),
    set(to, add(to, number(bytes))),
  ]);
  /** If the lanes are contiguous along depth: transposes 4 × 4 elements at a time, or 2 × 4. */
  const transposeFour = (at: number): Statement[] => [
    set(lane, at === 0 ? source : add(lane, laneStride)),
    set(row0, load(lane)),
    ...[row1, row2, row3].flatMap((row) => [set(lane, add(lane, laneStride)), set(row, load(lane))]),
    set(low, shuffle(row0, row1, [0, 4, 1, 5])),
    set(low2, shuffle(row2, row3, [0, 4, 1, 5])),
    set(high, shuffle(row0, row1, [2, 6, 3, 7])),
    set(high2, shuffle(row2, row3, [2, 6, 3, 7])),
    store(to, shuffle(low, low2, [0, 1, 4, 5]), at),
    store(to, shuffle(low, low2, [2, 3, 6, 7]), bytes + at),
    store(to, shuffle(high, high2, [0, 1, 4, 5]), 2 * bytes + at),
    store(to, shuffle(high, high2, [2, 3, 6, 7]), 3 * bytes + at),
  ];
  const transposeTwo = (at: number): Statement[] => [
    set(row0, load(tee(lane, add(lane, laneStride)))),
    set(row1, load(tee(lane, add(lane, laneStride)))),
    set(low, shuffle(row0, row1, [0, 4, 1, 5])),
    set(high, shuffle(row0, row1, [2, 6, 3, 7])),
    ...[low, low, high, high].map((half, i) => storeTwo(to, half, (i & 1) as 0 | 1, i * bytes + at)),
  ];
  const transposeFours = loopWhile(less(number(3), k), [
    ...transposeFour(0),
    ...(width === 6 ? transposeTwo(16) : width === 8 ? transposeFour(16) : []),
    set(source, add(source, number(16))),
    set(to, add(to, number(4 * bytes))),
    set(k, subtract(k, number(4))),
  ]);
  /** Copies single elements, for the remainder of depth and the partial panel. */
  const gather = times(k, [
    set(lane, number(0)),
    loopWhile(less(lane, number(width)), [
      when(
        less(lane, lanes),
        [storeOne(add(to, shiftLeft(lane, 2)), loadOne(add(source, multiply(lane, laneStride))))],
        [storeOne(add(to, shiftLeft(lane, 2)), vZero())],
      ),
      set(lane, add(lane, number(1))),
    ]),
    set(source, add(source, depthStride)),
    set(to, add(to, number(bytes))),
  ]);

  return [
    set(laneStride, shiftLeft(laneStride, 2)),
    set(depthStride, shiftLeft(depthStride, 2)),
    loopWhile(less(number(0), lanes), [
      set(source, from),
      set(k, depth),
      when(less(number(width - 1), lanes), [when(less(laneStride, number(5)), [copyAcross], [transposeFours])]),
      gather,
      set(from, add(from, multiply(laneStride, number(width)))),
      set(lanes, subtract(lanes, number(width))),
    ]),
  ];
}

const multiplied = [
  'write',
  'read',
  'flag',
  'startStride',
  'read',
  'read',
  'rows',
  'columns',
  'depth',
  'stride',
  'panelStride',
  'write',
] as const;

/** A tile height with its functions. */
export interface Tile {
  readonly rows: number;
  readonly pack: WasmFunction<typeof packed>;
  readonly multiply: WasmFunction<typeof multiplied>;
}

/** Tiles of four rows: eight vector sums and their operands fit in the sixteen registers of any engine. */
export const fourRows: Tile = {
  rows: 4,
  pack: packFours,
  multiply: { operands: multiplied, simd: (o, w) => multiplyPanels(w, o, 4) },
};
/**
 * Tiles of six rows: twelve vector sums hide the latency of fused multiply-add, if the engine keeps them in registers.
 */
export const sixRows: Tile = {
  rows: 6,
  pack: packSixes,
  multiply: { operands: multiplied, simd: (o, w) => multiplyPanels(w, o, 6) },
};

/**
 * C = start + A · B for one block, where `start` counts as zero unless `fromStart` is set. `stride` and `startStride`
 * are the distances between the rows of C and start, and `panelStride` that between the panels of B. `spare` is scratch
 * memory for partial tiles.
 */
function multiplyPanels(
  w: Writer,
  [c, start, fromStart, startStride, a, b, rows, columns, depth, stride, panelStride, spare]: LocalsOf<
    typeof multiplied
  >,
  tileRows: 4 | 6,
): Statement[] {
  const [j, i, panelA, x, y] = w.pointers;
  const [end, target, origin, row, column] = w.pointers;
  const [left, right, factor] = w.vectors;
  const sums = Array.from({ length: tileRows }, () => [w.local('v128'), w.local('v128')] as const);

  const alongDepth = block([
    ...sums.flat().map((sum) => set(sum, vZero())),
    set(x, panelA),
    set(y, b),
    set(end, add(b, shiftLeft(depth, 5))),
    loopWhile(below(y, end), [
      set(left, load(y)),
      set(right, load(y, 16)),
      ...sums.flatMap((pair, r) => [
        set(factor, loadSplat(x, 4 * r)),
        set(pair[0], multiplyAdd(w, factor, left, pair[0])),
        set(pair[1], multiplyAdd(w, factor, right, pair[1])),
      ]),
      set(x, add(x, number(4 * tileRows))),
      set(y, add(y, number(4 * tileColumns))),
    ]),
  ]);
  const forRows = (
    at: Local<'i32'>,
    from: Local<'i32'>,
    by: Local<'i32'>,
    visit: (pair: readonly [Local<'v128'>, Local<'v128'>]) => Statement[],
  ): Statement[] => sums.flatMap((pair, r) => [set(at, r === 0 ? from : add(at, by)), ...visit(pair)]);
  const storeTile = block([
    when(
      fromStart,
      forRows(row, origin, startStride, ([first, second]) => [
        set(first, vAdd(first, load(row))),
        set(second, vAdd(second, load(row, 16))),
      ]),
    ),
    ...forRows(row, target, stride, ([first, second]) => [store(row, first), store(row, second, 16)]),
  ]);
  const storeEdge = block([
    ...sums.flatMap((pair, r) => pair.map((sum, half) => store(spare, sum, 4 * tileColumns * r + 16 * half))),
    set(x, spare),
    set(y, origin),
    set(end, target),
    set(row, limited(i, tileRows)),
    times(row, [
      set(column, number(0)),
      loopWhile(less(column, shiftLeft(limited(j, tileColumns), 2)), [
        storeElement(add(end, column), y, fromStart, column, x),
      ]),
      set(x, add(x, number(4 * tileColumns))),
      set(y, add(y, startStride)),
      set(end, add(end, stride)),
    ]),
  ]);
  return [
    set(stride, shiftLeft(stride, 2)),
    set(startStride, shiftLeft(startStride, 2)),
    set(j, columns),
    loopWhile(less(number(0), j), [
      set(i, rows),
      set(panelA, a),
      set(target, c),
      set(origin, start),
      loopWhile(less(number(0), i), [
        alongDepth,
        when(
          less(number(tileColumns - 1), j),
          [when(less(number(tileRows - 1), i), [storeTile], [storeEdge])],
          [storeEdge],
        ),
        set(panelA, add(panelA, multiply(depth, number(4 * tileRows)))),
        set(i, subtract(i, number(tileRows))),
        set(target, add(target, multiply(stride, number(tileRows)))),
        set(origin, add(origin, multiply(startStride, number(tileRows)))),
      ]),
      set(b, add(b, shiftLeft(panelStride, 2))),
      set(c, add(c, number(4 * tileColumns))),
      set(start, add(start, number(4 * tileColumns))),
      set(j, subtract(j, number(tileColumns))),
    ]),
  ];
}

const ofOneRow = [
  'write',
  'read',
  'flag',
  'read',
  'read',
  'columns',
  'depth',
  'rowStride',
  'panelStride',
  'write',
] as const;

/**
 * (c, start, fromStart, a, b, columns, depth, rowStride, panelStride, spare): one row of C = start + A · B, where
 * `start` counts as zero unless `fromStart` is set. `panelStride` is the distance between the panels of B, of eight
 * columns each, and `rowStride` the distance between their rows. Reads up to seven elements past the last row of B.
 */
export const multiplyRow: WasmFunction<typeof ofOneRow> = {
  operands: ofOneRow,
  simd: ([c, start, fromStart, a, b, columns, depth, rowStride, panelStride, spare], w) => {
    const [x, end, column] = w.pointers;
    const [factor] = w.vectors;
    const panels = [0, 1, 2, 3].map(() => w.local('i32'));
    const sums = panels.map(() => [w.local('v128'), w.local('v128')] as const);
    /** Multiplies the row by a number of adjacent panels and advances the pointers past them. */
    const along = (count: 1 | 4, storing: readonly Statement[]): Statement[] => [
      ...sums
        .slice(0, count)
        .flat()
        .map((sum) => set(sum, vZero())),
      ...panels.slice(0, count).map((panel, i) => set(panel, i === 0 ? b : add(panels[i - 1]!, panelStride))),
      set(b, add(panels[count - 1]!, panelStride)),
      set(x, a),
      loopWhile(below(x, end), [
        set(factor, loadSplat(x)),
        ...sums
          .slice(0, count)
          .flatMap((pair, i) =>
            pair.map((sum, half) => set(sum, multiplyAdd(w, factor, load(panels[i]!, 16 * half), sum))),
          ),
        ...panels.slice(0, count).map((panel) => set(panel, add(panel, rowStride))),
        set(x, add(x, number(4))),
      ]),
      ...storing,
      set(c, add(c, number(4 * count * tileColumns))),
      set(start, add(start, number(4 * count * tileColumns))),
      set(columns, subtract(columns, number(count * tileColumns))),
    ];
    const storeSums = (to: Local<'i32'>, count: 1 | 4): Statement[] =>
      sums
        .slice(0, count)
        .flat()
        .map((sum, i) => store(to, sum, 16 * i));
    return [
      set(rowStride, shiftLeft(rowStride, 2)),
      set(panelStride, shiftLeft(panelStride, 2)),
      set(end, add(a, shiftLeft(depth, 2))),
      loopWhile(
        less(number(31), columns),
        along(4, [
          when(
            fromStart,
            sums.flat().map((sum, i) => set(sum, vAdd(sum, load(start, 16 * i)))),
          ),
          ...storeSums(c, 4),
        ]),
      ),
      loopWhile(
        less(number(0), columns),
        along(1, [
          ...storeSums(spare, 1),
          set(column, number(0)),
          loopWhile(less(column, shiftLeft(limited(columns, tileColumns), 2)), [
            storeElement(add(c, column), start, fromStart, column, spare),
          ]),
        ]),
      ),
    ];
  },
};

/** Stores the element at `sums` + `column`, plus that at `start` + `column` if `fromStart`, and advances the column. */
const storeElement = (to: I32, start: I32, fromStart: I32, column: Local<'i32'>, sums: I32): Statement =>
  block([
    when(
      fromStart,
      [storeOne(to, vAdd(loadOne(add(start, column)), loadOne(add(sums, column))))],
      [storeOne(to, loadOne(add(sums, column)))],
    ),
    set(column, add(column, number(4))),
  ]);
