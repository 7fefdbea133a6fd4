/** The inference and streaming cases for ONNX Runtime, native or on WebAssembly. */

import { timed } from '../measure.mjs';
import { onnxModel } from './onnx-model.mjs';

export function onnxruntime(ort, threads) {
  const open = (model) =>
    ort.InferenceSession.create(model, {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // In onnxruntime-web, another name of WebAssembly.
      executionProviders: ['cpu'],
    });
  const tensor = (dims) => new ort.Tensor('float32', new Float32Array(dims.reduce((a, b) => a * b)).fill(0.1), dims);
  return {
    async infer(cell, shape) {
      const session = await open(onnxModel(cell, shape, shape.V));
      const x = tensor([shape.T, shape.B, shape.I]);
      return timed(() => session.run({ x }));
    },
    async stream(cell, { I, H }) {
      const session = await open(onnxModel(cell, { T: 1, B: 1, I, H }));
      const x = tensor([1, 1, I]);
      let state = { h0: tensor([1, 1, H]), ...(cell === 'lstm' ? { c0: tensor([1, 1, H]) } : {}) };
      return timed(async () => {
        const { h1, c1 } = await session.run({ x, ...state });
        state = { h0: h1, ...(c1 === undefined ? {} : { c0: c1 }) };
      });
    },
  };
}
