/** Every control does what it says. */

import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dense, load, save, sequential } from '../../dist/index.js';
import { importOnnx } from '../../dist/onnx.js';
import { limit, openPage, pause, ready, textOf, until } from './browser.mjs';

const updates = (page) => textOf(page, '#updates').then((text) => Number(text.replaceAll(',', '')));
const trained = (page, count) =>
  until(
    page,
    (least) => Number(document.querySelector('#updates').textContent.replaceAll(',', '')) >= least,
    20_000,
    count,
  );
const hashOf = (page) => page.evaluate(() => location.hash);
const losses = (page) =>
  page.$$eval('#losses tbody tr', (rows) => rows.map((row) => `${row.dataset.network} ${row.cells[2].textContent}`));
const rowsAre = (page, names) =>
  until(
    page,
    (expected) =>
      [...document.querySelectorAll('#losses tbody tr')].map((row) => row.dataset.network).join() === expected,
    20_000,
    names.join(),
  );
/** The pixels of a canvas, to see whether it changes. */
const pixels = (page, selector) => page.$eval(selector, (canvas) => canvas.toDataURL());
const click = async (page, selector) => {
  // Not at the position of the mouse: the element may be below the visible part.
  await page.$eval(selector, (element) => element.click());
};

async function testTransport(page) {
  assert.equal(await updates(page), 0);
  const flow = await pixels(page, '#flow');
  for (let i = 1; i <= 3; i++) {
    await page.click('#step');
    await trained(page, i);
  }
  assert.equal(await updates(page), 3, 'a step is one update');
  const first = await losses(page);
  assert.ok(
    first.every((text) => /\d/.test(text)),
    'a step shows the loss',
  );
  await page.click('#play');
  assert.equal(await textOf(page, '#play span'), 'Pause');
  await trained(page, 30);
  await until(page, () => Number(document.querySelector('#speed').textContent) > 0);
  assert.match(await textOf(page, '#kernels'), /^(relaxed|simd|portable)$/);
  await page.click('#play');
  await pause(300);
  const paused = await updates(page);
  await pause(500);
  assert.equal(await updates(page), paused, 'no updates while training is paused');
  assert.notEqual(await pixels(page, '#flow'), flow, 'the gradient is drawn again');
  await page.click('#reset');
  await ready(page);
  assert.equal(await updates(page), 0, 'reset starts again');
  for (let i = 1; i <= 3; i++) {
    await page.click('#step');
    await trained(page, i);
  }
  assert.deepEqual(await losses(page), first, 'the same seed repeats the same losses');
  // The letters work while a button has the focus.
  await page.focus('#step');
  await page.keyboard.press('s');
  await trained(page, 4);
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press('Space');
  await until(page, () => document.querySelector('#play span').textContent === 'Pause');
  await page.keyboard.press('Space');
  await until(page, () => document.querySelector('#play span').textContent === 'Train');
  await page.focus('#play');
  await page.keyboard.press('r');
  await until(page, () => document.querySelector('#updates').textContent === '0');
  await ready(page);
}

/** A new page with an experiment in its address. */
async function openExperiment(page, address, hash) {
  await page.goto('about:blank');
  await page.goto(`${address}index.html#${hash}`);
  await ready(page);
}

async function testSkipLink(page, address) {
  const hash = 'task=echo&lag=5';
  await openExperiment(page, address, hash);
  await page.focus('.skip');
  await page.keyboard.press('Enter');
  await until(page, () => document.activeElement.id === 'panels');
  assert.equal(await hashOf(page), `#${hash}`, 'the address keeps the experiment');
  assert.equal(await textOf(page, '#task-title'), 'Echo');
}

