/** The picture: the waveform, the probability of speech over it, and the segments. */

import type { Segment } from '../../../examples/voice/segments';
import { contextOf, font } from '../plots';
import { cssValue } from '../theme';
import { frameSeconds, frameSize, sampleRate } from './protocol';
import { peakOf, type Recording } from './recording';

/** The parts of a picture. Times are in seconds. */
export interface Picture {
  readonly recording: Recording;
  readonly segments: readonly Segment[];
  readonly threshold: number;
  readonly from: number;
  readonly to: number;
  /** The position of the playback. */
  readonly playhead?: number | undefined;
  /** The position under the pointer. */
  readonly pointer?: number | undefined;
}

/** Positions on the canvas. */
interface Scale {
  readonly width: number;
  readonly top: number;
  readonly bottom: number;
  readonly x: (seconds: number) => number;
  /** The y of a probability. */
  readonly y: (probability: number) => number;
}

type Context = CanvasRenderingContext2D;

/** The distance of two bars of the waveform, in pixels. */
const barDistance = 4;

/** Draws a picture. */
export function drawTimeline(canvas: HTMLCanvasElement, picture: Picture): void {
  const { context, width, height } = contextOf(canvas);
  if (width === 0 || height === 0) return;
  const { from, to } = picture;
  const [top, bottom] = [16, height - 26];
  const scale: Scale = {
    width,
    top,
    bottom,
    x: (seconds) => ((seconds - from) / (to - from)) * width,
    y: (probability) => bottom - probability * (bottom - top),
  };
  drawSegments(context, scale, picture);
  drawTimes(context, scale, picture);
  drawBars(context, scale, picture);
  drawThreshold(context, scale, picture.threshold);
  drawProbabilities(context, scale, picture);
  drawLevels(context, scale, picture.threshold);
  if (picture.pointer !== undefined) drawMark(context, scale, picture.pointer, cssValue('--strong-line'), 1);
  if (picture.playhead !== undefined) drawMark(context, scale, picture.playhead, cssValue('--text'), 2);
}

function drawSegments(c: Context, { x, top, bottom, width }: Scale, { segments }: Picture): void {
  c.fillStyle = cssValue('--voice-soft');
  for (const { start, end } of segments) {
    const [left, right] = [x(start), x(end)];
    if (right < 0 || left > width) continue;
    c.beginPath();
    c.roundRect(left, top - 6, Math.max(2, right - left), bottom - top + 12, 8);
    c.fill();
  }
}

/** The axis of time, with round distances of at least 72 pixels. */
function drawTimes(c: Context, { x, top, bottom, width }: Scale, { from, to }: Picture): void {
  const distance =
    [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600].find((step) => (step / (to - from)) * width >= 72) ?? 1200;
  c.font = font;
  c.textBaseline = 'alphabetic';
  c.fillStyle = cssValue('--muted');
  c.strokeStyle = cssValue('--grid');
  c.lineWidth = 1;
  c.beginPath();
  for (let i = Math.max(0, Math.ceil(from / distance)); i * distance <= to; i++) {
    const at = Math.round(x(i * distance)) + 0.5;
    c.moveTo(at, top);
    c.lineTo(at, bottom);
    // Labels at the edges stay inside.
    c.textAlign = at < 16 ? 'left' : at > width - 16 ? 'right' : 'center';
    c.fillText(formatTime(i * distance, distance), at < 16 ? Math.max(at, 2) : at, bottom + 20);
  }
  c.stroke();
}

/** Minutes and seconds, with a decimal if times are closer than a second. */
export function formatTime(seconds: number, precision: number): string {
  const digits = precision < 1 ? 1 : 0;
  const rounded = Number(seconds.toFixed(digits));
  const rest = (rounded % 60).toFixed(digits);
  return `${Math.floor(rounded / 60)}:${rest.padStart(digits === 0 ? 2 : 4, '0')}`;
}

