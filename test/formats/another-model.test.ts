/** Loading the parameters of a file into a model that is not the one of the file is rejected. */

import {
  adam,
  adamw,
  additiveScore,
  attentionPooling,
  averagePool1d,
  bidirectional,
  chain,
  clipByNorm,
  conv1d,
  crossEntropy,
  dense,
  dotScore,
  dropout,
  embedding,
  encoderDecoder,
  fit,
  full,
  generalScore,
  gru,
  gruWith,
  hardSigmoid,
  type Layer,
  layerNorm,
  layerNormGru,
  linear,
  load,
  loadInto,
  lstm,
  lstmWith,
  maxPool1d,
  meanSquaredError,
  type Optimizer,
  recurrent,
  relu,
  residual,
  rmsprop,
  type Sequential,
  save,
  scaledDotScore,
  sequential,
  sgd,
  sigmoid,
  simpleRnn,
  type TrainingState,
  tanh,
  type Variable,
  weightDecay,
  windows,
} from 'bptt';
import { kerasLayers } from 'bptt/keras';
import { describe, expect, it } from 'vitest';
import {
  kerasActivation,
  kerasBatchNormalization,
  kerasRelu,
  kerasScaling,
} from '../../src/formats/keras/elementwise-layers';
import { kerasFlatten, kerasPooling, kerasRepeatVector } from '../../src/formats/keras/sequence-layers';
import { counted } from '../../src/tensor/shape';

const of = (...layers: readonly Layer[]): Sequential => sequential(layers, { inputSize: 3 });
const hidden = { hiddenSize: 3 };

