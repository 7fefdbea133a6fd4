/**
 * Import from Keras and TensorFlow.js, export of weights to them, and readers of HDF5 and zip: `import { importKeras }
 * from 'bptt/keras'`.
 */

export { type Hdf5, readHdf5 } from './formats/hdf5';
export { importKeras } from './formats/keras/import';
export { kerasLayers } from './formats/keras/keras-layers';
export type { KerasOptions } from './formats/keras/layers';
export { fromKeras, type KerasNames } from './formats/keras/load-weights';
export {
  type MaskedPredictOptions,
  type MaskedRunOptions,
  packMasked,
  predictMasked,
  runMasked,
  stepMask,
} from './formats/keras/masks';
export type { ImportedModel } from './formats/keras/model';
export { toKeras } from './formats/keras/write-weights';
export { importTensorFlowJs } from './formats/tensorflow-js';
export { readZip } from './formats/zip';
