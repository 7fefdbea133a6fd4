import { readFileSync } from 'node:fs';
import { installed } from './run.ts';

/** The version of an installed package. */
export const versionOf = (name: string): string =>
  JSON.parse(readFileSync(installed(`${name}/package.json`), 'utf8')).version;