describe('loadInto', () => {
  it.each<[difference: string, model: Sequential, file: Sequential]>([
    [
      'layer 1 (dense), activation must be tanh, the file has relu',
      of(dense({ size: 3 }), dense({ size: 3, activation: tanh })),
      of(dense({ size: 3 }), dense({ size: 3, activation: relu })),
    ],
    [
      'layer 0 (dense), activation must be undefined, the file has relu',
      of(dense({ size: 3 })),
      of(dense({ size: 3, activation: relu })),
    ],
    [
      'layer 0 (layerNorm), epsilon must be 0.00001, the file has 0.001',
      of(layerNorm()),
      of(layerNorm({ epsilon: 1e-3 })),
    ],
    [
      'layer 0 (recurrent), cell (simpleRnn), activation must be tanh, the file has sigmoid',
      of(recurrent(simpleRnn(), hidden)),
      of(recurrent(simpleRnn({ activation: sigmoid }), hidden)),
    ],
    [
      'layer 0 (recurrent), cell (layerNormGru), epsilon must be 0.00001, the file has 0.1',
      of(recurrent(layerNormGru(), hidden)),
      of(recurrent(layerNormGru({ epsilon: 0.1 }), hidden)),
    ],
    [
      'layer 0 (recurrent), returnSequences must be true, the file has false',
      of(recurrent(lstm(), hidden)),
      of(recurrent(lstm(), { ...hidden, returnSequences: false })),
    ],
    [
      'layer 0 (recurrent), reverse must be true, the file has false',
      of(recurrent(lstm(), { ...hidden, reverse: true })),
      of(recurrent(lstm(), hidden)),
    ],
    [
      'layer 0 (recurrent), zoneout, h must be 0.1, the file has 0',
      of(recurrent(lstm(), { ...hidden, zoneout: { h: 0.1 } })),
      of(recurrent(lstm(), hidden)),
    ],
    [
      'layer 0 (bidirectional), merge must be "sum", the file has "mean"',
      of(bidirectional(gru(), { ...hidden, merge: 'sum' })),
      of(bidirectional(gru(), { ...hidden, merge: 'mean' })),
    ],
    [
      'layer 1 (attentionPooling), score must be dotScore, the file has scaledDotScore',
      of(bidirectional(gru(), hidden), attentionPooling({ score: dotScore() })),
      of(bidirectional(gru(), hidden), attentionPooling({ score: scaledDotScore() })),
    ],
    [
      'layer 0 (residual), layer 1 (dense), activation must be tanh, the file has relu',
      of(residual([layerNorm(), dense({ size: 3, activation: tanh })])),
      of(residual([layerNorm(), dense({ size: 3, activation: relu })])),
    ],
    [
      'layer 0 (maxPool1d), stride must be 1, the file has 2',
      of(maxPool1d({ windowSize: 2, stride: 1 })),
      of(maxPool1d({ windowSize: 2 })),
    ],
    [
      'layer 0 (conv1d), padding must be "same", the file has "valid"',
      of(conv1d({ size: 2, kernelSize: 3, padding: 'same' })),
      of(conv1d({ size: 2, kernelSize: 3 })),
    ],
    ['layer 1 must be dropout, the file has undefined', of(dense({ size: 2 }), dropout(0.5)), of(dense({ size: 2 }))],
    ['layer 0 (dense), size must be 2, the file has 4', of(dense({ size: 2 })), of(dense({ size: 4 }))],
  ])('%s', (difference, model, file) => {
    const before = model.data.slice();
    expect(() => loadInto(model, save(file))).toThrow(`loadInto: the file has another model: ${difference}.`);
    expect(() => loadInto(model, save(file))).toThrow(RangeError);
    expect(model.data).toEqual(before);
  });

  it('an encoder-decoder that differs is rejected', () => {
    const make = (attention: typeof dotScore, inputFeeding: boolean) =>
      encoderDecoder({
        encoder: [embedding({ vocabularySize: 4, size: 2 }), recurrent(gru(), { hiddenSize: 2 })],
        decoder: {
          vocabularySize: 4,
          embeddingSize: 2,
          cell: gru(),
          hiddenSize: 2,
          attention: attention(),
          ...(inputFeeding && { inputFeeding }),
        },
        start: 0,
        end: 1,
      });
    expect(() => loadInto(make(dotScore, false), save(make(scaledDotScore, false)))).toThrow(
      'loadInto: the file has another model: decoder, attention must be dotScore, the file has scaledDotScore.',
    );
    expect(() => loadInto(make(dotScore, true), save(make(dotScore, false)))).toThrow(
      'loadInto: the file has another model: decoder, inputFeeding must be true, the file has false.',
    );
    expect(() => loadInto(make(dotScore, true), save(of(dense({ size: 1 }))))).toThrow(
      'loadInto: the file has another model: the model must be encoderDecoder, the file has sequential.',
    );
    const model = make(generalScore, false);
    const file = save(model);
    model.data.fill(0);
    loadInto(model, file);
    expect(save(model)).toEqual(file);
  });

  it('options that equal their defaults, other training options and initializers are no difference', () => {
    const model = of(
      recurrent(lstm(), {
        ...hidden,
        returnSequences: true,
        reverse: false,
        learnInitialState: false,
        zoneout: { h: 0 },
        inputDropout: 0.3,
      }),
      dropout(0.1),
      bidirectional(gru({ reset: 'after' }), { ...hidden, merge: 'concat', recurrentDropout: 0.2 }),
      attentionPooling({ score: additiveScore({ size: 64 }) }),
      dense({ size: 2, biasInitializer: () => ({ shape: [2], data: Float32Array.of(5, 5) }) }),
    );
    const file = of(
      recurrent(lstm(), hidden),
      dropout(0.4),
      bidirectional(gru(), hidden),
      attentionPooling(),
      dense({ size: 2 }),
    );
    loadInto(model, save(file));
    expect(model.data).toEqual(file.data);
  });

  it('the default options of convolutions and pooling are no difference', () => {
    const [filters, window] = [{ size: 3, kernelSize: 2 }, { windowSize: 2 }];
    const explicit = of(
      conv1d({ ...filters, stride: 1, dilation: 1, groups: 1, padding: 'valid' }),
      maxPool1d({ ...window, stride: 2, padding: 'valid' }),
      averagePool1d({ ...window, stride: 2, padding: 'valid' }),
    );
    const byDefault = of(conv1d(filters), maxPool1d(window), averagePool1d(window));
    loadInto(explicit, save(byDefault));
    loadInto(byDefault, save(explicit));
    expect(explicit.data).toEqual(byDefault.data);
  });

  it('custom functions are compared by name if they have one', () => {
    const double = (x: Variable): Variable => x;
    const other = (x: Variable): Variable => x;
    const model = of(dense({ size: 3, activation: double }));
    const file = save(model, { customObjects: { double } });
    loadInto(model, file);
    loadInto(model, file, { customObjects: { double } });
    expect(() => loadInto(model, file, { customObjects: { other: double } })).toThrow(
      'activation must be other, the file has double.',
    );
    expect(() => loadInto(of(dense({ size: 3, activation: other })), save(of(dense({ size: 3 }))))).toThrow(
      'activation must be a custom function, the file has undefined.',
    );
    expect(() =>
      loadInto(of(dense({ size: 3, activation: other })), save(of(dense({ size: 3, activation: relu })))),
    ).toThrow('activation must be a custom function, the file has relu.');
    expect(() => loadInto(of(dense({ size: 3, activation: relu })), file)).toThrow(
      'activation must be relu, the file has double.',
    );
  });
});

