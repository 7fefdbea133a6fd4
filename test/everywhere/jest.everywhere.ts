/** The library inside of Jest, which runs tests in separate realms. */

import { expect, it } from 'vitest';
import { record } from './rows.ts';
import { consumer, installed, node, run } from './run.ts';
import { versionOf } from './version.ts';

it('trains, streams, saves and loads with CommonJS, ES modules and jsdom', async () => {
  const args = ['--experimental-vm-modules', '--no-warnings', installed('jest/bin/jest.js'), '--json'];
  const output = JSON.parse(await run(node, args, { cwd: `${consumer}/jest` }));
  expect(output).toMatchObject({ success: true, numTotalTests: 4, numPassedTests: 4 });
  record('jest', {
    Tool: 'Jest',
    Version: versionOf('jest'),
    'What runs': 'trains, streams, saves and loads in tests with CommonJS, ES modules, and jsdom',
  });
});
