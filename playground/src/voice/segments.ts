/** Segments of speech from the probabilities of frames. */

import { frameSeconds } from './protocol';

/** A segment of speech, in frames: from `start` to before `end`. */
export interface Segment {
  readonly start: number;
  readonly end: number;
}

/** When segments start and end. */
export interface SegmentOptions {
  /** A segment starts with a frame of at least this probability. */
  readonly threshold: number;
  /** Shorter pauses, in seconds, do not end a segment. */
  readonly pause: number;
}

/** A frame is part of a pause if its probability is this much below the threshold. Without it, segments flicker. */
const margin = 0.15;

/** Segments of fewer frames are dropped. */
const shortest = 3;

/** Finds the segments. The last one is open-ended while speech continues. */
export function segmentsOf(probabilities: Float32Array, { threshold, pause }: SegmentOptions): readonly Segment[] {
  const segments: Segment[] = [];
  const patience = Math.max(1, Math.round(pause / frameSeconds));
  let start = -1;
  let last = -1;
  const finish = (): void => {
    if (start >= 0 && last - start + 1 >= shortest) segments.push({ start, end: last + 1 });
    start = -1;
  };
  for (let i = 0; i < probabilities.length; i++) {
    const value = probabilities[i]!;
    if (start < 0 && value >= threshold) start = i;
    if (start >= 0 && value >= threshold - margin) last = i;
    if (start >= 0 && i - last >= patience) finish();
  }
  finish();
  return segments;
}

/** The mean of values in a range. */
export function meanOf(values: Float32Array, { start, end }: Segment): number {
  return values.subarray(start, end).reduce((sum, value) => sum + value, 0) / (end - start);
}
