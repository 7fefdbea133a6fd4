/** The benchmark cases: sequence length T, batch size B, input size I, hidden size H, number of classes V. */

export const cells = ['rnn', 'lstm', 'gru'];

export const shapes = [
  { T: 32, B: 32, I: 64, H: 128, V: 64 },
  { T: 64, B: 32, I: 64, H: 256, V: 64 },
  { T: 64, B: 1, I: 64, H: 128, V: 64 },
  { T: 64, B: 8, I: 16, H: 32, V: 8 },
];

export const nameOf = ({ T, B, I, H, V }) => `T${T}B${B}I${I}H${H}V${V}`;

/** Targets `[T, B]`, the same for every library. */
export const targetsOf = ({ T, B, V }) => Int32Array.from({ length: T * B }, (_, i) => (i * 7919) % V);

/** The sizes of the streaming cases. */
export const streams = [
  { I: 64, H: 32 },
  { I: 64, H: 128 },
  { I: 64, H: 256 },
];
