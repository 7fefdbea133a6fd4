/** The number of threads that compute. */

import { memoize } from '../../tensor/memoize';
import { outOfRange } from '../../tensor/shape';
import type { Parts, WasmFunction } from '../kernel';
import { bindFunction, codeOf, type Implementation, scratchSize } from '../simd/bind';
import {
  implementationOf,
  localWorkspace,
  replaceWorkspaces,
  reservationOf,
  reserve,
  type Workspace,
  workspaceOver,
} from '../workspace';
import { dividedKernels, grain } from './divide';
import { nodeModule, type Pool, startPool } from './pool';

/** A workspace over a shared memory, with its threads. */
interface Team {
  readonly workspace: Workspace;
  /** The threads; undefined if they have ended. */
  pool: Pool | undefined;
  /** Starts the threads, if they have ended. */
  readonly start: (size: number) => Pool;
}

/** The teams by implementation, which stay when their threads end. */
const teams = /* @__PURE__ */ new Map<Implementation, Team>();
/** The number of threads set by {@link useThreads}; 1 if they could not start. */
let wanted = 1;

/** The most threads: a further one takes 0.7 MB. */
const most = 64;

/**
 * Sets the number of threads of all later computations. Results have the same bits for any number of threads. Products
 * of at least half a million multiply-adds are divided, such as those of 32 sequences and 128 units; smaller work stays
 * on one thread.
 *
 * The threads start in the background, and computations use them as soon as they are ready; see {@link threadsReady}.
 * They do not keep a Node.js process alive. Predictors and training runs that have begun keep the memory with which
 * they began, and continue on one thread if its threads have ended. Streams compute on one thread.
 *
 * It works in Node.js from 20.16 on, Deno and bun. In browsers it works inside a worker, if the page is cross-origin
 * isolated (headers `Cross-Origin-Opener-Policy: same-origin` and `Cross-Origin-Embedder-Policy: require-corp`).
 * Computations stay on one thread, which {@link threadsInUse} reports, if memory cannot be shared, a policy forbids
 * workers, or the kernels are `portable`.
 *
 * @param threads the number of threads, including that of the program, from 1 to 64; 1, the default, ends the others.
 * `auto` is the number that the machine runs in parallel, but at most 64
 * @throws RangeError if `threads` is not such a number
 * @throws Error if it is more than 1 and this thread may not wait for others, as the main thread of a page
 * @example
 * useThreads(2);
 * await threadsReady();
 * const model = sequential([recurrent(lstm(), { hiddenSize: 64 })], { inputSize: 8, seed: 1 });
 * predict(model, full([16, 32, 8], 1)).shape; // [16, 32, 64]
 * useThreads(1);
 */
export function useThreads(threads: number | 'auto'): void {
  const count = threads === 'auto' ? Math.min(most, parallelism()) : threads;
  if (!Number.isInteger(count) || count < 1 || count > most)
    throw outOfRange('useThreads', 'threads', `'auto' or an integer from 1 to ${most}`, threads);
  const canStart = count > 1 && canShareMemory();
  stop();
  if (!canStart) return;
  wanted = count;
  replaceWorkspaces(() => currentTeam()?.workspace);
  currentTeam();
}

/**
 * Returns the number of threads that the next computation uses: 1 until the threads set by {@link useThreads} are
 * ready.
 *
 * @example
 * useThreads(1);
 * threadsInUse(); // 1
 */
export function threadsInUse(): number {
  const pool = currentPool();
  return pool?.isReady() ? pool.size : 1;
}

/**
 * Waits until the threads set by {@link useThreads} are ready, or cannot start.
 *
 * @returns the number of threads in use
 * @example
 * useThreads(2);
 * const count = await threadsReady();
 * count === threadsInUse(); // true
 * useThreads(1);
 */
export async function threadsReady(): Promise<number> {
  // For ten seconds or longer.
  for (let tries = 0; tries < 10_000 && currentPool()?.isReady() === false; tries++)
    await new Promise((resolve) => setTimeout(resolve));
  return threadsInUse();
}

/** The threads of the selected kernels. */
const currentPool = (): Pool | undefined => (wanted > 1 ? currentTeam()?.pool : undefined);

/** Returns the team of the selected kernels, with its threads started. If that fails, all is computed on one thread. */
function currentTeam(): Team | undefined {
  try {
    const local = localWorkspace();
    const implementation = implementationOf(local);
    if (implementation === undefined) return undefined;
    const team = teams.get(implementation) ?? createTeam(implementation, local);
    teams.set(implementation, team);
    team.pool ??= team.start(wanted);
    return team;
  } catch {
    stop();
    return undefined;
  }
}

/** Ends all threads and restores the workspaces of one thread. */
function stop(): void {
  teams.forEach((team) => {
    team.pool?.end();
    team.pool = undefined;
  });
  wanted = 1;
  replaceWorkspaces(undefined);
}

/** The global object, with the parts that not all engines have. */
type Globals = { readonly navigator?: Partial<Navigator>; readonly crossOriginIsolated?: boolean };

/** The number of threads that the machine runs in parallel. Node.js 20 has no navigator. */
const parallelism = (): number =>
  (globalThis as Globals).navigator?.hardwareConcurrency ??
  nodeModule<{ availableParallelism(): number }>('os')?.availableParallelism() ??
  1;

/**
 * Whether threads can share memory. A page must be cross-origin isolated.
 *
 * @throws Error if this thread may not wait for others
 */
function canShareMemory(): boolean {
  if (typeof SharedArrayBuffer !== 'function') return false;
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
  } catch {
    throw new Error('useThreads: must be called in a worker, as the main thread of a page cannot wait for threads.');
  }
  return (globalThis as Globals).crossOriginIsolated !== false;
}

/** The limits of a shared memory in the modules that import it: the largest possible memory, of 65,536 pages. */
const limits = [0x03, 0x01, 0x80, 0x80, 0x04];

/** Creates a team. `local` is the workspace of the same implementation without threads. */
function createTeam(implementation: Implementation, local: Workspace): Team {
  const { name, tiles } = implementation;
  const code = memoize((key: WasmFunction) => codeOf(key, { ...implementation, limits }));
  // The thread of the program has the scratch memory at the start.
  const scratch = [0];
  const threads = { pool: () => (team.pool?.isReady() ? team.pool : undefined), scratch };
  const memory = new WebAssembly.Memory({ initial: 10, maximum: 65_536, shared: true });
  const workspace = workspaceOver(implementation, memory, (_, pages, views) => {
    const of = memoize((key: WasmFunction) => bindFunction(code(key), pages)) as Parts['of'];
    return dividedKernels(name, { of, tiles: tiles(), memory: views, scratch: 0 }, threads);
  });
  workspace.forUpdate = (rows, size) => (rows < grain.rows || rows * size < grain.waking ? local : workspace);
  const reservation = reservationOf(workspace);
  const team: Team = {
    workspace,
    pool: undefined,
    start(size) {
      while (scratch.length < size) scratch.push(reserve(reservation, scratchSize));
      const pool = startPool(size, memory, code, () => {
        if (team.pool !== pool) return;
        stop();
        teams.delete(implementation);
      });
      return pool;
    },
  };
  return team;
}
