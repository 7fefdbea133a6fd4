/** Atomic writing of files. */

import { createHash, randomBytes } from 'node:crypto';
import { chmod, open, readdir, readFile, readlink, realpath, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { isArrayOf } from '../tensor/arrays';
import { checkString, mismatch } from '../tensor/shape';

/** After this time without a change, in ms, a temporary file is a leftover, whoever wrote it. */
const abandonedAfter = 3_600_000;

/**
 * Writes a file atomically: even if the process is killed or the machine loses power, the path has either the complete
 * old content or the complete new content. The content is written to a temporary file in the same folder, flushed to
 * disk and renamed. A symbolic link is followed, and an existing file keeps its mode. Temporary files of processes that
 * no longer run are removed; those of other machines and containers after an hour.
 *
 * @param path must be in an existing folder
 * @throws Error from the file system; the old content is then unchanged
 * @example
 * const path = `${process.env.TMPDIR ?? '/tmp'}/bptt-example.safetensors`;
 * await writeAtomically(path, writeSafetensors({ weight: tensor([1, 2]) }));
 */
export async function writeAtomically(path: string, content: Uint8Array): Promise<void> {
  checkString('writeAtomically', 'path', path);
  if (!isArrayOf('Uint8Array', content)) throw mismatch('writeAtomically', 'content', 'a Uint8Array', content);
  const target = await targetOf(path);
  const folder = dirname(target);
  const stem = stemOf(basename(target));
  const machine = await machineName();
  await removeLeftovers(folder, stem, machine);
  const temporary = join(folder, `.${stem}.${process.pid}-${machine}-${randomBytes(6).toString('hex')}.tmp`);
  try {
    const mode = (await stat(target).catch(() => undefined))?.mode;
    const file = await open(temporary, 'wx');
    try {
      // Before the content, which others may not be allowed to read.
      if (mode !== undefined) await chmod(temporary, mode & 0o7777);
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    // An error of the removal does not replace this one.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  // Flushing the folder makes the rename durable, on systems that support it.
  const parent = await open(folder, 'r').catch(() => undefined);
  await parent?.sync().catch(() => undefined);
  await parent?.close();
}

/** The path to which symbolic links lead, which may not exist yet. */
async function targetOf(path: string): Promise<string> {
  for (let links = 0; links < 40; links++) {
    const link = await readlink(path).catch(() => undefined);
    if (link === undefined) return path;
    path = resolve(await realpath(dirname(path)), link);
  }
  // Links in a circle: this throws the error of the file system.
  return realpath(path);
}

/** The part of temporary names that belongs to a file: its name, or a hash if the temporary name would be too long. */
function stemOf(name: string): string {
  return new TextEncoder().encode(name).length <= 200 ? name : shortHash(name);
}

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** A name for the machine and, on Linux, the container: process ids have a meaning only within it. */
async function machineName(): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id').catch(() => new Uint8Array(0));
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  return shortHash(`${hostname()} ${new TextDecoder().decode(boot)} ${namespace}`);
}

/** Removes temporary files of the same path whose process no longer runs. Failures have no consequence. */
async function removeLeftovers(folder: string, stem: string, machine: string): Promise<void> {
  for (const other of await readdir(folder).catch(() => [])) {
    if (!other.startsWith(`.${stem}.`)) continue;
    // Version 0.1 did not write the name of the machine.
    const [, pid, writtenOn = machine] =
      /^(\d+)-(?:([0-9a-f]{16})-)?\w+\.tmp$/.exec(other.slice(stem.length + 2)) ?? [];
    if (pid === undefined) continue;
    const path = join(folder, other);
    if ((writtenOn === machine && !isRunning(Number(pid))) || (await isAbandoned(path)))
      await rm(path, { force: true }).catch(() => undefined);
  }
}

async function isAbandoned(path: string): Promise<boolean> {
  const { mtimeMs = Infinity } = (await stat(path).catch(() => undefined)) ?? {};
  return Date.now() - mtimeMs > abandonedAfter;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as { readonly code?: string }).code === 'EPERM';
  }
}
