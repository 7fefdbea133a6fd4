/** The page `voice.html`: probabilities as in Node.js, the microphone, its problems, and accessibility. */

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { importOnnxStream } from '../../dist/onnx.js';
import { launch, limit, openPage, pause, textOf, until } from './browser.mjs';
import { violations } from './pages.mjs';
import { serve } from './serve.mjs';

const rate = 16_000;
const frame = 512;
/** The sentence at the start of the sample, in seconds: the times that espeak-ng speaks. */
const sentence = { start: 0.8, end: 1.9 };
/** The part of the sample that the fake microphone repeats: silence, the sentence and silence. */
const heard = 3.2;

const network = new URL('../node_modules/@ricky0123/vad-web/dist/silero_vad_v5.onnx', import.meta.url);

/** The probabilities of Silero VAD in Node.js. */
async function referenceOf(samples) {
  const stream = importOnnxStream(await readFile(network), {
    inputs: { sr: rate },
    shapes: { input: [1, 64 + frame] },
  });
  return Array.from({ length: Math.floor(samples.length / frame) }, (_, i) => {
    const input = new Float32Array(64 + frame);
    const start = i * frame - 64;
    input.set(samples.subarray(Math.max(0, start), start + 64 + frame), Math.max(0, -start));
    return stream.step({ input }).output.data[0];
  });
}

