/** The page: connects the controls, the worker and the plots. */

import { createCodePanel } from './code-panel';
import { createSettings, createTasks, sliderControl } from './controls';
import { create, download, find, setText } from './dom';
import { createHistory, type History } from './history';
import { createMaps } from './maps';
import { titleOf } from './networks';
import { type Curve, drawPlot, formatValue, type Level } from './plots';
import { presets, type Trial } from './presets';
import type { Experiment, Inspection, References, Report, TaskData } from './protocol';
import { openSession, type Session } from './session';
import { defaultsOf, fromHash, fromSaved, type Settings, toHash } from './settings';
import { createTaskInput } from './task-input';
import { type Colors, readColors, setUpTheme } from './theme';
import { drawShown, nameTag } from './views';

/** A network of the experiment, as the page knows it. */
interface Network {
  readonly name: string;
  readonly parameters: number;
  readonly losses: History;
  readonly norms: History;
  /** The update since which the loss is clearly below the baseline, and has not returned to it. */
  below?: number;
  /** Why it stopped. */
  stopped?: string;
}

let settings: Settings = fromHash(location.hash);
let session: Session | undefined;
let networks: readonly Network[] = [];
let references: References = {};
let inspections: readonly Inspection[] = [];
let imported: Uint8Array | undefined;
/** Why the last request failed. */
let failure: string | undefined;
let isPlaying = false;
let isReady = false;
/** Whether to train as soon as the worker is ready. */
let playsWhenReady = false;
let sampleSeed = settings.seed;
let colors: Colors = readColors();

const button = (id: string): HTMLButtonElement => find(`#${id}`, HTMLButtonElement);
const play = button('play');
const step = button('step');
const status = find('#status', HTMLElement);
const problem = find('#problem', HTMLElement);
const saveNetwork = find('#save-network', HTMLSelectElement);
const lossRows = find('#losses', HTMLTableElement).tBodies[0]!;

const parts = {
  loss: drawLoss,
  norms: drawNorms,
  flow: drawFlow,
  shown: () => drawShown(find('#shown', HTMLElement), inspections, colors),
  maps: () => maps.draw(inspections, colors),
  table: drawTable,
} as const;
type Part = keyof typeof parts;

/** The parts of the page to draw. */
const dirty = new Set<Part>();
let isScheduled = false;

function redraw(...names: readonly Part[]): void {
  for (const name of names) dirty.add(name);
  if (isScheduled || dirty.size === 0) return;
  isScheduled = true;
  requestAnimationFrame(() => {
    isScheduled = false;
    const begin = performance.now();
    // A frame draws as much as fits into it; the next one draws the rest.
    for (const name of dirty) {
      dirty.delete(name);
      parts[name]();
      if (performance.now() - begin > 6) break;
    }
    redraw();
  });
}

const redrawAll = (): void => redraw(...(Object.keys(parts) as Part[]));

const showTask = createTasks(find('#tasks', HTMLElement), (task) => {
  imported = undefined;
  apply({ ...defaultsOf(task), seed: settings.seed });
});
const showSettings = createSettings(find('#settings', HTMLFormElement), (change) => apply({ ...settings, ...change }));
const temperature = sliderControl(
  'temperature',
  (change) => apply({ ...settings, ...change }),
  (change) => sample({ ...settings, ...change }),
);
const taskInput = createTaskInput(find('#input', HTMLElement), () => restart());
const maps = createMaps(find('#maps', HTMLElement), () => redraw('maps'));
const code = createCodePanel(() => restart(true));

/** Changes the settings. A new experiment starts, unless only the temperature differs. */
function apply(next: Settings, plays: boolean = isPlaying): void {
  const previous = settings;
  settings = next;
  history.replaceState(undefined, '', toHash(settings));
  showSettings(settings);
  showDefaults();
  // The outcome of an experiment holds for its settings.
  setText(find('#outcome', HTMLElement), '');
  if (JSON.stringify({ ...previous, temperature: 0 }) === JSON.stringify({ ...next, temperature: 0 })) {
    temperature.update(settings);
    sample(settings);
    setPlaying(plays);
    return;
  }
  if (previous.task !== next.task) showPreset();
  restart(plays);
}

/** Shows the texts of the current task. */
function showPreset(): void {
  const preset = presets[settings.task];
  showTask(settings.task);
  showSettings(settings);
  temperature.update(settings);
  document.body.classList.toggle('wide-samples', preset.isWide);
  temperature.element.hidden = !preset.hasTemperature;
  button('new-samples').hidden = !preset.hasTemperature;
  setText(find('#task-title', HTMLElement), preset.title);
  setText(find('#task-description', HTMLElement), preset.description);
  setText(find('#look-for', HTMLElement), preset.lookFor);
  setText(find('#outcome', HTMLElement), '');
  showDefaults();
  find('#trials', HTMLElement).replaceChildren(...preset.trials.map(trialButton));
  taskInput.show(settings.task);
  code.show(settings.task);
}

