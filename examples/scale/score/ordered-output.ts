/** A file to which results are appended exactly once, in order, also if the process dies at any moment. */

import { existsSync } from 'node:fs';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { writeAtomically } from 'bptt/node';
import type { Position } from './chunks';

/** How much of the output is certain. */
interface Progress {
  /** A hash of the model, and of the sizes and times of the inputs; the progress of another run is not continued. */
  readonly run: string;
  readonly position: Position;
  /** The length of the output, in bytes. */
  readonly bytes: number;
}

/** An output file that is not complete yet. */
export interface OrderedOutput {
  /** Where to continue. */
  readonly position: Position;
  /** Appends a result, and notes that the next one is that at `next`. */
  readonly append: (result: Uint8Array, next: Position) => Promise<void>;
  /** Closes the file and gives it its name. */
  readonly finish: () => Promise<void>;
  /** Closes the file, so that another run can continue it. */
  readonly close: () => Promise<void>;
}

/**
 * Opens `path + '.partial'`. After each result, the position and the length are written to `path + '.progress'`. If the
 * process dies between the two writes, the file is longer than the length that was noted: the rest is cut off, and
 * written again.
 */
export async function orderedOutput(path: string, run: string): Promise<OrderedOutput> {
  const [partial, noted] = [`${path}.partial`, `${path}.progress`];
  let progress: Progress = { run, position: { file: 0, offset: 0, chunks: 0 }, bytes: 0 };
  const previous = await readFile(noted, 'utf8').catch(() => undefined);
  if (previous !== undefined) {
    const parsed = JSON.parse(previous) as Progress;
    // The file may be missing if the process died after `finish` gave it its name.
    if (parsed.run === run && existsSync(partial)) progress = parsed;
  }
  const file = await open(partial, progress.bytes > 0 ? 'r+' : 'w');
  await file.truncate(progress.bytes);
  return {
    get position() {
      return progress.position;
    },
    async append(result, position) {
      let written = 0;
      while (written < result.length) {
        const { bytesWritten } = await file.write(result, written, result.length - written, progress.bytes + written);
        written += bytesWritten;
      }
      await file.sync();
      const next = { run, position, bytes: progress.bytes + result.length };
      await writeAtomically(noted, new TextEncoder().encode(JSON.stringify(next)));
      // Only now: if the disk is full, the caller appends the same result again, at the same place.
      progress = next;
    },
    async finish() {
      await file.close();
      await rename(partial, path);
      await rm(noted, { force: true });
    },
    close: () => file.close(),
  };
}
