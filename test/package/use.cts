import bptt = require('bptt');
import keras = require('bptt/keras');
import node = require('bptt/node');
import onnx = require('bptt/onnx');
import pytorch = require('bptt/pytorch');

export const report: (progress: bptt.Progress) => void = node.terminalProgress();
export const model: bptt.Sequential = bptt.sequential([bptt.dense({ size: 2 })], { inputSize: 3 });
// The types of all entry points are the same types, not copies that only look alike.
export const weights: Readonly<Record<string, bptt.Tensor>> = pytorch.toPyTorch(model);
export const network: onnx.OnnxNetwork = onnx.importOnnx(onnx.exportOnnx(model));
export const imported: (file: Uint8Array) => bptt.Sequential = (file) => keras.importKeras(file).model;
