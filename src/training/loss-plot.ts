/** Plots of losses as SVG, in a file or live in a page. */

import { checkCount, checkNames, checkObject, checkString, isObject, lengthOf, mismatch } from '../tensor/shape';
import { now } from './event-loop';
import type { Progress } from './fit';
import { line, svgDocument, text, ticksOf } from './svg';

/** The losses of a curve: one per update, or evenly spread over the updates; or pairs of the update and its loss. */
export type Losses = ArrayLike<number> | readonly (readonly [step: number, loss: number])[];

/** The options of {@link lossPlot} and {@link pageProgress}. */
export interface LossPlotOptions {
  /** The title, `'Loss'` by default. */
  readonly title?: string | undefined;
  /** The width in pixels, 480 by default. */
  readonly width?: number | undefined;
  /** The height in pixels, 240 by default. */
  readonly height?: number | undefined;
}

/** Colors that are distinct also for the color-blind, on light and dark backgrounds (after Okabe and Ito, 2008). */
const colors = ['#2f7fd6', '#e07b00', '#2a9d7c', '#b35c9e', '#c44536', '#8a7f2d'];
const margin = { left: 52, right: 14, top: 44, bottom: 40 };

/**
 * Draws losses as an SVG document, for a file or the `innerHTML` of an element. Long curves are drawn as means of
 * consecutive losses, one per pixel. Losses and updates that are not finite are not drawn.
 *
 * @param curves the losses by the name of the curve. If a curve has fewer losses than the longest one, as validation
 * losses do, they are evenly spread
 * @throws TypeError if a curve is not an array of numbers or pairs
 * @throws RangeError if `width` or `height` is not an integer of at least 100
 * @example
 * const model = sequential([dense({ size: 1 })], { inputSize: 1 });
 * const data = [{ inputs: full([1, 1, 1], 1), targets: full([1, 1, 1], 2) }];
 * const options = { loss: meanSquaredError, optimizer: sgd(0.1), epochs: 20, validation: data };
 * const { losses, validationLosses } = await fit(model, data, options);
 * const svg = lossPlot({ training: losses, validation: validationLosses }); // writeFileSync('loss.svg', svg)
 * svg.startsWith('<svg'); // true
 */
export function lossPlot(curves: Readonly<Record<string, Losses>>, options: LossPlotOptions = {}): string {
  return plotAs('lossPlot', curves, options);
}

/**
 * Shows the smoothed training loss and the validation losses in an element of a page, as {@link lossPlot}
 * draws them, about ten times per second.
 *
 * @param element its content is replaced
 * @returns a function for the `onProgress` option of {@link fit}
 * @throws TypeError if `element` has no `innerHTML`
 * @throws RangeError as {@link lossPlot}
 * @example
 * const element = { innerHTML: '' }; // document.querySelector('#loss')
 * const model = sequential([dense({ size: 1 })], { inputSize: 1 });
 * const data = [{ inputs: full([1, 1, 1], 1), targets: full([1, 1, 1], 2) }];
 * const onProgress = pageProgress(element, { title: 'Loss of the line' });
 * await fit(model, data, { loss: meanSquaredError, optimizer: sgd(0.1), epochs: 20, onProgress });
 * element.innerHTML.includes('Loss of the line'); // true
 */
export function pageProgress(
  element: { innerHTML: string },
  options: LossPlotOptions = {},
): (progress: Progress) => void {
  if (!isObject(element) || !('innerHTML' in element))
    throw mismatch('pageProgress', 'element', 'an element of a page', element);
  const plot = (): string => plotAs('pageProgress', { training, validation }, options);
  let training: (readonly [number, number])[] = [];
  const validation: (readonly [number, number])[] = [];
  let lastTime = -Infinity;
  // Wrong options are reported now.
  plot();
  return ({ step, smoothedLoss, validationLoss, done }) => {
    training.push([step, smoothedLoss]);
    if (validationLoss !== undefined) validation.push([step, validationLoss]);
    // A training of any length takes little memory and time: neighbors are averaged.
    if (training.length > 4096) training = averaged(training, 2048);
    const time = now();
    if (!done && time - lastTime < 100) return;
    lastTime = time;
    element.innerHTML = plot();
  };
}

type Points = readonly (readonly [step: number, loss: number])[];

