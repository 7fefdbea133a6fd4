/** LSTM and GRU with other activation functions: values by definition, files, streams and exchange. */

import {
  type ActivationFunction,
  advance,
  type Cell,
  compute,
  createRandom,
  exp,
  gru,
  gruWith,
  hardSigmoid,
  initializeCell,
  linear,
  load,
  lstm,
  lstmWith,
  normal,
  predict,
  readSafetensors,
  recurrent,
  relu,
  save,
  sequential,
  sigmoid,
  softmax,
  softplus,
  stream,
  tanh,
  tensor,
  unroll,
  writeSafetensors,
} from 'bptt';
import { exportOnnx, importOnnx, predictOnnx } from 'bptt/onnx';
import { toPyTorch } from 'bptt/pytorch';
import { describe, expect, it } from 'vitest';

type F = (row: readonly number[]) => readonly number[];
const each =
  (f: (x: number) => number): F =>
  (row) =>
    row.map(f);
/** The definitions of the activations, of a row `[H]`. */
const functions: readonly (readonly [name: string, activation: ActivationFunction, F])[] = [
  ['tanh', tanh, each(Math.tanh)],
  ['sigmoid', sigmoid, each((x) => 1 / (1 + Math.exp(-x)))],
  ['relu', relu, each((x) => Math.max(0, x))],
  ['linear', linear, each((x) => x)],
  ['hardSigmoid', hardSigmoid(), each((x) => Math.min(1, Math.max(0, x / 6 + 0.5)))],
  ['softplus', softplus, each((x) => Math.log1p(Math.exp(x)))],
  ['softmax', softmax, (row) => row.map((x) => Math.exp(x) / row.reduce((sum, each) => sum + Math.exp(each), 0))],
];
const named = (name: string): (typeof functions)[number] => functions.find(([other]) => other === name)!;

const [T, I, H] = [5, 2, 3];
const x = normal(0, 1)([T, 1, I], createRandom(4));
const parametersOf = (cell: Cell): ReturnType<typeof initializeCell> =>
  initializeCell(cell, {
    inputSize: I,
    hiddenSize: H,
    random: 3,
    inputInitializer: normal(0, 1),
    recurrentInitializer: normal(0, 0.5),
    biasInitializer: normal(0, 1),
  });

/** x W (+ b) of a row, in double precision. */
const product = (
  row: readonly number[],
  weight: { readonly shape: readonly number[]; readonly data: Float32Array },
  bias?: Float32Array,
): number[] =>
  Array.from({ length: weight.shape[1]! }, (_, j) =>
    row.reduce((sum, value, i) => sum + value * weight.data[i * weight.shape[1]! + j]!, bias?.[j] ?? 0),
  );

function reference(cell: Cell, f: F, gate: F, reset?: 'after' | 'before'): number[] {
  const { weightIh, weightHh, bias, biasHn } = parametersOf(cell);
  let [h, c] = [new Array<number>(H).fill(0), new Array<number>(H).fill(0)];
  const outputs: number[] = [];
  for (let t = 0; t < T; t++) {
    const fromX = product([...x.data.subarray(t * I, (t + 1) * I)], weightIh!, bias!.data);
    const fromH = product(h, weightHh!);
    const part = (from: readonly number[], index: number): number[] => from.slice(index * H, (index + 1) * H);
    const sum = (index: number): number[] => part(fromX, index).map((value, j) => value + part(fromH, index)[j]!);
    if (reset === undefined) {
      const [i, forget, g, o] = [gate(sum(0)), gate(sum(1)), f(sum(2)), gate(sum(3))];
      c = c.map((value, j) => forget[j]! * value + i[j]! * g[j]!);
      h = f(c).map((value, j) => o[j]! * value);
    } else {
      const [r, z] = [gate(sum(0)), gate(sum(1))];
      const recurrent =
        reset === 'after'
          ? part(fromH, 2).map((value, j) => r[j]! * (value + biasHn!.data[j]!))
          : part(
              product(
                h.map((value, j) => r[j]! * value),
                weightHh!,
              ),
              2,
            );
      const n = f(part(fromX, 2).map((value, j) => value + recurrent[j]!));
      h = h.map((value, j) => (1 - z[j]!) * n[j]! + z[j]! * value);
    }
    outputs.push(...h);
  }
  return outputs;
}

const pairs: readonly (readonly [activation: string, gate: string])[] = [
  ['relu', 'sigmoid'],
  ['tanh', 'hardSigmoid'],
  ['linear', 'hardSigmoid'],
  ['softplus', 'hardSigmoid'],
  ['tanh', 'relu'],
  ['softmax', 'softmax'],
  ['tanh', 'sigmoid'],
];
const cells = pairs.flatMap(([activation, gateActivation]) => {
  const [[, f, ofF], [, gate, ofGate]] = [named(activation), named(gateActivation)];
  const options = { activation: f, gateActivation: gate };
  const label = `activation ${activation} and gates ${gateActivation}`;
  const ofLstm = lstmWith(options);
  return [
    [`lstmWith, ${label}`, ofLstm, reference(ofLstm, ofF, ofGate)] as const,
    ...(['after', 'before'] as const).map((reset) => {
      const cell = gruWith({ ...options, reset });
      return [`gruWith, reset ${reset}, ${label}`, cell, reference(cell, ofF, ofGate, reset)] as const;
    }),
  ] as const;
});
const modelOf = (cell: Cell, options: object = {}): ReturnType<typeof sequential> => {
  const model = sequential([recurrent(cell, { hiddenSize: H, ...options })], { inputSize: I });
  for (const [name, { data }] of Object.entries(parametersOf(cell))) model.parameters[cell.name]![name]!.data.set(data);
  return model;
};
const errorOf = (actual: ArrayLike<number>, expected: readonly number[]): number => {
  expect(actual.length).toBe(expected.length);
  return Math.max(...expected.map((value, i) => Math.abs(value - actual[i]!) / Math.max(1, Math.abs(value))));
};

