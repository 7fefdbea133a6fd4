/** A worker that cannot be loaded, does not serve or ends makes `fitInWorker` reject. */

import type { Worker } from 'node:worker_threads';
import { adam, customModel, dense, full, meanSquaredError, type Progress, scale, sequential, sgd, tensor } from 'bptt';
import { fitInWorker, serveTraining, type WorkerLike } from 'bptt/worker';
import { expect, it, vi } from 'vitest';
import { version } from '../../src/tensor/version';
import { bundleWorker, startWorker } from './start-worker';

const serving = bundleWorker(`
  import { serveTraining } from 'bptt/worker';
  serveTraining();`);
const model = () => sequential([dense({ size: 1 })], { inputSize: 1, seed: 1 });
const data = { inputs: full([1, 2, 1], 1), targets: full([1, 2, 1], 3) };
const options = { loss: meanSquaredError, optimizer: adam(), steps: 1e6 };

/** Trains in a worker, and returns the error. The parameters must not change. */
async function errorIn(worker: WorkerLike, extra: object = {}): Promise<Error> {
  const net = model();
  const error: unknown = await fitInWorker(worker, net, data, { ...options, ...extra }).catch(
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Error);
  expect(net.data).toEqual(model().data);
  return error as Error;
}

it('a program that throws when it is loaded', async () => {
  const worker = startWorker(`throw new TypeError('no such module');`);
  const error = await errorIn(worker);
  expect(error.message).toBe('fitInWorker: the worker failed: no such module');
  expect(error.cause).toBeInstanceOf(Error);
});

it('a program that cannot be found', async () => {
  const { Worker: Thread } = await import('node:worker_threads');
  const worker = new Thread(new URL('file:///no/such/program.js'));
  expect((await errorIn(worker)).message).toMatch(/^fitInWorker: the worker failed: Cannot find module/);
});

it('a program that does not call serveTraining', async () => {
  const worker = startWorker(`require('node:worker_threads').parentPort.on('message', () => undefined);`);
  expect((await errorIn(worker, { timeout: 0.2 })).message).toBe(
    'fitInWorker: the worker has not called serveTraining within 0.2 s. Is it the right file, and is it running?',
  );
  await worker.terminate();
});

it('a program that ends', async () => {
  const worker = startWorker('');
  expect((await errorIn(worker)).message).toBe('fitInWorker: the worker exited with code 0.');
  // Now it has ended.
  expect((await errorIn(worker)).message).toBe('fitInWorker: the worker has ended.');
});

it('a worker that is terminated during training', async () => {
  const worker = startWorker(await serving);
  const onProgress = ({ step }: Progress) => step === 3 && worker.terminate();
  expect((await errorIn(worker, { onProgress })).message).toBe('fitInWorker: the worker exited with code 1.');
});

it('a worker that exits during training, with all trainings that wait', async () => {
  const exiting = await bundleWorker(`
    import { serveTraining } from 'bptt/worker';
    serveTraining({ customObjects: { rate: (step) => (step === 3 ? process.exit(7) : 0.1) } });`);
  const worker = startWorker(exiting);
  const rate = (step: number) => step;
  const extra = { optimizer: adam(rate), customObjects: { rate } };
  const errors = await Promise.all([errorIn(worker, extra), errorIn(worker, extra)]);
  for (const { message } of errors) expect(message).toBe('fitInWorker: the worker exited with code 7.');
});

it('an error event of a worker of a browser, which can train again', async () => {
  const { port1, port2 } = new MessageChannel();
  serveTraining({ port: port2 });
  const worker = Object.assign(new EventTarget(), {
    postMessage: (message: unknown, transfer: Transferable[]) => port1.postMessage(message, transfer),
  });
  const event = () => Object.assign(new Event('error', { cancelable: true }), { message: 'x is not defined' });
  const events: Event[] = [];
  const onProgress = ({ step }: Progress) => {
    if (step !== 3) return;
    events.push(event());
    worker.dispatchEvent(events[0]!);
  };
  expect((await errorIn(worker, { onProgress })).message).toBe('fitInWorker: the worker failed: x is not defined');
  expect(events[0]!.defaultPrevented).toBe(true);
  expect((await fitInWorker(worker, model(), data, { ...options, steps: 2 })).steps).toBe(2);
  const loading = errorIn(worker);
  worker.dispatchEvent(new Event('error'));
  expect((await loading).message).toBe('fitInWorker: the worker could not be loaded. Import maps do not apply to it.');
  port1.close();
});

