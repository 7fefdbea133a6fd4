/** The parts that plots as SVG share. */

/** The color of the text and the axes, legible on light and dark backgrounds. */
export const gray = '#808080';

/** A document with a title, of the given size in pixels. */
export function svgDocument(title: string, width: number, height: number, parts: readonly string[]): string {
  const size = `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`;
  const font = 'font-family="system-ui, sans-serif" font-size="11"';
  const root = `<svg xmlns="http://www.w3.org/2000/svg" role="img" ${size} ${font} fill="${gray}">`;
  return `${root}<title>${escaped(title)}</title>${parts.join('')}</svg>`;
}

const escaped = (content: string): string => content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

export const text = (x: number | string, y: number | string, content: string, anchor: string, weight = 400): string =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}" font-weight="${weight}" dominant-baseline="middle">` +
  `${escaped(content)}</text>`;

/** A line of an axis or a grid. */
export const line = (x1: number, y1: number | string, x2: number, y2: number | string, opacity: number): string =>
  `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${gray}" stroke-opacity="${opacity}"/>`;

/** About five round numbers from `low` to `high`. */
export function ticksOf(low: number, high: number): readonly number[] {
  const rough = (high - low) / 5 || Math.abs(low) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.max(0, Math.floor(high / step + 1e-9) - first + 1) }, (_, i) => (first + i) * step);
}
