/** Byte-pair encoding (Sennrich, Haddow and Birch, 2016, arXiv 1508.07909) over the bytes of UTF-8. */

import { bytesOfText } from './utf8';

/** Two token ids that are merged into one. */
export type BytePair = readonly [number, number];

/**
 * The pieces of a text: words, numbers and signs, each with the preceding space, and other white space. Concatenated
 * they are the text. Pairs are merged inside of these pieces only.
 */
export function piecesOf(text: string): readonly string[] {
  // Created at first use: an engine takes a third of a millisecond for its classes.
  return text.match(/ ?[\p{L}\p{M}]+| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]+|\s+(?!\S)|\s/gu) ?? [];
}

/** The bytes of a text as ids, from `first` for byte 0. */
function bytesOf(text: string, first: number): number[] {
  return Array.from(bytesOfText(text), (byte) => first + byte.charCodeAt(0));
}

/** A pair as one number. Ids are below 2²⁴, since a `Map` has fewer entries. */
const keyOf = (a: number, b: number): number => a * 2 ** 24 + b;
const pairOf = (key: number): BytePair => [Math.floor(key / 2 ** 24), key % 2 ** 24];

/** Replaces every occurrence of the pair (a, b) by `merged`, from the left, in place. */
function mergePair(ids: number[], a: number, b: number, merged: number): void {
  let to = 0;
  for (let i = 0; i < ids.length; i++, to++) {
    const isPair = ids[i] === a && ids[i + 1] === b;
    ids[to] = isPair ? merged : ids[i]!;
    if (isPair) i++;
  }
  ids.length = to;
}

/**
 * Learns merges: each merges the most frequent pair, among equals the one with the smaller ids. Counts are updated only
 * in the pieces that contain the pair; a heap finds the largest count.
 *
 * @param pieces the count of every piece of the text
 * @param first the id of byte 0
 * @param limit the maximum number of merges
 */
export function learnMerges(pieces: ReadonlyMap<string, number>, first: number, limit: number): readonly BytePair[] {
  const words = Array.from(pieces, ([piece, count]) => ({ ids: bytesOf(piece, first), count }));
  const counts = new Map<number, number>();
  const wordsWithPair = new Map<number, Set<number>>();
  const changed = new Set<number>();
  /** Counts the pairs of a word: those that contain one of the given ids, all by default. */
  const countPairs = (word: number, sign: 1 | -1, having?: readonly number[]): void => {
    const { ids, count } = words[word]!;
    for (let i = 1; i < ids.length; i++) {
      if (having && !having.includes(ids[i]!) && !having.includes(ids[i - 1]!)) continue;
      const key = keyOf(ids[i - 1]!, ids[i]!);
      counts.set(key, (counts.get(key) ?? 0) + sign * count);
      changed.add(key);
      if (sign > 0) wordsWithPair.set(key, (wordsWithPair.get(key) ?? new Set()).add(word));
    }
  };
  for (let word = 0; word < words.length; word++) countPairs(word, 1);
  const heap: PairCount[] = [];
  const merges: BytePair[] = [];
  while (merges.length < limit) {
    for (const key of changed) push(heap, { key, count: counts.get(key)! });
    changed.clear();
    // Entries with an outdated count are skipped: the pair is in the heap again with its new count.
    let top = pop(heap);
    while (top !== undefined && counts.get(top.key) !== top.count) top = pop(heap);
    if (top === undefined || top.count < 2) break;
    const [a, b] = pairOf(top.key);
    const merged = first + 256 + merges.length;
    // No other pairs change. A word can be a long text without spaces, such as a sequence of DNA.
    const having = [a, b, merged];
    for (const word of wordsWithPair.get(top.key)!) {
      countPairs(word, -1, having);
      mergePair(words[word]!.ids, a, b, merged);
      countPairs(word, 1, having);
    }
    merges.push([a, b]);
  }
  return merges;
}

interface PairCount {
  readonly key: number;
  readonly count: number;
}

const precedes = (a: PairCount, b: PairCount): boolean => a.count > b.count || (a.count === b.count && a.key < b.key);

/** Adds an entry to a binary heap. */
function push(heap: PairCount[], entry: PairCount): void {
  let at = heap.push(entry) - 1;
  for (let parent = (at - 1) >> 1; at > 0 && precedes(entry, heap[parent]!); parent = (at - 1) >> 1) {
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = entry;
}

/** Removes and returns the first entry of a binary heap. */
function pop(heap: PairCount[]): PairCount | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return first;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && precedes(heap[child + 1]!, heap[child]!)) child++;
    if (!precedes(heap[child]!, last)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
  return first;
}

/** The most pieces in the cache of an encoder. */
const cacheLimit = 50_000;

/**
 * Returns a function from a text to its ids. In each piece, pairs are merged in the order in which their merges were
 * learned. The ids of pieces are cached.
 *
 * @param first the id of byte 0
 */
export function bytePairEncoder(merges: readonly BytePair[], first: number): (text: string) => readonly number[] {
  /** The index of every merge, by the key of its pair. */
  const ranks = new Map(merges.map(([a, b], rank) => [keyOf(a, b), rank]));
  const cache = new Map<string, readonly number[]>();
  const encodePiece = (piece: string): readonly number[] => {
    const ids = bytesOf(piece, first);
    for (;;) {
      let best = Infinity;
      for (let i = 1; i < ids.length; i++) best = Math.min(best, ranks.get(keyOf(ids[i - 1]!, ids[i]!)) ?? Infinity);
      if (best === Infinity) return ids;
      const [a, b] = merges[best]!;
      mergePair(ids, a, b, first + 256 + best);
    }
  };
  return (text) => {
    if (cache.size > cacheLimit) cache.clear();
    return piecesOf(text).flatMap((piece) => {
      let ids = cache.get(piece);
      if (ids === undefined) {
        ids = encodePiece(piece);
        cache.set(piece, ids);
      }
      return ids;
    });
  };
}
