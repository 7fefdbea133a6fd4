/** The worker: runs the programs of the editor, trains the networks side by side, and reports to the page. */

import {
  type Batch,
  createRandom,
  kernelsInUse,
  type Layer,
  type Loss,
  load,
  type Random,
  type RecurrentOptions,
  type Sequential,
  save,
} from 'bptt';
import { flowOf, mapsOf } from './inspect';
import { describeError, runPrograms } from './modules';
import { isNetworkName } from './networks';
import type { Experiment, Inspection, References, Report, Request, Shown, TaskData, Updates } from './protocol';
import type { Settings } from './settings';

type OpenRequest = Extract<Request, { type: 'open' }>;

/** The exports of `task.js`. */
interface Task {
  readonly draw: (random: Random, settings: Settings) => Batch;
  readonly probe?: (random: Random, settings: Settings) => Batch;
  readonly loss: Loss;
  readonly references?: (random: Random, settings: Settings) => References;
  readonly createModel: (layer: (options?: Partial<RecurrentOptions>) => Layer, settings: Settings) => Sequential;
  readonly show?: (model: Sequential, context: ShowContext) => Shown;
}

/** The context of `show`. */
interface ShowContext {
  readonly batch: Batch;
  readonly settings: Settings;
  readonly random: Random;
  readonly seed: number;
  readonly temperature: number;
  /** The moving average of the loss. */
  readonly loss: number;
}

/** What `train` reports after every update. */
interface Progress {
  readonly loss: number;
  readonly gradientNorm: number;
}

type Train = (
  model: Sequential,
  task: Task,
  settings: Settings,
  hooks: { readonly onProgress: (progress: Progress) => Promise<void> },
) => Promise<void>;

/** A network in training. */
interface Network {
  readonly name: string;
  readonly model: Sequential;
  losses: number[];
  gradientNorms: number[];
  loss: number;
  /** Whether it trains, or has not started yet. */
  isActive: boolean;
  /** Lets the network make its next update. */
  resume: (() => void) | undefined;
}

/** The experiment in this worker. */
interface Run {
  readonly settings: Settings;
  readonly data: TaskData;
  readonly task: Task;
  readonly train: Train;
  readonly networks: readonly Network[];
  /** The batch that the page shows, always the same. */
  readonly batch: Batch;
}

/** The number of rows of the batch that the page shows. */
const probeRows = 32;
/** The least time between two messages, in milliseconds. */
const reportInterval = 60;
const inspectInterval = 250;

let run: Run | undefined;
let isPlaying = false;
let isStarted = false;
let stepsAllowed = 0;
let sampling = { temperature: 0.5, seed: 1 };

const post = (report: Report): void => self.postMessage(report);

self.addEventListener('message', ({ data }: MessageEvent<Request>) => {
  handle(data).catch((error: unknown) =>
    post({ type: 'failed', message: describeError(error), fatal: data.type === 'open' }),
  );
});

// What programs print is shown below the editor.
for (const method of ['log', 'info', 'warn', 'error'] as const) {
  const original = console[method].bind(console);
  console[method] = (...values: unknown[]) => {
    original(...values);
    post({
      type: 'printed',
      text: values.map(describeValue).join(' '),
    });
  };
}

/** The text of a printed value. JSON knows neither NaN nor arrays of numbers, and fails for objects in themselves. */
function describeValue(value: unknown): string {
  if (value instanceof Error) return describeError(value);
  if (typeof value !== 'object') return String(value);
  try {
    return JSON.stringify(value, asJson, 1);
  } catch {
    return String(value);
  }
}

/** Replaces what JSON does not represent. */
function asJson(_: string, value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return [...(value as Float32Array)];
  if (typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))) return String(value);
  return value;
}

