/** Training in a worker: `import { fitInWorker, serveTraining } from 'bptt/worker'`. */

export { fitInWorker, type WorkerOptions } from './fit-in-worker';
export type { WorkerLike } from './post';
export { type ServeOptions, serveTraining } from './serve-training';