async function testStopped(page, address) {
  const exploding = 'clip=0&optimizer=sgd&learningRate=1&gain=1.5';
  // The network in the middle stops; the others keep their rows.
  await openExperiment(page, address, `task=echo&cells=tanh.relu.lstm&${exploding}`);
  await page.click('#play');
  await until(page, () => document.querySelector('#stopped').textContent.includes('ReLU'));
  await until(page, () => document.querySelectorAll('.tokens tr').length === 4);
  assert.deepEqual(await page.$$eval('.tokens th', (cells) => cells.map((cell) => cell.textContent)), [
    'Input',
    'Target',
    'tanh RNN',
    'LSTM',
  ]);
  const ranges = await page.$$eval('#maps .limit', (spans) => spans.map((span) => span.textContent));
  assert.equal(ranges[1], 'not finite');
  await until(page, () => document.querySelector('#problem').hidden);
  // No network is left: training cannot continue.
  await openExperiment(page, address, `task=adding&cells=relu&${exploding}`);
  await page.click('#play');
  await until(page, () => document.querySelector('#stopped').textContent.includes('ReLU'));
  assert.equal(await textOf(page, '#play span'), 'Train');
  assert.ok(await page.$eval('#play', (button) => button.disabled));
  assert.ok(await page.$eval('#step', (button) => button.disabled));
  await page.click('#reset');
  await ready(page);
}

async function testSettings(page, address) {
  for (const name of ['length', 'hiddenSize', 'gain', 'learningRate', 'clip', 'batchSize']) {
    const before = await textOf(page, `output[for=setting-${name}]`);
    await page.focus(`#setting-${name}`);
    await page.keyboard.press('ArrowLeft');
    await until(page, (key) => location.hash.includes(`${key}=`), limit, name);
    assert.notEqual(await textOf(page, `output[for=setting-${name}]`), before, `${name} changes`);
    assert.ok(
      await page.$eval(`#setting-${name}-hint`, (hint) => hint.textContent.length > 20),
      `${name} is explained`,
    );
  }
  await page.select('#setting-optimizer', 'sgd');
  await page.click('#new-seed');
  await page.$eval('#setting-seed', (input) => {
    input.value = '7';
    input.dispatchEvent(new Event('change', { bubbles: true }));
  });
  assert.match(await hashOf(page), /seed=7/);
  for (const seed of ['-5', '1.5', '']) {
    await page.$eval(
      '#setting-seed',
      (input, value) => {
        input.value = value;
        input.dispatchEvent(new Event('change', { bubbles: true }));
      },
      seed,
    );
    assert.equal(await page.$eval('#setting-seed', (input) => input.value), '7', `${seed} is no seed`);
  }
  assert.match(await hashOf(page), /optimizer=sgd/);
  await ready(page);
  await click(page, '#cell-orthogonal');
  await rowsAre(page, ['tanh', 'orthogonal', 'relu', 'lstm', 'gru']);
  await click(page, '#cell-relu');
  await rowsAre(page, ['tanh', 'orthogonal', 'lstm', 'gru']);
  // The address has all settings.
  const hash = await hashOf(page);
  await page.goto('about:blank');
  await page.goto(`${address}index.html${hash}`);
  await ready(page);
  await rowsAre(page, ['tanh', 'orthogonal', 'lstm', 'gru']);
  assert.equal(await page.$eval('#setting-seed', (input) => input.value), '7');
  assert.equal(await page.$eval('#setting-optimizer', (select) => select.value), 'sgd');
  assert.equal(await hashOf(page), hash);
  // Values that do not exist are ignored.
  await page.goto('about:blank');
  await page.goto(`${address}index.html#task=nothing&hiddenSize=1e9&cells=&seed=-1`);
  await ready(page);
  assert.equal(await textOf(page, '#task-title'), 'Adding');
  // One network is left.
  for (const name of ['tanh', 'relu', 'lstm']) await click(page, `#cell-${name}`);
  await rowsAre(page, ['gru']);
  assert.ok(await page.$eval('#cell-gru', (box) => box.disabled), 'the last network cannot be removed');
  await page.click('#link');
  await until(page, () => /Copied|address bar/.test(document.querySelector('#link').textContent));
}

async function testTheme(page) {
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await page.click('#theme');
  assert.notEqual(await background(), light);
  await page.click('#theme');
  assert.equal(await background(), light);
}

