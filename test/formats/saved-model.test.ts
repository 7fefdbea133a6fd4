/** Saved models load bit for bit without the code that built them; malformed files are rejected. */

import { readFileSync } from 'node:fs';
import {
  adam,
  add,
  additiveScore,
  attentionPooling,
  type BidirectionalOptions,
  batchesOf,
  beamSearch,
  bidirectional,
  bytePairVocabulary,
  type Cell,
  characterVocabulary,
  createRandom,
  crossEntropy,
  customModel,
  type DirectionOptions,
  decode,
  dense,
  dotScore,
  dropout,
  type EncoderDecoder,
  embedding,
  encode,
  encoderDecoder,
  fit,
  full,
  generalScore,
  gru,
  gruWith,
  hardSigmoid,
  type Initializer,
  integerNumber,
  type Layer,
  type LoadOptions,
  layerNorm,
  layerNormGru,
  layerNormLstm,
  layerNormRnn,
  load,
  loadEncoderDecoder,
  loadInto,
  lstm,
  meanSquaredError,
  multiply,
  normal,
  padSequences,
  pairBatches,
  predict,
  projectedLstm,
  readSafetensors,
  recurrent,
  relu,
  residual,
  type Scaler,
  type Sequential,
  save,
  scaledDotScore,
  scaleWith,
  sequential,
  sigmoid,
  simpleRnn,
  softmax,
  standardScaler,
  type Tensor,
  type TrainingState,
  tanh,
  tensor,
  type Variable,
  type Vocabulary,
  windows,
  writeSafetensors,
} from 'bptt';
import { describe, expect, it, vi } from 'vitest';
import { version } from '../../src/tensor/version';

const cells: Record<string, () => Cell> = {
  simpleRnn: () => simpleRnn(),
  'simpleRnn, relu': () => simpleRnn({ activation: relu }),
  'simpleRnn, sigmoid': () => simpleRnn({ activation: sigmoid }),
  lstm,
  gru: () => gru(),
  'gru, reset before': () => gru({ reset: 'before' }),
  projectedLstm: () => projectedLstm({ projectionSize: 3 }),
  layerNormRnn: () => layerNormRnn({ activation: relu, epsilon: 1e-3 }),
  layerNormLstm: () => layerNormLstm(),
  layerNormGru: () => layerNormGru({ epsilon: 0.1 }),
};
const random = createRandom(3);
const x = normal(0, 1)([5, 3, 4], random);

/** Changes the parameters to values that no initializer gives. */
function perturbed(model: Sequential): Sequential {
  model.data.forEach((value, i) => {
    model.data[i] = value + 0.1 * Math.sin(i);
  });
  return model;
}

function expectSame(model: Sequential, loaded: Sequential, input: Tensor = x): void {
  expect(loaded.layers.map(({ name }) => name)).toEqual(model.layers.map(({ name }) => name));
  expect(loaded.parameters).toEqual(model.parameters);
  expect(new Uint8Array(loaded.data.slice().buffer)).toEqual(new Uint8Array(model.data.slice().buffer));
  expect(predict(loaded, input)).toEqual(predict(model, input));
}

