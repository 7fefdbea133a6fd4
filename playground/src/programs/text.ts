/** The text of the preset: "The House That Jack Built", a nursery rhyme in the public domain (in print since 1755). */

const verses: readonly (readonly [noun: string, did: string])[] = [
  ['house that Jack built', ''],
  ['malt', 'lay in'],
  ['rat', 'ate'],
  ['cat', 'killed'],
  ['dog', 'worried'],
  ['cow with the crumpled horn', 'tossed'],
  ['maiden all forlorn', 'milked'],
  ['man all tattered and torn', 'kissed'],
  ['priest all shaven and shorn', 'married'],
  ['cock that crowed in the morn', 'waked'],
  ['farmer sowing his corn', 'kept'],
];

/** The rhyme; each verse repeats all verses before it. */
export const rhyme: string = verses
  .map((_, n) => {
    const lines = verses.slice(0, n + 1).map(([noun, did], i) => (i === 0 ? noun : `${noun}\nThat ${did} the `));
    return `This is the ${lines.reverse().join('')}.\n`;
  })
  .join('\n');
