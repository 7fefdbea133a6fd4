/** Trying again, for what fails because of the machine: a full disk, a network folder that is away. */

import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, type Report } from './job-queue';

/** Repeats an action once per second until it succeeds. */
export async function untilDone<T>(action: () => Promise<T>, report: Report): Promise<T> {
  for (;;) {
    try {
      return await action();
    } catch (error) {
      report(`${messageOf(error)}; trying again`);
      await sleep(1000);
    }
  }
}
