/** Every example in a docstring and every program of a guide runs, and yields the values in its comments. */

import { existsSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import {
  declaredNames,
  docstringExamples,
  entryPoints,
  exportedNames,
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
async function run(program: string, report: (value: unknown, comment: string) => void): Promise<void> {
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

/** A value as the comments of examples write it: at most six significant digits. */
function format(value: unknown): string {
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} ${format([...(value as Float32Array)])}`;
  if (Array.isArray(value)) return `[${value.map(format).join(', ')}]`;
  if (typeof value === 'string') return `'${value}'`;
  return typeof value === 'number' ? String(Number(value.toPrecision(6))) : String(value);
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
    await run(code, (value, comment) => {
      const digits = /= (-?[\d.]+)…/.exec(comment)?.[1];
      if (digits !== undefined) expect(String(value)).toContain(digits);
      else expect(comment === String(value) ? comment : format(value)).toBe(comment);
    });
  });
});

it('the first program of README.md trains and generates text', async () => {
  const readme = readFileSync(new URL('README.md', root), 'utf8');
  const program = /```ts\n([\s\S]*?)```/.exec(readme)![1]!;
  let generated = '';
  await run(program.replace('console.log(', '__report('), (text) => {
    generated = String(text);
  });
  expect(generated).toMatch(/(quick|brown|fox|jumps|over|lazy|dog)/);
});

it.each(pages())('the links and pictures of $path exist', ({ path, text }) => {
  // A link to the reference, /reference/…, is checked when the site is built.
  for (const [, link] of text.matchAll(/\]\((?!https?:|\/)([^)#]+)/g)) {
    expect(existsSync(new URL(link!, new URL(path, root))), link).toBe(true);
  }
});
