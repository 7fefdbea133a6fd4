/** The data of the problems in bench/problems has the properties that their papers give. */

import { createRandom } from 'bptt';
import { describe, expect, it } from 'vitest';
import { drawAdding } from '../../bench/problems/adding';
import { drawSums } from '../../bench/problems/addition';
import { copyBaseline, drawCopy } from '../../bench/problems/copy';
import { acceptsReber, drawReber } from '../../bench/problems/embedded-reber';
import { drawOrder } from '../../bench/problems/temporal-order';

describe('drawn data', () => {
  it('Reber strings follow the grammar, and the legal next symbols are those of the grammar', () => {
    const random = createRandom(1);
    const prefixes = new Map<string, Set<string>>();
    const strings = Array.from({ length: 3000 }, () => drawReber(random));
    for (const { text, legal } of strings) {
      expect(acceptsReber(text)).toBe(true);
      expect(legal.length).toBe(text.length - 1);
      legal.forEach((next, t) => {
        expect(next).toContain(text[t + 1]);
        const seen = prefixes.get(text.slice(0, t + 1)) ?? new Set();
        prefixes.set(text.slice(0, t + 1), seen.add([...next].sort().join('')));
      });
    }
    for (const seen of prefixes.values()) expect(seen.size).toBe(1);
    const outer = strings[0]!.text[1] === 'T' ? 'P' : 'T';
    expect(acceptsReber(`${strings[0]!.text.slice(0, -2)}${outer}E`)).toBe(false);
    expect(acceptsReber('BTBXETE')).toBe(false);
  });

  it('sequences of temporal order contain two marks in their ranges, and the target is the order of the marks', () => {
    const random = createRandom(2);
    for (let i = 0; i < 500; i++) {
      const { input, target } = drawOrder(random, 100);
      const marks = [...input.keys()].filter((t) => input[t] === 2 || input[t] === 3);
      expect(marks.length).toBe(2);
      expect(marks[0]! >= 10 && marks[0]! <= 20 && marks[1]! >= 50 && marks[1]! <= 60).toBe(true);
      expect(target).toBe(2 * (input[marks[0]!]! - 2) + input[marks[1]!]! - 2);
      expect([input[0], input.at(-1), input.length >= 100 && input.length <= 110]).toEqual([0, 1, true]);
    }
  });

  it('adding has a mark in each half, copy targets equal the inputs, and addition questions are distinct', () => {
    const { inputs, targets } = drawAdding(createRandom(3), 15, 50);
    for (let row = 0; row < 50; row++) {
      const marks = Array.from({ length: 15 }, (_, t) => t).filter((t) => inputs.data[(t * 50 + row) * 2 + 1] === 1);
      expect([marks.length, marks[0]! < 7, marks[1]! >= 7]).toEqual([2, true, true]);
      expect(targets.data[row]).toBeCloseTo(
        marks.reduce((sum, t) => sum + inputs.data[(t * 50 + row) * 2]!, 0),
        6,
      );
    }
    const copies = drawCopy(createRandom(4), 20, 3);
    for (let row = 0; row < 3; row++) {
      const [read, write] = [copies.inputs, copies.targets].map(({ data }) =>
        Array.from({ length: 40 }, (_, t) => data[t * 3 + row]!),
      ) as [number[], number[]];
      expect(write.slice(30)).toEqual(read.slice(0, 10));
      expect([
        read[29],
        read.slice(10, 29).every((id) => id === 8),
        write.slice(0, 30).every((id) => id === 8),
      ]).toEqual([9, true, true]);
    }
    expect(copyBaseline(100)).toBeCloseTo(0.1733, 4);
    const sums = drawSums(createRandom(5), 3, 2000);
    for (const [question, sum] of sums) {
      const [a, b] = question.split('+').map(Number) as [number, number];
      expect([a + b, a < 1000 && b < 1000]).toEqual([Number(sum), true]);
    }
    expect(
      new Set(
        sums.map(([question]) =>
          question
            .split('+')
            .map(Number)
            .sort((a, b) => a - b)
            .join(),
        ),
      ).size,
    ).toBe(2000);
  });
});
