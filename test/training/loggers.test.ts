/** Logs of progress as CSV and JSON lines, and plots of losses. */

import {
  csvLogger,
  dense,
  fit,
  full,
  jsonLinesLogger,
  type LogOutput,
  lossPlot,
  meanSquaredError,
  type Progress,
  pageProgress,
  sequential,
  sgd,
  type TrainingState,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const batch = { inputs: full([1, 1, 1], 1), targets: full([1, 1, 1], 2) };
const train = (onProgress: (progress: Progress) => unknown, extra: object = {}) =>
  fit(sequential([dense({ size: 1 })], { inputSize: 1, seed: 1 }), [batch, batch], {
    loss: meanSquaredError,
    optimizer: sgd(0.1),
    epochs: 2,
    validation: [batch],
    onProgress,
    ...extra,
  });
const lines = () => {
  const list: string[] = [];
  return { list, output: { write: (text: string) => void list.push(text) } };
};

describe('csvLogger', () => {
  it('writes a header and a line per update, with all quantities', async () => {
    const { list, output } = lines();
    const seen: Progress[] = [];
    const log = csvLogger(output);
    await train((progress) => {
      seen.push(progress);
      return log(progress);
    });
    const [header, ...rows] = list.map((line) => line.trimEnd().split(','));
    expect(header!.join()).toBe(
      'step,epoch,loss,smoothedLoss,validationLoss,learningRate,gradientNorm,targetsPerSecond',
    );
    expect(rows).toHaveLength(4);
    rows.forEach((row, i) => {
      const values = header!.map((name) => String(seen[i]![name as keyof Progress] ?? ''));
      expect(row).toEqual(values);
    });
    expect(rows.map(([, , , , validationLoss]) => validationLoss !== '')).toEqual([false, true, false, true]);
  });

  it('writes no header when training resumes', async () => {
    const { list, output } = lines();
    const states: TrainingState[] = [];
    const checkpoint = { every: 2, write: (state: TrainingState) => states.push(state) };
    await train(csvLogger(output), { epochs: 1, checkpoint });
    await train(csvLogger(output), { epochs: 2, resume: states[0] });
    expect(list.map((line) => line.split(',')[0])).toEqual(['step', '1', '2', '3', '4']);
  });

  it('makes training wait for the output, and fail with it', async () => {
    const order: string[] = [];
    const output: LogOutput = {
      async write(text) {
        order.push(`start ${text.split(',')[0]}`);
        await new Promise((resolve) => setTimeout(() => resolve(undefined), 2));
        order.push('end');
      },
    };
    await train(csvLogger(output), { epochs: 1 });
    expect(order).toEqual(['start step', 'end', 'start 1', 'end', 'start 2', 'end']);
    const full = { write: () => Promise.reject(new Error('no space left')) };
    await expect(train(csvLogger(full))).rejects.toThrow('no space left');
  });

  it('rejects wrong arguments', () => {
    expect(() => csvLogger({} as LogOutput)).toThrow(
      new TypeError('csvLogger: output.write must be a function, got undefined.'),
    );
    const { output } = lines();
    expect(() => csvLogger(output, { every: 0 })).toThrow(
      new RangeError('csvLogger: every must be an integer of at least 1, got 0.'),
    );
  });
});

it('jsonLinesLogger writes objects without the quantities that have no value', async () => {
  const { list, output } = lines();
  await train(jsonLinesLogger(output, { every: 3 }), { validation: undefined, steps: 7 });
  const rows = list.map((line) => JSON.parse(line) as Partial<Progress>);
  expect(rows.map(({ step }) => step)).toEqual([3, 6, 7]);
  expect(rows[0]!.learningRate).toBe(0.1);
  expect(Object.keys(rows[0]!)).toEqual([
    'step',
    'epoch',
    'loss',
    'smoothedLoss',
    'learningRate',
    'gradientNorm',
    'targetsPerSecond',
  ]);
  expect(list.every((line) => line.endsWith('}\n'))).toBe(true);
});

/** The points of the curves of a plot. */
const curvesOf = (svg: string): number[][][] =>
  [...svg.matchAll(/<path d="M([^"]*)"/g)].map(([, path]) =>
    path!.split('L').map((point) => point.split(' ').map(Number)),
  );

