/** Numbers of a matrix as shades. */

import { escape, picture } from './svg';

/** A matrix with names at its sides. */
export interface HeatMap {
  readonly title: string;
  /** Row by row; each number from 0 to 1, none to full. */
  readonly rows: readonly ArrayLike<number>[];
  readonly rowNames?: readonly string[];
  readonly columnNames?: readonly string[];
  /** The color of 1. */
  readonly color?: string;
}

/** Matrices side by side, so many in a row. */
export function heatMaps(
  maps: readonly HeatMap[],
  { cell = 14, perRow = maps.length }: { readonly cell?: number; readonly perRow?: number } = {},
): string {
  const left = 12 + Math.max(0, ...maps.flatMap(({ rowNames = [] }) => rowNames.map((name) => 6.5 * name.length)));
  const top = 30 + Math.max(0, ...maps.flatMap(({ columnNames = [] }) => columnNames.map((name) => 6.5 * name.length)));
  const width = left + cell * Math.max(...maps.map(({ rows }) => rows[0]!.length)) + 12;
  const height = top + cell * Math.max(...maps.map(({ rows }) => rows.length)) + 12;
  const parts = maps.map(
    (map, i) =>
      `<g transform="translate(${(i % perRow) * width + left} ${Math.floor(i / perRow) * height + top})">${draw(map, cell, left, top)}</g>`,
  );
  return picture(width * Math.min(perRow, maps.length), height * Math.ceil(maps.length / perRow), parts);
}

function draw(
  { title, rows, rowNames = [], columnNames = [], color = '#2f7fd6' }: HeatMap,
  cell: number,
  left: number,
  top: number,
): string {
  return [
    `<text x="${8 - left}" y="${16 - top}" font-weight="600">${escape(title)}</text>`,
    `<rect x="-0.5" y="-0.5" width="${rows[0]!.length * cell + 1}" height="${rows.length * cell + 1}" fill="none" class="axis"/>`,
    ...rows.flatMap((row, y) =>
      Array.from(row, (value, x) =>
        value < 0.01
          ? ''
          : `<rect x="${x * cell}" y="${y * cell}" width="${cell}" height="${cell}" fill="${color}" fill-opacity="${Math.min(1, value).toFixed(2)}"/>`,
      ),
    ),
    ...rowNames.map((name, y) => `<text x="-6" y="${(y + 0.5) * cell + 4}" text-anchor="end">${escape(name)}</text>`),
    ...columnNames.map(
      (name, x) => `<text transform="translate(${(x + 0.5) * cell + 4} -6) rotate(-90)">${escape(name)}</text>`,
    ),
  ].join('\n');
}
