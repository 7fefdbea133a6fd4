/** The public surface of bptt. */

export { ids, batchFirst, full, isIdTensor, isTensor, sliceRows, tensor, timeMajor, view, type IdTensor, type Nested, type Tensor } from './tensor/tensor';
export { formatShape, sizeOf, stridesOf, type Shape } from './tensor/shape';
export { createRandom, integerNumber, normalNumber, randomBits, shuffle, uniformNumber, type Random } from './tensor/random';
export { sampleId, type SampleIdOptions } from './tensor/sampling';
export {
  chronoBias, constant, forgetBias, glorotNormal, glorotUniform, heNormal, heUniform, identity, lecunNormal, lecunUniform, normal, ones, orthogonal,
  truncatedNormal, uniform, zeros, type Initializer,
} from './tensor/initializers';
export { flattenTree, leaves, mapTree, treeOver, type Flat, type Leaf, type Mapped, type TensorTree } from './tensor/tree';

export type { Heap, KernelName, Kernels } from './kernels/kernel';
export { kernelsInUse, useKernels } from './kernels/workspace';

export { read, type Operand, type Variable } from './bptt/tape';
export { compute, valueAndGradient, type Read, type Results, type ValueAndGradient, type WithResults } from './bptt/value-and-gradient';
export {
  additiveScore, attend, dotScore, generalScore, initializeScore, remember, scaledDotScore, type Attended, type Memory, type Score,
} from './bptt/attention';
export { applyPointwise } from './bptt/apply-pointwise';
export { checkpoint, type CheckpointOptions, type VariableTree } from './bptt/checkpoint';
export { checkGradients, type GradientCheck } from './bptt/gradient-check';
export type { Origin } from './bptt/origin';
export type { Steps, StepsStart, StepState } from './bptt/steps';
export { step, unroll, type Unrolled, type UnrollOptions, type ZoneoutOptions } from './bptt/unroll';
export {
  initializeCell, type Cell, type CellFunction, type CellInitializers, type CellOptions, type CellParameter, type OpsCell,
  type ParameterRole, type PointwiseBackwardStep, type PointwiseCell, type PointwiseStep, type State,
} from './bptt/cell';
export { add, broadcastTo, divide, multiply, scale, subtract } from './bptt/ops/arithmetic';
export { abs, exp, huberize, leakyRelu, log, relu, sigmoid, softplus, sqrt, tanh } from './bptt/ops/elementwise';
export { affine, batchedMatmul, matmul, type AffineParameters, type BatchedOptions } from './bptt/ops/linear';
export { concat, gather, reshape, slice, stack, stopGradient, transpose } from './bptt/ops/movement';
export { layerNormalize, type NormalizationOptions } from './bptt/ops/normalization';
export { logSoftmax, mask, mean, softmax, sum } from './bptt/ops/reductions';

export { gru, type GruOptions } from './cells/gru';
export { layerNormGru, layerNormLstm, layerNormRnn, type LayerNormCellOptions } from './cells/layer-norm-cells';
export { lstm } from './cells/lstm';
export { projectedLstm } from './cells/projected-lstm';
export { simpleRnn, type SimpleRnnOptions } from './cells/simple-rnn';
export type { Activation, ActivationPair } from './cells/activations';
export { gateParameters } from './cells/gate-parameters';

export { attentionPooling, type AttentionPoolingOptions } from './layers/attention-pooling';
export { dense, type DenseOptions } from './layers/dense';
export { dropout } from './layers/dropout';
export { embedding, type EmbeddingOptions } from './layers/embedding';
export { layerNorm } from './layers/layer-norm';
export { bidirectional, type BidirectionalOptions, type Merge } from './layers/bidirectional';
export { recurrent, type DirectionOptions, type RecurrentOptions } from './layers/recurrent';
export { residual } from './layers/residual';
export type { NamedLayer } from './layers/chain';
export type { Features, Layer, LayerContext, LayerParameters, LayerResult, LayerState, StepsContext } from './layers/layer';

