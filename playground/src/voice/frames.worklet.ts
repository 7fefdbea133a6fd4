/** The audio worklet: converts the sound of its context to another sample rate, and sends it in frames to a port. */

import { createResampler } from '../../../examples/voice/resample';

// The types of the DOM do not include the scope of worklets.
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare const sampleRate: number;
declare const registerProcessor: (
  name: string,
  processor: new (options: { readonly processorOptions: FrameOptions }) => AudioWorkletProcessor,
) => void;

/** The frames to send. */
export interface FrameOptions {
  /** In Hz. */
  readonly rate: number;
  /** Samples per frame. */
  readonly frameSize: number;
}

/** Sends frames to the port that its first message contains. */
class Frames extends AudioWorkletProcessor {
  private target: MessagePort | undefined;
  private readonly add: (samples: Float32Array) => void;

  constructor({ processorOptions: { rate, frameSize } }: { readonly processorOptions: FrameOptions }) {
    super();
    this.port.onmessage = ({ data }: MessageEvent<MessagePort>) => {
      this.target = data;
    };
    const resample = createResampler(sampleRate, rate);
    let frame = new Float32Array(frameSize);
    let filled = 0;
    const emit = (sample: number): void => {
      frame[filled++] = sample;
      if (filled < frameSize) return;
      this.target?.postMessage(frame, [frame.buffer]);
      frame = new Float32Array(frameSize);
      filled = 0;
    };
    this.add = (samples) => resample(samples, emit);
  }

  /** The browser calls it with 128 samples per channel; there are no channels while no sound arrives. */
  process([channels]: readonly (readonly Float32Array[])[]): boolean {
    if (this.target !== undefined && channels?.[0] !== undefined) this.add(channels[0]);
    return true;
  }
}

registerProcessor('frames', Frames);