it('a worker that is terminated while data is open, which is closed', async () => {
  const worker = startWorker(await serving);
  let closed = 0;
  const open = {
    *[Symbol.iterator]() {
      try {
        for (;;) yield data;
      } finally {
        closed++;
      }
    },
  };
  const onProgress = ({ step }: Progress) => step === 3 && worker.terminate();
  const source = { batchCount: 1e6, batches: () => open };
  const training = fitInWorker(worker, model(), source, { ...options, onProgress });
  await expect(training).rejects.toThrow('fitInWorker: the worker exited with code 1.');
  expect(closed).toBe(1);
});

it('trainings leave no listeners, and wait for a worker that is busy with any timeout', async () => {
  const worker = startWorker(await serving) as Worker & { listenerCount(event: string): number };
  const counts = () => ['error', 'exit', 'close'].map((event) => worker.listenerCount(event));
  const before = counts();
  const train = (extra: object) => fitInWorker(worker, model(), data, { ...options, ...extra });
  const results = await Promise.all([train({ steps: 300 }), train({ steps: 2, timeout: 3e6 })]);
  expect(results.map(({ steps }) => steps)).toEqual([300, 2]);
  expect(counts()).toEqual(before);
  await worker.terminate();
});

it('a training can take longer than the timeout, once the worker has called', async () => {
  const worker = startWorker(await serving);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const onProgress = ({ step }: Progress) => step === 1 && vi.advanceTimersByTime(61_000);
  const training = fitInWorker(worker, model(), data, { ...options, steps: 3, onProgress });
  expect((await training.finally(() => vi.useRealTimers())).steps).toBe(3);
  await worker.terminate();
});

it('data that never ends a batch, when the worker ends', async () => {
  const worker = startWorker(await serving);
  const endless = {
    async *[Symbol.asyncIterator]() {
      yield data;
      setTimeout(() => void worker.terminate(), 20);
      await new Promise(() => undefined);
    },
  };
  const training = fitInWorker(worker, model(), endless, options);
  await expect(training).rejects.toThrow(new Error('fitInWorker: the worker exited with code 1.'));
});

it('a worker with another version of the library', async () => {
  const { port1: worker, port2 } = new MessageChannel();
  serveTraining({ port: port2 });
  const older: WorkerLike = {
    postMessage: (request, transfer) =>
      worker.postMessage({ ...(request as object), version: '0.1.0' }, transfer as Transferable[]),
  };
  expect((await errorIn(older)).message).toMatch(
    /^serveTraining: the worker has bptt \d+\.\d+\.\d+, the program that called it 0\.1\.0\.$/,
  );
  worker.close();
});

it('a port of a browser, which queues messages until it is started, and custom objects with names of the library', async () => {
  const { port1: worker, port2 } = new MessageChannel();
  const listeners: Parameters<MessagePort['addEventListener']>[] = [];
  const port = {
    postMessage: (message: unknown, transfer: Transferable[]) => port2.postMessage(message, transfer),
    addEventListener: (...listener: Parameters<MessagePort['addEventListener']>) => listeners.push(listener),
    start: () => {
      for (const listener of listeners) port2.addEventListener(...listener);
    },
  };
  serveTraining({ port: port as WorkerLike, customObjects: { sgd: 3 } });
  expect((await fitInWorker(worker, model(), data, { ...options, steps: 2, timeout: Infinity })).steps).toBe(2);
  expect((await errorIn(worker, { optimizer: sgd() })).message).toBe('serveTraining: sgd must be a function, got 3.');
  worker.close();
});

it('a worker of a browser that is terminated, by the lock that it releases', async () => {
  // The holder of a lock, and those who wait for it.
  const queues = new Map<string, (() => unknown)[]>();
  const release = (name: string) => queues.get(name)!.shift()?.();
  const request = vi.fn((name: string, ...rest: unknown[]) => {
    const callback = rest.at(-1) as () => unknown;
    const { signal } = (rest.length > 1 ? rest[0] : {}) as { signal?: AbortSignal };
    const queue = queues.get(name);
    if (queue === undefined) {
      queues.set(name, []);
      callback();
    } else {
      queue.push(callback);
      signal?.addEventListener('abort', () => queue.splice(queue.indexOf(callback), 1));
    }
    return Promise.resolve();
  });
  vi.stubGlobal('navigator', { locks: { request } });
  try {
    const { port1: worker, port2 } = new MessageChannel();
    serveTraining({ port: port2 });
    expect((await fitInWorker(worker, model(), data, { ...options, steps: 2 })).steps).toBe(2);
    // The first training waits for the lock no longer.
    expect([...queues.values()]).toEqual([[]]);
    const onProgress = ({ step }: Progress) => step === 3 && release([...queues.keys()][0]!);
    expect((await errorIn(worker, { onProgress })).message).toBe('fitInWorker: the worker was terminated.');
    worker.close();
  } finally {
    vi.unstubAllGlobals();
  }
});

