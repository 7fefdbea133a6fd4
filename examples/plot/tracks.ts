/** Maps of tracks, given as longitudes and latitudes, with north at the top. */

import { colors, element, escapeXml, picture } from './svg';

/** A track. */
export interface Track {
  readonly name: string;
  /** Longitude and latitude in degrees. */
  readonly points: readonly (readonly [longitude: number, latitude: number])[];
  readonly color?: string;
  /** 1 by default. */
  readonly opacity?: number;
  readonly width?: number;
  /** Whether to mark each point. */
  readonly dots?: boolean;
}

/** A map with tracks. */
export interface TrackMap {
  readonly title: string;
  readonly tracks: readonly Track[];
}

const size = 300;

/**
 * Draws maps in a grid. Each map is scaled to fit its tracks.
 *
 * @param perRow number of maps per row
 * @returns an SVG document
 */
export function trackMaps(maps: readonly TrackMap[], perRow = 3): string {
  const parts = maps.map((map, i) => {
    const [x, y] = [(i % perRow) * (size + 50) + 40, Math.floor(i / perRow) * (size + 80) + 44];
    return element('g', { transform: `translate(${x} ${y})` }, draw(map));
  });
  const columns = Math.min(perRow, maps.length);
  return picture(columns * (size + 50) + 10, Math.ceil(maps.length / perRow) * (size + 80), parts);
}

function draw({ title, tracks }: TrackMap): string {
  const names = [...new Set(tracks.map(({ name }) => name))];
  const all = tracks.flatMap((track) => track.points);
  const middle = (values: readonly number[]): number => (Math.min(...values) + Math.max(...values)) / 2;
  const [longitude, latitude] = [middle(all.map(([x]) => x)), middle(all.map(([, y]) => y))];
  // A degree of longitude spans less distance away from the equator.
  const narrow = Math.cos((latitude * Math.PI) / 180);
  const reach =
    1.08 * Math.max(1, ...all.map(([x, y]) => Math.max(Math.abs(x - longitude) * narrow, Math.abs(y - latitude))));
  const xOf = (x: number): number => (size / 2) * (1 + ((x - longitude) * narrow) / reach);
  const yOf = (y: number): number => (size / 2) * (1 - (y - latitude) / reach);
  const every = reach > 20 ? 10 : reach > 6 ? 5 : reach > 2 ? 2 : 1;
  const grid = (center: number, half: number): readonly number[] =>
    Array.from(
      { length: Math.floor((2 * half) / every) + 1 },
      (_, i) => (Math.ceil((center - half) / every) + i) * every,
    ).filter((value) => value <= center + half);
  const degrees = (value: number, [plus, minus]: readonly [string, string]): string =>
    `${Math.abs(value)}°${value < 0 ? minus : value > 0 ? plus : ''}`;
  let legend = 0;
  return [
    `<text y="-28" font-weight="600" font-size="12">${escapeXml(title)}</text>`,
    ...grid(latitude, reach).map((value) => {
      const y = yOf(value);
      const label = { class: 'dim', x: -4, y: (y + 4).toFixed(1), 'text-anchor': 'end' };
      return [
        element('line', { class: 'grid', x2: size, y1: y.toFixed(1), y2: y.toFixed(1) }),
        element('text', label, degrees(value, ['N', 'S'])),
      ].join('');
    }),
    ...grid(longitude, reach / narrow).map((value) => {
      const x = xOf(value).toFixed(1);
      return [
        element('line', { class: 'grid', y2: size, x1: x, x2: x }),
        element('text', { class: 'dim', x, y: size + 14, 'text-anchor': 'middle' }, degrees(value, ['E', 'W'])),
      ].join('');
    }),
    ...tracks.map(({ name, points, color, opacity = 1, width = 1.6, dots }) => {
      const ink = color ?? colors[names.indexOf(name) % colors.length]!;
      const marks = dots
        ? points
            .map(([x, y]) => `<circle cx="${xOf(x).toFixed(1)}" cy="${yOf(y).toFixed(1)}" r="2.4" fill="${ink}"/>`)
            .join('')
        : '';
      const path = points.map(([x, y]) => `${xOf(x).toFixed(1)} ${yOf(y).toFixed(1)}`).join(' ');
      const line = element('polyline', { stroke: ink, 'stroke-width': width, points: path });
      return element('g', { opacity }, `${line}${marks}`);
    }),
    ...names.map((name) => {
      const x = legend;
      legend += 26 + 6.4 * name.length;
      const { color } = tracks.find((track) => track.name === name)!;
      const ink = color ?? colors[names.indexOf(name) % colors.length];
      return [
        element('line', { x1: x, x2: x + 12, y1: -12, y2: -12, stroke: ink, 'stroke-width': 3 }),
        element('text', { x: x + 16, y: -8 }, escapeXml(name)),
      ].join('');
    }),
  ].join('\n');
}
