const bptt = require('bptt');
const keras = require('bptt/keras');
const node = require('bptt/node');
const onnx = require('bptt/onnx');
const pytorch = require('bptt/pytorch');
const forecasting = require('bptt/forecasting');
const worker = require('bptt/worker');

import('./entries.mjs').then(({ checkEntries }) =>
  checkEntries({ bptt, pytorch, keras, onnx, forecasting, worker, node }),
);
