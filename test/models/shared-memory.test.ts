/** Streams, training and prediction share one memory, and the streams of a model one copy of its weights. */

import {
  adam,
  add,
  advance,
  compute,
  createRandom,
  dense,
  dropout,
  embedding,
  fit,
  generate,
  gru,
  initializeCell,
  intTensor,
  type Layer,
  layerNorm,
  lstm,
  type ModelState,
  meanSquaredError,
  multiply,
  normal,
  predict,
  recurrent,
  residual,
  type Sequential,
  type Stream,
  sequential,
  simpleRnn,
  stream,
  streamCell,
  type Tensor,
  tensor,
  trainOn,
  truncatedBptt,
  withoutBias,
} from 'bptt';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { residents } from '../../src/kernels/resident';
import {
  allocate,
  createWorkspace,
  defaultWorkspace,
  freeBlocks,
  portableWorkspace,
  reservationOf,
  reserve,
  withMemory,
} from '../../src/kernels/workspace';
import { collectGarbage } from '../memory';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

it('streams of many models, fit, trainOn and predict create one memory besides those of the probes', async () => {
  const engine = WebAssembly;
  let memories = 0;
  class Memory extends engine.Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super(descriptor);
      memories++;
    }
  }
  const { Module, Instance } = engine;
  vi.stubGlobal('WebAssembly', { ...engine, Module, Instance, Memory });
  vi.resetModules();
  const fresh = await import('../../src/index');
  fresh.kernelsInUse();
  const before = memories;
  expect(before).toBeGreaterThan(0);
  const batch = { inputs: fresh.full([3, 2, 2], 1), targets: fresh.full([3, 2, 4], 0) };
  for (let i = 0; i < 20; i++) {
    const model = fresh.sequential([fresh.recurrent(fresh.lstm(), { hiddenSize: 4 })], { inputSize: 2, seed: i });
    for (let j = 0; j < 20; j++) fresh.advance(fresh.stream(model), fresh.tensor([[1, 2]]));
    fresh.predict(model, batch.inputs);
    await fresh.fit(model, batch, { loss: fresh.meanSquaredError, optimizer: fresh.adam(), steps: 2 });
    const trainer = fresh.truncatedBptt(model, { window: 2, loss: fresh.meanSquaredError, optimizer: fresh.adam() });
    fresh.trainOn(trainer, { inputs: fresh.full([3, 1, 2], 1), targets: fresh.full([3, 1, 4], 0) });
  }
  expect(memories).toBe(before);
});

/** A custom layer without a step runner, whose state is the sum of its inputs. */
const sums: Layer = {
  name: 'sums',
  output: (input) => input,
  run: (_, input, { state }) => {
    if (!('storage' in input)) throw new TypeError('sums: expected vectors.');
    const previous = state?.['sum'];
    const output = previous === undefined ? multiply(input, 1) : add(input, previous);
    return { output, state: { sum: output } };
  },
};

const models: [string, () => Sequential][] = [
  ['an LSTM', () => sequential([recurrent(lstm(), { hiddenSize: 5 })], { inputSize: 3, seed: 1 })],
  [
    'a chain of layers',
    () =>
      sequential(
        [
          recurrent(gru(), { hiddenSize: 4, learnInitialState: true, zoneout: { h: 0.2 } }),
          residual([recurrent(simpleRnn(), { hiddenSize: 4 }), layerNorm()]),
          dropout(0.5),
          withoutBias(recurrent(gru({ reset: 'before' }), { hiddenSize: 3 })),
          dense({ size: 2 }),
        ],
        { inputSize: 3, seed: 2 },
      ),
  ],
  [
    'a custom layer',
    () => sequential([recurrent(lstm(), { hiddenSize: 4 }), sums, dense({ size: 2 })], { inputSize: 3, seed: 3 }),
  ],
];

