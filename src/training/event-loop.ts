/** Pauses in long computations, so that pages stay responsive and signals arrive. */

/** Resolves after the event loop has run. */
function nextTurn(): Promise<void> {
  // Node has setImmediate, which does not wait; browsers have setTimeout only.
  const { setImmediate } = globalThis as { readonly setImmediate?: (callback: () => void) => void };
  return new Promise((resolve) => {
    if (setImmediate !== undefined) setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
}

/** Creates a function that lets the event loop run if it has not for `interval` milliseconds. */
export function createPause(interval: number): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last <= interval) return;
    await nextTurn();
    last = performance.now();
  };
}
