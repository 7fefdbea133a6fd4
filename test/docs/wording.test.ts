/** The prose of the repository is plain technical English: words of the old dialect do not come back. */

import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { pathFromRoot, root } from './examples';

interface Rule {
  /** The wording that is not used. A space matches any white space, also the break between two lines of a comment. */
  readonly not: RegExp;
  /** What to write instead. */
  readonly write: string;
}

const rules: readonly Rule[] = [
  { not: /\banswer(s|ed|ing)?\b/i, write: 'return, output, prediction' },
  { not: /\b(stands?(?! for\b)|stood|standing)\b/i, write: 'is, is at, follows, precedes' },
  { not: /@throws(?:(?!@|\*\/|\.\s)[\s\S])*?(?<!`)\bwhere\b/, write: '@throws RangeError if …' },
  { not: /\b(refused|rejected|thrown|throws) where\b/i, write: 'if, when' },
  { not: /\bwhere (there (is|are)|it is not|they are not|none)\b/i, write: 'if, when' },
  {
    not: /\bwhat (is|are|was|were|comes|came|goes|went|has been|stands|stays|remains|belongs|hangs|flows)\b(?![^.]*\?)/i,
    write: 'a noun: the input, the output, the arguments',
  },
  { not: /\bwhat (it|they) (is|are|was|were|has|have|says?|said|told|gets?|got)\b/i, write: 'a noun' },
  { not: /\bbehind\b/i, write: 'after, past' },
  { not: /\bt(old|ells?|elling)\b/i, write: 'documented, given, specified, reported' },
  { not: /\bsa(id|ys)\b(?! why\b)/i, write: 'documented, given, specified, reported' },
  { not: /\banew\b/i, write: 'again, from scratch' },
  { not: /\bone (behind|after|beside) the other\b/i, write: 'contiguous, in order, a stack of' },
  { not: /\bof (your|its|their|one['’]s|his|our) own\b/i, write: 'custom, separate' },
  { not: /\bwork(s|ed|ing)? out\b/i, write: 'compute' },
  { not: /\b(go(es|ing|ne)?|went) on\b(?! (the|a) (tape|heap))/i, write: 'continue, resume' },
  { not: /\bt(ake|akes|aken|ook|aking) up\b(?! (to \w+|memory|space|room|a lot of memory)\b)/i, write: 'resume' },
  { not: /\bbeside\b/i, write: 'next to, compared with, in addition to' },
  { not: /\blearn(s|ed|t) from\b/i, write: 'trained on' },
  { not: /\bjudged?\b/i, write: 'evaluated on' },
  {
    not: /\b(once|one|twice|numbers?|values?|ms|µs|entry|vector|result|output) an? (step|row|sequence|batch|unit|word|character|token|feature|class|column|layer|gate|parameter|file|line)\b/i,
    write: 'per step, per row',
  },
  { not: /\b(hand|hands|handed|handing) (out|back|on|over)\b/i, write: 'return, pass' },
  { not: /\bg(ive|ives|iven|ave|iving) back\b/i, write: 'return' },
  { not: /\brefus(e|es|ed|al|als|ing)\b/i, write: 'reject, throw, not supported' },
  { not: /\b(is|are|be|was|were) none\b/, write: 'does not exist, is empty, is not a …' },
  { not: /\b(is|are|was|were) to be\b/i, write: 'must be' },
  { not: /\blies\b/i, write: 'is' },
  { not: /\bwants\b/i, write: 'requires' },
  { not: /\bknows\b|(?<!\b(people|users|who|you)( do not)? )\bknow\b/i, write: 'have, support, contain' },
  { not: /\bthe other way (round|around|about)\b/i, write: 'the reverse, vice versa' },
  { not: /\bso many\b/i, write: 'the number of …' },
  { not: /\bfrom elsewhere\b/i, write: 'from other frameworks, imported' },
  { not: /\bforeseen?\b/i, write: 'predicted' },
  { not: /\bby (itself|themselves)\b/i, write: 'automatically, separately' },
  { not: /\bstays? (what|as) (it|they) (is|are|was|were)\b/i, write: 'is unchanged' },
];

/** Passages in which a word has another, plain sense. */
const allowed: readonly { readonly file: RegExp; readonly text: RegExp; readonly reason: string }[] = [
  { file: /^test\/docs\/wording\.test\.ts$/, text: /./, reason: 'this list' },
  {
    file: /^bench\/problems\/(addition\.ts|README\.md)$/,
    text: /answer/i,
    reason: 'the data of the problem are questions and their answers',
  },
  { file: /^(examples\/next-word\/|test\/data\/)/, text: /\bhe said\b/, reason: 'quotations from the novel' },
];

const folders = ['.ci', '.github', 'bench', 'docs', 'examples', 'src', 'test'];
const extensions = /\.(md|ts|cts|mts|mjs|cjs|py|sh|ya?ml)$/;
/** Folders that are not part of the repository; `npm run docs` writes those in `docs/`. */
const skipped = /(^|\/)(node_modules|dist|build)\/|^docs\/(benchmarks|examples|project|reference)\//;

function files(folder: string): string[] {
  return readdirSync(new URL(folder, root)).flatMap((name) => {
    const path = `${folder}${name}`;
    if (skipped.test(`${path}/`)) return [];
    if (extensions.test(name) || path === '.ci/run') return [path];
    return name.includes('.') ? [] : listed(path);
  });
}

/** The files below a path without an extension, if it is a folder. */
function listed(path: string): string[] {
  try {
    return files(`${path}/`);
  } catch {
    return [];
  }
}

/**
 * Joins the lines of comments and paragraphs, so that a phrase is found across a line break; every character keeps its
 * offset.
 */
function joinLines(text: string): string {
  return text.replace(/\r?\n[ \t]*(?:\*(?!\/)|\/\/|>|#)?[ \t]*/g, (lineBreak) => ' '.repeat(lineBreak.length));
}

function passages(path: string, text: string): string[] {
  const joined = joinLines(text);
  return rules.flatMap(({ not, write }) => {
    const pattern = new RegExp(not.source.replaceAll(' ', '\\s+'), `${not.flags}g`);
    return [...joined.matchAll(pattern)]
      .map(({ 0: match, index }) => {
        const line = text.slice(0, index + match.length).split('\n').length;
        const context = joined.slice(Math.max(0, index - 40), index + match.length + 40).replace(/\s+/g, ' ');
        return { line, match, context };
      })
      .filter(({ context }) => !allowed.some((entry) => entry.file.test(path) && entry.text.test(context)))
      .map(
        ({ line, match, context }) =>
          `${path}:${line}: “${match.replace(/\s+/g, ' ').slice(-40)}” (write: ${write}) in “${context}”`,
      );
  });
}

const texts = ['README.md', 'CHANGELOG.md', ...folders.flatMap(listed)];

it('the search finds a phrase, also across the lines of a comment', () => {
  const text = '/**\n * Two rows, one behind\n * the other.\n *\n * @throws RangeError where\n * it is empty.\n */';
  const found = passages('a.ts', text).map((passage) => passage.split(' (write')[0]);
  expect(found).toEqual(['a.ts:5: “@throws RangeError where”', 'a.ts:2: “behind”', 'a.ts:3: “one behind the other”']);
  expect(passages('a.ts', '// Returns the hidden state after each step, or throws if it is empty.')).toEqual([]);
});

it('the search covers the guides, sources, tests, benches and examples', () => {
  for (const folder of ['docs/', 'src/', 'test/', 'bench/', 'examples/', '.github/']) {
    expect(texts.filter((path) => path.startsWith(folder)).length, folder).toBeGreaterThan(0);
  }
  expect(texts).toContain(pathFromRoot(new URL('examples/weather/README.md', root)));
});

it('prose, messages and titles use plain words', () => {
  expect(texts.flatMap((path) => passages(path, readFileSync(new URL(path, root), 'utf8'))).join('\n')).toBe('');
});

it('lines of comments and of prose have at most 120 columns', () => {
  // Neither tables, code, headings nor a link or a picture alone, which cannot be broken.
  const proseOf = (path: string, text: string): string =>
    path.endsWith('.md')
      ? text
          .replace(/^ *```.*?^ *```$/gmsu, (code) => code.replace(/.+/gu, ''))
          .replace(/^( *\||#| {4}|!?\[[^\]]*\]\(\S*\)$).*/gmu, '')
      : text.replace(/^(?! *(\/\*\*|\*|\/\/) ).*/gmu, '');
  const long = texts.flatMap((path) =>
    proseOf(path, readFileSync(new URL(path, root), 'utf8'))
      .split('\n')
      .flatMap((line, i) => (line.length > 120 ? [`${path}:${i + 1}: ${line.length}`] : [])),
  );
  expect(long).toEqual([]);
});
