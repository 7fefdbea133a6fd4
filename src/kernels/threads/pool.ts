/**
 * Threads that run WebAssembly functions over one shared memory. Every thread has a queue: a ring of commands in a
 * shared buffer, which the thread of the program fills, and which the other thread executes in order. No messages are
 * needed after the start, so a program may compute without returning to its event loop.
 *
 * The commands of a thread's share of a kernel form a batch. Before it executes a batch, the thread claims it. After
 * its own share, the thread of the program claims the batches that no thread has begun, and computes them itself. So it
 * waits only for shares in progress: a thread that sleeps, or gets no processor, costs almost no time.
 */

import type { WasmFunction } from '../kernel';

// One constant per declaration, since minifiers replace only those by their values.
/** The positions of the counters of a queue. Those that different threads write are in different cache lines. */
const tail = 0;
const head = 16;
const claimed = 32;
const sleeping = 48;
const state = 49;
/** The position of a value that stays 0. */
const unused = 50;
/** The values of `state`. */
const started = 1;
const failed = 2;
/**
 * The sizes of the counters and of the code of the functions, in bytes. All functions of `wide` together take 64,000.
 */
const counterBytes = 256;
const codeBytes = 262_144;
/** The number of commands in the ring, and of doubles per command: the function, then its operands, at most 12. */
const length = 8192;
const width = 16;
/** The most commands in a batch. */
const longestBatch = 4000;
/** The commands that are not calls: begin a batch, instantiate a function, and end. */
const batch = -1;
const load = -2;
const end = -3;
/** How often a thread looks for a command, or for the end of a batch, before it sleeps: for about 0.3 ms. */
const spins = 10_000;
const spinsWithoutPause = 200_000;

/** Whether the program computes the shares that no thread has begun. In tests it waits for the threads instead. */
export const sharing: { takesOver: boolean } = { takesOver: true };

/**
 * The program of a thread: waits for a command, and loads a function, ends, or executes a batch that nobody has
 * claimed. Calls have the same number of operands for any function, since WebAssembly ignores those that a function
 * does not have. If a call throws, the state becomes `failed`, because its batch does not end. The text is dense, since
 * minifiers do not shorten it: s are the counters, c the commands, f the functions, d the number of commands that are
 * done, p the position of a command, k its kind, a and m its operands, such as the number of calls in a batch, and n
 * counts how often the thread has looked.
 */
const program = (): string => `({memory,control,code})=>{
let s=new Int32Array(control),c=new Float64Array(control,${counterBytes}),f=[],d=0,n,p,k,a,m,i,{load,store,wait,pause}=Atomics;
store(s,${state},${started});try{for(;;){
for(n=0;load(s,${tail})==d;)if(n++<(pause?${spins}:${spinsWithoutPause}))pause?.();else{store(s,${sleeping},1);wait(s,${tail},d);store(s,${sleeping},n=0)}
p=(d&${length - 1})*${width};k=c[p];a=c[p+1];m=c[p+2];if(k==${end})break;
if(k==${load})f.push(new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(code).slice(a,m)),{env:{memory}}).exports.run),m=0;
else if(Atomics.compareExchange(s,${claimed},a,a+1)==a)for(i=1;i<=m;i++){
p=(d+i&${length - 1})*${width};f[c[p]](c[p+1],c[p+2],c[p+3],c[p+4],c[p+5],c[p+6],c[p+7],c[p+8],c[p+9],c[p+10],c[p+11],c[p+12])}
store(s,${head},d=d+1+m|0)}}catch(e){store(s,${state},${failed});throw e}}`;

/** The parts of workers that differ between engines. */
interface Thread {
  readonly terminate: () => unknown;
}

/** The parts of `node:worker_threads` in use, which Deno and bun have as well. */
interface NodeThreads {
  readonly Worker: new (
    code: string,
    options: { readonly eval: true; readonly workerData: unknown; readonly execArgv: readonly string[] },
  ) => Thread & { on(event: 'error' | 'exit', listener: () => void): void; unref(): void };
}

