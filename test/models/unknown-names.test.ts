/** Unknown names in states, parameters and rates throw and list the known ones. */

import {
  adam,
  adamw,
  attentionPooling,
  bidirectional,
  compute,
  dense,
  evaluate,
  fit,
  full,
  gru,
  initializeCell,
  layerNormLstm,
  lstm,
  type ModelState,
  meanSquaredError,
  predict,
  predictWithState,
  recurrent,
  residual,
  type Sequential,
  sequential,
  simpleRnn,
  stream,
  streamCell,
  tensor,
  unroll,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const x = full([3, 1, 2], 1);
const state = tensor([[1, 1]]);
const model = (layer: Parameters<typeof sequential>[0][number]): Sequential =>
  sequential([layer, dense({ size: 1 })], { inputSize: 2, seed: 1 });
const recurrentModel = model(recurrent(lstm(), { hiddenSize: 2 }));
const bidirectionalModel = model(bidirectional(lstm(), { hiddenSize: 2 }));
const residualModel = model(residual([recurrent(gru(), { hiddenSize: 2 })]));

describe('states of predict', () => {
  it.each<[string, Sequential, ModelState, string]>([
    [
      'the state of a layer instead of the model',
      recurrentModel,
      { h: state, c: state } as never,
      'predict: state must have only lstm, got h.',
    ],
    ['a name in capitals', recurrentModel, { LSTM: { h: state } }, 'predict: state must have only lstm, got LSTM.'],
    [
      'a layer without state',
      recurrentModel,
      { dense: { h: state } },
      'predict: state must have only lstm, got dense.',
    ],
    [
      'an unknown part',
      recurrentModel,
      { lstm: { hidden: state } },
      'predict: layer lstm: initialState must have only h, c, got hidden.',
    ],
    [
      'no direction',
      bidirectionalModel,
      { bidirectional: { h: state, c: state } },
      'predict: layer bidirectional: state must have only forward.h, forward.c, reverse.h, reverse.c, got h.',
    ],
    [
      'an unknown direction',
      bidirectionalModel,
      { bidirectional: { 'backward.h': state } },
      'predict: layer bidirectional: state must have only forward.h, forward.c, reverse.h, reverse.c, got backward.h.',
    ],
    [
      'no inner layer',
      residualModel,
      { residual: { h: state } },
      'predict: layer residual: state must have only gru, got h.',
    ],
    [
      'an unknown inner layer',
      residualModel,
      { residual: { 'lstm.h': state } },
      'predict: layer residual: state must have only gru, got lstm.',
    ],
  ])('with %s', (_, net, given, message) => {
    expect(() => predict(net, x, { state: given })).toThrow(new TypeError(message));
  });

  it('that predictWithState returned are accepted, with any layers', () => {
    for (const net of [recurrentModel, bidirectionalModel, residualModel, model(attentionPooling())]) {
      const { state: final } = predictWithState(net, x);
      if (net.output.kind === 'vectors')
        expect(predict(net, x, { state: final }).data.every(Number.isFinite)).toBe(true);
    }
  });
});

describe('states of streams', () => {
  it.each<[string, () => { state: unknown }, unknown, string]>([
    [
      'an unknown layer',
      () => stream(recurrentModel),
      { other: { h: state } },
      'stream: state must have only lstm, dense, got other.',
    ],
    [
      'a layer without state',
      () => stream(recurrentModel),
      { dense: { h: state } },
      'stream: layer dense: state must have no names, got h.',
    ],
    [
      'an unknown part',
      () => stream(recurrentModel),
      { lstm: { x: state } },
      'stream: layer lstm: state must have only h, c, got x.',
    ],
    [
      'an unknown part of a cell',
      () => streamCell(lstm(), initializeCell(lstm(), { inputSize: 2, hiddenSize: 2, random: 1 })),
      { x: state },
      'streamCell: state must have only h, c, got x.',
    ],
  ])('with %s', (_, create, given, message) => {
    const running = create();
    expect(() => {
      running.state = given;
    }).toThrow(new TypeError(message));
  });

  it('with an unknown part of a cell without a step runner', () => {
    const running = stream(model(recurrent(layerNormLstm(), { hiddenSize: 2 })));
    expect(() => {
      running.state = { layerNormLstm: { x: state } };
    }).toThrow(new TypeError('stream: layer layerNormLstm: state must have only h, c, got x.'));
  });
});

it('unknown parameters of a cell are rejected', () => {
  const parameters = {
    ...initializeCell(simpleRnn(), { inputSize: 2, hiddenSize: 2, random: 1 }),
    weightHH: full([2, 2], 0),
  };
  expect(() => compute(parameters, (p) => unroll(simpleRnn(), p, x).outputs)).toThrow(
    new TypeError('unroll: the parameters of simpleRnn must have only weightIh, weightHh, bias, got weightHH.'),
  );
  expect(() =>
    streamCell(lstm(), { ...initializeCell(lstm(), { inputSize: 2, hiddenSize: 2, random: 1 }), extra: state }),
  ).toThrow('streamCell: the parameters of lstm must have only weightIh, weightHh, bias, got extra.');
});

/** Options with more names than their type has. */
const withExtra = <T extends object>(options: T, extra: object): T => Object.assign({ ...options }, extra);

describe('unknown options are rejected', () => {
  const data = [{ inputs: x, targets: full([3, 1, 1], 0) }];
  it.each<[string, () => unknown]>([
    ['recurrent: options must have only', () => recurrent(lstm(), withExtra({ hiddenSize: 2 }, { units: 3 }))],
    ['dense: options must have only', () => dense(withExtra({ size: 2 }, { units: 3 }))],
    [
      'sequential: options must have only inputSize, seed, got inputsize.',
      () => sequential([], withExtra({ inputSize: 1 }, { inputsize: 2 })),
    ],
    [
      'predict: options must have only lengths, resets, state, got length.',
      () => predict(recurrentModel, x, withExtra({}, { length: 3 })),
    ],
    ['stream: options must have only batchSize, got batch.', () => stream(recurrentModel, withExtra({}, { batch: 3 }))],
    [
      'evaluate: options must have only loss, metrics, carryState, got epochs.',
      () => evaluate(recurrentModel, data, withExtra({ loss: meanSquaredError }, { epochs: 1 })),
    ],
    ['adam: options must have only beta1, beta2, epsilon, got beta.', () => adam(0.1, withExtra({}, { beta: 0.9 }))],
    [
      'adamw: options must have only beta1, beta2, epsilon, weightDecay, got decay.',
      () => adamw(0.1, withExtra({}, { decay: 0.1 })),
    ],
    [
      'meanSquaredError: options must have only mask, lengths, reduction, got reduce.',
      () => compute({}, () => meanSquaredError(x, x, withExtra({}, { reduce: 'sum' }))),
    ],
  ])('%s', (message, call) => {
    expect(call).toThrow(message);
    expect(call).toThrow(TypeError);
  });

  it('unknown options of fit are rejected', async () => {
    const options = { loss: meanSquaredError, optimizer: adam() };
    for (const name of ['epoch', 'validationSplit', 'batchSize'])
      await expect(fit(recurrentModel, data, withExtra(options, { [name]: 5 }))).rejects.toThrow(
        new RegExp(`^fit: options must have only optimizer, epochs, .*, got ${name}\\.$`),
      );
  });
});

it('batches with an unknown name, such as a misspelled one, are rejected', async () => {
  const model = sequential([dense({ size: 1 })], { inputSize: 2, seed: 1 });
  const batch = { inputs: full([3, 1, 2], 1), targets: full([3, 1, 1], 1), lenghts: Int32Array.of(2) };
  const message = 'a batch must have only inputs, targets, mask, lengths, resets, got lenghts.';
  const options = { loss: meanSquaredError, optimizer: adam() };
  await expect(fit(model, batch, options)).rejects.toThrow(`fit: ${message}`);
  await expect(fit(model, [batch, batch], options)).rejects.toThrow(`fit: ${message}`);
  expect(() => evaluate(model, batch, { loss: meanSquaredError })).toThrow(`evaluate: ${message}`);
});
