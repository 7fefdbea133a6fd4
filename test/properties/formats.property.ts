/** Files of other programs, changed: they are read or refused, whatever they hold. */

import { readdirSync, readFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { importKeras, importTensorFlowJs, readHdf5, readZip } from 'bptt/keras';
import { importOnnx } from 'bptt/onnx';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { inflate } from '../../src/formats/inflate';
import { archiveOf } from '../formats/archive';
import { allocated, hostile, hostileJson, reads } from './hostile';

const golden = (path: string): Uint8Array => readFileSync(new URL(`../golden/${path}`, import.meta.url));

/** How a reader meets changed files: what it answers, and how much memory it asks for. */
function meets(
  files: readonly Uint8Array[],
  read: (bytes: Uint8Array) => unknown,
  begins: RegExp,
  times: number,
  numRuns: number,
): void {
  fc.assert(
    fc.property(hostile(files), (bytes) => {
      const used = allocated(() => void reads(() => read(bytes), begins));
      expect(used).toBeLessThan(times * bytes.length + 100_000);
    }),
    { numRuns },
  );
}

it('HDF5', () => meets([golden('keras/tagger.weights.h5')], readHdf5, /^readHdf5: /, 4, 4000));

it('zip', () => meets([golden('keras/tagger.keras')], readZip, /^readZip: /, 4, 2000));

it.each(['stacked', 'tagger', 'functional'])('%s.keras, its configuration changed before it is packed', (name) => {
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
      const used = allocated(
        () => void (read += Number(reads(() => importKeras(file, { lengths }), /^importKeras: /))),
      );
      expect(used).toBeLessThan(20 * file.length);
    }),
    { numRuns: 1500 },
  );
  expect(read).toBeGreaterThan(50);
});

it('ONNX', () => {
  const names = readdirSync(new URL('../golden/onnx/', import.meta.url)).filter((name) => name.endsWith('.onnx'));
  expect(names.length).toBeGreaterThan(3);
  meets(
    names.map((name) => golden(`onnx/${name}`)),
    importOnnx,
    /^importOnnx: /,
    50,
    4000,
  );
});

it.each(['embedding', 'quantized', 'functional', 'defaults', 'mixed'])('%s of TensorFlow.js', (name) => {
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
        const used = allocated(
          () => void (read += Number(reads(() => importTensorFlowJs(changed, bytes), /^importTensorFlowJs: /))),
        );
        expect(used).toBeLessThan(20 * size + 10_000);
      },
    ),
    { numRuns: 1500 },
  );
  expect(read).toBeGreaterThan(50);
});

it('what zlib deflates is inflated, at every level; anything else is refused', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 3000 }),
    fc
      .array(fc.constantFrom(...'abab c'), { maxLength: 5000 })
      .map((letters) => new TextEncoder().encode(letters.join(''))),
  );
  fc.assert(
    fc.property(bytes, fc.integer({ min: 0, max: 9 }), (given, level) => {
      expect([...inflate('x', new Uint8Array(deflateRawSync(given, { level })), given.length)]).toEqual([...given]);
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 100 }),
      fc.nat(2000),
      (given, size) => void reads(() => inflate('x', given, size), /^x: /),
    ),
    { numRuns: 3000 },
  );
});
