/** The page: connects the microphone, sound files and the worker with the picture. */

import { type Segment, speechSegments } from '../../../examples/voice/segments';
import networkAddress from '../../node_modules/@ricky0123/vad-web/dist/silero_vad_v5.onnx?url';
import { download, find, setText } from '../dom';
import { setUpTheme } from '../theme';
import { type Microphone, openMicrophone } from './microphone';
import { type Player, play } from './player';
import { Problem, textOf } from './problem';
import { frameSeconds, type Report, type Request } from './protocol';
import { createRecording, toCsv } from './recording';
import { createSegmentTable } from './segment-table';
import { decodeSound } from './sound-file';
import { drawTimeline, formatTime } from './timeline';
import { createView } from './view';

/** The longest recording of the microphone, in seconds. */
const longestRecording = 600;

/** The time after which the first sound must have arrived from the microphone, in ms. */
const longestWait = 5000;

const canvas = find('#timeline', HTMLCanvasElement);
const buttons = {
  microphone: find('#microphone', HTMLButtonElement),
  play: find('#play', HTMLButtonElement),
  sample: find('#sample', HTMLButtonElement),
  save: find('#save', HTMLButtonElement),
};
const problem = find('#problem', HTMLElement);
const status = find('#status', HTMLElement);
const lamp = find('#lamp', HTMLElement);
const [threshold, pause] = [find('#threshold', HTMLInputElement), find('#pause', HTMLInputElement)];
const figure = (id: string): HTMLElement => find(`#${id}`, HTMLElement);

const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
const view = createView();
const showSegments = createSegmentTable(find('#segments tbody', HTMLTableSectionElement), ({ start, end }) =>
  startPlaying(Math.max(0, start - 0.1), Math.min(recording.duration(), end + 0.1)),
);

let recording = createRecording();
let segments: readonly Segment[] = [];
/** The number of the current task of the worker. */
let task = 0;
/** The name of the sound, if it is not from the microphone. */
let soundName = '';
let microphone: Microphone | undefined;
let player: Player | undefined;
let position: number | undefined;
let pointer: number | undefined;
/** The time of the network for the current sound. */
let work = { frames: 0, milliseconds: 0 };
/** The end of the picture while the microphone is on: it follows the sound smoothly. */
let liveEnd = 0;
let drawn = 0;

const send = (request: Request, transfer: Transferable[] = []): void => worker.postMessage(request, transfer);

/** Shows a problem, or none. */
function showProblem(error?: unknown): void {
  problem.hidden = error === undefined;
  setText(problem, error === undefined ? '' : textOf(error));
  if (error !== undefined && !(error instanceof Problem)) console.error(error);
}

/** Runs an action of the user, and shows its problems. */
function act(action: () => void | Promise<void>): void {
  showProblem();
  Promise.resolve().then(action).catch(showProblem);
}

/** Starts with an empty recording. Returns the number of its task. */
function startTask(): number {
  stopPlaying();
  closeMicrophone();
  recording = createRecording();
  segments = [];
  work = { frames: 0, milliseconds: 0 };
  position = undefined;
  liveEnd = 0;
  view.reset();
  return ++task;
}

async function listen(): Promise<void> {
  buttons.microphone.disabled = true;
  setText(status, 'Waiting for the microphone …');
  try {
    const opened = await openMicrophone(() => {
      stopListening();
      showProblem(new Problem('The microphone was disconnected.'));
    });
    const started = startTask();
    microphone = opened;
    send({ type: 'listen', task: started, port: opened.frames }, [opened.frames]);
    setText(status, 'Listening. Speak, whistle, clap.');
    setText(figure('rate'), `${opened.rate.toLocaleString('en')} Hz`);
    setTimeout(() => {
      if (task !== started || recording.duration() > 0) return;
      stopListening();
      setText(status, '');
      showProblem(
        new Problem(
          'No sound arrives from the microphone. Browsers process sound only if the system has an audio output.',
        ),
      );
    }, longestWait);
  } catch (error) {
    setText(status, '');
    throw error;
  } finally {
    buttons.microphone.disabled = false;
    update();
  }
}

function closeMicrophone(): void {
  microphone?.close();
  microphone = undefined;
  update();
}

function stopListening(): void {
  if (microphone === undefined) return;
  closeMicrophone();
  task++;
  send({ type: 'stop' });
  setText(status, `${formatTime(recording.duration(), 0.1)} recorded. Press Play to hear it.`);
}

/** Analyzes a sound of a file. */
async function open(name: string, file: Promise<ArrayBuffer>): Promise<void> {
  const samples = await decodeSound(name, await file);
  const started = startTask();
  soundName = name;
  recording.addSamples(samples);
  setText(status, `Analyzing ${name} …`);
  setText(figure('rate'), '16,000 Hz');
  send({ type: 'analyze', task: started, samples }, [samples.buffer]);
  update();
}

