/**
 * Every example in a docstring and every program of a guide compiles under `strict`, with the library's names imported.
 */

import { describe, expect, it } from 'vitest';
import { docstringExamples, pages, typeErrors, withImports } from './examples';

const examples = docstringExamples();
const programs = pages().flatMap(({ path, programs }) =>
  programs.map((code, i) => ({ name: `${path.replace(/\W/g, '-')}-${i}.ts`, code })),
);
/** The programs with file names, such as that of a worker, each a module. */
const files = pages().flatMap(({ path, blocks }) =>
  blocks
    .filter(({ language, file }) => language === 'ts' && file !== undefined)
    .map(({ file, code }) => ({ name: `${path.replace(/\W/g, '-')}-${file}`, code })),
);
const mistakes: readonly (readonly [file: string, code: string])[] = [
  ['wrong-type.ts', withImports("full([2, 3], 'one');")],
  ['wrong-import.ts', "import { noSuchName } from 'bptt';\nnoSuchName();"],
  ['implicit-any.ts', 'export const f = (x) => x;'],
];
const modules = new Map([
  ...mistakes,
  ...examples.map(({ code }, index) => [`docstring-example-${index}.ts`, withImports(code)] as const),
  ...[...programs, ...files].map(({ name, code }) => [name, `${code}\nexport {};`] as const),
]);
const errors = typeErrors(modules);

it('a wrong type, a missing import and an implicit any are errors', () => {
  for (const [file] of mistakes) expect(errors.get(file), file).toHaveLength(1);
});

describe('examples in docstrings compile', () => {
  it.each(examples.map(({ title }, index) => [title, index] as const))('%s', (_, index) => {
    expect(errors.get(`docstring-example-${index}.ts`)!.join('\n')).toBe('');
  });
});

describe('programs of the README and the guides compile, with the imports that they show', () => {
  it.each([...programs, ...files])('$name', ({ name }) => {
    expect(errors.get(name)!.join('\n')).toBe('');
  });
});
