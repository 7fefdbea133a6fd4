/** docs/architecture.md lists the folders that exist, and the imports that they may have. */

import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { root } from './examples';

function folders(path: string): string[] {
  return readdirSync(new URL(path, root))
    .filter((name) => !name.includes('.'))
    .flatMap((name) => [`${path}${name}/`, ...folders(`${path}${name}/`)]);
}

/** The paths in the listing of the page: one entry per line, two spaces of indentation per level. */
function listed(): string[] {
  const page = readFileSync(new URL('docs/architecture.md', root), 'utf8');
  const listing = /```text\n([\s\S]*?)```/.exec(page)![1]!;
  const parents: string[] = [];
  return [...listing.matchAll(/^( *)([\w-]+\/)/gm)].map(([, indentation, name]) => {
    parents.length = indentation!.length / 2;
    parents.push(name!);
    return parents.join('');
  });
}

it('the listing of docs/architecture.md equals the folders of src', () => {
  const inSource = listed().filter((path) => path.startsWith('src/') && path !== 'src/');
  expect(inSource.sort()).toEqual(folders('src/').sort());
});

it('imports between the folders of src follow the order of the listing', () => {
  const order = listed()
    .map((path) => /^src\/([\w-]+)\/$/.exec(path)?.[1])
    .filter((name) => name !== undefined);
  const wrong = order.flatMap((folder, index) =>
    importedFolders(`src/${folder}/`)
      .filter(([, imported]) => order.indexOf(imported) > index)
      .map(([file, imported]) => `${file} imports ${imported}`),
  );
  expect(wrong).toEqual([]);
});

it('forecasting imports only the public API, checks, error messages, small helpers and drawing', () => {
  const folder = new URL('src/forecasting/', root);
  const imported = readdirSync(folder).flatMap((name) =>
    [...readFileSync(new URL(name, folder), 'utf8').matchAll(/from '(\.\.\/[^']*)'/g)].map(([, path]) => path),
  );
  expect([...new Set(imported)].sort()).toEqual([
    '../index',
    '../tensor/arrays',
    '../tensor/complete',
    '../tensor/error-context',
    '../tensor/named-values',
    '../tensor/shape',
    '../training/svg',
  ]);
});

/** The other folders of `src/` from which the files of a folder import, with the file. */
function importedFolders(path: string): [file: string, folder: string][] {
  return readdirSync(new URL(path, root)).flatMap((name): [string, string][] => {
    if (!name.includes('.')) return importedFolders(`${path}${name}/`);
    const file = new URL(`${path}${name}`, root);
    return [...readFileSync(file, 'utf8').matchAll(/from '(\.[^']*)'/g)].flatMap(({ 1: specifier }) => {
      const folder = /\/src\/([\w-]+)\//.exec(new URL(specifier!, file).href)?.[1];
      return folder === undefined || path.startsWith(`src/${folder}/`) ? [] : [[`${path}${name}`, folder]];
    });
  });
}
