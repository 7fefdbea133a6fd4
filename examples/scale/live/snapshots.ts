/** The states of the streams of a partition, stored together with the position up to which events are applied. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ModelState, readSafetensors, type Tensor, writeSafetensors } from 'bptt';
import { writeAtomically } from 'bptt/node';

/** A snapshot of a partition. */
export interface Snapshot {
  /** The position of the last message that is applied. */
  readonly position: number;
  /** The model of the later events. */
  readonly model: string;
  readonly keys: Uint32Array;
  /** Each tensor `[keys.length, H]`; empty if there are no keys. */
  readonly states: ModelState;
}

/** Where snapshots are stored. */
export interface SnapshotStore {
  readonly read: (partition: number) => Promise<Snapshot | undefined>;
  /** @returns the number of bytes */
  readonly write: (partition: number, snapshot: Snapshot) => Promise<number>;
}

/**
 * Stores each snapshot in a safetensors file, which is replaced atomically. If two workers believe that they own a
 * partition, one may replace a snapshot by an older one. That is harmless: its states and its position fit together,
 * and the events after it are still in the log. A snapshot of another log, by its `id`, counts as missing.
 */
export function snapshotFolder(folder: string, log: string): SnapshotStore {
  const path = (partition: number): string => join(folder, `partition-${partition}.safetensors`);
  return {
    async read(partition) {
      const file = await readFile(path(partition)).catch((error: unknown) => {
        if ((error as { code?: string }).code === 'ENOENT') return undefined;
        throw error;
      });
      return file && decode(file, log);
    },
    async write(partition, snapshot) {
      const file = encode(snapshot, log);
      await writeAtomically(path(partition), file);
      return file.length;
    },
  };
}

/** Elements of a file are 32-bit floats, which hold integers up to 2²⁴: a key is two halves of 16 bits. */
function encode({ position, model, keys, states }: Snapshot, log: string): Uint8Array {
  const halves = new Float32Array(2 * keys.length);
  keys.forEach((key, i) => halves.set([key >>> 16, key & 0xffff], 2 * i));
  const tensors: Record<string, Tensor> = { keys: { shape: [keys.length, 2], data: halves } };
  for (const [layer, parts] of Object.entries(states))
    for (const [name, part] of Object.entries(parts)) tensors[`${layer}/${name}`] = part;
  return writeSafetensors(tensors, { position: String(position), model, log });
}

function decode(file: Uint8Array, log: string): Snapshot | undefined {
  const { tensors, metadata } = readSafetensors(file);
  if (metadata['log'] !== log) return undefined;
  const { keys: halves, ...parts } = tensors as Record<string, Tensor> & { keys: Tensor };
  const keys = Uint32Array.from({ length: halves.shape[0]! }, (_, i) => {
    return halves.data[2 * i]! * 2 ** 16 + halves.data[2 * i + 1]!;
  });
  const states: Record<string, Record<string, Tensor>> = {};
  for (const [path, part] of Object.entries(parts)) {
    const [layer, name] = path.split('/') as [string, string];
    states[layer] ??= {};
    states[layer][name] = part;
  }
  return { position: Number(metadata['position']), model: metadata['model']!, keys, states };
}
