/** Atomic writing of files. */

import { open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { mismatch } from '../tensor/shape';

/** The number of temporary files created by this process, which makes their names unique. */
let temporaryFiles = 0;

/**
 * Writes a file atomically: even if the process is killed or the machine loses power, the path has either the complete
 * old content or the complete new content. The content is written to a temporary file in the same folder, flushed to
 * disk and renamed. Temporary files of processes that no longer run are removed.
 *
 * @param path must be in an existing folder
 * @throws Error from the file system; the old content is then unchanged
 * @example
 * const path = `${process.env.TMPDIR ?? '/tmp'}/bptt-example.safetensors`;
 * await writeAtomically(path, writeSafetensors({ weight: tensor([1, 2]) }));
 */
export async function writeAtomically(path: string, content: Uint8Array): Promise<void> {
  if (typeof path !== 'string') throw mismatch('writeAtomically', 'path', 'a string', path);
  if (!(content instanceof Uint8Array)) throw mismatch('writeAtomically', 'content', 'a Uint8Array', content);
  const [folder, name] = [dirname(path), basename(path)];
  await removeLeftovers(folder, name);
  temporaryFiles++;
  const temporary = join(folder, `.${name}.${process.pid}-${temporaryFiles}.tmp`);
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  // Flushing the folder makes the rename durable, on systems that support it.
  const parent = await open(folder, 'r').catch(() => undefined);
  await parent?.sync().catch(() => undefined);
  await parent?.close();
}

/** Removes temporary files of the same path whose process no longer runs. */
async function removeLeftovers(folder: string, name: string): Promise<void> {
  for (const other of await readdir(folder)) {
    const writer = other.startsWith(`.${name}.`)
      ? /^(\d+)-\d+\.tmp$/.exec(other.slice(name.length + 2))?.[1]
      : undefined;
    if (writer !== undefined && !isRunning(Number(writer))) await rm(join(folder, other), { force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as { readonly code?: string }).code === 'EPERM';
  }
}
