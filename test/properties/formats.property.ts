/** Fuzzing of foreign formats: a changed file is read or rejected, with bounded memory. */

import { readdirSync, readFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { importKeras, importTensorFlowJs, readHdf5, readZip } from 'bptt/keras';
import { importOnnx } from 'bptt/onnx';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { inflate } from '../../src/formats/inflate';
import { archiveOf } from '../formats/archive';
import { allocated, hostile, hostileJson, reads, runs } from './hostile';

const golden = (path: string): Uint8Array => readFileSync(new URL(`../golden/${path}`, import.meta.url));

/** Checks that a reader reads or rejects changed files, and allocates at most `factor` times their size. */
function checkReader(
  files: readonly Uint8Array[],
  read: (bytes: Uint8Array) => unknown,
  message: RegExp,
  factor: number,
  numRuns: number,
): void {
  fc.assert(
    fc.property(hostile(files), (bytes) => {
      const used = allocated(() => void reads(() => read(bytes), message));
      expect(used).toBeLessThan(factor * bytes.length + 100_000);
    }),
    { numRuns: runs(numRuns) },
  );
}

it('a changed HDF5 file is read or rejected', () =>
  checkReader([golden('keras/tagger.weights.h5'), golden('keras/legacy-latest.h5')], readHdf5, /^readHdf5: /, 4, 8000));

it('a changed zip archive is read or rejected', () =>
  checkReader([golden('keras/tagger.keras')], readZip, /^readZip: /, 4, 2000));

it.each(['stacked', 'tagger', 'functional'])('%s.keras with a changed configuration is read or rejected', (name) => {
  const files = readZip(golden(`keras/${name}.keras`));
  const weights = files['model.weights.h5']!;
  const config = JSON.parse(new TextDecoder().decode(files['config.json'])) as unknown;
  let read = 0;
  fc.assert(
    fc.property(hostileJson(config), fc.boolean(), (changed, lengths) => {
      const file = archiveOf([
        { name: 'config.json', content: new TextEncoder().encode(changed) },
        { name: 'model.weights.h5', content: weights },
      ]);
      const used = allocated(() => {
        if (reads(() => importKeras(file, { lengths }), /^importKeras: /)) read++;
      });
      expect(used).toBeLessThan(20 * file.length);
    }),
    { numRuns: runs(1500) },
  );
  expect(read).toBeGreaterThan(50);
});

it('a changed ONNX file is read or rejected', () => {
  const names = readdirSync(new URL('../golden/onnx/', import.meta.url)).filter((name) => name.endsWith('.onnx'));
  expect(names.length).toBeGreaterThan(3);
  checkReader(
    names.map((name) => golden(`onnx/${name}`)),
    importOnnx,
    /^importOnnx: /,
    50,
    4000,
  );
});

it.each(['embedding', 'quantized', 'functional', 'defaults', 'mixed'])(
  '%s of TensorFlow.js with a changed model.json is read or rejected',
  (name) => {
    const { json, files } = JSON.parse(new TextDecoder().decode(golden(`tfjs/${name}.json`))) as {
      json: object;
      files: Record<string, string>;
    };
    const bytes = Object.fromEntries(
      Object.entries(files).map(([path, text]) => [
        path,
        Uint8Array.from(atob(text), (character) => character.charCodeAt(0)),
      ]),
    );
    const size = Object.values(bytes).reduce((sum, { length }) => sum + length, 0);
    let read = 0;
    fc.assert(
      fc.property(
        fc.oneof(
          hostileJson(json),
          hostile([new TextEncoder().encode(JSON.stringify(json))]).map((changed) => new TextDecoder().decode(changed)),
        ),
        (changed) => {
          const used = allocated(() => {
            if (reads(() => importTensorFlowJs(changed, bytes), /^importTensorFlowJs: /)) read++;
          });
          expect(used).toBeLessThan(20 * size + 10_000);
        },
      ),
      { numRuns: runs(1500) },
    );
    expect(read).toBeGreaterThan(50);
  },
);

it('inflate inverts zlib at every level, and reads or rejects random bytes', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 3000 }),
    fc
      .array(fc.constantFrom(...'abab c'), { maxLength: 5000 })
      .map((letters) => new TextEncoder().encode(letters.join(''))),
  );
  fc.assert(
    fc.property(bytes, fc.integer({ min: 0, max: 9 }), (content, level) => {
      expect([...inflate('x', new Uint8Array(deflateRawSync(content, { level })), content.length)]).toEqual([
        ...content,
      ]);
    }),
    { numRuns: runs(500) },
  );
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 100 }),
      fc.nat(2000),
      (content, size) => void reads(() => inflate('x', content, size), /^x: /),
    ),
    { numRuns: runs(3000) },
  );
});
