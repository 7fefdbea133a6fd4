/** The messages between the page and its worker. */

import { frameSize } from '../../../examples/voice/detector';
import { sampleRate } from '../../../examples/voice/resample';

export { frameSize, sampleRate };

/** Seconds per frame. */
export const frameSeconds: number = frameSize / sampleRate;

/** A message to the worker. A task ends the previous one. */
export type Request =
  /** Loads the network from an address. */
  | { readonly type: 'load'; readonly address: string }
  /** Runs the network on the frames that arrive at a port. */
  | { readonly type: 'listen'; readonly task: number; readonly port: MessagePort }
  /** Runs the network on all full frames of a sound. */
  | { readonly type: 'analyze'; readonly task: number; readonly samples: Float32Array }
  /** Ends the current task. */
  | { readonly type: 'stop' };

/** A message from the worker. */
export type Report =
  | {
      readonly type: 'loaded';
      /** The size of the file. */
      readonly bytes: number;
      /** The time to import the network, and to run the first frame. */
      readonly milliseconds: number;
      readonly kernels: string;
      /** The time per frame, measured once. */
      readonly microseconds: number;
    }
  | {
      readonly type: 'frames';
      readonly task: number;
      /** One probability per frame. */
      readonly probabilities: Float32Array;
      /** The samples of the frames, if they came from a port. */
      readonly samples?: Float32Array;
      /** The time that the network took. */
      readonly milliseconds: number;
    }
  /** All frames of a sound have been analyzed. */
  | { readonly type: 'analyzed'; readonly task: number }
  | { readonly type: 'failed'; readonly message: string };
