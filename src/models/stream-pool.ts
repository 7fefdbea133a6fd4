/** Many streams of one model, which open and close at any time, and run as batches. */

import { lastOf } from '../tensor/arrays';
import { attributed, withCaller } from '../tensor/error-context';
import { checkNames, checkShape, formatShape, lengthOf, outOfRange, sizeOf } from '../tensor/shape';
import { checkEither, checkTensor, full, type IntTensor, isIntTensor, likeTensor, type Tensor } from '../tensor/tensor';
import { checkModel, type ModelState, mapStates, type Sequential } from './sequential';
import { advance, type Stream, stream } from './stream';

/** Many streams of one model. Each has a number, from 0; numbers of closed streams are used again. */
export interface StreamPool {
  /** The number of open streams. */
  readonly size: number;
  /** The size of the input vectors, or `'ids'`. */
  readonly inputSize: number | 'ids';
  /** The size of the output vectors. */
  readonly outputSize: number;
  /** Opens a stream in its initial state, and returns its number. */
  readonly open: () => number;
  /** Closes a stream. @throws RangeError if it is not open */
  readonly close: (number: number) => void;
  /**
   * Runs one step of n streams. If it throws, no stream has changed.
   *
   * @param numbers of the streams, distinct
   * @param x row i is the input of stream `numbers[i]`: ids `[n]`, or vectors `[n, I]`
   * @returns row i is the output of stream `numbers[i]`: `[n, O]`
   * @throws RangeError if a stream is not open, or occurs twice, `x` has the wrong shape, or an id is out of range
   */
  readonly advance: (numbers: ArrayLike<number>, x: IntTensor | Tensor) => Tensor;
  /**
   * Copies the states of n streams, each tensor `[n, H]`.
   *
   * @throws RangeError if a stream is not open, or has not run yet
   */
  readonly read: (numbers: ArrayLike<number>) => ModelState;
  /**
   * Replaces the states of n streams, each tensor `[n, H]`, such as those that another pool has read. As in a
   * {@link Stream}, missing parts take their initial values.
   *
   * @throws TypeError if a layer or a part is unknown
   * @throws RangeError if a stream is not open, or occurs twice, a shape does not match, or a part of a layer that is
   * not run by a `stepRunner` is missing
   */
  readonly write: (numbers: ArrayLike<number>, states: ModelState) => void;
}

/** More rows than this are not faster, and no longer fit in the caches. */
const largestBatch = 256;

/**
 * Creates a pool of streams: for example thousands of clients of a server, which connect and disconnect at any time. A
 * step of any of them runs as batches of up to 256 rows, which is faster than as single streams, with the same bits.
 * The states are in one array per part of a layer's state, which `read` and `write` copy by row. Like a stream, a pool
 * does not see later changes of the model.
 *
 * @throws RangeError if a layer is not causal, and so cannot run step by step
 * @example
 * const pool = createStreamPool(sequential([recurrent(gru(), { hiddenSize: 4 })], { inputSize: 2 }));
 * const [ann, bob, eve] = [pool.open(), pool.open(), pool.open()];
 * pool.advance([ann, bob, eve], full([3, 2], 1)).shape; // [3, 4]
 * pool.advance([eve, ann], full([2, 2], 0.5)).shape; // [2, 4]
 * pool.close(bob);
 * pool.read([ann])['gru']!['h']!.shape; // [1, 4]
 */
