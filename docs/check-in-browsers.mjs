/**
 * Checks in Chromium (or Chrome) and Firefox, if they are installed: the built site shows pages without errors and
 * without scrolling sideways, on wide and narrow screens, and its search finds names; and the programs of the guide to
 * training in a browser run: the page trains in its worker and shows the output of the guide, the stop button stops,
 * and a model survives in IndexedDB. CHROMIUM and FIREFOX are the paths of other installations. Build the site first,
 * with DOCS_BASE unset.
 */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import puppeteer from 'puppeteer-core';

const repository = new URL('../', import.meta.url);
const guide = readFileSync(new URL('docs/guides/browser.md', repository), 'utf8');
const { compilerOptions } = JSON.parse(readFileSync(new URL('tsconfig.json', repository), 'utf8'));
const site = fileURLToPath(new URL('build/site', repository));

const installed = (path, candidates) => path ?? candidates.find((candidate) => existsSync(candidate));
const chromium = installed(process.env.CHROMIUM, ['/usr/bin/chromium', '/usr/bin/google-chrome']);
const firefox = installed(process.env.FIREFOX, ['/usr/bin/firefox-esr', '/usr/bin/firefox']);
const chromiumOptions = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'];

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

const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

/** Serves a folder on a free port of this machine. Returns the server and its address. */
async function serve(folder) {
  const server = createServer(({ url }, response) => {
    const path = decodeURIComponent(new URL(url, 'http://localhost').pathname).replace(/\/$/, '/index.html');
    const file = join(folder, path);
    // Browsers ask for an icon.
    if (path === '/favicon.ico') return response.writeHead(204).end();
    if (!existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' });
    response.end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, address: `http://127.0.0.1:${server.address().port}` };
}

/** Opens a page, runs a check on it, and throws if the page reports an error or asks another host. */
async function visit(browser, address, check, width = 1280) {
  const page = await browser.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('request', (request) => {
    if (/^https?:/.test(request.url()) && !request.url().startsWith(new URL(address).origin))
      errors.push(`request to ${request.url()}`);
  });
  // Firefox 140 sets the size, but does not support the orientation of the screen.
  await page.setViewport({ width, height: 800 }).catch((error) => {
    if (!error.message.includes('setScreenOrientationOverride')) throw error;
  });
  await page.goto(address);
  const result = await check(page);
  await page.close();
  if (errors.length > 0) throw new Error(`${address}: ${errors.join('\n')}`);
  return result;
}

function expectMatch(what, actual, pattern) {
  if (!pattern.test(actual)) throw new Error(`${what}: expected ${pattern}, got ${actual}`);
}

/** The output of a page of the guide, when it is there. */
const outputOf = async (page) => {
  const output = await page.waitForFunction(() => document.querySelector('output').textContent, { timeout: 300_000 });
  return output.jsonValue();
};

async function checkGuide(browser, address) {
  const guideName = 'docs/guides/browser.md';
  const shown = /```output\n(.*)\n```/.exec(guide)[1];
  // The last digit of the mean depends on the kernels of the browser.
  const pattern = new RegExp(`^${shown.replace(/\d$/, '\\d').replaceAll('.', '\\.')}$`);
  expectMatch(guideName, await visit(browser, `${address}/index.html`, outputOf), pattern);
  const stopped = await visit(browser, `${address}/index.html`, async (page) => {
    await page.waitForFunction(() => document.querySelector('progress').value > 0);
    await page.click('button');
    return outputOf(page);
  });
  expectMatch(`${guideName}, stopped`, stopped, /^aborted after \d+ updates/);
  expectMatch(`${guideName}, storage`, await visit(browser, `${address}/storage.html`, outputOf), /^true,$/);
}

/** No page is wider than the screen. */
async function checkWidths(browser, address) {
  const paths = readdirSync(site, { recursive: true })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.html') && !path.startsWith('playground/'));
  const page = await browser.newPage();
  const problems = [];
  for (const path of paths) {
    await page.goto(`${address}/${path}`, { waitUntil: 'domcontentloaded' });
    for (const width of [390, 768, 1024]) {
      await page.setViewport({ width, height: 800 });
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (overflow > 0) problems.push(`${path} is ${overflow} pixels wider than a screen of ${width}`);
    }
  }
  await page.close();
  if (problems.length > 0) throw new Error(problems.join('\n'));
}

async function checkPages(browser, address) {
  for (const width of [1280, 390])
    for (const path of [
      'index',
      'guides/forecasting',
      'guides/voice',
      'reference/index',
      'reference/training',
      'examples/weather',
    ]) {
      const [heading, overflow] = await visit(
        browser,
        `${address}/${path}.html`,
        async (page) => {
          await page.waitForSelector('h1');
          return page.evaluate(() => [
            document.querySelector('h1').textContent,
            document.documentElement.scrollWidth - window.innerWidth,
          ]);
        },
        width,
      );
      expectMatch(`heading of ${path}`, heading, /\w/);
      if (overflow > 0) throw new Error(`${path} is ${overflow} pixels wider than a screen of ${width}`);
    }
  const found = await visit(browser, `${address}/guides/getting-started.html`, async (page) => {
    // The button does nothing until the scripts of the page have run.
    for (let attempt = 0; attempt < 10 && (await page.$('#localsearch-input')) === null; attempt++) {
      await page.click('#local-search button');
      await page.waitForSelector('#localsearch-input', { timeout: 2000 }).catch(() => undefined);
    }
    await page.type('#localsearch-input', 'clipByNorm');
    const links = await page.waitForFunction(
      () => {
        const results = [...document.querySelectorAll('.VPLocalSearchBox .result')].map(({ href }) => href);
        return results.length > 0 && results;
      },
      { timeout: 180_000 },
    );
    return (await links.jsonValue()).join(' ');
  });
  expectMatch('search for clipByNorm', found, /reference\/optimizers\.html#clipbynorm/);
}

const folder = mkdtempSync(join(tmpdir(), 'bptt-browser-guide-'));
await writePages(folder);
const [programs, pages] = [await serve(folder), await serve(site)];
try {
  for (const [name, executablePath, args] of [
    ['chrome', chromium, chromiumOptions],
    ['firefox', firefox, []],
  ]) {
    if (executablePath === undefined) {
      if (process.env.CI) throw new Error(`${name} is not installed: CI must check the site in it.`);
      console.log(`The site is not checked in ${name}, which is not installed.`);
      continue;
    }
    const browser = await puppeteer.launch({ browser: name, executablePath, args });
    try {
      await checkPages(browser, pages.address);
      if (name === 'chrome') await checkWidths(browser, pages.address);
      await checkGuide(browser, programs.address);
      console.log(`The site and the guide to browsers run in ${await browser.version()}.`);
    } finally {
      await browser.close();
    }
  }
} finally {
  for (const { server } of [programs, pages]) server.close();
  rmSync(folder, { recursive: true });
}
