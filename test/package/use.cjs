const { adam, crossEntropy, dense, embedding, fit, lstm, recurrent, sequential, windows } = require('bptt');
const { terminalProgress } = require('bptt/node');

const model = sequential([embedding({ vocabularySize: 5, size: 4 }), recurrent(lstm(), { hiddenSize: 8 }), dense({ size: 5 })]);
const data = windows(Int32Array.from({ length: 200 }, (_, i) => i % 5), { steps: 10, batchSize: 4 });
fit(model, data, { loss: crossEntropy, optimizer: adam(0.05), steps: 10 }).then(({ losses }) => {
  if (!(losses[9] < losses[0]) || typeof terminalProgress !== 'function') throw new Error('require: the loss does not fall');
});