describe('save and load', () => {
  it.each(Object.entries(cells))('%s round-trips in recurrent layers with every option', (_, cell) => {
    const layers = [
      recurrent(cell(), {
        hiddenSize: 6,
        inputDropout: 0.1,
        recurrentDropout: 0.2,
        zoneout: { h: 0.1 },
        learnInitialState: true,
        recurrentInitializer: normal(0, 1),
      }),
      recurrent(cell(), { hiddenSize: 5, reverse: true }),
      bidirectional(cell(), { hiddenSize: 4, merge: 'mean', returnSequences: false }),
    ];
    const model = perturbed(sequential(layers, { inputSize: 4, seed: 8 }));
    expectSame(model, load(save(model)).model);
  });

  it('every other layer round-trips, nested as well', () => {
    const inner: Layer[] = [
      residual([dense({ size: 4, activation: tanh }), residual([layerNorm({ epsilon: 0.01 }), dropout(0.25)])]),
    ];
    for (const score of [dotScore(), scaledDotScore(), generalScore(), additiveScore({ size: 7 })]) {
      const model = perturbed(
        sequential([...inner, attentionPooling({ score }), dense({ size: 3, activation: softmax })], { inputSize: 4 }),
      );
      expectSame(model, load(save(model)).model);
    }
    const idModel = sequential(
      [embedding({ vocabularySize: 9, size: 2, initializer: normal(0, 3) }), dense({ size: 1 })],
      { seed: 2 },
    );
    expect(load(save(idModel)).model.data).toEqual(idModel.data);
    expect(load(save(idModel)).model.input).toEqual({ kind: 'ids' });
  });

  it('the options round-trip: training the loaded model gives the same parameters', async () => {
    const model = sequential([
      embedding({ vocabularySize: 4, size: 3 }),
      recurrent(lstm(), { hiddenSize: 4, recurrentDropout: 0.5, zoneout: { c: 0.3 } }),
      dropout(0.4),
      dense({ size: 4 }),
    ]);
    const { model: loaded } = load(save(model));
    const data = windows(
      Int32Array.from({ length: 90 }, (_, i) => (i * i) % 4),
      { sequenceLength: 6, batchSize: 4 },
    );
    for (const trained of [model, loaded])
      await fit(trained, data, { loss: crossEntropy, optimizer: adam(0.1), steps: 5, seed: 3 });
    expect(loaded.data).toEqual(model.data);
  });

  it('arrays and options that are changed after the layers are created have no effect', () => {
    const options = { hiddenSize: 4, returnSequences: true };
    const reverse: Partial<DirectionOptions> = { hiddenSize: 3 };
    const directions: BidirectionalOptions = { hiddenSize: 2, reverse };
    const head: { size: number; activation?: typeof tanh } = { size: 4, activation: tanh };
    const inner = [dense(head)];
    const layers: Layer[] = [
      residual(inner),
      recurrent(gru(), options),
      bidirectional(lstm(), directions),
      recurrent(gru(), Object.assign(options, { hiddenSize: 2, returnSequences: false, zoneout: { h: 0.5 } })),
    ];
    const model = perturbed(sequential(layers, { inputSize: 4, seed: 8 }));
    const output = predict(model, full([3, 2, 4], 0.5));
    Object.assign(reverse, { hiddenSize: 9, cell: gru() });
    Object.assign(options, { hiddenSize: 7, reverse: true });
    delete head.activation;
    head.size = 2;
    inner.push(dense(head));
    layers.reverse();
    expect(predict(model, full([3, 2, 4], 0.5))).toEqual(output);
    expectSame(model, load(save(model)).model);

    const encoder = [embedding({ vocabularySize: 6, size: 4 }), recurrent(gru(), { hiddenSize: 4 })];
    const decoder = { vocabularySize: 6, embeddingSize: 4, cell: gru(), hiddenSize: 5, layers: 2 };
    const translator = encoderDecoder({ encoder, decoder, start: 0, end: 1, seed: 3 });
    const source = padSequences([Int32Array.of(2, 3)]);
    const found = beamSearch(translator, source);
    encoder.reverse();
    decoder.layers = 1;
    expect(beamSearch(translator, source)).toEqual(found);
    expect(beamSearch(loadEncoderDecoder(save(translator)).model, source)).toEqual(found);
  });

  it('a loaded encoder-decoder generates the same', async () => {
    const model = encoderDecoder({
      encoder: [embedding({ vocabularySize: 6, size: 4 }), bidirectional(gru(), { hiddenSize: 4 })],
      decoder: {
        vocabularySize: 6,
        embeddingSize: 4,
        cell: lstm(),
        hiddenSize: 5,
        layers: 2,
        attention: additiveScore({ size: 6 }),
        inputFeeding: true,
        dropout: 0.1,
      },
      start: 0,
      end: 1,
      scheduledSampling: 0.1,
      seed: 3,
    });
    const pairs = [
      [2, 3, 4],
      [5, 2],
    ].map((ids) => ({ input: Int32Array.from(ids), target: Int32Array.from([...ids, 1]) }));
    await fit(model, pairBatches(pairs, { batchSize: 2 }), { optimizer: adam(0.05), steps: 10 });
    const { model: loaded } = loadEncoderDecoder(save(model));
    expect(loaded.parameters).toEqual(model.parameters);
    const source = padSequences(pairs.map(({ input }) => input));
    expect(beamSearch(loaded, source, { beamSize: 3 })).toEqual(beamSearch(model, source, { beamSize: 3 }));
    expect(() => load(save(model))).toThrow(
      'load: the file has a model created by encoderDecoder. Use loadEncoderDecoder.',
    );
    expect(() => loadEncoderDecoder(save(small()))).toThrow(
      'loadEncoderDecoder: the file has a model created by sequential, expected encoderDecoder.',
    );
  });

  it('vocabularies, scalers and other extras round-trip', () => {
    const texts = 'Call me Ishmael — grüß dich 🐋';
    const vocabulary = characterVocabulary(texts, { marks: ['unknown'] });
    const pairs = bytePairVocabulary(texts.repeat(3), { size: 270, marks: ['end'] });
    const scaler = standardScaler(
      tensor([
        [1, 0.1],
        [3, 0.7],
      ]),
    );
    const { extras } = load(
      save(small(), {
        extras: { vocabulary, pairs, scaler, note: { text: '\u0000"\ud800', list: [1, null, true, 1e-320] } },
      }),
    );
    expect(extras).toEqual({
      vocabulary,
      pairs,
      scaler,
      note: { text: '\u0000"\ud800', list: [1, null, true, 1e-320] },
    });
    expect(decode(extras['pairs'] as Vocabulary, encode(extras['pairs'] as Vocabulary, texts))).toBe(texts);
    expect(scaleWith(extras['scaler'] as Scaler, tensor([[2, 3]]))).toEqual(scaleWith(scaler, tensor([[2, 3]])));
    // Objects without prototype, as parsers return them.
    const plain: unknown = Object.assign(Object.create(null), { key: 1 });
    expect(load(save(small(), { extras: { plain } })).extras).toEqual({ plain: { key: 1 } });
    const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
    const deep = { extras: { deep: nested(63) } };
    expect(load(save(small(), deep)).extras).toEqual(deep.extras);
    expect(() => save(small(), { extras: { deep: nested(64) } })).toThrow('is more than 64 levels deep.');
    for (const [value, name] of [
      [new Float32Array(2), 'a Float32Array'],
      [NaN, 'NaN'],
      [() => 1, 'the function'],
      [new Map(), 'an instance of Map'],
    ] as const) {
      expect(() => save(small(), { extras: { deep: [{ value }] } })).toThrow(
        `save: extras.deep[0].value must be plain data (numbers, text, arrays, objects), got ${name}`,
      );
    }
  });

  it('custom functions, cells and layers are restored from customObjects', () => {
    const double = (v: Variable): Variable => add(v, v);
    const hardTanh = {
      name: 'hardTanh',
      forward: (v: number) => Math.max(-1, Math.min(1, v)),
      derivative: (v: number) => (Math.abs(v) < 1 ? 1 : 0),
    };
    const shifted = (by: number): Layer => ({
      name: 'shifted',
      origin: ['shifted', by],
      output: (input) => input,
      run: (_, input) => ({ output: add(input as Variable, tensor(by)) }),
    });
    const model = perturbed(
      sequential(
        [
          dense({ size: 4, activation: double }),
          residual([shifted(0.5)]),
          recurrent(simpleRnn({ activation: hardTanh }), { hiddenSize: 3 }),
        ],
        { inputSize: 4 },
      ),
    );
    const customObjects = { double, hardTanh, shifted };
    expectSame(model, load(save(model, { customObjects }), { customObjects }).model);
    expect(() => save(model)).toThrow(
      /save: sequential\[0\] \(dense\)\.activation is a function without a name\. Name it in customObjects/,
    );
    expect(() => load(save(model, { customObjects }))).toThrow('load: the file contains the unknown name "double".');
    expect(() => save(sequential([shifted(Infinity)], { inputSize: 2 }), { customObjects })).toThrow(
      'save: sequential[0] (shifted)[0] must be a finite number to be saved, got Infinity.',
    );
    const { origin: _, ...nameless } = shifted(1);
    expect(() => save(sequential([nameless], { inputSize: 2 }), { customObjects })).toThrow(
      /without a name.* a custom cell or layer needs an origin: \['myName', …arguments\]\.$/,
    );
    // JavaScript only: the function instead of its name.
    const misnamed: Layer = { ...shifted(1), origin: [shifted as unknown as string, 1] };
    expect(() => save(sequential([misnamed], { inputSize: 2 }), { customObjects })).toThrow(
      'save: sequential[0].origin[0] must be a string, got the function shifted.',
    );
  });

  it('an option of a custom layer is stored whatever its name, unless it is an initializer: a function', () => {
    const filled = (options: { readonly initializer: number; readonly weightInitializer?: Initializer }): Layer => ({
      name: 'filled',
      origin: ['filled', options],
      output: (input) => input,
      run: (_, input) => ({ output: add(input as Variable, tensor(options.initializer)) }),
    });
    const model = sequential([filled({ initializer: 3, weightInitializer: normal() })], { inputSize: 2 });
    const customObjects = { filled };
    const loaded = load(save(model, { customObjects }), { customObjects }).model;
    expect(predict(loaded, full([1, 1, 2], 1)).data).toEqual(Float32Array.of(4, 4));
  });

  it('a custom function is that of the name, not another one with its source or a function of the library', () => {
    const scaledBy = (factor: number) => ({ activation: (x: Variable): Variable => multiply(x, factor) });
    const [half, double] = [scaledBy(0.5).activation, scaledBy(2).activation];
    const model = sequential([dense({ size: 2, activation: double })], { inputSize: 4 });
    expect(() => save(model, { customObjects: { half } })).toThrow('is a function without a name');
    const customObjects = { half, tanh: double };
    expectSame(model, load(save(model, { customObjects }), { customObjects }).model);
  });

  it('a function of the library is not confused with a custom one, even if the engine does not keep the source', () => {
    const custom = { relu: (x: Variable): Variable => relu(multiply(x, 2)) };
    const saveCustom = () => save(sequential([dense({ size: 2, activation: custom.relu })], { inputSize: 2 }));
    expect(saveCustom).toThrow('is a function without a name');
    // Hermes.
    const source = vi.spyOn(Function.prototype, 'toString').mockReturnValue('function relu(a0) { [bytecode] }');
    try {
      expect(saveCustom).toThrow('is a function without a name');
    } finally {
      source.mockRestore();
    }
  });

  it('the parameters of a custom model load into it', () => {
    const make = () =>
      customModel({ line: { slope: tensor([2, 3]) }, list: [tensor(1)] }, (p, batch: { x: Tensor }) =>
        meanSquaredError(multiply(batch.x, p.line.slope), batch.x),
      );
    const model = make();
    const file = save(model, { extras: { a: 1 } });
    expect(() => load(file)).toThrow(
      'load: the file has parameters without an architecture, such as those of a customModel. Create the model and ' +
        'use loadInto.',
    );
    model.data.fill(0);
    expect(loadInto(model, file)).toEqual({ extras: { a: 1 }, training: undefined });
    const twice = customModel({ 'a.b': tensor(1), a: { b: tensor(2) } }, () => undefined as never);
    expect(() => save(twice)).toThrow('save: two parameters are named a.b.');
    expect([...model.data]).toEqual([2, 3, 1]);
    const other = customModel({ line: { slope: tensor([2]) } }, () => undefined as never);
    expect(() => loadInto(other, file)).toThrow('loadInto: line.slope must be [1], the file has [2].');
    expect([...other.data]).toEqual([2]);
  });

  it('the file is safetensors and records the version of the library', () => {
    const { tensors, metadata } = readSafetensors(save(small()));
    expect(Object.keys(tensors)).toEqual([
      'gru.weightIh',
      'gru.weightHh',
      'gru.bias',
      'gru.biasHn',
      'dense.weight',
      'dense.bias',
    ]);
    expect(JSON.parse(metadata['bptt.model']!)).toEqual([
      'sequential',
      [
        { $make: ['recurrent', { $make: ['gru'] }, { hiddenSize: 2 }] },
        { $make: ['dense', { size: 1, activation: { $name: 'tanh' } }] },
      ],
      { inputSize: 1 },
    ]);
    expect([metadata['bptt.format'], metadata['bptt.version']]).toEqual(['1', version]);
    expect(
      (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version,
    ).toBe(version);
  });
});

it.each(['before', 'after'] as const)('loads a GRU of version 0.1 with hard sigmoid gates and reset %s', (reset) => {
  const slope = 0.2;
  const cell = gruWith({ gateActivation: hardSigmoid(slope), reset });
  const model = perturbed(sequential([recurrent(cell, { hiddenSize: 3 })], { inputSize: 4 }));
  const { tensors, metadata } = readSafetensors(save(model));
  const description = JSON.stringify([
    'sequential',
    [{ $make: ['recurrent', { $make: ['hardSigmoidGru', { slope, reset }] }, { hiddenSize: 3 }] }],
    { inputSize: 4 },
  ]);
  const earlier = Object.entries(tensors).map(([name, values]) => [name.replace(/^\w+/, 'hardSigmoidGru'), values]);
  const file = writeSafetensors(Object.fromEntries(earlier), { ...metadata, 'bptt.model': description });
  expect(predict(load(file).model, x)).toEqual(predict(model, x));
});

const small = (): Sequential =>
  sequential([recurrent(gru(), { hiddenSize: 2 }), dense({ size: 1, activation: tanh })], { inputSize: 1, seed: 5 });

describe('the training state', () => {
  const data = windows(
    Int32Array.from({ length: 90 }, (_, i) => (i * i) % 4),
    { sequenceLength: 6, batchSize: 4, shuffle: false },
  );
  const options = {
    loss: crossEntropy,
    optimizer: adam(0.05),
    steps: 9,
    carryState: true,
    validation: data,
    patience: 9,
  };
  const make = (): Sequential =>
    sequential([
      embedding({ vocabularySize: 4, size: 3 }),
      recurrent(lstm(), { hiddenSize: 4 }),
      dropout(0.4),
      dense({ size: 4 }),
    ]);

  it('is saved with the model, and resumed training ends with the same parameters bit for bit', async () => {
    const whole = make();
    const files: Uint8Array[] = [];
    const states: TrainingState[] = [];
    const result = await fit(whole, data, {
      ...options,
      checkpoint: {
        every: 2,
        write: (training) => {
          states.push(training);
          files.push(save(whole, { training, extras: { step: training.step } }));
        },
      },
    });
    expect(files).toHaveLength(4);
    for (const [i, file] of files.entries()) {
      const { model, extras, training } = load(file);
      expect(extras['step']).toBe(training!.step);
      expect(training).toEqual(states[i]);
      expect(model.data).toEqual(states[i]!.parameters);
      expect(await fit(model, data, { ...options, resume: training })).toEqual(result);
      expect(model.data).toEqual(whole.data);
      const other = make();
      expect(loadInto(other, file).training).toEqual(states[i]);
    }
  });

  it('has the losses of accumulated batches bit for bit', async () => {
    const accumulated = { loss: crossEntropy, optimizer: adam(0.05), epochs: 2, accumulate: 3 };
    const whole = make();
    let file = save(whole);
    const { losses } = await fit(whole, data, {
      ...accumulated,
      checkpoint: {
        every: 1,
        write: (training) => {
          if (training.epoch === 2) file = save(whole, { training });
        },
      },
    });
    const { model, training } = load(file);
    expect(training!.losses.length).toBeGreaterThan(0);
    expect((await fit(model, data, { ...accumulated, resume: training })).losses).toEqual(losses);
  });

  it('is saved with an encoder-decoder as well', async () => {
    const make = (): EncoderDecoder =>
      encoderDecoder({
        encoder: [embedding({ vocabularySize: 5, size: 3 }), recurrent(gru(), { hiddenSize: 3 })],
        decoder: {
          vocabularySize: 5,
          embeddingSize: 3,
          cell: gru(),
          hiddenSize: 3,
          attention: dotScore(),
          dropout: 0.3,
        },
        start: 0,
        end: 1,
        scheduledSampling: 0.3,
      });
    const pairs = [
      [2, 3],
      [4, 2, 2],
      [3, 3],
    ].map((ids) => ({ input: Int32Array.from(ids), target: Int32Array.from([...ids, 1]) }));
    const batches = pairBatches(pairs, { batchSize: 2 });
    const whole = make();
    const files: Uint8Array[] = [];
    const rates = { optimizer: adam(0.05), steps: 7 };
    await fit(whole, batches, {
      ...rates,
      checkpoint: { every: 3, write: (training) => files.push(save(whole, { training })) },
    });
    for (const file of files) {
      const { model, training } = loadEncoderDecoder(file);
      await fit(model, batches, { ...rates, resume: training });
      expect(model.data).toEqual(whole.data);
    }
  });

  it('losses that are not finite round-trip', () => {
    const state = {
      ...example(),
      smoothedLoss: NaN,
      validationLosses: [Infinity, 0.1],
      best: { loss: -Infinity, epoch: 1, parameters: new Float32Array(small().data.length) },
    };
    const { training } = load(save(small(), { training: state }));
    expect(training).toEqual(state);
  });

  const example = (): TrainingState => ({
    step: 1,
    epoch: 1,
    position: 1,
    parameters: small().data.map((v) => v + 1),
    optimizer: { step: 1, slots: [small().data] },
    random: Uint32Array.of(1, 2, 3, 4),
    draws: [{ position: 0, random: Uint32Array.of(0, 0, 0, 2 ** 32 - 1) }],
    losses: [0.5],
    smoothedLoss: 0.5,
    validationLosses: [],
    best: undefined,
    carried: undefined,
  });

  it('of another model is rejected by save', () => {
    const model = sequential([dense({ size: 1 })], { inputSize: 1 });
    const { parameters } = example();
    const message = `save: training must be of a model with 2 parameters, got one with ${parameters.length}.`;
    expect(() => save(model, { training: example() })).toThrow(message);
    const own = { ...example(), parameters: model.data };
    expect(() => save(model, { training: own })).toThrow(message);
    const best = { loss: 0, epoch: 1, parameters };
    const optimizer = { step: 1, slots: [model.data] };
    expect(() => save(model, { training: { ...own, optimizer, best } })).toThrow(message);
    expect(load(save(model, { training: { ...own, optimizer } })).training!.parameters).toEqual(model.data);
  });

  it('with carried states that are named as properties of all objects changes none of them', () => {
    const { tensors, metadata } = readSafetensors(
      save(small(), { training: { ...example(), carried: { gru: { h: full([1, 2], 1) } } } }),
    );
    const names = ['__proto__.added', 'constructor.added', 'toString.added'];
    const others = Object.fromEntries(names.map((name) => [`training/carried.${name}`, full([1], 1)]));
    const { carried } = load(writeSafetensors({ ...tensors, ...others }, metadata)).training!;
    expect(Object.keys(carried!)).toEqual(['gru', '__proto__', 'constructor', 'toString']);
    for (const object of [{}, Object, Object.prototype.toString]) expect(object).not.toHaveProperty('added');
  });

  it('is rejected if malformed', () => {
    const { tensors, metadata } = readSafetensors(save(small(), { training: example() }));
    const record = JSON.parse(metadata['bptt.training']!) as Record<string, unknown>;
    const changed = (change: Record<string, unknown>): Uint8Array =>
      writeSafetensors(tensors, { ...metadata, 'bptt.training': JSON.stringify({ ...record, ...change }) });
    expect(load(changed({})).training).toEqual(example());
    const malformed: [Record<string, unknown>, string][] = [
      [{ step: -1 }, 'bptt.training.step must be an integer'],
      [{ step: 1e9 }, 'training/losses must have 1000000000 elements'],
      [{ slots: 1e9 }, 'more than the number of tensors in the file'],
      [{ random: [1, 2] }, 'must be four 32-bit unsigned integers'],
      [{ random: 'abcd' }, 'must be an array'],
      [{ random: [0, 0, 0, 0] }, 'that are not all 0'],
      [{ random: [1, 2, 3, 2 ** 32] }, 'must be four 32-bit unsigned integers'],
      [{ random: [1, 2, 3, 0.5] }, 'must be four 32-bit unsigned integers'],
      [{ random: [1, 2, 3, -1] }, 'must be four 32-bit unsigned integers'],
      [{ random: [1, 2, 3, '4'] }, 'must be four 32-bit unsigned integers'],
      [{ draws: [{ position: 0, random: [0, 0, 0, 0] }] }, 'that are not all 0'],
      [{ draws: [{ position: -1, random: [1, 2, 3, 4] }] }, 'bptt.training.position must be an integer of at least 0'],
      [{ epoch: 0 }, 'bptt.training.epoch must be an integer of at least 1'],
      [{ epoch: 2 }, 'load: bptt.training.epoch must be a number from 1 to 1, got 2.'],
      [
        { draws: [{ position: 1e9, random: [1, 2, 3, 4] }] },
        'load: bptt.training.position must be a number from 0 to 1, got 1000000000.',
      ],
      [{ best: { loss: '1', epoch: 2 } }, 'load: bptt.training.epoch must be a number from 1 to 1, got 2.'],
      [{ epoch: '1' }, 'bptt.training.epoch must be an integer of at least 1'],
      [{ position: -3 }, 'bptt.training.position must be an integer of at least 1'],
      [{ optimizerStep: -1 }, 'bptt.training.optimizerStep must be an integer of at least 0'],
      [{ optimizer: 3 }, 'bptt.training.optimizer must be the name of an optimizer'],
      [{ smoothedLoss: 'low' }, 'bptt.training.smoothedLoss must be a string with a number'],
      [{ smoothedLoss: '' }, 'bptt.training.smoothedLoss must be a string with a number'],
      [{ validationLosses: ['0.5', 'x'] }, 'bptt.training.validationLosses must be a string with a number'],
      [{ best: { loss: 'x', epoch: 1 } }, 'bptt.training.best.loss must be a string with a number'],
      [{ best: { loss: '1', epoch: 0 } }, 'bptt.training.epoch must be an integer of at least 1'],
      [{ draws: [3] }, 'must be objects'],
      [{ draws: null }, 'must be an array'],
      [{ best: 7 }, 'must be objects'],
      [{ best: { loss: '1', epoch: 1 } }, 'training/best must have'],
      [{ smoothedLoss: null }, 'must be a string with a number'],
      [{ slots: 2 }, 'training/optimizer.1 must have'],
    ];
    for (const [change, message] of malformed)
      expect(() => load(changed(change)), JSON.stringify(change)).toThrow(message);
    const withoutLoss = { ...tensors, 'training/losses': tensor([NaN]) };
    expect(() => load(writeSafetensors(withoutLoss, metadata))).toThrow('training/losses must be numbers, got NaN.');
    expect(() => load(writeSafetensors(tensors, { ...metadata, 'bptt.training': '[' }))).toThrow(
      'load: bptt.training in the file is not JSON.',
    );
  });
});

it('errors name the public function that was called', () => {
  const file = save(small()).slice(0, 40);
  expect(() => load(file)).toThrow(
    /^load: the header length is \d+ bytes, but only 32 follow\. Is the file truncated\?/,
  );
  expect(() => loadEncoderDecoder(file)).toThrow(/^loadEncoderDecoder: the header length is/);
  expect(() => loadInto(small(), file)).toThrow(/^loadInto: the header length is/);
  expect(() => load('text' as never)).toThrow(/^load: file must be a Uint8Array or an ArrayBuffer, got a string\./);
  expect(() => loadInto(small(), save(small()), { customObject: {} } as LoadOptions)).toThrow(
    new TypeError('loadInto: options must have only customObjects, got customObject.'),
  );
  for (const [customObjects, got] of [
    [3, '3'],
    [null, 'null'],
    [[small], 'an array'],
  ] as [never, string][]) {
    const expected = `customObjects must be an object, got ${got}.`;
    expect(() => save(small(), { customObjects })).toThrow(new TypeError(`save: ${expected}`));
    expect(() => load(save(small()), { customObjects })).toThrow(new TypeError(`load: ${expected}`));
    expect(() => loadEncoderDecoder(save(small()), { customObjects })).toThrow(
      new TypeError(`loadEncoderDecoder: ${expected}`),
    );
    expect(() => loadInto(small(), save(small()), { customObjects })).toThrow(new TypeError(`loadInto: ${expected}`));
  }
  const unused = { unused: () => undefined };
  expect(load(save(small()), { customObjects: unused }).model.data).toEqual(small().data);
  const reserved = customModel({ 'training/x': tensor(1) }, (p) => p['training/x']);
  expect(() => save(reserved)).toThrow('save: the path of a parameter must not start with training/, got training/x.');
  const unsavable = customModel({ '\ud800': tensor(1) }, (p) => p['\ud800']);
  expect(() => save(unsavable)).toThrow('save: "\\ud800" has an unpaired surrogate.');
});

it('load rejects a file with a parameter of another type', () => {
  const file = save(small());
  const at = [...file].findIndex((_, i) => String.fromCharCode(...file.subarray(i, i + 5)) === '"F32"');
  file.set(new TextEncoder().encode('I32'), at + 1);
  expect(() => load(file)).toThrow(/^load: [a-zA-Z.]+ in the file must be of type F32\.$/);
});

describe('files that save did not write are rejected', () => {
  const { tensors, metadata } = readSafetensors(save(small()));
  const model = JSON.parse(metadata['bptt.model']!) as [string, unknown[], object];
  const fileWith = (
    description: unknown,
    more: Record<string, string> = {},
    others: Record<string, Tensor> = tensors,
  ): Uint8Array =>
    writeSafetensors(others, {
      ...metadata,
      'bptt.model': typeof description === 'string' ? description : JSON.stringify(description),
      ...more,
    });
  const deep = `${'['.repeat(5000)}${']'.repeat(5000)}`;
  it.each<[string, Uint8Array, string]>([
    [
      'other safetensors',
      writeSafetensors(tensors),
      'load: the safetensors file was not written by save. Read its tensors with readSafetensors.',
    ],
    [
      'a newer layout',
      fileWith(model, { 'bptt.format': '2', 'bptt.version': '9.0.0' }),
      'load: the file has layout 2, this version supports layouts up to 1. It was written by version 9.0.0.',
    ],
    ...['-1', '0', '1.5', 'one', '', '0x1', '1e0', ' 1'].map((format): [string, Uint8Array, string] => [
      `the layout ${JSON.stringify(format)}`,
      fileWith(model, { 'bptt.format': format }),
      `load: bptt.format must be the number of a layout, got ${format}.`,
    ]),
    ['not JSON', fileWith('{'), 'load: bptt.model in the file is not JSON.'],
    ['not a description', fileWith({ a: 1 }), 'load: the file does not describe a model.'],
    [
      'an unknown layer',
      fileWith(['sequential', [{ $make: ['transformer', {}] }], {}]),
      'load: the file contains the unknown name "transformer".',
    ],
    [
      'a property of Object.prototype',
      fileWith(['sequential', [{ $make: ['constructor', 'return 1'] }], {}]),
      'load: the file contains the unknown name "constructor"',
    ],
    [
      'an object as a constructor name',
      fileWith(['sequential', [{ $make: [{ a: 1 }] }], {}]),
      'load: the file contains the unknown name {"a":1}',
    ],
    [
      'an activation as a constructor name',
      fileWith(['sequential', [{ $make: ['tanh', 1] }], {}]),
      'load: the file has a part that cannot be constructed',
    ],
    [
      'a layer without its size',
      fileWith(['sequential', [{ $make: ['dense'] }], { inputSize: 1 }]),
      'load: the file has a part that cannot be constructed',
    ],
    [
      'a number as a layer',
      fileWith(['sequential', [7], { inputSize: 1 }]),
      'load: cannot build the model of the file: sequential: layers[0] must be a layer, got 7.',
    ],
    [
      'null as a layer',
      fileWith(['sequential', [null], { inputSize: 1 }]),
      'load: cannot build the model of the file: sequential: layers[0] must be a layer, got null.',
    ],
    [
      'an activation as a layer',
      fileWith(['sequential', [{ $name: 'tanh' }], { inputSize: 1 }]),
      'load: cannot build the model of the file: sequential: layers[0] must be a layer, got the function tanh.',
    ],
    [
      'a construction without a name',
      fileWith(['sequential', [{ $make: [] }], { inputSize: 1 }]),
      'load: the file contains the unknown name undefined.',
    ],
    [
      'no layers',
      fileWith(['sequential', [], {}]),
      'load: cannot build the model of the file: sequential: layers must hold at least one layer',
    ],
    ['no arguments', fileWith(['sequential']), 'load: cannot build the model of the file'],
    ['excessive nesting', fileWith(`["sequential",${deep}]`), 'load: bptt.model is more than 256 levels deep.'],
    [
      'a size of billions',
      fileWith(JSON.parse(JSON.stringify(model).replace('"hiddenSize":2', '"hiddenSize":2000000000'))),
      'load: gru.weightIh must be [1, 6000000000], the file has [1, 6].',
    ],
    [
      'an additional layer',
      fileWith([model[0], [...model[1], { $make: ['dense', { size: 1 }] }], model[2]]),
      'load: the file has no dense2.weight [1, 1].',
    ],
    [
      'a missing layer',
      fileWith([model[0], model[1].slice(0, 1), model[2]]),
      'load: the file has dense.weight, dense.bias, but the model has no such parameters.',
    ],
    [
      'extras that are an array',
      fileWith(model, { 'bptt.extras': '[1]' }),
      'load: bptt.extras in the file must be an object.',
    ],
  ])('%s', (_, file, message) => {
    expect(() => load(file)).toThrow(message);
    expect(() => load(file)).toThrow(RangeError);
  });

  it('an encoder-decoder with a billion layers is rejected without building it', () => {
    const options = {
      encoder: [embedding({ vocabularySize: 3, size: 2 }), recurrent(gru(), { hiddenSize: 2 })],
      decoder: { vocabularySize: 3, embeddingSize: 2, cell: gru(), hiddenSize: 2 },
      start: 0,
      end: 1,
    };
    const file: EncoderDecoder = encoderDecoder(options);
    const { tensors: parameters, metadata: original } = readSafetensors(save(file));
    const huge = writeSafetensors(parameters, {
      ...original,
      'bptt.model': original['bptt.model']!.replace('"hiddenSize":2}],"', '"hiddenSize":2}],"').replace(
        '"decoder":{',
        '"decoder":{"layers":1000000000,',
      ),
    });
    expect(() => loadEncoderDecoder(huge)).toThrow(
      /cannot build the model of the file: encoderDecoder: it has 1000000000 inputs or layers/,
    );
  });

  it('a file with random bytes changed loads or is rejected with a RangeError of load', () => {
    const file = save(small(), { extras: { a: [1, 2] } });
    const draws = createRandom(11);
    let rejected = 0;
    for (let i = 0; i < 3000; i++) {
      const copy = file.slice(0, integerNumber(draws, 20) === 0 ? integerNumber(draws, file.length) : file.length);
      for (let n = 0; n <= integerNumber(draws, 3); n++)
        copy[integerNumber(draws, copy.length || 1)] = integerNumber(draws, 256);
      try {
        load(copy);
      } catch (error) {
        rejected++;
        expect(error, String(error)).toBeInstanceOf(RangeError);
        expect((error as Error).message).toMatch(/^load: /);
      }
    }
    expect(rejected).toBeGreaterThan(1000);
  });
});

it('save rejects a training state with a part that is missing or of another kind', async () => {
  const model = sequential([dense({ size: 1 })], { inputSize: 2 });
  const data = batchesOf(full([1, 4, 2], 1), full([1, 4, 1], 0), { batchSize: 2 });
  const states: TrainingState[] = [];
  const checkpoint = { every: 2, write: (training: TrainingState) => void states.push(training) };
  await fit(model, data, { loss: meanSquaredError, optimizer: adam(), checkpoint });
  const state = states[0]!;
  const cases: readonly (readonly [object, string])[] = [
    [JSON.parse(JSON.stringify(state)) as object, 'training.parameters must be a Float32Array'],
    [{ ...state, optimizer: undefined }, 'training.optimizer must be an optimizer state'],
    [{ ...state, optimizer: { step: 1 } }, 'training.optimizer must be an optimizer state'],
    [
      { ...state, optimizer: { ...state.optimizer, slots: [null, null] } },
      'training.optimizer.slots[0] must be a Float',
    ],
    [{ ...state, losses: null }, 'training.losses must be an array'],
    [{ ...state, validationLosses: undefined }, 'training.validationLosses must be an array'],
    [{ ...state, draws: [null] }, 'training.draws[0] must be the state of a generator'],
    [{ ...state, random: [1, 2, 3, 4] }, 'training.random must be the state of a generator'],
    [{ ...state, best: { loss: 1, epoch: 1 } }, 'training.best.parameters must be a Float32Array'],
  ];
  for (const [training, message] of cases)
    expect(() => save(model, { training: training as TrainingState })).toThrow(`save: ${message}`);
  expect(load(save(model, { training: state })).training?.step).toBe(state.step);
});
