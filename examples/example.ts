/** What every example is: a program that trains on real data and tells how well, beside a baseline. */

import type { Progress } from 'bptt';

/** How an example is run. */
export interface Setting {
  /** Whether it is run in a shorter form, of some seconds, which still beats its baseline. */
  readonly short: boolean;
  /** Says a line. */
  readonly say: (line: string) => void;
  /** For `onProgress` of `fit`. */
  readonly onProgress: (progress: Progress) => void;
  /** Writes a picture or another file into the example's folder. */
  readonly keep: (name: string, content: string | Uint8Array) => void;
}

/** Runs and answers its figures by name. */
export type Example = (setting: Setting) => Promise<Readonly<Record<string, number>>>;