describe.each(cells)('%s', (_, cell, expected) => {
  it('has the values of its definition', () => {
    const outputs = compute(parametersOf(cell), (p) => unroll<string>(cell, p, x).outputs);
    expect(errorOf(outputs.data, expected)).toBeLessThan(2e-6);
  });

  it('streams, saves and loads', () => {
    const loaded = load(save(modelOf(cell))).model;
    expect(predict(loaded, x)).toEqual(predict(modelOf(cell), x));
    const running = stream(loaded);
    const steps = Array.from({ length: T }, (_, t) => [
      ...advance(running, { shape: [1, I], data: x.data.slice(t * I, (t + 1) * I) }).data,
    ]);
    expect(errorOf(steps.flat(), expected)).toBeLessThan(2e-6);
  });

  it.each([{}, { zoneout: { h: 0.3 } }])('exports to ONNX with %j', (options) => {
    const model = modelOf(cell, options);
    const outputs = predictOnnx(importOnnx(exportOnnx(model)), { inputs: x })['outputs']!;
    expect(errorOf(outputs.data, [...predict(model, x).data])).toBeLessThan(1e-5);
  });
});

it('lstmWith and gruWith return the plain cells for tanh and sigmoid', () => {
  expect(lstmWith({ activation: tanh })).toEqual({
    ...lstm(),
    parameters: expect.any(Function),
    forward: expect.any(Function),
    backward: expect.any(Function),
  });
  expect(lstmWith({ gateActivation: sigmoid }).origin).toEqual(['lstm']);
  expect(gruWith({}).origin).toEqual(gru().origin);
  expect(gruWith({ reset: 'before' }).origin).toEqual(gru({ reset: 'before' }).origin);
});

it('operators of ONNX have the activations as attributes, if they have them', () => {
  const textOf = (cell: Cell): string => new TextDecoder('latin1').decode(exportOnnx(modelOf(cell)));
  const relus = textOf(lstmWith({ activation: relu }));
  expect(relus).toContain('activations');
  expect(relus).not.toContain('Scan');
  expect(textOf(gruWith({ gateActivation: hardSigmoid(0.2) }))).toContain('HardSigmoid');
  expect(textOf(lstm())).not.toContain('activations');
  expect(textOf(lstmWith({ activation: softmax }))).toContain('Scan');
  expect(() => exportOnnx(modelOf(lstmWith({ activation: (v) => exp(v) })))).toThrow(
    'exportOnnx: lstm: the activation has no ONNX form.',
  );
});

it('toPyTorch rejects them', () => {
  for (const [name, cell] of [
    ['lstm', lstmWith({ activation: relu })],
    ['gru', gruWith({ activation: relu })],
  ] as const)
    expect(() => toPyTorch(modelOf(cell))).toThrow(
      `toPyTorch: ${name} has the cell ${name}, which has no equivalent in PyTorch.`,
    );
});

it('other values than functions are rejected', () => {
  // The casts give the wrong types that JavaScript allows.
  expect(() => lstmWith({ activation: 'relu' as unknown as ActivationFunction })).toThrow(
    'lstmWith: activation must be a function such as relu, got relu.',
  );
  expect(() => gruWith({ gateActivation: 3 as unknown as ActivationFunction })).toThrow(
    'gruWith: gateActivation must be a function such as relu, got 3.',
  );
  expect(() => lstm({ activation: relu } as unknown as Record<string, never>)).toThrow(
    'lstm: options (see lstmWith) must have no names, got activation.',
  );
  expect(() => hardSigmoid(Number.NaN)).toThrow('hardSigmoid: slope must be a finite number, got NaN.');
});

it('hardSigmoid is exactly 0 and 1 outside its range', () => {
  const values = [-1e30, -3.5, -3, 0, 3, 3.5, 1e4, 3e7, 1e9, 1e30];
  const y = compute({ v: tensor(values) }, ({ v }) => hardSigmoid()(v));
  expect([...y.data]).toEqual([0, 0, 0, 0.5, 1, 1, 1, 1, 1, 1]);
});

it.each([
  ['hardSigmoidLstm', { slope: 0.2 }, lstmWith({ gateActivation: hardSigmoid(0.2) })],
  ['hardSigmoidGru', { slope: 0.2, reset: 'before' }, gruWith({ gateActivation: hardSigmoid(0.2), reset: 'before' })],
] as const)('a file of version 0.1 with the cell %s loads, and saves again', (name, options, cell) => {
  const model = modelOf(cell);
  const old = writeSafetensors(
    Object.fromEntries(Object.entries(parametersOf(cell)).map(([key, value]) => [`${name}.${key}`, value])),
    {
      ...readSafetensors(save(model)).metadata,
      'bptt.model': JSON.stringify([
        'sequential',
        [{ $make: ['recurrent', { $make: [name, options] }, { hiddenSize: H }] }],
        { inputSize: I },
      ]),
    },
  );
  const loaded = load(old).model;
  expect(Object.keys(loaded.parameters)).toEqual([name]);
  for (const each of [loaded, load(save(loaded)).model]) {
    expect(predict(each, x)).toEqual(predict(model, x));
    expect(exportOnnx(each).length).toBeGreaterThan(0);
  }
});
