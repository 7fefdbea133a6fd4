/**
 * Types: a loss or metric that does not fit the targets is a compile error, and results have the types of their values.
 * Checked by tsc; the calls do not run.
 */

import {
  accuracy,
  adam,
  applyOptimizer,
  type Batch,
  batchesOf,
  binaryCrossEntropyWith,
  bucketBatches,
  compute,
  confusionMatrix,
  crossEntropy,
  crossEntropyWith,
  customModel,
  type Dataset,
  dense,
  type EvaluateOptions,
  evaluate,
  type FitResult,
  f1Score,
  fit,
  gradientFlow,
  type IntTensor,
  initializeOptimizer,
  type Loss,
  type LossOptions,
  type Metric,
  meanSquaredError,
  measure,
  mixtureNegativeLogLikelihood,
  type PairBatch,
  padSequences,
  pairBatches,
  rootMeanSquaredError,
  type Sequential,
  type SequentialFitOptions,
  type StreamTrainer,
  save,
  sequential,
  seriesWindows,
  sum,
  type Tensor,
  type TensorTree,
  tensor,
  topKAccuracy,
  trainOn,
  truncatedBptt,
  type Variable,
  windows,
  writeSafetensors,
} from 'bptt';
import { type FittedForecaster, saveForecaster } from 'bptt/forecasting';
import { exportOnnx } from 'bptt/onnx';
import { describe, expectTypeOf, it } from 'vitest';

declare const model: Sequential;
declare const ids: Dataset<Batch<IntTensor>>;
declare const series: Dataset<Batch<Tensor>>;
declare const either: Dataset;
declare const x: Tensor;
declare const y: IntTensor;
const optimizer = adam();

/** Type-checks code without running it. */
function check(_code: () => unknown): void {}

describe('fit', () => {
  it('accepts options that are undefined, as programs pass them on', () => {
    const rest: Partial<SequentialFitOptions<IntTensor>> = {};
    const { epochs, steps, accumulate, seed, validation, patience, carryState } = rest;
    const { optimizerState, onProgress, checkpoint, resume, signal } = rest;
    const some = { epochs, steps, accumulate, seed, validation, patience, carryState };
    const others = { optimizerState, onProgress, checkpoint, resume, signal };
    check(() => fit(model, ids, { loss: crossEntropy, optimizer, ...some, ...others }));
  });

  it('accepts a loss only if it fits the targets', () => {
    check(() => {
      expectTypeOf(fit(model, ids, { loss: crossEntropy, optimizer })).resolves.toEqualTypeOf<FitResult>();
      fit(model, series, { loss: meanSquaredError, optimizer });
      fit(model, series, { loss: mixtureNegativeLogLikelihood, optimizer, validation: series });
      // @ts-expect-error crossEntropy needs class ids.
      fit(model, series, { loss: crossEntropy, optimizer });
      // @ts-expect-error meanSquaredError needs a tensor.
      fit(model, ids, { loss: meanSquaredError, optimizer });
      // @ts-expect-error The targets may be a tensor.
      fit(model, either, { loss: crossEntropy, optimizer });
      // @ts-expect-error The validation data has other targets.
      fit(model, ids, { loss: crossEntropy, optimizer, validation: series });
      // @ts-expect-error The loss is missing.
      fit(model, ids, { optimizer });
    });
  });

  it('gives an inline loss the types of outputs, targets and options', () => {
    check(() =>
      fit(model, series, {
        optimizer,
        loss: (outputs, targets, options) => {
          expectTypeOf(outputs).toEqualTypeOf<Variable | Tensor>();
          expectTypeOf(targets).toEqualTypeOf<Tensor>();
          expectTypeOf(options).toEqualTypeOf<LossOptions | undefined>();
          return meanSquaredError(outputs, targets, options);
        },
      }),
    );
    check(() =>
      fit(model, ids, {
        optimizer,
        loss: (outputs, targets) => {
          expectTypeOf(targets).toEqualTypeOf<IntTensor>();
          return crossEntropy(outputs, targets);
        },
      }),
    );
  });

  it('has options that carry the type of the targets', () => {
    check(() => {
      const options: SequentialFitOptions<IntTensor> = { loss: crossEntropy, optimizer };
      fit(model, ids, options);
      // @ts-expect-error The options are for other targets.
      fit(model, series, options);
    });
  });

  it('accepts data for a custom model only if its batches fit', () => {
    check(() => {
      const line = customModel({ slope: tensor(1) }, (p, batch: { readonly x: Tensor }) => {
        expectTypeOf(p.slope).toEqualTypeOf<Variable>();
        return meanSquaredError(p.slope, batch.x);
      });
      fit(line, { batchCount: 1, batches: () => [{ x }] }, { optimizer });
      // @ts-expect-error The batches lack x.
      fit(line, { batchCount: 1, batches: () => [{ y }] }, { optimizer });
      // @ts-expect-error A batch of a custom model can be anything, so one alone is not data.
      fit(line, [{ x }], { optimizer, validation: { x } });
      // @ts-expect-error A custom model has a loss.
      fit(line, { batchCount: 1, batches: () => [{ x }] }, { optimizer, loss: meanSquaredError });
      customModel({ slope: tensor(1) }, (p, batch) => {
        expectTypeOf(batch).toEqualTypeOf<Batch>();
        return sum(p.slope);
      });
    });
  });
});

