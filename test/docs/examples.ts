/**
 * The examples of the docstrings and the programs of the guides, as the tests that run and type-check them need them.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** The root of the repository, with a slash at the end. */
export const root: URL = new URL('../../', import.meta.url);

/** An example in a docstring. */
export interface Example {
  /** File, line and last line of code: the title of its test. */
  readonly title: string;
  readonly code: string;
}

/** A page with programs. */
export interface Page {
  /** Path from the root of the repository. */
  readonly path: string;
  readonly text: string;
  /** The blocks that are marked as `ts`, `output` and `sample`, in order. */
  readonly blocks: readonly Block[];
  /** The modules: all programs without a file name together, but every program of the README separately. */
  readonly programs: readonly string[];
}

/** A block of code in a page: "```ts", or "```ts [worker.ts]" with the name of a file. */
export interface Block {
  readonly language: string;
  readonly file: string | undefined;
  readonly code: string;
}

/** The entry points of the library and their files, as tsconfig.json maps them: `bptt` to `src/index.ts`. */
export const entryPoints: ReadonlyMap<string, URL> = new Map(
  Object.entries(
    (
      JSON.parse(readFileSync(new URL('tsconfig.json', root), 'utf8')) as {
        compilerOptions: { paths: Record<string, [string]> };
      }
    ).compilerOptions.paths,
  ).map(([name, [file]]) => [name, new URL(file, root)]),
);

/** All names that an entry point exports, types included. */
export function exportedNames(entryPoint: string): string[] {
  const text = readFileSync(entryPoints.get(entryPoint)!, 'utf8');
  return [...text.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(({ 1: list }) =>
    list!
      .split(',')
      .map((name) =>
        name
          .replace(/^\s*type\s/, '')
          .replace(/^.*\bas\b/s, '')
          .trim(),
      )
      .filter(Boolean),
  );
}

/** All TypeScript files below a folder. */
export function sourceFiles(folder: URL): URL[] {
  return readdirSync(folder).flatMap((name) =>
    name.endsWith('.ts') ? [new URL(name, folder)] : name.includes('.') ? [] : sourceFiles(new URL(`${name}/`, folder)),
  );
}

/** A file's path from the root of the repository, with slashes on every system. */
export function pathFromRoot(file: URL): string {
  return file.href.slice(root.href.length);
}

/** A value as the comments of examples write it: at most six significant digits. */
export function format(value: unknown): string {
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} ${format([...(value as Float32Array)])}`;
  if (Array.isArray(value)) return `[${value.map(format).join(', ')}]`;
  if (typeof value === 'string') return `'${value}'`;
  return typeof value === 'number' ? String(Number(value.toPrecision(6))) : String(value);
}

/** Every `@example` of the docstrings in `src/`. */
export function docstringExamples(): Example[] {
  return sourceFiles(new URL('src/', root)).flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    return [...text.matchAll(/\/\*\*[\s\S]*?\*\//g)].flatMap(({ 0: comment, index }) => {
      const example = /@example\b([\s\S]*?)(?:\n \* @|\*\/)/.exec(comment);
      if (example === null) return [];
      const code = example[1]!
        .split('\n')
        .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
        .join('\n')
        .trim();
      const line = text.slice(0, index + example.index).split('\n').length;
      return [{ title: `${pathFromRoot(file)}:${line}: ${code.split('\n').at(-1)}`, code }];
    });
  });
}

/** The README, the pages of `docs/` and the guides, without the pages that `npm run docs` writes. */
export function pages(): Page[] {
  const paths = ['docs/', 'docs/guides/'].flatMap((folder) =>
    readdirSync(new URL(folder, root))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}${name}`),
  );
  return ['README.md', ...paths].map((path) => {
    const text = readFileSync(new URL(path, root), 'utf8').replaceAll('\r\n', '\n');
    const blocks = blocksOf(text);
    const codes = blocks
      .filter(({ language, file }) => language === 'ts' && file === undefined)
      .map(({ code }) => code);
    const programs = path === 'README.md' ? codes : codes.length > 0 ? [codes.join('\n')] : [];
    return { path, text, blocks, programs };
  });
}

