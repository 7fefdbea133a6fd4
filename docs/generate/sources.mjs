/** Pages that are copied from other folders of the repository, and the addresses of these files on the site. */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { posix } from 'node:path';

const docs = new URL('../', import.meta.url);
const repository = new URL('../', docs);
const read = (path) => readFileSync(new URL(path, repository), 'utf8');

/** The folders of `examples/` that have a page: those with a README, in alphabetical order. */
const exampleNames = readdirSync(new URL('examples/', repository)).filter((name) =>
  existsSync(new URL(`examples/${name}/README.md`, repository)),
);

/** The page of the site that shows a file of the repository, by the path of the file from the root. */
const pageOfSource = new Map([
  ['bench/README.md', 'benchmarks/index.md'],
  ['bench/problems/README.md', 'benchmarks/problems.md'],
  ['CHANGELOG.md', 'project/changelog.md'],
  ['.github/CONTRIBUTING.md', 'project/contributing.md'],
  ...exampleNames.map((name) => [`examples/${name}/README.md`, `examples/${name}.md`]),
]);
const sourceOfPage = new Map([...pageOfSource].map(([source, page]) => [page, source]));

/** The repository path of a page: that of its source if it is a copy, else its path in `docs/`. */
export const sourceOf = (page) => sourceOfPage.get(page) ?? `docs/${page}`;

/** The examples, with the first heading and the first picture of their READMEs. */
export const examples = exampleNames.map((name) => {
  const readme = read(`examples/${name}/README.md`);
  const [, title = name] = /^# (.*)$/m.exec(readme) ?? [];
  const [, picture] = /!\[[^\]]*\]\(([^)]+)\)/.exec(readme) ?? [];
  return { name, title, picture };
});

/**
 * The address on the site of a relative link in a page, or `undefined` if the site does not have the target.
 *
 * @param page the path of the page in `docs/`
 * @param link a relative link, as in the source of the page
 */
export function addressOf(page, link) {
  const [, path, anchor = ''] = /^([^#]*)(#.*)?$/.exec(link);
  const target = posix.normalize(posix.join(posix.dirname(sourceOf(page)), path)).replace(/\/$/, '');
  const cell = /^examples\/cells\/([\w-]+)\.ts$/.exec(target)?.[1];
  if (cell !== undefined) return `/examples/cells.md#${cell}`;
  const known = pageOfSource.get(target) ?? pageOfSource.get(`${target}/README.md`);
  if (known !== undefined) return `/${known}${anchor}`;
  if (target.startsWith('docs/') && target.endsWith('.md')) return `/${target.slice('docs/'.length)}${anchor}`;
  return undefined;
}

/** Writes the copies: READMEs of examples with their programs, the benchmarks and the changelog. */
export function copyPages() {
  for (const folder of ['examples', 'benchmarks', 'project']) {
    rmSync(new URL(`${folder}/`, docs), { recursive: true, force: true });
    mkdirSync(new URL(`${folder}/`, docs));
  }
  for (const [source, page] of pageOfSource) {
    const name = /^examples\/([\w-]+)\/README\.md$/.exec(source)?.[1];
    const text = name === undefined ? read(source) : `${read(source)}\n${programsOf(name)}`;
    writeFileSync(new URL(page, docs), `---\neditLink: false\noutline: [2, 3]\n---\n\n${text}`);
  }
  writeFileSync(new URL('examples/cells.md', docs), cellsPage());
  writeFileSync(new URL('examples/index.md', docs), indexPage());
}

/** The programs of an example, folded. */
function programsOf(name) {
  const files = readdirSync(new URL(`examples/${name}/`, repository)).filter((file) => file.endsWith('.ts'));
  const blocks = files.map((file) => `::: details ${file}\n${fenced(read(`examples/${name}/${file}`))}\n:::`);
  return `## The program\n\n${blocks.join('\n\n')}\n`;
}

const fenced = (code) => `\`\`\`\`ts\n${code.trimEnd()}\n\`\`\`\``;

/** The custom cells of `examples/cells`. */
function cellsPage() {
  const files = readdirSync(new URL('examples/cells/', repository)).filter((file) => file.endsWith('.ts'));
  const sections = files.map((file) => {
    const name = file.replace('.ts', '');
    return `## ${name}\n\n${fenced(read(`examples/cells/${file}`))}\n`;
  });
  return `# Custom cells\n\nThe guide to [custom cells](/guides/custom-cells.md) explains these files.\n\n${sections.join('\n')}`;
}

/** The list of examples, with their pictures. */
function indexPage() {
  const entries = examples.map(({ name, title, picture }) => {
    const image = picture === undefined ? '' : `[![${title}](../../examples/${name}/${picture})](${name}.md)\n\n`;
    return `## [${title}](${name}.md)\n\n${image}`;
  });
  const introduction =
    'Every example trains on real data, or on a simulation, with a fixed seed in at most five minutes. Each page has the\n' +
    'command that runs it in a clone of the repository, names the data, its license, the result and the baseline, and\n' +
    'shows the program. See also [custom cells](cells.md).\n';
  return `---\noutline: 2\n---\n\n# Examples\n\n${introduction}\n${entries.join('')}`;
}
