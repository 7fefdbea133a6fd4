/** What a problem is: something that a network can be trained on and be said to have solved, or not. */

/** How a run went. */
export interface Outcome {
  readonly solved: boolean;
  /** The figure that decides, and in words what it is. */
  readonly figure: number;
  /** The figure on held-out data after so many updates. */
  readonly curve: readonly (readonly [update: number, figure: number])[];
  readonly updates: number;
}

/** How a run is made. */
export interface RunOptions {
  readonly seed: number;
  /** The most updates; the problem's own budget by default. */
  readonly updates?: number;
  /** Called at every point of the curve. */
  readonly onPoint?: (update: number, figure: number) => void;
}

export interface Problem {
  readonly name: string;
  /** What the figure is, and what it is for who has learned nothing. */
  readonly figure: string;
  readonly baseline: number;
  /** When it is solved, in words. */
  readonly criterion: string;
  /** The networks, and whether the paper lets one expect that they solve it. */
  readonly networks: Readonly<
    Record<string, { readonly expected: boolean; readonly run: (options: RunOptions) => Promise<Outcome> }>
  >;
  /** How many seeds are run by default. */
  readonly seeds: number;
}

/** The point at which a training is looked at, and may be ended. */
export interface Look {
  readonly every: number;
  readonly figure: () => number;
  readonly solved: (figure: number) => boolean;
  /** Whether there is no more to see; when it is solved, by default. */
  readonly enough?: (figure: number) => boolean;
}

/** Trains by `steps(n)`, n updates at a time, until there is enough or the budget is spent. */
export async function train(
  steps: (count: number) => Promise<void>,
  { every, figure, solved, enough = solved }: Look,
  budget: number,
  { updates = budget, onPoint }: RunOptions,
): Promise<Outcome> {
  const curve: [number, number][] = [];
  let done = 0;
  let last = figure();
  while (done < updates && !enough(last)) {
    const count = Math.min(every, updates - done);
    await steps(count);
    done += count;
    last = figure();
    curve.push([done, last]);
    onPoint?.(done, last);
  }
  return { solved: solved(last), figure: last, curve, updates: done };
}