/** The waveform as bars. Their times are multiples of a distance, so that they do not flicker while they move. */
function drawBars(c: Context, { x, top, bottom, width }: Scale, { recording, threshold, from, to }: Picture): void {
  const probabilities = recording.probabilities();
  const seconds = ((to - from) / width) * barDistance;
  const first = Math.max(0, Math.floor(from / seconds));
  const last = Math.ceil(Math.min(to, recording.duration()) / seconds);
  const peaks = Array.from({ length: Math.max(0, last - first) }, (_, i) =>
    peakBetween(recording, (first + i) * seconds, (first + i + 1) * seconds),
  );
  const loudest = Math.max(0.02, ...peaks);
  const [middle, reach] = [(top + bottom) / 2, (bottom - top) * 0.36];
  const paths = { quiet: new Path2D(), voice: new Path2D() };
  peaks.forEach((peak, i) => {
    const frame = Math.min(Math.floor(((first + i + 0.5) * seconds) / frameSeconds), probabilities.length - 1);
    const half = Math.max(1, (peak / loudest) * reach);
    const path = (probabilities[frame] ?? 0) >= threshold ? paths.voice : paths.quiet;
    path.roundRect(x((first + i) * seconds) + 0.5, middle - half, barDistance - 1.5, 2 * half, 1.25);
  });
  c.fillStyle = cssValue('--quiet');
  c.fill(paths.quiet);
  c.fillStyle = cssValue('--voice');
  c.fill(paths.voice);
}

/** The largest magnitude between two times: from the samples, or from the peaks of frames if these are shorter. */
function peakBetween(recording: Recording, start: number, end: number): number {
  if (end - start < 2 * frameSeconds)
    return peakOf(recording.samples(), Math.floor(start * sampleRate), Math.ceil(end * sampleRate));
  return peakOf(
    recording.peaks(),
    Math.floor((start * sampleRate) / frameSize),
    Math.ceil((end * sampleRate) / frameSize),
  );
}

function drawThreshold(c: Context, { y, width }: Scale, threshold: number): void {
  const at = Math.round(y(threshold)) + 0.5;
  c.strokeStyle = cssValue('--strong-line');
  c.lineWidth = 1;
  c.setLineDash([2, 4]);
  c.beginPath();
  c.moveTo(0, at);
  c.lineTo(width, at);
  c.stroke();
  c.setLineDash([]);
}

/** The probabilities at the bottom, the threshold and the top, on the right. */
function drawLevels(c: Context, { y, width }: Scale, threshold: number): void {
  c.font = font;
  c.textAlign = 'right';
  c.textBaseline = 'alphabetic';
  for (const [level, label] of [
    [0, '0'],
    [threshold, `threshold ${threshold}`],
    [1, '1'],
  ] as const) {
    const labelWidth = c.measureText(label).width;
    c.globalAlpha = 0.8;
    c.fillStyle = cssValue('--panel');
    c.fillRect(width - labelWidth - 4, y(level) - 14, labelWidth + 4, 13);
    c.globalAlpha = 1;
    c.fillStyle = cssValue('--muted');
    c.fillText(label, width - 2, y(level) - 4);
  }
}

/** The curve of the probability. If a pixel has several frames, it shows the largest. */
function drawProbabilities(c: Context, { x, y, width, bottom }: Scale, { recording, from, to }: Picture): void {
  const probabilities = recording.probabilities();
  const first = Math.max(0, Math.floor(from / frameSeconds) - 1);
  const last = Math.min(probabilities.length, Math.ceil(to / frameSeconds) + 1);
  if (last <= first) return;
  const group = Math.max(1, Math.ceil((to - from) / frameSeconds / width));
  const points: (readonly [number, number])[] = [];
  for (let i = first - (first % group); i < last; i += group) {
    const end = Math.min(i + group, last);
    points.push([x(((i + end) / 2) * frameSeconds), y(Math.max(...probabilities.subarray(i, end)))]);
  }
  c.beginPath();
  for (const [px, py] of points) c.lineTo(px, py);
  c.strokeStyle = cssValue('--curve');
  c.lineWidth = 2;
  c.lineJoin = 'round';
  c.stroke();
  c.lineTo(points.at(-1)![0], bottom);
  c.lineTo(points[0]![0], bottom);
  c.fillStyle = cssValue('--curve-soft');
  c.fill();
}

function drawMark(c: Context, { x, top, bottom }: Scale, seconds: number, color: string, width: number): void {
  c.fillStyle = color;
  c.fillRect(x(seconds) - width / 2, top - 8, width, bottom - top + 16);
}
