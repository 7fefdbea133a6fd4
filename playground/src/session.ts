/** The worker of the page. A new experiment gets a new worker, which also ends programs that do not return. */

import type { Report, Request } from './protocol';

/** The connection to the current worker. */
export interface Session {
  readonly send: (request: Request) => void;
  readonly close: () => void;
}

/** Starts a worker. @param onReport called for its messages until the session is closed */
export function openSession(onReport: (report: Report) => void): Session {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  worker.addEventListener('message', ({ data }: MessageEvent<Report>) => onReport(data));
  worker.addEventListener('error', (event) => {
    event.preventDefault();
    onReport({ type: 'failed', message: event.message || 'The worker could not be started.', fatal: true });
  });
  return {
    send: (request) => worker.postMessage(request),
    close: () => worker.terminate(),
  };
}
