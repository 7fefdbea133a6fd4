/** The interface of a problem: a task with a criterion that decides whether a network has solved it. */

/** The result of a run. */
export interface Outcome {
  readonly solved: boolean;
  /** The final value of the metric on held-out data. */
  readonly figure: number;
  /** The metric on held-out data during training. */
  readonly curve: readonly (readonly [update: number, metric: number])[];
  readonly updates: number;
}

/** Options of a run. */
export interface RunOptions {
  readonly seed: number;
  /** Largest number of updates. Default: the budget of the problem. */
  readonly updates?: number;
  /** Called after every evaluation. */
  readonly onEvaluation?: (update: number, metric: number) => void;
}

/** A problem, and the networks that are trained on it. */
export interface Problem {
  readonly name: string;
  /** Name of the metric; smaller is better. */
  readonly metric: string;
  /** The value of the metric for a trivial model. */
  readonly baseline: number;
  /** Description of when the problem counts as solved. */
  readonly criterion: string;
  /** The networks, and whether each is expected to solve the problem according to the literature. */
  readonly networks: Readonly<
    Record<string, { readonly expected: boolean; readonly run: (options: RunOptions) => Promise<Outcome> }>
  >;
  /** Default number of seeds. */
  readonly seeds: number;
}

/** Evaluation during training. */
export interface Evaluation {
  /** Number of updates between evaluations. */
  readonly every: number;
  readonly metric: () => number;
  readonly solved: (metric: number) => boolean;
  /** Whether to stop training. Default: when the problem is solved. */
  readonly stop?: (metric: number) => boolean;
}

/**
 * Trains until the stopping criterion is met or the budget is exhausted.
 *
 * @param update makes `count` updates
 */
export async function train(
  update: (count: number) => Promise<void>,
  { every, metric, solved, stop = solved }: Evaluation,
  budget: number,
  { updates = budget, onEvaluation }: RunOptions,
): Promise<Outcome> {
  const curve: [number, number][] = [];
  let done = 0;
  let last = metric();
  while (done < updates && !stop(last)) {
    const count = Math.min(every, updates - done);
    await update(count);
    done += count;
    last = metric();
    curve.push([done, last]);
    onEvaluation?.(done, last);
  }
  return { solved: solved(last), figure: last, curve, updates: done };
}
