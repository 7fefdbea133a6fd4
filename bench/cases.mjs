/** The benchmark cases: sequence length T, batch size B, input size I, hidden size H, number of classes V. */

export const cells = ['rnn', 'lstm', 'gru'];

export const shapes = [
  { T: 32, B: 32, I: 64, H: 128, V: 64 },
  { T: 64, B: 32, I: 64, H: 256, V: 64 },
  { T: 64, B: 1, I: 64, H: 128, V: 64 },
  { T: 64, B: 8, I: 16, H: 32, V: 8 },
];

/** Convolutions of k taps, with V filters, as the first layers for speech have. */
export const convolutions = [
  { T: 100, B: 32, I: 40, k: 3, V: 64 },
  { T: 200, B: 16, I: 64, k: 5, V: 64 },
  { T: 500, B: 8, I: 128, k: 5, V: 128 },
];

/** Two convolutions; a depthwise and a pointwise one; a strided convolution in front of a GRU. */
export const convolutionalModels = ['conv', 'separable', 'conv-gru'];

export const convolutionName = ({ T, B, I, k, V }) => `T${T}B${B}I${I}k${k}V${V}`;

export const nameOf = ({ T, B, I, H, V }) => `T${T}B${B}I${I}H${H}V${V}`;

/** Targets `[T, B]`, the same for every library. */
export const targetsOf = ({ T, B, V }) => Int32Array.from({ length: T * B }, (_, i) => (i * 7919) % V);

/** The number of steps of the output of a model. */
export const outputSteps = (cell, { T }) => (cell === 'conv-gru' ? Math.ceil(T / 2) : T);

/** The sizes of the streaming cases. */
export const streams = [
  { I: 64, H: 32 },
  { I: 64, H: 128 },
  { I: 64, H: 256 },
];
