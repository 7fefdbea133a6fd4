/** Errors inside a model name the public function and the layer. */

import {
  advance,
  beamSearch,
  compute,
  dense,
  embedding,
  encoderDecoder,
  full,
  generate,
  greedySearch,
  initializeCell,
  intTensor,
  lstm,
  mean,
  predict,
  predictWithState,
  recurrent,
  residual,
  runInSegments,
  runModel,
  sequential,
  stream,
  streamCell,
  valueAndGradient,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const model = sequential([recurrent(lstm(), { hiddenSize: 3 }), dense({ size: 1 })], { inputSize: 2 });
const wide = full([4, 1, 5], 0);

describe('an input of the wrong size', () => {
  it('is reported by predict and predictWithState with the layer', () => {
    expect(() => predict(model, wide)).toThrow(/^predict: layer lstm: /);
    expect(() => predictWithState(model, wide)).toThrow(/^predictWithState: layer lstm: /);
  });

  it('is reported by runModel and runInSegments with the layer', () => {
    const run = (f: typeof runModel) => () => compute(model.parameters, (p) => f(model, p, wide).output);
    expect(run(runModel)).toThrow(/^runModel: layer lstm: /);
    expect(() => valueAndGradient(model.parameters, (p) => mean(runInSegments(model, p, wide).output))).toThrow(
      /^runInSegments: layer lstm: /,
    );
  });

  it('is reported with the path of a layer inside residual layers', () => {
    const nested = sequential([residual([residual([recurrent(lstm(), { hiddenSize: 2 })])])], { inputSize: 2 });
    expect(() => predict(nested, full([3, 1, 2], 0), { lengths: Int32Array.of(9) })).toThrow(
      /^predict: layer residual\.residual\.lstm: /,
    );
  });

  it('is reported by sequential with the layer that does not support it', () => {
    expect(() => sequential([dense({ size: 2 }), embedding({ vocabularySize: 3, size: 2 })], { inputSize: 2 })).toThrow(
      'sequential: layer embedding: the input must be ids, got vectors.',
    );
  });
});

it('errors of custom layers keep their class and name the layer', () => {
  const broken = {
    name: 'broken',
    output: () => ({ kind: 'vectors', size: 1, perStep: true }) as const,
    run: () => {
      throw new TypeError('add: not today');
    },
  };
  const failing = sequential([dense({ size: 1 }), broken, dense({ size: 1 })], { inputSize: 2 });
  expect(() => predict(failing, full([1, 1, 2], 0))).toThrow(new TypeError('predict: layer broken: not today'));
  expect(() => advance(stream(failing), full([1, 2], 0))).toThrow(new TypeError('advance: layer broken: not today'));
});

it('streams name the function and the layer', () => {
  const ids = stream(sequential([embedding({ vocabularySize: 3, size: 2 }), recurrent(lstm(), { hiddenSize: 2 })]));
  expect(() => advance(ids, intTensor([7]))).toThrow(/^advance: layer embedding: ids/);
  expect(() => {
    ids.state = { lstm: { h: full([1, 9], 0), c: full([1, 2], 0) } };
  }).toThrow(/^stream: layer lstm: state\.h must be/);
  const cell = streamCell(lstm(), initializeCell(lstm(), { inputSize: 2, hiddenSize: 3, random: 1 }));
  expect(() => {
    cell.state = { h: full([1, 9], 0), c: full([1, 3], 0) };
  }).toThrow(/^streamCell: state\.h must be/);
});

it('generate names itself and the layer', () => {
  const writer = sequential([embedding({ vocabularySize: 3, size: 2 }), dense({ size: 3 })]);
  expect(() => generate(writer, { prompt: [5], length: 1 })).toThrow(/^generate: layer embedding: /);
  expect(() => generate(writer, { prompt: [0, 0.5], length: 1 })).toThrow(
    'generate: prompt must be integers from 0 to 2147483647, got 0.5 at index 1.',
  );
});

it('searches name themselves and the layer of the encoder', () => {
  const translator = encoderDecoder({
    encoder: [embedding({ vocabularySize: 5, size: 2 }), recurrent(lstm(), { hiddenSize: 2 })],
    decoder: { vocabularySize: 5, embeddingSize: 2, cell: lstm(), hiddenSize: 2 },
    start: 0,
    end: 1,
  });
  const source = { inputs: intTensor([[9]]), lengths: Int32Array.of(1) };
  expect(() => greedySearch(translator, source)).toThrow(/^greedySearch: layer encoder\.embedding: /);
  expect(() => beamSearch(translator, source)).toThrow(/^beamSearch: layer encoder\.embedding: /);
});