describe('evaluate', () => {
  it('returns one number per metric', () => {
    check(() => {
      const result = evaluate(model, ids, { loss: crossEntropy, metrics: { accuracy, entropy: crossEntropy } });
      expectTypeOf(result.loss).toEqualTypeOf<number>();
      expectTypeOf(result.accuracy).toEqualTypeOf<number>();
      expectTypeOf(result.entropy).toEqualTypeOf<number>();
      // @ts-expect-error There is no such metric.
      result.recall;
      // @ts-expect-error Without metrics there is only the loss.
      evaluate(model, ids, { loss: crossEntropy }).accuracy;
    });
  });

  it('accepts a metric only if it fits the targets', () => {
    check(() => {
      evaluate(model, series, { loss: meanSquaredError, metrics: { mse: meanSquaredError } });
      // @ts-expect-error accuracy needs class ids.
      evaluate(model, series, { loss: meanSquaredError, metrics: { accuracy } });
      // @ts-expect-error crossEntropy needs class ids.
      evaluate(model, series, { loss: crossEntropy });
      const options: EvaluateOptions<IntTensor, { accuracy: Metric<IntTensor> }> = {
        loss: crossEntropy,
        metrics: { accuracy },
      };
      expectTypeOf(evaluate(model, ids, options).accuracy).toEqualTypeOf<number>();
    });
  });

  it('returns the results of metrics over a dataset, which must fit the targets', () => {
    check(() => {
      const metrics = { f1: f1Score(), confusion: confusionMatrix(), accuracy };
      const result = evaluate(model, ids, { loss: crossEntropy, metrics });
      expectTypeOf(result.f1).toEqualTypeOf<number>();
      expectTypeOf(result.confusion).toEqualTypeOf<readonly (readonly number[])[]>();
      expectTypeOf(result.accuracy).toEqualTypeOf<number>();
      evaluate(model, series, { loss: meanSquaredError, metrics: { rmse: rootMeanSquaredError() } });
      // @ts-expect-error rootMeanSquaredError needs a tensor.
      evaluate(model, ids, { loss: crossEntropy, metrics: { rmse: rootMeanSquaredError() } });
      // @ts-expect-error The metric was not created.
      evaluate(model, series, { loss: meanSquaredError, metrics: { rmse: rootMeanSquaredError } });
      // @ts-expect-error The result has the loss.
      evaluate(model, ids, { loss: crossEntropy, metrics: { loss: accuracy } });
      measure(rootMeanSquaredError(), x, x);
      // @ts-expect-error rootMeanSquaredError needs a tensor.
      measure(rootMeanSquaredError(), x, y);
    });
  });

  it('gives an inline metric the types of outputs and targets', () => {
    check(() =>
      evaluate(model, ids, {
        loss: crossEntropy,
        metrics: {
          first: (outputs, targets) => {
            expectTypeOf(outputs).toEqualTypeOf<Tensor>();
            expectTypeOf(targets).toEqualTypeOf<IntTensor>();
            return outputs.data[0]! + targets.data[0]!;
          },
        },
      }),
    );
  });
});

describe('losses and metrics', () => {
  it('accept the targets that they can compute', () => {
    expectTypeOf(crossEntropy).toExtend<Loss<IntTensor>>();
    expectTypeOf(crossEntropy).not.toExtend<Loss<Tensor>>();
    expectTypeOf(meanSquaredError).toExtend<Loss<Tensor>>();
    expectTypeOf(meanSquaredError).not.toExtend<Loss<IntTensor>>();
    expectTypeOf(accuracy).toExtend<Metric<IntTensor>>();
    expectTypeOf(crossEntropyWith({})).toExtend<Metric<IntTensor>>();
    expectTypeOf(crossEntropyWith({})).not.toExtend<Loss<Tensor>>();
    expectTypeOf(binaryCrossEntropyWith({})).toExtend<Loss<Tensor>>();
    expectTypeOf(topKAccuracy(3)).toExtend<Metric<IntTensor>>();
    expectTypeOf<Loss<Tensor>>().toExtend<Metric<Tensor>>();
    expectTypeOf<Loss<IntTensor>>().toExtend<Metric<IntTensor>>();
    // A loss for targets of both types is a loss for each.
    expectTypeOf<Loss>().toExtend<Loss<Tensor>>();
  });
});

