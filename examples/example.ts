/** The interface of an example: a program that trains on real data and compares the result with a baseline. */

import type { Progress } from 'bptt';

/** Options of an example. */
export interface ExampleOptions {
  /**
   * Whether to train a shorter variant that takes some seconds and still beats the baseline, except on the verses of
   * the translation example.
   */
  readonly short: boolean;
  /** Prints a line. */
  readonly log: (line: string) => void;
  /** Passed to `fit` as `onProgress`. */
  readonly onProgress: (progress: Progress) => void;
  /** Writes a plot or another file to the example's folder. */
  readonly save: (name: string, content: string | Uint8Array) => void;
}

/** Runs the example and returns its metrics by name. */
export type Example = (options: ExampleOptions) => Promise<Readonly<Record<string, number>>>;
