/** The verses of the translation example. */

import { expect, it } from 'vitest';
import { readVerses } from '../../examples/translation/verses';

it('no English or Spanish verse occurs twice, so that no test verse is in the training data', () => {
  const verses = readVerses();
  expect(verses).toHaveLength(3552);
  for (const language of [0, 1] as const)
    expect(new Set(verses.map((pair) => pair[language].toLowerCase())).size).toBe(verses.length);
});
