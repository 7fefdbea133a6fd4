/** The benchmark page. */

import { create, find, setText } from '../dom';
import { setUpTheme } from '../theme';
import { type BenchReport, type Case, cells, type Row, shapes } from './protocol';

const cell = find('#cell', HTMLSelectElement);
const shape = find('#shape', HTMLSelectElement);
const start = find('#start', HTMLButtonElement);
const stop = find('#stop', HTMLButtonElement);
const progress = find('#progress', HTMLElement);
const failure = find('#failure', HTMLElement);
const bars = find('#bars', HTMLElement);
const times = find('#times', HTMLTableElement);
let worker: Worker | undefined;

const titles = { lstm: 'LSTM', rnn: 'tanh RNN' };
const describe = ({ T, B, I, H, V }: Omit<Case, 'cell'>): string => `T ${T} · B ${B} · I ${I} · H ${H} · V ${V}`;
cell.append(...cells.map((name) => create('option', { value: name }, titles[name])));
shape.append(...shapes.map((size, i) => create('option', { value: i }, describe(size))));

function end(text: string): void {
  worker?.terminate();
  worker = undefined;
  start.disabled = false;
  stop.disabled = true;
  setText(progress, text);
}

function begin(): void {
  worker?.terminate();
  failure.hidden = true;
  bars.replaceChildren();
  times.hidden = true;
  start.disabled = true;
  stop.disabled = false;
  setText(progress, 'Starting …');
  worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  worker.addEventListener('message', ({ data }: MessageEvent<BenchReport>) => receive(data));
  // A script that does not load has no message.
  worker.addEventListener('error', ({ message }) =>
    receive({ type: 'failed', message: message || 'The worker could not be started.' }),
  );
  const size: Case = { cell: cells.find((name) => name === cell.value)!, ...shapes[Number(shape.value)]! };
  // The selection can change while the results of this case are shown.
  setText(find('#result-title', HTMLElement), `Time per training step: ${titles[size.cell]}, ${describe(size)}`);
  worker.postMessage(size);
}

function receive(report: BenchReport): void {
  switch (report.type) {
    case 'progress':
      setText(progress, report.text);
      break;
    case 'rows':
      show(report.rows);
      setText(find('#engine', HTMLElement), `${report.versions}. ${navigator.userAgent}`);
      if (report.done) end(`Done: ${report.rows[0]!.times.length} rounds.`);
      break;
    case 'failed':
      failure.hidden = false;
      setText(failure, report.message);
      end('');
      break;
    default:
      report satisfies never;
  }
}

function show(rows: readonly Row[]): void {
  const medians = rows.map((row) => quantile(row.times, 0.5));
  const slowest = Math.max(...medians);
  bars.replaceChildren(
    ...rows.map(({ name }, i) => {
      const color = name.startsWith('bptt') ? '--lstm' : '--tanh';
      // The bars leave room for the numbers.
      const width = `${(80 * medians[i]!) / slowest}%`;
      const fill = create('span', { class: 'fill', style: `width: ${width}; --color: var(${color})` });
      return create(
        'div',
        { class: 'bar' },
        name,
        create('span', { class: 'track' }, fill, `${format(medians[i]!)} ms`),
      );
    }),
  );
  times.hidden = false;
  times.tBodies[0]!.replaceChildren(
    ...rows.map(({ name, times: list, loss }, i) =>
      create(
        'tr',
        {},
        create('th', { scope: 'row' }, name),
        create('td', {}, format(medians[i]!)),
        create('td', {}, `${format(Math.min(...list))} – ${format(Math.max(...list))}`),
        create('td', {}, i === 0 ? '1' : `× ${format(medians[i]! / medians[0]!)}`),
        create('td', {}, loss.toFixed(5)),
      ),
    ),
  );
}

function quantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))]!;
}

const format = (value: number): string => String(Number(value.toPrecision(3)));

start.addEventListener('click', begin);
stop.addEventListener('click', () => end('Stopped.'));
setUpTheme(() => {});
