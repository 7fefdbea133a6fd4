/** Files that are there whole or not at all. */

import { open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

let written = 0;

/**
 * Writes a file so that at any moment, whatever is killed or loses power, its path holds the old content or the new, whole: the new one goes
 * into a file beside it, is pushed to the disk, and takes the place of the old in one step. What writers that were killed left lying beside it goes.
 *
 * @param path in a folder that is there
 * @throws what the file system throws; the old content then stands
 * @example
 * const path = `${process.env.TMPDIR ?? '/tmp'}/bptt-example.safetensors`;
 * await writeAtomically(path, writeSafetensors({ weight: tensor([1, 2]) }));
 */
export async function writeAtomically(path: string, content: Uint8Array): Promise<void> {
  const [folder, name] = [dirname(path), basename(path)];
  await removeLeftovers(folder, name);
  const beside = join(folder, `.${name}.${process.pid}-${++written}.tmp`);
  try {
    const file = await open(beside, 'wx');
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  // The new name itself is pushed to the disk with its folder, where the system can do that.
  const parent = await open(folder, 'r').catch(() => undefined);
  await parent?.sync().catch(() => undefined);
  await parent?.close();
}

/** Removes what writers of the same file that are no more left behind. */
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
