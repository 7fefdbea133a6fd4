/** What the networks predict or generate, by the kind of task. */

import { create, setText } from './dom';
import { titleOf } from './networks';
import { type Curve, contextOf, drawPlot } from './plots';
import type { Inspection, Shown, TaskData } from './protocol';
import type { Colors } from './theme';

type Kind = Shown['kind'];
type Of<K extends Kind> = Extract<Shown, { kind: K }>;
type Entry<K extends Kind> = { readonly network: string; readonly shown: Of<K> };

/** Draws the entries of one kind into the element of the view. */
type View<K extends Kind> = (element: HTMLElement, entries: readonly Entry<K>[], colors: Colors) => void;

const views: { readonly [K in Kind]: View<K> } = {
  tokens: drawTokens,
  scatter: drawScatter,
  strings: drawStrings,
  series: drawSeries,
  text: drawText,
  strokes: drawDrawings,
};

/** Draws what all networks show. */
export function drawShown(element: HTMLElement, inspections: readonly Inspection[], colors: Colors): void {
  const shown = inspections.filter((inspection) => inspection.shown !== undefined);
  const kind = shown[0]?.shown?.kind;
  const form = `${kind} ${shown.map(({ network }) => network).join()}`;
  // The elements are kept as long as the form of the view is the same.
  if (element.dataset['form'] !== form) {
    element.replaceChildren();
    element.dataset['form'] = form;
  }
  if (kind !== undefined && Object.hasOwn(views, kind)) drawKind(kind, element, inspections, colors);
}

function drawKind<K extends Kind>(
  kind: K,
  element: HTMLElement,
  inspections: readonly Inspection[],
  colors: Colors,
): void {
  const entries = inspections.flatMap(({ network, shown }): Entry<K>[] =>
    shown?.kind === kind ? [{ network, shown: shown as Of<K> }] : [],
  );
  views[kind](element, entries, colors);
}

/** The name of a network with its color. */
export function nameTag(network: string): HTMLElement {
  const swatch = create('span', { class: 'swatch', style: `--color: var(--${network}, var(--other))` });
  return create('span', { class: 'name' }, swatch, titleOf(network));
}

/** The element of a network in a view; created by `build` the first time. */
function cardOf(element: HTMLElement, network: string, build: (card: HTMLElement) => void): HTMLElement {
  const existing = [...element.children].find(
    (child): child is HTMLElement => child instanceof HTMLElement && child.dataset['network'] === network,
  );
  if (existing !== undefined) return existing;
  const card = create('div', { class: 'card', 'data-network': network }, nameTag(network));
  build(card);
  element.append(card);
  return card;
}

function canvasOf(element: HTMLElement, className: string, label: string): HTMLCanvasElement {
  const existing = element.querySelector('canvas');
  if (existing !== null) return existing;
  const canvas = create('canvas', { class: className, role: 'img', 'aria-label': label });
  element.append(canvas);
  return canvas;
}