async function testTasks(page) {
  for (const [task, title] of [
    ['echo', 'Echo'],
    ['parity', 'Parity'],
    ['reber', 'Reber grammar'],
    ['sine', 'Noisy sine'],
    ['text', 'Text'],
    ['strokes', 'Handwriting'],
    ['adding', 'Adding'],
  ]) {
    await click(page, `#task-${task}`);
    await ready(page);
    assert.equal(await textOf(page, '#task-title'), title);
    assert.match(await hashOf(page), new RegExp(`task=${task}`));
    assert.ok((await textOf(page, '#look-for')).length > 80, `${task} says what to look for`);
    const trials = await page.$$('.trial');
    assert.ok(trials.length >= 3);
    for (let i = 0; i < trials.length; i++) {
      await page.$$eval('.trial', (buttons, index) => buttons[index].click(), i);
      await trained(page, 1);
      assert.ok((await textOf(page, '#outcome')).length > 20);
      assert.equal(await page.$eval('#problem', (element) => element.hidden), true, await textOf(page, '#problem'));
    }
  }
  // The outcome and the stated time hold for the settings of the trial and of the preset.
  assert.equal(await page.$eval('#defaults', (button) => button.disabled), false);
  assert.doesNotMatch(await textOf(page, '#loss-note'), /seconds/);
  await page.focus('#setting-length');
  await page.keyboard.press('ArrowLeft');
  await until(page, () => document.querySelector('#outcome').textContent === '');
  await click(page, '#defaults');
  assert.match(await hashOf(page), /^#task=adding(&seed=\d+)?$/);
  assert.ok(await page.$eval('#defaults', (button) => button.disabled));
  assert.match(await textOf(page, '#loss-note'), /at most \d+ seconds/);
  // The trial that explodes: a network stops, and the others continue.
  await page.$$eval('.trial', (buttons) => buttons.find((button) => button.textContent.includes('explode')).click());
  await until(page, () => /ReLU.*(NaN|infinite|finite)/.test(document.querySelector('#stopped').textContent));
  await trained(page, 30);
  await page.click('#play');
}

async function testSamples(page) {
  await click(page, '#task-text');
  await ready(page);
  await until(page, () => document.querySelectorAll('.sample').length === 3);
  const sample = () => textOf(page, '.sample');
  const first = await sample();
  await click(page, '#new-samples');
  await until(page, (before) => document.querySelector('.sample').textContent !== before, limit, first);
  const second = await sample();
  await page.focus('#setting-temperature');
  for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowRight');
  await until(page, (before) => document.querySelector('.sample').textContent !== before, limit, second);
  assert.match(await hashOf(page), /temperature=1(&|$)/);
  // Another text has another vocabulary.
  const weights = await textOf(page, '#losses tbody td');
  await page.$eval('#text', (area) => {
    area.value = 'xyzzy plugh! '.repeat(30);
    area.dispatchEvent(new Event('input', { bubbles: true }));
  });
  await until(
    page,
    (before) => {
      const cell = document.querySelector('#losses tbody td');
      return cell !== null && cell.textContent !== before;
    },
    limit,
    weights,
  );
  await until(page, () => document.querySelector('.sample mark').textContent === 'xyzzy pl');
  await page.$eval('#text', (area) => {
    area.value = 'short';
    area.dispatchEvent(new Event('input', { bubbles: true }));
  });
  assert.match(await textOf(page, '#text-hint'), /At least/);

  await click(page, '#task-strokes');
  await ready(page);
  await click(page, '#pad-clear');
  const pad = await page.$('#pad');
  await pad.scrollIntoView();
  const { x, y } = await pad.boundingBox();
  await page.mouse.move(x + 20, y + 60);
  await page.mouse.down();
  for (let i = 0; i <= 60; i++) await page.mouse.move(x + 20 + 5 * i, y + 70 + 40 * Math.sin(i / 3));
  await page.mouse.up();
  await until(page, () => /\d+ movements/.test(document.querySelector('#input .hint').textContent));
  await ready(page);
  await click(page, '#pad-example');
  await ready(page);
  assert.equal((await page.$$('.drawing')).length, 3);
}

async function testMaps(page) {
  await click(page, '#task-adding');
  await ready(page);
  await until(page, () => document.querySelectorAll('#maps .map').length === 5);
  await page.focus('#maps .map');
  await page.keyboard.press('ArrowRight');
  assert.match(await textOf(page, '#map-value'), /hidden state h, step 1, unit 1: -?\d/);
  await click(page, '#map-choice input[value=gates]');
  await until(page, () => document.querySelectorAll('#maps .map').length === 7);
  const captions = await page.$$eval('#maps figcaption span:first-child', (spans) =>
    spans.map((span) => span.textContent),
  );
  assert.deepEqual(captions, [
    'input gate i',
    'forget gate f',
    'candidate g',
    'output gate o',
    'reset gate r',
    'update gate z',
    'candidate n',
  ]);
  await click(page, '#map-choice input[value=states]');
  await until(page, () => document.querySelectorAll('#maps .map').length === 5);
}

/** Replaces the text of the editor. */
async function type(page, replace) {
  await page.$eval('.cm-content', (content) => content.scrollIntoView());
  const text = await page.evaluate(() => document.querySelector('.cm-content').cmTile.view.state.doc.toString());
  await page.evaluate((next) => {
    const { view } = document.querySelector('.cm-content').cmTile;
    view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } });
  }, replace(text));
}

