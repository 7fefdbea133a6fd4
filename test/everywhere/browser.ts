/** Installed browsers, driven by puppeteer: Chromium by its protocol, Firefox by WebDriver BiDi. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { type Browser, launch } from 'puppeteer-core';

export type BrowserName = 'Chromium' | 'Firefox';

const programs: Readonly<Record<BrowserName, readonly string[]>> = {
  Chromium: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
  Firefox: ['firefox-esr', 'firefox'],
};

/** The path of a browser, or undefined if it is not installed. */
export const find = (name: BrowserName): string | undefined =>
  (process.env['PATH'] ?? '')
    .split(':')
    .flatMap((folder) => programs[name].map((program) => `${folder}/${program}`))
    .find((path) => existsSync(path));

/** Whether the tests in a browser run. In CI, which must have every browser, a missing one is an error. */
export function isInstalled(name: BrowserName): boolean {
  if (find(name) !== undefined) return true;
  const message = `${name} is not installed (none of ${programs[name].join(', ')} is in PATH)`;
  if (process.env['CI']) throw new Error(`${message}: run \`bash test/everywhere/run.sh\` as root.`);
  console.warn(`SKIPPED: ${message}.`);
  return false;
}

const chromiumArguments = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts a browser with an empty profile. */
export const open = (name: BrowserName, args: readonly string[] = []): Promise<Browser> =>
  launch({
    browser: name === 'Chromium' ? 'chrome' : 'firefox',
    executablePath: find(name)!,
    headless: true,
    args: name === 'Chromium' ? [...chromiumArguments, ...args] : [...args],
    timeout: 180_000,
    protocolTimeout: 900_000,
  });

/** The resident memory of a process and all processes below it, in MB. */
export function residentMegabytes(root: number): number {
  const parents = new Map<number, number>();
  const resident = new Map<number, number>();
  for (const id of readdirSync('/proc').map(Number).filter(Number.isInteger)) {
    try {
      const status = readFileSync(`/proc/${id}/status`, 'utf8');
      parents.set(id, Number(/^PPid:\s*(\d+)/m.exec(status)![1]));
      resident.set(id, Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1] ?? 0) / 1024);
    } catch {
      // The process has ended.
    }
  }
  const isBelow = (id: number | undefined): boolean =>
    id === root || (id !== undefined && id > 1 && isBelow(parents.get(id)));
  return [...resident].filter(([id]) => isBelow(id)).reduce((sum, [, megabytes]) => sum + megabytes, 0);
}
