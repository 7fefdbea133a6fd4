/** Heat maps: the elements of a matrix as shades of a color. */

import { element, escapeXml, picture } from './svg';

/** A matrix with optional row and column labels. */
export interface HeatMap {
  readonly title: string;
  /** The rows of the matrix; values from 0 (transparent) to 1 (full color). */
  readonly rows: readonly ArrayLike<number>[];
  readonly rowNames?: readonly string[];
  readonly columnNames?: readonly string[];
  /** The color of the value 1. Default: blue. */
  readonly color?: string;
}

/**
 * Draws matrices in a grid.
 *
 * @param cell size of a matrix element in pixels
 * @param perRow number of matrices per row of the grid
 * @returns an SVG document
 */
export function heatMaps(
  maps: readonly HeatMap[],
  { cell = 14, perRow = maps.length }: { readonly cell?: number; readonly perRow?: number } = {},
): string {
  const left = 12 + Math.max(0, ...maps.flatMap(({ rowNames = [] }) => rowNames.map((name) => 6.5 * name.length)));
  const top = 30 + Math.max(0, ...maps.flatMap(({ columnNames = [] }) => columnNames.map((name) => 6.5 * name.length)));
  const width = left + cell * Math.max(...maps.map(({ rows }) => rows[0]!.length)) + 12;
  const height = top + cell * Math.max(...maps.map(({ rows }) => rows.length)) + 12;
  const parts = maps.map((map, i) => {
    const [x, y] = [(i % perRow) * width + left, Math.floor(i / perRow) * height + top];
    return element('g', { transform: `translate(${x} ${y})` }, draw(map, cell, left, top));
  });
  return picture(width * Math.min(perRow, maps.length), height * Math.ceil(maps.length / perRow), parts);
}

function draw(
  { title, rows, rowNames = [], columnNames = [], color = '#2f7fd6' }: HeatMap,
  cell: number,
  left: number,
  top: number,
): string {
  const [width, height] = [rows[0]!.length * cell, rows.length * cell];
  return [
    `<text x="${8 - left}" y="${16 - top}" font-weight="600">${escapeXml(title)}</text>`,
    element('rect', { x: -0.5, y: -0.5, width: width + 1, height: height + 1, fill: 'none', class: 'axis' }),
    ...rows.flatMap((row, y) =>
      Array.from(row, (value, x) => {
        if (value < 0.01) return '';
        const opacity = Math.min(1, value).toFixed(2);
        const square = { x: x * cell, y: y * cell, width: cell, height: cell };
        return element('rect', { ...square, fill: color, 'fill-opacity': opacity });
      }),
    ),
    ...rowNames.map(
      (name, y) => `<text x="-6" y="${(y + 0.5) * cell + 4}" text-anchor="end">${escapeXml(name)}</text>`,
    ),
    ...columnNames.map(
      (name, x) => `<text transform="translate(${(x + 0.5) * cell + 4} -6) rotate(-90)">${escapeXml(name)}</text>`,
    ),
  ].join('\n');
}
