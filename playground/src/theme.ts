/** Light and dark colors. */

import { find } from './dom';

/** The colors that canvases need. */
export interface Colors {
  readonly text: string;
  readonly muted: string;
  readonly grid: string;
  readonly panel: string;
  /** Red, green and blue of the three colors of heat maps. */
  readonly low: readonly number[];
  readonly zero: readonly number[];
  readonly high: readonly number[];
  readonly network: (name: string) => string;
}

const storageKey = 'bptt-playground-theme';

/** The value of a variable of the style sheet, in the current theme. */
export const cssValue = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Reads the colors of the current theme from the style sheet. */
export function readColors(): Colors {
  const rgb = (name: string): number[] => {
    const hex = Number.parseInt(cssValue(name).slice(1), 16);
    return [hex >> 16, (hex >> 8) & 255, hex & 255];
  };
  return {
    text: cssValue('--text'),
    muted: cssValue('--muted'),
    grid: cssValue('--grid'),
    panel: cssValue('--panel'),
    low: rgb('--low'),
    zero: rgb('--zero'),
    high: rgb('--high'),
    network: (name) => cssValue(`--${name}`) || cssValue('--other'),
  };
}

/** Sets up the button that switches between light and dark. The first theme is that of the system. */
export function setUpTheme(onChange: () => void): void {
  const button = find('#theme', HTMLButtonElement);
  const system = matchMedia('(prefers-color-scheme: dark)');
  const isDark = (): boolean =>
    (document.documentElement.dataset['theme'] ?? (system.matches ? 'dark' : 'light')) === 'dark';
  const update = (): void => {
    button.setAttribute('aria-pressed', String(isDark()));
    onChange();
  };
  const stored = readStored();
  if (stored === 'light' || stored === 'dark') document.documentElement.dataset['theme'] = stored;
  button.addEventListener('click', () => {
    const theme = isDark() ? 'light' : 'dark';
    document.documentElement.dataset['theme'] = theme;
    try {
      localStorage.setItem(storageKey, theme);
    } catch {
      // Storage may be forbidden; the theme then lasts until the page is closed.
    }
    update();
  });
  system.addEventListener('change', update);
  update();
}

function readStored(): string | null {
  try {
    return localStorage.getItem(storageKey);
  } catch {
    return null;
  }
}
