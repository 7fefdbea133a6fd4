/** Runs the programs of the editor as ES modules. */

import * as bptt from 'bptt';
import { init, parse } from 'es-module-lexer/minimal/js';
import type { Files, TaskData } from './protocol';

/** Where the modules made here find their exports. */
const registry: Record<string, Readonly<Record<string, unknown>>> = {};
Object.defineProperty(globalThis, '__playground', { value: registry });

/** An error in a program, with its file and line. */
export class ProgramError extends Error {}

/** The exports of the programs by file name. */
export type Programs = Readonly<Record<keyof Files, Readonly<Record<string, unknown>>>>;

/**
 * Runs the programs. They may import from 'bptt' and 'playground:data'.
 *
 * @throws ProgramError if one of them does not parse, imports something else, or throws
 */
export async function runPrograms(files: Files, data: TaskData): Promise<Programs> {
  await init();
  const urls = { bptt: moduleOf('bptt', bptt), 'playground:data': moduleOf('playground:data', { ...data }) };
  const run = async (name: keyof Files): Promise<Programs[keyof Files]> => {
    const url = blobOf(link(name, files[name], urls));
    fileOf.set(url, name);
    try {
      // The address is that of a blob, which a bundler cannot resolve.
      return await import(/* @vite-ignore */ url);
    } catch (error) {
      const message = describeError(error, name);
      // Modules have the names that the program imports, not the addresses of their blobs.
      throw new ProgramError(Object.entries(urls).reduce((text, [key, at]) => text.replaceAll(at, key), message));
    }
  };
  return { 'task.js': await run('task.js'), 'cells.js': await run('cells.js'), 'train.js': await run('train.js') };
}

/** The program at the address of a blob. */
const fileOf = new Map<string, string>();

/** The message of an error, with the file and the line of the program that threw it. */
export function describeError(error: unknown, file?: string): string {
  if (!(error instanceof Error)) return String(error);
  const message = error instanceof ProgramError ? error.message : `${error.name}: ${error.message}`;
  for (const [, url, line] of (error.stack ?? '').matchAll(/(blob:[^\s)]+?):(\d+):\d+/g)) {
    const name = fileOf.get(url!);
    if (name !== undefined) return `${name}, line ${line}: ${message}`;
  }
  return file === undefined || message.startsWith(file) ? message : `${file}: ${message}`;
}

const blobOf = (source: string): string => URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));

/** The address of a module with the given exports. */
function moduleOf(name: string, exports: Readonly<Record<string, unknown>>): string {
  registry[name] = exports;
  const names = Object.keys(exports).filter((key) => /^[\w$]+$/.test(key) && key !== 'default');
  return blobOf(`export const { ${names.join(', ')} } = globalThis.__playground[${JSON.stringify(name)}];`);
}

/** Replaces the names of modules by their addresses. Lines stay as they are. */
function link(file: string, source: string, urls: Readonly<Record<string, string>>): string {
  let imports: ReturnType<typeof parse>[0];
  try {
    [imports] = parse(source);
  } catch {
    // The browser explains why it does not parse.
    return source;
  }
  let linked = '';
  let end = 0;
  for (const { n: name, s: from, e: to, d: dynamic } of imports) {
    if (name === undefined || dynamic > -1 || dynamic === -2) continue;
    const url = urls[name];
    if (url === undefined)
      throw new ProgramError(`${file}: cannot import '${name}'. Programs can import 'bptt' and 'playground:data'.`);
    linked += source.slice(end, from) + url;
    end = to;
  }
  return linked + source.slice(end);
}