/** Returns a module of Node.js, if there is one. Bundlers do not see the name as an import. */
export const nodeModule = <M>(name: string): M | undefined =>
  (globalThis as WithProcess).process?.getBuiltinModule?.(`node:${name}`) as M | undefined;

type WithProcess = { readonly process?: { getBuiltinModule?(name: string): unknown } };

/** The URL of the script of the threads of a page, which stays valid. */
let script: string | undefined;

/** Starts a thread with data. Calls `onEnd` if it ends or cannot start. */
function startThread(data: unknown, onEnd: () => void): Thread {
  const threads = nodeModule<NodeThreads>('worker_threads');
  if (threads) {
    const code = `(${program()})(require('node:worker_threads').workerData)`;
    const thread = new threads.Worker(code, { eval: true, workerData: data, execArgv: [] });
    thread.on('error', onEnd);
    thread.on('exit', onEnd);
    thread.unref();
    return thread;
  }
  script ??= URL.createObjectURL(new Blob([`onmessage=({data})=>{(${program()})(data);close()}`]));
  const thread = new Worker(script);
  thread.onerror = (event) => {
    event.preventDefault();
    onEnd();
  };
  thread.postMessage(data);
  return thread;
}

/** A thread with its queue. */
interface Queue {
  readonly thread: Thread;
  readonly counters: Int32Array;
  /** Adds a command. */
  readonly add: (key: number, operands: readonly (number | boolean)[]) => void;
  /** Adds a batch of the calls that `body` adds. */
  readonly offer: (body: () => void) => void;
  /** Adds a call to the batch. If the number of the function is −1, the program computes the batch. */
  readonly call: (index: number, operands: readonly (number | boolean)[]) => void;
  /** Claims the batch for the program. Returns false if the thread computes it. */
  readonly claim: () => boolean;
  /** Waits for the end of the batch, if the thread computes it. Returns false if the thread has failed. */
  readonly wait: () => boolean;
}

/** Starts a thread. Numbers of batches, and of commands in counters, are integers of 32 bits, which overflow. */
function openQueue(memory: WebAssembly.Memory, code: SharedArrayBuffer, onEnd: () => void): Queue {
  const control = new SharedArrayBuffer(counterBytes + 8 * width * length);
  const counters = new Int32Array(control);
  const commands = new Float64Array(control, counterBytes);
  const atomics = Atomics as typeof Atomics & { readonly pause?: () => void };
  /** The number of commands and of batches so far. */
  let added = 0;
  let batches = 0;
  /** The number of commands of the current batch, with the one that begins it; 0 if the program computes it. */
  let size = 0;

  /** The number of commands that the thread has not executed. */
  const pending = (): number => (added - atomics.load(counters, head)) | 0;
  function write(position: number, key: number, operands: readonly (number | boolean)[]): void {
    const at = ((added + position) & (length - 1)) * width;
    commands[at] = key;
    for (let i = 0; i < operands.length; i++) commands[at + 1 + i] = operands[i] as number; // a flag becomes 0 or 1
  }
  function publish(count: number): void {
    added += count;
    atomics.store(counters, tail, added);
    if (atomics.load(counters, sleeping)) atomics.notify(counters, tail);
  }
  return {
    thread: startThread({ memory, control, code }, onEnd),
    counters,
    add(key, operands) {
      write(0, key, operands);
      publish(1);
    },
    offer(body) {
      // If the thread has not executed earlier commands, there may be no room.
      size = pending() > length - 2 * longestBatch ? 0 : 1;
      body();
      if (size < 2) size = 0;
      else {
        write(0, batch, [batches, size - 1]);
        batches = (batches + 1) | 0;
        publish(size);
      }
    },
    call(index, operands) {
      if (index < 0 || size > longestBatch) size = 0;
      else if (size) write(size++, index, operands);
    },
    claim() {
      const before = (batches - 1) | 0;
      if (size && sharing.takesOver && atomics.compareExchange(counters, claimed, before, batches) === before) size = 0;
      return size === 0;
    },
    wait() {
      // After the spins it sleeps for a millisecond at a time, for at least ten seconds.
      const most = atomics.pause ? spins : spinsWithoutPause;
      for (let tries = 0; size && pending(); tries++) {
        if (tries < most) atomics.pause?.();
        else if (counters[state] === failed || tries > most + 10_000) return false;
        else atomics.wait(counters, unused, 0, 1);
      }
      return true;
    },
  };
}

