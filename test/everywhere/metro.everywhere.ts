/** The library in a bundle of Metro with the Babel preset of React Native, on Hermes. */

import { it } from 'vitest';
import type { Results } from './programs/results.ts';
import { expectReference } from './reference.ts';
import { record } from './rows.ts';
import { consumer, installed, isLong, node, run } from './run.ts';
import { versionOf } from './version.ts';

it.each(isLong ? [false, true] : [true])('Hermes computes the same bits as Node.js (minified: %s)', async (minify) => {
  const cwd = `${consumer}/metro`;
  const bundle = `${cwd}/built-${minify ? 'minified' : 'plain'}.js`;
  await run(
    node,
    [
      ...[installed('metro/src/cli.js'), 'build', 'index.js', '--config', 'metro.config.cjs', '--out', bundle],
      ...['--platform', 'android', '--minify', String(minify), '--reset-cache'],
    ],
    { cwd },
  );
  const results: Results = JSON.parse(await run(installed('hermes-engine-cli/linux64-bin/hermes'), ['-O', bundle]));
  expectReference(results, 'portable', ['portable']);
  // A later version exists only as a compiler.
  await run(installed('hermes-compiler/hermesc/linux64-bin/hermesc'), [
    '-O',
    '-emit-binary',
    '-out',
    `${bundle}.hbc`,
    bundle,
  ]);
  if (minify) {
    record('metro', {
      Tool: 'Metro, Babel preset of React Native, Hermes',
      Version: ['metro', '@react-native/babel-preset', 'hermes-engine-cli'].map(versionOf).join(', '),
      'What runs':
        'trains, streams, saves and loads with the same bits as the portable kernels on Node.js; the compiler of ' +
        `Hermes ${versionOf('hermes-compiler')} compiles the bundle`,
    });
  }
});