describe('datasets', () => {
  const sequence = Int32Array.of(0, 1, 2, 3);

  it('carry the types of inputs and targets', () => {
    check(() => {
      expectTypeOf(windows(sequence, { sequenceLength: 1, batchSize: 1 })).toEqualTypeOf<
        Dataset<Batch<IntTensor, IntTensor>>
      >();
      expectTypeOf(seriesWindows(x, { sequenceLength: 1, batchSize: 1 })).toEqualTypeOf<
        Dataset<Batch<Tensor, Tensor>>
      >();
      expectTypeOf(batchesOf(x, y, { batchSize: 1 })).toEqualTypeOf<Dataset<Batch<IntTensor, Tensor>>>();
      expectTypeOf(bucketBatches([{ input: sequence, target: 1 }], { batchSize: 1 })).toEqualTypeOf<
        Dataset<Batch<IntTensor, IntTensor>>
      >();
      expectTypeOf(bucketBatches([{ input: x, target: x }], { batchSize: 1 })).toEqualTypeOf<
        Dataset<Batch<Tensor, Tensor>>
      >();
      expectTypeOf(bucketBatches([{ input: sequence, target: sequence }], { batchSize: 1 })).toEqualTypeOf<
        Dataset<Batch<IntTensor, IntTensor>>
      >();
      expectTypeOf(padSequences([sequence]).inputs).toEqualTypeOf<IntTensor>();
      expectTypeOf(padSequences([x]).inputs).toEqualTypeOf<Tensor>();
      expectTypeOf(pairBatches([{ input: x, target: sequence }], { batchSize: 1 })).toEqualTypeOf<
        Dataset<PairBatch<Tensor>>
      >();
    });
  });

  it('fit a loss without annotations', () => {
    check(() => {
      const options = { sequenceLength: 1, batchSize: 1 };
      fit(model, windows(sequence, options), { loss: crossEntropy, optimizer });
      fit(model, seriesWindows(x, options), { loss: meanSquaredError, optimizer });
      fit(model, batchesOf(x, y, options), { loss: crossEntropy, optimizer });
      // @ts-expect-error The targets of a series are a tensor.
      fit(model, seriesWindows(x, options), { loss: crossEntropy, optimizer });
    });
  });
});

describe('gradientFlow and truncatedBptt', () => {
  it('accept a loss only if it fits the targets', () => {
    check(() => {
      gradientFlow(model, { inputs: x, targets: x }, { loss: meanSquaredError });
      // @ts-expect-error crossEntropy needs class ids.
      gradientFlow(model, { inputs: x, targets: x }, { loss: crossEntropy });
      const trainer = truncatedBptt(model, { window: 2, loss: crossEntropy, optimizer });
      expectTypeOf(trainer).toEqualTypeOf<StreamTrainer<IntTensor>>();
      trainOn(trainer, { inputs: x, targets: y });
      // @ts-expect-error The trainer needs class ids.
      trainOn(trainer, { inputs: x, targets: x });
      const regression = truncatedBptt(model, { window: 2, loss: meanSquaredError, optimizer });
      expectTypeOf(regression).toEqualTypeOf<StreamTrainer<Tensor>>();
    });
  });
});

describe('results', () => {
  it('of arrays of parameters are arrays', () => {
    check(() => {
      const list: Tensor[] = [x, x];
      expectTypeOf(compute({ list }, (p) => p.list)).toEqualTypeOf<readonly Tensor[]>();
      expectTypeOf(compute({ list }, (p) => p.list.map((v) => v))).toEqualTypeOf<Tensor[]>();
      expectTypeOf(compute(list, (p) => ({ p, n: 1 }))).toEqualTypeOf<{ p: readonly Tensor[]; n: number }>();
      expectTypeOf(compute([x, x] as const, (p) => p)).toEqualTypeOf<readonly [Tensor, Tensor]>();
      const tree: TensorTree = { list };
      const copy: TensorTree = compute(tree, (p) => p);
      return copy;
    });
  });

  it('as bytes of files can be offered as a download', () => {
    check(() => {
      const network = sequential([dense({ size: 1 })], { inputSize: 1 });
      expectTypeOf(save(network)).toEqualTypeOf<Uint8Array<ArrayBuffer>>();
      new Blob([save(network), writeSafetensors({ x }), exportOnnx(network)]);
      return (fitted: FittedForecaster) => new Blob([saveForecaster(fitted)]);
    });
  });
});

it('a model is not a custom model', () => {
  check(() => {
    // @ts-expect-error evaluate needs the loss of a sequential model.
    evaluate(sequential([dense({ size: 1 })], { inputSize: 1 }), series);
  });
});

describe('applyOptimizer', () => {
  it('accepts a gradient only if it has the names of the parameters', () => {
    check(() => {
      const state = initializeOptimizer(optimizer, 1);
      applyOptimizer(optimizer, state, { w: x }, { w: x });
      applyOptimizer(optimizer, state, model.parameters, model.parameters);
      // @ts-expect-error The gradient has other names.
      applyOptimizer(optimizer, state, { w: x }, { v: x });
      // @ts-expect-error The gradient lacks b.
      applyOptimizer(optimizer, state, { w: x, b: x }, { w: x });
    });
  });
});
