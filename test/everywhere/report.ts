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
command \`npm run test:everywhere\` runs them and writes this page. Last run: bptt ${version} on Linux x64 (${cpus()[0]!.model.trim()}).

Every engine and browser runs the same program, which uses most of the library: it trains, evaluates, predicts, streams,
generates, saves, loads, imports and exports. In the tables, _same bits_ means that every parameter, output and file is
bit-identical to that of Node.js 24 with the same kernels. The kernels are \`portable\` (TypeScript), \`simd\`
(WebAssembly), \`relaxed\` (WebAssembly with fused multiply-add) and \`wide\` (256 bits, with \`enableWideKernels\`); the
library selects the fastest of the first three that the engine supports.

## Engines

${table('engines')}

On engines with a file system, the program also interrupts and resumes training with \`checkpointFile\` and \`resumeFrom\`,
and loads a saved model from a file. workerd does not compile WebAssembly at run time, so only the portable kernels run
there. The WebAssembly of bun lacks fused multiply-add.

With two threads (\`useThreads(2)\`), Node.js, Deno and bun train a larger model with the same bits as with one thread. So
do workers of cross-origin isolated pages in browsers. In workers of other pages, and with a policy that forbids \`blob:\`
workers, computations run on one thread.

## Browsers

${table('browsers')}

With a content security policy without \`wasm-unsafe-eval\`, the portable kernels run, and the browser reports one
violation.

${table('load')}

H is the hidden size, B the batch size and T the sequence length. The times were measured on a machine with two cores,
on which other programs also ran.

## Bundlers

Two apps are built for production with the defaults of each bundler: one streams through an LSTM, the other trains a
character model and generates text. Both run in Chromium with the same bits as in Node.js. The sizes include all
JavaScript of the app, after gzip; for Next.js, they exclude the scripts of an empty page. Two pages of one Next.js app
share a chunk, which contains the code that either of them uses. The app that trains also runs in a route and in an edge
function of Next.js.

${table('bundlers')}

## TypeScript

The declarations of all entry points compile with \`strict\`, \`exactOptionalPropertyTypes\` and \`noUncheckedIndexedAccess\`,
and without \`skipLibCheck\`.

${table('typescript')}

## Test runners and React Native

${table('jest', 'metro')}

## Not tested

Safari, browsers on phones, and React Native on a device are not tested. On macOS and Windows, the CI workflow runs the
unit tests with Node.js 24.
`;
writeFileSync(`${repository}/docs/everywhere.md`, page);
