/**
 * Fuzzing of arguments: a wrong call succeeds, or throws an error of the library that starts with a function's name.
 */

import { rmSync } from 'node:fs';
import * as bptt from 'bptt';
import { buildSync } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { calls, folder } from './calls';
import { functionNames, type Mutation, misuse, recording } from './misuse';

/** `BPTT_FUZZ=10` tries ten times as many calls. */
const factor = Number(process.env['BPTT_FUZZ'] ?? 1);
/** The number of mutations of each valid call. */
const budget = 160 * factor;

afterAll(() => rmSync(folder(), { recursive: true }));

it('all exported functions have valid calls to start from', () => {
  expect(Object.keys(calls).sort()).toEqual([...functionNames].sort());
  expect(Object.entries(calls).filter(([, valid]) => valid.length === 0)).toEqual([]);
});

it.each(functionNames)('%s names itself in the errors of wrong calls', async (name) => {
  const random = bptt.createRandom(7);
  const choose = (mutations: readonly Mutation[]): readonly Mutation[] =>
    bptt.shuffle(random, [...mutations]).slice(0, budget);
  const { faults } = await recording(() => misuse(name, choose));
  expect(faults.map(({ call, mutation, error }) => `call ${call}, ${mutation}: ${String(error)}`)).toEqual([]);
});

describe('objects of a second copy of the library, such as the one for require', () => {
  const { outputFiles } = buildSync({
    entryPoints: ['src/index.ts'],
    bundle: true,
    format: 'cjs',
    write: false,
  });
  const module = { exports: {} as typeof bptt };
  new Function('module', 'exports', outputFiles[0]!.text)(module, module.exports);
  const other = module.exports;
  const x = bptt.full([3, 2, 2], 0.5);
  const targets = bptt.full([3, 2, 1], 0.25);
  const modelOf = (library: typeof bptt, layers: typeof bptt): bptt.Sequential =>
    library.sequential(
      [
        layers.recurrent(layers.lstm(), { hiddenSize: 3 }),
        layers.dense({ size: 1, weightInitializer: layers.lecunNormal() }),
      ],
      { inputSize: 2, seed: 5 },
    );

  it('is another copy', () => {
    expect(other.lstm).not.toBe(bptt.lstm);
  });

  it('cells, layers, models, datasets, optimizers and generators give the same results', async () => {
    const results = await Promise.all(
      [modelOf(bptt, bptt), modelOf(bptt, other), modelOf(other, other)].map(async (model) => {
        const data = other.batchesOf(x, targets, { batchSize: 1 });
        const optimizer = other.chain(other.clipByNorm(1), other.adam(0.1));
        const { losses } = await bptt.fit(model, data, { loss: other.meanSquaredError, optimizer, epochs: 2 });
        const running = bptt.stream(model, { batchSize: 2 });
        return [losses, bptt.predict(model, x), bptt.advance(running, bptt.full([2, 2], 1)), [...bptt.save(model)]];
      }),
    );
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    expect(bptt.uniformNumber(other.createRandom(1))).toBe(bptt.uniformNumber(bptt.createRandom(1)));
  });
});