/** The blocks of code in a page; those in a list lose its indentation. */
function blocksOf(text: string): Block[] {
  return [...text.matchAll(/^( *)```(\w+)(?: \[([\w.-]+)\])?\n([\s\S]*?)^ *```$/gm)].map(
    ([, indentation, language, file, code]) => ({
      language: language!,
      file,
      code: code!.replaceAll(new RegExp(`^${indentation}`, 'gm'), ''),
    }),
  );
}

/** Names that a module declares or imports at its top level. */
export function declaredNames(code: string): Set<string> {
  const names = new Set<string>();
  const bind = (name: ts.BindingName): void => {
    if (ts.isIdentifier(name)) names.add(name.text);
    else for (const element of name.elements) if (ts.isBindingElement(element)) bind(element.name);
  };
  for (const statement of parse(code).statements) {
    if (ts.isVariableStatement(statement)) for (const { name } of statement.declarationList.declarations) bind(name);
    if (
      ts.isFunctionDeclaration(statement) ||
      ts.isInterfaceDeclaration(statement) ||
      ts.isTypeAliasDeclaration(statement) ||
      ts.isClassDeclaration(statement)
    ) {
      if (statement.name !== undefined) names.add(statement.name.text);
    }
    if (ts.isImportDeclaration(statement)) {
      const bindings = statement.importClause?.namedBindings;
      if (bindings !== undefined && ts.isNamedImports(bindings)) for (const { name } of bindings.elements) bind(name);
    }
  }
  return names;
}

/**
 * An example as a module: imports for the names of the library that it uses and does not declare, from the entry points
 * that export them.
 */
export function withImports(code: string): string {
  const declared = declaredNames(code);
  const used = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) used.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(parse(code));
  const imports = [...entryPoints.keys(), 'node:fs'].flatMap((entryPoint) => {
    const names = (entryPoint === 'node:fs' ? ['readFileSync'] : exportedNames(entryPoint)).filter(
      (name) => used.has(name) && !declared.has(name),
    );
    return names.length === 0 ? [] : [`import { ${names.join(', ')} } from '${entryPoint}';`];
  });
  return [...imports, code, 'export {};'].join('\n');
}

/**
 * Type-checks modules under `strict` and `exactOptionalPropertyTypes`, all in one program, as a user of the library
 * would compile them.
 *
 * @param modules The source text by a name that is unique and ends in `.ts`.
 * @returns The errors by module.
 */
export function typeErrors(modules: ReadonlyMap<string, string>): Map<string, string[]> {
  const rootPath = fileURLToPath(root);
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    noEmit: true,
    types: [],
    paths: Object.fromEntries([...entryPoints].map(([name, file]) => [name, [fileURLToPath(file)]])),
  };
  const host = ts.createCompilerHost(options);
  const virtual = new Map([...modules].map(([name, text]) => [`${rootPath.replaceAll('\\', '/')}${name}`, text]));
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => virtual.has(path) || fileExists(path);
  host.readFile = (path) => virtual.get(path) ?? readFile(path);
  host.getSourceFile = (path, ...rest) => {
    const text = virtual.get(path);
    return text === undefined
      ? getSourceFile(path, ...rest)
      : ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
  };
  const declarations = fileURLToPath(new URL('src/node/node-builtins.d.ts', root));
  const program = ts.createProgram([declarations, ...virtual.keys()], options, host);
  const errors = new Map<string, string[]>();
  for (const name of modules.keys()) {
    const file = program.getSourceFile(`${rootPath.replaceAll('\\', '/')}${name}`);
    errors.set(
      name,
      [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
        ({ messageText, start, file: source }) => {
          const line = source!.text.split('\n')[source!.getLineAndCharacterOfPosition(start!).line]!.trim();
          return `${ts.flattenDiagnosticMessageText(messageText, '\n')}\n    in: ${line}`;
        },
      ),
    );
  }
  return errors;
}

function parse(code: string): ts.SourceFile {
  return ts.createSourceFile('example.ts', code, ts.ScriptTarget.ES2022, true);
}