/** Shows what depends on whether the settings, apart from the seed, are those of the preset. */
function showDefaults(): void {
  const { unit, baseline, seconds } = presets[settings.task];
  const hasDefaults = toHash(settings) === toHash(presetSettings());
  button('defaults').disabled = hasDefaults;
  setText(
    find('#loss-note', HTMLElement),
    `Moving average, in ${unit}. Baseline: ${baseline}.` +
      (hasDefaults ? ` The first network is below it after at most ${seconds} seconds.` : ''),
  );
}

/** The settings of the preset of the current task, with the current seed. */
const presetSettings = (): Settings => ({ ...defaultsOf(settings.task), seed: settings.seed });

function trialButton(trial: Trial): HTMLElement {
  const element = create('button', { type: 'button', class: 'trial' }, trial.label);
  element.addEventListener('click', () => {
    apply({ ...presetSettings(), ...trial.settings }, true);
    setText(find('#outcome', HTMLElement), trial.outcome);
  });
  return element;
}

/** Starts the experiment from the initial weights. */
function restart(plays: boolean = isPlaying): void {
  session?.close();
  setReady(false);
  setPlaying(false);
  playsWhenReady = plays;
  networks = [];
  references = {};
  sampleSeed = settings.seed;
  failure = undefined;
  showProblem(undefined);
  code.clearOutput();
  setText(find('#updates', HTMLElement), '0');
  setText(find('#speed', HTMLElement), '–');
  session = openSession(receive);
  session.send({
    type: 'open',
    files: code.files(),
    settings,
    data: taskInput.data(),
    ...(imported && { imported }),
  });
  redrawAll();
}

function receive(report: Report): void {
  switch (report.type) {
    case 'opened':
      networks = report.networks.map((network) => ({
        ...network,
        losses: createHistory(),
        norms: createHistory(),
      }));
      references = report.references;
      setText(find('#kernels', HTMLElement), report.kernels);
      saveNetwork.replaceChildren(...networks.map(({ name }) => create('option', { value: name }, titleOf(name))));
      setReady(true);
      if (playsWhenReady) setPlaying(true);
      redraw('table');
      break;
    case 'updates':
      receiveUpdates(report);
      break;
    case 'inspected':
      inspections = report.inspections;
      showProblem(inspections.find((inspection) => inspection.problem !== undefined)?.problem);
      redraw('flow', 'shown', 'maps');
      break;
    case 'stopped': {
      const network = networks.find(({ name }) => name === report.network);
      if (network !== undefined) network.stopped = report.message;
      if (isOver()) {
        setPlaying(false);
        // Only a new experiment trains again.
        play.disabled = step.disabled = true;
      }
      redraw('table');
      break;
    }
    case 'saved':
      download(report.name, report.bytes);
      setText(
        find('#files-status', HTMLElement),
        `Saved ${report.name}, ${report.bytes.length.toLocaleString('en')} bytes.`,
      );
      break;
    case 'read':
      openSaved(report.bytes, report.experiment);
      break;
    case 'printed':
      code.print(report.text);
      break;
    case 'failed':
      if (report.fatal) {
        setReady(false);
        setPlaying(false);
        // The figures are those of the experiment before.
        inspections = [];
        redrawAll();
        // A file that does not fit the task: the experiment continues without it.
        if (imported !== undefined) {
          imported = undefined;
          setText(find('#files-status', HTMLElement), '');
          restart(false);
        }
      }
      failure = code.withLine(report.message);
      showProblem(undefined);
      break;
    default:
      report satisfies never;
  }
}

function receiveUpdates({ updates, perSecond, kernels }: Extract<Report, { type: 'updates' }>): void {
  for (const { network: name, losses, gradientNorms } of updates) {
    const network = networks.find((one) => one.name === name);
    if (network === undefined) continue;
    network.losses.push(losses);
    network.norms.push(gradientNorms);
    const { baseline } = references;
    const { count, last } = network.losses;
    if (baseline === undefined) continue;
    // Noise can take a loss on the baseline below it for a while.
    if (last >= baseline) delete network.below;
    else if (count >= 20 && last < baseline - 0.1 * Math.abs(baseline)) network.below ??= count;
  }
  setText(find('#updates', HTMLElement), Math.max(...networks.map(({ losses }) => losses.count)).toLocaleString('en'));
  if (isPlaying) setText(find('#speed', HTMLElement), Math.round(perSecond).toLocaleString('en'));
  setText(find('#kernels', HTMLElement), kernels);
  redraw('loss', 'norms', 'table');
}

