/**
 * Speech with known times, mixed with noise: sentences of espeak-ng in several voices, with white, pink and babble
 * noise at several levels, noise without speech, and silence. The same seed gives the same samples.
 */

import { execFileSync } from 'node:child_process';
import { createRandom, type Random, uniformNumber } from 'bptt';

/** The sample rate of a mixture, in Hz. */
export const mixtureRate = 16_000;

/** The noises of a mixture. */
export const noises = ['none', 'white', 'pink', 'babble'] as const;
export type Noise = (typeof noises)[number];

/** A part of a mixture with one noise at one level. */
export interface Section {
  readonly start: number;
  readonly end: number;
  readonly noise: Noise;
  /** The ratio of speech to noise, in dB. */
  readonly ratio: number;
  readonly hasSpeech: boolean;
}

/** Samples at 16 kHz. */
export interface Mixture {
  readonly samples: Float32Array;
  /** The speech alone. */
  readonly clean: Float32Array;
  readonly sections: readonly Section[];
}

const sentences: Readonly<Record<string, readonly string[]>> = {
  'en-us': [
    'The train to the coast leaves at a quarter past nine.',
    'Please turn off the lights in the kitchen before you go.',
    'Yes.',
    'I have never seen a bird with a longer tail.',
  ],
  'en-gb': ['Could you show me the way to the station?', 'It rained all week, but the garden is still dry.', 'Stop!'],
  'en-gb-scotland': ['We walked along the river until it was dark.', 'Seven, eight, nine, ten.'],
  de: ['Morgen fahren wir mit dem Rad an den See.', 'Das Fenster im dritten Stock steht offen.'],
  'fr-fr': ['Le marché ouvre à huit heures du matin.', 'Où avez-vous mis les clés de la voiture ?'],
  es: ['La biblioteca cierra a las siete de la tarde.', 'Mañana será un día muy largo.'],
  it: ['Il gatto dorme sulla sedia vicino alla finestra.', 'Quanto costa un biglietto per Roma?'],
  pl: ['Dzisiaj wieczorem idziemy do teatru.', 'Proszę zamknąć drzwi.'],
};

const variants = ['', '+f1', '+f2', '+f4', '+m1', '+m3', '+m5', '+m7'];

const pick = <T>(items: readonly T[], random: Random): T =>
  items[Math.min(items.length - 1, Math.floor(uniformNumber(random, 0, items.length)))]!;

/** Speaks a sentence: samples at 16 kHz with a root mean square of about 0.06. */
function speak(text: string, voice: string, speed: number, pitch: number): Float32Array {
  const wav = execFileSync('espeak-ng', ['-v', voice, '-s', String(speed), '-p', String(pitch), '--stdout', text], {
    maxBuffer: 1 << 26,
  });
  // A header of 44 bytes, then 16-bit samples at 22050 Hz.
  const view = new DataView(wav.buffer, wav.byteOffset + 44, wav.byteLength - 44);
  const samples = Float32Array.from(
    { length: Math.floor(view.byteLength / 2) },
    (_, i) => view.getInt16(2 * i, true) / 32_768,
  );
  return scaledTo(resample(samples, 22_050, mixtureRate), 0.06);
}

function scaledTo(samples: Float32Array, level: number): Float32Array {
  const factor = level / (rootMeanSquare(samples) || 1);
  return samples.map((value) => factor * value);
}

export const rootMeanSquare = (samples: Float32Array): number =>
  Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / Math.max(1, samples.length));

/** Resamples with a windowed sinc of 16 zero crossings on each side. */
export function resample(samples: Float32Array, from: number, to: number): Float32Array {
  const cutoff = Math.min(1, to / from);
  const reach = Math.ceil(16 / cutoff);
  return Float32Array.from({ length: Math.floor((samples.length * to) / from) }, (_, i) => {
    const center = (i * from) / to;
    let sum = 0;
    for (let j = Math.max(0, Math.ceil(center - reach)); j <= Math.min(samples.length - 1, center + reach); j++) {
      const t = (j - center) * cutoff;
      const window = 0.5 + 0.5 * Math.cos((Math.PI * (j - center)) / reach);
      sum += samples[j]! * window * (t === 0 ? 1 : Math.sin(Math.PI * t) / (Math.PI * t));
    }
    return cutoff * sum;
  });
}

/** Pink noise: the sum of white noises that change at octaves (Voss, 1978). */
function pinkNoise(length: number, random: Random): Float32Array {
  const rows = new Float32Array(12);
  return Float32Array.from({ length }, (_, i) => {
    const row = i === 0 ? 0 : Math.min(11, 31 - Math.clz32(i & -i));
    rows[row] = uniformNumber(random, -1, 1);
    return rows.reduce((sum, value) => sum + value, uniformNumber(random, -1, 1));
  });
}

function noiseOf(kind: Noise, length: number, voices: readonly Float32Array[], random: Random): Float32Array {
  if (kind === 'none') return new Float32Array(length);
  if (kind === 'white') return Float32Array.from({ length }, () => uniformNumber(random, -1, 1));
  if (kind === 'pink') return pinkNoise(length, random);
  const babble = new Float32Array(length);
  for (let speaker = 0; speaker < 8; speaker++)
    for (let at = 0; at < length; ) {
      const voice = pick(voices, random);
      for (let i = 0; i < voice.length && at < length; i++, at++) babble[at]! += voice[i]!;
    }
  return babble;
}

/** Creates a mixture of `seconds` in sections of 15 seconds. */
export function mixture(seconds: number, seed: number): Mixture {
  const random = createRandom(seed);
  const voices = Object.entries(sentences).flatMap(([voice, texts]) =>
    texts.flatMap((text) =>
      [0, 1].map(() =>
        speak(
          text,
          voice + pick(variants, random),
          Math.round(uniformNumber(random, 130, 200)),
          Math.round(uniformNumber(random, 25, 75)),
        ),
      ),
    ),
  );
  const length = seconds * mixtureRate;
  const [samples, clean] = [new Float32Array(length), new Float32Array(length)];
  const sections: Section[] = [];
  for (let start = 0; start < length; start += 15 * mixtureRate) {
    const i = sections.length;
    const end = Math.min(length, start + 15 * mixtureRate);
    const section = {
      start,
      end,
      noise: noises[i % 4]!,
      ratio: [20, 10, 5, 0][Math.floor(i / 4) % 4]!,
      hasSpeech: i % 5 !== 4,
    };
    sections.push(section);
    for (let at = start; section.hasSpeech; ) {
      at += Math.round(uniformNumber(random, 0.2, 2) * mixtureRate);
      const voice = pick(voices, random);
      if (at + voice.length > end) break;
      clean.set(voice, at);
      at += voice.length;
    }
    const noise = noiseOf(section.noise, end - start, voices, random);
    const scaled = scaledTo(noise, section.noise === 'none' ? 0 : 0.06 * 10 ** (-section.ratio / 20));
    scaled.forEach((value, j) => {
      samples[start + j] = value + clean[start + j]!;
    });
  }
  return { samples, clean, sections };
}
