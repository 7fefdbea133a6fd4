/** The part of a sound that the picture shows. */

/** A range of time, in seconds. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** A window that zooms, moves with the playback, and scrolls while the microphone is on. */
export interface View {
  /** The range of a sound of a duration. The position stays visible. */
  readonly range: (duration: number, position: number | undefined) => Range;
  /** The range that ends now. */
  readonly liveRange: (now: number) => Range;
  /** Multiplies the length of the range, around the position or the middle. */
  readonly zoom: (factor: number, duration: number, position: number | undefined) => void;
  /** Shows the whole sound. */
  readonly reset: () => void;
}

const [shortest, live] = [1, 10];

/** Creates a view that shows the whole sound. */
export function createView(): View {
  let span = Infinity;
  let from = 0;
  const range: View['range'] = (duration, position) => {
    const length = Math.max(shortest, Math.min(span, duration));
    if (position !== undefined && (position < from || position > from + 0.96 * length)) from = position - 0.1 * length;
    from = Math.max(0, Math.min(from, duration - length));
    return { from, to: from + length };
  };
  return {
    range,
    liveRange: (now) => ({ from: now - Math.min(span, live), to: now }),
    zoom: (factor, duration, position) => {
      const old = range(duration, undefined);
      const length = old.to - old.from;
      const center = position ?? (old.from + old.to) / 2;
      span = Math.max(shortest, length * factor);
      from = center - ((center - old.from) / length) * span;
      if (span >= duration) span = Infinity;
    },
    reset: () => {
      span = Infinity;
      from = 0;
    },
  };
}
