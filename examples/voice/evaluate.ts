/** Precision and recall of detectors per frame, at several ratios of speech to noise. */

import { createRandom, measure, rocAuc, tensor } from 'bptt';
import { levelDetector, probabilitiesOf } from './detector';
import { mixed, type Noise, noiseOf, speechLabels, speechTrack } from './mixture';
import { sampleRate } from './resample';
import { heldOutSpeakers, speakAll } from './speech';
import type { Clip } from './train';

/** The ratios of speech to noise of an evaluation, in dB. */
export const ratios: readonly number[] = [20, 10, 5, 0, -5];

/** The noises of an evaluation. */
export const evaluatedNoises: readonly Noise[] = ['white', 'pink', 'babble'];

/** A mixture of one noise at one level. */
export interface Condition extends Clip {
  readonly noise: Noise;
  /** The ratio of speech to noise, in dB. */
  readonly ratio: number;
}

/** Creates a mixture of held-out speakers for every noise and ratio: the same speech each time. */
export function heldOutConditions(seconds: number, seed: number): Condition[] {
  const random = createRandom(seed);
  const voices = speakAll(heldOutSpeakers, 6, random);
  const length = seconds * sampleRate;
  const speech = speechTrack(length, voices, random);
  const labels = speechLabels(speech);
  return evaluatedNoises.flatMap((noise) => {
    // The same noise at all levels.
    const unit = noiseOf(noise, 0, length, voices, random);
    return ratios.map((ratio) => {
      const factor = 10 ** (-ratio / 20);
      return {
        noise,
        ratio,
        labels,
        samples: mixed(
          speech,
          unit.map((value) => factor * value),
        ),
      };
    });
  });
}

/** The scores of a detector. */
export interface Scores {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** The area under the ROC curve, which does not depend on a threshold. */
  readonly auc: number;
}

/** Scores the probabilities of frames; frames from `threshold` on are classified as speech. */
export function scoresOf(probabilities: Float32Array, labels: Uint8Array, threshold: number = 0.5): Scores {
  const detected = probabilities.filter((value) => value >= threshold).length;
  const hits = probabilities.filter((value, i) => value >= threshold && labels[i] === 1).length;
  const speech = labels.reduce((sum, label) => sum + label, 0);
  return {
    precision: hits / detected,
    recall: hits / speech,
    f1: (2 * hits) / (detected + speech),
    auc: measure(rocAuc(), tensor(probabilities), tensor([...labels])),
  };
}

/** The threshold of {@link levelDetector} with the best F1 over clips, in dB. */
export function bestLevelThreshold(clips: readonly Clip[]): number {
  const labels = Uint8Array.from(clips.flatMap((clip) => [...clip.labels]));
  const candidates = Array.from({ length: 20 }, (_, i) => {
    const detector = levelDetector(i + 1);
    const probabilities = clips.flatMap(({ samples }) => [...probabilitiesOf(detector, samples)]);
    return { threshold: i + 1, f1: scoresOf(Float32Array.from(probabilities), labels).f1 };
  });
  return candidates.reduce((best, candidate) => (candidate.f1 > best.f1 ? candidate : best)).threshold;
}
