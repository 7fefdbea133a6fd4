/**
 * The training cases as brain.js runs them: it learns sequences of tokens by softmax cross-entropy at every step, one sequence at a time,
 * clips each element and updates by RMSProp; it has neither batches nor Adam. A batch is that many sequences, one after the other.
 */

import { readFileSync } from 'node:fs';
import brain from 'brain.js';
import { targetsOf } from '../cases.mjs';

export const versions = {
  'brain.js': JSON.parse(readFileSync(new URL('node_modules/brain.js/package.json', import.meta.url), 'utf8')).version,
};

const kinds = { rnn: 'RNN', lstm: 'LSTM', gru: 'GRU' };

export const brainJs = {
  train(cell, shape) {
    const { T, B, I, H, V } = shape;
    const net = new brain.recurrent[kinds[cell]]({ inputSize: I, inputRange: V, hiddenLayers: [H], outputSize: V });
    net.updateTrainingOptions({ ...net.trainOpts, iterations: 1 });
    net.initialize();
    const targets = targetsOf(shape);
    // It reads a token and is to tell the next one, T times.
    const sequences = Array.from({ length: B }, (_, b) => Array.from({ length: T - 1 }, (_, t) => targets[t * B + b]));
    return async (n) => {
      const began = performance.now();
      for (let i = 0; i < n; i++) for (const sequence of sequences) net.trainPattern(sequence, 1e-3);
      return performance.now() - began;
    };
  },
};