describe.each(models)('streams of %s', (_, create) => {
  const inputs = Array.from({ length: 4 }, (_, i) =>
    Array.from({ length: 6 }, (_, t) => normal(0, 1)([i === 3 ? 2 : 1, 3], createRandom(100 * i + t))),
  );
  const open = (model: Sequential, i: number): Stream => stream(model, { batchSize: i === 3 ? 2 : 1 });
  /** The outputs of every stream, each run alone on a separate model. */
  const alone = inputs.map((steps, i) => {
    const running = open(create(), i);
    return steps.map((x) => advance(running, x));
  });

  it('are bit-identical to streams that run alone, in any order of their steps', () => {
    const model = create();
    const streams = inputs.map((_, i) => open(model, i));
    const random = createRandom(7);
    const outputs: Tensor[][] = streams.map(() => []);
    while (outputs.some((list) => list.length < 6)) {
      const i = Math.floor((normal(0, 1)([1], random).data[0]! + 10) * 1000) % 4;
      const t = outputs[i]!.length;
      if (t < 6) outputs[i]!.push(advance(streams[i]!, inputs[i]![t]!));
    }
    expect(outputs).toEqual(alone);
  });

  it('keep their states when another one is read, set or reset', () => {
    const model = create();
    const [first, second, third] = [open(model, 0), open(model, 1), open(model, 2)];
    for (let t = 0; t < 3; t++) advance(first, inputs[0]![t]!);
    const state = first.state as ModelState;
    second.state = state;
    third.state = state;
    advance(third, inputs[2]![0]!);
    third.state = undefined;
    for (let t = 3; t < 6; t++) {
      const expected = alone[0]![t]!;
      expect(advance(second, inputs[0]![t]!)).toEqual(expected);
      expect(advance(first, inputs[0]![t]!)).toEqual(expected);
    }
    expect(advance(third, inputs[2]![0]!)).toEqual(alone[2]![0]!);
  });

  it('keep the weights and the initial state of their opening when the model changes', () => {
    const model = create();
    const before = open(model, 0);
    model.data.fill(0.25);
    const after = open(model, 0);
    const changed = create();
    changed.data.fill(0.25);
    const expected = open(changed, 0);
    for (let t = 0; t < 3; t++) {
      expect(advance(before, inputs[0]![t]!)).toEqual(alone[0]![t]!);
      expect(advance(after, inputs[0]![t]!)).toEqual(advance(expected, inputs[0]![t]!));
    }
    before.state = undefined;
    expect(advance(before, inputs[0]![0]!)).toEqual(alone[0]![0]!);
  });
});

it('a changed bit of a weight is noticed: −0 instead of 0, and another NaN', () => {
  const model = sequential([embedding({ vocabularySize: 1, size: 1 })], { seed: 1 });
  const bitsAt = (bits: number): number => {
    new Int32Array(model.data.buffer)[0] = bits;
    return new Int32Array(advance(stream(model), intTensor([0])).data.buffer)[0]!;
  };
  for (const bits of [0, 0x80000000 | 0, 0x7fc00000, 0x7fc00001, 0x40000000]) expect(bitsAt(bits)).toBe(bits);
});

it('streamCell shares weights between cells, and keeps the streams apart', () => {
  const weights = initializeCell(lstm(), { inputSize: 2, hiddenSize: 3, random: 1 });
  const [a, b] = [streamCell(lstm(), weights), streamCell(lstm(), weights)];
  const x = tensor([[1, -1]]);
  const [first, second] = [advance(a, x), advance(a, x)];
  expect([advance(b, x), advance(b, x)]).toEqual([first, second]);
});

it('streams of a model with one batch size share their buffers', () => {
  const model = sequential([recurrent(lstm(), { hiddenSize: 64 })], { inputSize: 2 });
  const running = stream(model);
  const reserved = (): number => {
    const { base, free } = defaultWorkspace();
    return free.reduce((size, { start, end }) => size - (end - start), base);
  };
  const before = reserved();
  const others = Array.from({ length: 20 }, () => stream(model));
  expect(reserved()).toBe(before);
  expect([running, ...others].map((one) => advance(one, tensor([[1, 2]])))).toEqual(
    new Array(21).fill(tensor(predict(model, tensor([[[1, 2]]])).data, [1, 64])),
  );
});

it('a zoneout rate of 0 or undefined changes no bit of a stream', () => {
  const x = normal(0, 1)([1, 3], createRandom(1));
  const outputs = (zoneout: Readonly<Record<string, number>>): Tensor[] => {
    const running = stream(sequential([recurrent(lstm(), { hiddenSize: 9, zoneout })], { inputSize: 3, seed: 1 }));
    return [advance(running, x), advance(running, x), advance(running, x)];
  };
  const undefinedRate = JSON.parse('{}') as Record<string, number>;
  Object.assign(undefinedRate, { h: undefined });
  const expected = outputs({});
  expect(outputs({ h: 0, c: 0 })).toEqual(expected);
  expect(outputs(undefinedRate)).toEqual(expected);
});

