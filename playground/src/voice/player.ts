/** Plays a part of a recording. */

import { sampleRate } from './protocol';

/** A sound that is playing. */
export interface Player {
  /** The current position, in seconds from the start of the recording. */
  readonly position: () => number;
  readonly stop: () => void;
}

/**
 * Plays samples.
 *
 * @param from the position at which to start, in seconds
 * @param to the position at which to end, in seconds
 * @param onEnd is called when the end has been played
 */
export function play(samples: Float32Array, from: number, to: number, onEnd: () => void): Player {
  const context = new AudioContext();
  const buffer = context.createBuffer(1, samples.length, sampleRate);
  buffer.getChannelData(0).set(samples);
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  // The clock of the context runs before the first samples are heard.
  const begin = context.currentTime;
  source.start(begin, from, to - from);
  const stop = (): void => {
    source.onended = null;
    void context.close();
  };
  source.onended = () => {
    stop();
    onEnd();
  };
  return { position: () => Math.min(to, from + Math.max(0, context.currentTime - begin)), stop };
}
