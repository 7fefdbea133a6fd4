/** A model for live streams. */

import { dense, gru, recurrent, save, sequential } from 'bptt';

/** The number of values of an event. */
export const eventWidth = 4;

/**
 * The file of a model with some weights: a GRU of 32 units, whose output is one value. Untrained: speed is the topic.
 */
export function createModelFile(seed: number): Uint8Array {
  const layers = [recurrent(gru(), { hiddenSize: 32 }), dense({ size: 1 })];
  return save(sequential(layers, { inputSize: eventWidth, seed }));
}
