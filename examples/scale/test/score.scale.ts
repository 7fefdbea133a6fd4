/** Batch scoring: one result per line, exactly once and in order, whatever dies. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { dense, embedding, encode, load, predict, save, sequential, type Vocabulary, wordVocabulary } from 'bptt';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { chunksOf, readLines } from '../score/chunks';
import { orderedOutput } from '../score/ordered-output';
import { writeReviews } from '../score/reviews';
import { isLong } from './mode';
import { childrenOf, hasFiles, killProcess, runProgram, startProgram, until } from './program';
import { queueServers, startRedis, temporaryFolder, withServer } from './servers';

let folder: string;
let remove: () => Promise<void>;
beforeAll(async () => {
  [folder, remove] = await temporaryFolder();
});
afterAll(() => remove());

it('a killed coordinator and killed workers do not change a byte of the output', () =>
  withServer(startRedis, async (server) => {
    const lines = isLong ? 1_000_000 : 40_000;
    const options = ['score', '--lines', String(lines), '--chunk', '500'];
    await runProgram(...options, '--folder', `${folder}/alone`);
    const files = ['--input', `${folder}/alone/reviews-${lines}.jsonl`, '--model', `${folder}/alone/model.safetensors`];
    const queue = ['--queue', server.url, '--workers', '2', '--lost', '2'];
    const disturbed = [...options, ...files, '--folder', `${folder}/queue`, ...queue];
    let program = startProgram(...disturbed);
    for (let kills = 0; kills < 3; kills++) {
      await sleep(1200 + 700 * kills);
      for (const pid of childrenOf(program).slice(0, 1)) killProcess(pid);
      if (kills !== 1) continue;
      // The output has begun, and is not complete.
      while (!existsSync(`${folder}/queue/scores.jsonl.progress`)) {
        expect(program.child.exitCode, program.output()).toBe(null);
        await sleep(10);
      }
      killProcess(program.child.pid!);
      await program.ended;
      program = startProgram(...disturbed);
    }
    expect(await program.ended, program.output()).toBe(0);
    const scores = readFileSync(`${folder}/queue/scores.jsonl`);
    expect(scores.equals(readFileSync(`${folder}/alone/scores.jsonl`))).toBe(true);
    expect(scores.toString().split('\n').length - 1).toBe(lines);
  }));

it.each(queueServers)(
  'with %s, the same input is scored again at once if the results are in another folder',
  (name, start) =>
    withServer(start, async (server) => {
      const run = `${folder}/${name}`;
      const options = ['score', '--lines', '2000', '--chunk', '500', '--queue', server.url, '--workers', '1'];
      await runProgram(...options, '--folder', `${run}-first`);
      const files = ['--input', `${run}-first/reviews-2000.jsonl`, '--model', `${run}-first/model.safetensors`];
      await runProgram(...options, ...files, '--folder', `${run}-second`);
      await runProgram(...options, ...files, '--folder', `${run}-third`);
      expect(readFileSync(`${run}-third/scores.jsonl`).equals(readFileSync(`${run}-first/scores.jsonl`))).toBe(true);
    }),
);

it('a score is bit-identical to a prediction of the text alone, and a bad line gets an error in its place', async () => {
  const run = `${folder}/few`;
  await runProgram('score', '--lines', '1000', '--folder', run);
  const { model, extras } = load(readFileSync(`${run}/model.safetensors`));
  const texts = readFileSync(`${run}/reviews-1000.jsonl`, 'utf8').trim().split('\n').slice(0, 50);
  writeFileSync(`${run}/mixed.jsonl`, [...texts.slice(0, 20), '{"text":', '{"text":7}', ...texts.slice(20)].join('\n'));
  const files = ['--input', `${run}/mixed.jsonl`, '--model', `${run}/model.safetensors`];
  await runProgram('score', ...files, '--folder', run, '--output', `${run}/mixed-scores.jsonl`);
  const results = readFileSync(`${run}/mixed-scores.jsonl`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(results).toHaveLength(52);
  expect(results.slice(20, 22).map((result) => Object.keys(result))).toEqual([['error'], ['error']]);
  const scores = [...results.slice(0, 20), ...results.slice(22)].map(({ probability }) => probability as number);
  const alone = texts.map((line) => {
    const { text } = JSON.parse(line) as { text: string };
    const ids = encode(extras['vocabulary'] as Vocabulary, text);
    return 1 / (1 + Math.exp(-predict(model, { shape: [ids.length, 1], data: ids }).data[0]!));
  });
  expect(scores).toEqual(alone);
});

it('chunks contain every line once, whatever the size and the start', async () => {
  const paths = ['a', 'b', 'c'].map((name) => `${folder}/${name}.txt`);
  const contents = ['one\ntwo\nthree\n', '', 'four\nfünf'];
  for (const [i, path] of paths.entries()) writeFileSync(path, contents[i]!);
  for (const size of [1, 2, 5]) {
    let position = { file: 0, offset: 0, chunks: 0 };
    const lines: string[] = [];
    for (;;) {
      // A new generator after every chunk, as after a crash.
      const chunks = chunksOf(paths, size, position);
      const { value, done } = await chunks.next();
      if (done) break;
      await chunks.return(undefined);
      expect(value.index).toBe(position.chunks);
      lines.push(...(await readLines(value)));
      position = value.next;
    }
    expect(lines).toEqual(['one', 'two', 'three', 'four', 'fünf']);
  }
});

it('output that was written, but not noted, before a crash is written again', async () => {
  const path = `${folder}/ordered`;
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const first = await orderedOutput(path, 'run');
  await first.append(bytes('one\n'), { file: 0, offset: 10, chunks: 1 });
  await first.close();
  await appendFile(`${path}.partial`, 'tw');
  const second = await orderedOutput(path, 'run');
  expect(second.position.chunks).toBe(1);
  await second.append(bytes('two\n'), { file: 0, offset: 20, chunks: 2 });
  const progress = readFileSync(`${path}.progress`);
  await second.finish();
  expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n');
  // A crash between the two last steps.
  writeFileSync(`${path}.progress`, progress);
  const third = await orderedOutput(path, 'run');
  expect(third.position.chunks).toBe(0);
  await third.close();
});

it('generated reviews are complete or missing, and belong to their number', async () => {
  const run = `${folder}/generated`;
  const program = startProgram('score', '--lines', '300000', '--folder', run);
  await until(program, 'it generates', () => hasFiles(run, '.jsonl.partial'));
  killProcess(program.child.pid!);
  await program.ended;
  expect(hasFiles(run, '.jsonl')).toBe(false);
  for (const lines of [300, 200]) {
    await runProgram('score', '--lines', String(lines), '--folder', run);
    expect(readFileSync(`${run}/scores.jsonl`, 'utf8').split('\n')).toHaveLength(lines + 1);
  }
  await expect(writeReviews(`${folder}/missing/reviews.jsonl`, 10, 1)).rejects.toThrow('ENOENT');
});

it('wrong models and numbers are errors of the command, not of every line or job', async () => {
  const run = `${folder}/wrong`;
  await runProgram('score', '--lines', '3', '--folder', run);
  const layers = [embedding({ vocabularySize: 5, size: 2 }), dense({ size: 2 })];
  writeFileSync(`${run}/bare.safetensors`, save(sequential(layers)));
  writeFileSync(`${run}/two.safetensors`, save(sequential(layers), { extras: { vocabulary: wordVocabulary(['a']) } }));
  const commands = {
    'must have a vocabulary': ['score', '--model', `${run}/bare.safetensors`],
    'must return one value per text': ['score', '--model', `${run}/two.safetensors`],
    '--lines must be an integer of at least 1, got x': ['score', '--lines', 'x'],
    '--every must be an integer of at least 1, got 0': ['sweep', '--every', '0'],
    '--epochs must be an integer of at least 1, got 1.5': ['sweep', '--epochs', '1.5'],
    'the number of examples or groups must be an integer of at least 1000, got 8': [
      'sweep',
      '--task',
      'weather',
      '--folds',
      '1000',
    ],
    '--rate must be a positive number, got x': ['live', '--rate', 'x'],
    '--queue must start with redis: or postgres:, got http://x.': ['sweep', '--queue', 'http://x'],
    '--python must be a Python with PyTorch, got no-python': ['pytorch', '--python', 'no-python'],
  };
  for (const [message, options] of Object.entries(commands))
    await expect(runProgram(...options, '--folder', run), message).rejects.toThrow(message);
}, 60_000);