/** The content of a WAV file with 16-bit samples of one channel. */
function wavOf(samples) {
  const header = Buffer.alloc(44);
  header.write('RIFF\0\0\0\0WAVEfmt ', 'latin1');
  header.writeUInt32LE(36 + 2 * samples.length, 4);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(2 * rate, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(2 * samples.length, 40);
  return Buffer.concat([header, Buffer.from(Int16Array.from(samples, (value) => value * 32_768).buffer)]);
}

/** The samples of the sample of the page, as the browser decodes it; FLAC is lossless. */
async function decodeSample(page) {
  const integers = await page.evaluate(async () => {
    const file = await (await fetch('./voice-sample.flac')).arrayBuffer();
    const buffer = await new OfflineAudioContext(1, 1, 16_000).decodeAudioData(file);
    return Array.from(buffer.getChannelData(0), (value) => Math.round(value * 32_768));
  });
  return Float32Array.from(integers, (value) => value / 32_768);
}

/** Opens the page, and waits until it has analyzed its sample. Requests to other hosts are problems. */
async function openVoice(browser, address, options) {
  const { page, problems } = await openPage(browser, 'about:blank', options);
  page.on('request', (request) => {
    if (/^https?:/.test(request.url()) && !request.url().startsWith(address))
      problems.push(`request to ${request.url()}`);
  });
  await page.goto(`${address}voice.html`);
  await analyzed(page, 'The sample');
  return { page, problems };
}

const analyzed = (page, name) =>
  until(page, (start) => document.querySelector('#status').textContent.startsWith(`${start}: `), limit, name);

/** The probabilities in the CSV file that the page saves. */
async function savedProbabilities(page) {
  const csv = await page.evaluate(async () => {
    const { createObjectURL } = URL;
    let text = '';
    URL.createObjectURL = (blob) => {
      text = blob.text();
      return 'data:,';
    };
    const { click } = HTMLAnchorElement.prototype;
    HTMLAnchorElement.prototype.click = () => {};
    document.querySelector('#save').click();
    Object.assign(URL, { createObjectURL });
    HTMLAnchorElement.prototype.click = click;
    return text;
  });
  const [header, ...rows] = csv.trim().split('\n');
  assert.equal(header, 'seconds,probability');
  assert.equal(rows[2]?.split(',')[0], '0.064');
  return rows.map((row) => Number(row.split(',')[1]));
}

function assertClose(got, expected, what) {
  assert.equal(got.length, expected.length, what);
  const largest = Math.max(...got.map((value, i) => Math.abs(value - expected[i])));
  assert.ok(largest < 1e-3, `${what}: the probabilities differ by ${largest}`);
  return largest;
}

const segments = (page) =>
  page.$$eval('#segments tbody tr', (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));

/** The sample and a WAV file with the same samples. Returns the samples. */
async function testProbabilities(page) {
  const samples = await decodeSample(page);
  const expected = await referenceOf(samples);
  const mean = (start, end) => {
    const part = expected.slice(Math.round((start * rate) / frame), Math.round((end * rate) / frame));
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  };
  assert.ok(mean(sentence.start + 0.1, sentence.end - 0.1) > 0.95 && mean(2, 5.8) < 0.05);
  const differences = [assertClose(await savedProbabilities(page), expected, 'sample')];
  assert.equal((await segments(page)).length, 3, 'three sentences are speech, and the melody is not');
  const folder = await mkdtemp(join(tmpdir(), 'bptt-voice-'));
  try {
    await writeFile(join(folder, 'first.wav'), wavOf(samples.subarray(0, heard * rate)));
    const input = await page.$('#file');
    await input.uploadFile(join(folder, 'first.wav'));
    await analyzed(page, 'first.wav');
    const reference = await referenceOf(samples.subarray(0, heard * rate));
    differences.push(assertClose(await savedProbabilities(page), reference, 'WAV file'));
    const [[start, end], ...others] = await segments(page);
    assert.deepEqual(others, []);
    assert.ok(Math.abs(Number.parseFloat(start) - sentence.start) < 0.1, start);
    assert.ok(Math.abs(Number.parseFloat(end) - sentence.end) < 0.1, end);
    await writeFile(join(folder, 'text.wav'), 'This is not a sound.');
    await input.uploadFile(join(folder, 'text.wav'));
    await until(page, () => document.querySelector('#problem').textContent.startsWith('text.wav is not a sound file'));
  } finally {
    await rm(folder, { recursive: true });
  }
  console.log(`  probabilities differ from Node.js by at most ${Math.max(...differences).toExponential(1)}`);
  await page.click('#sample');
  await analyzed(page, 'The sample');
  assert.equal(await page.$eval('#problem', (element) => element.hidden), true);
  return samples;
}

const position = (page) => page.$eval('#timeline', (canvas) => Number(canvas.getAttribute('aria-valuenow')));

/** The picture of the timeline, after everything has been drawn. */
async function pixels(page) {
  const shown = () => page.$eval('#timeline', (canvas) => canvas.toDataURL());
  let before;
  let now = await shown();
  while (now !== before) {
    await pause(200);
    [before, now] = [now, await shown()];
  }
  return now;
}

async function testControls(page) {
  // Letters and signs work while a button has the focus.
  await page.focus('#sample');
  const whole = await pixels(page);
  await page.keyboard.press('+');
  await until(page, (before) => document.querySelector('#timeline').toDataURL() !== before, limit, whole);
  await page.keyboard.press('-');
  await until(page, (before) => document.querySelector('#timeline').toDataURL() === before, limit, whole);
  await page.evaluate(() => document.activeElement.blur());
  // The sentence is at 0.8 to 1.9 s.
  for (let i = 0; i < 7; i++) await page.keyboard.press('ArrowRight');
  await until(page, () => document.querySelector('#timeline').getAttribute('aria-valuenow') === '1.4');
  assert.match(await textOf(page, '#probability'), /^(9\d|100) %$/);
  assert.equal(await page.$$eval('#segments tr.current', (rows) => rows.length), 1);
  const { x, y, width } = await (await page.$('#timeline')).boundingBox();
  await page.mouse.click(x + width / 2, y + 50);
  await until(
    page,
    () => Math.abs(Number(document.querySelector('#timeline').getAttribute('aria-valuenow')) - 5.3) < 0.2,
  );
  await page.mouse.move(0, 0);
  // A pause of more than a second joins the last two sentences.
  await page.focus('#pause');
  await page.keyboard.press('End');
  await until(page, () => document.querySelectorAll('#segments tbody tr').length === 2);
  await page.keyboard.press('Home');
  await until(page, () => document.querySelectorAll('#segments tbody tr').length >= 3);
  await page.focus('#threshold');
  const tall = await textOf(page, 'output[for=threshold]');
  await page.keyboard.press('ArrowRight');
  assert.notEqual(await textOf(page, 'output[for=threshold]'), tall);
  await page.evaluate(() => document.activeElement.blur());
}

async function testPlayback(page) {
  await page.keyboard.press('Home');
  await page.keyboard.press('Space');
  await until(page, () => Number(document.querySelector('#timeline').getAttribute('aria-valuenow')) > 0.2);
  assert.equal(await textOf(page, '#play span'), 'Pause');
  await page.keyboard.press('Space');
  await until(page, () => document.querySelector('#play span').textContent === 'Play');
  const stopped = await position(page);
  await pause(200);
  assert.equal(await position(page), stopped, 'the position stays after a pause');
  // The last sentence takes half a second.
  await page.$$eval('#segments button', (buttons) => buttons.at(-1).click());
  await until(page, () => Number(document.querySelector('#timeline').getAttribute('aria-valuenow')) > 8.8);
  await until(page, () => document.querySelector('#play span').textContent === 'Play');
}

/** The page with a sample and files, in all sizes and themes. Returns the samples of the sample. */
export async function testVoice(browser, address) {
  let samples;
  for (const width of [1280, 390])
    for (const dark of [false, true]) {
      const options = { width, height: width === 390 ? 844 : 900, dark };
      const { page, problems } = await openVoice(browser, address, options);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `${overflow} px too wide at ${width} px`);
      assert.deepEqual(await violations(page), [], `${width} px, ${dark ? 'dark' : 'light'}`);
      if (width === 1280 && !dark) {
        samples = await testProbabilities(page);
        await testControls(page);
        await testPlayback(page);
      }
      assert.deepEqual(problems, []);
      await page.close();
    }
  return samples;
}

