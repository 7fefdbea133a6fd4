/** Minimization without gradients (Nelder and Mead, 1965). */

/** The options of {@link minimize}. */
interface MinimizeOptions {
  /** The size of the first simplex. */
  readonly scale: number;
  /** The largest number of iterations. */
  readonly iterations: number;
  /** The search ends when the values of the simplex differ by less than this, relative to the best one. */
  readonly tolerance: number;
}

type Vertex = readonly [point: readonly number[], value: number];

/** Finds a local minimum near `start`. The function may return Infinity for points that are not allowed. */
export function minimize(
  f: (point: readonly number[]) => number,
  start: readonly number[],
  { scale, iterations, tolerance }: MinimizeOptions,
): readonly number[] {
  const vertex = (point: readonly number[]): Vertex => [point, f(point)];
  const simplex: Vertex[] = [
    vertex(start),
    ...start.map((_, axis) => vertex(start.map((x, i) => (i === axis ? x + scale : x)))),
  ];
  const n = start.length;
  for (let iteration = 0; iteration < iterations; iteration++) {
    simplex.sort((a, b) => a[1] - b[1]);
    const [best, worst] = [simplex[0]!, simplex[n]!];
    if (worst[1] - best[1] < tolerance * (1 + Math.abs(best[1]))) break;
    const center = start.map((_, axis) => simplex.slice(0, n).reduce((sum, [point]) => sum + point[axis]! / n, 0));
    const along = (factor: number): Vertex => vertex(center.map((c, axis) => c + factor * (worst[0][axis]! - c)));
    const reflected = along(-1);
    if (reflected[1] < best[1]) {
      const expanded = along(-2);
      simplex[n] = expanded[1] < reflected[1] ? expanded : reflected;
    } else if (reflected[1] < simplex[n - 1]![1]) simplex[n] = reflected;
    else {
      const contracted = along(reflected[1] < worst[1] ? -0.5 : 0.5);
      if (contracted[1] < Math.min(worst[1], reflected[1])) simplex[n] = contracted;
      else
        for (let i = 1; i <= n; i++)
          simplex[i] = vertex(simplex[i]![0].map((x, axis) => best[0][axis]! + (x - best[0][axis]!) / 2));
    }
  }
  simplex.sort((a, b) => a[1] - b[1]);
  return simplex[0]![0];
}