it('a missing part of an assigned state is reset, and a malformed part changes nothing', () => {
  const running = stream(sequential([recurrent(lstm(), { hiddenSize: 2 })], { inputSize: 1, seed: 1 }));
  advance(running, tensor([[1]]));
  const before = running.state;
  const c = tensor([[3, 4]]);
  for (const h of [
    { shape: [1, 3], data: new Float32Array(3) },
    { shape: [1, 2], data: new Float32Array(3) },
  ])
    expect(() => {
      running.state = { lstm: { h, c } };
    }).toThrow(/^stream: layer lstm: state\.h must be/);
  expect(running.state).toEqual(before);
  const partial: Record<string, Tensor> = { c };
  Object.assign(partial, { h: undefined });
  running.state = { lstm: partial };
  expect(running.state).toEqual({ lstm: { h: tensor([[0, 0]]), c } });
});

it('a stream that is opened inside a computation does not change its values', () => {
  const model = sequential([embedding({ vocabularySize: 5, size: 2 }), recurrent(lstm(), { hiddenSize: 40 })], {
    seed: 1,
  });
  const expected = advance(stream(model), intTensor([3]));
  const other = sequential(
    model.layers.map(({ layer }) => layer),
    { seed: 2 },
  );
  let inside: Tensor | undefined;
  const { sum } = compute({ x: tensor([1, 2, 3]) }, ({ x }) => {
    const doubled = add(x, x);
    other.data.set(model.data);
    inside = advance(stream(other), intTensor([3]));
    return { sum: add(doubled, x) };
  });
  expect(inside).toEqual(expected);
  expect(sum.data).toEqual(Float32Array.of(3, 6, 9));
  expect(advance(stream(other), intTensor([3]))).toEqual(expected);
});

it('training and predictions between the steps of a stream do not change its results', async () => {
  const model = sequential([recurrent(lstm(), { hiddenSize: 6 })], { inputSize: 2, seed: 1 });
  const x = tensor([[1, 0.5]]);
  const [running, other] = [stream(model), stream(model)];
  const expected = Array.from({ length: 4 }, () => advance(other, x));
  const trained = sequential([recurrent(gru(), { hiddenSize: 60 })], { inputSize: 2, seed: 2 });
  const batch = {
    inputs: normal(0, 1)([50, 8, 2], createRandom(1)),
    targets: normal(0, 1)([50, 8, 60], createRandom(2)),
  };
  const trainer = truncatedBptt(trained, { window: 2, loss: meanSquaredError, optimizer: adam() });
  for (const output of expected) {
    expect(advance(running, x)).toEqual(output);
    await fit(trained, batch, { loss: meanSquaredError, optimizer: adam(), steps: 1 });
    trainOn(trainer, {
      inputs: normal(0, 1)([3, 1, 2], createRandom(3)),
      targets: normal(0, 1)([3, 1, 60], createRandom(4)),
    });
    predict(trained, batch.inputs);
  }
});

it('a stream keeps its memory when its weights and cell are collected, and gives it back with the last stream', async () => {
  const open = (seed: number): Stream<unknown> =>
    // Some cells are collected; lstm() is always the same object.
    streamCell(
      seed % 2 === 0 ? lstm() : { ...lstm() },
      initializeCell(lstm(), { inputSize: 40, hiddenSize: 90, random: seed }),
    );
  const x = normal(0, 1)([1, 40], createRandom(1));
  const expected = [open(1), open(1)].map((running) => [advance(running, x), advance(running, x)])[0]!;
  const running = open(1);
  const { base } = defaultWorkspace();
  for (let round = 0; round < 12; round++) {
    for (let i = 0; i < 30; i++) advance(open(2 + i), x);
    collectGarbage();
    await new Promise((resolve) => void setTimeout(resolve, 5));
  }
  // Each of the 360 streams has (40 + 90) · 360 weights.
  expect(defaultWorkspace().base - base).toBeLessThan(180 * 130 * 360);
  expect([advance(running, x), advance(running, x)]).toEqual(expected);
});