function plotAs(where: string, curves: Readonly<Record<string, Losses>>, options: LossPlotOptions): string {
  checkNames(where, 'options', options, ['title', 'width', 'height']);
  const { title = 'Loss', width = 480, height = 240 } = options;
  checkString(where, 'title', title);
  checkCount(where, 'width', width, 100);
  checkCount(where, 'height', height, 100);
  checkObject(where, 'curves', curves);
  const steps = Object.entries(curves).reduce(
    (most, [name, losses]) => Math.max(most, stepsOf(where, name, losses)),
    1,
  );
  const lines = Object.values(curves).map((losses) => averaged(pointsOf(losses, steps), width));
  const all = lines.flat();
  const first = all.reduce((least, [step]) => Math.min(least, step), steps);
  const [low, high] = rangeOf(all);
  const right = width - margin.right;
  const bottom = height - margin.bottom;
  const scale = (value: number, from: number, to: number, start: number, end: number): string =>
    (start + ((value - from) / (to - from || 1)) * (end - start)).toFixed(1);
  const x = (step: number): string => scale(step, first, steps, margin.left, right);
  const y = (loss: number): string => scale(loss, low, high, bottom, margin.top);
  let keyLeft = margin.left;
  const ticks = all.length === 0 ? [] : ticksOf(low, high);
  const parts = [
    text(margin.left, 16, title, 'start', 600),
    ...ticks.map(
      (tick) => line(margin.left, y(tick), right, y(tick), 0.25) + text(margin.left - 6, y(tick), label(tick), 'end'),
    ),
    ...ticksOf(first, steps).map((tick) => text(x(tick), bottom + 16, label(tick), 'middle')),
    line(margin.left, bottom, right, bottom, 1),
    text((margin.left + right) / 2, bottom + 32, 'update', 'middle'),
    ...Object.keys(curves).map((name, i) => {
      const color = colors[i % colors.length]!;
      const left = keyLeft;
      keyLeft += 40 + 6.4 * name.length;
      return (
        curve(
          lines[i]!.map(([step, loss]) => `${x(step)} ${y(loss)}`),
          color,
        ) + key(left, name, color)
      );
    }),
  ];
  return svgDocument(title, width, height, parts);
}

/** The smallest and the largest loss; around a constant one, so that it is drawn in the middle. */
function rangeOf(points: Points): readonly [low: number, high: number] {
  const low = points.reduce((least, [, loss]) => Math.min(least, loss), Infinity);
  const high = points.reduce((most, [, loss]) => Math.max(most, loss), -Infinity);
  const around = low === high ? Math.abs(low) / 2 || 1 : 0;
  return [low - around, high + around];
}

/** The largest finite step of a curve. @throws TypeError if it is not an array of numbers or pairs */
function stepsOf(where: string, name: string, losses: Losses): number {
  const argument = `curves.${name}`;
  lengthOf(where, argument, losses);
  const list: readonly unknown[] = Array.from<unknown>(losses);
  const arePairs = Array.isArray(list[0]);
  for (const each of list) {
    const values = arePairs ? each : [1, each];
    if (!Array.isArray(values) || values.length !== 2 || values.some((value) => typeof value !== 'number'))
      throw mismatch(where, argument, 'an array of losses, or of pairs of an update and its loss', each);
  }
  return arePairs ? pointsOf(losses, 0).reduce((most, [step]) => Math.max(most, step), 0) : list.length;
}

/** The points of a curve that can be drawn. */
function pointsOf(losses: Losses, steps: number): Points {
  const list = Array.from<number | readonly [number, number]>(losses);
  const points = list.map((each, i) =>
    typeof each === 'number' ? ([((i + 1) / list.length) * steps, each] as const) : each,
  );
  return points.filter(([step, loss]) => Number.isFinite(step) && Number.isFinite(loss));
}

/** The means of consecutive points, at most `most` of them. */
function averaged(points: Points, most: number): (readonly [number, number])[] {
  const size = Math.ceil(points.length / most);
  if (size < 2) return [...points];
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const group = points.slice(i * size, (i + 1) * size);
    const mean = (axis: 0 | 1): number => group.reduce((sum, point) => sum + point[axis], 0) / group.length;
    return [mean(0), mean(1)];
  });
}

const label = (value: number): string => String(Number(value.toPrecision(4)));

/** A curve. With round ends, a single point is a dot. */
const curve = (points: readonly string[], color: string): string =>
  points.length === 0
    ? ''
    : `<path d="M${points.join('L')}${points.length === 1 ? `L${points[0]}` : ''}" fill="none" stroke="${color}" ` +
      'stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/>';

/** The name of a curve, with its color. */
const key = (x: number, name: string, color: string): string =>
  `<line x1="${x}" y1="32" x2="${x + 14}" y2="32" stroke="${color}" stroke-width="3"/>` +
  text(x + 20, 32, name, 'start');
