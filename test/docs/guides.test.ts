/** Every program of a guide runs, prints the output that the guide shows, and yields the values in its comments. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { format, type Page, pages } from './examples';

/** The effects of the programs of a page. */
interface Run {
  /** The lines that each program printed. */
  readonly printed: string[][];
  /** The values of the statements `expression; // comment`, and the comments. */
  readonly values: { readonly value: unknown; readonly comment: string }[];
}

const folder = mkdtempSync(join(tmpdir(), 'bptt-guides-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the programs of a page without file names as one module, with its imports. */
async function run({ path, blocks }: Page): Promise<Run> {
  const result: Run = { printed: [], values: [] };
  const programs = blocks.filter(({ language, file }) => language === 'ts' && file === undefined);
  const body = programs.map(({ code }) => {
    const reporting = code.replace(
      /^(?!const |let |type |import |\/\/)(\S.*); \/\/ (.+)$/gm,
      (_, expression: string, comment: string) =>
        `guide.values.push({ value: ${expression}, comment: ${JSON.stringify(comment)} });`,
    );
    return `guide.printed.push([]);\n${reporting}`;
  });
  const name = path.replace(/\W/g, '-');
  mkdirSync(join(folder, name));
  const file = join(folder, name, 'program.ts');
  writeFileSync(file, `const { guide } = globalThis as any;\n${body.join('\n')}`);
  const { log } = console;
  Object.assign(globalThis, { guide: result });
  console.log = (...values: unknown[]) => result.printed.at(-1)!.push(...values.map(String).join(' ').split('\n'));
  try {
    await import(/* @vite-ignore */ pathToFileURL(file).href);
  } finally {
    console.log = log;
    Reflect.deleteProperty(globalThis, 'guide');
  }
  return result;
}

const number = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/g;

/**
 * The shown output with the printed number in place of every number that is close to it: within an eighth, or two
 * units of the last digit. Engines round differently, and training amplifies the difference.
 */
function withCloseNumbers(shown: string, printed: string): string {
  const numbers = printed.match(number) ?? [];
  let index = 0;
  return shown.replace(number, (text) => {
    const other = numbers[index++] ?? '';
    const digits = text.split('.')[1]?.length ?? 0;
    const tolerance = Math.max(Math.abs(Number(text)) / 8, 2 * 10 ** -digits);
    return text.includes('.') && Math.abs(Number(other) - Number(text)) <= tolerance ? other : text;
  });
}

const guides = pages().filter(({ path, programs }) => path !== 'README.md' && programs.length > 0);

it('numbers that are close are equal, words and other numbers are not', () => {
  expect(withCloseNumbers('loss 0.40 after 10 updates', 'loss 0.44 after 10 updates')).toBe(
    'loss 0.44 after 10 updates',
  );
  expect(withCloseNumbers('loss 0.40 after 10 updates', 'loss 0.80 after 11 updates')).toBe(
    'loss 0.40 after 10 updates',
  );
  expect(withCloseNumbers('loss 0.40', 'error 0.40')).toBe('loss 0.40');
});

describe('the programs of a guide run, print the output shown and yield the values in their comments', () => {
  it.each(guides)('$path', async (page) => {
    const { printed, values } = await run(page);
    for (const { value, comment } of values) expect(format(value), comment).toBe(comment);
    let program = -1;
    let checks = values.length;
    for (const { language, file, code } of page.blocks) {
      if (language === 'ts' && file === undefined) program++;
      const text = (printed[program] ?? []).join('\n').trimEnd();
      // A sample is random, or measured: only its form is compared.
      if (language === 'sample') expect(text.split('\n')).toHaveLength(code.trimEnd().split('\n').length);
      if (language === 'output') expect(text).toBe(withCloseNumbers(code.trimEnd(), text));
      if (language === 'sample' || language === 'output') checks++;
    }
    expect(checks).toBeGreaterThan(0);
  });
});

/** Pages that explain the library as a whole. */
const isOverview = ({ path }: Page): boolean => !path.startsWith('docs/guides/');

it.each(guides.filter((page) => !isOverview(page)))('the first program of $path has at most 30 lines', ({ blocks }) => {
  const program = blocks
    .find(({ language }) => language === 'ts')!
    .code.trimEnd()
    .split('\n');
  expect(program.length).toBeLessThanOrEqual(30);
  expect(Math.max(...program.map((line) => line.length))).toBeLessThanOrEqual(120);
});
