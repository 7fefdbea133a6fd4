/** Errors of custom layers whose functions return something else than they must. */

import { advance, compute, type Features, full, type Layer, predict, residual, scale, sequential, stream } from 'bptt';
import { describe, expect, it } from 'vitest';

/** A layer that halves vectors, with some functions replaced, as in JavaScript, where the types are not checked. */
const half = (functions: Readonly<Record<string, unknown>>): Layer => ({
  name: 'half',
  output: (input: Features) => input,
  run: (_: unknown, input: unknown) => ({ output: scale(input as never, 0.5) }),
  ...functions,
});

const x = full([1, 1, 2], 3);

describe('a layer whose run returns', () => {
  it.each([
    ['nothing', undefined],
    ['null', null],
    ['an object without an output', { out: 1 }],
    ['a promise', Promise.resolve({})],
    ['a string as output', { output: 'x' }],
  ])('%s is named in predictions and in streams', (_, result) => {
    const model = sequential([half({ run: () => result })], { inputSize: 2 });
    const message = /layer half: the output must be a variable, a tensor .* or a number, got/;
    expect(() => predict(model, x)).toThrow(message);
    expect(() => predict(model, x)).toThrow(/^predict: /);
    expect(() => advance(stream(model), full([1, 2], 3))).toThrow(message);
    expect(() => advance(stream(model), full([1, 2], 3))).toThrow(/^advance: /);
  });

  it('a variable of another computation is named', () => {
    let kept: unknown;
    compute({ x }, (p) => {
      kept = p.x;
      return p.x;
    });
    const model = sequential([half({ run: () => ({ output: kept }) })], { inputSize: 2 });
    expect(() => predict(model, x)).toThrow('predict: layer half: the output must be a variable of the running');
  });

  it('a tensor has the values of the tensor as output', () => {
    const model = sequential([half({ run: () => ({ output: full([1, 1, 2], 7) }) }), half({})], { inputSize: 2 });
    expect([...predict(model, x).data]).toEqual([3.5, 3.5]);
  });

  it('null as state has no state', () => {
    const run = (_: unknown, input: unknown): unknown => ({ output: scale(input as never, 0.5), state: null });
    expect([...predict(sequential([half({ run })], { inputSize: 2 }), x).data]).toEqual([1.5, 1.5]);
  });
});

it.each(['run', 'output'])('a layer without a function %s is rejected', (name) =>
  expect(() => sequential([half({ [name]: 1 })], { inputSize: 2 })).toThrow(
    new TypeError('sequential: layers[0] must be a layer, got an object with name, output, run.'),
  ),
);

describe('a layer whose parameters are', () => {
  it.each([
    ['a string', 'w', 'half must be an object, got w.'],
    ['an array', ['w'], 'half must be an object, got an array.'],
    ['null inside of an object', { w: null }, 'half.w must be an object, got null.'],
    ['strings inside of an object', { w: { shape: 'x' } }, 'half.w.shape must be an object, got x.'],
  ])('%s is named when the model is created', (_, parameters, message) =>
    expect(() => sequential([half({ parameters: () => parameters })], { inputSize: 2 })).toThrow(
      new TypeError(`sequential: ${message}`),
    ),
  );

  it('null has no parameters', () =>
    expect(sequential([half({ parameters: () => null })], { inputSize: 2 }).parameters).toEqual({}));

  it('named shape has a parameter of that name', () => {
    const shape = { role: 'bias', shape: [3], blocks: 1 };
    const model = sequential([half({ parameters: () => ({ shape }) })], { inputSize: 2 });
    expect(model.parameters['half']!['shape']!.shape).toEqual([3]);
  });
});

describe('a layer whose output returns', () => {
  it.each([
    ['nothing', undefined],
    ['null', null],
    ['no size', { kind: 'vectors', perStep: true }],
    ['a fractional size', { kind: 'vectors', size: 0.5, perStep: true }],
  ])('%s is named when the model is created', (_, features) => {
    const layers = [half({ output: () => features }), half({})];
    for (const list of [layers, [...layers].reverse()])
      expect(() => sequential(list, { inputSize: 2 })).toThrow(
        /^sequential: layer half2?: the size of the output must be an integer of at least 1, got/,
      );
  });
});

it('a parameter without a role needs an initializer', () => {
  const parameters = (): unknown => ({ w: { shape: [2], blocks: 1 } });
  expect(() => sequential([half({ parameters })], { inputSize: 2 })).toThrow(
    'sequential: half.w: the initializer must be a function, got undefined.',
  );
});

it('a step runner without a size does not break later computations', () => {
  const model = sequential([residual([half({ stepRunner: () => ({ output: 0 }) })])], { inputSize: 2 });
  expect(() => stream(model)).toThrow();
  expect([...predict(sequential([half({})], { inputSize: 2 }), x).data]).toEqual([1.5, 1.5]);
});
