/** A plugin of markdown-it: links between pages, and from names of the library to the reference. */

import { posix } from 'node:path';
import { addressOf, sourceOf } from './sources.mjs';

/**
 * Rewrites the relative links and pictures of a page from paths in the repository to addresses of the site. Links to
 * files that the site does not show become plain text. Code that is the name of a public function or type, `fit` or
 * `fit()`, links to the reference.
 *
 * @param markdown an instance of markdown-it
 * @param {Map<string, { page: string, anchor: string, isAmbiguous: boolean }>} names
 */
export function linkPages(markdown, names) {
  markdown.core.ruler.push('link-pages', ({ tokens, env, Token }) => {
    const page = env.relativePath;
    if (page === undefined) return;
    for (const { children } of tokens) if (children !== null) rewrite(children, page, names, Token);
  });
}

function rewrite(tokens, page, names, Token) {
  let inLink = false;
  let isDropped = false;
  const result = [];
  for (const token of tokens) {
    if (token.type === 'link_open') {
      inLink = true;
      const href = token.attrGet('href');
      isDropped = false;
      if (isRelative(href)) {
        const address = addressOf(page, href);
        if (address === undefined) isDropped = true;
        else token.attrSet('href', address);
      }
    }
    if (token.type === 'image' && isRelative(token.attrGet('src'))) {
      const target = posix.join(posix.dirname(sourceOf(page)), token.attrGet('src'));
      token.attrSet('src', posix.relative(posix.dirname(`docs/${page}`), target).replace(/^(?!\.)/, './'));
    }
    const isEdge = token.type === 'link_open' || token.type === 'link_close';
    const name = token.type === 'code_inline' && !inLink ? linkedName(token.content, names) : undefined;
    if (name !== undefined) {
      const open = new Token('link_open', 'a', 1);
      open.attrSet('href', `/${name.page}#${name.anchor}`);
      result.push(open, token, new Token('link_close', 'a', -1));
    } else if (!(isEdge && isDropped)) result.push(token);
    if (token.type === 'link_close') inLink = isDropped = false;
  }
  tokens.splice(0, tokens.length, ...result);
}

const isRelative = (link) => !/^(\w+:|\/|#)/.test(link);

/** A name that is also that of an option or argument, such as `loss`, is linked only if it is written as a call. */
function linkedName(code, names) {
  const [, name, call] = /^(\w+)(\(\))?$/.exec(code) ?? [];
  const target = name === undefined ? undefined : names.get(name);
  return target === undefined || (target.isAmbiguous && call === undefined) ? undefined : target;
}
