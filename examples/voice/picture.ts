/** Pictures of the probability of speech over the waveform. */

import { colors, element, escapeXml, picture, ticksOf } from '../plot/svg';
import type { Segment } from './segments';

/** The result of a detector, as drawn. */
export interface Track {
  readonly title: string;
  /** One per frame. */
  readonly probabilities: Float32Array;
  readonly segments: readonly Segment[];
}

const [width, height, left, top, bottom] = [780, 90, 34, 30, 12];

/**
 * Draws the waveform once per detector, below the probability, with the segments shaded.
 *
 * @param samples the samples of the sound, from −1 to 1
 * @param seconds the length of the sound
 * @returns an SVG document
 */
export function speechPicture(samples: Float32Array, seconds: number, tracks: readonly Track[]): string {
  const row = top + height + bottom;
  const xOf = (time: number): string => ((time / seconds) * width).toFixed(1);
  const wave = element('path', { id: 'wave', stroke: '#8888', d: waveform(samples) });
  const parts = tracks.map((track, i) => {
    const content = draw(track, seconds, xOf);
    return element('g', { transform: `translate(${left} ${i * row + top})` }, content);
  });
  const axis = ticksOf(0, seconds, false).map((time) =>
    element('text', { class: 'dim', x: xOf(time), y: 8, 'text-anchor': 'middle' }, `${time} s`),
  );
  const end = element('g', { transform: `translate(${left} ${tracks.length * row})` }, axis.join(''));
  return picture(left + width + 16, tracks.length * row + 16, [element('defs', {}, wave), ...parts, end]);
}

/** A path with a vertical line per pixel, from the least to the largest sample. */
function waveform(samples: Float32Array): string {
  const loudest = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  const yOf = (value: number): string => ((height / 2) * (1 - value / loudest)).toFixed(1);
  return Array.from({ length: width }, (_, x) => {
    const part = partOf(samples, x, width);
    const [most, least] = [part.reduce((a, b) => Math.max(a, b)), part.reduce((a, b) => Math.min(a, b))];
    return `M${x + 0.5} ${yOf(most)}V${yOf(least)}`;
  }).join('');
}

/** Part `i` of `count` parts of about equal length, of at least one value. */
function partOf(values: Float32Array, i: number, count: number): Float32Array {
  const from = Math.floor((i * values.length) / count);
  return values.subarray(from, Math.max(from + 1, Math.floor(((i + 1) * values.length) / count)));
}

function draw({ title, probabilities, segments }: Track, seconds: number, xOf: (time: number) => string): string {
  // At most two points per pixel, so that the file stays small.
  const count = Math.min(probabilities.length, 2 * width);
  const points = Array.from({ length: count }, (_, i) => {
    const value = partOf(probabilities, i, count).reduce((a, b) => Math.max(a, b));
    return `${xOf(((i + 0.5) / count) * seconds)} ${(height * (1 - value)).toFixed(1)}`;
  });
  return [
    `<text y="-8" font-weight="600" font-size="12">${escapeXml(title)}</text>`,
    ...segments.map(({ start, end }) =>
      element('rect', { x: xOf(start), width: xOf(end - start), height, fill: colors[0], 'fill-opacity': 0.15 }),
    ),
    element('use', { href: '#wave' }),
    ...[0, 0.5, 1].map((value) => {
      const y = height * (1 - value);
      return (
        element('line', { class: 'grid', x2: width, y1: y, y2: y }) +
        element('text', { class: 'dim', x: -6, y: y + 4, 'text-anchor': 'end' }, String(value))
      );
    }),
    element('polyline', { stroke: colors[1], 'stroke-width': 1.4, points: points.join(' ') }),
  ].join('\n');
}
