/** Errors that name the function the user called. */

/**
 * Runs `body` and attributes its errors to `caller`: the error `unroll: xs must be …` becomes
 * `predict: layer lstm: xs must be …` for the caller `predict: layer lstm`. The error keeps its class and its stack.
 *
 * @param caller the public function and its subject: `predict`, `fit: layer lstm`
 * @returns the return value of `body`
 */
export function withCaller<R>(caller: string, body: () => R): R {
  try {
    return body();
  } catch (error) {
    throw attributed(error, caller);
  }
}

/**
 * Attributes an error to `caller`, as {@link withCaller} does, for code that must not allocate a closure. Names of
 * nested layers are joined: `layer lstm: …` becomes `layer residual.lstm: …` for the caller `layer residual`.
 *
 * @returns the same error
 */
export function attributed(error: unknown, caller: string): unknown {
  if (error instanceof TypeError || error instanceof RangeError) {
    const message = `${caller}: ${error.message.replace(/^[a-z]\w*: /i, '')}`;
    // Unlike an assignment, it does not throw if the message cannot be changed.
    Reflect.set(error, 'message', message.replace(/^(layer \S+): layer /, '$1.'));
  }
  return error;
}

/** Puts `caller` before the whole message of an error. Returns the same error. */
export function prefixed(error: unknown, caller: string): unknown {
  // Not every message can be changed: that of a DOMException cannot.
  if (error instanceof Error) Reflect.set(error, 'message', `${caller}: ${error.message}`);
  return error;
}