async function fetchSample(): Promise<ArrayBuffer> {
  const response = await fetch('./voice-sample.flac');
  if (!response.ok) throw new Problem(`The sample could not be loaded: the server returned ${response.status}.`);
  return response.arrayBuffer();
}

function startPlaying(from: number, to: number): void {
  stopPlaying();
  if (microphone !== undefined || recording.duration() === 0) return;
  player = play(recording.samples(), from, to, () => {
    player = undefined;
    position = to < recording.duration() ? to : undefined;
    update();
  });
  update();
}

function stopPlaying(): void {
  if (player === undefined) return;
  position = player.position();
  player.stop();
  player = undefined;
  update();
}

const togglePlaying = (): void =>
  player === undefined ? startPlaying(position ?? 0, recording.duration()) : stopPlaying();

function moveTo(seconds: number): void {
  if (microphone !== undefined) return;
  const target = Math.max(0, Math.min(recording.duration(), seconds));
  if (player === undefined) position = target;
  else startPlaying(target, recording.duration());
  update();
}

function receive(report: Report): void {
  if (report.type === 'failed') showProblem(new Problem(report.message));
  else if (report.type === 'loaded') showNetwork(report);
  else if (report.task !== task) return;
  else if (report.type === 'frames') addFrames(report);
  else {
    const speed = recording.duration() / (work.milliseconds / 1000);
    setText(
      status,
      `${soundName}: ${recording.duration().toFixed(1)} s, analyzed in ${work.milliseconds.toFixed(0)} ms, ` +
        `${Number(speed.toPrecision(2)).toLocaleString('en')} times as fast as it plays.`,
    );
  }
  update();
}

function showNetwork({ kernels, bytes, milliseconds, microseconds }: Extract<Report, { type: 'loaded' }>): void {
  setText(figure('kernels'), kernels);
  setText(figure('size'), `${(bytes / 1e6).toFixed(1)} MB`);
  setText(figure('import-time'), `${milliseconds.toFixed(0)} ms`);
  showFrameTime(microseconds);
  buttons.microphone.disabled = buttons.sample.disabled = false;
  act(() => open('The sample', fetchSample()));
}

function addFrames({ probabilities, samples, milliseconds }: Extract<Report, { type: 'frames' }>): void {
  if (samples !== undefined) recording.addSamples(samples);
  recording.addProbabilities(probabilities);
  work = { frames: work.frames + probabilities.length, milliseconds: work.milliseconds + milliseconds };
  if (work.frames >= 200) showFrameTime((work.milliseconds / work.frames) * 1000);
  if (microphone !== undefined) watchMicrophone();
}

/** Notices a muted microphone, and ends recordings that are too long. */
function watchMicrophone(): void {
  const duration = recording.duration();
  const isSilent = duration > 2 && recording.peaks().every((peak) => peak < 1e-4);
  if (isSilent) setText(status, 'The microphone is silent. Is it muted?');
  else if (duration > 2) setText(status, 'Listening. Speak, whistle, clap.');
  if (duration < longestRecording) return;
  stopListening();
  setText(status, `Recordings end after ${longestRecording / 60} minutes.`);
}

function showFrameTime(microseconds: number): void {
  setText(figure('frame-time'), `${microseconds.toFixed(0)} µs`);
  setText(figure('load'), `${((microseconds / 1e6 / frameSeconds) * 100).toFixed(2)} %`);
}

/** Schedules a drawing. */
function update(): void {
  if (drawn === 0) drawn = requestAnimationFrame(draw);
}

function draw(): void {
  drawn = 0;
  const isListening = microphone !== undefined;
  if (player !== undefined) position = player.position();
  const duration = recording.duration();
  // Frames arrive every 32 ms: the picture follows them at the rate of the screen.
  liveEnd += (duration - liveEnd) * 0.25;
  const probabilities = recording.probabilities();
  segments = speechSegments(probabilities, frameSeconds, probabilities.length * frameSeconds, {
    threshold: Number(threshold.value),
    minSilence: Number(pause.value),
  });
  const { from, to } = isListening ? view.liveRange(liveEnd) : view.range(duration, position);
  drawTimeline(canvas, {
    recording,
    segments,
    threshold: Number(threshold.value),
    from,
    to,
    playhead: isListening ? undefined : position,
    pointer: pointer === undefined ? undefined : from + pointer * (to - from),
  });
  const current = isListening ? Math.max(0, duration - frameSeconds / 2) : position;
  const shown = pointer === undefined ? current : from + pointer * (to - from);
  showProbability(shown === undefined ? undefined : probabilities[Math.floor(shown / frameSeconds)]);
  showSegments(segments, probabilities, current);
  showState(isListening, current ?? 0, duration);
  if (isListening || player !== undefined) update();
}