async function testCode(page) {
  await click(page, '[id="tab-cells.js"]');
  await type(page, (text) =>
    [
      text,
      'cells.mine = cells.gru;',
      "console.log('cells', Object.keys(cells).length);",
      'const own = { self: undefined };',
      'own.self = own;',
      "console.log(NaN, [Infinity], Float32Array.of(0.5), 10n, own, new RangeError('oh'));",
    ].join('\n'),
  );
  await click(page, '#run');
  await rowsAre(page, ['tanh', 'relu', 'lstm', 'gru', 'mine']);
  await trained(page, 3);
  assert.match(
    (await textOf(page, '#output')).replace(/\s+/g, ' '),
    /^cells 6 NaN \[ "Infinity" \] \[ 0\.5 \] 10 \[object Object\] cells\.js, line \d+: RangeError: oh $/,
  );
  const [gru, mine] = (await losses(page)).slice(3).map((text) => text.split(' ')[1]);
  assert.equal(mine, gru, 'a copy of a network learns the same');
  await click(page, '#restore');
  await rowsAre(page, ['tanh', 'relu', 'lstm', 'gru']);
  // Errors name the file and the line.
  await click(page, '[id="tab-task.js"]');
  await type(page, (text) => `\n\nthrow new Error('oh');\n${text}`);
  await click(page, '#run');
  await until(page, () => !document.querySelector('#problem').hidden);
  assert.equal(await textOf(page, '#problem'), 'task.js, line 3: Error: oh');
  assert.ok(
    await page.$eval('#problem', (element) => {
      const { top, bottom } = element.getBoundingClientRect();
      return top >= 0 && bottom <= innerHeight;
    }),
    'the error is visible from the editor',
  );
  await until(page, () => document.querySelector('#maps').childElementCount === 0);
  await click(page, '#restore');
  await ready(page);
  for (const [change, pattern] of [
    [(text) => `\nconst = 3;\n${text}`, /^task\.js, line 2: SyntaxError: /],
    [(text) => `${text.trimEnd()}\n\n)`, /^task\.js, line \d\d: SyntaxError: /],
    [(text) => text.replace('{ dense,', '{ densee,'), /^task\.js: SyntaxError: .*'bptt'.*'densee'$/],
  ]) {
    await type(page, change);
    await click(page, '#run');
    await until(page, () => document.querySelector('#problem').textContent.includes('SyntaxError'));
    assert.match(await textOf(page, '#problem'), pattern);
    await click(page, '#restore');
    await ready(page);
  }
  await type(page, (text) => text.replace("from 'bptt'", "from 'lodash'"));
  await click(page, '#run');
  await until(page, () => document.querySelector('#problem').textContent.includes("cannot import 'lodash'"));
  await click(page, '#restore');
  await ready(page);
  assert.equal(await page.$eval('#problem', (element) => element.hidden), true);
  // A program that does not end is ended by the next one.
  await type(page, (text) => `while (true);\n${text}`);
  await click(page, '#run');
  await pause(500);
  await click(page, '#restore');
  await ready(page);
  await trained(page, 20);
  await page.click('#play');
}

