/** Tests the built playground in Chromium, and in Firefox if it is installed. */

import { launch, pathOf } from './browser.mjs';
import { testControls } from './controls.mjs';
import { testBench, testFirefox, testPages } from './pages.mjs';
import { testPresets } from './presets.mjs';
import { serve } from './serve.mjs';
import { testMicrophone, testProblems, testVoice, testVoiceInFirefox } from './voice.mjs';

const parts = ['presets', 'controls', 'pages', 'bench', 'firefox', 'voice'];
const chosen = process.argv[2];
if (chosen !== undefined && !parts.includes(chosen))
  throw new RangeError(`The part must be one of ${parts.join(', ')}, got ${chosen}.`);
const hasFirefox = pathOf('firefox') !== undefined;
if (!hasFirefox && process.env.CI) throw new Error('Firefox is not installed: CI must test in it.');
const server = await serve();
/** Runs tests in a browser, and returns their results. */
async function run(name, browserName, tests) {
  const browser = await launch(browserName);
  const results = [];
  const begin = Date.now();
  console.log(`${await browser.version()}: ${name}`);
  try {
    for (const test of tests) results.push(await test(browser, server.address));
  } finally {
    await browser.close();
  }
  console.log(`  ${((Date.now() - begin) / 1000).toFixed(0)} s`);
  return results;
}

try {
  const includes = (name) => chosen === undefined || chosen === name;
  if (includes('presets')) await run('presets', 'chrome', [testPresets]);
  if (includes('controls')) await run('controls', 'chrome', [testControls]);
  if (includes('pages')) await run('pages', 'chrome', [testPages]);
  if (includes('bench')) await run('benchmark', 'chrome', [testBench]);
  if (includes('firefox') && hasFirefox) await run('presets', 'firefox', [testFirefox]);
  if (includes('voice')) {
    const [samples] = await run('voice', 'chrome', [testVoice, testProblems]);
    await testMicrophone(server.address, samples);
    if (hasFirefox) await testVoiceInFirefox(server.address);
  }
} finally {
  server.close();
}
