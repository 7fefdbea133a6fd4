/** Results of backtests as text. */

import { mapValues } from '../tensor/named-values';
import { checkChoice, checkKind, checkNames } from '../tensor/shape';
import type { Backtest, MethodScores } from './backtest';
import type { Scores } from './scores';

/** The options of {@link backtestTable}. */
export interface BacktestTableOptions {
  /** The rows: one per method (`'method'`, the default), or per method and step, or per method and series. */
  readonly by?: 'method' | 'step' | 'series' | undefined;
}

const columns: readonly (readonly [title: string, of: (scores: Scores) => string])[] = [
  ['MAE', ({ mae }) => number(mae)],
  ['RMSE', ({ rmse }) => number(rmse)],
  ['MASE', ({ mase }) => mase.toFixed(3)],
  ['RMSSE', ({ rmsse }) => rmsse.toFixed(3)],
  ['sMAPE', ({ smape }) => `${smape.toFixed(1)} %`],
  ['pinball', ({ pinball }) => pinball.toFixed(4)],
  ['CRPS', ({ crps }) => number(crps)],
  ['in 80 %', ({ coverage }) => (Number.isNaN(coverage) ? '–' : `${(100 * coverage).toFixed(0)} %`)],
];

/** Replaces null by NaN, for results that were stored as JSON. */
const restored = (scores: Scores): Scores => mapValues<keyof Scores, number, number>(scores, (score) => score ?? NaN);

const cellsOf = (scores: Scores): readonly string[] => {
  const complete = restored(scores);
  return columns.map(([, of]) => of(complete));
};

const rank = ({ overall }: MethodScores): number => {
  const { mase } = restored(overall);
  return Number.isNaN(mase) ? Infinity : mase;
};

const number = (value: number): string => (Math.abs(value) >= 1000 ? value.toFixed(0) : value.toPrecision(4));

/**
 * Formats the scores of a backtest as a table in Markdown, the best MASE first and NaN last. A dash stands for the
 * coverage of a method without an 80 % interval.
 *
 * @example
 * const values = Float64Array.from({ length: 60 }, (_, t) => t + [0, 5, -5][t % 3]!);
 * const methods = { naive: seasonalNaive(), drift: drift() };
 * const result = await backtest([{ name: 'a', values }], { methods, horizon: 3, season: 3 });
 * backtestTable(result).split('\n').length; // 4
 */
export function backtestTable(result: Backtest, options: BacktestTableOptions = {}): string {
  checkKind('backtestTable', 'result', result, 'a result of backtest', 'scores');
  checkNames('backtestTable', 'options', options, ['by']);
  const { by = 'method' } = options;
  checkChoice('backtestTable', 'by', by, ['method', 'step', 'series']);
  const methods = Object.entries(result.scores).sort(([, a], [, b]) => rank(a) - rank(b));
  const rows = methods.flatMap(([method, { overall, byStep, bySeries }]): (readonly [readonly string[], Scores])[] => {
    if (by === 'step') return byStep.map((scores, k) => [[method, String(k + 1)], scores]);
    if (by === 'series') return Object.entries(bySeries).map(([name, scores]) => [[method, name], scores]);
    return [[[method], overall]];
  });
  const heads = by === 'method' ? ['method'] : ['method', by];
  const cells = [
    [...heads, ...columns.map(([title]) => title)],
    // A vertical bar would end the cell.
    ...rows.map(([names, scores]) => [...names.map((name) => name.replace(/\|/g, '\\|')), ...cellsOf(scores)]),
  ];
  const widths = cells[0]!.map((_, i) => cells.reduce((most, row) => Math.max(most, row[i]!.length), 0));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => (i < heads.length ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(cells[0]!), rule, ...cells.slice(1).map(line)].join('\n');
}
