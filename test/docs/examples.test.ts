/** Every example in a docstring runs, and what it says in a comment behind a line is what comes out; so does the README's program. */

import { readdirSync, readFileSync } from 'node:fs';
import * as bptt from 'bptt';
import * as keras from 'bptt/keras';
import * as node from 'bptt/node';
import * as onnx from 'bptt/onnx';
import * as pytorch from 'bptt/pytorch';
import ts from 'typescript';
import { expect, it } from 'vitest';

interface Example {
  readonly where: string;
  readonly code: string;
}

function sources(folder: URL): URL[] {
  return readdirSync(folder).flatMap((name) =>
    name.endsWith('.ts') ? [new URL(name, folder)] : name.includes('.') ? [] : sources(new URL(`${name}/`, folder)),
  );
}

function examplesOf(file: URL): Example[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/\/\*\*[\s\S]*?\*\//g)].flatMap(({ 0: comment }) => {
    const example = /@example\b([\s\S]*?)(?:\n \* @|\*\/)/.exec(comment)?.[1];
    if (example === undefined) return [];
    const code = example
      .split('\n')
      .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
      .join('\n')
      .trim();
    return [{ where: `${file.pathname.split('/src/')[1]}: ${code.split('\n').at(-1)}`, code }];
  });
}

/** Runs a program with the library's names in scope; `x; // value` reports x and what the comment says. */
async function run(code: string, report: (got: unknown, said: string) => void): Promise<void> {
  const told = code.replace(
    /^(?!const |let |import )(.+); \/\/ (.+)$/gm,
    (_, expression: string, said: string) => `__report(${expression}, ${JSON.stringify(said)});`,
  );
  const { outputText } = ts.transpileModule(told, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  const scope: Record<string, unknown> = {
    ...bptt,
    ...pytorch,
    ...keras,
    ...onnx,
    ...node,
    readFileSync,
    __report: report,
  };
  const names = Object.keys(scope).filter(
    (name) => !new RegExp(`(const|let) (${name}\\b|\\{[^}]*\\b${name}\\b[^}]*\\} =)`).test(told),
  );
  const body = new Function(...names, `return (async () => {${outputText.replace(/^export \{\};$/m, '')}\n})()`);
  await (body(...names.map((name) => scope[name])) as Promise<void>);
}

function say(value: unknown): string {
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} ${say([...(value as Float32Array)])}`;
  if (Array.isArray(value)) return `[${value.map(say).join(', ')}]`;
  if (typeof value === 'string') return `'${value}'`;
  return typeof value === 'number' ? String(Number(value.toPrecision(6))) : String(value);
}

const examples = sources(new URL('../../src/', import.meta.url)).flatMap(examplesOf);

it('there are examples', () => expect(examples.length).toBeGreaterThan(30));

it('every public name has a docstring, and every public function an example', () => {
  const publicNames = new Set(
    ['index.ts', 'pytorch.ts', 'keras.ts', 'onnx.ts', 'node/index.ts'].flatMap((file) =>
      [...readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8').matchAll(/\{([^}]*)\}/g)].flatMap(
        ({ 1: list }) =>
          list!
            .split(',')
            .map((name) => name.replace(/\btype\b/, '').trim())
            .filter(Boolean),
      ),
    ),
  );
  expect(publicNames.size).toBeGreaterThan(150);
  const documented = new Set<string>();
  for (const file of sources(new URL('../../src/', import.meta.url))) {
    for (const [, comment, kind, name] of readFileSync(file, 'utf8').matchAll(
      /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\nexport (?:async )?(function|interface|type|const) (\w+)/g,
    )) {
      if (kind !== 'function' || comment!.includes('@example')) documented.add(name!);
    }
  }
  expect([...publicNames].filter((name) => !documented.has(name))).toEqual([]);
});

it.each(examples)('$where', async ({ code }) => {
  await run(code, (got, said) => {
    const number = /= (-?[\d.]+)…/.exec(said)?.[1];
    if (number !== undefined) expect(String(got)).toContain(number);
    else expect(said === String(got) ? said : say(got)).toBe(said);
  });
});

it('the README’s program trains and writes', async () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const program = /```ts\n([\s\S]*?)```/.exec(readme)![1]!.replace(/import \{[\s\S]*?\} from 'bptt';/, '');
  let written = '';
  await run(program.replace('console.log(', '__report('), (text) => (written = String(text)));
  expect(written).toMatch(/(quick|brown|fox|jumps|over|lazy|dog)/);
});

const guides = readdirSync(new URL('../../docs/', import.meta.url)).filter((name) => name.endsWith('.md'));

it.each(guides)('the programs of docs/%s run, one after the other, and answer what they say', async (name) => {
  const text = readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
  const program = [...text.matchAll(/```ts\n([\s\S]*?)```/g)]
    .map(({ 1: code }) => code!.replace(/import \{[^}]*\} from '(bptt|bptt\/\w+|node:fs)';/g, ''))
    .join('\n');
  let answers = 0;
  await run(program, (got, said) => {
    expect(say(got)).toBe(said);
    answers++;
  });
  expect(answers).toBeGreaterThan(0);
});

it.each(guides)('the links of docs/%s lead somewhere', (name) => {
  const text = readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
  for (const [, link] of text.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
    expect(readFileSync(new URL(link!, new URL('../../docs/', import.meta.url))).length, link).toBeGreaterThan(0);
  }
});