/** A network whose loss returns to the baseline is not below it any more. */
async function testBaseline(page, address) {
  await openExperiment(page, address, 'task=adding&cells=gru&length=4');
  await type(page, (text) =>
    text
      .replace('export function draw', 'let drawn = 0;\nexport function draw')
      .replace('  return {\n    inputs', '  targets.fill(++drawn < 2000 ? 1 : drawn);\n  return {\n    inputs'),
  );
  await click(page, '#run');
  const state = (text) =>
    until(
      page,
      (start) => document.querySelector('#losses tbody td:last-child')?.textContent.startsWith(start),
      limit,
      text,
    );
  await state('after update');
  await state('not yet');
  await page.click('#play');
  await click(page, '#restore');
  await ready(page);
}

async function testFiles(page, folder) {
  await click(page, '#task-text');
  await ready(page);
  await page.click('#play');
  await trained(page, 20);
  await page.click('#play');
  await page.select('#save-network', 'gru');
  await click(page, '#save-safetensors');
  await click(page, '#save-onnx');
  const names = ['text-gru.safetensors', 'text-gru.onnx'];
  for (let i = 0; i < 50 && !names.every((name) => fileNames.includes(name)); i++) {
    await pause(100);
    fileNames = await readdir(folder);
  }
  const bytes = await readFile(join(folder, names[0]));
  const { model, extras } = load(bytes);
  assert.deepEqual(Object.keys(model.parameters), ['embedding', 'gru', 'dense']);
  assert.equal(extras.playground.settings.task, 'text');
  assert.ok(importOnnx(await readFile(join(folder, names[1]))), 'the ONNX file can be read');
  // In another task, the file restores its own one.
  await click(page, '#task-echo');
  await ready(page);
  const input = await page.$('#load');
  await input.uploadFile(join(folder, names[0]));
  await until(page, () => document.querySelector('#task-title').textContent === 'Text');
  await rowsAre(page, ['tanh', 'lstm', 'gru', 'imported']);
  const at = await updates(page);
  assert.equal(at, 0);
  await page.click('#step');
  await trained(page, 1);
  const values = Object.fromEntries((await losses(page)).map((text) => text.split(' ')));
  assert.ok(Number(values.imported) < Number(values.gru), 'the loaded model has a lower loss than a new one');
  // A file that is not a model.
  const wrong = join(folder, 'wrong.safetensors');
  await writeFile(wrong, 'nothing');
  await input.uploadFile(wrong);
  await until(page, () => !document.querySelector('#problem').hidden);
  assert.match(await textOf(page, '#problem'), /load: /);
  // A model for something else: the experiment continues without it.
  const other = join(folder, 'other.safetensors');
  await writeFile(other, save(sequential([dense({ size: 2 })], { inputSize: 5 })));
  await input.uploadFile(other);
  await until(page, () => document.querySelector('#problem').textContent.includes('This task needs one'));
  await ready(page);
  await rowsAre(page, ['tanh', 'lstm', 'gru']);
  await pause(500);
  assert.equal(await page.$eval('#problem', (element) => element.hidden), false, 'the message stays');
  await page.click('#reset');
  await ready(page);
  assert.equal(await page.$eval('#problem', (element) => element.hidden), true);
}

let fileNames = [];

export async function testControls(browser, address) {
  const folder = await mkdtemp(join(tmpdir(), 'bptt-playground-'));
  const { page, problems } = await openPage(browser, `${address}index.html`);
  const client = await page.createCDPSession();
  await client.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: folder });
  try {
    await ready(page);
    for (const [name, test] of Object.entries({
      testTransport,
      testSettings,
      testTheme,
      testTasks,
      testSamples,
      testMaps,
      testCode,
      testFiles,
      testSkipLink,
      testStopped,
      testBaseline,
    })) {
      await test(page, name === 'testFiles' ? folder : address);
      console.log(`  ${name.slice(4).toLowerCase()}`);
    }
    assert.deepEqual(problems, [], 'the page reports no errors');
  } finally {
    await page.close();
    await rm(folder, { recursive: true, force: true });
  }
}
