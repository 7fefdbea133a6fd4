/**
 * Runs the programs of the guide to training in a browser in Chromium or Chrome: the page trains in its worker and shows
 * the output of the guide, the stop button stops, and a model survives in IndexedDB. BROWSER is the path of the browser.
 */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import puppeteer from 'puppeteer-core';

const repository = new URL('../', import.meta.url);
const guide = readFileSync(new URL('docs/guides/browser.md', repository), 'utf8');
const { compilerOptions } = JSON.parse(readFileSync(new URL('tsconfig.json', repository), 'utf8'));
const browsers = ['/usr/bin/chromium', '/usr/bin/google-chrome', '/usr/bin/google-chrome-stable'];
const executablePath = process.env.BROWSER ?? browsers.find((path) => existsSync(path));

/** Stores a model and loads it again, with the functions of the guide. */
const storage = `
  import { dense, sequential } from 'bptt';
  import { loadModel, saveModel } from './models.ts';
  const model = sequential([dense({ size: 2 })], { inputSize: 3, seed: 7 });
  await saveModel('test', model);
  const loaded = await loadModel('test');
  const isEqual = loaded.data.every((value, i) => value === model.data[i]);
  document.querySelector('output').textContent = [isEqual, await loadModel('missing')].join();
`;

/** Bundles the files of the guide, and pages for the training and the storage, into a folder. */
async function writePages(folder) {
  const page = /```html\n([\s\S]*?)```/.exec(guide)[1];
  writeFileSync(join(folder, 'index.html'), page.replace('main.ts', 'main.js'));
  writeFileSync(join(folder, 'storage.html'), page.replace('main.ts', 'storage.js'));
  writeFileSync(join(folder, 'storage.ts'), storage);
  for (const [, name, code] of guide.matchAll(/```ts \[([\w.]+)\]\n([\s\S]*?)```/g))
    writeFileSync(join(folder, name), code.replace("'./worker.ts'", "'./worker.js'"));
  await build({
    entryPoints: ['main.ts', 'worker.ts', 'storage.ts'].map((name) => join(folder, name)),
    bundle: true,
    format: 'esm',
    outdir: folder,
    alias: Object.fromEntries(
      Object.entries(compilerOptions.paths).map(([name, [file]]) => [name, fileURLToPath(new URL(file, repository))]),
    ),
  });
}

/** Serves a folder on a free port of this machine. */
async function serve(folder) {
  const types = { '.html': 'text/html', '.js': 'text/javascript' };
  const server = createServer(({ url }, response) => {
    const file = join(folder, new URL(url, 'http://localhost').pathname);
    // Browsers ask for an icon.
    if (url === '/favicon.ico') return response.writeHead(204).end();
    if (!existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': types[extname(file)] ?? 'text/plain' }).end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** Opens a page, and returns its output when it is there. */
async function outputOf(browser, address, prepare = async () => {}) {
  const page = await browser.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  await page.goto(address);
  await prepare(page);
  const element = await page.waitForFunction(() => document.querySelector('output').textContent, { timeout: 60_000 });
  if (errors.length > 0) throw new Error(`${address}: ${errors.join('\n')}`);
  return element.jsonValue();
}

function check(actual, expected) {
  if (!expected.test(actual)) throw new Error(`docs/guides/browser.md: expected ${expected}, got ${actual}`);
}

if (executablePath === undefined) {
  console.log('docs/guides/browser.md is not checked: there is no Chromium or Chrome. Set BROWSER to its path.');
} else {
  const folder = mkdtempSync(join(tmpdir(), 'bptt-browser-guide-'));
  await writePages(folder);
  const server = await serve(folder);
  const address = `http://127.0.0.1:${server.address().port}`;
  const options = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'];
  const browser = await puppeteer.launch({
    executablePath,
    args: [...options, '--disable-component-update', '--disable-sync'],
  });
  try {
    const shown = /```output\n(.*)\n```/.exec(guide)[1];
    // The last digit of the mean depends on the kernels of the browser.
    const pattern = shown.replace(/\d$/, '\\d').replaceAll('.', '\\.');
    check(await outputOf(browser, `${address}/index.html`), new RegExp(`^${pattern}$`));
    const stop = async (page) => {
      await page.waitForFunction(() => document.querySelector('progress').value > 0);
      await page.click('button');
    };
    check(await outputOf(browser, `${address}/index.html`, stop), /^aborted after \d+ updates/);
    check(await outputOf(browser, `${address}/storage.html`), /^true,$/);
    console.log(`docs/guides/browser.md runs in ${await browser.version()}.`);
  } finally {
    await browser.close();
    server.close();
    rmSync(folder, { recursive: true });
  }
}
