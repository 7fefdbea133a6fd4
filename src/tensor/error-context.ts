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
    if (error instanceof TypeError || error instanceof RangeError) {
      error.message = `${caller}: ${error.message.replace(/^[a-z]\w*: /i, '')}`;
    }
    throw error;
  }
}
