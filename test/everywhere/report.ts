/** Writes docs/everywhere.md from the rows that the tests recorded. */

import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { type Row, rowsOf } from './rows.ts';
import { repository } from './run.ts';

/** A table in Markdown. The titles of the columns are those of the first row. */
function table(...names: string[]): string {
  const rows = names.flatMap((name) => {
    const rows = rowsOf(name);
    if (rows.length === 0) throw new Error(`No test recorded a row of the table ${name}.`);
    return rows;
  });
  const titles = Object.keys(rows[0]!);
  const lines: Row[] = [Object.fromEntries(titles.map((title) => [title, title])), ...rows];
  const widths = titles.map((title) => Math.max(...lines.map((row) => row[title]?.length ?? 0)));
  const [head, ...body] = lines.map((row) => titles.map((title, i) => (row[title] ?? '').padEnd(widths[i]!)));
  const rule = widths.map((width) => '-'.repeat(width));
  return [head!, rule, ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const { version } = JSON.parse(readFileSync(`${repository}/package.json`, 'utf8'));

const page = `# Where bptt runs

The tests in \`test/everywhere\` pack the library, install the package in an empty project, and run it as users do. The
command \`npm run test:everywhere\` repeats them and writes this page. Last run: bptt ${version} on Linux x64
(${cpus()[0]!.model.trim()}).

Every engine and browser runs the same program, which uses most of the library: it trains, evaluates, predicts,
streams, generates, saves, loads, imports and exports. The _same bits_ are those of Node.js 24 with the same kernels,
for every parameter, output and file. The kernels are \`portable\` (TypeScript), \`simd\` (WebAssembly), \`relaxed\`
(WebAssembly with fused multiply-add) and \`wide\` (256 bits, with \`enableWideKernels\`); the library selects the fastest
of the first three that the engine supports.

## Engines

${table('engines')}

Engines with files also interrupt and resume training with \`checkpointFile\` and \`resumeFrom\`, and load a saved model
from a file. workerd does not compile WebAssembly at run time, so it has the portable kernels only. bun lacks fused
multiply-add.

With two threads (\`useThreads(2)\`), Node.js, Deno and bun train a larger model with the bits of one thread. So do
workers of cross-origin isolated pages in browsers; in workers of other pages, and with a policy that forbids \`blob:\`
workers, one thread computes.

## Browsers

${table('browsers')}

With a content security policy without \`wasm-unsafe-eval\`, the portable kernels run, and the browser reports one
violation.

${table('load')}

The times were measured on a machine with two cores, on which other programs also ran.

## Bundlers

Two apps are built for production with the defaults of each bundler: one streams through an LSTM, the other trains a
character model and generates text. Both run in Chromium with the same bits as in Node.js. The sizes are of all
JavaScript of the app, after gzip; for Next.js without the scripts of an empty page. Two pages of one Next.js app share
a chunk with the code that either of them uses. The app that trains also runs in a route and in an edge function of
Next.js.

${table('bundlers')}

## TypeScript

The declarations of all entry points compile with \`strict\`, \`exactOptionalPropertyTypes\`,
\`noUncheckedIndexedAccess\` and without \`skipLibCheck\`.

${table('typescript')}

## Test runners and React Native

${table('jest', 'metro')}

## Not tested

Safari, browsers on phones, and React Native on a device. On macOS and Windows the workflow runs the unit tests with
Node.js 24.
`;
writeFileSync(`${repository}/docs/everywhere.md`, page);