function setReady(ready: boolean): void {
  isReady = ready;
  play.disabled = !ready;
  step.disabled = !ready;
  for (const id of ['save-safetensors', 'save-onnx']) button(id).disabled = !ready;
}

/** Whether no network trains any more. */
const isOver = (): boolean => networks.length > 0 && networks.every(({ stopped }) => stopped !== undefined);

function setPlaying(requested: boolean): void {
  const plays = requested && isReady && !isOver();
  if (plays && !isPlaying) session?.send({ type: 'play' });
  if (!plays && isPlaying) session?.send({ type: 'pause' });
  isPlaying = plays;
  play.classList.toggle('playing', isPlaying);
  setText(find('span', HTMLElement, play), isPlaying ? 'Pause' : 'Train');
  play.title = isPlaying ? 'Pause (Space)' : 'Train (Space)';
  setText(status, isPlaying ? 'Training' : isReady ? 'Paused' : '');
}

/** Shows why the last request failed, or else a problem of the models. */
function showProblem(ofModels: string | undefined): void {
  const message = failure ?? ofModels;
  problem.hidden = message === undefined;
  setText(problem, message ?? '');
}

/** Asks for samples with the temperature of the settings. */
function sample({ temperature: value }: Settings): void {
  session?.send({ type: 'sample', temperature: value, seed: sampleSeed });
}

/** Continues a saved model, with the settings and the data that the file contains. */
function openSaved(bytes: Uint8Array, experiment: Experiment | undefined): void {
  imported = bytes;
  failure = undefined;
  if (experiment !== undefined) {
    if (isTaskData(experiment.data)) taskInput.restore(experiment.data);
    settings = fromSaved({ ...experiment.settings });
    history.replaceState(undefined, '', toHash(settings));
    showPreset();
  }
  setText(find('#files-status', HTMLElement), 'The model trains next to the other networks.');
  restart(false);
}

/** Whether the data of a file have the right types. */
function isTaskData(data: unknown): data is TaskData {
  const { text, strokes } = (data ?? {}) as Partial<TaskData>;
  return (
    typeof text === 'string' &&
    Array.isArray(strokes) &&
    strokes.every((move) => Array.isArray(move) && move.length === 3 && move.every(Number.isFinite))
  );
}

const curvesOf = (historyOf: (network: Network) => History): Curve[] =>
  networks.map((network) => ({ color: colors.network(network.name), points: historyOf(network).points }));

const xRange = (): readonly [number, number] => [1, Math.max(50, ...networks.map(({ losses }) => losses.count))];

function drawLoss(): void {
  const { baseline, best } = references;
  const curves = curvesOf(({ losses }) => losses);
  const levels: Level[] = [
    ...(baseline === undefined ? [] : [{ y: baseline, label: `baseline ${formatValue(baseline)}`, dash: [6, 4] }]),
    ...(best === undefined || best === 0
      ? []
      : // Curves end just above it.
        [{ y: best, label: `best possible ${formatValue(best)}`, dash: [1, 3], isBelow: true }]),
  ];
  const isPositive = curves.every(({ points }) => points.every(([, y]) => y > 0)) && !((baseline ?? 1) <= 0);
  drawPlot(find('#loss', HTMLCanvasElement), colors, {
    curves,
    levels,
    x: 'updates',
    y: 'loss',
    // Likelihoods of continuous values can have negative logarithms.
    logarithmic: isPositive && settings.task !== 'strokes',
    xRange: xRange(),
    least: 1e-6,
  });
}

function drawNorms(): void {
  const { clip } = settings;
  setText(
    find('#norms-note', HTMLElement),
    clip > 0
      ? `Moving average of its norm before clipping. Gradients above the dashed line are scaled down to norm ${clip}.`
      : 'Moving average of its norm. Clipping is off: a single large gradient can throw the weights far away.',
  );
  drawPlot(find('#norms', HTMLCanvasElement), colors, {
    curves: curvesOf(({ norms }) => norms),
    levels: clip > 0 ? [{ y: clip, label: `clipped to ${clip}`, dash: [6, 4] }] : [],
    x: 'updates',
    y: 'norm',
    logarithmic: true,
    xRange: xRange(),
    least: 1e-8,
  });
}

function drawFlow(): void {
  const curves = inspections.flatMap(({ network, flow }) =>
    Object.entries(flow).map(([state, norms]): Curve => {
      const first = flow['h']?.[0] || norms[0] || 1;
      return {
        color: colors.network(network),
        points: norms.map((norm, distance) => [distance, norm / first] as const).filter(([, ratio]) => ratio > 0),
        ...(state === 'h' ? {} : { dash: [5, 4], width: 1.25 }),
      };
    }),
  );
  const longest = Math.max(
    1,
    ...inspections.flatMap(({ flow }) => Object.values(flow).map(({ length }) => length - 1)),
  );
  drawPlot(find('#flow', HTMLCanvasElement), colors, {
    curves,
    x: 'time steps before the loss',
    y: 'relative norm',
    logarithmic: true,
    xRange: [0, longest],
    least: 1e-10,
  });
}

