/** Byte-pair encoding (Sennrich, Haddow and Birch, 2016, arXiv 1508.07909) over the bytes of UTF-8. */

import type { Vocabulary } from './vocabulary';

/** Two ids that become one. */
export type BytePair = readonly [number, number];

/** Words, numbers and signs, each with the space before it, and other white space: pairs do not reach across them. */
const piecePattern = / ?[\p{L}\p{M}]+| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]+|\s+(?!\S)|\s/gu;

/** The pieces of a text, which put together are the text. */
export function piecesOf(text: string): readonly string[] {
  return text.match(piecePattern) ?? [];
}

/** The bytes of a text, as ids that begin at `first`. */
export function bytesOf(text: string, first: number): number[] {
  return Array.from(new TextEncoder().encode(text), (byte) => first + byte);
}

/** The text of tokens that hold one character a byte. A byte order mark is text like any other. */
export function textOfBytes(tokens: readonly string[]): string {
  const characters = tokens.join('');
  const bytes = Uint8Array.from({ length: characters.length }, (_, i) => characters.charCodeAt(i));
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

/** A pair as one number: ids are below 2²¹. */
const keyOf = (a: number, b: number): number => a * 2 ** 21 + b;
const pairOf = (key: number): BytePair => [Math.floor(key / 2 ** 21), key % 2 ** 21];

/** Puts `joined` wherever a and b are neighbours, from the left, in place. */
function join(ids: number[], a: number, b: number, joined: number): void {
  let to = 0;
  for (let i = 0; i < ids.length; i++, to++) {
    const found = ids[i] === a && ids[i + 1] === b;
    ids[to] = found ? joined : ids[i]!;
    if (found) i++;
  }
  ids.length = to;
}

/**
 * Learns merges: each joins the pair that stands in the pieces most often, the one of smaller ids among equals. Counts are kept up to date in
 * the pieces that hold the pair; a heap finds the largest.
 *
 * @param pieces how often each stands in the text
 * @param first the id of byte 0
 */
export function learnMerges(pieces: ReadonlyMap<string, number>, first: number, most: number): readonly BytePair[] {
  const words = Array.from(pieces, ([piece, count]) => ({ ids: bytesOf(piece, first), count }));
  const counts = new Map<number, number>();
  const holders = new Map<number, Set<number>>();
  const changed = new Set<number>();
  const count = (word: number, sign: 1 | -1): void => {
    const { ids, count: times } = words[word]!;
    for (let i = 1; i < ids.length; i++) {
      const key = keyOf(ids[i - 1]!, ids[i]!);
      counts.set(key, (counts.get(key) ?? 0) + sign * times);
      changed.add(key);
      if (sign < 0) continue;
      const those = holders.get(key);
      if (those === undefined) holders.set(key, new Set([word]));
      else those.add(word);
    }
  };
  words.forEach((_, word) => count(word, 1));
  const queue: Queued[] = [];
  const merges: BytePair[] = [];
  while (merges.length < most) {
    for (const key of changed) push(queue, { key, count: counts.get(key)! });
    changed.clear();
    // What was queued with a count that has changed since was queued again.
    let top = pop(queue);
    while (top !== undefined && counts.get(top.key) !== top.count) top = pop(queue);
    if (top === undefined || top.count < 2) break;
    const [a, b] = pairOf(top.key);
    const joined = first + 256 + merges.length;
    for (const word of holders.get(top.key)!) {
      count(word, -1);
      join(words[word]!.ids, a, b, joined);
      count(word, 1);
    }
    merges.push([a, b]);
  }
  return merges;
}

interface Queued {
  readonly key: number;
  readonly count: number;
}

const before = (a: Queued, b: Queued): boolean => a.count > b.count || (a.count === b.count && a.key < b.key);

/** Adds to a binary heap. */
function push(heap: Queued[], added: Queued): void {
  let at = heap.push(added) - 1;
  for (let parent = (at - 1) >> 1; at > 0 && before(added, heap[parent]!); parent = (at - 1) >> 1) {
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = added;
}

/** Takes the first of a binary heap. */
function pop(heap: Queued[]): Queued | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return first;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (!before(heap[child]!, last)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
  return first;
}

interface Encoder {
  readonly ranks: ReadonlyMap<number, number>;
  /** The ids of pieces that were encoded before. */
  readonly known: Map<string, readonly number[]>;
}

let encoders: WeakMap<Vocabulary, Encoder> | undefined;

/** The ids of a text: in each piece, the pair that was learned first is joined first. */
export function encodeBytePairs(vocabulary: Vocabulary, text: string): readonly number[] {
  const { merges = [], size } = vocabulary;
  const first = size - merges.length - 256;
  encoders ??= new WeakMap();
  let encoder = encoders.get(vocabulary);
  if (encoder === undefined) {
    encoder = { ranks: new Map(merges.map(([a, b], rank) => [keyOf(a, b), rank])), known: new Map() };
    encoders.set(vocabulary, encoder);
  }
  const { ranks, known } = encoder;
  if (known.size > 50_000) known.clear();
  return piecesOf(text).flatMap((piece) => {
    let ids = known.get(piece);
    if (ids === undefined) known.set(piece, (ids = joinAll(bytesOf(piece, first), ranks, merges, first)));
    return ids;
  });
}

function joinAll(
  ids: number[],
  ranks: ReadonlyMap<number, number>,
  merges: readonly BytePair[],
  first: number,
): readonly number[] {
  for (;;) {
    let best = Infinity;
    for (let i = 1; i < ids.length; i++) best = Math.min(best, ranks.get(keyOf(ids[i - 1]!, ids[i]!)) ?? Infinity);
    if (best === Infinity) return ids;
    const [a, b] = merges[best]!;
    join(ids, a, b, first + 256 + best);
  }
}
