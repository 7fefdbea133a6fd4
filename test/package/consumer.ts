// A stranger's program. run.sh compiles it against the installed tarball, as ESM and as CommonJS, and runs both.
import { createRandom, multiply, sum, tensor, uniformNumber, valueAndGradient, type Tensor } from 'bptt';
import { terminalProgress } from 'bptt/node';

const random = createRandom(1);
const parameters: { readonly w: Tensor } = { w: tensor([uniformNumber(random, 1, 2), uniformNumber(random, -2, -1)]) };
const losses: number[] = [];
for (let step = 0; step < 10; step++) {
  const { value, gradient } = valueAndGradient(parameters, (p) => sum(multiply(p.w, p.w)));
  losses.push(value);
  gradient.w.data.forEach((slope, i) => (parameters.w.data[i]! -= 0.1 * slope));
}
// Each update takes w to 0.8·w, so that nine of them take the loss to 0.64⁹ of the first.
const ratio = losses[9]! / losses[0]!;
if (!(losses[0]! > 2 && Math.abs(ratio / 0.64 ** 9 - 1) < 1e-5)) throw new Error(`the losses should fall by 0.64 a step, got ${losses.join(', ')}`);
if (typeof terminalProgress() !== 'function') throw new Error('terminalProgress should make a function');

// @ts-expect-error: the types are there, not any.
tensor('3');
