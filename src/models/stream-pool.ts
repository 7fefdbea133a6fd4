/** Many streams of one model that come and go, and run as batches. */

import { withCaller } from '../tensor/error-context';
import { checkShape, formatShape, lengthOf, outOfRange } from '../tensor/shape';
import { checkEither, checkTensor, type IntTensor, isIntTensor, type Tensor } from '../tensor/tensor';
import { checkModel, type ModelState, type Sequential } from './sequential';
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
   * Runs one step of n streams.
   *
   * @param numbers of the streams, distinct
   * @param x row i is the input of stream `numbers[i]`: ids `[n]`, or vectors `[n, I]`
   * @returns row i is the output of stream `numbers[i]`: `[n, O]`
   * @throws RangeError if a stream is not open or there twice, or `x` has the wrong shape
   */
  readonly advance: (numbers: ArrayLike<number>, x: IntTensor | Tensor) => Tensor;
  /**
   * Copies the states of n streams, each tensor `[n, H]`.
   *
   * @throws RangeError if a stream is not open, or has not run yet
   */
  readonly read: (numbers: ArrayLike<number>) => ModelState;
  /**
   * Replaces the states of n streams, each tensor `[n, H]`, such as those that another pool has read.
   *
   * @throws RangeError if a stream is not open, or a shape does not match
   */
  readonly write: (numbers: ArrayLike<number>, states: ModelState) => void;
}

/** More rows than this are not faster, and no longer fit in the caches. */
const largestBatch = 256;

/**
 * Creates a pool of streams: thousands of clients of a server, say, that come and go and are not in step. A step of any
 * of them runs as batches of up to 256 rows, which is faster than as single streams, with the same bits. The states are
 * in one array per layer, which `read` and `write` copy by row. Like a stream, a pool does not see later changes of the
 * model.
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
  const slots = createSlots();
  const states = createStateRows();

  /** Runs streams that all have a state, or that all have none. */
  const run = (numbers: readonly number[], x: IntTensor | Tensor, output: Float32Array): void => {
    const isFresh = slots.isFresh(numbers[0]!);
    for (let start = 0, end = 0; start < numbers.length; start = end) {
      const batch = batches.find(({ batchSize }) => batchSize <= numbers.length - start)!;
      end = start + batch.batchSize;
      const rows = numbers.slice(start, end);
      batch.state = isFresh ? undefined : states.read(rows);
      const part = output.subarray(start * outputSize, end * outputSize);
      advance(batch, rowsOf(x, start, end), { shape: [rows.length, outputSize], data: part });
      states.write(rows, slots.capacity(), batch.state ?? {});
    }
    slots.markUsed(numbers);
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
      const all = slots.checked('advance', numbers);
      checkInput(x, all.length, inputSize);
      const output = { shape: [all.length, outputSize], data: new Float32Array(all.length * outputSize) };
      const fresh = all.flatMap((number, row) => (slots.isFresh(number) ? [row] : []));
      if (all.length === 0) return output;
      if (fresh.length === 0 || fresh.length === all.length) {
        run(all, x, output.data);
        return output;
      }
      for (const rows of [fresh, all.flatMap((number, row) => (slots.isFresh(number) ? [] : [row]))]) {
        const part = new Float32Array(rows.length * outputSize);
        run(
          rows.map((row) => all[row]!),
          pickRows(x, rows),
          part,
        );
        rows.forEach((row, i) =>
          output.data.set(part.subarray(i * outputSize, (i + 1) * outputSize), row * outputSize),
        );
      }
      return output;
    },
    read(numbers) {
      const all = slots.checked('read', numbers);
      const fresh = all.find(slots.isFresh);
      if (fresh !== undefined)
        throw outOfRange(
          'read',
          'numbers',
          'of streams that have a state',
          fresh,
          'A stream has none before its first step.',
        );
      return states.read(all);
    },
    write(numbers, values) {
      const all = slots.checked('write', numbers);
      for (const [layer, parts] of Object.entries(values))
        for (const [name, part] of Object.entries(parts)) {
          checkTensor('write', `${layer}.${name}`, part);
          const rest = states.shapeOf(layer, name) ?? part.shape.slice(1);
          checkShape('write', `${layer}.${name}`, part.shape, '[n, H]', [all.length, ...rest]);
        }
      states.write(all, slots.capacity(), values);
      slots.markUsed(all);
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
  checkEither('advance', 'x', x);
  const [kind, shape, symbols] = inputSize === 'ids' ? ['ids', [n], '[n]'] : ['vectors', [n, inputSize], '[n, I]'];
  const got = isIntTensor(x) ? 'ids' : 'vectors';
  if (got !== kind) throw outOfRange('advance', 'x', `${kind} ${symbols}`, `${got} ${formatShape(x.shape)}`);
  checkShape('advance', 'x', x.shape, symbols, shape);
}