export {
  average, binaryCrossEntropy, crossEntropy, each, huber, meanAbsoluteError, meanSquaredError, total, type Loss, type LossOptions,
  type Reduction,
} from './training/losses';
export {
  adagrad, adam, adamw, applyOptimizer, chain, initializeOptimizer, rmsprop, sgd,
  type AdamOptions, type AdamWOptions, type Optimizer, type OptimizerState, type ParameterLeaf, type RmspropOptions, type SgdOptions, type Update,
} from './training/optimizers';
export {
  mixtureMean, mixtureNegativeLogLikelihood, mixtureParameters, mixtureSize, sampleMixture, type MixtureParameters, type SampleMixtureOptions,
} from './training/mixture-density';
export { sampledCrossEntropy, type SampledOptions } from './training/sampled-softmax';
export { clipByNorm, clipByValue, l1, maxNorm, weightDecay, type Selection } from './training/transformations';
export { cosineDecay, exponentialDecay, stepDecay, warmup, type LearningRate } from './training/schedules';
export { fit, type FitOptions, type FitResult, type Progress, type SequentialFitOptions } from './training/fit';
export { trainable, type Trainable, type TrainingContext } from './training/trainable';
export type { Best, Draw, FitCheckpoint, TrainingState } from './training/training-state';
export {
  learn, truncated, type Learned, type Learner, type LearnerMemory, type StreamSteps, type TruncatedOptions,
} from './training/truncated';
export { gradientFlow, type GradientFlow, type GradientFlowOptions } from './training/gradient-flow';
export { evaluate, type EvaluateOptions, type Metric } from './training/evaluate';
export { accuracy, bitsPerCharacter, perplexity, type MetricOptions } from './training/metrics';

export {
  predict, predictWithState, runModel, sequential, withParameters, type ModelRun, type ModelState, type PredictOptions, type RunOptions,
  type Sequential, type SequentialOptions,
} from './models/sequential';
export { runInSegments } from './models/segments';
export { joinStates, splitState } from './models/stream-state';
export { advance, stream, streamCell, type Stream, type StreamOptions } from './models/stream';
export { generate, type GenerateOptions } from './models/generate';

export type { DecoderOptions, DecoderParameters } from './encoder-decoder/decoder';
export { encoderDecoder, type EncoderDecoder, type EncoderDecoderOptions, type EncoderDecoderParameters } from './encoder-decoder/encoder-decoder';
export { beamSearch, greedySearch, type BeamOptions, type SearchOptions, type Written } from './encoder-decoder/search';

export { pairBatches, type Pair, type PairBatch } from './data/pairs';
export { batchesOf, type Batch, type BatchesOptions, type Dataset } from './data/dataset';
export { split, type Parts } from './data/split';
export type { BytePair } from './data/byte-pair-encoding';
export { decode, encode, type EncodeOptions, type Mark, type Vocabulary } from './data/vocabulary';
export {
  bytePairVocabulary, characterVocabulary, wordVocabulary, type BytePairOptions, type CountOptions, type MarksOptions, type WordVocabularyOptions,
} from './data/make-vocabulary';
export { folds, splitGroups, type Fold } from './data/groups';
export { minMaxScaler, scaleWith, standardScaler, unscaleWith, type Scaler } from './data/scaling';
export { seriesWindows, type SeriesWindowsOptions } from './data/series-windows';
export { bucketBatches, type BucketOptions, type Example } from './data/bucket-batches';
export { padSequences, type Padded, type PadOptions } from './data/unequal-lengths';
export { windows, type WindowsOptions } from './data/windows';

export {
  load, loadEncoderDecoder, restore, save, type Loaded, type LoadOptions, type Restored, type Saveable, type SaveOptions,
} from './formats/saved-model';
export type { Names } from './formats/description';
export { fromPyTorch, toPyTorch, type PyTorchOptions, type ToPyTorchOptions } from './formats/pytorch';
export { inferModel, type InferOptions, type InferredModel } from './formats/infer-model';
export { readHdf5, type Hdf5 } from './formats/hdf5';
export { importKeras } from './formats/keras/import';
export type { KerasOptions } from './formats/keras/layers';
export { fromKeras, type ImportedModel, type KerasNames } from './formats/keras/model';
export { exportOnnx, type ExportOnnxOptions } from './formats/onnx/export';
export { importTensorFlowJs } from './formats/tensorflow-js';
export { readZip } from './formats/zip';
export { readSafetensors, writeSafetensors, type Safetensors } from './formats/safetensors';
export { importOnnx } from './formats/onnx/import';
export type { OnnxValue } from './formats/onnx/model';
export { predictOnnx, runOnnx, type OnnxNetwork, type OnnxParameters } from './formats/onnx/network';
