/**
 * The matrix product over packed panels: A in panels of as many rows as a tile of C has, and B in panels of as many
 * columns, each stored along K. The size of the tiles belongs to the implementation.
 */

import type { LocalsOf, WasmFunction } from '../kernel';
import {
  add,
  below,
  block,
  type I32,
  inBytes,
  increase,
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
  shuffle,
  store,
  storeOne,
  storeTwo,
  tee,
  vAdd,
  vZero,
  type Writer,
  when,
} from './assembler';
import { atMost, times } from './loops';
import { multiplyAdd } from './math';

const packed = ['write', 'read', 'laneStride', 'depthStride', 'lanes', 'depth'] as const;

/**
 * Packs lanes, which are rows of A or columns of B, into panels [depth, width]; the last panel is padded with zeros.
 * `laneStride` or `depthStride` must be 1.
 */
const packing = (width: Width): WasmFunction<typeof packed> => ({
  operands: packed,
  simd: (o, w) => packPanels(w, o, width),
});

type Width = 4 | 6 | 8 | 16;

/** The offsets, in bytes, of the whole vectors of a row. */
const offsetsOf = (width: Width): number[] => Array.from({ length: width >> 2 }, (_, i) => 16 * i);

/** Packs `lanes` lanes of `depth` elements into panels [depth, width]. */
function packPanels(
  w: Writer,
  [to, from, laneStride, depthStride, lanes, depth]: LocalsOf<typeof packed>,
  width: Width,
): Statement[] {
  const [k, source, lane] = w.pointers;
  const [row0, row1, row2, row3, low, high, low2, high2] = w.vectors;
  const copied = [row0, row1, row2, row3];
  const bytes = 4 * width;
  const fours = offsetsOf(width);

  /** If the lanes are adjacent: copies one index of depth at a time. */
  const copyAcross = times(k, [
    ...fours.map((at, i) => set(copied[i]!, load(source, at))),
    ...fours.map((at, i) => store(to, copied[i]!, at)),
    ...(width === 6 ? [storeTwo(to, loadTwo(source, 16), 0, 16)] : []),
    increase(source, depthStride),
    increase(to, bytes),
  ]);
  /** If the lanes are contiguous along depth: transposes 4 × 4 elements at a time, or 2 × 4. */
  const transposeFour = (at: number): Statement[] => [
    set(lane, at === 0 ? source : add(lane, laneStride)),
    set(row0, load(lane)),
    ...[row1, row2, row3].flatMap((row) => [increase(lane, laneStride), set(row, load(lane))]),
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
    ...fours.flatMap(transposeFour),
    ...(width === 6 ? transposeTwo(16) : []),
    increase(source, 16),
    increase(to, 4 * bytes),
    increase(k, -4),
  ]);
  /** Copies single elements, for the remainder of depth and the partial panel. */
  const gather = times(k, [
    set(lane, number(0)),
    loopWhile(less(lane, number(width)), [
      when(
        less(lane, lanes),
        [storeOne(add(to, inBytes(lane)), loadOne(add(source, multiply(lane, laneStride))))],
        [storeOne(add(to, inBytes(lane)), vZero())],
      ),
      increase(lane, 1),
    ]),
    increase(source, depthStride),
    increase(to, bytes),
  ]);

  return [
    set(laneStride, inBytes(laneStride)),
    set(depthStride, inBytes(depthStride)),
    loopWhile(less(number(0), lanes), [
      set(source, from),
      set(k, depth),
      when(less(number(width - 1), lanes), [when(less(laneStride, number(5)), [copyAcross], [transposeFours])]),
      gather,
      increase(from, multiply(laneStride, number(width))),
      increase(lanes, -width),
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

/** A tile of C, which one pass over K computes, with its functions. */
export interface Tile {
  readonly packRows: WasmFunction<typeof packed>;
  readonly multiply: WasmFunction<typeof multiplied>;
}

const tile = (rows: 4 | 6, columns: 8 | 16): Tile => ({
  packRows: packing(rows),
  multiply: { operands: multiplied, simd: (o, w) => multiplyPanels(w, o, rows, columns) },
});

/** The tiles of an implementation, which have equal numbers of columns. */
export interface Tiles {
  readonly columns: 8 | 16;
  readonly packColumns: WasmFunction<typeof packed>;
  readonly multiplyRow: WasmFunction<typeof ofOneRow>;
  /** Tiles of four rows. */
  readonly low: Tile;
  /** Tiles of six rows, if they are faster. */
  readonly tall: Tile | undefined;
}

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
  tileColumns: 8 | 16,
): Statement[] {
  const [j, i, panelA, x, y] = w.pointers;
  const [end, target, origin, row, column] = w.pointers;
  const [factor] = w.vectors;
  const offsets = offsetsOf(tileColumns);
  const right = offsets.map(() => w.local('v128'));
  const sums = Array.from({ length: tileRows }, () => offsets.map((at) => ({ at, sum: w.local('v128') })));

  const alongDepth = block([
    ...sums.flat().map(({ sum }) => set(sum, vZero())),
    set(x, panelA),
    set(y, b),
    set(end, add(b, multiply(depth, number(4 * tileColumns)))),
    loopWhile(below(y, end), [
      ...right.map((vector, i) => set(vector, load(y, offsets[i]))),
      ...sums.flatMap((row, r) => [
        set(factor, loadSplat(x, 4 * r)),
        ...row.map(({ sum }, i) => set(sum, multiplyAdd(w, factor, right[i]!, sum))),
      ]),
      increase(x, 4 * tileRows),
      increase(y, 4 * tileColumns),
    ]),
  ]);
  const forRows = (
    at: Local<'i32'>,
    from: Local<'i32'>,
    by: Local<'i32'>,
    visit: (part: (typeof sums)[number][number]) => Statement,
  ): Statement[] => sums.flatMap((row, r) => [set(at, r === 0 ? from : add(at, by)), ...row.map(visit)]);
  const storeTile = block([
    when(
      fromStart,
      forRows(row, origin, startStride, ({ sum, at }) => set(sum, vAdd(sum, load(row, at)))),
    ),
    ...forRows(row, target, stride, ({ sum, at }) => store(row, sum, at)),
  ]);
  const storeEdge = block([
    ...sums.flatMap((row, r) => row.map(({ sum, at }) => store(spare, sum, 4 * tileColumns * r + at))),
    set(x, spare),
    set(y, origin),
    set(end, target),
    set(row, atMost(i, tileRows)),
    times(row, [
      set(column, number(0)),
      loopWhile(less(column, inBytes(atMost(j, tileColumns))), [
        storeElement(add(end, column), y, fromStart, column, x),
      ]),
      increase(x, 4 * tileColumns),
      increase(y, startStride),
      increase(end, stride),
    ]),
  ]);
  return [
    set(stride, inBytes(stride)),
    set(startStride, inBytes(startStride)),
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
        increase(panelA, multiply(depth, number(4 * tileRows))),
        increase(i, -tileRows),
        increase(target, multiply(stride, number(tileRows))),
        increase(origin, multiply(startStride, number(tileRows))),
      ]),
      increase(b, inBytes(panelStride)),
      increase(c, 4 * tileColumns),
      increase(start, 4 * tileColumns),
      increase(j, -tileColumns),
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
 * `start` counts as zero unless `fromStart` is set. `panelStride` is the distance between the panels of B, of
 * `panelColumns` columns each, and `rowStride` the distance between their rows. Reads up to a panel's row of elements,
 * less one, past the last row of B.
 */
const rowProduct = (panelColumns: 8 | 16): WasmFunction<typeof ofOneRow> => ({
  operands: ofOneRow,
  simd: ([c, start, fromStart, a, b, columns, depth, rowStride, panelStride, spare], w) => {
    const [x, end, column] = w.pointers;
    const [factor] = w.vectors;
    const offsets = offsetsOf(panelColumns);
    const panels = [0, 1, 2, 3].map(() => ({ at: w.local('i32'), sums: offsets.map(() => w.local('v128')) }));
    /** Multiplies the row by a number of adjacent panels and advances the pointers past them. */
    const along = (count: 1 | 4, storing: (sums: readonly Local<'v128'>[]) => readonly Statement[]): Statement[] => {
      const some = panels.slice(0, count);
      const sums = some.flatMap((panel) => panel.sums);
      return [
        ...sums.map((sum) => set(sum, vZero())),
        ...some.flatMap(({ at }) => [set(at, b), increase(b, panelStride)]),
        set(x, a),
        loopWhile(below(x, end), [
          set(factor, loadSplat(x)),
          ...some.flatMap((panel) =>
            panel.sums.map((sum, i) => set(sum, multiplyAdd(w, factor, load(panel.at, offsets[i]), sum))),
          ),
          ...some.map(({ at }) => increase(at, rowStride)),
          increase(x, 4),
        ]),
        ...storing(sums),
        increase(c, 4 * count * panelColumns),
        increase(start, 4 * count * panelColumns),
        increase(columns, -count * panelColumns),
      ];
    };
    const storeSums = (to: Local<'i32'>, sums: readonly Local<'v128'>[]): Statement[] =>
      sums.map((sum, i) => store(to, sum, 16 * i));
    return [
      set(rowStride, inBytes(rowStride)),
      set(panelStride, inBytes(panelStride)),
      set(end, add(a, inBytes(depth))),
      loopWhile(
        less(number(4 * panelColumns - 1), columns),
        along(4, (sums) => [
          when(
            fromStart,
            sums.map((sum, i) => set(sum, vAdd(sum, load(start, 16 * i)))),
          ),
          ...storeSums(c, sums),
        ]),
      ),
      loopWhile(
        less(number(0), columns),
        along(1, (sums) => [
          ...storeSums(spare, sums),
          set(column, number(0)),
          loopWhile(less(column, inBytes(atMost(columns, panelColumns))), [
            storeElement(add(c, column), start, fromStart, column, spare),
          ]),
        ]),
      ),
    ];
  },
});

/** Stores the element at `sums` + `column`, plus that at `start` + `column` if `fromStart`, and advances the column. */
const storeElement = (to: I32, start: I32, fromStart: I32, column: Local<'i32'>, sums: I32): Statement =>
  block([
    when(
      fromStart,
      [storeOne(to, vAdd(loadOne(add(start, column)), loadOne(add(sums, column))))],
      [storeOne(to, loadOne(add(sums, column)))],
    ),
    increase(column, 4),
  ]);

const tilesOf = (columns: 8 | 16, tall?: Tile): Tiles => ({
  columns,
  packColumns: packing(columns),
  multiplyRow: rowProduct(columns),
  low: tile(4, columns),
  tall,
});

/** Tiles of four rows and eight columns: eight sums and their operands fit in the sixteen registers of any engine. */
export const narrowTiles: Tiles = /* @__PURE__ */ tilesOf(8);
/**
 * Also tiles of six rows: twelve sums hide the latency of fused multiply-add, if the engine keeps them in registers.
 */
export const tallTiles: Tiles = /* @__PURE__ */ tilesOf(8, /* @__PURE__ */ tile(6, 8));
/**
 * Tiles of four rows and sixteen columns, whose pairs of vectors an engine with 256-bit vectors merges. In other
 * engines they are half as fast as {@link narrowTiles}.
 */
export const wideTiles: Tiles = /* @__PURE__ */ tilesOf(16);
