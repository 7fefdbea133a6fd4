/** Line plots and scatter plots on canvases. */

import type { Colors } from './theme';

/** A line of a plot. */
export interface Curve {
  readonly color: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly dash?: readonly number[];
  readonly width?: number;
  /** Draws points instead of a line. */
  readonly dots?: boolean;
}

/** A horizontal line with a label. */
export interface Level {
  readonly y: number;
  readonly label: string;
  readonly dash: readonly number[];
  /** Whether the label is below the line, if there is room. */
  readonly isBelow?: boolean;
}

/** A plot. */
export interface Plot {
  readonly curves: readonly Curve[];
  readonly levels?: readonly Level[];
  readonly x: string;
  readonly y: string;
  readonly logarithmic?: boolean;
  readonly xRange?: readonly [from: number, to: number];
  readonly yRange?: readonly [from: number, to: number];
  /** The lowest value that a logarithmic axis shows. */
  readonly least?: number;
}

/** The context of a canvas whose pixels match the screen, and its size in CSS pixels. */
export function contextOf(canvas: HTMLCanvasElement): {
  context: CanvasRenderingContext2D;
  width: number;
  height: number;
} {
  const ratio = Math.min(2, devicePixelRatio || 1);
  const { clientWidth: width, clientHeight: height } = canvas;
  const [columns, rows] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== columns || canvas.height !== rows) {
    canvas.width = columns;
    canvas.height = rows;
  }
  const context = canvas.getContext('2d')!;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

export const font = '11px ui-sans-serif, system-ui, sans-serif';

/** Draws a plot. */
export function drawPlot(canvas: HTMLCanvasElement, colors: Colors, plot: Plot): void {
  const { context: c, width, height } = contextOf(canvas);
  if (width === 0 || height === 0) return;
  const [left, right, top, bottom] = [46, 10, 20, 34];
  const { curves, levels = [], logarithmic = false } = plot;
  const [fromX, toX] = plot.xRange ?? rangeOf(curves.flatMap(({ points }) => ends(points)));
  const [fromY, toY] = yRangeOf(plot);
  const scaleY = (y: number): number => (logarithmic ? Math.log10(Math.max(y, 1e-30)) : y);
  const px = (x: number): number => left + ((x - fromX) / (toX - fromX)) * (width - left - right);
  const py = (y: number): number => height - bottom - ((scaleY(y) - fromY) / (toY - fromY)) * (height - top - bottom);

  c.font = font;
  c.lineWidth = 1;
  c.fillStyle = colors.muted;
  c.strokeStyle = colors.grid;
  c.textBaseline = 'middle';
  c.textAlign = 'right';
  c.beginPath();
  for (const { value, label } of logarithmic ? logarithmicTicks(fromY, toY) : linearTicks(fromY, toY, 5)) {
    const at = py(value);
    c.moveTo(left, Math.round(at) + 0.5);
    c.lineTo(width - right, Math.round(at) + 0.5);
    c.fillText(label, left - 6, at);
  }
  c.stroke();
  c.textBaseline = 'alphabetic';
  c.textAlign = 'center';
  for (const { value, label } of linearTicks(fromX, toX, Math.max(2, Math.floor(width / 90))))
    c.fillText(label, Math.min(width - right - 8, px(value)), height - bottom + 14);
  c.fillText(plot.x, left + (width - left - right) / 2, height - 5);
  c.textAlign = 'left';
  c.fillText(plot.y, 4, 11);

  c.save();
  c.beginPath();
  c.rect(left, top - 2, width - left - right, height - top - bottom + 4);
  c.clip();
  for (const { color, points, dash = [], width: lineWidth = 1.75, dots = false } of curves) {
    c.strokeStyle = c.fillStyle = color;
    c.lineWidth = lineWidth;
    c.lineJoin = 'round';
    c.setLineDash([...dash]);
    c.beginPath();
    for (const [x, y] of points) {
      if (!Number.isFinite(y)) continue;
      // A single point, for example before a network stopped, is no line.
      if (dots || points.length === 1) {
        c.moveTo(px(x) + 2.2, py(y));
        c.arc(px(x), py(y), 2.2, 0, 2 * Math.PI);
      } else c.lineTo(px(x), py(y));
    }
    if (dots || points.length === 1) c.fill();
    else c.stroke();
  }
  c.restore();
  for (const { y, label, dash, isBelow = false } of levels) {
    const at = py(y);
    if (at < top - 2 || at > height - bottom + 2) continue;
    c.strokeStyle = colors.text;
    c.fillStyle = colors.text;
    c.lineWidth = 1;
    c.setLineDash([...dash]);
    c.beginPath();
    c.moveTo(left, at);
    c.lineTo(width - right, at);
    c.stroke();
    c.setLineDash([]);
    c.textAlign = 'right';
    const { width: labelWidth } = c.measureText(label);
    const above = at - 5 > top + 8 && !(isBelow && at + 15 < height - bottom);
    c.fillStyle = colors.panel;
    c.globalAlpha = 0.8;
    c.fillRect(width - right - labelWidth - 6, above ? at - 16 : at + 3, labelWidth + 6, 14);
    c.globalAlpha = 1;
    c.fillStyle = colors.text;
    c.fillText(label, width - right - 3, above ? at - 5 : at + 13);
  }
}

