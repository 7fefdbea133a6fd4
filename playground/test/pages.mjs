/** The pages in all sizes and themes: accessibility, no horizontal scrolling; and the benchmark. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { openPage, pause, ready, textOf, until } from './browser.mjs';
import { tasks } from './presets.mjs';

const axe = await readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');

/** The violations of WCAG 2.2 AA that axe finds. */
export async function violations(page) {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { violations } = await window.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] });
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`),
    );
  });
}

export async function testPages(browser, address) {
  for (const width of [1280, 390]) {
    for (const dark of [false, true]) {
      const { page, problems } = await openPage(browser, `${address}index.html`, {
        width,
        height: width === 390 ? 844 : 900,
        dark,
      });
      await ready(page);
      for (const task of tasks) {
        await page.$eval(`#task-${task}`, (radio) => radio.click());
        await ready(page);
        await page.click('#step');
        await until(page, () => document.querySelector('#updates').textContent === '1');
        // On a phone, plots and tables scroll on their own; the page does not.
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(overflow <= 0, `${task} at ${width} px is ${overflow} px too wide`);
        // The small page differs in its settings, which are closed at first.
        if (width === 390 && task !== 'adding') continue;
        await pause(150);
        assert.deepEqual(await violations(page), [], `${task} at ${width} px, ${dark ? 'dark' : 'light'}`);
        if (width === 390) {
          await page.click('#settings-box summary');
          assert.deepEqual(await violations(page), [], 'the settings of the small page');
        }
      }
      assert.deepEqual(problems, []);
      await page.close();
    }
  }
  console.log('  accessible and without horizontal scrolling at 1280 and 390 px, light and dark');
}

export async function testBench(browser, address) {
  const { page, problems } = await openPage(browser, `${address}bench.html`);
  assert.deepEqual(await violations(page), []);
  await page.select('#shape', '1');
  await page.click('#start');
  await until(
    page,
    () =>
      document.querySelector('#progress').textContent.startsWith('Done') || !document.querySelector('#failure').hidden,
    90_000,
  );
  const rows = await page.$$eval('#times tbody tr', (list) =>
    list.map((row) => [...row.cells].map((cell) => cell.textContent)),
  );
  assert.ok(rows.length >= 3, await page.$eval('#failure', (element) => element.textContent));
  const names = rows.map(([name]) => name);
  assert.ok(names.some((name) => name.startsWith('TensorFlow.js')) && names.some((name) => name.includes('portable')));
  // The same training step: the same loss after ten of them.
  const values = rows.map((row) => Number(row[4]));
  for (const value of values) assert.ok(Math.abs(value - values[0]) < 1e-3, `losses ${values}`);
  await page.select('#cell', 'rnn');
  assert.match(await textOf(page, '#result-title'), /LSTM, T 64 · B 8/, 'the results name their case');
  for (const row of rows) console.log(`  ${row.join(' | ')}`);
  await page.click('#start');
  await page.click('#stop');
  assert.equal(await page.$eval('#progress', (element) => element.textContent), 'Stopped.');
  assert.deepEqual(problems, []);
  await page.close();
}

/** The presets in Firefox, in which the time of tasks cannot be measured. */
export async function testFirefox(browser, address) {
  const { page, problems } = await openPage(browser, `${address}index.html`);
  await ready(page);
  for (const task of tasks) {
    await page.$eval(`#task-${task}`, (radio) => radio.click());
    await ready(page);
    const seconds = Number(/at most (\d+) seconds/.exec(await textOf(page, '#loss-note'))[1]);
    await page.click('#play');
    await until(page, () => document.querySelector('#losses').textContent.includes('after'), 10 * seconds * 1000);
    await page.click('#play');
  }
  assert.deepEqual(problems, []);
  console.log(`  all presets are below their baselines, with ${await textOf(page, '#kernels')} kernels`);
  await page.close();
}