it('generate frees the weights of earlier updates without garbage collection, but not those of streams', () => {
  const layers = [embedding({ vocabularySize: 5, size: 100 }), recurrent(lstm(), { hiddenSize: 100 })];
  const model = sequential([...layers, dense({ size: 5 })], { seed: 1 });
  const options = { prompt: [1], length: 2 };
  const expected = advance(stream(model), intTensor([3]));
  const running = stream(model);
  const { base } = defaultWorkspace();
  for (let update = 0; update < 50; update++) {
    generate(model, options);
    model.data[update]! += 1;
  }
  // 50 copies of the weights, with panels, would take 8 million elements.
  expect(defaultWorkspace().base - base).toBeLessThan(1_000_000);
  expect(advance(running, intTensor([3]))).toEqual(expected);
});

it('calls of generate share the weights while the parameters stay the same, and leave them to streams', () => {
  const layers = [embedding({ vocabularySize: 5, size: 30 }), recurrent(lstm(), { hiddenSize: 30 })];
  const model = sequential([...layers, dense({ size: 5 })], { seed: 1 });
  const options = { prompt: [1], length: 2, temperature: 0 };
  const first = generate(model, options);
  const resident = residents.get(model.parameters);
  expect([generate(model, options), residents.get(model.parameters)]).toEqual([first, resident]);
  const expected = advance(stream(sequential([...layers, dense({ size: 5 })], { seed: 1 })), intTensor([3]));
  const running = stream(model);
  generate(model, options);
  expect(residents.get(model.parameters)).toBe(resident);
  model.data[0]! += 1;
  generate(model, options);
  expect(residents.get(model.parameters)).not.toBe(resident);
  // If the memory of the stream had been freed, this would take it.
  stream(sequential([...layers, dense({ size: 5 })], { seed: 2 }));
  expect(advance(running, intTensor([3]))).toEqual(expected);
});

it('a stream does not use weights that generate has freed before it failed for lack of memory', () => {
  const create = (seed: number): Sequential =>
    sequential([embedding({ vocabularySize: 6, size: 30 }), dense({ size: 6 })], { seed });
  const model = create(1);
  generate(model, { prompt: [1], length: 2 });
  const before = model.data.slice();
  model.data[0]! += 1;
  let isFirst = true;
  const failing = new Proxy(Float32Array, {
    construct(target, [size, ...others]: [unknown], ownClass) {
      if (typeof size !== 'number' || !isFirst) return Reflect.construct(target, [size, ...others], ownClass) as object;
      isFirst = false;
      throw new RangeError('Array buffer allocation failed');
    },
  });
  vi.stubGlobal('Float32Array', failing);
  expect(() => generate(model, { prompt: [1], length: 2 })).toThrow('Array buffer allocation failed');
  vi.unstubAllGlobals();
  model.data.set(before);
  const running = stream(model);
  // The weights of another model would overwrite those that are free.
  stream(create(2));
  expect(advance(running, intTensor([3])).data).toEqual(predict(model, intTensor([[3]])).data);
});

it('generate inside a computation does not change its values', async () => {
  vi.resetModules();
  // A memory without free blocks of earlier tests.
  const fresh = await import('../../src/index');
  const cell = fresh.lstm();
  const model = fresh.sequential([
    fresh.embedding({ vocabularySize: 5, size: 8 }),
    fresh.recurrent(cell, { hiddenSize: 5 }),
  ]);
  const { sum } = fresh.compute({ x: tensor([1, 2, 3]) }, ({ x }) => {
    const doubled = fresh.add(x, x);
    fresh.generate(model, { prompt: [1], length: 2 });
    // It must not get the memory of x.
    fresh.streamCell(cell, fresh.initializeCell(cell, { inputSize: 1, hiddenSize: 5, random: 1 }));
    return { sum: fresh.add(doubled, x) };
  });
  expect(sum.data).toEqual(Float32Array.of(3, 6, 9));
});

it('the engine can count the memory that a stream frees when it is collected', () => {
  const model = sequential([embedding({ vocabularySize: 100_000, size: 50 })]);
  collectGarbage();
  const { arrayBuffers } = process.memoryUsage();
  const running = stream(model);
  expect(process.memoryUsage().arrayBuffers - arrayBuffers).toBeGreaterThan(4 * 4_900_000);
  expect(running.outputSize).toBe(50);
});

