import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DefaultTheme, defineConfig, type UserConfig } from 'vitepress';
import { linkPages } from '../generate/links.mjs';
import { examples } from '../generate/sources.mjs';

const repository = new URL('../../', import.meta.url);
const { version } = JSON.parse(readFileSync(new URL('package.json', repository), 'utf8')) as { version: string };

/** The address of every public name, and the topics of the reference, from `npm run docs`. */
interface Reference {
  readonly names: readonly [string, { page: string; anchor: string; isAmbiguous: boolean }][];
  readonly navigation: readonly { file: string; title: string; section: string }[];
}
const reference = JSON.parse(readFileSync(new URL('../reference/names.json', import.meta.url), 'utf8')) as Reference;
const hasPlayground = existsSync(new URL('playground/dist/index.html', repository));

/** The pages of the guides, by section. */
const guides: readonly (readonly [section: string, pages: readonly (readonly [page: string, title: string])[]])[] = [
  [
    'Start',
    [
      ['getting-started', 'Getting started'],
      ['choosing', 'Cell, size and learning rate'],
    ],
  ],
  [
    'Tasks',
    [
      ['forecasting', 'Forecasting'],
      ['classification', 'Classify sequences'],
      ['text-generation', 'Generate text'],
      ['streaming', 'Stream in a server'],
      ['browser', 'Train in a browser'],
      ['worker', 'Train in a worker'],
      ['voice', 'Convolutions, and Silero VAD'],
      ['saving', 'Save, load and resume'],
    ],
  ],
  [
    'Models',
    [
      ['custom-training', 'Custom training and models'],
      ['custom-cells', 'Custom cells'],
    ],
  ],
  [
    'Exchange',
    [
      ['pytorch', 'PyTorch'],
      ['keras', 'Keras and TensorFlow.js'],
      ['onnx', 'ONNX'],
    ],
  ],
  [
    'Production',
    [
      ['deployment', 'Deployment'],
      ['performance', 'Performance'],
      ['many-machines', 'Many machines'],
    ],
  ],
  [
    'Problems',
    [
      ['debugging', 'Debugging'],
      ['why-gradients-vanish', 'Why gradients vanish'],
      ['errors', 'Common errors'],
    ],
  ],
];

const guideSidebar: DefaultTheme.SidebarItem[] = [
  ...guides.map(([text, pages]) => ({
    text,
    items: pages.map(([page, title]) => ({ text: title, link: `/guides/${page}` })),
  })),
  {
    text: 'Project',
    items: [
      { text: 'Features', link: '/features' },
      { text: 'Where bptt runs', link: '/everywhere' },
      { text: 'Architecture', link: '/architecture' },
      { text: 'Contributing', link: '/project/contributing' },
      { text: 'Changelog', link: '/project/changelog' },
    ],
  },
];

const referenceSidebar: DefaultTheme.SidebarItem[] = [
  { text: 'All names', link: '/reference/' },
  ...[...new Set(reference.navigation.map(({ section }) => section))].map((text) => ({
    text,
    items: reference.navigation
      .filter(({ section }) => section === text)
      .map(({ file, title }) => ({ text: title, link: `/reference/${file}` })),
  })),
];

const exampleSidebar: DefaultTheme.SidebarItem[] = [
  {
    text: 'Examples',
    items: [
      { text: 'Overview', link: '/examples/' },
      ...examples.map(({ name, title }) => ({ text: title, link: `/examples/${name}` })),
      { text: 'Custom cells', link: '/examples/cells' },
    ],
  },
  {
    text: 'Benchmarks',
    items: [
      { text: 'Speed', link: '/benchmarks/' },
      { text: 'Problems from the literature', link: '/benchmarks/problems' },
    ],
  },
];

/** The pages of the playground, which it has if it is built before the site. */
const playgroundPages = [
  { text: 'Recurrent networks', link: '/playground/index.html', target: '_self' },
  { text: 'Voice', link: '/playground/voice.html', target: '_self' },
  { text: 'Benchmark', link: '/playground/bench.html', target: '_self' },
];

/** The first paragraph of a page without its markup: the description in search results. */
function firstParagraph(markdown: string): string | undefined {
  const paragraphs = markdown.replace(/^---\n[\s\S]*?\n---\n/, '').split(/\n{2,}/);
  const text = paragraphs.map((paragraph) => paragraph.trim()).find((paragraph) => /^(\w|\[|`(?!``))/.test(paragraph));
  return text
    ?.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[`*]|\b_|_\b/g, '')
    .replace(/\s+/g, ' ');
}

const config: UserConfig<DefaultTheme.Config> = defineConfig({
  title: 'bptt',
  description: 'Recurrent neural networks in TypeScript: train, stream and exchange RNN, LSTM and GRU models.',
  lang: 'en-US',
  base: process.env['DOCS_BASE'] ?? '/',
  outDir: '../build/site',
  srcExclude: ['node_modules/**', 'README.md'],
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: `${process.env['DOCS_BASE'] ?? '/'}logo.svg` }]],
  transformPageData(pageData, { siteConfig }) {
    const { frontmatter, relativePath } = pageData;
    if (frontmatter['layout'] === 'home') {
      if (hasPlayground) frontmatter['hero'].actions.push({ ...playgroundPages[0], theme: 'alt', text: 'Playground' });
      return;
    }
    if (pageData.description !== '') return;
    pageData.description = firstParagraph(readFileSync(join(siteConfig.srcDir, relativePath), 'utf8')) ?? '';
  },
  markdown: {
    // These themes have enough contrast on the background of programs, also for comments.
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-default' },
    // The output of programs is plain text.
    languages: ['output', 'sample'].map((name) => ({ name, scopeName: `text.${name}`, patterns: [], repository: {} })),
    config: (markdown) => linkPages(markdown, new Map(reference.names)),
  },
  vite: { server: { fs: { allow: [fileURLToPath(repository)] } }, build: { chunkSizeWarningLimit: 2000 } },
  themeConfig: {
    logo: '/logo.svg',
    outline: [2, 3],
    notFound: {
      quote: 'There is no page at this address. Search for it above, or start at the front page.',
      linkText: 'Front page',
    },
    search: { provider: 'local' },
    nav: [
      { text: 'Guides', link: '/guides/getting-started', activeMatch: '^/guides/' },
      { text: 'Reference', link: '/reference/', activeMatch: '^/reference/' },
      { text: 'Examples', link: '/examples/', activeMatch: '^/examples/' },
      { text: 'Benchmarks', link: '/benchmarks/', activeMatch: '^/benchmarks/' },
      // The playground is a separate program: its links load its pages instead of looking for pages of the site.
      ...(hasPlayground ? [{ text: 'Playground', items: playgroundPages }] : []),
      { text: version, items: [{ text: 'Changelog', link: '/project/changelog' }] },
    ],
    sidebar: {
      '/reference/': referenceSidebar,
      '/examples/': exampleSidebar,
      '/benchmarks/': exampleSidebar,
      '/': guideSidebar,
    },
    footer: { message: 'MIT License. The data of the examples has separate licenses, which their pages name.' },
  },
});

export default config;
