/** The header of the pages, which `vite.config.ts` inserts. */

const pages = { index: 'Playground', voice: 'Voice', bench: 'Benchmark' } as const;

/** Returns the header of a page, with links to the other ones. */
export function headerOf(page: keyof typeof pages): string {
  const others = Object.entries(pages).filter(([name]) => name !== page);
  return `<header class="top">
      <a class="brand" href="./${page}.html"
        ><svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
          <path d="M6 22 V14 A6 6 0 0 1 18 14 V18 A6 6 0 0 0 26 22" />
          <circle cx="6" cy="24" r="2.6" />
          <circle cx="26" cy="22" r="2.6" />
        </svg>
        bptt <span>${pages[page].toLowerCase()}</span></a
      >
      <nav aria-label="Pages">
        ${others.map(([name, title]) => `<a href="./${name}.html">${title}</a>`).join('\n        ')}
        <a href="../">Docs</a>
        <button id="theme" class="icon" type="button" aria-pressed="false" title="Dark theme">
          <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
            <path d="M12 3a9 9 0 1 0 9 9 7 7 0 0 1-9-9z" />
          </svg>
          <span class="hidden">Dark theme</span>
        </button>
      </nav>
    </header>`;
}
