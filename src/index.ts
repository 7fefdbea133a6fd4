/**
 * The public API of bptt. Separate entry points have the rest: bptt/pytorch, bptt/keras, bptt/onnx, bptt/worker,
 * bptt/forecasting and bptt/node.
 */

export { type Attended, attend } from './attention/attend';
export { type AttentionMemory, attentionMemory } from './attention/memory';
export { additiveScore, dotScore, generalScore, initializeScore, type Score, scaledDotScore } from './attention/scores';
export { checkGradients, type GradientCheck } from './autodiff/gradient-check';
export { add, broadcastTo, divide, multiply, scale, subtract } from './autodiff/ops/arithmetic';
export { type ConvolutionOptions, type ConvolutionParameters, convolve } from './autodiff/ops/convolution';
export { abs, exp, huberize, leakyRelu, log, relu, sigmoid, softplus, sqrt, tanh } from './autodiff/ops/elementwise';
export { type AffineParameters, affine, type BatchedOptions, batchedMatmul, matmul } from './autodiff/ops/linear';
export { concat, gather, reshape, slice, stack, stopGradient, transpose } from './autodiff/ops/movement';
export { layerNormalize, type NormalizationOptions } from './autodiff/ops/normalization';
export { logSoftmax, mask, mean, softmax, sum } from './autodiff/ops/reductions';
export type { Padding, WindowOptions } from './autodiff/ops/windows';
export { type RecomputeOptions, recompute, type VariableTree } from './autodiff/recompute';
export { type Operand, toTensor, type Variable } from './autodiff/tape';
export {
  type AsTensors,
  compute,
  type Results,
  type ValueAndGradient,
  valueAndGradient,
  type WithResults,
} from './autodiff/value-and-gradient';
export {
  type Activation,
  type ActivationFunction,
  type ActivationPair,
  hardSigmoid,
  linear,
} from './cells/activations';
export { gateParameters } from './cells/gate-parameters';
export { type GruOptions, gru } from './cells/gru';
export { type GruWithOptions, gruWith } from './cells/gru-with';
export { type LayerNormCellOptions, layerNormGru, layerNormLstm, layerNormRnn } from './cells/layer-norm-cells';
export { lstm } from './cells/lstm';
export { type LstmWithOptions, lstmWith } from './cells/lstm-with';
export { projectedLstm } from './cells/projected-lstm';
export { type SimpleRnnOptions, simpleRnn } from './cells/simple-rnn';
export { type BucketOptions, bucketBatches, type Example } from './data/bucket-batches';
export type { BytePair } from './data/byte-pair-encoding';
export {
  type AsyncBatches,
  type AsyncDataset,
  type Batch,
  type Batches,
  type BatchesOptions,
  batchesOf,
  type Dataset,
} from './data/dataset';
export { type Fold, kFold, splitGroups } from './data/groups';
export {
  type BytePairOptions,
  bytePairVocabulary,
  type CountOptions,
  characterVocabulary,
  type MarksOptions,
  type WordVocabularyOptions,
  wordVocabulary,
} from './data/make-vocabulary';
export { type Pair, type PairBatch, pairBatches } from './data/pairs';
export { minMaxScaler, type Scaler, scaleWith, standardScaler, unscaleWith } from './data/scaling';
export { type SeriesWindowsOptions, seriesWindows } from './data/series-windows';
export { type Parts, split } from './data/split';
export { type Padded, type PadOptions, padSequences, type TensorOf } from './data/unequal-lengths';
export { decode, type EncodeOptions, encode, type Mark, type Vocabulary } from './data/vocabulary';
export { type WindowsOptions, windows } from './data/windows';
export type { DecoderOptions, DecoderParameters } from './encoder-decoder/decoder';
export {
  type EncoderDecoder,
  type EncoderDecoderOptions,
  type EncoderDecoderParameters,
  encoderDecoder,
} from './encoder-decoder/encoder-decoder';
export {
  type BeamOptions,
  beamSearch,
  greedySearch,
  type Hypothesis,
  type SearchOptions,
} from './encoder-decoder/search';
export type { CustomObjects } from './formats/description';
export type { Bytes } from './formats/file-bytes';
export { readSafetensors, type Safetensors, writeSafetensors } from './formats/safetensors';
export {
  type Loaded,
  type LoadOptions,
  load,
  loadEncoderDecoder,
  loadInto,
  type Saveable,
  type SavedExtras,
  type SaveOptions,
  save,
} from './formats/saved-model';
export type { Heap, KernelName, Kernels } from './kernels/kernel';
export { threadsInUse, threadsReady, useThreads } from './kernels/threads/use-threads';
export { kernelsInUse, useKernels } from './kernels/workspace';
export { type AttentionPoolingOptions, attentionPooling } from './layers/attention-pooling';
export { type BatchNormOptions, batchNorm } from './layers/batch-norm';
export { type BidirectionalOptions, bidirectional, type Merge } from './layers/bidirectional';
export type { NamedLayer } from './layers/chain';
export { type Conv1dOptions, conv1d } from './layers/conv1d';
export { type DenseOptions, dense } from './layers/dense';
export { dropout } from './layers/dropout';
export { type EmbeddingOptions, embedding } from './layers/embedding';
export { globalAveragePool, globalMaxPool } from './layers/global-pool';
export type {
  Features,
  Layer,
  LayerContext,
  LayerParameters,
  LayerResult,
  LayerState,
  LayerStepContext,
} from './layers/layer';
export { layerNorm } from './layers/layer-norm';
export { averagePool1d, maxPool1d, type Pool1dOptions } from './layers/pool1d';
export { type DirectionOptions, type RecurrentOptions, recurrent } from './layers/recurrent';
export { residual } from './layers/residual';
export { withoutBias } from './layers/without-bias';
export { type GenerateOptions, generate } from './models/generate';
export { outputLengths } from './models/output-lengths';
export { predictStates } from './models/predict-states';
export { createPredictor, type Predictor } from './models/predictor';
export { runInSegments } from './models/segments';
export {
  type ModelRun,
  type ModelState,
  type Prediction,
  type PredictOptions,
  predict,
  predictWithState,
  type RunOptions,
  runModel,
  type Sequential,
  type SequentialOptions,
  sequential,
  withParameters,
} from './models/sequential';
export { advance, type Stream, type StreamOptions, stream, streamCell } from './models/stream';
export { createStreamPool, type StreamPool } from './models/stream-pool';
export { joinStates, splitState } from './models/stream-state';
export { type Summarizable, summary } from './models/summary';
export { applyPointwise } from './recurrence/apply-pointwise';
export {
  type Cell,
  type CellFunction,
  type CellInitializers,
  type CellOptions,
  initializeCell,
  type OpsCell,
  type PointwiseBackwardStep,
  type PointwiseCell,
  type PointwiseStep,
  type State,
} from './recurrence/cell';
export type { StepRunner, StepRunnerOptions, StepRunnerState } from './recurrence/cell-stream';
export { step, type Unrolled, type UnrollOptions, unroll } from './recurrence/unroll';
export type { ZoneoutOptions } from './recurrence/zoneout';
export {
  chronoBias,
  constant,
  forgetBias,
  glorotNormal,
  glorotUniform,
  heNormal,
  heUniform,
  type Initializer,
  identity,
  lecunNormal,
  lecunUniform,
  normal,
  ones,
  orthogonal,
  truncatedNormal,
  uniform,
  zeros,
} from './tensor/initializers';
export type { Origin } from './tensor/origin';
export type { ParameterRole, ParameterSpec } from './tensor/parameter-spec';
export {
  createRandom,
  integerNumber,
  normalNumber,
  type Random,
  randomBits,
  shuffle,
  uniformNumber,
} from './tensor/random';
export { type SamplingOptions, sampleFromLogits } from './tensor/sampling';
export { formatShape, type Shape, sizeOf, stridesOf } from './tensor/shape';
export {
  full,
  type IntTensor,
  intTensor,
  isIntTensor,
  isTensor,
  type Nested,
  sliceRows,
  type Tensor,
  tensor,
  toBatchMajor,
  toTimeMajor,
  view,
} from './tensor/tensor';
export {
  type Flat,
  flattenTree,
  type Leaf,
  leaves,
  type Mapped,
  type MappedArray,
  mapTree,
  type TensorTree,
  treeOver,
} from './tensor/tree';
export { type AverageOptions, averagedModel, averageWeights } from './training/averaged-weights';
export {
  confusionMatrix,
  type F1Average,
  type F1Options,
  f1Score,
  topKAccuracy,
} from './training/classification-metrics';
export { type CustomModel, customModel, type TrainingContext } from './training/custom-model';
export { type EvaluateOptions, type Evaluation, evaluate, type Metrics } from './training/evaluate';
export { type FitOptions, type FitResult, fit, type Progress, type SequentialFitOptions } from './training/fit';
export { freeze } from './training/freeze';
export { type GradientFlow, type GradientFlowOptions, gradientFlow } from './training/gradient-flow';
export { csvLogger, jsonLinesLogger, type LoggerOptions, type LogOutput } from './training/loggers';
export { type Losses, type LossPlotOptions, lossPlot, pageProgress } from './training/loss-plot';
export {
  binaryCrossEntropy,
  crossEntropy,
  huber,
  type Loss,
  type LossOptions,
  meanAbsoluteError,
  meanSquaredError,
  type Reduction,
} from './training/losses';
export {
  accuracy,
  bitsPerCharacter,
  type DatasetMetric,
  type Measurement,
  type Metric,
  type MetricOptions,
  measure,
  perplexity,
} from './training/metrics';
export {
  type MixtureParameters,
  mixtureMean,
  mixtureNegativeLogLikelihood,
  mixtureParameters,
  mixtureSize,
  type SampleMixtureOptions,
  sampleMixture,
} from './training/mixture-density';
export { amsgrad, centeredRmsprop, type NadamOptions, nadam } from './training/optimizer-variants';
export {
  type AdagradOptions,
  type AdamOptions,
  type AdamWOptions,
  adagrad,
  adam,
  adamw,
  applyOptimizer,
  chain,
  initializeOptimizer,
  type Optimizer,
  type OptimizerState,
  type ParameterLeaf,
  type RmspropOptions,
  rmsprop,
  type SgdOptions,
  sgd,
  type Update,
} from './training/optimizers';
export { r2Score, rootMeanSquaredError } from './training/regression-metrics';
export { rocAuc } from './training/roc-auc';
export { type SampledOptions, sampledCrossEntropy } from './training/sampled-softmax';
export {
  cosineDecay,
  exponentialDecay,
  type LearningRate,
  type PlateauOptions,
  reduceOnPlateau,
  stepDecay,
  warmup,
} from './training/schedules';
export type { Best, Draw, FitCheckpoint, TrainingState } from './training/training-state';
export { clipByNorm, clipByValue, l1, maxNorm, type Selection, weightDecay } from './training/transformations';
export {
  type StreamSteps,
  type StreamTrainer,
  type StreamTrainerMemory,
  type StreamUpdate,
  type TargetsOf,
  type TruncatedBpttOptions,
  trainOn,
  truncatedBptt,
} from './training/truncated-bptt';
export {
  type BinaryCrossEntropyOptions,
  binaryCrossEntropyWith,
  type CrossEntropyOptions,
  crossEntropyWith,
} from './training/weighted-losses';
