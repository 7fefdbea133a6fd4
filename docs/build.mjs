/**
 * Builds the site into build/site: `npm run docs` in the root of the repository. DOCS_BASE is the path of the site on
 * its host, with a slash at both ends; `/` by default. `node build.mjs --serve` starts a server that follows changes.
 */

import { cpSync, existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build, createServer } from 'vitepress';
import { checkSite } from './check-site.mjs';
import { writeReference } from './generate/reference.mjs';
import { copyPages } from './generate/sources.mjs';

const docs = fileURLToPath(new URL('.', import.meta.url));
const site = new URL('../build/site/', import.meta.url);
const playground = new URL('../playground/dist/', import.meta.url);
const base = process.env.DOCS_BASE ?? '/';
if (!/^\/(.*\/)?$/.test(base)) throw new RangeError(`DOCS_BASE must start and end with a slash, got ${base}.`);

await writeReference();
copyPages();
if (process.argv.includes('--serve')) {
  const server = await createServer(docs, { host: '127.0.0.1' });
  await server.listen();
  server.printUrls();
} else {
  await build(docs);
  // The playground is built separately, and is a folder of the site.
  if (existsSync(playground)) cpSync(playground, new URL('playground/', site), { recursive: true });
  const { names } = JSON.parse(readFileSync(new URL('reference/names.json', import.meta.url), 'utf8'));
  checkSite(site, base, names);
}
