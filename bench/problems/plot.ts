/** Plots learning curves as SVG, with light and dark styles. */

/** A curve of a panel. */
export interface Curve {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** A panel with a logarithmic y axis. */
export interface Panel {
  readonly title: string;
  readonly y: string;
  /** The value for a trivial model, drawn as a dashed line. */
  readonly baseline: number;
  readonly curves: readonly Curve[];
}

const colors = ['#2f7fd6', '#e07b00', '#3fa7a0', '#b35c9e'];
const [width, height, left, top, gap, perRow] = [360, 190, 58, 46, 40, 2];

/** Draws panels in a grid with two columns. */
export function plot(panels: readonly Panel[]): string {
  const rows = Math.ceil(panels.length / perRow);
  const parts = panels.map((panel, i) => {
    const [x, y] = [left + (i % perRow) * (width + left + gap), top + Math.floor(i / perRow) * (height + top + gap)];
    return `<g transform="translate(${x} ${y})">${draw(panel)}</g>`;
  });
  const size = [perRow * (width + left + gap), rows * (height + top + gap) + 10];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.join(' ')}" font-family="system-ui, sans-serif" font-size="11">
<style>text { fill: #222 } .grid { stroke: #8884 } .base { stroke: #888; stroke-dasharray: 4 3 } path { fill: none; stroke-width: 1.5; stroke-opacity: 0.85 } @media (prefers-color-scheme: dark) { text { fill: #ddd } }</style>
${parts.join('\n')}
</svg>
`;
}

function draw({ title, y: label, baseline, curves }: Panel): string {
  const names = [...new Set(curves.map(({ name }) => name))];
  const values = curves.flatMap(({ points }) => points.map(([, value]) => value)).filter((value) => value > 0);
  const floor = Math.floor(Math.log10(Math.max(1e-3, Math.min(baseline, ...values))));
  const ceiling = Math.log10(Math.max(baseline, ...values));
  const longest = Math.max(1, ...curves.flatMap(({ points }) => points.map(([update]) => update)));
  const xOf = (update: number): string => ((update / longest) * width).toFixed(1);
  // Zero has no logarithm and is drawn at the bottom.
  const yOf = (value: number): string =>
    (height * (1 - (Math.max(floor, Math.log10(Math.max(value, 1e-9))) - floor) / (ceiling - floor))).toFixed(1);
  const ticks = Array.from({ length: Math.floor(ceiling) - floor + 1 }, (_, i) => 10 ** (floor + i));
  return [
    `<text x="0" y="-28" font-weight="bold">${title}</text>`,
    ...names.map((name, i) => {
      const x = names.slice(0, i).reduce((sum, previous) => sum + 6.5 * previous.length + 36, 0);
      return `<line x1="${x}" x2="${x + 14}" y1="-12" y2="-12" stroke="${colors[i]}" stroke-width="3"/><text x="${x + 18}" y="-8">${name}</text>`;
    }),
    ...ticks.map(
      (tick) =>
        `<line class="grid" x1="0" x2="${width}" y1="${yOf(tick)}" y2="${yOf(tick)}"/><text x="-6" y="${Number(yOf(tick)) + 4}" text-anchor="end">${Number(tick.toPrecision(1))}</text>`,
    ),
    `<line class="base" x1="0" x2="${width}" y1="${yOf(baseline)}" y2="${yOf(baseline)}"/>`,
    ...curves.map(({ name, points }) => {
      const [color, [endX, endY]] = [colors[names.indexOf(name)], points.at(-1)!];
      const line = points.map(([x, value], i) => `${i === 0 ? 'M' : 'L'}${xOf(x)} ${yOf(value)}`).join('');
      return `<path stroke="${color}" d="${line}"/><circle cx="${xOf(endX)}" cy="${yOf(endY)}" r="2.5" fill="${color}"/>`;
    }),
    `<text x="0" y="${height + 16}">0</text><text x="${width}" y="${height + 16}" text-anchor="end">${longest} updates</text>`,
    `<text x="-44" y="${height / 2}" transform="rotate(-90 -44 ${height / 2})" text-anchor="middle">${label}</text>`,
  ].join('\n');
}
