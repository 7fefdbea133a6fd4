/** The parts common to all plots: the SVG document with light and dark styles, colors, and axis ticks. */

/** A color-blind safe palette that is legible on light and dark backgrounds (after Okabe and Ito, 2008). */
export const colors: readonly string[] = ['#2f7fd6', '#e07b00', '#2a9d7c', '#b35c9e', '#c44536', '#8a7f2d'];

/** Wraps SVG elements in a document of `width` by `height` pixels. */
export function picture(width: number, height: number, parts: readonly string[]): string {
  const attributes = {
    xmlns: 'http://www.w3.org/2000/svg',
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    'font-family': 'system-ui, sans-serif',
    'font-size': 11,
  };
  const style = [
    'text { fill: #222 }',
    '.dim { fill: #777 }',
    '.grid { stroke: #8884; stroke-width: 1 }',
    '.axis { stroke: #888 }',
    '.base { stroke: #888; stroke-dasharray: 4 3 }',
    'path, polyline { fill: none }',
    '@media (prefers-color-scheme: dark) { text { fill: #ddd } .dim { fill: #aaa } }',
  ];
  const content = ['', element('style', {}, style.join(' ')), ...parts, ''];
  return `${element('svg', attributes, content.join('\n'))}\n`;
}

/**
 * Creates an SVG element.
 *
 * @param attributes in the order in which they are written; undefined ones are omitted
 * @param content children as SVG. If omitted, the element is empty
 */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number | undefined>>,
  content?: string,
): string {
  const list = Object.entries(attributes).map(([key, value]) => (value === undefined ? '' : ` ${key}="${value}"`));
  const start = `<${name}${list.join('')}`;
  return content === undefined ? `${start}/>` : `${start}>${content}</${name}>`;
}

/** Escapes text for use in XML. */
export const escapeXml = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

/** Formats a number for a tick label, with at most six significant digits. */
export function formatNumber(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(0).replace('e+', 'e') : String(Number(value.toPrecision(6)));
}

/** About five round numbers from `low` to `high`, or powers of ten on a logarithmic axis. */
export function ticksOf(low: number, high: number, logarithmic: boolean): readonly number[] {
  if (logarithmic) {
    const [from, to] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
    const every = Math.max(1, Math.ceil((to - from) / 6));
    return Array.from({ length: Math.floor((to - from) / every) + 1 }, (_, i) => 10 ** (from + i * every));
  }
  const rough = (high - low) / 5 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough)!;
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
}
