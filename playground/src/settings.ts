/** The settings of an experiment, and their form in the address of the page. */

import { type NetworkName, networkNames } from './networks';
import { presets, type TaskName } from './presets';

/** The settings of an experiment. The programs in the editor receive them. */
export interface Settings {
  readonly task: TaskName;
  readonly cells: readonly NetworkName[];
  /** The number of steps of a sequence. */
  readonly length: number;
  /** The number of steps after which a symbol is repeated, in the echo task. */
  readonly lag: number;
  readonly hiddenSize: number;
  readonly batchSize: number;
  readonly optimizer: 'adam' | 'sgd';
  readonly learningRate: number;
  /** The largest norm of a gradient; 0 for no clipping. */
  readonly clip: number;
  /** The factor of the initial recurrent weights of simple cells. */
  readonly gain: number;
  readonly seed: number;
  readonly temperature: number;
}

/** A setting that is a number. */
export type NumberName = {
  [K in keyof Settings]: Settings[K] extends number ? K : never;
}[keyof Settings];

/** A control for a number: its values, from which a slider selects, and its explanation. */
export interface NumberControl {
  readonly label: string;
  readonly explanation: string;
  readonly values: readonly number[];
  readonly format?: (value: number) => string;
}

const range = (from: number, to: number, step = 1): number[] =>
  Array.from({ length: Math.round((to - from) / step) + 1 }, (_, i) => Number((from + i * step).toFixed(6)));

export const numberControls: Readonly<Record<NumberName, NumberControl>> = {
  lag: {
    label: 'Lag',
    explanation: 'Number of steps for which a symbol must be remembered.',
    values: [...range(1, 20), 25, 30, 40],
  },
  length: {
    label: 'Sequence length',
    explanation: 'Number of time steps. Gradients must flow back over all of them.',
    values: [...range(4, 40, 2), ...range(45, 100, 5), 120, 150],
  },
  hiddenSize: {
    label: 'Units',
    explanation: 'Size of the hidden state of each network.',
    values: [2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128],
  },
  batchSize: {
    label: 'Batch size',
    explanation: 'Number of sequences per update.',
    values: [1, 2, 4, 8, 16, 32, 64],
  },
  learningRate: {
    label: 'Learning rate',
    explanation: 'Size of the updates. Too large, and the loss jumps; too small, and nothing happens.',
    values: [0.0001, 0.0003, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1],
  },
  clip: {
    label: 'Clip gradients at norm',
    explanation: 'Scales down larger gradients, so that one bad batch cannot destroy the network.',
    values: [0, 0.1, 0.3, 1, 3, 10, 100],
    format: (value) => (value === 0 ? 'off' : String(value)),
  },
  gain: {
    label: 'Recurrent gain',
    explanation: 'Factor of the initial recurrent weights of the RNNs. Below 1 gradients vanish, above 1 they explode.',
    values: range(0.5, 1.5, 0.1),
  },
  seed: {
    label: 'Seed',
    explanation: 'The same seed and settings repeat the same experiment.',
    values: range(1, 99),
  },
  temperature: {
    label: 'Temperature',
    explanation: '0 takes the most likely output; 1 samples from the distribution; higher values are more random.',
    values: range(0, 2, 0.1),
    format: (value) => value.toFixed(1),
  },
};

/** The settings of a preset. */
export function defaultsOf(task: TaskName): Settings {
  return {
    task,
    cells: ['tanh', 'relu', 'lstm', 'gru'],
    length: 30,
    lag: 12,
    hiddenSize: 32,
    batchSize: 32,
    optimizer: 'adam',
    learningRate: 0.01,
    clip: 1,
    gain: 1,
    seed: 1,
    temperature: 0.5,
    ...presets[task].defaults,
  };
}

const numberNames = Object.keys(numberControls) as NumberName[];

/** The part of the address after `#`: the task, and the settings that differ from its defaults. */
export function toHash(settings: Settings): string {
  const defaults = defaultsOf(settings.task);
  const parameters = new URLSearchParams({ task: settings.task });
  if (settings.cells.join() !== defaults.cells.join()) parameters.set('cells', settings.cells.join('.'));
  if (settings.optimizer !== defaults.optimizer) parameters.set('optimizer', settings.optimizer);
  for (const name of numberNames) if (settings[name] !== defaults[name]) parameters.set(name, String(settings[name]));
  return `#${parameters}`;
}

/** The settings in an address. Values that do not exist are ignored. */
export function fromHash(hash: string): Settings {
  const parameters = new URLSearchParams(hash.replace(/^#/, ''));
  const task = parameters.get('task') ?? '';
  return withValues(
    defaultsOf(isTask(task) ? task : 'adding'),
    Object.fromEntries([...parameters].filter(([name]) => name !== 'task')),
  );
}

const isTask = (name: string): name is TaskName => Object.hasOwn(presets, name);

/** Replaces settings by those of an address or a file, if they are valid. */
export function withValues(settings: Settings, values: Readonly<Record<string, unknown>>): Settings {
  const { cells, optimizer } = values;
  const list = Array.isArray(cells) ? cells : typeof cells === 'string' ? cells.split('.') : [];
  const known = networkNames.filter((name) => list.includes(name));
  const numbers = numberNames.flatMap((name) => {
    const value = Number(values[name]);
    return values[name] !== undefined && isAllowed(name, value) ? [[name, value] as const] : [];
  });
  return {
    ...settings,
    ...Object.fromEntries(numbers),
    cells: known.length > 0 ? known : settings.cells,
    optimizer: optimizer === 'adam' || optimizer === 'sgd' ? optimizer : settings.optimizer,
  };
}

/** Whether a control has a value; seeds may be larger than the slider shows. */
export function isAllowed(name: NumberName, value: number): boolean {
  return name === 'seed'
    ? Number.isInteger(value) && value >= 0 && value <= 999_999
    : numberControls[name].values.includes(value);
}

/** The settings of a saved experiment. */
export function fromSaved(saved: Readonly<Record<string, unknown>>): Settings {
  const { task } = saved;
  return withValues(defaultsOf(typeof task === 'string' && isTask(task) ? task : 'adding'), saved);
}