describe('a training state', () => {
  const data = windows(
    Int32Array.from({ length: 60 }, (_, i) => i % 4),
    { sequenceLength: 4, batchSize: 2 },
  );
  const make = (): Sequential =>
    sequential([embedding({ vocabularySize: 4, size: 2 }), recurrent(gru(), hidden), dense({ size: 4 })]);

  /** Trains for two steps with one optimizer, saves, and resumes with another. */
  async function resume(first: Optimizer, second: Optimizer): Promise<unknown> {
    const model = make();
    const states: TrainingState[] = [];
    await fit(model, data, {
      loss: crossEntropy,
      optimizer: first,
      steps: 2,
      checkpoint: { every: 1, write: (state) => states.push(state) },
    });
    const { training } = loadInto(model, save(model, { training: states[0] }));
    return fit(model, data, { loss: crossEntropy, optimizer: second, steps: 3, resume: training });
  }

  it('of another optimizer is rejected, although its buffers have the same sizes', async () => {
    for (const [first, second, names] of [
      [adam(), adamw(), ['adamw', 'adam']],
      [chain(clipByNorm(1), adamw()), chain(clipByNorm(1), adam()), ['adam', 'adamw']],
      [rmsprop(), sgd(0.1, { momentum: 0.9 }), ['sgd', 'rmsprop']],
      [
        chain(rmsprop(), sgd(1, { momentum: 0.5 })),
        chain(sgd(1, { momentum: 0.5 }), rmsprop()),
        ['sgd,rmsprop', 'rmsprop,sgd'],
      ],
    ] as const) {
      const count = first.slots;
      const { length } = make().data;
      await expect(resume(first, second)).rejects.toThrow(
        `resume.optimizer must be of ${names[0]}, with ${counted(count, 'buffer')} of size ${length}, ` +
          `got one of ${names[1]} with ${count}. ` +
          'Is it from another optimizer or model?',
      );
    }
  });

  it('of the same optimizer with other rates, clipping and penalties is resumed', async () => {
    expect(await resume(adam(), adam(0.5, { beta1: 0.8 }))).toMatchObject({ steps: 3 });
    expect(await resume(chain(clipByNorm(1), adam()), chain(clipByNorm(5), weightDecay(0.1), adam()))).toMatchObject({
      steps: 3,
    });
    expect(await resume(adamw(), chain(clipByNorm(1), adamw()))).toMatchObject({ steps: 3 });
    expect(await resume(sgd(), chain(clipByNorm(1), sgd()))).toMatchObject({ steps: 3 });
  });
});

