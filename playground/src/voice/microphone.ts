/** The microphone, as frames of samples at a fixed rate. */

import workletAddress from './frames.worklet.ts?worker&url';
import { Problem, textOf } from './problem';
import { frameSize, sampleRate } from './protocol';

/** An open microphone. */
export interface Microphone {
  /** The port at which the frames arrive. */
  readonly frames: MessagePort;
  /** The sample rate at which the browser delivers the sound. */
  readonly rate: number;
  readonly close: () => void;
}

/**
 * Asks for the microphone and opens it.
 *
 * @param onEnd is called if the microphone is disconnected
 * @throws Problem if there is no microphone, or the page may not use it
 */
export async function openMicrophone(onEnd: () => void): Promise<Microphone> {
  if (navigator.mediaDevices === undefined)
    throw new Problem('Browsers allow the microphone only on pages with HTTPS, or from this machine.');
  const stream = await requestStream();
  const stopTracks = (): void => {
    for (const track of stream.getTracks()) track.stop();
  };
  try {
    const { context, source } = openContext(stream);
    await context.audioWorklet.addModule(workletAddress);
    const processorOptions = { rate: sampleRate, frameSize };
    const node = new AudioWorkletNode(context, 'frames', {
      channelCount: 1,
      channelCountMode: 'explicit',
      processorOptions,
    });
    const { port1, port2 } = new MessageChannel();
    node.port.postMessage(port1, [port1]);
    // Its output is silence. Nodes without a way to the destination do not run in all browsers.
    source.connect(node).connect(context.destination);
    // Not awaited: without an audio output, Firefox never starts the context.
    void context.resume();
    for (const track of stream.getTracks()) track.onended = onEnd;
    return {
      frames: port2,
      rate: context.sampleRate,
      close: () => {
        stopTracks();
        void context.close();
      },
    };
  } catch (error) {
    stopTracks();
    throw error;
  }
}

async function requestStream(): Promise<MediaStream> {
  try {
    // Unprocessed sound: the network was trained with noise, and the page plays nothing while it listens.
    return await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
  } catch (error) {
    throw new Problem(reasonOf(error));
  }
}

function reasonOf(error: unknown): string {
  const name = error instanceof Error ? error.name : '';
  if (name === 'NotAllowedError')
    return (
      'The page may not use the microphone. Allow it in the settings of the browser, next to the address of the ' +
      'page, and start again.'
    );
  if (name === 'NotFoundError') return 'There is no microphone. Connect one, or use the sample or a file.';
  if (name === 'NotReadableError')
    return 'The microphone does not work. Another program may use it, or the system may not allow it.';
  return `The microphone cannot be opened: ${textOf(error)}`;
}

/**
 * Opens an audio context at the rate of the network. The browser then converts the sound, in native code, and the
 * worklet has fewer samples to process. Firefox cannot connect a microphone of another rate (bug 1674892): there, the
 * context has the rate of the system, and the worklet converts.
 */
function openContext(stream: MediaStream): { context: AudioContext; source: MediaStreamAudioSourceNode } {
  const preferred = new AudioContext({ sampleRate });
  try {
    return { context: preferred, source: preferred.createMediaStreamSource(stream) };
  } catch (error) {
    void preferred.close();
    if (!(error instanceof DOMException && error.name === 'NotSupportedError')) throw error;
  }
  const context = new AudioContext();
  return { context, source: context.createMediaStreamSource(stream) };
}
