/**
 * A pointwise cell over the steps of sequences: one product for the inputs of all steps, one a step for the state, and after the loop one
 * each for the gradients of the weights.
 */

import { gradientOf, record, result, type Variable, withScratch } from '../autodiff/tape';
import { addProduct, addScaled, interpolate, interpolateBackward, multiplication } from '../kernels/arithmetic';
import { sumRows } from '../kernels/linear';
import { copy } from '../kernels/movement';
import { affineRows, gemm, gemmPacked, packPanels, panelsSize } from '../kernels/product';
import { allocate } from '../kernels/workspace';
import type { PointwiseBackwardStep, PointwiseCell } from './cell';
import type { History, Run } from './engine';

/** Where the numbers of one state lie. S sequences, N packed rows of H numbers. */
interface Track {
  readonly name: string;
  readonly initial: Variable;
  /** `[S + N, H]` */
  readonly history: Variable;
  /** `[N, H]` what the cell answers: a part of the history, or apart from it where zoneout keeps some of what was. */
  readonly answers: number;
  /** `[N, H]` how far the state moves to the answer. */
  readonly moved: Variable | undefined;
}

/** Runs the cell over the steps. */
export function pointwiseHistory(cell: PointwiseCell, run: Run): History {
  const { scope, parameters: p, inputs: x, rows, mask } = run;
  const { kernels: k, workspace } = scope;
  const [N, I] = x.shape as [number, number];
  const [S, H] = run.initial[cell.state[0]!]!.shape as [number, number];
  const GH = cell.gates * H;
  const { weightIh, weightHh, bias } = p as { weightIh: Variable; weightHh?: Variable; bias?: Variable };
  const own = cell.vectorParameters.map((name) => [name, p[name]!] as const);
  const sources = [x, ...Object.values(p), ...Object.values(run.initial)];

  const tracks = cell.state.map((name): Track => {
    const initial = run.initial[name]!;
    const history = result(scope, [S + N, H], sources);
    k.of(copy)(history.offset, initial.offset, S * H);
    const moved = run.zoneout[name];
    return {
      name,
      initial,
      history,
      moved,
      answers: moved === undefined ? history.offset + S * H : allocate(workspace, N * H),
    };
  });
  const h = tracks[0]!;
  const gates = allocate(workspace, N * GH);
  const kept = allocate(workspace, N * cell.savedBlocks * H);
  const product = allocate(workspace, cell.separateProducts ? S * GH : 0);
  const masked = allocate(workspace, mask === undefined ? 0 : N * H);
  if (bias === undefined) k.of(gemm)(gates, x.offset, weightIh.offset, N, GH, I, false, false, false);
  else k.of(affineRows)(gates, x.offset, weightIh.offset, bias.offset, N, GH, I);

  const dVectors: Record<string, number> = {};
  const now: PointwiseBackwardStep<string> = {
    rows: 0,
    hiddenSize: H,
    gates,
    product,
    saved: kept,
    dProduct: -1,
    previous: {},
    next: {},
    dPrevious: {},
    dNext: {},
    vectors: Object.fromEntries(own.map(([name, vector]) => [name, vector.offset])),
    dVectors,
  };
  // `start` is the step's first packed row, `before` the first row of the state before it in the history.
  const moveTo = (t: number, start: number, before: number): void => {
    now.rows = rows[t]!;
    now.gates = gates + start * GH;
    now.saved = kept + start * cell.savedBlocks * H;
    for (const { name, history, answers } of tracks) {
      now.previous[name] = history.offset + before * H;
      now.next[name] = answers + start * H;
    }
  };

  withScratch(scope, weightHh === undefined ? 0 : panelsSize(H, GH), (panels) => {
    if (weightHh !== undefined) k.of(packPanels)(panels, weightHh.offset, H, GH, false);
    for (let t = 0, start = 0, before = 0; t < rows.length; t++) {
      moveTo(t, start, before);
      const size = now.rows * H;
      if (weightHh !== undefined) {
        const met = mask === undefined ? now.previous['h']! : masked + start * H;
        if (mask !== undefined) k.of(multiplication)(met, now.previous['h']!, mask.offset, size);
        k.of(gemmPacked)(
          cell.separateProducts ? product : now.gates,
          met,
          panels,
          now.rows,
          GH,
          H,
          false,
          !cell.separateProducts,
        );
      }
      cell.forward(k, now);
      for (const { name, history, moved } of tracks) {
        if (moved === undefined) continue;
        k.of(interpolate)(
          history.offset + (S + start) * H,
          now.previous[name]!,
          now.next[name]!,
          moved.offset + start * H,
          size,
        );
      }
      before = S + start;
      start += now.rows;
    }
  });

  record(
    tracks.map(({ history }) => history),
    () => {
      const gradients = Object.fromEntries(tracks.map(({ name, history }) => [name, gradientOf(history)]));
      const targets = sources.map((source) => (source.storage.tracked ? gradientOf(source) : -1));
      const gradientFor = (source: Variable): number => targets[sources.indexOf(source)]!;
      for (const [name, vector] of own) dVectors[name] = gradientOf(vector);
      const initialTracked = tracks.some(({ initial }) => initial.storage.tracked);
      const uniform = rows.every((count) => count === S);
      const repacks = mask === undefined && !uniform;
      // Scratch: the gradient of the product, h as it met the weights, of one step that of the masked h and of every state's answer.
      const sizes = [
        cell.separateProducts ? N * GH : 0,
        repacks ? N * H : 0,
        mask === undefined ? 0 : S * H,
        ...tracks.map(({ moved }) => (moved ? S * H : 0)),
      ];
      withScratch(
        scope,
        sizes.reduce((sum, size) => sum + size, 0),
        (scratch) => {
          const [products, repacked, dMasked, ...dAnswers] = sizes.map((_, i) =>
            sizes.slice(0, i).reduce((sum, size) => sum + size, scratch),
          ) as [number, number, number, ...number[]];
          const dProduct = cell.separateProducts ? products : gates;
          withScratch(scope, weightHh === undefined ? 0 : panelsSize(GH, H), (panels) => {
            if (weightHh !== undefined) k.of(packPanels)(panels, weightHh.offset, GH, H, true);
            for (let t = rows.length - 1, end = N; t >= 0; t--) {
              const start = end - rows[t]!;
              const before = t === 0 ? 0 : S + start - rows[t - 1]!;
              moveTo(t, start, before);
              const size = now.rows * H;
              now.dProduct = dProduct + start * GH;
              tracks.forEach(({ name, moved }, i) => {
                const [dPrevious, dNext] = [gradients[name]! + before * H, gradients[name]! + (S + start) * H];
                now.dPrevious[name] = dPrevious;
                now.dNext[name] = moved === undefined ? dNext : dAnswers[i]!;
                if (moved !== undefined)
                  k.of(interpolateBackward)(dPrevious, dAnswers[i]!, dNext, moved.offset + start * H, size);
              });
              cell.backward(k, now);
              if (weightHh !== undefined && (t > 0 || initialTracked)) {
                k.of(gemmPacked)(
                  mask === undefined ? now.dPrevious['h']! : dMasked,
                  now.dProduct,
                  panels,
                  now.rows,
                  H,
                  GH,
                  false,
                  mask === undefined,
                );
                if (mask !== undefined) k.of(addProduct)(now.dPrevious['h']!, dMasked, mask.offset, size);
              }
              if (repacks) k.of(copy)(repacked + start * H, now.previous['h']!, size);
              end = start;
            }
          });
          const met = mask !== undefined ? masked : uniform ? h.history.offset : repacked;
          if (weightIh.storage.tracked) k.of(gemm)(gradientFor(weightIh), x.offset, gates, I, GH, N, true, false, true);
          if (weightHh?.storage.tracked) k.of(gemm)(gradientFor(weightHh), met, dProduct, H, GH, N, true, false, true);
          if (bias?.storage.tracked) k.of(sumRows)(gradientFor(bias), gates, N, GH);
          if (x.storage.tracked) k.of(gemm)(gradientFor(x), gates, weightIh.offset, N, I, GH, false, true, true);
          for (const { name, initial } of tracks) {
            if (initial.storage.tracked) k.of(addScaled)(gradientFor(initial), gradients[name]!, 1, S * H);
          }
        },
      );
    },
  );
  return Object.fromEntries(tracks.map(({ name, history }) => [name, history]));
}
