/** Every example in a docstring and every program of a guide runs, and yields the values in its comments. */

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import {
  declaredNames,
  docstringExamples,
  entryPoints,
  exportedNames,
  format,
  pages,
  pathFromRoot,
  root,
  sourceFiles,
} from './examples';

const library: Record<string, unknown> = {};
for (const file of entryPoints.values()) Object.assign(library, await import(/* @vite-ignore */ file.href));

/**
 * Runs a program with the library's names in scope.
 *
 * @param report Receives the value of every `expression; // comment` and the comment.
 */
async function run(program: string, report: (value: unknown, comment: string | undefined) => void): Promise<void> {
  const code = program
    .replace(/^import [\s\S]*?from '[^']+';$/gm, '')
    .replace(
      /^(?!const |let |\/\/)(.+); \/\/ (.+)$/gm,
      (_, expression: string, comment: string) => `__report(${expression}, ${JSON.stringify(comment)});`,
    );
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  const scope: Record<string, unknown> = { ...library, readFileSync, __report: report };
  const declared = declaredNames(code);
  const names = Object.keys(scope).filter((name) => !declared.has(name));
  const body = new Function(...names, `return (async () => {${outputText.replace(/^export \{\};$/m, '')}\n})()`);
  await (body(...names.map((name) => scope[name])) as Promise<void>);
}

const examples = docstringExamples();

it('the docstrings have examples', () => expect(examples.length).toBeGreaterThan(150));

it('every public name has a docstring, and every public function an example', () => {
  const publicNames = new Set([...entryPoints.keys()].flatMap(exportedNames));
  expect(publicNames.size).toBeGreaterThan(150);
  const documented = new Set<string>();
  for (const file of sourceFiles(new URL('src/', root))) {
    for (const [, comment, kind, name] of readFileSync(file, 'utf8').matchAll(
      /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\nexport (?:async )?(function|interface|type|const) (\w+)/g,
    )) {
      if (kind !== 'function' || comment!.includes('@example')) documented.add(name!);
    }
  }
  expect([...publicNames].filter((name) => !documented.has(name))).toEqual([]);
});

it('every entry point of package.json is mapped to its source', () => {
  const { exports } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { exports: object };
  const published = Object.keys(exports).filter((name) => name !== './package.json');
  expect([...entryPoints.keys()].sort()).toEqual(published.map((name) => name.replace(/^\./, 'bptt')).sort());
  for (const file of entryPoints.values()) expect(pathFromRoot(file)).toMatch(/^src\//);
});

describe('examples in docstrings run and yield the values in their comments', () => {
  it.each(examples)('$title', async ({ code }) => {
    await run(code, (value, comment = '') => {
      const digits = /= (-?[\d.]+)…/.exec(comment)?.[1];
      if (digits !== undefined) expect(String(value)).toContain(digits);
      else expect(comment === String(value) ? comment : format(value)).toBe(comment);
    });
  });
});

const readme = pages().find(({ path }) => path === 'README.md')!;

/** Runs a program of the README; its file is in a temporary folder. Returns the values that it prints. */
async function runReadme(program: string): Promise<unknown[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bptt-readme-'));
  const printed: unknown[] = [];
  try {
    const inFolder = program.replace(/'(training\.safetensors)'/, (_, name: string) =>
      JSON.stringify(join(folder, name)),
    );
    await run(inFolder.replace(/^console\.log\((.*)\);(?: \/\/.*)?$/gm, '__report($1);'), (value, comment) => {
      if (comment === undefined) printed.push(value);
      else expect(format(value)).toBe(comment);
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
  return printed;
}

it('the first program of README.md trains and generates text', async () => {
  const [generated] = await runReadme(readme.programs[0]!);
  expect(generated).toMatch(/(quick|brown|fox|jumps|over|lazy|dog)/);
});

it('the second program of README.md forecasts plausible temperatures of January', async () => {
  const [forecast] = await runReadme(readme.programs[1]!);
  expect(forecast).toHaveLength(7);
  for (const high of forecast as Float32Array) expect(Math.abs(high - 8)).toBeLessThan(7);
});

/** The heading above each program of the README. */
const headings = readme.programs.map((program) => {
  const before = readme.text.slice(0, readme.text.indexOf(program));
  return [...before.matchAll(/^#+ (.+)$/gm)].at(-1)![1]!;
});

// test/worker and docs/check-in-browsers.mjs run programs with workers.
it.each(
  readme.programs
    .map((program, i) => [headings[i]!, program] as const)
    .filter(([, code]) => !code.includes('new Worker'))
    .slice(2),
)('the program of README.md below "%s" runs and yields the values in its comments', async (_, program) => {
  expect(await runReadme(program)).toEqual([]);
});

it('README.md links only to itself and to other sites, as long as the repository is unknown', () => {
  // npm shows the README, and resolves relative links only if package.json has a repository.
  const { repository } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { repository?: unknown };
  const links = [...readme.text.matchAll(/\]\(([^)]+)\)/g)].map(({ 1: link }) => link!);
  // The picture is for those who read it in the repository.
  const relative = links.filter((link) => !/^(#|https:)/.test(link) && link !== 'playground/screenshot.webp');
  if (repository === undefined) expect(relative).toEqual([]);
  const headings = [...readme.text.matchAll(/^#+ (.+)$/gm)].map(({ 1: heading }) =>
    heading!.toLowerCase().replaceAll(' ', '-'),
  );
  const anchors = links.filter((link) => link.startsWith('#')).map((link) => link.slice(1));
  expect(anchors.length).toBeGreaterThan(0);
  expect(anchors.filter((anchor) => !headings.includes(anchor))).toEqual([]);
});

it('the files that README.md names exist', () => {
  const guides = [...readme.text.matchAll(/`([\w-]+\.md)`/g)].map(({ 1: name }) => name!);
  expect(guides.length).toBeGreaterThan(10);
  const folders = ['', 'docs/guides/'];
  const missing = guides.filter((name) => !folders.some((folder) => existsSync(new URL(`${folder}${name}`, root))));
  expect(missing).toEqual([]);
});

it.each(pages())('the links and pictures of $path exist', ({ path, text }) => {
  // A link to the reference, /reference/…, is checked when the site is built.
  for (const [, link] of text.matchAll(/\]\((?!https?:|\/)([^)#]+)/g)) {
    expect(existsSync(new URL(link!, new URL(path, root))), link).toBe(true);
  }
});
