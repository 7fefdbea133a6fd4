/** Letting others run: long work gives the event loop a turn now and then, so that pages stay alive and signals arrive. */

interface Timers {
  readonly setImmediate?: (callback: () => void) => void;
  readonly setTimeout: (callback: () => void, delay: number) => void;
}

/** Resolves after the event loop has had a turn. */
export function nextTurn(): Promise<void> {
  const timers = globalThis as unknown as Timers;
  return new Promise((resolve) => {
    if (timers.setImmediate !== undefined) timers.setImmediate(resolve);
    else timers.setTimeout(resolve, 0);
  });
}
