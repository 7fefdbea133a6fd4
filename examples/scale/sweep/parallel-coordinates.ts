/** A picture of a sweep: one axis per hyperparameter, and one line per trial. */

import { colors, element, escapeXml, formatNumber, picture, ticksOf } from '../../plot/svg';
import type { Dimension, Space } from './space';
import type { Row } from './sweep';

const [left, top, gap, height] = [50, 50, 130, 220];

/** An axis: its position from 0 (bottom) to 1 for a value, and its labeled values. */
interface Axis {
  readonly name: string;
  readonly position: (value: number) => number;
  readonly ticks: readonly number[];
}

function axisOf(name: string, dimension: Dimension): Axis {
  if (dimension.kind === 'choice') {
    const { values } = dimension;
    return { name, ticks: values, position: (value) => (values.indexOf(value) + 0.5) / values.length };
  }
  const { low, high, logarithmic } = dimension;
  const scale = logarithmic ? Math.log : (value: number) => value;
  const position = (value: number): number => (scale(value) - scale(low)) / (scale(high) - scale(low));
  return { name, ticks: ticksOf(low, high, logarithmic), position };
}

/** The axis of the losses. The upper end is the 90th percentile, so that a few bad trials do not hide the others. */
function lossAxis(rows: readonly Row[]): Axis {
  const losses = rows.flatMap(({ loss }) => (loss === undefined ? [] : [loss])).sort((a, b) => a - b);
  const [low = 0, high = 1] = [losses[0], losses[Math.floor(0.9 * (losses.length - 1))]];
  const position = (loss: number): number => Math.min(1, (loss - low) / (high - low || 1));
  return { name: 'loss', ticks: ticksOf(low, high, false), position };
}

/** Draws the trials, the best ones last and in color; failed trials are dotted and end at the top of the loss axis. */
export function parallelCoordinates(space: Space, rows: readonly Row[]): string {
  const axes = [...Object.entries(space).map(([name, dimension]) => axisOf(name, dimension)), lossAxis(rows)];
  const x = (i: number): number => left + i * gap;
  const y = (position: number): number => top + height * (1 - position);
  const lines = [...rows].reverse().map((row, i) => {
    const rank = rows.length - 1 - i;
    const points = axes.map(({ name, position }, axis) => {
      const value = name === 'loss' ? (row.loss ?? Infinity) : row.settings[name]!;
      return `${x(axis)},${y(position(value)).toFixed(1)}`;
    });
    return element('polyline', {
      points: points.join(' '),
      stroke: rank < 3 ? colors[rank] : '#888',
      'stroke-width': rank < 3 ? 2.2 : 1,
      'stroke-opacity': rank < 3 ? 1 : 0.45,
      'stroke-dasharray': row.failed === undefined ? undefined : '2 4',
    });
  });
  const drawn = axes.flatMap(({ name, ticks, position }, i) => [
    element('line', { class: 'axis', x1: x(i), x2: x(i), y1: y(0), y2: y(1) }),
    element('text', { x: x(i), y: top - 22, 'text-anchor': 'middle', 'font-weight': 600 }, escapeXml(name)),
    ...ticks.map((tick) =>
      element(
        'text',
        { class: 'dim', x: x(i) - 6, y: y(position(tick)) + 4, 'text-anchor': 'end' },
        formatNumber(tick),
      ),
    ),
  ]);
  return picture(x(axes.length - 1) + 30, top + height + 30, [...lines, ...drawn]);
}
