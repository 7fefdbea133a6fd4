/** Browsers, and pages that record every error. */

import { existsSync } from 'node:fs';
import puppeteer from 'puppeteer-core';

const candidates = {
  chrome: [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'],
  firefox: [process.env.FIREFOX, '/usr/bin/firefox-esr', '/usr/bin/firefox'],
};

const chromeArguments = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The path of a browser; undefined if it is not installed. */
export const pathOf = (browser) => candidates[browser].find((path) => path !== undefined && existsSync(path));

/** Starts a browser with a fresh profile, more arguments for Chromium, and preferences for Firefox. */
export async function launch(browser = 'chrome', { args = [], preferences = {} } = {}) {
  const executablePath = pathOf(browser);
  if (executablePath === undefined)
    throw new Error(`${browser} is not installed. Set ${browser === 'chrome' ? 'CHROMIUM' : 'FIREFOX'} to its path.`);
  return puppeteer.launch({
    browser,
    executablePath,
    headless: true,
    args: browser === 'chrome' ? [...chromeArguments, ...args] : [],
    extraPrefsFirefox: preferences,
  });
}

/** Opens a page. Its `problems` are all console errors, exceptions and failed requests. */
export async function openPage(browser, address, { width = 1280, height = 900, dark = false } = {}) {
  const page = await browser.newPage();
  const problems = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warn') problems.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`exception: ${error.message}`));
  page.on('requestfailed', (request) => {
    // Blobs of workers that were ended while they loaded.
    if (!request.url().startsWith('blob:')) problems.push(`request: ${request.url()}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) problems.push(`${response.status()}: ${response.url()}`);
  });
  // Firefox 140 sets the size, but does not know the orientation of the screen.
  await page.setViewport({ width, height }).catch((error) => {
    if (!error.message.includes('setScreenOrientationOverride')) throw error;
  });
  if (dark) await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
  await page.goto(address);
  return { page, problems };
}

/**
 * The longest wait in milliseconds, for pages that hang. On a busy machine, all takes several times as long as alone.
 */
export const limit = 120_000;

/** Waits until the worker is ready to train, and the editor has loaded. */
export async function ready(page) {
  await page.waitForSelector('#play:not(:disabled)', { timeout: limit });
  await page.waitForSelector('.cm-content', { timeout: limit });
}

/** The text of an element. */
export const textOf = (page, selector) => page.$eval(selector, (element) => element.textContent);

/** Waits until a function of the page returns a value that counts as true. */
export const until = (page, predicate, timeout = limit, ...values) =>
  page.waitForFunction(predicate, { timeout, polling: 50 }, ...values);

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