/** Threads that compute over one memory, besides the thread of the program. */
export interface Pool {
  /** The number of threads, including the thread of the program. */
  readonly size: number;
  /** Whether all threads have started. */
  readonly isReady: () => boolean;
  /** Whether no thread sleeps. To wake one takes as long as a product of millions of multiply-adds. */
  readonly isAwake: () => boolean;
  /**
   * Divides `count` rows, columns or elements into a share for every thread: a multiple of `unit`, but for the last
   * one.
   *
   * @param compute calls the functions of a share: itself if `thread` is 0, or by {@link Pool.of}
   * @param parts the number of parts of the work, which are divided in turn; 1 by default
   * @throws Error if a thread has failed, or has made no progress for ten seconds
   */
  readonly divide: (
    count: number,
    unit: number,
    compute: (first: number, count: number, thread: number) => void,
    parts?: number,
  ) => void;
  /** Returns a function that adds a call to the batch of a thread. */
  readonly of: (thread: number, key: WasmFunction) => (...operands: (number | boolean)[]) => void;
  /** Ends the threads. */
  readonly end: () => void;
}

/**
 * Starts the threads of a pool.
 *
 * @param size the number of threads, including the thread of the program
 * @param codeOf assembles the module of a function
 * @param onEnd is called when a thread has ended or failed, after which it may still write to the memory
 */
export function startPool(
  size: number,
  memory: WebAssembly.Memory,
  codeOf: (key: WasmFunction) => Uint8Array<ArrayBuffer>,
  onEnd: () => void,
): Pool {
  const code = new SharedArrayBuffer(codeBytes);
  const queues: Queue[] = [];
  /** The functions by number. The threads have the first `loaded` ones, whose code takes `used` bytes. */
  const keys: WasmFunction[] = [];
  let loaded = 0;
  let used = 0;
  const terminate = (): void => queues.forEach(({ thread }) => thread.terminate());
  try {
    while (queues.length < size - 1) queues.push(openQueue(memory, code, onEnd));
  } catch (error) {
    terminate();
    throw error;
  }

  return {
    size,
    isReady: () => queues.every(({ counters }) => counters[state] === started),
    isAwake: () => !sharing.takesOver || queues.every(({ counters }) => !counters[sleeping]),
    divide(count, unit, compute, parts = 1) {
      const most = Math.ceil(count / size / parts / unit) * unit;
      for (let from = 0; from < count; from += size * most) {
        const computeShare = (share: number, thread: number): void => {
          const first = from + share * most;
          if (first < count) compute(first, Math.min(most, count - first), thread);
        };
        queues.forEach(({ offer }, i) => offer(() => computeShare(i + 1, i + 1)));
        computeShare(0, 0);
        queues.forEach(({ claim }, i) => claim() && computeShare(i + 1, 0));
        if (!queues.every(({ wait }) => wait())) {
          terminate();
          onEnd();
          throw new Error('useThreads: a thread failed or hung. One thread continues.');
        }
      }
      for (; loaded < keys.length; loaded++) {
        const bytes = codeOf(keys[loaded]!);
        const start = used;
        new Uint8Array(code).set(bytes, start);
        used += bytes.length;
        queues.forEach(({ add }) => add(load, [start, used]));
      }
    },
    of(thread, key) {
      const known = keys.indexOf(key);
      const index = known < 0 ? keys.push(key) - 1 : known;
      return (...operands) => queues[thread - 1]!.call(index < loaded ? index : -1, operands);
    },
    end: () => queues.forEach(({ add }) => add(end, [])),
  };
}
