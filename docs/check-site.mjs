/**
 * Crawls the built site: every link, anchor, picture and script must exist, and every page must be reachable and have a
 * title with the name of the library and a separate description.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** All files below a folder, as paths from it. */
function filesBelow(folder, path = '') {
  return readdirSync(new URL(path, folder), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesBelow(folder, `${path}${entry.name}/`) : [`${path}${entry.name}`],
  );
}

const unescaped = (text) => text.replaceAll('&amp;', '&').replaceAll('&#x27;', "'").replaceAll('&quot;', '"');

/** The values of an attribute in a page. */
const attributes = (html, name) =>
  [...html.matchAll(new RegExp(`\\s${name}="([^"]*)"`, 'g'))].map(({ 1: value }) => unescaped(value));

/**
 * Checks a built site.
 *
 * @param {URL} site the folder
 * @param {string} base the path of the site on its host
 * @param {readonly (readonly [name: string, address: { page: string, anchor: string }])[]} names the names that the
 * reference must document
 * @throws Error with a list of the problems
 */
export function checkSite(site, base, names) {
  // The playground has its own tests.
  const pages = filesBelow(site).filter((path) => path.endsWith('.html') && !path.startsWith('playground/'));
  const html = new Map(pages.map((path) => [path, readFileSync(new URL(path, site), 'utf8')]));
  const anchors = new Map([...html].map(([path, text]) => [path, new Set(attributes(text, 'id'))]));
  const problems = [];
  const linked = new Set(['index.html', '404.html']);
  let links = 0;
  for (const [path, text] of html) {
    for (const link of [...attributes(text, 'href'), ...attributes(text, 'src')]) {
      const url = new URL(link, `http://site${base}${path}`);
      if (url.host !== 'site') {
        if (!/^https?:$|^mailto:$|^data:$/.test(url.protocol)) problems.push(`${path}: unknown protocol in ${link}`);
        continue;
      }
      links++;
      if (!url.pathname.startsWith(base)) {
        problems.push(`${path}: ${link} is outside of ${base}`);
        continue;
      }
      const file = decodeURIComponent(url.pathname.slice(base.length)).replace(/(^|\/)$/, '$1index.html');
      if (!existsSync(new URL(file, site))) problems.push(`${path}: ${link} does not exist`);
      linked.add(file);
      const anchor = decodeURIComponent(url.hash.slice(1));
      if (anchor !== '' && anchors.get(file)?.has(anchor) === false)
        problems.push(`${path}: ${link}: ${file} has no anchor ${anchor}`);
    }
    for (const [, host] of text.matchAll(/<(?:script|link|img|iframe)[^>]+(?:src|href)="(?:https?:)?\/\/([^/"]+)/g))
      problems.push(`${path}: loads from ${host}`);
  }
  for (const path of pages) if (!linked.has(path)) problems.push(`${path}: no page links to it`);
  const described = new Map();
  for (const [path, text] of html) {
    const title = /<title>(.*?)<\/title>/.exec(text)?.[1] ?? '';
    if (!title.includes('bptt')) problems.push(`${path}: the title ${title} does not name the library`);
    const description = /<meta name="description" content="([^"]*)"/.exec(text)?.[1] ?? '';
    if (description === '') problems.push(`${path}: has no description`);
    else if (described.has(description)) problems.push(`${path}: has the description of ${described.get(description)}`);
    described.set(description, path);
  }
  for (const [name, { page, anchor }] of names) {
    const path = page.replace(/\.md$/, '.html');
    if (!anchors.get(path)?.has(anchor)) problems.push(`${path}: ${name} has no anchor ${anchor}`);
  }
  if (problems.length > 0) throw new Error(`Problems of the site: ${problems.length}\n${problems.join('\n')}`);
  console.log(`${pages.length} pages, ${links} links and ${names.length} names of the reference: no dead links.`);
}
