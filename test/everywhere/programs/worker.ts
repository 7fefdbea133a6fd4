/** A module worker: posts the result of the task that it receives. */

import { tasks } from './tasks';

addEventListener(
  'message',
  async ({ data: { task, args } }: MessageEvent<{ task: keyof typeof tasks; args: never[] }>) => {
    try {
      // The arguments belong to the task: the type of `Calls` in page.ts ensures it.
      const run = tasks[task] as (...args: never[]) => unknown;
      postMessage({ result: await run(...args) });
    } catch (error) {
      postMessage({ error: String(error) });
    }
  },
);