/** Rows `start` to `end` of the input, without a copy. */
function rowsOf(x: IntTensor | Tensor, start: number, end: number): IntTensor | Tensor {
  if (isIntTensor(x)) return { shape: [end - start], data: x.data.subarray(start, end) };
  const width = x.shape[1]!;
  return { shape: [end - start, width], data: x.data.subarray(start * width, end * width) };
}

/** A copy of some rows of the input. */
function pickRows(x: IntTensor | Tensor, rows: readonly number[]): IntTensor | Tensor {
  if (isIntTensor(x)) return { shape: [rows.length], data: Int32Array.from(rows, (row) => x.data[row]!) };
  const width = x.shape[1]!;
  const data = new Float32Array(rows.length * width);
  rows.forEach((row, i) => data.set(x.data.subarray(row * width, (row + 1) * width), i * width));
  return { shape: [rows.length, width], data };
}

/** The numbers of streams. */
interface Slots {
  readonly size: () => number;
  /** The largest number so far, plus 1. */
  readonly capacity: () => number;
  readonly open: () => number;
  readonly close: (number: number) => void;
  /** Returns the numbers. @throws RangeError if one is not open, or there twice */
  readonly checked: (where: string, numbers: ArrayLike<number>) => readonly number[];
  /** Whether a stream has no state yet. */
  readonly isFresh: (number: number) => boolean;
  readonly markUsed: (numbers: readonly number[]) => void;
}

function createSlots(): Slots {
  /** Whether each number is open, and whether the stream is fresh. */
  const slots: ('closed' | 'fresh' | 'used')[] = [];
  const free: number[] = [];
  /** For each number the last check in which it occurred, to find those that are there twice. */
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
      checkOpen('close', number);
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

/** A part of the state of all streams: `size` elements per stream. */
interface Part {
  readonly layer: string;
  readonly name: string;
  /** The shape without the batch axis. */
  readonly shape: readonly number[];
  readonly size: number;
  data: Float32Array;
}

/** The states of all streams: for each part of the state, one array with a row per stream. */
interface StateRows {
  readonly shapeOf: (layer: string, name: string) => readonly number[] | undefined;
  readonly read: (rows: readonly number[]) => ModelState;
  /** @param capacity the number of rows that there must be room for */
  readonly write: (rows: readonly number[], capacity: number, state: ModelState) => void;
}

function createStateRows(): StateRows {
  const parts: Part[] = [];
  const find = (layer: string, name: string): Part | undefined =>
    parts.find((part) => part.layer === layer && part.name === name);
  return {
    shapeOf: (layer, name) => find(layer, name)?.shape,
    read(rows) {
      const state: Record<string, Record<string, Tensor>> = {};
      for (const { layer, name, shape, size, data } of parts) {
        const copy = new Float32Array(rows.length * size);
        for (let i = 0; i < rows.length; i++) copyRow(copy, i * size, data, rows[i]! * size, size);
        state[layer] ??= {};
        state[layer][name] = { shape: [rows.length, ...shape], data: copy };
      }
      return state;
    },
    write(rows, capacity, state) {
      for (const [layer, values] of Object.entries(state)) {
        for (const [name, { shape, data: source }] of Object.entries(values)) {
          let part = find(layer, name);
          if (part === undefined) {
            const rest = shape.slice(1);
            part = { layer, name, shape: rest, size: rest.reduce((a, b) => a * b, 1), data: new Float32Array(0) };
            parts.push(part);
          }
          const { size } = part;
          if (part.data.length < capacity * size) {
            const larger = new Float32Array(Math.max(capacity, 2 * (part.data.length / size), 16) * size);
            larger.set(part.data);
            part.data = larger;
          }
          for (let i = 0; i < rows.length; i++) copyRow(part.data, rows[i]! * size, source, i * size, size);
        }
      }
    },
  };
}

/** Copies without creating a view, which takes longer than copying a short row. */
function copyRow(target: Float32Array, to: number, source: Float32Array, from: number, size: number): void {
  for (let i = 0; i < size; i++) target[to + i] = source[from + i]!;
}
