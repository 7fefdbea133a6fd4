/** Posting of data between threads. */

import { isPlain } from '../formats/description';

/** A worker, or a port to one: the common part of the interfaces of browsers and Node.js. */
export interface WorkerLike {
  postMessage(message: unknown, transfer?: readonly unknown[]): void;
}

/** A copy of a typed array with a buffer that it does not share. */
export function copyArray(array: ArrayBufferView): ArrayBufferView {
  // The slice of any kind of typed array, and not that of Buffer in Node.js, which shares the memory.
  return Float32Array.prototype.slice.call(array) as ArrayBufferView;
}

/**
 * Copies plain data with new typed arrays, whose buffers can be transferred. Posting a view without a copy would copy
 * its whole buffer.
 *
 * @param transfer is extended by the buffers
 */
export function copyData(value: unknown, transfer: unknown[]): unknown {
  if (ArrayBuffer.isView(value) && 'length' in value) {
    const copy = copyArray(value);
    transfer.push(copy.buffer);
    return copy;
  }
  if (Array.isArray(value)) return value.map((each) => copyData(each, transfer));
  if (isPlain(value))
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, copyData(each, transfer)]));
  return value;
}

/** Posts a copy of plain data. */
export function post(port: WorkerLike, message: unknown): void {
  const transfer: unknown[] = [];
  port.postMessage(copyData(message, transfer), transfer);
}

/** The listeners of a worker or port: `addEventListener` in browsers, `on` in Node.js. */
interface Emitter {
  on?(type: string, listener: (value: unknown) => void): void;
  off?(type: string, listener: (value: unknown) => void): void;
  addEventListener?(type: string, listener: (event: unknown) => void): void;
  removeEventListener?(type: string, listener: (event: unknown) => void): void;
  start?(): void;
}

/**
 * Listens to an event.
 *
 * @param listener gets the event or, in Node.js, its value
 * @returns a function that removes the listener
 */
export function listen(endpoint: object, type: string, listener: (event: unknown) => void): () => void {
  const emitter = endpoint as Emitter;
  if (emitter.on !== undefined) {
    emitter.on(type, listener);
    return () => emitter.off?.(type, listener);
  }
  emitter.addEventListener?.(type, listener);
  return () => emitter.removeEventListener?.(type, listener);
}

/** Listens to messages. @returns a function that removes the listener */
export function listenToMessages(endpoint: object, listener: (message: unknown) => void): () => void {
  const isEmitter = 'on' in endpoint;
  const stop = listen(endpoint, 'message', (event) =>
    listener(isEmitter ? event : (event as { readonly data: unknown }).data),
  );
  // Ports in browsers queue messages until they are started.
  (endpoint as Emitter).start?.();
  return stop;
}
