/** The table of the segments. */

import type { Segment } from '../../../examples/voice/segments';
import { create, setText } from '../dom';
import { frameSeconds } from './protocol';

const playIcon =
  '<svg viewBox="0 0 24 24" width="16" height="16" aria-hidden="true"><path d="M7 4l13 8-13 8z" /></svg>';

/**
 * Creates a function that shows segments in the body of a table. Rows of segments that did not change stay.
 *
 * @param onPlay is called if the user wants to hear a segment
 */
export function createSegmentTable(
  body: HTMLTableSectionElement,
  onPlay: (segment: Segment) => void,
): (segments: readonly Segment[], probabilities: Float32Array, position: number | undefined) => void {
  const shown: Segment[] = [];
  const newRow = (index: number): HTMLTableRowElement => {
    const button = create('button', { type: 'button', 'aria-label': `Play segment ${index + 1}`, title: 'Play' });
    button.innerHTML = playIcon;
    button.addEventListener('click', () => onPlay(shown[index]!));
    return create(
      'tr',
      {},
      create('th', { scope: 'row' }),
      ...[1, 2, 3].map(() => create('td')),
      create('td', {}, button),
    );
  };
  return (segments, probabilities, position) => {
    while (body.rows.length > segments.length) body.rows[body.rows.length - 1]!.remove();
    shown.length = Math.min(shown.length, segments.length);
    segments.forEach((segment, i) => {
      const row = body.rows[i] ?? body.appendChild(newRow(i));
      const { start, end } = segment;
      row.classList.toggle('current', position !== undefined && position >= start && position < end);
      if (shown[i]?.start === start && shown[i]?.end === end) return;
      shown[i] = segment;
      const texts = [start, end, end - start].map((seconds) => `${seconds.toFixed(2)} s`);
      texts.push(meanOf(probabilities, segment).toFixed(3));
      texts.forEach((text, cell) => setText(row.cells[cell]!, text));
    });
  };
}

/** The mean probability of the frames whose middle is in a segment. */
function meanOf(probabilities: Float32Array, { start, end }: Segment): number {
  const frames = probabilities.subarray(Math.round(start / frameSeconds), Math.round(end / frameSeconds));
  return frames.reduce((sum, value) => sum + value, 0) / frames.length;
}
