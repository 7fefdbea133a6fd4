/** Pauses in long computations, so that pages stay responsive and signals arrive. */

import { checkKind } from '../tensor/shape';

/** @throws TypeError unless it has `aborted`: an AbortController in place of its signal would never stop training */
export function checkSignal(where: string, signal: { readonly aborted: boolean } | undefined): void {
  if (signal) checkKind(where, 'signal', signal, 'an abort signal', 'aborted');
}

/** The time in milliseconds: since the start of the program, or, on engines without `performance`, since 1970. */
export function now(): number {
  const { performance = Date } = globalThis as { readonly performance?: { now(): number } };
  return performance.now();
}

/** Resolves after the event loop has run. */
function nextTurn(): Promise<void> {
  // Node has setImmediate, which does not wait; edge functions of Next.js have one that throws; browsers have
  // setTimeout only; QuickJS has neither.
  const { setImmediate, setTimeout } = globalThis as Partial<
    Record<'setImmediate' | 'setTimeout', (callback: () => void) => void>
  >;
  return new Promise((resolve) => {
    try {
      (setImmediate ?? setTimeout)!(resolve);
    } catch {
      if (setTimeout) setTimeout(resolve);
      else resolve();
    }
  });
}

/** Creates a function that lets the event loop run if it has not for 20 ms. */
export function createPause(): () => Promise<void> {
  let last = now();
  return async () => {
    if (now() - last <= 20) return;
    await nextTurn();
    last = now();
  };
}