/** Presses the button of the microphone, which does not work, and returns the explanation of the page. */
async function microphoneProblem(browser, address, permissions) {
  const context = await browser.createBrowserContext();
  await context.overridePermissions(new URL(address).origin, permissions);
  const { page, problems } = await openVoice(context, address);
  await page.click('#microphone');
  await until(page, () => !document.querySelector('#problem').hidden);
  const explanation = await textOf(page, '#problem');
  assert.equal(await textOf(page, '#microphone span'), 'Microphone');
  // The page still works.
  await page.click('#sample');
  await until(page, () => document.querySelector('#problem').hidden);
  await analyzed(page, 'The sample');
  assert.deepEqual(problems, []);
  await context.close();
  return explanation;
}

/** Problems are explained: no permission, no microphone, no network. */
export async function testProblems(browser, address) {
  assert.match(await microphoneProblem(browser, address, ['microphone']), /^There is no microphone\./);
  const withDevice = await launch('chrome', { args: ['--use-fake-device-for-media-stream'] });
  try {
    assert.match(await microphoneProblem(withDevice, address, []), /^The page may not use the microphone\./);
  } finally {
    await withDevice.close();
  }
  const { page } = await openPage(browser, 'about:blank');
  await page.evaluateOnNewDocument(() => {
    const { postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (message, transfer) {
      const changed = message.type === 'load' ? { ...message, address: `${message.address}.missing` } : message;
      postMessage.call(this, changed, transfer);
    };
  });
  await page.goto(`${address}voice.html`);
  await until(page, () => !document.querySelector('#problem').hidden);
  assert.match(await textOf(page, '#problem'), /^The network could not be loaded: the server returned 404\./);
  assert.ok(await page.$eval('#microphone', (button) => button.disabled));
  await page.close();
  console.log('  problems of the microphone and of the network are explained');
}

/** Records with the microphone, which may be on already. Returns the saved probabilities and the largest one shown. */
async function record(page, seconds) {
  const before = await page.$eval('#timeline', (canvas) => canvas.getAttribute('aria-valuemax'));
  if ((await textOf(page, '#microphone span')) === 'Microphone') {
    await page.click('#microphone');
    await until(
      page,
      (old) => document.querySelector('#timeline').getAttribute('aria-valuemax') !== old,
      limit,
      before,
    );
  }
  const look = () =>
    page.evaluate(() => ({
      level: Number(document.querySelector('#lamp').style.getPropertyValue('--level')),
      recorded: Number(document.querySelector('#timeline').getAttribute('aria-valuemax')),
    }));
  let highest = 0;
  for (let now = await look(); now.recorded < seconds; now = await look()) {
    highest = Math.max(highest, now.level);
    await pause(50);
  }
  await page.keyboard.press('m');
  await until(page, () => document.querySelector('#status').textContent.includes('recorded'));
  return { highest, probabilities: await savedProbabilities(page) };
}

/** The mean of absolute differences, at the delay at which it is smallest. */
function bestMatch(got, expected) {
  const differences = Array.from({ length: 41 }, (_, i) => {
    const delay = i - 20;
    const pairs = expected.flatMap((value, j) => (got[j + delay] === undefined ? [] : [[value, got[j + delay]]]));
    return { delay, pairs, mean: pairs.reduce((sum, [a, b]) => sum + Math.abs(a - b), 0) / pairs.length };
  });
  return differences.reduce((best, other) => (other.mean < best.mean ? other : best));
}

/** A microphone that repeats the start of the sample, directly and through the resampler of the worklet. */
export async function testMicrophone(address, sample) {
  const folder = await mkdtemp(join(tmpdir(), 'bptt-voice-'));
  try {
    const samples = sample.subarray(0, heard * rate);
    const file = join(folder, 'speech.wav');
    await writeFile(file, wavOf(samples));
    const expected = await referenceOf(samples);
    const args = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];
    const browser = await launch('chrome', { args: [...args, `--use-file-for-fake-audio-capture=${file}`] });
    try {
      for (const isDirect of [true, false]) await testRecording(browser, address, expected, isDirect);
      await testGuide(browser);
    } finally {
      await browser.close();
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Compares a recording of the microphone with the probabilities of its samples. */
async function testRecording(browser, address, expected, isDirect) {
  const { page, problems } = await openVoice(browser, address);
  if (!isDirect) await page.evaluate(rejectOtherRates);
  const { highest, probabilities } = await record(page, heard);
  const shownRate = await textOf(page, '#rate');
  assert.equal(shownRate === '16,000 Hz', isDirect, shownRate);
  const { pairs, mean, delay } = bestMatch(probabilities, expected);
  assert.ok(pairs.length > 60, `${probabilities.length} frames`);
  const [speech, silence] = [pairs.filter(([value]) => value > 0.98), pairs.filter(([value]) => value < 0.02)];
  const middle = (values) => values.map(([, value]) => value).sort((a, b) => a - b)[Math.floor(values.length / 2)];
  assert.ok(speech.length > 20 && middle(speech) > 0.97, `speech: ${middle(speech)}`);
  assert.ok(silence.length > 20 && middle(silence) < 0.03, `silence: ${middle(silence)}`);
  assert.ok(mean < 0.1, `mean difference ${mean}`);
  assert.ok(highest > 0.9, `the lamp shows at most ${highest}`);
  assert.deepEqual(problems, []);
  console.log(
    `  microphone at ${shownRate}: ${probabilities.length} frames, delay ${delay} frames, mean difference ` +
      `${mean.toFixed(3)}, speech ${middle(speech).toFixed(3)}, silence ${middle(silence).toFixed(3)}`,
  );
  await page.close();
}

/** The page of the guide detects the sentence that the microphone repeats. */
async function testGuide(browser) {
  const guide = await readFile(new URL('../../docs/guides/voice.md', import.meta.url), 'utf8');
  const folder = await mkdtemp(join(tmpdir(), 'bptt-voice-guide-'));
  try {
    // Browsers ask for an icon.
    const page = `<link rel="icon" href="data:," />${/```html\n([\s\S]*?)```/.exec(guide)[1]}`;
    await writeFile(join(folder, 'index.html'), page);
    for (const [, name, code] of guide.matchAll(/```[jt]s \[([\w.]+)\]\n([\s\S]*?)```/g))
      await writeFile(join(folder, name), code);
    await writeFile(join(folder, 'silero_vad_v5.onnx'), await readFile(network));
    await build({
      configFile: false,
      root: folder,
      base: './',
      logLevel: 'error',
      resolve: { alias: { 'bptt/onnx': fileURLToPath(new URL('../../dist/onnx.js', import.meta.url)) } },
      worker: { format: 'es' },
    });
    const server = await serve(join(folder, 'dist'));
    const { page: opened, problems } = await openPage(browser, `${server.address}index.html`);
    await opened.click('button');
    await until(opened, () => document.querySelector('meter').value > 0.9);
    await until(opened, () => document.querySelector('meter').value < 0.1);
    assert.deepEqual(problems, []);
    await opened.close();
    server.close();
    console.log('  the page of the guide detects speech');
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Makes a page behave like older versions of Firefox, which connect only microphones of the rate of the context. */
function rejectOtherRates() {
  const { createMediaStreamSource } = AudioContext.prototype;
  AudioContext.prototype.createMediaStreamSource = function (stream) {
    if (this.sampleRate === 16_000) throw new DOMException('different sample rates', 'NotSupportedError');
    return createMediaStreamSource.call(this, stream);
  };
}

/** The sample, a file and a fake microphone in Firefox, which hums and does not speak. */
export async function testVoiceInFirefox(address) {
  const browser = await launch('firefox', {
    preferences: { 'media.navigator.streams.fake': true, 'media.navigator.permission.disabled': true },
  });
  console.log(`${await browser.version()}: voice`);
  try {
    const { page, problems } = await openVoice(browser, address);
    await testProbabilities(page);
    await page.click('#microphone');
    const outcome = await until(page, () => {
      const isListening = document.querySelector('#microphone span').textContent === 'Stop';
      const isReceiving = isListening && !document.querySelector('#save').disabled;
      return document.querySelector('#problem').textContent || (isReceiving && 'sound');
    });
    // Firefox processes no sound on a system without an audio output.
    const result = await outcome.jsonValue();
    assert.match(result, /^(sound$|No sound arrives from the microphone\.)/);
    if (result === 'sound') {
      const { probabilities } = await record(page, 1);
      assert.ok(probabilities.length > 20 && Math.max(...probabilities) < 0.5, 'the hum is not speech');
    }
    console.log(
      `  microphone: ${result === 'sound' ? 'a hum is not speech' : 'no audio output, as the page explains'}`,
    );
    assert.deepEqual(problems, []);
  } finally {
    await browser.close();
  }
}
