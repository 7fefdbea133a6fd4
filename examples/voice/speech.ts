/** Sentences of espeak-ng in several voices. */

import { execFileSync } from 'node:child_process';
import { type Random, uniformNumber } from 'bptt';
import { readWav } from './wav-file';

/** Sentences by the language of espeak-ng that speaks them. */
export type Sentences = Readonly<Record<string, readonly string[]>>;

/** The voices of a part of the data: sentences in their languages, and the variants of espeak-ng that speak them. */
export interface Speakers {
  readonly sentences: Sentences;
  readonly variants: readonly string[];
}

/** The speakers that the small detector is trained on. */
export const trainingSpeakers: Speakers = {
  sentences: {
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
  },
  variants: ['', '+f1', '+f2', '+f4', '+m1', '+m3', '+m5', '+m7'],
};

/** The speakers that detectors are evaluated on: other languages and accents, sentences and variants. */
export const heldOutSpeakers: Speakers = {
  sentences: {
    'en-gb-x-rp': ['My brother bought a small boat last summer.', 'How many chairs are in the other room?', 'No.'],
    'en-029': ['The soup is too hot to eat.', 'Nobody called us this morning.'],
    nl: ['De hond slaapt onder de tafel.', 'Hoe laat gaat de laatste bus naar huis?'],
    sv: ['Vi köpte bröd och mjölk i affären.', 'Det snöar fortfarande i norr.'],
    pt: ['O meu avô mora perto do mar.', 'A que horas começa o filme?'],
    fi: ['Talo on vanha mutta kaunis.', 'Missä on lähin kauppa?'],
    tr: ['Bugün hava çok güzel.', 'Kitap masanın üstünde duruyor.'],
    hi: ['मुझे पानी चाहिए।', 'वह कल दिल्ली जाएगा।'],
  },
  variants: ['+f3', '+f5', '+m2', '+m4', '+m6', '+m8'],
};

/** The root mean square of a sentence. */
export const speechLevel = 0.06;

/** Returns a random element. */
export const pick = <T>(items: readonly T[], random: Random): T =>
  items[Math.floor(uniformNumber(random, 0, items.length))]!;

/**
 * Speaks every sentence `times` times, each time in a random variant, speed and pitch.
 *
 * @returns samples at 16 kHz with a root mean square of {@link speechLevel}
 */
export function speakAll({ sentences, variants }: Speakers, times: number, random: Random): Float32Array[] {
  return Object.entries(sentences).flatMap(([language, texts]) =>
    texts.flatMap((text) =>
      Array.from({ length: times }, () => {
        const voice = language + pick(variants, random);
        const speed = Math.round(uniformNumber(random, 130, 200));
        const pitch = Math.round(uniformNumber(random, 25, 75));
        return speak(text, voice, speed, pitch);
      }),
    ),
  );
}

/** Speaks a sentence with espeak-ng, in words per minute and a pitch from 0 to 99. */
function speak(text: string, voice: string, speed: number, pitch: number): Float32Array {
  const options = ['-v', voice, '-s', String(speed), '-p', String(pitch), '--stdout', text];
  return scaledTo(readWav(runEspeak(options), `espeak-ng, voice ${voice}`), speechLevel);
}

function runEspeak(options: readonly string[]): Uint8Array {
  try {
    return execFileSync('espeak-ng', options, { maxBuffer: 1 << 26 });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw new Error('voice: espeak-ng is not installed. On Debian and Ubuntu: apt-get install espeak-ng.');
    throw error;
  }
}

/** Scales samples to a root mean square; silence stays silent. */
export function scaledTo(samples: Float32Array, level: number): Float32Array {
  const factor = level / (rootMeanSquare(samples) || 1);
  return samples.map((value) => factor * value);
}

export const rootMeanSquare = (samples: Float32Array): number =>
  Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / Math.max(1, samples.length));
