/** The messages between the page and its worker. */

import type { Settings } from './settings';

/** The programs in the editor, by file name. */
export type Files = Readonly<Record<'task.js' | 'cells.js' | 'train.js', string>>;

/** The data that a task imports from `playground:data`. */
export interface TaskData {
  readonly text: string;
  /** `[dx, dy, lifted]` for every movement of the pen. */
  readonly strokes: readonly (readonly [dx: number, dy: number, lifted: number])[];
}

/** The messages of the page. */
export type Request =
  | {
      readonly type: 'open';
      readonly files: Files;
      readonly settings: Settings;
      readonly data: TaskData;
      /** The bytes of a saved model to train next to the networks. */
      readonly imported?: Uint8Array;
    }
  | { readonly type: 'play' | 'pause' | 'step' }
  /** Shows samples with another temperature or another seed. */
  | { readonly type: 'sample'; readonly temperature: number; readonly seed: number }
  | { readonly type: 'save'; readonly network: string; readonly format: SaveFormat }
  /** Reads the settings and data in a saved model. */
  | { readonly type: 'read'; readonly bytes: Uint8Array };

export type SaveFormat = 'safetensors' | 'onnx';

/** The reference lines of a task. */
export interface References {
  /** The loss of a trivial prediction. */
  readonly baseline?: number;
  /** The lowest loss that is possible. */
  readonly best?: number;
}

/** What a task shows of a model; the result of its function `show`. */
export type Shown = { readonly labels?: string } & (
  | {
      readonly kind: 'tokens';
      readonly input: string;
      readonly target: string;
      readonly output: string;
      readonly counted?: readonly boolean[];
    }
  | { readonly kind: 'scatter'; readonly x: readonly number[]; readonly y: readonly number[] }
  | {
      readonly kind: 'strings';
      readonly lines: readonly { readonly text: string; readonly legal: boolean }[];
      /** The share of legal strings, from 0 to 1. */
      readonly legal: number;
    }
  | {
      readonly kind: 'series';
      readonly known: readonly number[];
      readonly truth: readonly number[];
      readonly forecast: readonly number[];
    }
  | { readonly kind: 'text'; readonly prompt: string; readonly text: string }
  | { readonly kind: 'strokes'; readonly points: TaskData['strokes'] }
);

/** A matrix of values by time step and unit. */
export interface HeatMapData {
  /** `h`, `c`, or the name of a gate. */
  readonly name: string;
  readonly steps: number;
  readonly units: number;
  /** `[steps, units]` */
  readonly data: Float32Array;
}

/** What the page draws of one network, apart from its loss. */
export interface Inspection {
  readonly network: string;
  readonly shown: Shown | undefined;
  /** The norm of the gradient of the loss by state and by distance from the loss, `[0]` at the loss. */
  readonly flow: Readonly<Record<string, readonly number[]>>;
  readonly maps: readonly HeatMapData[];
  /** Why something of the above is missing. */
  readonly problem: string | undefined;
}

/** The updates of one network since the last message. */
export interface Updates {
  readonly network: string;
  readonly losses: readonly number[];
  readonly gradientNorms: readonly number[];
}

/** The messages of the worker. */
export type Report =
  | {
      readonly type: 'opened';
      readonly networks: readonly { readonly name: string; readonly parameters: number }[];
      readonly references: References;
      readonly kernels: string;
    }
  | {
      readonly type: 'updates';
      readonly updates: readonly Updates[];
      readonly perSecond: number;
      readonly kernels: string;
    }
  | { readonly type: 'inspected'; readonly inspections: readonly Inspection[] }
  /** A network stopped, for example because its loss is not finite any more. */
  | { readonly type: 'stopped'; readonly network: string; readonly message: string }
  | { readonly type: 'saved'; readonly name: string; readonly bytes: Uint8Array }
  | { readonly type: 'read'; readonly bytes: Uint8Array; readonly experiment: Experiment | undefined }
  | { readonly type: 'printed'; readonly text: string }
  /** The experiment cannot run, or a request failed. */
  | { readonly type: 'failed'; readonly message: string; readonly fatal: boolean };

/** The extras of a saved model, from which the page restores an experiment. */
export interface Experiment {
  readonly settings: Settings;
  readonly data: TaskData | undefined;
}
