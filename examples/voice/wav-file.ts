/** Sound of WAV files: mono, at 16 kHz. */

import decode from '@audio/decode-wav';
import { resample, sampleRate } from './resample';

/**
 * Reads a WAV file: integer samples of 8 to 32 bits, float, A-law, µ-law or ADPCM. The channels are averaged, and the
 * sound is resampled to 16 kHz.
 *
 * @param name the name of the file in error messages
 * @throws RangeError if the file is not a WAV file, is truncated, or has no samples that can be used
 */
export function readWav(bytes: Uint8Array, name: string): Float32Array {
  const { channelData, sampleRate: rate } = decodeFile(bytes, name);
  const [first] = channelData;
  if (first === undefined || first.length === 0)
    throw new RangeError(`${name}: the file has no samples. It is empty, or was truncated.`);
  if (!(rate >= 8000 && rate <= 384_000))
    throw new RangeError(`${name}: the sample rate must be from 8000 to 384000 Hz, got ${rate} Hz.`);
  const mono =
    channelData.length === 1
      ? first
      : first.map((_, i) => channelData.reduce((sum, channel) => sum + channel[i]!, 0) / channelData.length);
  const wrong = mono.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) throw new RangeError(`${name}: sample ${wrong} is ${mono[wrong]}; samples must be finite.`);
  return resample(mono, rate, sampleRate);
}

function decodeFile(bytes: Uint8Array, name: string): ReturnType<typeof decode> {
  try {
    return decode(bytes);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // The decoder throws a TypeError if the format is not supported, else because sizes of the header do not fit.
    const reason = error instanceof TypeError ? message : `the header is not consistent (${message})`;
    throw new RangeError(`${name}: ${reason}. Supported are WAV files with PCM, float, A-law, µ-law or ADPCM samples.`);
  }
}
