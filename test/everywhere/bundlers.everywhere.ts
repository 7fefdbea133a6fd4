/** An app that streams and one that trains, built by bundlers with their defaults, and run in Chromium. */

import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isInstalled, open } from './browser.ts';
import { record } from './rows.ts';
import { consumer, installed, isLong, node, run, start } from './run.ts';
import { type Server, serve } from './server.ts';
import { versionOf } from './version.ts';

const apps = ['stream', 'train'] as const;
type App = (typeof apps)[number];

/** The command of a bundler, in the folder of the app, which writes main.js or index.html to a folder. */
const bundlers: Readonly<Record<string, (output: string) => readonly string[]>> = {
  vite: (output) => ['vite/bin/vite.js', 'build', '--base', './', '--outDir', output],
  webpack: (output) => [
    'webpack-cli/bin/cli.js',
    '--mode',
    'production',
    '--entry',
    './main.js',
    '--output-path',
    output,
  ],
  rollup: (output) => [
    'rollup/dist/bin/rollup',
    ...['main.js', '--format', 'es', '--dir', output],
    ...['--plugin', '@rollup/plugin-node-resolve', '--plugin', '@rollup/plugin-terser'],
  ],
  esbuild: (output) => ['esbuild/bin/esbuild', 'main.js', '--bundle', '--minify', '--format=esm', `--outdir=${output}`],
  parcel: (output) => [
    'parcel/lib/bin.js',
    'build',
    'index.html',
    '--public-url',
    './',
    '--no-cache',
    '--dist-dir',
    output,
  ],
};

/** Kilobytes of JavaScript after gzip. */
const kilobytes = (files: readonly string[]): number =>
  files.reduce((sum, file) => sum + gzipSync(readFileSync(file), { level: 9 }).length, 0) / 1024;

const scriptsIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js'))
    .map((name) => `${folder}/${name}`);

function recordSizes(bundler: string, sizes: readonly number[], comment?: string): void {
  const [stream, train] = sizes.map((size) => `${size.toFixed(1)} kB`);
  record('bundlers', {
    Bundler: comment === undefined ? bundler : `${bundler}, ${comment}`,
    Version: versionOf(bundler),
    'Streams an LSTM': stream!,
    'Trains, and generates text': train ?? '',
  });
}

describe.skipIf(!isInstalled('Chromium'))('in Chromium', () => {
  let browser: Browser;
  let server: Server;
  let expected: Record<App, unknown>;
  beforeAll(async () => {
    [browser, server] = await Promise.all([open('Chromium'), serve(consumer)]);
    expected = JSON.parse(await run(node, ['results.mjs']));
  });
  afterAll(async () => {
    server.close();
    await browser.close();
  });

  it('the app that trains learns', () => {
    const [first, last, text] = expected.train as [number, number, string];
    expect(last).toBeLessThan(0.1 * first);
    expect(text).toContain('quick brown fox');
  });

  it.each(Object.entries(bundlers))(
    '%s builds both apps, and they compute the same bits as Node.js',
    async (name, command) => {
      const sizes: number[] = [];
      for (const app of apps) {
        const output = `${consumer}/built/${name}/${app}`;
        const [program, ...args] = command(output);
        mkdirSync(output, { recursive: true });
        await run(node, [installed(program!), ...args], { cwd: `${consumer}/${app}` });
        if (!readdirSync(output).includes('index.html'))
          copyFileSync(`${consumer}/${app}/index.html`, `${output}/index.html`);
        const page = await browser.newPage();
        await page.goto(`${server.origin}/plain/built/${name}/${app}/index.html`);
        const result = await page.waitForFunction(() => Reflect.get(globalThis, 'result'), { timeout: 300_000 });
        expect(await result.jsonValue()).toEqual({ result: expected[app] });
        await page.close();
        sizes.push(kilobytes(scriptsIn(output)));
      }
      recordSizes(name, sizes);
    },
  );

  /**
   * Builds and starts an app of Next.js, and runs its routes and pages. Returns the kilobytes that each page loads in
   * addition to what the empty page loads.
   */
  async function runNext(cwd: string, routes: readonly string[], pages: readonly App[]): Promise<number[]> {
    const next = installed('next/dist/bin/next');
    const env = { NEXT_TELEMETRY_DISABLED: '1' };
    await run(node, [next, 'build'], { cwd, env });
    const { output, stop } = start(node, [next, 'start', '--hostname', '127.0.0.1', '--port', '0'], { cwd, env });
    try {
      const [origin] = await output(/http:\/\/127\.0\.0\.1:\d+/);
      for (const route of routes) expect(await (await fetch(`${origin}/${route}`)).json()).toEqual(expected.train);
      const sizeOf = async (path: string, result: unknown): Promise<number> => {
        const page = await browser.newPage();
        await page.goto(`${origin}/${path}`);
        const text = await page.waitForFunction(() => document.querySelector('p')?.textContent, { timeout: 300_000 });
        expect(JSON.parse((await text.jsonValue())!)).toEqual(result);
        const resources = await page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name));
        await page.close();
        const paths = new Set(resources.map((name) => new URL(name).pathname).filter((name) => name.endsWith('.js')));
        return kilobytes([...paths].map((name) => name.replace('/_next', `${cwd}/.next`)));
      };
      const empty = await sizeOf('', 'empty');
      const sizes: number[] = [];
      for (const app of pages) sizes.push((await sizeOf(app, expected[app])) - empty);
      return sizes;
    } finally {
      stop();
    }
  }

  it('Next.js builds both apps, and they compute the same bits as Node.js in pages, routes and edge functions', async () => {
    recordSizes('next', await runNext(`${consumer}/next`, ['server', 'edge'], apps), 'both pages in one app');
  });

  it.runIf(isLong)('Next.js builds an app that only streams', async () => {
    const cwd = `${consumer}/next-stream`;
    const others = ['train', 'server', 'edge', '.next'];
    cpSync(`${consumer}/next`, cwd, { recursive: true, filter: (name) => !others.includes(basename(name)) });
    recordSizes('next', await runNext(cwd, [], ['stream']), 'a page in its own app');
  });
});
