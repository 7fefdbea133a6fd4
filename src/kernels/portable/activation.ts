/** The logistic function, alike for gates and ops. */

/** 1 / (1 + e⁻ˣ); e⁻ˣ may overflow to ∞, which gives the right 0. */
export function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
