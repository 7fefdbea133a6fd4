/** The curve of a quantity over updates, in bounded memory. */

/** The moving average of a quantity, as points of a curve. */
export interface History {
  /** The points: update and moving average. */
  readonly points: readonly (readonly [update: number, value: number])[];
  /** The moving average after the last update; NaN before the first. */
  readonly last: number;
  /** The number of updates. */
  readonly count: number;
  readonly push: (values: readonly number[]) => void;
}

/** The largest number of points; then every second one is dropped. */
const capacity = 600;

/** @param window the number of updates over which values are averaged, about */
export function createHistory(window = 20): History {
  let points: (readonly [number, number])[] = [];
  let every = 1;
  let last = NaN;
  let count = 0;
  return {
    get points() {
      return points;
    },
    get last() {
      return last;
    },
    get count() {
      return count;
    },
    push(values) {
      for (const value of values) {
        count++;
        // The first values have equal weight.
        last = Number.isNaN(last) ? value : last + (value - last) * Math.max(1 / window, 1 / count);
        if ((count - 1) % every === 0) points.push([count, last]);
        if (points.length > capacity) {
          points = points.filter((_, i) => i % 2 === 0);
          every *= 2;
        }
      }
    },
  };
}
