/** A ball in a box, seen through 16 × 16 pixels. */

import { type Random, type Tensor, uniformNumber } from 'bptt';

/** Pixels a side. */
export const side = 16;
/** The walls that the ball's middle bounces off. */
const [near, far] = [1.5, 13.5];

/** Runs of balls: images `[T, B, 256]` and the place of the middle, in pixels, `[T, B, 2]`. */
export interface Scene {
  readonly images: Tensor;
  readonly places: Tensor;
}

/** Balls that begin anywhere and go anywhere, at half a pixel to two pixels a step. */
export function scenes(random: Random, steps: number, rows: number): Scene {
  const images = new Float32Array(steps * rows * side * side);
  const places = new Float32Array(steps * rows * 2);
  for (let row = 0; row < rows; row++) {
    const place = [uniformNumber(random, near, far), uniformNumber(random, near, far)] as [number, number];
    const [speed, angle] = [uniformNumber(random, 0.5, 2), uniformNumber(random, 0, 2 * Math.PI)];
    const velocity = [speed * Math.cos(angle), speed * Math.sin(angle)] as [number, number];
    for (let t = 0; t < steps; t++) {
      places.set(place, (t * rows + row) * 2);
      drawInto(images, (t * rows + row) * side * side, place);
      for (const axis of [0, 1] as const) {
        place[axis] += velocity[axis];
        if (place[axis] >= near && place[axis] <= far) continue;
        place[axis] = 2 * (place[axis] < near ? near : far) - place[axis];
        velocity[axis] *= -1;
      }
    }
  }
  return {
    images: { shape: [steps, rows, side * side], data: images },
    places: { shape: [steps, rows, 2], data: places },
  };
}

/** A soft spot: exp(−distance²/2), so that the middle can be told between pixels. */
function drawInto(image: Float32Array, offset: number, [x, y]: readonly [number, number]): void {
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++)
      image[offset + row * side + column] = Math.exp(-((column - x) ** 2 + (row - y) ** 2) / 2);
  }
}