function showProbability(probability: number | undefined): void {
  setText(figure('probability'), probability === undefined ? '–' : `${(probability * 100).toFixed(0)} %`);
  lamp.style.setProperty('--level', (probability ?? 0).toFixed(2));
}

/** Shows the state of the buttons, and that of the slider to screen readers. */
function showState(isListening: boolean, seconds: number, duration: number): void {
  const isPlaying = player !== undefined;
  buttons.microphone.classList.toggle('listening', isListening);
  setText(find('#microphone span', HTMLElement), isListening ? 'Stop' : 'Microphone');
  buttons.play.classList.toggle('playing', isPlaying);
  setText(find('#play span', HTMLElement), isPlaying ? 'Pause' : 'Play');
  buttons.play.disabled = isListening || duration === 0;
  buttons.save.disabled = recording.probabilities().length === 0;
  figure('no-segments').hidden = segments.length > 0;
  canvas.setAttribute('aria-valuemax', duration.toFixed(1));
  canvas.setAttribute('aria-valuenow', seconds.toFixed(1));
  canvas.setAttribute('aria-valuetext', `${seconds.toFixed(1)} seconds, speech ${figure('probability').textContent}`);
}

function setUpControls(): void {
  const toggleMicrophone = (): void => act(() => (microphone === undefined ? listen() : stopListening()));
  const openSample = (): void => act(() => open('The sample', fetchSample()));
  const openFile = (file: File): void => act(() => open(file.name, file.arrayBuffer()));
  const zoom = (factor: number): void => {
    view.zoom(factor, recording.duration(), position);
    update();
  };
  buttons.microphone.addEventListener('click', toggleMicrophone);
  buttons.sample.addEventListener('click', openSample);
  buttons.play.addEventListener('click', togglePlaying);
  buttons.save.addEventListener('click', () =>
    download('speech.csv', new TextEncoder().encode(toCsv(recording.probabilities()))),
  );
  figure('zoom-in').addEventListener('click', () => zoom(0.5));
  figure('zoom-out').addEventListener('click', () => zoom(2));
  const input = find('#file', HTMLInputElement);
  input.addEventListener('change', () => {
    const file = input.files?.[0];
    // The same file can be chosen again.
    input.value = '';
    if (file !== undefined) openFile(file);
  });
  for (const slider of [threshold, pause])
    slider.addEventListener('input', () => {
      setText(find(`output[for=${slider.id}]`, HTMLElement), slider === pause ? `${slider.value} s` : slider.value);
      update();
    });
  setUpDrop(openFile);
  setUpPointer();
  const keys: Readonly<Record<string, () => void>> = {
    m: () => buttons.microphone.click(),
    s: () => buttons.sample.click(),
    ' ': () => buttons.play.click(),
    '+': () => zoom(0.5),
    '-': () => zoom(2),
    ArrowLeft: () => moveTo((position ?? 0) - 0.2),
    ArrowRight: () => moveTo((position ?? 0) + 0.2),
    Home: () => moveTo(0),
    End: () => moveTo(recording.duration()),
  };
  document.addEventListener('keydown', (event) => {
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const key = keys[name];
    // Other elements take the space bar and the arrow keys, but no letters.
    const takesKey = name === ' ' || name.length > 1 ? 'input, button, a, label, .scroll, pre' : undefined;
    const isHandled = takesKey !== undefined && event.target instanceof Element && event.target.closest(takesKey);
    if (key === undefined || isHandled || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    key();
  });
}

function setUpDrop(openFile: (file: File) => void): void {
  const show = (isOver: boolean) => (event: DragEvent) => {
    event.preventDefault();
    document.body.classList.toggle('dropping', isOver);
  };
  document.addEventListener('dragover', show(true));
  document.addEventListener('dragleave', show(false));
  document.addEventListener('drop', (event) => {
    show(false)(event);
    const file = event.dataTransfer?.files[0];
    if (file !== undefined && !buttons.sample.disabled) openFile(file);
  });
}

function setUpPointer(): void {
  const fractionOf = (event: PointerEvent): number => event.offsetX / canvas.clientWidth;
  canvas.addEventListener('pointermove', (event) => {
    pointer = event.pointerType === 'mouse' ? fractionOf(event) : undefined;
    update();
  });
  canvas.addEventListener('pointerleave', () => {
    pointer = undefined;
    update();
  });
  canvas.addEventListener('click', (event) => {
    const { from, to } = view.range(recording.duration(), undefined);
    moveTo(from + (event.offsetX / canvas.clientWidth) * (to - from));
  });
}

setUpTheme(update);
setUpControls();
new ResizeObserver(update).observe(canvas);
worker.onmessage = ({ data }: MessageEvent<Report>) => receive(data);
// A script that does not load has no message.
worker.onerror = ({ message }) =>
  showProblem(new Problem(message ? `The worker stopped: ${message}` : 'The worker could not be started.'));
send({ type: 'load', address: new URL(networkAddress, location.href).href });
