/** A learning problem, as a sweep requires it. */

import type { Batch, Dataset, Loss, Sequential, Tensor } from 'bptt';
import { sentimentTask } from './sentiment-task';
import type { Settings, Space } from './space';
import { weatherTask } from './weather-task';

/** A model with the data of one fold of the cross-validation. */
export interface Problem {
  readonly model: Sequential;
  readonly train: Dataset<Batch<Tensor>>;
  readonly test: Dataset<Batch<Tensor>>;
  readonly loss: Loss<Tensor>;
}

/** Which part of the data is for testing. */
export interface FoldChoice {
  readonly fold: number;
  readonly folds: number;
}

/** A learning problem whose hyperparameters can be searched. */
export interface Task {
  /** The hyperparameters, which must include `learningRate`. */
  readonly space: Space;
  /** Creates the model, with parameters that depend on the seed alone, and the data. */
  readonly problemOf: (settings: Settings, choice: FoldChoice, seed: number) => Problem;
}

export const tasks = { sentiment: sentimentTask, weather: weatherTask } satisfies Readonly<Record<string, Task>>;

export type TaskName = keyof typeof tasks;
