/** The evaluation as a table and a picture. */

import { type LinePanel, linePlot } from '../plot/lines';
import { type Detector, probabilitiesOf } from './detector';
import { type Condition, evaluatedNoises, ratios, type Scores, scoresOf } from './evaluate';

/** The scores of a detector in a condition. */
export interface Result extends Pick<Condition, 'noise' | 'ratio'> {
  readonly detector: string;
  readonly scores: Scores;
}

/** Scores every detector in every condition. */
export function evaluateAll(detectors: readonly Detector[], conditions: readonly Condition[]): Result[] {
  return conditions.flatMap(({ noise, ratio, samples, labels }) =>
    detectors.map((detector) => ({
      detector: detector.name,
      noise,
      ratio,
      scores: scoresOf(probabilitiesOf(detector, samples), labels),
    })),
  );
}

/** A Markdown table of the scores: a row per noise and ratio, and three columns per detector. */
export function tableOf(results: readonly Result[]): string {
  const names = [...new Set(results.map(({ detector }) => detector))];
  const header = ['noise', 'dB', ...names.flatMap((name) => [`${name}: P / R`, 'F1', 'AUC'])];
  const rows = evaluatedNoises.flatMap((noise) =>
    ratios.map((ratio) => {
      const row = results.filter((result) => result.noise === noise && result.ratio === ratio);
      const cells = row.flatMap(({ scores: { precision, recall, f1, auc } }) => [
        `${precision.toFixed(2)} / ${recall.toFixed(2)}`,
        f1.toFixed(3),
        auc.toFixed(3),
      ]);
      return [noise, String(ratio).replace('-', '−'), ...cells];
    }),
  );
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`;
  return [line(header), line(widths.map((size) => '-'.repeat(size))), ...rows.map(line)].join('\n');
}

/** F1 and AUC by ratio, a panel per noise. */
export function ratioPlot(results: readonly Result[], alwaysSpeech: number): string {
  const names = [...new Set(results.map(({ detector }) => detector))];
  const panel = (noise: string, score: 'f1' | 'auc'): LinePanel => ({
    title: `${score === 'f1' ? 'F1' : 'AUC'}, ${noise} noise`,
    x: 'speech to noise (dB)',
    y: score === 'f1' ? 'F1' : 'AUC',
    least: 0.4,
    most: 1,
    ...(score === 'f1' && { level: { name: 'always speech', y: alwaysSpeech } }),
    lines: names.map((name) => ({
      name,
      points: results
        .filter((result) => result.detector === name && result.noise === noise)
        .map(({ ratio, scores }) => [ratio, scores[score]] as const),
    })),
  });
  return linePlot(
    [...evaluatedNoises.map((noise) => panel(noise, 'f1')), ...evaluatedNoises.map((noise) => panel(noise, 'auc'))],
    3,
  );
}

/** The median time per frame of every detector, in µs, measured in turn on the same frames. */
export function timesPerFrame(detectors: readonly Detector[], samples: Float32Array): Map<string, number> {
  const times = new Map(detectors.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < 12; round++)
    for (const detector of detectors) {
      const start = performance.now();
      const { length } = probabilitiesOf(detector, samples);
      // The first two rounds warm up.
      if (round > 1) times.get(detector.name)!.push(((performance.now() - start) * 1000) / length);
    }
  return new Map([...times].map(([name, values]) => [name, values.sort((a, b) => a - b)[values.length >> 1]!]));
}
