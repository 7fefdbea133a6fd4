/** Trains a sequential model on batches that are drawn at random for every update. */

import {
  type Batch,
  createRandom,
  fit,
  type IntTensor,
  initializeOptimizer,
  type Loss,
  type Optimizer,
  type Random,
  type Sequential,
  type Tensor,
} from 'bptt';

/** Creates a function that makes `count` updates, each on a new random batch. */
export function createTrainer<Y extends Tensor | IntTensor>(
  model: Sequential,
  draw: (random: Random) => Batch<Y>,
  loss: Loss<Y>,
  optimizer: Optimizer,
  seed: number,
): (count: number) => Promise<void> {
  const random = createRandom(seed + 0.5);
  const optimizerState = initializeOptimizer(optimizer, model.data.length);
  return async (count) => {
    const data = {
      batchCount: count,
      batches: function* () {
        for (let i = 0; i < count; i++) yield draw(random);
      },
    };
    await fit(model, data, { loss, optimizer, optimizerState, steps: count });
  };
}
