/** A log in the memory of this process. */

import { randomUUID } from 'node:crypto';
import type { EventLog, Message } from './event-log';

/** Creates an empty log. */
export function inProcessLog(): EventLog {
  const subjects = new Map<string, { messages: Message[]; ids: Set<string>; wake: Set<() => void> }>();
  let position = 0;
  const find = (name: string) => {
    const found = subjects.get(name) ?? { messages: [], ids: new Set(), wake: new Set() };
    subjects.set(name, found);
    return found;
  };
  return {
    id: randomUUID(),
    async append(name, data, { after, id } = {}) {
      const { messages, ids, wake } = find(name);
      const last = messages[messages.length - 1]?.position ?? 0;
      if (after !== undefined && after !== last) return undefined;
      if (id !== undefined) {
        if (ids.has(id)) return last;
        ids.add(id);
      }
      messages.push({ position: ++position, data });
      for (const resolve of wake) resolve();
      wake.clear();
      return position;
    },
    last: async (name) => find(name).messages.at(-1),
    async read(name, after, receive) {
      const { messages, wake } = find(name);
      let stopped = false;
      const pump = async (): Promise<void> => {
        const first = messages.findIndex((message) => message.position > after);
        for (let i = first < 0 ? messages.length : first; !stopped; ) {
          if (i < messages.length) await receive(messages[i++]!);
          else await new Promise<void>((resolve) => wake.add(resolve));
        }
      };
      void pump();
      return async () => {
        stopped = true;
      };
    },
    close: async () => undefined,
  };
}
