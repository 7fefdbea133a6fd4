import { multiply, sum, tensor, valueAndGradient } from 'bptt';
import { terminalProgress } from 'bptt/node';

const { value, gradient } = valueAndGradient({ w: tensor([3, 4]) }, (p) => sum(multiply(p.w, p.w)));
if (value !== 25 || gradient.w.data[1] !== 8 || typeof terminalProgress !== 'function') throw new Error('import: wrong answer');