async function handle(request: Request): Promise<void> {
  switch (request.type) {
    case 'open':
      await open(request);
      break;
    case 'play':
    case 'step':
      isPlaying = request.type === 'play';
      // The speed is that since now.
      lastReport = performance.now();
      lastRounds = rounds;
      if (request.type === 'step') stepsAllowed++;
      start();
      advance();
      break;
    case 'pause':
      isPlaying = false;
      break;
    case 'sample':
      sampling = { temperature: request.temperature, seed: request.seed };
      inspect();
      break;
    case 'save':
      await saveNetwork(request);
      break;
    case 'read':
      post({ type: 'read', bytes: request.bytes, experiment: readExperiment(request.bytes) });
      break;
    default:
      request satisfies never;
  }
}

/** Creates the networks of an experiment. */
async function open({ files, settings, data, imported }: OpenRequest): Promise<void> {
  const programs = await runPrograms(files, data);
  // Programs are checked by what they do: a missing function is reported when it is called.
  const task = programs['task.js'] as Partial<Task> as Task;
  const { train } = programs['train.js'] as { readonly train: Train };
  const { cells } = programs['cells.js'] as {
    readonly cells: Readonly<Record<string, (settings: Settings, options: Partial<RecurrentOptions>) => Layer>>;
  };
  for (const [file, name, value] of [
    ['task.js', 'draw', task.draw],
    ['task.js', 'loss', task.loss],
    ['task.js', 'createModel', task.createModel],
    ['train.js', 'train', train],
    ['cells.js', 'cells', cells],
  ] as const)
    if (value === undefined) throw new Error(`${file}: an export named ${name} is missing.`);
  const custom = Object.keys(cells).filter((name) => !isNetworkName(name));
  const models = [...settings.cells.filter((name) => name in cells), ...custom].map((name): [string, Sequential] => [
    name,
    task.createModel((options = {}) => cells[name]!(settings, options), settings),
  ]);
  if (imported !== undefined) models.push(['imported', importModel(imported, models[0]?.[1])]);
  if (models.length === 0) throw new Error('cells.js: no network is selected.');
  sampling = { temperature: settings.temperature, seed: settings.seed };
  const batchSettings = { ...settings, batchSize: probeRows };
  const opened: Run = {
    settings,
    data,
    task,
    train,
    networks: models.map(([name, model]) => ({
      name,
      model,
      losses: [],
      gradientNorms: [],
      loss: NaN,
      isActive: true,
      resume: undefined,
    })),
    // Not one of the batches to train on.
    batch: (task.probe ?? task.draw)(createRandom(settings.seed + 1_000_003), batchSettings),
  };
  const references = task.references?.(createRandom(settings.seed + 2_000_003), settings) ?? {};
  run = opened;
  post({
    type: 'opened',
    networks: opened.networks.map(({ name, model }) => ({ name, parameters: model.data.length })),
    references,
    kernels: kernelsInUse(),
  });
  inspect();
}

/** @throws RangeError if the file is not a saved model, or does not fit the task */
function importModel(bytes: Uint8Array, example: Sequential | undefined): Sequential {
  const { model } = load(bytes);
  const describe = ({ input, output }: Sequential): string => {
    const size = (features: Sequential['input']): string =>
      features.kind === 'ids'
        ? 'ids'
        : `${features.kind} of size ${features.size}${features.perStep ? ' per step' : ''}`;
    return `from ${size(input)} to ${size(output)}`;
  };
  if (example !== undefined && describe(model) !== describe(example))
    throw new RangeError(`The file has a model ${describe(model)}. This task needs one ${describe(example)}.`);
  return model;
}

/** Starts the training of all networks. Each waits for the others after every update. */
function start(): void {
  if (run === undefined || isStarted) return;
  isStarted = true;
  const { networks, settings, task, train } = run;
  for (const network of networks) {
    const onProgress = ({ loss, gradientNorm }: Progress): Promise<void> => {
      network.losses.push(loss);
      network.gradientNorms.push(gradientNorm);
      network.loss = Number.isNaN(network.loss) ? loss : network.loss + (loss - network.loss) / 20;
      return new Promise((resolve) => {
        network.resume = resolve;
        endRound();
      });
    };
    // A network waits for its first update as it waits for all others.
    new Promise<void>((resolve) => {
      network.resume = resolve;
    })
      .then(() => train(network.model, task, settings, { onProgress }))
      .then(() => 'The training program has ended.', describeError)
      .then((message) => {
        network.isActive = false;
        network.resume = undefined;
        report(true);
        post({ type: 'stopped', network: network.name, message });
        endRound();
      });
  }
}

