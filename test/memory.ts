/** The garbage collector, for tests that measure memory. */

/** Node.js has it with the option `--expose-gc`, which the configuration of the tests sets. */
declare const gc: () => void;

/** Removes the garbage of earlier tests: if it were collected during a measurement, it would hide new memory. */
export function collectGarbage(): void {
  gc();
  // Buffers are freed in the background; a second collection waits for the first one.
  gc();
}
