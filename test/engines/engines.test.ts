/** The library in other engines and realms: without the globals of Node, and with data of another realm. */

import { readFileSync } from 'node:fs';
import { createContext, runInContext } from 'node:vm';
import type * as bptt from 'bptt';
import { buildSync } from 'esbuild';
import { expect, it } from 'vitest';

/** Bundles a program as one script. */
const script = (program: string): string =>
  buildSync({
    stdin: { contents: program, resolveDir: process.cwd(), loader: 'ts' },
    bundle: true,
    format: 'iife',
    target: 'es2022',
    globalName: 'result',
    write: false,
    loader: { '.keras': 'binary', '.h5': 'binary', '.onnx': 'binary' },
    tsconfigRaw: { compilerOptions: { paths: { bptt: ['./src/index.ts'], 'bptt/*': ['./src/*.ts'] } } },
  }).outputFiles[0]!.text;

/** Deletes globals and methods that Hermes or QuickJS lack, and newer ones. */
const deletions = `
  for (const name of ['WebAssembly', 'Atomics', 'SharedArrayBuffer', 'Intl', 'WeakRef', 'FinalizationRegistry', 'Iterator',
    'Float16Array', 'AggregateError', 'console'])
    delete globalThis[name];
  const typedArray = Object.getPrototypeOf(Uint8Array);
  const methods = [
    [Array.prototype, 'at', 'findLast', 'findLastIndex', 'toReversed', 'toSorted', 'toSpliced', 'with'],
    [typedArray.prototype, 'at', 'findLast', 'findLastIndex', 'toReversed', 'toSorted', 'with'],
    [String.prototype, 'at', 'replaceAll', 'isWellFormed', 'toWellFormed'],
    [Set.prototype, 'union', 'intersection', 'difference', 'symmetricDifference', 'isSubsetOf', 'isSupersetOf'],
    [ArrayBuffer.prototype, 'transfer', 'transferToFixedLength', 'resize'],
    [Uint8Array, 'fromBase64', 'fromHex'], [Array, 'fromAsync'], [Math, 'f16round', 'sumPrecise'],
    [Object, 'groupBy'], [Map, 'groupBy'], [Promise, 'any', 'try', 'withResolvers'],
  ];
  for (const [owner, ...names] of methods) for (const name of names) delete owner[name];
  // The typed arrays of Hermes are empty if they are created from an iterator.
  const { from } = typedArray;
  typedArray.from = function (items, ...more) {
    return from.call(this, { length: items.length, ...Array.from({ length: items.length }, (_, i) => items[i]) }, ...more);
  };`;

it('every result has the same bits on an engine without TextEncoder, performance, WebAssembly, at and others', async () => {
  const program = script(`
    import keras from './test/golden/keras/stacked.keras';
    import h5 from './test/golden/keras/legacy-gzip.h5';
    import onnx from './test/golden/onnx/mixed.onnx';
    import { report } from './test/engines/program';
    export const results = report({ keras, h5, onnx });`);
  const resultsIn = (context: object, setup: string): Promise<Record<string, string>> =>
    runInContext<Promise<Record<string, string>>>(`${setup}; ${program}; result.results`, createContext(context));
  const expected = await resultsIn({ TextDecoder, TextEncoder, performance, setTimeout }, '');
  const results = await resultsIn({}, deletions);
  expect(Object.keys(results)).toHaveLength(25);
  expect(Object.entries(results).filter(([, digest]) => digest.startsWith('error'))).toEqual([]);
  expect(results).toEqual(expected);
});

it('data, bytes, options and promises of another realm are those of this realm', async () => {
  const code = script(`export * from './src/index';`);
  const library = runInContext<typeof bptt>(`${code}; result`, createContext({}));
  const { adam, crossEntropy, dense, embedding, fit, gru, lstm, predict, recurrent, save, sequential } = library;
  expect(library.tensor([1]).data).not.toBeInstanceOf(Float32Array);

  const ids = Int32Array.from({ length: 40 }, (_, i) => i % 5);
  const x = { shape: [2, 1, 2], data: Float32Array.of(1, 2, 3, 4) };
  expect(library.tensor(x.data, [4]).data).toBe(x.data);
  expect(library.intTensor(ids).data).toBe(ids);
  expect(library.view(x.data, 1, [2]).data.buffer).toBe(x.data.buffer);
  expect(library.treeOver({ w: x }, x.data).tree.w.data.buffer).toBe(x.data.buffer);
  expect([...library.shuffle({ state: Uint32Array.of(1, 2, 3, 4) }, Int32Array.of(1, 2, 3))].sort()).toEqual([1, 2, 3]);
  expect(library.decode(library.characterVocabulary('abc'), Int32Array.of(2, 0))).toBe('ca');
  const pairs = [{ input: Int32Array.of(1, 2), target: Int32Array.of(3) }];
  expect(
    library.bucketBatches(
      pairs.map(({ input }) => ({ input, target: input })),
      { batchSize: 1 },
    ).batchCount,
  ).toBe(1);
  expect(library.pairBatches(pairs, { batchSize: 1 }).batchCount).toBe(1);
  expect(library.compute({ x }, ({ x }) => library.sum(x)).data[0]).toBe(10);
  const later = async () => library.full([], 1);
  expect(() => library.compute({ x }, () => later() as never)).toThrow('got an instance of Promise');

  const model = sequential([recurrent(lstm(), { hiddenSize: 3 }), dense({ size: 2 })], { inputSize: 2 });
  const lengths = Int32Array.of(2);
  const outputs = predict(model, x, { lengths }).data;
  expect(outputs.every((value, i) => value === predict(model, library.tensor([[[1, 2]], [[3, 4]]])).data[i])).toBe(
    true,
  );
  const file = save(model, { extras: { scaler: { offset: [1] } } });
  const { model: loaded, extras } = library.load(Uint8Array.from(file).buffer);
  expect([...loaded.data]).toEqual([...model.data]);
  expect(JSON.stringify(extras)).toBe('{"scaler":{"offset":[1]}}');
  const fromNode = readFileSync(new URL('../golden/keras/tagger.safetensors', import.meta.url));
  expect(Object.keys(library.readSafetensors(fromNode).tensors).length).toBeGreaterThan(1);

  const classifier = () =>
    sequential([embedding({ vocabularySize: 5, size: 3 }), recurrent(gru(), { hiddenSize: 3 }), dense({ size: 5 })]);
  const data = library.windows(ids, { sequenceLength: 4, batchSize: 2 });
  const states: bptt.TrainingState[] = [];
  const checkpoint = { every: 2, write: (state: bptt.TrainingState) => states.push(structuredClone(state)) };
  const options = { loss: crossEntropy, optimizer: adam(), steps: 4 };
  const { losses } = await fit(classifier(), data, { ...options, checkpoint });
  const resumed = await fit(classifier(), data, { ...options, resume: states[0] });
  expect([...resumed.losses]).toEqual([...losses]);
});
