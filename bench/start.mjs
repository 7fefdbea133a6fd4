/** Prints the milliseconds from the start of the import to the end of the first step of an LSTM. */

const start = performance.now();
const { advance, full, initializeCell, lstm, streamCell, zeros } = await import('../dist/index.js');
const initial = { inputSize: 64, hiddenSize: 128, random: 1, inputInitializer: zeros(), recurrentInitializer: zeros() };
advance(streamCell(lstm(), initializeCell(lstm(), initial)), full([1, 64], 0.1));
console.log(performance.now() - start);
