/** Heat maps of states and gates: time from left to right, one row per unit. */

import { contextOf, font, formatValue } from './plots';
import type { HeatMapData } from './protocol';
import type { Colors } from './theme';

/** Whether values are from 0 to 1, as those of gates are. */
const isGate = (name: string): boolean => ['i', 'f', 'o', 'r', 'z'].includes(name);

/** The value at which a map has its full color: the largest finite magnitude, at least 1. */
export function limitOf({ name, data }: HeatMapData): number {
  if (isGate(name) || name === 'g' || name === 'n') return 1;
  return data.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 1);
}

/** The range of the colors, in words. */
export function describeRange(map: HeatMapData): string {
  if (!map.data.every(Number.isFinite)) return 'not finite';
  const limit = limitOf(map);
  return isGate(map.name) ? '0 to 1' : `±${limit >= 10_000 ? formatValue(limit) : limit.toFixed(limit < 10 ? 1 : 0)}`;
}

/** The height of a map with its axis, in pixels. */
export const heightOf = ({ units }: HeatMapData): number => Math.max(44, Math.min(units * 3, 128)) + axis;

const axis = 14;
const buffer = typeof document === 'undefined' ? undefined : document.createElement('canvas');

/**
 * Draws a map.
 *
 * @param labels one character per step, for example the input
 */
export function drawHeatMap(
  canvas: HTMLCanvasElement,
  colors: Colors,
  map: HeatMapData,
  labels: string | undefined,
): void {
  const { steps, units, data } = map;
  const { context, width, height } = contextOf(canvas);
  if (buffer === undefined || width === 0 || steps === 0) return;
  const limit = limitOf(map);
  const image = new ImageData(steps, units);
  for (let t = 0; t < steps; t++) {
    for (let unit = 0; unit < units; unit++) {
      // NaN has the color of zero.
      const value = Math.max(-1, Math.min(1, data[t * units + unit]! / limit)) || 0;
      const target = value < 0 ? colors.low : colors.high;
      const at = 4 * (unit * steps + t);
      for (let channel = 0; channel < 3; channel++)
        image.data[at + channel] = colors.zero[channel]! + Math.abs(value) * (target[channel]! - colors.zero[channel]!);
      image.data[at + 3] = 255;
    }
  }
  buffer.width = steps;
  buffer.height = units;
  buffer.getContext('2d')!.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(buffer, 0, 0, width, height - axis);
  context.font = font;
  context.fillStyle = colors.muted;
  context.textAlign = 'center';
  const list = labels === undefined ? [] : [...labels];
  const column = width / steps;
  // Sparse labels, such as marks, do not overlap.
  const isSparse = list.filter((label) => label !== ' ').length * 8 < width / 2;
  if (list.length === steps && (column >= 6.5 || isSparse)) {
    list.forEach((label, t) => context.fillText(label, (t + 0.5) * column, height - 3));
  } else {
    context.textAlign = 'left';
    context.fillText('first step', 0, height - 3);
    context.textAlign = 'right';
    context.fillText('last', width, height - 3);
  }
}

/** The unit and step at a position of a map, and the value there. */
export function valueAt(
  canvas: HTMLCanvasElement,
  { steps, units, data }: HeatMapData,
  x: number,
  y: number,
): { step: number; unit: number; value: number } | undefined {
  const step = Math.floor((x / canvas.clientWidth) * steps);
  const unit = Math.floor((y / (canvas.clientHeight - axis)) * units);
  if (step < 0 || step >= steps || unit < 0 || unit >= units) return undefined;
  return { step, unit, value: data[step * units + unit]! };
}
