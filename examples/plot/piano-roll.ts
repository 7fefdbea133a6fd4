/** Piano rolls: notes as bars over time, with the pitch on the vertical axis. */

import { element, escapeXml, picture } from './svg';

/** A note, as drawn. */
export interface Sound {
  /** In any unit; the same as `duration` and {@link PianoRoll.bar}. */
  readonly start: number;
  readonly duration: number;
  /** MIDI note number: semitones, middle C is 60. */
  readonly pitch: number;
  readonly color: string;
}

/** A passage of music. */
export interface PianoRoll {
  readonly title: string;
  readonly sounds: readonly Sound[];
  /** Length of a bar, that is the distance between vertical grid lines. */
  readonly bar: number;
}

const [width, left, top, tone] = [780, 34, 30, 3];

/**
 * Draws piano rolls in a column, with one legend above the first.
 *
 * @returns an SVG document
 */
export function pianoRolls(
  rolls: readonly PianoRoll[],
  legend: readonly (readonly [name: string, color: string])[],
): string {
  let y = 34;
  const names = legend.map(([name, color], i) => {
    const x = left + 110 * i;
    return [
      element('line', { x1: x, x2: x + 14, y1: 16, y2: 16, stroke: color, 'stroke-width': 3 }),
      element('text', { x: x + 18, y: 20 }, escapeXml(name)),
    ].join('');
  });
  const parts = rolls.map(({ title, sounds, bar }) => {
    const [low, high] = [Math.min(...sounds.map(({ pitch }) => pitch)), Math.max(...sounds.map(({ pitch }) => pitch))];
    const end = Math.max(...sounds.map(({ start, duration }) => start + duration));
    const xOf = (time: number): string => ((time / end) * width).toFixed(1);
    const yOf = (pitch: number): number => (high - pitch) * tone;
    const height = (high - low + 1) * tone;
    const octaves = Array.from({ length: 11 }, (_, i) => 12 * i).filter((pitch) => pitch >= low && pitch <= high);
    const drawn = [
      `<text y="-8" font-weight="600" font-size="12">${escapeXml(title)}</text>`,
      ...Array.from(
        { length: Math.floor(end / bar) + 1 },
        (_, i) => `<line class="grid" x1="${xOf(i * bar)}" x2="${xOf(i * bar)}" y2="${height}"/>`,
      ),
      ...octaves.map((pitch) =>
        [
          element('line', { class: 'grid', x2: width, y1: yOf(pitch - 1), y2: yOf(pitch - 1) }),
          element('text', { class: 'dim', x: -6, y: yOf(pitch) + 5, 'text-anchor': 'end' }, `C${pitch / 12 - 1}`),
        ].join(''),
      ),
      ...sounds.map(({ start, duration, pitch, color }) => {
        const length = Math.max(1, (duration / end) * width - 0.6).toFixed(1);
        return element('rect', { x: xOf(start), y: yOf(pitch), width: length, height: tone, fill: color });
      }),
    ];
    const part = `<g transform="translate(${left} ${y + top})">${drawn.join('\n')}</g>`;
    y += top + height + 12;
    return part;
  });
  return picture(left + width + 12, y, [...names, ...parts]);
}
