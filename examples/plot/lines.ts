/** Curves over a common axis, in panels side by side. */

import { colors, escape, picture, short, ticksOf } from './svg';

/** A curve. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** By its place among the names by default. */
  readonly color?: string;
  readonly dashed?: boolean;
}

/** A panel of curves. */
export interface LinePanel {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly lines: readonly Line[];
  /** Whether the y axis is logarithmic; then nothing below `least` is drawn. */
  readonly logarithmic?: boolean;
  readonly least?: number;
  readonly most?: number;
  /** A level that is told by name, drawn as a dashed line. */
  readonly level?: { readonly name: string; readonly y: number };
  /** The lines as bars, side by side, as of a histogram. */
  readonly bars?: boolean;
}

const [width, height, left, right, bottom, legendRow] = [340, 190, 56, 14, 38, 16];

/** The names of a panel, each with its place in the legend: as many in a row as there is room for. */
function legendOf({
  lines,
}: LinePanel): readonly { readonly name: string; readonly x: number; readonly row: number }[] {
  let [x, row] = [0, 0];
  return [...new Set(lines.map(({ name }) => name))].map((name) => {
    const size = 30 + 6.4 * name.length;
    if (x > 0 && x + size - 12 > width) [x, row] = [0, row + 1];
    const place = { name, x, row };
    x += size;
    return place;
  });
}

/** Panels, so many in a row. */
export function linePlot(panels: readonly LinePanel[], perRow = 2): string {
  const columns = Math.min(perRow, panels.length);
  const legendHeight = legendRow * Math.max(...panels.flatMap((panel) => legendOf(panel).map(({ row }) => row)));
  const top = 48 + legendHeight;
  const [cell, row] = [left + width + right, top + height + bottom];
  const parts = panels.map(
    (panel, i) =>
      `<g transform="translate(${left + (i % columns) * cell} ${top + Math.floor(i / columns) * row})">${draw(panel, legendHeight)}</g>`,
  );
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
  const place = (y: number): number => (logarithmic ? Math.log10(Math.max(y, 1e-300)) : y);
  const scaleY = (y: number): number =>
    height *
    (1 - (Math.min(place(high), Math.max(place(low), place(y))) - place(low)) / (place(high) - place(low) || 1));
  const at = (x: number, y: number): string => `${scaleX(x).toFixed(1)} ${scaleY(y).toFixed(1)}`;
  const colorOf = (name: string, color: string | undefined): string =>
    color ?? colors[names.indexOf(name) % colors.length]!;
  return [
    `<text y="${-30 - legendHeight}" font-weight="600" font-size="12">${escape(title)}</text>`,
    ...ticksOf(low, high, logarithmic).map(
      (y) =>
        `<line class="grid" x2="${width}" y1="${scaleY(y).toFixed(1)}" y2="${scaleY(y).toFixed(1)}"/><text class="dim" x="-6" y="${(scaleY(y) + 4).toFixed(1)}" text-anchor="end">${short(y)}</text>`,
    ),
    ...ticksOf(from, to, false).map(
      (x) => `<text class="dim" x="${scaleX(x).toFixed(1)}" y="${height + 15}" text-anchor="middle">${short(x)}</text>`,
    ),
    `<line class="axis" x2="${width}" y1="${height}" y2="${height}"/>`,
    `<text class="dim" x="${width / 2}" y="${height + 30}" text-anchor="middle">${escape(xName)}</text>`,
    `<text class="dim" transform="translate(-42 ${height / 2}) rotate(-90)" text-anchor="middle">${escape(yName)}</text>`,
    ...(level
      ? [
          `<line class="base" x2="${width}" y1="${scaleY(level.y).toFixed(1)}" y2="${scaleY(level.y).toFixed(1)}"/><text class="dim" x="${width}" y="${(scaleY(level.y) - 4).toFixed(1)}" text-anchor="end">${escape(level.name)}</text>`,
        ]
      : []),
    ...lines.map(({ name, points, color, dashed }, i) => {
      if (bars) {
        const slot = width / points.length;
        return points
          .map(
            ([, y], k) =>
              `<rect x="${(k * slot + (i * slot) / lines.length).toFixed(1)}" width="${(slot / lines.length - 0.5).toFixed(1)}" y="${scaleY(y).toFixed(1)}" height="${(height - scaleY(y)).toFixed(1)}" fill="${colorOf(name, color)}"/>`,
          )
          .join('');
      }
      const drawn = points.filter(([, y]) => Number.isFinite(y) && (!logarithmic || y >= low));
      return `<polyline stroke="${colorOf(name, color)}" stroke-width="1.6"${dashed ? ' stroke-dasharray="4 3"' : ''} points="${drawn.map(([x, y]) => at(x, y)).join(' ')}"/>`;
    }),
    ...legend.map(({ name, x, row }) => {
      const y = row * legendRow - legendHeight;
      return `<line x1="${x}" x2="${x + 14}" y1="${y - 13}" y2="${y - 13}" stroke="${colorOf(name, lines.find((line) => line.name === name)!.color)}" stroke-width="3"/><text x="${x + 18}" y="${y - 9}">${escape(name)}</text>`;
    }),
  ].join('\n');
}
