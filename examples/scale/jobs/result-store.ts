/** Results of jobs in a folder that all machines share. */

import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from 'bptt/node';

/**
 * The results by job. A job is done if, and only if, it has a result. The result of a job is always the same, so that
 * a job that runs twice replaces its result by the same bytes.
 */
export interface ResultStore {
  readonly read: (id: string) => Promise<Uint8Array | undefined>;
  readonly write: (id: string, result: Uint8Array) => Promise<void>;
  readonly remove: (id: string) => Promise<void>;
  readonly list: () => Promise<ReadonlySet<string>>;
}

/** Stores each result in a file. A result is either complete or missing, also after a crash. */
export function folderStore(folder: string): ResultStore {
  const path = (id: string): string => join(folder, id);
  return {
    async read(id) {
      try {
        return await readFile(path(id));
      } catch (error) {
        if ((error as { code?: string }).code === 'ENOENT') return undefined;
        throw error;
      }
    },
    write: (id, result) => writeAtomically(path(id), result),
    remove: (id) => rm(path(id), { force: true }),
    list: async () => new Set((await readdir(folder)).filter((name) => !name.startsWith('.'))),
  };
}
