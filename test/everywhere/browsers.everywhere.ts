/** Chromium and Firefox: pages, workers, security policies, many workers and streams, and memory. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BrowserName, isInstalled, open, residentMegabytes } from './browser.ts';
import type { Calls } from './programs/page.ts';
import { expectReference, type Kernels, kernelsOf } from './reference.ts';
import { record } from './rows.ts';
import { consumer, isLong } from './run.ts';
import { type Policy, type Server, serve } from './server.ts';

declare const calls: Calls;

const places: readonly { readonly title: string; readonly policy: Policy; readonly file?: string }[] = [
  { title: 'plain page', policy: 'plain' },
  { title: 'page with an import map, no bundler', policy: 'plain', file: 'unbundled.html' },
  { title: 'cross-origin isolated page', policy: 'isolated' },
  { title: 'content security policy without wasm-unsafe-eval', policy: 'csp' },
  { title: 'content security policy with wasm-unsafe-eval', policy: 'csp-wasm' },
];

/** A module that consists of `f32x4.relaxed_madd`, which older browsers do not validate. */
const fusedMultiplyAdd = [
  [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  [0x01, 0x08, 0x01, 0x60, 0x03, 0x7b, 0x7b, 0x7b, 0x01, 0x7b],
  [0x03, 0x02, 0x01, 0x00],
  [0x0a, 0x0d, 0x01, 0x0b, 0x00, 0x20, 0x00, 0x20, 0x01, 0x20, 0x02, 0xfd, 0x85, 0x02, 0x0b],
].flat();

let server: Server;
beforeAll(async () => {
  server = await serve(consumer);
});
afterAll(() => server.close());

describe.each<BrowserName>(['Chromium', 'Firefox'])('%s', (name) => {
  if (!isInstalled(name)) return void it.skip('is not installed');

  let browser: Browser;
  let page: Page;
  const go = async (policy: Policy = 'plain', file = 'page.html'): Promise<void> => {
    await page.goto(`${server.origin}/${policy}/web/${file}`);
    // page.waitForFunction calls Function in Firefox 140, which a content security policy forbids.
    const isLoaded = () => page.evaluate(() => 'calls' in globalThis);
    for (const end = performance.now() + 180_000; !(await isLoaded()) && performance.now() < end; ) await sleep(20);
  };
  /** The kernels that the browser supports without a content security policy. */
  let supported: readonly Kernels[];
  beforeAll(async () => {
    browser = await open(name);
    page = await browser.newPage();
    const isRelaxed = await page.evaluate((bytes) => WebAssembly.validate(Uint8Array.from(bytes)), fusedMultiplyAdd);
    supported = ['portable', 'simd', ...(isRelaxed ? (['relaxed'] as const) : [])];
  });
  afterAll(() => browser?.close());

  it.each(places)('$title: the page and a module worker compute the same bits as Node.js', async (place) => {
    await go(place.policy, place.file);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(place.policy === 'isolated');
    const kernels = place.policy === 'csp' ? (['portable'] as const) : supported;
    const selected = kernels.at(-1)!;
    const inPage = await page.evaluate(() => calls.inPage('results'));
    expectReference(inPage, selected, kernels);
    // The unbundled page has no worker: import maps do not apply to workers.
    const hasWorker = place.file === undefined;
    if (hasWorker) {
      const [inWorker] = await page.evaluate(() => calls.inWorkers(1, 'results'));
      expectReference(inWorker!, selected, kernels);
    }
    // WebAssembly is tried once.
    expect(await page.evaluate(() => calls.violations())).toBe(place.policy === 'csp' ? 1 : 0);
    record('browsers', {
      Browser: `${name} ${(await browser.version()).split('/')[1]}`,
      Place: place.title + (hasWorker ? ', and a module worker in it' : ''),
      'Kernels selected': selected,
      'Same bits with': kernelsOf(inPage),
    });
  });

  const attempts = name === 'Firefox' ? 3 : 1;

  it('a worker of a cross-origin isolated page trains on two threads with the same bits as on one', async () => {
    await go('isolated');
    const training = await page.evaluate((attempts) => calls.onThreads(2, attempts), attempts);
    expect(training).toMatchObject({ kernels: 'relaxed', count: 2, equal: true });
    expect(training.shares).toBeGreaterThan(10);
  });

  it.each<Policy>(['plain', 'csp', 'isolated-csp-wasm'])(
    'one thread trains in a worker of a page that is not isolated, or forbids WebAssembly or workers: %s',
    async (policy) => {
      await go(policy);
      const training = await page.evaluate((attempts) => calls.onThreads(2, attempts), attempts);
      const kernels = policy === 'csp' ? 'portable' : 'relaxed';
      expect(training).toEqual({ kernels, count: 1, shares: 0, equal: true });
    },
  );

  it('on the main thread of a page, useThreads throws an error with the remedy', async () => {
    await go('isolated');
    const message = await page.evaluate(() => calls.inPage('threads', 2).catch(String));
    expect(message).toMatch(
      /^Error: useThreads: must be called in a worker, as the main thread of a page cannot wait for threads\.$/,
    );
  });

  const recordLoad = (title: string, result: string) => record('load', { Browser: name, Test: title, Result: result });

  it('50 workers that train at the same time have the same kernels and compute the same bits', async () => {
    await go();
    const start = performance.now();
    const trainings = await page.evaluate(() => calls.inWorkers(50, 'train', 100));
    const seconds = (performance.now() - start) / 1000;
    const alone = await page.evaluate(() => calls.inPage('train', 100));
    expect(trainings).toHaveLength(50);
    for (const { kernels, last, memories } of trainings)
      expect([kernels, last, memories]).toEqual([supported.at(-1), alone.last, 1]);
    recordLoad(
      '50 module workers at the same time, 100 training steps each',
      `${seconds.toFixed(1)} s, SIMD kernels and the same bits in all`,
    );
  });

  it('10,000 training steps take no more memory than the first 3,000', async () => {
    await go();
    const pid = browser.process()!.pid!;
    const train = (steps: number) => page.evaluate((steps) => calls.inPage('train', steps), steps);
    const { first } = await train(1_000);
    const early = await train(2_000);
    // All processes of the browser. A kilobyte per step would be 7 MB; the other activities of Firefox vary by 5 MB. A
    // collection of garbage may come later, but what leaks grows every time.
    const most = name === 'Firefox' ? 20 : 7;
    let late = early;
    let growth = Infinity;
    for (let attempt = 0; attempt < 3 && growth >= most; attempt++) {
      const before = residentMegabytes(pid);
      late = await train(7_000);
      growth = residentMegabytes(pid) - before;
    }
    expect(late.last).toBeLessThan(0.5 * first);
    expect([late.memories, late.bytes]).toEqual([1, early.bytes]);
    expect(growth).toBeLessThan(most);
    recordLoad(
      '10,000 training steps (LSTM, H = 16, B = 8, T = 16)',
      `${(late.milliseconds / 7).toFixed(0)} µs per step; WebAssembly memory ${late.bytes >> 10} kB throughout; ` +
        `processes of the browser ${growth < 0 ? '−' : '+'}${Math.abs(growth).toFixed(1)} MB in the last 7,000 steps`,
    );
  });

  const streams = async (count: number, hiddenSize: number, steps: number): Promise<void> => {
    await go();
    const result = await page.evaluate((...args) => calls.inPage('streams', ...args), count, hiddenSize, steps);
    expect([result.equal, result.memories]).toEqual([count, 1]);
    const [opening, first, last] = [result.opening, result.firstStep, result.lastStep].map((time) => time.toFixed(1));
    recordLoad(
      `${count.toLocaleString('en')} live streams of an LSTM with H = ${hiddenSize}, ${steps} steps each`,
      `${opening} µs to open one; ${first} µs for its first step, ${last} µs for its last; same bits as in one batch`,
    );
  };

  it('1,000 live streams return the same bits as one batch', () => streams(1_000, 32, 50));

  it.runIf(isLong && name === 'Chromium')('10,000 live streams return the same bits as one batch', () =>
    streams(10_000, 128, 20),
  );
});
