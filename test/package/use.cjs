const { adam, crossEntropy, dense, embedding, fit, lstm, recurrent, sequential, tanh, windows } = require('bptt');
const { checkpointFile, resumeFrom, terminalProgress } = require('bptt/node');

const model = sequential([
  embedding({ vocabularySize: 5, size: 4 }),
  recurrent(lstm(), { hiddenSize: 8 }),
  dense({ size: 4, activation: tanh }),
  dense({ size: 5 }),
]);
const data = windows(
  Int32Array.from({ length: 200 }, (_, i) => i % 5),
  { steps: 10, batchSize: 4 },
);
// The files of bptt/node know the same functions as the library does, tanh among them.
fit(model, data, {
  loss: crossEntropy,
  optimizer: adam(0.05),
  steps: 10,
  checkpoint: checkpointFile('run.safetensors', model, { every: 5 }),
}).then(async ({ losses }) => {
  if (!(losses[9] < losses[0]) || typeof terminalProgress !== 'function')
    throw new Error('require: the loss does not fall');
  if ((await resumeFrom('run.safetensors', model)).step !== 10) throw new Error('require: the checkpoint is another');
});