describe('layers of imported models', () => {
  const normalization = (variance: number): Layer =>
    kerasBatchNormalization({ mean: [0, 1, 2], variance: [1, 1, variance], epsilon: 1e-3 });
  const scaling = (factor: number): Layer => kerasScaling({ center: [0], factor: [factor], offset: [0] });
  const last = dense({ size: 1 });

  it.each<[difference: string, model: Sequential, file: Sequential]>([
    [
      'layer 0 (kerasRelu), negativeSlope must be undefined, the file has 0.5',
      of(kerasRelu(), last),
      of(kerasRelu({ negativeSlope: 0.5 }), last),
    ],
    [
      'layer 0 (kerasActivation), activation must be relu, the file has tanh',
      of(kerasActivation({ activation: relu }), last),
      of(kerasActivation({ activation: tanh }), last),
    ],
    [
      'layer 0 (kerasBatchNormalization), variance, element 2 must be 1, the file has 2',
      of(normalization(1), last),
      of(normalization(2), last),
    ],
    ['layer 0 (kerasScaling), factor, element 0 must be 1, the file has 2', of(scaling(1), last), of(scaling(2), last)],
    [
      'layer 0 (kerasPooling), kind must be "mean", the file has "max"',
      of(kerasPooling({ kind: 'mean' }), last),
      of(kerasPooling({ kind: 'max' }), last),
    ],
    [
      'layer 1 (kerasRepeatVector), count must be 2, the file has 3',
      of(kerasPooling({ kind: 'mean' }), kerasRepeatVector({ count: 2 }), last),
      of(kerasPooling({ kind: 'mean' }), kerasRepeatVector({ count: 3 }), last),
    ],
    [
      'layer 0 (recurrent), cell (lstmWith), activation must be relu, the file has linear',
      of(recurrent(lstmWith({ activation: relu }), hidden)),
      of(recurrent(lstmWith({ activation: linear, gateActivation: sigmoid }), hidden)),
    ],
    [
      'layer 0 (recurrent), cell (gruWith), gateActivation (hardSigmoid), argument 0 must be 0.2, the file has 0.25',
      of(recurrent(gruWith({ gateActivation: hardSigmoid(0.2), reset: 'before' }), hidden)),
      of(recurrent(gruWith({ activation: tanh, gateActivation: hardSigmoid(0.25), reset: 'before' }), hidden)),
    ],
  ])('%s', (difference, model, file) => {
    for (const options of [{}, { customObjects: kerasLayers() }])
      expect(() => loadInto(model, save(file, options), options)).toThrow(
        `loadInto: the file has another model: ${difference}.`,
      );
    expect(loadInto(model, save(model))).toBeDefined();
  });

  it('are loaded with kerasLayers(), and an option with its default is the same as none', () => {
    const model = of(
      kerasRelu({ negativeSlope: 0, maxValue: Infinity }),
      normalization(2),
      kerasFlatten({ sequenceLength: 2 }),
      last,
    );
    const same = of(kerasRelu(), normalization(2), kerasFlatten({ sequenceLength: 2 }), last);
    same.data.fill(3);
    expect(load(save(model), { customObjects: kerasLayers() }).model.data).toEqual(model.data);
    loadInto(same, save(model));
    expect(same.data).toEqual(model.data);
  });

  it('resume training', async () => {
    const make = (): Sequential => of(kerasRelu({ negativeSlope: 0.1 }), normalization(2), last);
    const data = [{ inputs: full([1, 2, 3], 1), targets: full([1, 2, 1], 0.5) }];
    const options = { loss: meanSquaredError, optimizer: adam(0.1) };
    const [whole, first, second] = [make(), make(), make()];
    await fit(whole, data, { ...options, steps: 4 });
    const states: TrainingState[] = [];
    await fit(first, data, { ...options, steps: 2, checkpoint: { every: 2, write: (state) => states.push(state) } });
    const file = save(first, { training: states.at(-1) });
    const { training } = load(file, { customObjects: kerasLayers() });
    expect(loadInto(second, file).training).toEqual(training);
    await fit(second, data, { ...options, steps: 4, resume: training });
    expect(second.data).toEqual(whole.data);
  });
});
