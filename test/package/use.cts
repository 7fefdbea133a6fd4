import bptt = require('bptt');
import node = require('bptt/node');

export const report: (progress: bptt.Progress) => void = node.terminalProgress();
export const model: bptt.Sequential = bptt.sequential([bptt.dense({ size: 2 })], { inputSize: 3 });