export function createStreamPool(model: Sequential): StreamPool {
  checkModel('createStreamPool', model);
  const batches = batchesOf(model);
  const { inputSize, outputSize } = batches[0]!;
  const parts = stateAfterStep(lastOf(batches)!);
  const slots = createSlots();
  const states = createStateRows(parts);
  /** Stores the states of all batches, after the last one has run, so that an error changes no stream. */
  const store = (updates: readonly (readonly [streams: readonly number[], state: ModelState])[]): void => {
    for (const [streams, state] of updates) {
      states.write(streams, slots.capacity(), state);
      slots.markUsed(streams);
    }
  };
  return {
    get size() {
      return slots.size();
    },
    inputSize,
    outputSize,
    open: slots.open,
    close: slots.close,
    advance(numbers, x) {
      const all = slots.checked('pool.advance', numbers);
      checkInput(x, all.length, inputSize);
      const output = full([all.length, outputSize], 0);
      const run = (selected: readonly number[], isFresh: boolean) =>
        divide(batches, selected).map(([batch, rows]) => {
          const streams = rows.map((row) => all[row]!);
          batch.state = isFresh ? undefined : states.read(streams);
          const { data } = advanceRows(batch, x, rows);
          for (let i = 0; i < rows.length; i++)
            copyRow(output.data, rows[i]! * outputSize, data, i * outputSize, outputSize);
          return [streams, batch.state ?? {}] as const;
        });
      const every = [...all.keys()];
      const fresh = every.filter((row) => slots.isFresh(all[row]!));
      const used = fresh.length === 0 ? every : every.filter((row) => !slots.isFresh(all[row]!));
      store([...run(fresh, true), ...run(used, false)]);
      return output;
    },
    read(numbers) {
      const all = slots.checked('pool.read', numbers);
      const fresh = all.find(slots.isFresh);
      if (fresh !== undefined)
        throw outOfRange(
          'pool.read',
          'numbers',
          'of streams that have a state',
          fresh,
          'A stream has none before its first step.',
        );
      return states.read(all);
    },
    write(numbers, values) {
      const all = slots.checked('pool.write', numbers);
      checkStates(values, parts, all.length);
      const updates = divide(batches, [...all.keys()]).map(([batch, rows]) => {
        batch.state = mapStates(values, (part) => pickRows(part, rows));
        const state = batch.state ?? {};
        mapStates(parts, (_, layer, name) => {
          if (state[layer]?.[name] === undefined)
            throw outOfRange(
              'pool.write',
              'states',
              'complete for a layer without a stepRunner',
              `no ${layer}.${name}`,
            );
        });
        return [rows.map((row) => all[row]!), state] as const;
      });
      store(updates);
    },
  };
}

/**
 * One stream per batch size, the largest first: powers of two, which add up to any number of rows. All are created now,
 * so that they have the weights of this moment.
 */
function batchesOf(model: Sequential): readonly Stream[] {
  const batches: Stream[] = [];
  withCaller('createStreamPool', () => {
    for (let batchSize = largestBatch; batchSize >= 1; batchSize /= 2) batches.push(stream(model, { batchSize }));
  });
  return batches;
}

function checkInput(x: IntTensor | Tensor, n: number, inputSize: number | 'ids'): void {
  checkEither('pool.advance', 'x', x);
  const [kind, shape, symbols] = inputSize === 'ids' ? ['ids', [n], '[n]'] : ['vectors', [n, inputSize], '[n, I]'];
  const got = isIntTensor(x) ? 'ids' : 'vectors';
  if (got !== kind) throw outOfRange('pool.advance', 'x', `${kind} ${symbols}`, `${got} ${formatShape(x.shape)}`);
  checkShape('pool.advance', 'x', x.shape, symbols, shape);
}

/** Divides rows into batches. */
function divide(
  batches: readonly Stream[],
  rows: readonly number[],
): readonly (readonly [batch: Stream, rows: readonly number[]])[] {
  const divided: [Stream, readonly number[]][] = [];
  for (let start = 0; start < rows.length; start += lastOf(divided)![1].length) {
    const batch = batches.find(({ batchSize }) => batchSize <= rows.length - start)!;
    divided.push([batch, rows.slice(start, start + batch.batchSize)]);
  }
  return divided;
}

/** Runs one step on some rows of the input. */
function advanceRows(batch: Stream, x: IntTensor | Tensor, rows: readonly number[]): Tensor {
  try {
    return advance(batch, pickRows(x, rows));
  } catch (error) {
    // The index of a wrong id is that in the batch.
    if (error instanceof RangeError && isIntTensor(x))
      error.message = error.message.replace(/ at index (\d+)/, (_, i) => ` at index ${rows[Number(i)]}`);
    throw attributed(error, 'pool.advance');
  }
}

/** Runs one step of one row, and returns its state, which has the names and the shapes of all parts. */
function stateAfterStep(one: Stream): ModelState {
  const inputSize = one.inputSize;
  const x = inputSize === 'ids' ? { shape: [1], data: new Int32Array(1) } : full([1, inputSize], 0);
  withCaller('createStreamPool', () => advance(one, x));
  return one.state ?? {};
}