function drawTokens(element: HTMLElement, entries: readonly Entry<'tokens'>[]): void {
  const [first] = entries;
  if (first === undefined) return;
  const { input, target, counted } = first.shown;
  const rows = [
    { title: 'Input', text: input },
    { title: 'Target', text: target },
    ...entries.map(({ network, shown }) => ({ network, title: titleOf(network), text: shown.output })),
  ];
  let table = element.querySelector('table');
  if (table === null || table.rows[0]?.cells.length !== input.length + 1) {
    table = create('table', { class: 'tokens' });
    for (const { title, ...row } of rows) {
      const heading = create('th', { scope: 'row' }, 'network' in row ? nameTag(row.network) : title);
      table.append(create('tr', {}, heading, ...Array.from(input, () => create('td'))));
    }
    element.replaceChildren(
      create('div', { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': 'Predictions by time step' }, table),
      create('p', { class: 'note' }),
    );
  }
  const isCounted = (t: number): boolean => counted?.[t] ?? true;
  rows.forEach(({ text, ...row }, i) => {
    const cells = table.rows[i]!.cells;
    for (let t = 0; t < input.length; t++) {
      const cell = cells[t + 1]!;
      const isOutput = 'network' in row;
      const shows = i === 0 || isCounted(t);
      setText(cell, shows ? text[t]! : '·');
      const className = !shows ? 'ignored' : !isOutput ? '' : text[t] === target[t] ? 'right' : 'wrong';
      if (cell.className !== className) cell.className = className;
    }
  });
  const total = [...input].filter((_, t) => isCounted(t)).length;
  const counts = entries.map(({ network, shown }) => {
    const right = [...shown.output].filter((symbol, t) => isCounted(t) && symbol === target[t]).length;
    return `${titleOf(network)} ${right} of ${total}`;
  });
  setText(element.querySelector('.note')!, `Correct: ${counts.join(', ')}.`);
}

function drawScatter(element: HTMLElement, entries: readonly Entry<'scatter'>[], colors: Colors): void {
  const canvas = canvasOf(element, 'plot', 'Predicted sums against true sums of test sequences');
  const diagonal: Curve = {
    color: colors.muted,
    points: [
      [0, 0],
      [2, 2],
    ],
    dash: [4, 4],
    width: 1,
  };
  drawPlot(canvas, colors, {
    curves: [
      diagonal,
      ...entries.map(({ network, shown: { x, y } }) => ({
        color: colors.network(network),
        points: x.map((value, i) => [value, y[i]!] as const),
        dots: true,
      })),
    ],
    x: 'true sum',
    y: 'predicted sum',
    xRange: [0, 2],
    yRange: [-0.2, 2.2],
  });
}

function drawStrings(element: HTMLElement, entries: readonly Entry<'strings'>[]): void {
  for (const { network, shown } of entries) {
    const card = cardOf(element, network, (built) =>
      built.append(create('strong', { class: 'figure' }), create('ul', { class: 'strings' })),
    );
    setText(card.querySelector('.figure')!, `${Math.round(100 * shown.legal)} % of 100 strings are legal`);
    const list = card.querySelector('ul')!;
    list.replaceChildren(
      ...shown.lines.map(({ text, legal }) =>
        create(
          'li',
          { class: legal ? 'right' : 'wrong' },
          create('span', { class: 'mark', role: 'img', 'aria-label': legal ? 'legal' : 'illegal' }, legal ? '✓' : '✗'),
          text,
        ),
      ),
    );
  }
}

function drawSeries(element: HTMLElement, entries: readonly Entry<'series'>[], colors: Colors): void {
  const canvas = canvasOf(element, 'plot', 'A noisy sine, and how the networks continue it');
  if (element.querySelector('.note') === null)
    element.append(
      create(
        'p',
        { class: 'note' },
        'First the known values, then the forecasts. Dashed: the values that really follow.',
      ),
    );
  const [first] = entries;
  if (first === undefined) return;
  const { known, truth } = first.shown;
  const from = known.length;
  const last = known.slice(-1);
  const after = (values: readonly number[]): Curve['points'] =>
    [...last, ...values].map((value, i) => [from - 1 + i, value] as const);
  drawPlot(canvas, colors, {
    curves: [
      { color: colors.text, points: known.map((value, t) => [t, value] as const), width: 1.25 },
      { color: colors.muted, points: after(truth), width: 1, dash: [3, 3] },
      ...entries.map(({ network, shown }) => ({ color: colors.network(network), points: after(shown.forecast) })),
    ],
    x: 'time step',
    y: 'value',
    xRange: [0, from + truth.length],
    yRange: [-2, 2],
  });
}

function drawText(element: HTMLElement, entries: readonly Entry<'text'>[]): void {
  for (const { network, shown } of entries) {
    const card = cardOf(element, network, (built) =>
      built.append(create('p', { class: 'sample' }, create('mark'), create('span'))),
    );
    setText(card.querySelector('mark')!, shown.prompt);
    setText(card.querySelector('p span')!, shown.text);
  }
}

function drawDrawings(element: HTMLElement, entries: readonly Entry<'strokes'>[], colors: Colors): void {
  for (const { network, shown } of entries) {
    const card = cardOf(element, network, (built) => {
      canvasOf(built, 'drawing', `Strokes drawn by ${titleOf(network)}`);
    });
    drawStrokes(card.querySelector('canvas')!, shown.points, colors.network(network));
  }
}

/** Draws movements of a pen, scaled to fit. */
export function drawStrokes(canvas: HTMLCanvasElement, moves: TaskData['strokes'], color: string): void {
  const { context, width, height } = contextOf(canvas);
  let [x, y] = [0, 0];
  const points = moves.map(([dx, dy, lifted]) => {
    x += dx;
    y += dy;
    return [x, y, lifted] as const;
  });
  const xs = points.map((point) => point[0]);
  const ys = points.map((point) => point[1]);
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const margin = 8;
  const scale = Math.min(
    (width - 2 * margin) / Math.max(1, Math.max(...xs) - left),
    (height - 2 * margin) / Math.max(1, Math.max(...ys) - top),
    14,
  );
  const px = (value: number): number => margin + (value - left) * scale;
  const py = (value: number): number => (height - (Math.max(...ys) - top) * scale) / 2 + (value - top) * scale;
  context.strokeStyle = color;
  context.lineWidth = 2;
  context.lineJoin = context.lineCap = 'round';
  context.beginPath();
  // The first movement leads to the first line.
  let isDown = false;
  for (const [toX, toY, lifted] of points) {
    if (isDown) context.lineTo(px(toX), py(toY));
    else context.moveTo(px(toX), py(toY));
    isDown = lifted === 0;
  }
  context.stroke();
}