/** The first and the last point. */
const ends = (points: Curve['points']): number[] =>
  points.length === 0 ? [] : [points[0]![0], points[points.length - 1]![0]];

function rangeOf(values: readonly number[]): readonly [number, number] {
  let [from, to] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    from = Math.min(from, value);
    to = Math.max(to, value);
  }
  if (from > to) return [0, 1];
  return from === to ? [from, from + 1] : [from, to];
}

/** The range of the vertical axis; for a logarithmic one, that of the exponents. */
function yRangeOf({ curves, levels = [], logarithmic, yRange, least = 1e-9 }: Plot): readonly [number, number] {
  const values = [...curves.flatMap(({ points }) => points.map(([, y]) => y)), ...levels.map(({ y }) => y)];
  if (logarithmic !== true) {
    if (yRange !== undefined) return yRange;
    const [from, to] = rangeOf(values);
    const margin = 0.06 * (to - from);
    return [from - margin, to + margin];
  }
  const exponents = values.filter((y) => y > 0).map((y) => Math.log10(Math.max(y, least)));
  if (yRange !== undefined) return [Math.log10(yRange[0]), Math.log10(yRange[1])];
  const [from, to] = rangeOf(exponents);
  // At least a decade.
  const missing = Math.max(0, 1 - (to - from)) / 2;
  return [from - missing - 0.15, to + missing + 0.15];
}

/** A labeled position of an axis. */
interface Tick {
  readonly value: number;
  readonly label: string;
}

function linearTicks(from: number, to: number, count: number): Tick[] {
  const raw = (to - from) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= raw) ?? 10);
  const list: Tick[] = [];
  for (let tick = Math.ceil(from / step); tick * step <= to + step * 1e-6; tick++)
    list.push({ value: tick * step, label: formatTick(tick * step) });
  return list;
}

/** @param from the exponent of the lowest value */
function logarithmicTicks(from: number, to: number): Tick[] {
  const every = Math.max(1, Math.ceil((to - from) / 6));
  // Less than two decades have ticks in between.
  const factors = to - from < 2 ? [1, 2, 5] : [1];
  const list: Tick[] = [];
  for (let exponent = Math.floor(from / every) * every; exponent <= to; exponent += every)
    for (const factor of factors) {
      const value = factor * 10 ** exponent;
      const position = Math.log10(value);
      if (position >= from && position <= to)
        list.push({ value, label: factor === 1 ? powerOfTen(exponent) : formatTick(value) });
    }
  return list;
}

const superscripts = '⁰¹²³⁴⁵⁶⁷⁸⁹';

function powerOfTen(exponent: number): string {
  if (exponent >= -3 && exponent <= 3) return String(Number((10 ** exponent).toFixed(3)));
  const digits = [...String(Math.abs(exponent))].map((digit) => superscripts[Number(digit)]);
  return `10${exponent < 0 ? '⁻' : ''}${digits.join('')}`;
}

function formatTick(value: number): string {
  const rounded = Number(value.toPrecision(6));
  return Math.abs(rounded) >= 10_000 ? `${rounded / 1000}k` : String(rounded);
}

/** Formats a loss for a table. */
export function formatValue(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 10_000)) return value.toExponential(1).replace('e+', 'e');
  return value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : 4);
}