function drawTable(): void {
  if (
    lossRows.rows.length !== networks.length ||
    networks.some(({ name }, i) => lossRows.rows[i]?.dataset['network'] !== name)
  )
    lossRows.replaceChildren(
      ...networks.map(({ name, parameters }) =>
        create(
          'tr',
          { 'data-network': name },
          create('th', { scope: 'row' }, nameTag(name)),
          create('td', {}, parameters.toLocaleString('en')),
          create('td'),
          create('td'),
        ),
      ),
    );
  networks.forEach(({ losses, below, stopped }, i) => {
    const { cells } = lossRows.rows[i]!;
    setText(cells[2]!, formatValue(losses.last));
    const state = stopped === undefined ? 'not yet' : 'stopped';
    setText(cells[3]!, below === undefined ? state : `after update ${below.toLocaleString('en')}`);
  });
  const messages = networks.flatMap(({ name, stopped }) =>
    stopped === undefined ? [] : [`${titleOf(name)}: ${stopped}`],
  );
  const stoppedText = find('#stopped', HTMLElement);
  stoppedText.hidden = messages.length === 0;
  setText(stoppedText, messages.join(' '));
}

play.addEventListener('click', () => setPlaying(!isPlaying));
step.addEventListener('click', () => {
  setPlaying(false);
  session?.send({ type: 'step' });
});
button('reset').addEventListener('click', () => restart(false));
button('defaults').addEventListener('click', () => apply(presetSettings()));
button('link').addEventListener('click', async () => {
  const address = location.href;
  let message = 'Copied';
  try {
    await navigator.clipboard.writeText(address);
  } catch {
    // The address bar has the same address.
    message = 'See the address bar';
  }
  setText(button('link'), message);
  setText(status, message);
  setTimeout(() => setText(button('link'), 'Copy link'), 1500);
});
for (const format of ['safetensors', 'onnx'] as const)
  button(`save-${format}`).addEventListener('click', () =>
    session?.send({ type: 'save', network: saveNetwork.value, format }),
  );
find('#load', HTMLInputElement).addEventListener('change', async ({ target }) => {
  if (!(target instanceof HTMLInputElement)) return;
  const [file] = target.files ?? [];
  if (file !== undefined) session?.send({ type: 'read', bytes: new Uint8Array(await file.arrayBuffer()) });
  // The same file can be chosen again.
  target.value = '';
});

addEventListener('keydown', (event) => {
  const { key, target, ctrlKey, metaKey, altKey } = event;
  if (ctrlKey || metaKey || altKey || !(target instanceof Element)) return;
  // The space bar presses buttons and scrolls; letters have a meaning in fields only.
  const takesKey =
    key === ' '
      ? 'input, select, textarea, button, label, a, summary, .cm-editor, canvas, [tabindex="0"]'
      : 'input[type="number"], select, textarea, .cm-editor';
  if (target.closest(takesKey)) return;
  const pressed = { ' ': play, s: step, r: button('reset') }[key.toLowerCase()];
  if (pressed === undefined) return;
  event.preventDefault();
  pressed.click();
});
// Not by the address, which contains the settings.
find('.skip', HTMLAnchorElement).addEventListener('click', (event) => {
  event.preventDefault();
  const panels = find('#panels', HTMLElement);
  panels.focus({ preventScroll: true });
  panels.scrollIntoView();
});
addEventListener('hashchange', () => {
  settings = fromHash(location.hash);
  imported = undefined;
  showPreset();
  restart();
});

const samplesButton = create('button', { type: 'button', id: 'new-samples' }, 'New samples');
samplesButton.addEventListener('click', () => {
  sampleSeed++;
  sample(settings);
});
find('#temperature', HTMLElement).append(temperature.element, samplesButton);
setUpTheme(() => {
  colors = readColors();
  taskInput.redraw();
  redrawAll();
});
new ResizeObserver(() => {
  taskInput.redraw();
  redrawAll();
}).observe(find('#panels', HTMLElement));

// On a small screen, the settings are closed at first; on others, they are always open.
const narrow = matchMedia('(max-width: 760px)');
const openSettings = (): void => {
  find('#settings-box', HTMLDetailsElement).open = !narrow.matches;
};
narrow.addEventListener('change', openSettings);
openSettings();

showPreset();
find('.layout', HTMLElement).classList.remove('loading');
restart();