it('a worker that does not call serveTraining within 60 s, the default', async () => {
  const { port1: worker } = new MessageChannel();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    let error: Error | undefined;
    const training = errorIn(worker).then((reason) => {
      error = reason;
    });
    await vi.advanceTimersByTimeAsync(59_999);
    expect(error).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    await training;
    expect(error!.message).toMatch(/^fitInWorker: the worker has not called serveTraining within 60 s\./);
  } finally {
    vi.useRealTimers();
    worker.close();
  }
});

it('an error of another class keeps its name and stack', async () => {
  const { port1: worker, port2 } = new MessageChannel();
  const line = customModel({ w: tensor(1) }, (_, __: number): never => {
    throw Object.assign(new Error('no space'), { name: 'DiskError', stack: 'DiskError: no space\n at the disk' });
  });
  serveTraining({ port: port2, customObjects: { line } });
  const training = fitInWorker(worker, line, [1], { optimizer: adam(), customObjects: { line } });
  const { name, message, stack } = (await training.catch((error: unknown) => error)) as Error;
  expect([name, message, stack]).toEqual(['DiskError', 'fit: no space', 'DiskError: no space\n at the disk']);
  worker.close();
});

it('an error that cannot be posted keeps its message', async () => {
  const bundle = await bundleWorker(`
    import { serveTraining } from 'bptt/worker';
    import { customModel, tensor } from 'bptt';
    const line = customModel({ w: tensor(1) }, () => { throw { toString: () => 'out of luck', no: () => 1 }; });
    serveTraining({ customObjects: { line } });`);
  const worker = startWorker(bundle);
  const line = customModel({ w: tensor(1) }, ({ w }, batch: number) => scale(w, batch));
  const training = fitInWorker(worker, line, [1], { optimizer: adam(), customObjects: { line } });
  await expect(training).rejects.toThrow(new Error('out of luck'));
  await worker.terminate();
});

it('a client that ends during training does not block the trainings after it', async () => {
  const { port1: worker, port2: port } = new MessageChannel();
  serveTraining({ port });
  const client = new MessageChannel();
  const calls: unknown[] = [];
  client.port1.onmessage = (call) => {
    calls.push(call.data);
    client.port1.close();
  };
  worker.postMessage({ type: 'bptt.fit', version, port: client.port2 }, [client.port2]);
  expect((await fitInWorker(worker, model(), data, { ...options, steps: 2, timeout: 30 })).steps).toBe(2);
  expect(calls).toMatchObject([{ type: 'hello' }]);
  worker.close();
});

it('messages of other programs are ignored by serveTraining', async () => {
  const worker: Worker = startWorker(
    await bundleWorker(`
      import { serveTraining } from 'bptt/worker';
      import { parentPort } from 'node:worker_threads';
      serveTraining();
      parentPort.on('message', (message) => { if (message === 'ping') parentPort.postMessage('pong'); });`),
  );
  for (const message of ['ping', null, 3, { type: 'other' }]) worker.postMessage(message);
  const reply = await new Promise((resolve) => worker.once('message', resolve));
  expect(reply).toBe('pong');
  expect((await fitInWorker(worker, model(), data, { ...options, steps: 2 })).steps).toBe(2);
  await worker.terminate();
});

it('serveTraining rejects calls outside of a worker, and wrong options', () => {
  const outside = /^serveTraining: it must be called in a worker\./;
  expect(() => serveTraining()).toThrow(outside);
  // In browsers, pages have a document, and workers do not.
  const addEventListener = vi.fn();
  vi.stubGlobal('postMessage', () => undefined);
  vi.stubGlobal('addEventListener', addEventListener);
  vi.stubGlobal('document', {});
  expect(() => serveTraining()).toThrow(outside);
  vi.stubGlobal('document', undefined);
  serveTraining();
  expect(addEventListener.mock.calls.map(([type]: unknown[]) => type)).toEqual(['message']);
  vi.unstubAllGlobals();
  expect(() => serveTraining({ port: {} as never })).toThrow('serveTraining: port must be a port, got');
  expect(() => serveTraining({ customObjects: 3 as never, port: new MessageChannel().port1 })).toThrow(
    'serveTraining: customObjects must be an object, got 3.',
  );
  expect(() => serveTraining({ models: {} } as object)).toThrow(
    new TypeError('serveTraining: options must have only customObjects, port, got models.'),
  );
});
