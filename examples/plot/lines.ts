/** Line plots: panels of curves, each with its own axes. */

import { colors, element, escapeXml, formatNumber, picture, ticksOf } from './svg';

/** A curve. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Default: chosen from {@link colors} by the index of the name. */
  readonly color?: string;
  readonly dashed?: boolean;
}

/** A panel of curves. */
export interface LinePanel {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly lines: readonly Line[];
  /** Whether the y axis is logarithmic. If so, points below `least` are not drawn. */
  readonly logarithmic?: boolean;
  /** Lower limit of the y axis. Default: the smallest value, or 0 for bars. */
  readonly least?: number;
  /** Upper limit of the y axis. Default: the largest value. */
  readonly most?: number;
  /** A labeled horizontal reference line, drawn dashed. */
  readonly level?: { readonly name: string; readonly y: number };
  /** Whether to draw the lines as grouped bars, for histograms. */
  readonly bars?: boolean;
}

const [width, height, left, right, bottom, legendRow] = [340, 190, 56, 14, 38, 16];

/** The names of a panel with their positions in the legend, which wraps at the width of the panel. */
function legendOf({
  lines,
}: LinePanel): readonly { readonly name: string; readonly x: number; readonly row: number }[] {
  let [x, row] = [0, 0];
  return [...new Set(lines.map(({ name }) => name))].map((name) => {
    const size = 30 + 6.4 * name.length;
    if (x > 0 && x + size - 12 > width) [x, row] = [0, row + 1];
    const entry = { name, x, row };
    x += size;
    return entry;
  });
}

/**
 * Draws panels in a grid.
 *
 * @param perRow number of panels per row
 * @returns an SVG document
 */
export function linePlot(panels: readonly LinePanel[], perRow = 2): string {
  const columns = Math.min(perRow, panels.length);
  const legendHeight = legendRow * Math.max(...panels.flatMap((panel) => legendOf(panel).map(({ row }) => row)));
  const top = 48 + legendHeight;
  const [cell, row] = [left + width + right, top + height + bottom];
  const parts = panels.map((panel, i) => {
    const [x, y] = [left + (i % columns) * cell, top + Math.floor(i / columns) * row];
    return element('g', { transform: `translate(${x} ${y})` }, draw(panel, legendHeight));
  });
  return picture(columns * cell, Math.ceil(panels.length / columns) * row, parts);
}

function draw(panel: LinePanel, legendHeight: number): string {
  const { title, x: xName, y: yName, lines, logarithmic = false, least, most, level, bars = false } = panel;
  const legend = legendOf(panel);
  const names = legend.map(({ name }) => name);
  const xs = lines.flatMap(({ points }) => points.map(([x]) => x));
  const ys = [...lines.flatMap(({ points }) => points.map(([, y]) => y)), ...(level ? [level.y] : [])].filter(
    (y) => Number.isFinite(y) && (!logarithmic || y > 0),
  );
  const low = least ?? (bars ? 0 : Math.min(...ys));
  const high = most ?? Math.max(...ys);
  const [from, to] = [Math.min(...xs), Math.max(...xs)];
  const scaleX = (x: number): number => ((x - from) / (to - from || 1)) * width;
  const transform = (y: number): number => (logarithmic ? Math.log10(Math.max(y, 1e-300)) : y);
  const scaleY = (y: number): number =>
    height *
    (1 -
      (Math.min(transform(high), Math.max(transform(low), transform(y))) - transform(low)) /
        (transform(high) - transform(low) || 1));
  const point = (x: number, y: number): string => `${scaleX(x).toFixed(1)} ${scaleY(y).toFixed(1)}`;
  const colorOf = (name: string, color: string | undefined): string =>
    color ?? colors[names.indexOf(name) % colors.length]!;
  const yTransform = `translate(-42 ${height / 2}) rotate(-90)`;
  return [
    `<text y="${-30 - legendHeight}" font-weight="600" font-size="12">${escapeXml(title)}</text>`,
    ...ticksOf(low, high, logarithmic).map((value) => {
      const y = scaleY(value);
      return [
        element('line', { class: 'grid', x2: width, y1: y.toFixed(1), y2: y.toFixed(1) }),
        element('text', { class: 'dim', x: -6, y: (y + 4).toFixed(1), 'text-anchor': 'end' }, formatNumber(value)),
      ].join('');
    }),
    ...ticksOf(from, to, false).map((value) => {
      const label = { class: 'dim', x: scaleX(value).toFixed(1), y: height + 15, 'text-anchor': 'middle' };
      return element('text', label, formatNumber(value));
    }),
    `<line class="axis" x2="${width}" y1="${height}" y2="${height}"/>`,
    `<text class="dim" x="${width / 2}" y="${height + 30}" text-anchor="middle">${escapeXml(xName)}</text>`,
    element('text', { class: 'dim', transform: yTransform, 'text-anchor': 'middle' }, escapeXml(yName)),
    ...(level ? [drawLevel(level.name, scaleY(level.y))] : []),
    ...lines.map(({ name, points, color, dashed }, i) => {
      if (bars) {
        const slot = width / points.length;
        return points
          .map(([, value], k) => {
            const y = scaleY(value);
            return element('rect', {
              x: (k * slot + (i * slot) / lines.length).toFixed(1),
              width: (slot / lines.length - 0.5).toFixed(1),
              y: y.toFixed(1),
              height: (height - y).toFixed(1),
              fill: colorOf(name, color),
            });
          })
          .join('');
      }
      const drawn = points.filter(([, y]) => Number.isFinite(y) && (!logarithmic || y >= low));
      return element('polyline', {
        stroke: colorOf(name, color),
        'stroke-width': 1.6,
        'stroke-dasharray': dashed ? '4 3' : undefined,
        points: drawn.map(([x, y]) => point(x, y)).join(' '),
      });
    }),
    ...legend.map(({ name, x, row }) => {
      const y = row * legendRow - legendHeight;
      const stroke = colorOf(name, lines.find((line) => line.name === name)!.color);
      return [
        element('line', { x1: x, x2: x + 14, y1: y - 13, y2: y - 13, stroke, 'stroke-width': 3 }),
        element('text', { x: x + 18, y: y - 9 }, escapeXml(name)),
      ].join('');
    }),
  ].join('\n');
}

/** Draws a labeled reference line at `y` pixels from the top of a panel. */
function drawLevel(name: string, y: number): string {
  return [
    element('line', { class: 'base', x2: width, y1: y.toFixed(1), y2: y.toFixed(1) }),
    element('text', { class: 'dim', x: width, y: (y - 4).toFixed(1), 'text-anchor': 'end' }, escapeXml(name)),
  ].join('');
}
