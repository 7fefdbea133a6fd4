import { dense, load, multiply, relu, save, sequential, sum, tensor, valueAndGradient } from 'bptt';
import { checkpointFile, terminalProgress } from 'bptt/node';

const { value, gradient } = valueAndGradient({ w: tensor([3, 4]) }, (p) => sum(multiply(p.w, p.w)));
if (
  value !== 25 ||
  gradient.w.data[1] !== 8 ||
  typeof terminalProgress !== 'function' ||
  typeof checkpointFile !== 'function'
)
  throw new Error('import: wrong answer');

const model = sequential([dense({ size: 2, activation: relu })], { inputSize: 3 });
if (load(save(model)).model.data.some((number, i) => number !== model.data[i]))
  throw new Error('import: a saved model comes back as another');
