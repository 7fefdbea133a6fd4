/** Simulates a ball in a box and renders it as images of 16 × 16 pixels. */

import { type Random, type Tensor, uniformNumber } from 'bptt';

/** Width and height of an image in pixels. */
export const side = 16;
/** The coordinates at which the center of the ball bounces, in pixels. */
const [near, far] = [1.5, 13.5];

/** Sequences of images, with the position of the ball. */
export interface Scenes {
  /** `[T, B, 256]`, row by row, from 0 to 1 */
  readonly images: Tensor;
  /** `[T, B, 2]`: x and y of the center of the ball, in pixels */
  readonly positions: Tensor;
}

/** Draws balls with a random initial position and direction, and a speed of 0.5 to 2 pixels per step. */
export function drawScenes(random: Random, steps: number, rows: number): Scenes {
  const images = new Float32Array(steps * rows * side * side);
  const positions = new Float32Array(steps * rows * 2);
  for (let row = 0; row < rows; row++) {
    const position = [uniformNumber(random, near, far), uniformNumber(random, near, far)] as [number, number];
    const [speed, angle] = [uniformNumber(random, 0.5, 2), uniformNumber(random, 0, 2 * Math.PI)];
    const velocity = [speed * Math.cos(angle), speed * Math.sin(angle)] as [number, number];
    for (let t = 0; t < steps; t++) {
      positions.set(position, (t * rows + row) * 2);
      drawInto(images, (t * rows + row) * side * side, position);
      for (const axis of [0, 1] as const) {
        position[axis] += velocity[axis];
        if (position[axis] >= near && position[axis] <= far) continue;
        position[axis] = 2 * (position[axis] < near ? near : far) - position[axis];
        velocity[axis] *= -1;
      }
    }
  }
  return {
    images: { shape: [steps, rows, side * side], data: images },
    positions: { shape: [steps, rows, 2], data: positions },
  };
}

/** Draws the ball as a Gaussian, exp(−distance²/2), which encodes the position at subpixel resolution. */
function drawInto(image: Float32Array, offset: number, [x, y]: readonly [number, number]): void {
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++)
      image[offset + row * side + column] = Math.exp(-((column - x) ** 2 + (row - y) ** 2) / 2);
  }
}
