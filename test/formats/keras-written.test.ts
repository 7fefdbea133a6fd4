/** Files written by Keras 3.15.1, and its outputs: see test/golden/README.md. */

import { readFileSync } from 'node:fs';
import { type IntTensor, intTensor, predict, type Tensor, tensor, toTimeMajor } from 'bptt';
import { fromKeras, importKeras, predictMasked, readHdf5, readZip, toKeras } from 'bptt/keras';
import { describe, expect, it } from 'vitest';

interface Case {
  readonly inputs: readonly (readonly (number | readonly number[])[])[];
  readonly outputs: readonly (readonly number[])[];
}

const files = readZip(readFileSync(new URL('../golden/keras/written-by-keras.zip', import.meta.url)));
const caseOf = (name: string): Case => JSON.parse(new TextDecoder().decode(files[`${name}/case.json`])) as Case;

/** The inputs, time-major. */
function inputsOf({ inputs }: Case): Tensor | IntTensor {
  const isIds = typeof inputs[0]![0] === 'number';
  return isIds ? toTimeMajor(intTensor(inputs as number[][])) : toTimeMajor(tensor(inputs as number[][][]));
}

function expectClose({ data }: Tensor, expected: readonly (readonly number[])[]): void {
  expect(data).toHaveLength(expected.flat().length);
  expected.flat().forEach((value, i) => expect(Math.abs(data[i]! - value)).toBeLessThan(2e-6));
}

/** The names in the file of weights, if they are not those of the layers. */
const inTimeDistributed = { dense: 'time_distributed', dense2: 'dense' };

describe.each([
  { name: 'recurrent', isMasked: false, layers: {} },
  { name: 'normalized', isMasked: false, layers: inTimeDistributed },
  { name: 'convolved', isMasked: false, layers: {} },
  { name: 'masked', isMasked: true, layers: {} },
  { name: 'sequential', isMasked: true, layers: inTimeDistributed },
])('$name', ({ name, isMasked, layers }) => {
  const example = caseOf(name);
  const inputs = inputsOf(example);
  const imported = (file: string) => importKeras(files[`${name}/${file}`]!, isMasked ? { lengths: true } : {}).model;

  it.each(['model.keras', 'model.h5'])('%s has the outputs of Keras', (file) => {
    const model = imported(file);
    expectClose(isMasked ? predictMasked(model, inputs) : predict(model, inputs), example.outputs);
  });

  it('model.weights.h5 has the weights', () => {
    const model = imported('model.keras');
    const expected = model.data.slice();
    model.data.fill(0);
    fromKeras(model, readHdf5(files[`${name}/model.weights.h5`]!).tensors, { layers });
    expect(model.data).toEqual(expected);
  });

  it('toKeras returns the weights of model.weights.h5', () => {
    const { tensors } = readHdf5(files[`${name}/model.weights.h5`]!);
    const isDistributed = layers === inTimeDistributed;
    const names = isDistributed ? { ...inTimeDistributed, dense: 'time_distributed/layer' } : {};
    const weights = toKeras(imported('model.keras'), { layers: names });
    const paths = Object.keys(tensors).filter((path) => !path.includes('seed_generator'));
    expect(paths.length).toBeGreaterThan(3);
    expect(Object.keys(weights).sort()).toEqual(paths.sort());
    for (const path of paths) {
      const [own, written] = [weights[path]!, tensors[path]!];
      expect(own.shape, path).toEqual(written.shape);
      // A GRU of bptt adds both rows of the bias, except in the candidate, the last third.
      const isGruBias = own.shape[0] === 2 && path.endsWith('cell/vars/2');
      const size = own.data.length / 2;
      own.data.forEach((value, i) => {
        const isGate = isGruBias && i % size < (2 / 3) * size;
        const sum = Math.fround(written.data[i % size]! + written.data[(i % size) + size]!);
        expect(value, path).toBe(isGate ? (i < size ? sum : 0) : written.data[i]);
      });
    }
  });
});
