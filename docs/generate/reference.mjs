/** The API reference: one Markdown page per topic, from the docstrings. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Application } from 'typedoc';
import ts from 'typescript';
import { entryPointTopics, topics } from './topics.mjs';

const docs = new URL('../', import.meta.url);
const repository = new URL('../', docs);
const generated = new URL('.generated/', docs);
const reference = new URL('reference/', docs);

/** The exports of an entry point: pairs of a name, with `type ` in front of types, and the path of its source. */
function exportsOf(file) {
  const source = ts.createSourceFile('entry.ts', readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
  return source.statements.filter(ts.isExportDeclaration).flatMap((statement) => {
    const path = new URL(statement.moduleSpecifier.text, file);
    return statement.exportClause.elements.map((element) => ({ name: element.getText(), path }));
  });
}

/** The topic of a source file: the one with the longest matching prefix. */
function topicOf(path) {
  let best;
  let length = -1;
  for (const topic of topics)
    for (const prefix of topic.sources)
      if (path.startsWith(prefix) && prefix.length > length) [best, length] = [topic, prefix.length];
  if (best === undefined) throw new Error(`${path} has no topic. Add it to docs/generate/topics.mjs.`);
  return best;
}

/** The pages in the order of the navigation, each with its exported names by source file. */
function pagesOfReference() {
  const { compilerOptions } = JSON.parse(readFileSync(new URL('tsconfig.json', repository), 'utf8'));
  const pages = topics.map((topic) => ({ ...topic, entryPoint: 'bptt', names: new Map() }));
  const addName = (page, { name, path }) => page.names.set(path.href, [...(page.names.get(path.href) ?? []), name]);
  for (const [entryPoint, [file]] of Object.entries(compilerOptions.paths)) {
    const source = new URL(file, repository);
    if (entryPoint === 'bptt') {
      for (const item of exportsOf(source)) {
        const { file: topic } = topicOf(item.path.href.slice(new URL('src/', repository).href.length));
        addName(
          pages.find((page) => page.file === topic),
          item,
        );
      }
      continue;
    }
    const topic = entryPointTopics[entryPoint];
    if (topic === undefined) throw new Error(`${entryPoint} has no title. Add it to docs/generate/topics.mjs.`);
    const page = {
      ...topic,
      file: entryPoint.replace('/', '-'),
      section: 'Entry points',
      entryPoint,
      names: new Map(),
    };
    for (const item of exportsOf(source)) addName(page, item);
    pages.push(page);
  }
  for (const page of pages) page.names = new Map(inOrder([...page.names], page.sources ?? []));
  return pages.filter(({ names }) => names.size > 0);
}

/** Sorts the source files of a topic in the order of its list. */
function inOrder(files, sources) {
  const rank = ([path]) => sources.findIndex((source) => path.includes(`/src/${source}`));
  return files.sort((a, b) => rank(a) - rank(b));
}

/** Writes a module per page, which exports the names of the page, for TypeDoc. */
function writeModules(pages) {
  rmSync(generated, { recursive: true, force: true });
  mkdirSync(generated, { recursive: true });
  for (const { file, names } of pages) {
    const lines = [...names].map(([path, list]) => `export { ${list.join(', ')} } from '${fileURLToPath(path)}';`);
    writeFileSync(new URL(`${file}.ts`, generated), `${lines.join('\n')}\n`);
  }
  const files = [...pages.map(({ file }) => `${file}.ts`), '../../src/node/node-builtins.d.ts'];
  const compilerOptions = { verbatimModuleSyntax: false };
  const options = { extends: '../../tsconfig.json', compilerOptions, files, include: [] };
  writeFileSync(new URL('tsconfig.json', generated), JSON.stringify(options));
}

/** The heading of a name: its slug is the anchor, with a number if the page has had the slug before. */
function anchorsOf(text) {
  const counts = new Map();
  const anchors = new Map();
  for (const { 1: level, 2: heading } of text.replace(/```[\s\S]*?```/g, '').matchAll(/^(#+) (.+)$/gm)) {
    const name = heading.replace(/\\?<.*|\(\)$/g, '').replaceAll('\\', '');
    const slug = name.toLowerCase().replace(/\W+/g, '-');
    const count = counts.get(slug) ?? 0;
    counts.set(slug, count + 1);
    if (level === '###') anchors.set(name, count === 0 ? slug : `${slug}-${count}`);
  }
  return anchors;
}

/**
 * Corrects the links of a page to its names. TypeDoc numbers the anchors of names that differ only in case, such as
 * `forecast` and `Forecast`, in another way than the site does.
 */
function withAnchors(text, anchors) {
  return text.replace(/\[(`?)(\w+)\1\]\(#(?!property-)[\w-]+\)/g, (link, quote, name) => {
    const anchor = anchors.get(name);
    return anchor === undefined ? link : `[${quote}${name}${quote}](#${anchor})`;
  });
}

/** Adds the title, the introduction and an import to a page. Returns its text. */
function completed({ title, about, entryPoint }, body) {
  const functions = [...body.matchAll(/^### (\w+)\(\)$/gm)].map(({ 1: name }) => name);
  const imported = functions.length > 4 ? `${functions.slice(0, 4).join(', ')}, … ` : `${functions.join(', ')} `;
  const example = functions.length === 0 ? '' : `\`\`\`js\nimport { ${imported}} from '${entryPoint}';\n\`\`\`\n\n`;
  const header = `---\noutline: [2, 3]\ndescription: ${JSON.stringify(about)}\n---\n\n`;
  return `${header}# ${title}\n\n${about}\n\n${example}${body.replace(/^# .*\n+/, '')}`;
}

/** Names of options, arguments and properties, in the first column of the tables. */
const namesInTables = (text) =>
  [...text.matchAll(/^\| (?:<a id="[^"]*"><\/a> )?`(\w+)\??`/gm)].map(({ 1: name }) => name);

/** The index: every name, by topic. */
function indexPage(pages) {
  const sections = [...new Set(pages.map(({ section }) => section))].map((section) => {
    const topicLists = pages
      .filter((page) => page.section === section)
      .map(({ file, title, about, anchors }) => {
        const links = [...anchors].map(([name, anchor]) => `[\`${name}\`](${file}.md#${anchor})`);
        return `### [${title}](${file}.md)\n\n${about}\n\n${links.join(' ')}\n`;
      });
    return `## ${section}\n\n${topicLists.join('\n')}`;
  });
  const introduction =
    'Every public name, by topic. All are named exports of `bptt`, except those of the other entry points. In shapes, T\n' +
    'is the number of time steps, B the batch size, I the input size and H the hidden size.\n';
  return `---\noutline: [2, 3]\npageClass: index-of-names\n---\n\n# API reference\n\n${introduction}\n${sections.join('\n')}`;
}

/**
 * Writes the pages of the reference, their index, and `reference/names.json`, which has the address of every name.
 */
export async function writeReference() {
  const pages = pagesOfReference();
  writeModules(pages);
  rmSync(reference, { recursive: true, force: true });
  const application = await Application.bootstrapWithPlugins({
    plugin: ['typedoc-plugin-markdown'],
    entryPoints: pages.map(({ file }) => fileURLToPath(new URL(`${file}.ts`, generated))),
    tsconfig: fileURLToPath(new URL('tsconfig.json', generated)),
    out: fileURLToPath(reference),
    readme: 'none',
    router: 'module',
    entryFileName: 'all',
    disableSources: true,
    excludeInternal: true,
    // The order of the generated modules: this strategy leaves the order of other names as it is.
    sort: ['enum-value-ascending'],
    groupOrder: ['Functions', 'Variables', 'Classes', 'Interfaces', 'Type Aliases'],
    hidePageHeader: true,
    hideBreadcrumbs: true,
    useCodeBlocks: true,
    expandObjects: true,
    parametersFormat: 'table',
    interfacePropertiesFormat: 'table',
    typeDeclarationFormat: 'table',
    propertyMembersFormat: 'table',
    tableColumnSettings: { hideSources: true, hideInherited: true, hideModifiers: true },
    validation: { notExported: false, invalidLink: true },
    logLevel: 'Warn',
  });
  // `{@link fit}` in a file that does not import `fit` refers to the public name.
  application.converter.addUnknownSymbolResolver(({ symbolReference }, { project }) => {
    const path = symbolReference?.path?.map(({ path: name }) => name) ?? [];
    const owner = project.children?.flatMap(({ children }) => children ?? []).find(({ name }) => name === path[0]);
    const target = path.slice(1).reduce((reflection, name) => reflection?.getChildByName([name]), owner);
    return target && { target };
  });
  const project = await application.convert();
  if (project === undefined) throw new Error('TypeDoc could not read the sources.');
  application.validate(project);
  await application.generateOutputs(project);
  if (application.logger.hasErrors() || application.logger.hasWarnings())
    throw new Error('TypeDoc reported problems in the docstrings; see above.');
  rmSync(generated, { recursive: true, force: true });
  const ambiguous = new Set();
  const written = pages.map((page) => {
    const file = new URL(`${page.file}.md`, reference);
    const body = completed(page, readFileSync(file, 'utf8'));
    const anchors = anchorsOf(body);
    const text = withAnchors(body, anchors);
    writeFileSync(file, text);
    for (const name of namesInTables(text)) ambiguous.add(name);
    return { ...page, anchors };
  });
  rmSync(new URL('all.md', reference));
  writeFileSync(new URL('index.md', reference), indexPage(written));
  const names = written.flatMap(({ file, anchors }) =>
    [...anchors].map(([name, anchor]) => [
      name,
      { page: `reference/${file}.md`, anchor, isAmbiguous: ambiguous.has(name) },
    ]),
  );
  const navigation = written.map(({ file, title, section }) => ({ file, title, section }));
  writeFileSync(new URL('reference/names.json', docs), JSON.stringify({ names, navigation }));
}
