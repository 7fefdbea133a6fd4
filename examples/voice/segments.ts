/** Speech segments from the probabilities of frames. */

/** A segment of speech, in seconds. */
export interface Segment {
  readonly start: number;
  readonly end: number;
}

/** The options of {@link speechSegments}. Times are in seconds. */
export interface SegmentOptions {
  /** The probability from which a segment starts; 0.5 by default. */
  readonly threshold?: number;
  /** A segment can end below this probability; `threshold` − 0.15 by default. */
  readonly endThreshold?: number;
  /** A segment ends if the probability does not return to `threshold` for this time; 0.1 by default. */
  readonly minSilence?: number;
  /** Segments that are not longer are dropped; 0.25 by default. */
  readonly minSpeech?: number;
  /** The time by which a segment is extended on each side, at most to the middle of a pause; 0.03 by default. */
  readonly padding?: number;
}

/**
 * Finds segments of speech with the rules and defaults of `get_speech_timestamps` in `src/silero_vad/utils_vad.py` of
 * github.com/snakers4/silero-vad: two thresholds, shortest pause, shortest segment, padding. Segments can have any
 * length, as by default there.
 *
 * @param probabilities the probability of speech in every frame
 * @param frame the length of a frame, in seconds
 * @param duration the length of the sound, in seconds
 */
export function speechSegments(
  probabilities: ArrayLike<number>,
  frame: number,
  duration: number,
  options: SegmentOptions = {},
): Segment[] {
  const { minSpeech = 0.25, padding = 0.03 } = options;
  const found = segmentsOf(probabilities, frame, duration, options).filter(({ start, end }) => end - start > minSpeech);
  return found.map(({ start, end }, i) => {
    const [before, after] = [found[i - 1]?.end, found[i + 1]?.start];
    return {
      start: before === undefined ? Math.max(0, start - padding) : start - Math.min(padding, (start - before) / 2),
      end: after === undefined ? Math.min(duration, end + padding) : end + Math.min(padding, (after - end) / 2),
    };
  });
}

/** The segments before the short ones are dropped and the others are padded. */
function segmentsOf(
  probabilities: ArrayLike<number>,
  frame: number,
  duration: number,
  { threshold = 0.5, endThreshold = Math.max(0.01, threshold - 0.15), minSilence = 0.1 }: SegmentOptions,
): Segment[] {
  const segments: Segment[] = [];
  // The first frame of the segment, and of the pause after which it may end.
  let start: number | undefined;
  let pause: number | undefined;
  for (let i = 0; i < probabilities.length; i++) {
    const probability = probabilities[i]!;
    if (probability >= threshold) {
      start ??= i;
      pause = undefined;
    } else if (start !== undefined && probability < endThreshold) {
      pause ??= i;
      if ((i - pause) * frame < minSilence) continue;
      segments.push({ start: start * frame, end: pause * frame });
      start = pause = undefined;
    }
  }
  if (start !== undefined) segments.push({ start: start * frame, end: duration });
  return segments;
}
