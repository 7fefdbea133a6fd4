/** The declarations in every minor version of TypeScript. */

import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { beforeAll, expect, it } from 'vitest';
import { record } from './rows.ts';
import { consumer, installed, isLong, node, repository, run } from './run.ts';
import { versionOf } from './version.ts';

const folder = `${consumer}/typescript`;
const strict = {
  strict: true,
  noEmit: true,
  skipLibCheck: false,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  target: 'es2022',
  types: [],
};
const resolutions = {
  node16: { files: ['use.mts', 'use.cts'], module: 'node16', moduleResolution: 'node16' },
  bundler: { files: ['bundled.ts'], module: 'esnext', moduleResolution: 'bundler' },
};
const libraries = { 'without DOM': ['es2022'], 'with DOM': ['es2022', 'dom'] };

/** Writes a project. Returns the name of its file. */
function projectOf(name: string, files: readonly string[], options: object): string {
  const file = `tsconfig.${name.replaceAll(' ', '-')}.json`;
  writeFileSync(`${folder}/${file}`, JSON.stringify({ compilerOptions: { ...strict, ...options }, files }));
  return file;
}

/** Compiles, and returns the errors. */
const compile = (version: string, project: string): Promise<string> =>
  run(node, [installed(`typescript${version}/bin/tsc`), '--project', project], { cwd: folder }).then(
    () => '',
    (error: Error) => error.message,
  );

beforeAll(() => {
  mkdirSync(folder, { recursive: true });
  for (const [from, to] of [
    ['use.mts', 'use.mts'],
    ['use.cts', 'use.cts'],
    ['use.mts', 'bundled.ts'],
  ]) {
    copyFileSync(`${repository}/test/package/${from}`, `${folder}/${to}`);
  }
});

const all = ['50', '51', '52', '53', '54', '55', '56', '57', '58', '59', '60', '70'];
const versions = isLong ? all : ['50', '60', '70'];

it.each(versions.map((version) => [versionOf(`typescript${version}`), version]))(
  'TypeScript %s',
  async (full, version) => {
    for (const [resolution, { files, ...options }] of Object.entries(resolutions)) {
      for (const [library, lib] of Object.entries(libraries)) {
        const project = projectOf(`${version} ${resolution} ${library}`, files, { ...options, lib });
        expect(await compile(version, project), `${resolution}, ${library}`).toBe('');
      }
    }
    record('typescript', {
      TypeScript: full,
      'Module resolution': Object.keys(resolutions).join(', '),
      Libraries: Object.keys(libraries).join(', '),
    });
  },
);

it('an error in a program is reported, so the declarations are read', async () => {
  writeFileSync(`${folder}/wrong.mts`, "import { lstm } from 'bptt';\nexport const cell: string = lstm();\n");
  const options = { module: 'node16', moduleResolution: 'node16', lib: ['es2022'] };
  expect(await compile('59', projectOf('wrong', ['wrong.mts'], options))).toContain(
    "is not assignable to type 'string'",
  );
});
