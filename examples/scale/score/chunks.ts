/** Cuts files of lines into chunks of whole lines, without reading more than a block at a time. */

import { open } from 'node:fs/promises';

/** A place between two lines. */
export interface Position {
  /** The index of the file. */
  readonly file: number;
  /** The offset in the file, in bytes. */
  readonly offset: number;
  /** The number of chunks before. */
  readonly chunks: number;
}

/** Whole lines of a file. */
export interface Chunk {
  readonly path: string;
  /** The first byte, and the end. */
  readonly from: number;
  readonly to: number;
  /** The index of the chunk among all. */
  readonly index: number;
  /** The place after the chunk, from which reading can continue. */
  readonly next: Position;
}

const [newline, blockSize] = [10, 1 << 18];

/**
 * Yields the chunks of some files in order, from a position on. A chunk has `size` lines, or fewer at the end of a
 * file.
 */
export async function* chunksOf(paths: readonly string[], size: number, start: Position): AsyncGenerator<Chunk> {
  let index = start.chunks;
  for (let file = start.file; file < paths.length; file++) {
    const path = paths[file]!;
    let from = file === start.file ? start.offset : 0;
    const handle = await open(path);
    try {
      const block = new Uint8Array(blockSize);
      let [at, lines] = [from, 0];
      for (;;) {
        const { bytesRead } = await handle.read(block, 0, blockSize, at);
        if (bytesRead === 0) break;
        for (let i = 0; i < bytesRead; i++) {
          if (block[i] !== newline || ++lines < size) continue;
          const to = at + i + 1;
          yield { path, from, to, index, next: { file, offset: to, chunks: ++index } };
          [from, lines] = [to, 0];
        }
        at += bytesRead;
      }
      if (at > from) yield { path, from, to: at, index, next: { file: file + 1, offset: 0, chunks: ++index } };
    } finally {
      await handle.close();
    }
  }
}

/** Reads the lines of a chunk. */
export async function readLines({ path, from, to }: Pick<Chunk, 'path' | 'from' | 'to'>): Promise<readonly string[]> {
  const handle = await open(path);
  try {
    const bytes = new Uint8Array(to - from);
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, from + filled);
      if (bytesRead === 0) throw new RangeError(`readLines: ${path} must have ${to} bytes, got ${from + filled}.`);
      filled += bytesRead;
    }
    const text = new TextDecoder().decode(bytes);
    return (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
  } finally {
    await handle.close();
  }
}
