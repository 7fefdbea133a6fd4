/** The sources of the library as a TypeScript program. */

import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { root } from './examples';

/** The folder of the sources. */
export const src: string = fileURLToPath(new URL('src/', root));

/** Returns a program of files, with strict options and without types of Node.js or the DOM. */
export const programOf = (files: readonly string[]): ts.Program =>
  ts.createProgram(files, {
    strict: true,
    exactOptionalPropertyTypes: true,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts'],
    types: [],
    noEmit: true,
  });