const waiting = (): boolean => run!.networks.every(({ isActive, resume }) => !isActive || resume !== undefined);

/** Called when a network has made its update. */
function endRound(): void {
  if (!waiting()) return;
  rounds++;
  const now = performance.now();
  const isPaused = !isPlaying && stepsAllowed === 0;
  if (isPaused || now - lastReport >= reportInterval) report();
  // Inspections take at most a sixth of the time.
  if (isPaused || now - lastInspection >= Math.max(inspectInterval, 5 * inspectionTime)) inspect();
  advance();
}

/** Lets all networks make their next update, if they may. */
function advance(): void {
  if (run === undefined || !isStarted || !waiting()) return;
  if (!isPlaying && stepsAllowed === 0) return;
  if (!isPlaying) stepsAllowed--;
  for (const network of run.networks) {
    const { resume } = network;
    network.resume = undefined;
    resume?.();
  }
}

let rounds = 0;
let lastReport = 0;
let lastRounds = 0;

/** Reports the updates since the last report. */
function report(isForced = false): void {
  const now = performance.now();
  const updates: Updates[] = run!.networks
    .filter(({ losses }) => losses.length > 0)
    .map((network) => {
      const { name, losses, gradientNorms } = network;
      network.losses = [];
      network.gradientNorms = [];
      return { network: name, losses, gradientNorms };
    });
  if (updates.length === 0 && !isForced) return;
  const perSecond = ((rounds - lastRounds) * 1000) / Math.max(1, now - lastReport);
  post({ type: 'updates', updates, perSecond, kernels: kernelsInUse() });
  lastReport = now;
  lastRounds = rounds;
}

let lastInspection = 0;
let inspectionTime = 0;

/** Reports gradients, states, gates and samples of all networks. */
function inspect(): void {
  if (run === undefined) return;
  const begin = performance.now();
  post({ type: 'inspected', inspections: run.networks.map((network) => inspectNetwork(run!, network)) });
  lastInspection = performance.now();
  inspectionTime = lastInspection - begin;
}

function inspectNetwork({ batch, settings, task }: Run, { name, model, loss, isActive }: Network): Inspection {
  const problems: string[] = [];
  const attempt = <R>(compute: () => R, otherwise: R): R => {
    try {
      return compute();
    } catch (error) {
      problems.push(describeError(error));
      return otherwise;
    }
  };
  const { seed, temperature } = sampling;
  const context = { batch, settings, random: createRandom(seed), seed, temperature, loss: loss || 0 };
  return {
    network: name,
    shown: attempt(() => task.show?.(model, context), undefined),
    flow: attempt(() => flowOf(model, batch, task.loss), {}),
    maps: attempt(() => mapsOf(model, batch), []),
    // Why a network stopped is reported already.
    problem: isActive ? problems[0] : undefined,
  };
}

async function saveNetwork({ network, format }: Extract<Request, { type: 'save' }>): Promise<void> {
  const { settings, data, networks } = run!;
  const { model } = networks.find(({ name }) => name === network)!;
  if (format === 'onnx') {
    const { exportOnnx } = await import('bptt/onnx');
    post({ type: 'saved', name: `${settings.task}-${network}.onnx`, bytes: exportOnnx(model) });
    return;
  }
  const needsData = settings.task === 'text' || settings.task === 'strokes';
  const experiment: Experiment = { settings, data: needsData ? data : undefined };
  const bytes = save(model, { extras: { playground: JSON.parse(JSON.stringify(experiment)) } });
  post({ type: 'saved', name: `${settings.task}-${network}.safetensors`, bytes });
}

function readExperiment(bytes: Uint8Array): Experiment | undefined {
  // The page checks the settings one by one.
  const { playground } = load(bytes).extras as { readonly playground?: Experiment };
  return typeof playground?.settings === 'object' ? playground : undefined;
}
