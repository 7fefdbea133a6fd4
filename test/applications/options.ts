import type { ExampleOptions } from '../../examples/example';

/** Runs the short variant of an example, without output. */
export const options: ExampleOptions = {
  short: true,
  log: () => undefined,
  onProgress: () => undefined,
  save: () => undefined,
};
