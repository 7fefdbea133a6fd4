/** Sound files as samples at the rate of the network. */

import { Problem } from './problem';
import { sampleRate } from './protocol';

/** The longest sound, in minutes. */
const longest = 60;

/** Decodes a file in any format that the browser supports: samples of one channel, the mean of all. */
export async function decodeSound(name: string, file: ArrayBuffer): Promise<Float32Array> {
  // Browsers decode a file to the rate of a context, never to that of the file, so nothing is left to resample.
  const context = new OfflineAudioContext(1, 1, sampleRate);
  const buffer = await context.decodeAudioData(file).catch(() => {
    throw new Problem(`${name} is not a sound file that this browser can decode. Try WAV, MP3, FLAC or M4A.`);
  });
  if (buffer.duration > longest * 60) throw new Problem(`${name} is longer than ${longest} minutes.`);
  const samples = new Float32Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    const values = buffer.getChannelData(channel);
    for (let i = 0; i < samples.length; i++) samples[i]! += values[i]! / buffer.numberOfChannels;
  }
  return samples;
}
