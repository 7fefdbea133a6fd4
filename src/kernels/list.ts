/** All kernels by name, for tests and benchmarks. */

export {
  addition,
  addProduct,
  addQuotient,
  addScaled,
  clamp,
  division,
  divisionBackward,
  interpolate,
  interpolateBackward,
  multiplication,
  scaling,
  subtraction,
  sumOf,
  sumOfSquares,
} from './arithmetic';
export { gruCell, gruCellBackward, lstmCell, lstmCellBackward } from './cells';
export {
  combineColumns,
  foldWindows,
  moveWhereEqual,
  multiplyTaps,
  scaleColumns,
  sumProducts,
  takeLarger,
  unfoldWindows,
} from './columns';
export {
  absolute,
  absoluteBackward,
  exponential,
  huberBackward,
  huberOf,
  hyperbolicTangent,
  hyperbolicTangentBackward,
  logarithm,
  rectify,
  rectifyBackward,
  sigmoidal,
  sigmoidalBackward,
  softplusBackward,
  softplusOf,
  squareRoot,
  squareRootBackward,
} from './elementwise';
export { gatherRows, scatterAddRows, sumRows } from './linear';
export { changeByMoments, momentsUpdate } from './moments';
export { addStrided, copy, copyStrided, differing, fill } from './movement';
export { normalizeRows, normalizeRowsBackward } from './normalization';
export { adagradUpdate, adamUpdate, momentumUpdate, rmspropUpdate } from './optimizers';
export { addSigns, limitColumns } from './penalties';
export { affinePacked, affineRows, gemm, gemmPacked, packPanels } from './product';
export { dropoutMask } from './random';
export {
  crossEntropyRows,
  crossEntropyRowsBackward,
  logSoftmaxRows,
  logSoftmaxRowsBackward,
  softmaxRows,
  softmaxRowsBackward,
} from './rows';
