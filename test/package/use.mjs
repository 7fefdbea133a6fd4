import * as bptt from 'bptt';
import * as forecasting from 'bptt/forecasting';
import * as keras from 'bptt/keras';
import * as node from 'bptt/node';
import * as onnx from 'bptt/onnx';
import * as pytorch from 'bptt/pytorch';
import * as worker from 'bptt/worker';
import { checkEntries } from './entries.mjs';

for (const name of [...Object.keys(pytorch), ...Object.keys(keras), ...Object.keys(onnx)])
  if (name in bptt) throw new Error(`import: ${name} is in bptt as well as in an entry point for a foreign format`);
await checkEntries({ bptt, pytorch, keras, onnx, forecasting, worker, node });
