import { advance, lstm, streamCell, tensor } from 'bptt';

/** Numbers instead of trained weights. */
const weights = (...shape) => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => ((i * 37) % 101) / 101 - 0.5),
});

/** Streams through an LSTM. Returns its last hidden state. */
export async function run() {
  const running = streamCell(lstm(), { weightIh: weights(3, 64), weightHh: weights(16, 64), bias: weights(64) });
  let h;
  for (let t = 0; t < 20; t++) h = advance(running, tensor([[Math.abs(t - 10) / 10, t % 2, 1]])).data;
  return Array.from(h);
}
