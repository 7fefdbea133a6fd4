/**
 * Creates the tables and the plot of bench/README.md from the output of `npm run bench:peers -- --json FILE`, one file
 * per engine:
 *
 *     node bench/report.mjs node24.json node26.json > tables.md
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const runs = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, 'utf8')));
if (runs.length === 0) throw new Error('report: expected the JSON files of bench:peers as arguments, one per engine.');
const peers = [
  'bptt-wide',
  'bptt-portable',
  'tfjs-wasm',
  'tfjs-cpu',
  'brain.js',
  'onnxruntime-node',
  'onnxruntime-web',
  'pytorch',
];
const cases = [...new Set(runs.flatMap(({ rows }) => rows.map((row) => row.case)))];
const medianOf = ({ rows }, name, who) => rows.find((row) => row.case === name && row.who === who)?.median;
const ratioOf = (run, name, who) => {
  const theirs = medianOf(run, name, who);
  return theirs === undefined ? undefined : theirs / medianOf(run, name, 'bptt');
};
const figure = (value) =>
  value === undefined ? '' : value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

for (const run of runs) {
  const { engine, v8, cpu, commit, date, versions } = run.header;
  console.log(`### ${engine}\n`);
  console.log(
    `V8 ${v8}, ${cpu}, commit ${commit}, ${date}; ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}\n`,
  );
  console.log(`| case | bptt, ms | ${peers.join(' | ')} |\n|---|---|${peers.map(() => '---').join('|')}|`);
  for (const name of cases) {
    const median = medianOf(run, name, 'bptt');
    const ratios = peers.map((who) => figure(ratioOf(run, name, who)));
    console.log(`| ${name} | ${Number(median.toPrecision(3))} | ${ratios.join(' | ')} |`);
  }
  console.log();
}

const colors = ['#6a4fc4', '#8a8a8a', '#e07b00', '#b35c9e', '#a08000', '#2f7fd6', '#3fa7a0', '#d0402f'];
// `left` has room for the longest name of a case.
const [left, top, row, gap] = [230, 60, 17, 26];
const width = 800 / runs.length - gap;
const [least, most] = [0.1, 1000];
const height = top + row * cases.length + 40;
const x = (ratio) => (width * Math.log10(Math.min(most, Math.max(least, ratio)) / least)) / Math.log10(most / least);
const parts = [];
peers.forEach((who, i) => {
  const at = left - 130 + i * 118;
  parts.push(`<circle cx="${at}" cy="14" r="4" fill="${colors[i]}"/><text x="${at + 8}" y="18">${who}</text>`);
});
cases.forEach((name, i) =>
  parts.push(`<text x="${left - 10}" y="${top + row * i + 12}" text-anchor="end">${name}</text>`),
);
runs.forEach((run, column) => {
  const from = left + column * (width + gap);
  parts.push(
    `<text x="${from + width / 2}" y="${top - 10}" text-anchor="middle" font-weight="bold">${run.header.engine}</text>`,
  );
  for (const tick of [0.1, 1, 10, 100, 1000]) {
    const at = from + x(tick);
    parts.push(
      `<line x1="${at}" x2="${at}" y1="${top}" y2="${top + row * cases.length}" class="${tick === 1 ? 'one' : 'grid'}"/>`,
    );
    parts.push(`<text x="${at}" y="${top + row * cases.length + 14}" text-anchor="middle">${tick}</text>`);
  }
  cases.forEach((name, i) => {
    peers.forEach((who, peer) => {
      const ratio = ratioOf(run, name, who);
      if (ratio !== undefined)
        parts.push(
          `<circle cx="${(from + x(ratio)).toFixed(1)}" cy="${top + row * i + 8}" r="4" fill="${colors[peer]}" fill-opacity="0.85"/>`,
        );
    });
  });
});
const total = left + runs.length * (width + gap);
parts.push(
  `<text x="${left + (total - left) / 2}" y="${height - 6}" text-anchor="middle">time relative to bptt, on a logarithmic scale: to the right of the line, bptt is faster</text>`,
);
writeFileSync(
  fileURLToPath(new URL('peers.svg', import.meta.url)),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${total} ${height}" font-family="system-ui, sans-serif" font-size="11">
<style>text { fill: #222 } .grid { stroke: #8884 } .one { stroke: #222; stroke-width: 1.5 } @media (prefers-color-scheme: dark) { text { fill: #ddd } .one { stroke: #ddd } }</style>
${parts.join('\n')}
</svg>
`,
);