describe.each([
  ['WebAssembly', createWorkspace],
  ['portable', () => portableWorkspace(Float32Array)],
] as const)('the blocks of a %s workspace', (_, create) => {
  it('do not overlap each other or the stack, and are reused when their reservation is freed', () => {
    const workspace = create();
    const start = workspace.top;
    const [first, second, third] = [1, 2, 3].map(() => reservationOf(workspace));
    const a = reserve(first!, 100);
    const b = reserve(second!, 60);
    const c = reserve(first!, 10);
    expect([b >= a + 100, c >= b + 60, workspace.top >= c + 10]).toEqual([true, true, true]);
    const stacked = allocate(workspace, 1000);
    expect(stacked).toBeGreaterThanOrEqual(c + 10);
    withMemory(workspace, () => {
      const inner = allocate(workspace, 50);
      freeBlocks(second!.held);
      // The freed block is reused; a larger block is above the stack.
      expect(reserve(third!, 40)).toBe(b);
      expect(reserve(third!, 500)).toBeGreaterThanOrEqual(inner + 50);
    });
    expect(allocate(workspace, 1)).toBeGreaterThanOrEqual(stacked + 1000 + 50 + 500);
    workspace.top = workspace.base;
    freeBlocks(first!.held);
    freeBlocks(third!.held);
    // Everything below the last block in use is free again, the range of the scope too.
    expect([workspace.base, workspace.top, workspace.free]).toEqual([start, start, []]);
    const [again, above] = [reservationOf(workspace), reservationOf(workspace)];
    expect(reserve(again, 100)).toBe(start);
    reserve(above, 1);
    freeBlocks(again.held);
    // A block fits into a free range of the same size.
    expect(reserve(reservationOf(workspace), 100)).toBe(start);
    expect(workspace.free.every(({ start, end }) => start === end)).toBe(true);
  });

  it('take no more memory when as many are reserved again, in sizes of any order', () => {
    const workspace = create();
    const random = createRandom(1);
    const live: ReturnType<typeof reservationOf>[] = [];
    let highest = 0;
    for (let i = 0; i < 4000; i++) {
      const draw = (normal(0, 1)([1], random).data[0]! * 1000) | 0;
      if (live.length > 30) freeBlocks(live.splice(Math.abs(draw) % live.length, 1)[0]!.held);
      const reservation = reservationOf(workspace);
      reserve(reservation, Math.abs(draw) + 1);
      live.push(reservation);
      if (i === 1000) highest = workspace.base;
    }
    expect(workspace.base).toBeLessThan(1.5 * highest);
  });
});

it('the memory grows by half, or to the size needed if the engine has no more; a larger size is an error', () => {
  const lengths: number[] = [];
  const created = portableWorkspace(Float32Array);
  const workspace = {
    ...created,
    enlarge(length: number) {
      lengths.push(length);
      if (length > 10_000) throw new RangeError('no memory');
      created.enlarge(length);
    },
  };
  allocate(workspace, 4000);
  allocate(workspace, 2000);
  expect(lengths).toEqual([6144]);
  allocate(workspace, 3000);
  expect(lengths.slice(1)).toEqual([9216]);
  allocate(workspace, 900);
  expect(lengths.slice(2)).toEqual([13_824, 9916]);
  expect(() => allocate(workspace, 2 ** 30)).toThrow('no memory');
  // Earlier allocations stay.
  expect(allocate(workspace, 4)).toBe(9900);
});

it.each([
  ['portable', () => portableWorkspace(Float32Array)],
  ['the fastest', createWorkspace],
])(
  'the memory keeps its content when it grows, and grows by less than a page too much, with %s kernels',
  (_, create) => {
    const workspace = create();
    const offset = allocate(workspace, 4);
    workspace.memory.view.set([1, 2, 3, 4], offset);
    const { length } = workspace.memory.view;
    // It has room for the elements that kernels may read past the end of an operand.
    allocate(workspace, length - workspace.top - 16);
    expect(workspace.memory.view.length).toBe(length);
    const longer = 3 * length + 4;
    workspace.enlarge(longer);
    const { view } = workspace.memory;
    expect(view.length).toBeGreaterThanOrEqual(longer);
    expect(view.length).toBeLessThan(longer + 16_384);
    expect([...view.subarray(offset, offset + 4)]).toEqual([1, 2, 3, 4]);
  },
);
