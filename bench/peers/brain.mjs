/**
 * The training cases for brain.js. It trains on one sequence of tokens at a time with softmax cross-entropy at every
 * step, element-wise gradient clipping and RMSProp. It supports neither batches nor Adam; a batch of B is run as B
 * sequences in a row.
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
    // brain.js prepends a start token and predicts the next token T times, so a sequence has T − 1 tokens.
    const sequences = Array.from({ length: B }, (_, b) => Array.from({ length: T - 1 }, (_, t) => targets[t * B + b]));
    return async (n) => {
      const start = performance.now();
      for (let i = 0; i < n; i++) for (const sequence of sequences) net.trainPattern(sequence, 1e-3);
      return performance.now() - start;
    };
  },
};