/** @throws RangeError if a shape does not match; TypeError if a name is unknown */
function checkStates(values: ModelState, parts: ModelState, n: number): void {
  checkNames('pool.write', 'states', values, Object.keys(parts));
  for (const [layer, own] of Object.entries(values)) {
    checkNames('pool.write', layer, own, Object.keys(parts[layer]!));
    for (const [name, part] of Object.entries(own)) {
      checkTensor('pool.write', `${layer}.${name}`, part);
      const [, ...rest] = parts[layer]![name]!.shape;
      checkShape('pool.write', `${layer}.${name}`, part.shape, '[n, H]', [n, ...rest]);
    }
  }
}

/** A copy of some rows of a tensor. */
function pickRows<X extends IntTensor | Tensor>(x: X, rows: readonly number[]): X {
  const [, ...rest] = x.shape;
  const size = sizeOf(rest);
  const data = new (isIntTensor(x) ? Int32Array : Float32Array)(rows.length * size);
  for (let i = 0; i < rows.length; i++) copyRow(data, i * size, x.data, rows[i]! * size, size);
  return likeTensor(x, [rows.length, ...rest], data);
}

/** The numbers of streams. */
interface Slots {
  readonly size: () => number;
  /** The largest number so far, plus 1. */
  readonly capacity: () => number;
  readonly open: () => number;
  readonly close: (number: number) => void;
  /** Returns the numbers. @throws RangeError if one is not open, or occurs twice */
  readonly checked: (where: string, numbers: ArrayLike<number>) => readonly number[];
  /** Whether a stream has no state yet. */
  readonly isFresh: (number: number) => boolean;
  readonly markUsed: (numbers: readonly number[]) => void;
}

function createSlots(): Slots {
  /** Whether each number is open, and whether the stream is fresh. */
  const slots: ('closed' | 'fresh' | 'used')[] = [];
  const free: number[] = [];
  /** For each number the last check in which it occurred, to find those that occur twice. */
  const checks: number[] = [];
  let check = 0;
  const checkOpen = (where: string, number: number): void => {
    if ((slots[number] ?? 'closed') === 'closed') throw outOfRange(where, 'number', 'that of an open stream', number);
  };
  return {
    size: () => slots.length - free.length,
    capacity: () => slots.length,
    open() {
      const number = free.pop() ?? slots.length;
      slots[number] = 'fresh';
      return number;
    },
    close(number) {
      checkOpen('pool.close', number);
      slots[number] = 'closed';
      free.push(number);
    },
    checked(where, numbers) {
      lengthOf(where, 'numbers', numbers);
      check++;
      return Array.from(numbers, (number) => {
        checkOpen(where, number);
        if (checks[number] === check) throw outOfRange(where, 'numbers', 'distinct', `${number} twice`);
        checks[number] = check;
        return number;
      });
    },
    isFresh: (number) => slots[number] === 'fresh',
    markUsed(numbers) {
      for (const number of numbers) slots[number] = 'used';
    },
  };
}

/** The states of all streams: for each part of the state, one array with a row per stream. */
interface StateRows {
  readonly read: (rows: readonly number[]) => ModelState;
  /** @param capacity the number of rows that there must be room for */
  readonly write: (rows: readonly number[], capacity: number, state: ModelState) => void;
}

function createStateRows(parts: ModelState): StateRows {
  let room = 0;
  let tables = parts;
  return {
    read: (rows) => mapStates(tables, (table) => pickRows(table, rows)),
    write(rows, capacity, state) {
      if (room < capacity) {
        room = Math.max(capacity, 2 * room, 16);
        tables = mapStates(tables, ({ shape: [, ...rest], data }) => {
          const larger = full([room, ...rest], 0);
          larger.data.set(data);
          return larger;
        });
      }
      mapStates(tables, ({ shape: [, ...rest], data }, layer, name) => {
        const size = sizeOf(rest);
        const source = state[layer]![name]!.data;
        for (let i = 0; i < rows.length; i++) copyRow(data, rows[i]! * size, source, i * size, size);
      });
    },
  };
}

/** Copies without creating a view, which takes longer than copying a short row. */
function copyRow(
  target: Float32Array | Int32Array,
  to: number,
  source: Float32Array | Int32Array,
  from: number,
  size: number,
): void {
  for (let i = 0; i < size; i++) target[to + i] = source[from + i]!;
}
