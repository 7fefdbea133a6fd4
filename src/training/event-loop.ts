/** Pauses in long computations, so that pages stay responsive and signals arrive. */

/** Resolves after the event loop has run. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    // Node's setImmediate does not wait; browsers have setTimeout only.
    if ('setImmediate' in globalThis && typeof globalThis.setImmediate === 'function') globalThis.setImmediate(resolve);
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