describe('lossPlot', () => {
  it('draws every curve from the first to the last update, with a lower loss further down', () => {
    const [training, validation] = curvesOf(lossPlot({ training: [3, 2, 1, 0], validation: [2, 1] }));
    expect(training).toEqual([
      [52, 44],
      [190, 96],
      [328, 148],
      [466, 200],
    ]);
    expect(validation).toEqual([
      [190, 96],
      [466, 148],
    ]);
  });

  it('draws pairs at their update', () => {
    const [curve] = curvesOf(
      lossPlot({
        a: [
          [10, 1],
          [20, 0],
          [110, 1],
        ],
      }),
    );
    expect(curve!.map(([x]) => x)).toEqual([52, 93.4, 466]);
  });

  it('draws the means of long curves, one point per pixel at most', () => {
    const [curve] = curvesOf(lossPlot({ a: Float32Array.from({ length: 1e5 }, (_, i) => i % 2) }, { width: 200 }));
    expect(curve!.length).toBeLessThanOrEqual(200);
    expect(new Set(curve!.map(([, y]) => y)).size).toBe(1);
  });

  it('leaves out losses and updates that are not finite, and draws nothing without losses', () => {
    expect(curvesOf(lossPlot({ a: [NaN, 2, Infinity, 1] }))[0]).toHaveLength(2);
    expect(
      lossPlot({
        a: [
          [1, 3],
          [NaN, 1],
          [2, 2],
          [Infinity, 1],
        ],
      }),
    ).toBe(
      lossPlot({
        a: [
          [1, 3],
          [2, 2],
        ],
      }),
    );
    for (const svg of [lossPlot({}), lossPlot({ a: [], b: [NaN] })]) {
      expect(curvesOf(svg)).toEqual([]);
      expect(svg).not.toMatch(/NaN|Infinity/);
    }
  });

  it('escapes names and the title', () => {
    const svg = lossPlot({ '<a>': [1] }, { title: 'A & B' });
    expect(svg).toContain('&lt;a&gt;</text>');
    expect(svg).toContain('<title>A &amp; B</title>');
  });

  it('rejects wrong arguments', () => {
    expect(() => lossPlot({ a: ['x'] as object as number[] })).toThrow(
      new TypeError('lossPlot: curves.a must be an array of losses, or of pairs of an update and its loss, got x.'),
    );
    expect(() => lossPlot({}, { width: 3 })).toThrow(
      new RangeError('lossPlot: width must be an integer of at least 100, got 3.'),
    );
  });
});

describe('pageProgress', () => {
  it('draws the smoothed and the validation losses when training ends', async () => {
    const element = { innerHTML: 'before' };
    await train(pageProgress(element, { width: 300 }), { epochs: 3 });
    const [training, validation] = curvesOf(element.innerHTML);
    expect([training!.length, validation!.length]).toEqual([6, 3]);
    expect(element.innerHTML).toContain('width="300"');
  });

  it('draws at most about ten times per second, and keeps few points of a long training', () => {
    let count = 0;
    let html = '';
    const element = {
      get innerHTML() {
        return html;
      },
      set innerHTML(given: string) {
        html = given;
        count++;
      },
    };
    const report = pageProgress(element);
    const start = performance.now();
    const progress = {
      steps: 20_000,
      epoch: 1,
      loss: 1,
      gradientNorm: 1,
      learningRate: 1,
      targetsPerSecond: 1,
      secondsLeft: 1,
    };
    for (let step = 1; step <= 20_000; step++)
      report({ ...progress, step, smoothedLoss: 1 / step, done: step === 20_000 });
    expect(count).toBeLessThanOrEqual((performance.now() - start) / 100 + 2);
    const [curve] = curvesOf(html);
    expect(curve!.length).toBeLessThanOrEqual(480);
    expect(curve!.at(-1)![0]).toBeGreaterThan(460);
  });

  it('rejects something other than an element, and wrong options, before training', () => {
    expect(() => pageProgress(null as never)).toThrow(
      new TypeError('pageProgress: element must be an element of a page, got null.'),
    );
    expect(() => pageProgress({ innerHTML: '' }, { height: 0 })).toThrow(
      new RangeError('pageProgress: height must be an integer of at least 100, got 0.'),
    );
  });
});
