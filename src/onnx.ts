/** Import and export of ONNX models: `import { importOnnx } from 'bptt/onnx'`. */

export { type ExportOnnxOptions, exportOnnx } from './formats/onnx/export';
export { type ImportOnnxOptions, importOnnx } from './formats/onnx/import';
export { importOnnxStream, type OnnxStreamOptions } from './formats/onnx/import-stream';
export type { OnnxValue } from './formats/onnx/model';
export { type OnnxNetwork, type OnnxParameters, predictOnnx, runOnnx } from './formats/onnx/network';
export type { OnnxStream } from './formats/onnx/streaming/stream';
